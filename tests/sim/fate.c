/* fate.c - how the model changes: what an event must make of a batch (protocol.md section 6) */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

const struct route_settings *route_of(const struct world *w, int parcel)
{
	return &w->plan.routes[w->parcels[parcel].route];
}

int module_of(const struct world *w, const char *name)
{
	for (int n = 0; n < MODULES_MAX; n++)
		if (strcmp(w->plan.modules[n].name, name) == 0)
			return n;
	return NOBODY;
}

bool is_in_custody(const struct fate *f)
{
	return f->known && (f->state == BATCH_READY || f->state == BATCH_ASSIGNED ||
	    f->state == BATCH_WAITING);
}

static bool is_held(const struct fate *f, int party)
{
	return f->state == BATCH_ASSIGNED && f->holder == party;
}

int held_by(const struct world *w, int party)
{
	int n = 0;

	for (int p = 0; p < w->parcel_count; p++)
		n += is_held(&w->model.fates[p], party);
	return n;
}

static struct fate *touch(struct world *w, int parcel)
{
	w->touched[parcel] = true;
	return &w->model.fates[parcel];
}

/* --- a batch --------------------------------------------------------------------------------- */

void fate_take(struct world *w, int parcel, int party, const struct frame *frame)
{
	struct fate *f = touch(w, parcel);

	*f = (struct fate){
		.known = true,
		.state = BATCH_READY,
		.life = f->life + 1,
		.order = ++w->model.orders,
		.source = party,
		.holder = NOBODY,
		.frame_len = (uint32_t)frame->len,
		.frame_crc = crc32c(0, frame->data, frame->len),
		.received_at_us = (int64_t)w->now_ms * 1000,
	};
	w->parcels[parcel].corrupt = false;
	w->model.received[w->parcels[parcel].route]++;
}

void fate_deliver(struct world *w, int parcel, int party, uint64_t lease)
{
	struct fate *f = touch(w, parcel);

	if (f->failed || f->attempt == 0)
		f->attempt++;
	f->state = BATCH_ASSIGNED;
	f->failed = f->answered = f->begun = false;
	f->holder = party;
	f->holder_number = w->model.parties[party].number;
	f->lease = w->model.last_lease = lease;
}

static void wait_for_retry(struct world *w, int parcel, struct fate *f)
{
	f->state = BATCH_WAITING;
	f->wait_from_ms = w->now_ms;
	f->wait_ms = route_of(w, parcel)->retry_delay_ms;
	f->due_ms = 0;
}

void fate_return(struct world *w, int parcel, enum leave_how how)
{
	struct fate *f = touch(w, parcel);

	f->state = BATCH_READY;
	if (!f->begun)
		return;
	f->redelivered = true;
	if (how == LEAVE_GIVEN_BACK)
		wait_for_retry(w, parcel, f);
	if (how == LEAVE_LOST)
		f->suspect = true;
}

void fate_fail(struct world *w, int parcel)
{
	struct fate *f = touch(w, parcel);

	f->redelivered = true;
	if (f->attempt > route_of(w, parcel)->max_retries) {
		fate_bury(w, parcel, INT_DELIVERY_002);
		return;
	}
	f->failed = true;
	wait_for_retry(w, parcel, f);
}

static struct fate *end(struct world *w, int parcel, enum batch_state state)
{
	struct fate *f = touch(w, parcel);

	f->state = state;
	f->has_row = true;
	f->ended_ms = w->now_ms;
	f->notice = 0;
	f->error_count = f->errors_crc = 0;
	return f;
}

void fate_bury(struct world *w, int parcel, enum error_code code)
{
	struct fate *f = end(w, parcel, BATCH_DEAD);

	f->error_code = code;
	f->accepted = 0;
	f->rejected = w->parcels[parcel].records;
	w->model.dead[w->parcels[parcel].route]++;
}

/* Where records were rejected, the whole batch is also kept as a dead letter. */
void fate_process(struct world *w, int parcel, int party, uint64_t rejected)
{
	struct fate *f = end(w, parcel, BATCH_ENDED);

	f->holder = party;
	f->holder_number = w->model.parties[party].number;
	f->accepted = w->parcels[parcel].records - rejected;
	f->rejected = rejected;
	f->partial = rejected > 0;
	w->model.processed[w->parcels[parcel].route]++;
	w->model.partial[w->parcels[parcel].route] += f->partial;
}

void fate_release_due(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (w->model.fates[p].state == BATCH_WAITING && w->model.fates[p].due_ms &&
		    w->model.fates[p].due_ms <= w->now_ms)
			touch(w, p)->state = BATCH_READY;
}

/* --- the end of a connection ----------------------------------------------------------------- */

static void let_go(struct world *w, int parcel, enum leave_how how)
{
	struct fate *f = &w->model.fates[parcel];

	if (f->begun && how == LEAVE_EXPECTED)
		return;
	if (f->begun && how == LEAVE_LOST && f->suspect)
		fate_fail(w, parcel);
	else
		fate_return(w, parcel, how);
}

void party_disconnect(struct world *w, int party)
{
	struct party *y = &w->model.parties[party];

	y->connected = y->draining = false;
	y->last_used_ms = w->now_ms;
	if (!y->mailbox)
		y->seen = store_last_notice(w->store);
}

void party_leave(struct world *w, int party, enum leave_how how)
{
	party_disconnect(w, party);
	for (int p = 0; p < w->parcel_count; p++)
		if (is_held(&w->model.fates[p], party))
			let_go(w, p, how);
	if (held_by(w, party) > 0)
		w->model.parties[party].reclaim_until_ms = w->now_ms + w->plan.core.reclaim_ms;
}

void party_expire(struct world *w)
{
	for (int n = 0; n < w->party_count; n++) {
		struct party *y = &w->model.parties[n];

		if (y->connected || y->reclaim_until_ms == 0 || y->reclaim_until_ms > w->now_ms)
			continue;
		y->reclaim_until_ms = 0;
		for (int p = 0; p < w->parcel_count; p++)
			if (is_held(&w->model.fates[p], n))
				fate_return(w, p, LEAVE_EXPECTED);
	}
}

/* --- the beginning of one -------------------------------------------------------------------- */

static bool may_be_forgotten(const struct world *w, int party)
{
	const struct party *y = &w->model.parties[party];

	if (!y->known || y->connected || held_by(w, party) > 0)
		return false;
	for (int p = 0; p < w->parcel_count; p++)
		if (is_in_custody(&w->model.fates[p]) && w->model.fates[p].source == party)
			return false;
	return true;
}

/* The longest unused that may go. */
static int victim(const struct world *w, int module)
{
	int found = NOBODY;

	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];
		const struct party *best = &w->model.parties[found < 0 ? n : found];

		if (y->module != module || !may_be_forgotten(w, n))
			continue;
		if (found < 0 || y->last_used_ms < best->last_used_ms ||
		    (y->last_used_ms == best->last_used_ms && y->created < best->created))
			found = n;
	}
	return found;
}

static int oldest_row(const struct world *w, int party)
{
	int found = NOBODY;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->has_row && f->source == party &&
		    (found < 0 || f->notice < w->model.fates[found].notice))
			found = p;
	}
	return found;
}

/* Its rows of history go with it: those it has confirmed, or that are old enough. */
static bool forget_party(struct world *w, int party)
{
	struct party *y = &w->model.parties[party];
	int p;

	for (int n = 0; n < w->parcel_count; n++)
		check_history(w, n);
	while ((p = oldest_row(w, party)) != NOBODY) {
		struct fate *f = touch(w, p);

		if (f->notice > y->seen && w->now_ms < f->ended_ms + w->plan.core.dedupe_minimum_ms)
			return false;
		f->has_row = false;
		f->known = f->state == BATCH_DEAD;
	}
	y->known = false;
	y->reclaim_until_ms = 0;
	return true;
}

static bool make_room(struct world *w, int module)
{
	uint32_t known = 0;
	int party;

	for (int n = 0; n < w->party_count; n++)
		known += w->model.parties[n].known && w->model.parties[n].module == module;
	if (known < w->plan.core.instances_per_module)
		return true;
	party = victim(w, module);
	return party != NOBODY && forget_party(w, party);
}

static bool is_named(const struct hello *h, uint64_t lease)
{
	for (size_t n = 0; n < h->hold_count; n++)
		if (h->holds[n] == lease)
			return true;
	return false;
}

bool party_join(struct world *w, int party, const struct hello *h)
{
	struct party *y = &w->model.parties[party];
	uint32_t limit = w->plan.core.max_in_flight_limit;

	if (!y->known) {
		if (!make_room(w, module_of(w, h->module)))
			return false;
		*y = (struct party){ .known = true, .mailbox = true };
		y->created = ++w->model.parties_made;
		y->module = module_of(w, h->module);
	}
	if (y->connected)
		party_leave(w, party, LEAVE_EXPECTED);
	if (!h->mailbox || !y->mailbox)
		y->seen = store_last_notice(w->store);
	y->connected = true;
	y->mailbox = h->mailbox;
	y->max_in_flight = h->max_in_flight < limit ? h->max_in_flight : limit;
	y->last_used_ms = w->now_ms;
	y->reclaim_until_ms = 0;
	for (int p = 0; p < w->parcel_count; p++)
		if (is_held(&w->model.fates[p], party) && !is_named(h, w->model.fates[p].lease))
			fate_return(w, p, LEAVE_EXPECTED);
	if (h->has_seen)
		party_seen(w, party, h->seen);
	y->told = y->seen;
	return true;
}

/* Nobody has seen what was not sent. */
void party_seen(struct world *w, int party, uint64_t seen)
{
	struct party *y = &w->model.parties[party];

	if (seen > y->sent)
		seen = y->sent;
	if (seen > y->seen)
		y->seen = seen;
}

/* --- the broker starts again ----------------------------------------------------------------- */

/* What was assigned may have reached its instance, and waits for it. */
void model_recover(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (w->model.fates[p].state == BATCH_ASSIGNED)
			w->model.fates[p].begun = w->model.fates[p].tried = true;
	for (int n = 0; n < w->party_count; n++) {
		struct party *y = &w->model.parties[n];

		y->connected = y->draining = false;
		y->sent = store_last_notice(w->store);
		y->reclaim_until_ms = held_by(w, n) > 0 ? w->now_ms + w->plan.core.reclaim_ms : 0;
	}
}
