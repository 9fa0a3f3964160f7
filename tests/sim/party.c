/* party.c - how the model of an instance changes: it comes, leaves, is forgotten */
#include <string.h>

#include "sim.h"

static bool is_held(const struct fate *f, int party)
{
	return f->state == BATCH_ASSIGNED && f->holder == party;
}

/* The store's number of the broker's own instances is looked up. */
uint32_t party_number(struct world *w, int party)
{
	struct party *y = &w->model.parties[party];
	struct instance_view v;
	uint32_t number = 0;

	while (y->is_broker && y->known && y->number == 0 && core_instance_next(w->core, &number, &v))
		if (!v.id.p && strcmp(v.module, w->plan.modules[y->module].name) == 0)
			y->number = v.number;
	return y->number;
}

int party_of_broker(struct world *w, int module)
{
	struct party *y = &w->model.parties[module];

	if (!y->known)
		*y = (struct party){ .known = true, .is_broker = true, .module = module,
			.created = ++w->model.parties_made };
	return module;
}

/* --- the end of a connection ----------------------------------------------------------------- */

static void let_go(struct world *w, int parcel, enum leave_how how)
{
	struct fate *f = &w->model.fates[parcel];

	if (f->begun && how == LEAVE_EXPECTED)
		return;
	if (f->begun && how == LEAVE_LOST && f->suspect)
		fate_fail(w, parcel, INT_DELIVERY_003, (struct span){ NULL, 0 });
	else
		fate_return(w, parcel, how);
}

/* Nothing is kept for it: what there is counts as seen. */
static void see_all(struct world *w, int party)
{
	struct party *y = &w->model.parties[party];

	y->sent = store_last_notice(w->store);
	party_seen(w, party, y->sent);
}

void party_disconnect(struct world *w, int party)
{
	struct party *y = &w->model.parties[party];

	y->connected = y->draining = y->paused = false;
	memset(y->paused_routes, 0, sizeof y->paused_routes);
	y->last_used_ms = w->now_ms;
	if (!y->mailbox)
		see_all(w, party);
}

void party_leave(struct world *w, int party, enum leave_how how)
{
	party_disconnect(w, party);
	if (how == LEAVE_LOST)
		breaker_blame(w, party);
	for (int p = 0; p < w->parcel_count; p++)
		if (is_held(&w->model.fates[p], party))
			let_go(w, p, how);
	for (int p = 0; p < w->parcel_count; p++)
		if (is_held(&w->model.fates[p], party))
			w->model.fates[p].late_ms = 0;
	if (held_by(w, party) > 0)
		w->model.parties[party].reclaim_until_ms = w->peer_ms + w->plan.core.reclaim_ms;
}

void party_expire(struct world *w)
{
	for (int n = 0; n < w->party_count; n++) {
		struct party *y = &w->model.parties[n];

		if (y->connected || y->reclaim_until_ms == 0 || y->reclaim_until_ms > w->peer_ms)
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

	for (int n = 0; n < w->model.row_top; n++) {
		const struct row *r = &w->model.rows[n];

		if (r->there && r->source == party &&
		    (found < 0 || r->end.notice < w->model.rows[found].end.notice))
			found = n;
	}
	return found;
}

/* Its rows of history go with it: those it has confirmed, or that are old enough. */
static bool forget_party(struct world *w, int party)
{
	struct party *y = &w->model.parties[party];
	int n;

	row_check_all(w);
	notice_drop(w, party, UINT64_MAX);
	while ((n = oldest_row(w, party)) != NOBODY) {
		const struct end *e = &w->model.rows[n].end;

		if (e->notice > y->seen && w->now_ms < e->ended_ms + w->plan.core.dedupe_minimum_ms)
			return false;
		row_forget(w, n);
	}
	y->known = false;
	y->number = 0;
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
		see_all(w, party);
	y->connected = true;
	y->mailbox = h->mailbox;
	y->max_in_flight = h->max_in_flight < limit ? h->max_in_flight : limit;
	y->last_used_ms = w->now_ms;
	y->reclaim_until_ms = 0;
	for (int p = 0; p < w->parcel_count; p++)
		if (is_held(&w->model.fates[p], party)) {
			if (is_named(h, w->model.fates[p].lease))
				fate_restart_clock(w, p);
			else
				fate_return(w, p, LEAVE_EXPECTED);
		}
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
	if (seen <= y->seen)
		return;
	y->seen = seen;
	if (y->told < seen)
		y->told = seen;
	notice_drop(w, party, seen);
}

