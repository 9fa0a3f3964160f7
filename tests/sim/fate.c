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

bool is_derived(const struct world *w, int parcel)
{
	return w->parcels[parcel].kind != KIND_SENT;
}

int held_by(const struct world *w, int party)
{
	int n = 0;

	for (int p = 0; p < w->parcel_count; p++)
		n += w->model.fates[p].state == BATCH_ASSIGNED && w->model.fates[p].holder == party;
	return n;
}

struct fate *fate_touch(struct world *w, int parcel)
{
	w->touched[parcel] = true;
	return &w->model.fates[parcel];
}

static struct totals *totals_of(struct world *w, int parcel)
{
	return &w->model.totals[w->parcels[parcel].route];
}

/* --- a batch --------------------------------------------------------------------------------- */

void fate_take(struct world *w, int parcel, int party, const struct frame *frame)
{
	struct fate *f = fate_touch(w, parcel);

	*f = (struct fate){
		.known = true,
		.state = BATCH_READY,
		.life = f->life + 1,
		.order = ++w->model.orders,
		.source = party,
		.source_number = party_number(w, party),
		.series = party_number(w, party),
		.holder = NOBODY,
		.row = NOBODY,
		.records = w->parcels[parcel].records,
		.frame_len = (uint32_t)frame->len,
		.frame_crc = crc32c(0, frame->data, frame->len),
		.received_at_us = w->wall_us,
	};
	tell_note_batch(w, parcel, party);
	w->model.owner[parcel] = parcel;
	w->parcels[parcel].corrupt = false;
	totals_of(w, parcel)->received++;
}

static void forget_delivery(struct fate *f)
{
	f->begun = f->received = false;
	f->late_ms = 0;
}

void fate_deliver(struct world *w, int parcel, int party, uint64_t lease)
{
	struct fate *f = fate_touch(w, parcel);

	if (f->failed || f->attempt == 0)
		f->attempt++;
	else
		f->free_deliveries++;
	f->deliveries++;
	f->state = BATCH_ASSIGNED;
	f->failed = f->answered = false;
	forget_delivery(f);
	f->holder = party;
	f->holder_number = party_number(w, party);
	breaker_probe(w, parcel, lease);
	f->lease = w->model.last_lease = lease;
}

/* protocol.md section 6: after the n-th failure; the jitter on it is the core's. */
static void wait_for_retry(struct world *w, int parcel, struct fate *f, uint32_t failures)
{
	const struct route_settings *r = route_of(w, parcel);
	double wait_ms = r->retry_delay_ms;

	for (uint32_t n = 1; n < failures; n++)
		wait_ms *= r->backoff_multiplier;
	if (wait_ms > r->max_retry_delay_ms)
		wait_ms = r->max_retry_delay_ms;
	f->state = BATCH_WAITING;
	f->wait_from_ms = w->now_ms;
	f->wait_ms = (uint64_t)wait_ms;
	f->due_ms = 0;
}

void fate_return(struct world *w, int parcel, enum leave_how how)
{
	struct fate *f = fate_touch(w, parcel);

	f->state = BATCH_READY;
	if (f->begun) {
		f->redelivered = true;
		if (how == LEAVE_GIVEN_BACK)
			wait_for_retry(w, parcel, f, 1);
		if (how == LEAVE_LOST) {
			f->suspect = true;
			errors_make(w, parcel, INT_DELIVERY_003);
		}
	}
	forget_delivery(f);
}

/* It costs no attempt while the circuit is not closed, unless that is paid already. */
static bool is_free(const struct world *w, int parcel, bool lost)
{
	return !lost && !w->model.fates[parcel].failed &&
	    !breaker_is_closed(w, w->parcels[parcel].route);
}

void fate_fail(struct world *w, int parcel, enum error_code why, struct span said)
{
	struct fate *f = fate_touch(w, parcel);
	bool lost = why == INT_DELIVERY_003;
	uint32_t failures = f->attempt - f->attempts_before;
	bool free = is_free(w, parcel, lost);

	f->redelivered = true;
	if (!lost)
		breaker_fail(w, parcel);
	if (free) {
		if (f->state == BATCH_ASSIGNED)
			f->state = BATCH_READY;
		forget_delivery(f);
		return;
	}
	if (why != INT_NONE)
		errors_make(w, parcel, why);
	if (failures > route_of(w, parcel)->max_retries) {
		if (f->deliveries != route_of(w, parcel)->max_retries + 1 + f->free_deliveries)
			broke(w, "batch %d is buried after %u deliveries, %u of them free", parcel,
			    f->deliveries, f->free_deliveries);
		fate_bury(w, parcel, INT_DELIVERY_002, said);
		return;
	}
	f->failed = true;
	checkup_failed(w);
	totals_of(w, parcel)->retries++;
	wait_for_retry(w, parcel, f, failures);
	forget_delivery(f);
}

/* --- the end --------------------------------------------------------------------------------- */

static struct fate *end(struct world *w, int parcel, enum batch_state state)
{
	struct fate *f = fate_touch(w, parcel);

	f->state = state;
	forget_delivery(f);
	f->end = (struct end){
		.id = f->id,
		.lease = f->lease,
		.ended_ms = w->now_ms,
		.attempt = f->attempt,
		.holder_number = f->holder_number,
		.received_at_us = f->received_at_us,
		.dead = state == BATCH_DEAD,
	};
	return f;
}

void fate_bury(struct world *w, int parcel, enum error_code code, struct span said)
{
	struct fate *f = end(w, parcel, BATCH_DEAD);

	errors_make(w, parcel, code);
	checkup_failed(w);
	f->end.code = code;
	f->end.rejected = f->records;
	w->model.owner[w->parcels[parcel].root] = parcel;
	totals_of(w, parcel)->dead++;
	row_add(w, parcel);
	if (code != INT_STORE_002)
		breaker_letter(w, parcel, said.p ? said : span_of(error_code_info(code)->name));
}

/* Where records were rejected, they are also kept as a dead letter, or the whole batch is. */
void fate_process(struct world *w, int parcel, int party, uint64_t rejected, bool named)
{
	struct fate *f = fate_touch(w, parcel);

	breaker_succeed(w, parcel);
	checkup_ended(w, f->records);
	f->holder = party;
	f->holder_number = party_number(w, party);
	if (rejected > 0)
		letter_expect(w, parcel, named);
	end(w, parcel, BATCH_ENDED);
	f->end.accepted = f->records - rejected;
	f->end.rejected = rejected;
	f->end.partial = rejected > 0;	/* unless a letter of the rejects is found */
	w->model.owner[w->parcels[parcel].root] = parcel;
	++*(is_derived(w, parcel) ? &totals_of(w, parcel)->derived_ended
	                          : &totals_of(w, parcel)->processed);
	row_add(w, parcel);
	confirming_begin(w, parcel);
}

void fate_release_due(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->known && f->state == BATCH_WAITING && f->due_ms && f->due_ms <= w->now_ms)
			fate_touch(w, p)->state = BATCH_READY;
	}
}

/* --- the clock of a delivery ------------------------------------------------------------------ */

void fate_restart_clock(struct world *w, int parcel)
{
	struct fate *f = &w->model.fates[parcel];
	const struct route_settings *r = route_of(w, parcel);

	f->late_ms = w->peer_ms + (f->received ? r->process_timeout_ms : r->ack_timeout_ms);
}

void fate_received(struct world *w, int parcel)
{
	w->model.fates[parcel].received = true;
	fate_restart_clock(w, parcel);
}

static int first_late(const struct world *w)
{
	const struct fate *first = NULL;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->state != BATCH_ASSIGNED || f->late_ms == 0 || f->late_ms > w->peer_ms)
			continue;
		if (!first || f->late_ms < first->late_ms ||
		    (f->late_ms == first->late_ms && f->lease < first->lease))
			first = f;
	}
	return first ? (int)(first - w->model.fates) : NOBODY;
}

/* In the order in which they are late: one opens a circuit, and the next costs nothing. */
void fate_expire(struct world *w)
{
	for (int p; (p = first_late(w)) != NOBODY;) {
		trace(w, "  batch %d is late", p);
		w->model.fates[p].warning_owed = true;
		fate_fail(w, p, INT_DELIVERY_001, (struct span){ NULL, 0 });
	}
}

/* --- the broker starts again ----------------------------------------------------------------- */

/* What was assigned may have reached its instance, and waits for it. */
void model_recover(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++) {
		struct fate *f = &w->model.fates[p];

		f->warning_owed = f->received = false;
		f->late_ms = 0;
		if (f->state == BATCH_ASSIGNED)	/* who comes back for it works on it */
			f->begun = f->tried = f->received = true;
	}
	for (int n = 0; n < w->party_count; n++) {
		struct party *y = &w->model.parties[n];

		y->connected = y->draining = y->paused = false;
		memset(y->paused_routes, 0, sizeof y->paused_routes);
		y->sent = store_last_notice(w->store);
		y->reclaim_until_ms = held_by(w, n) > 0 ? w->peer_ms + w->plan.core.reclaim_ms : 0;
	}
	memset(w->model.pressed, 0, sizeof w->model.pressed);
	tell_recover(w);
	errors_recover(w);
	checkup_recover(w);
	flow_recover(w);
	breaker_recover(w);
	confirming_recover(w);
	w->model.draining = false;
}
