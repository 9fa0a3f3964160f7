/* check.c - invariants of the store and the counters, against the model */
#include <string.h>

#include "sim.h"

/* --- one batch ------------------------------------------------------------------------------- */

/* The wait is never shorter than the formula and at most a tenth longer: how much is the core's. */
static void note_due(struct world *w, int parcel, struct fate *f, uint64_t due_ms)
{
	uint64_t wait_ms = due_ms - f->wait_from_ms;

	if (due_ms < f->wait_from_ms + f->wait_ms || wait_ms > f->wait_ms + f->wait_ms / 10)
		broke(w, "batch %d waits %lld ms, not %llu", parcel, (long long)wait_ms,
		    (unsigned long long)f->wait_ms);
	f->due_ms = due_ms;
	f->wait_from_ms = 0;
}

static void check_numbers(struct world *w, int parcel, const struct batch *b)
{
	const struct fate *f = &w->model.fates[parcel];
	const struct parcel *p = &w->parcels[parcel];

	if (b->attempt != f->attempt || b->lease != f->lease || b->holder != f->holder_number)
		broke(w, "batch %d has attempt %u lease %llu holder %u in the store", parcel,
		    b->attempt, (unsigned long long)b->lease, b->holder);
	if (b->attempts_before != f->attempts_before || b->redrives != f->redrives)
		broke(w, "batch %d has %u attempts before, %u redrives in the store", parcel,
		    b->attempts_before, b->redrives);
	if (b->payload_bytes != f->frame_len || b->record_count != f->records ||
	    b->sequence_number != p->sequence_number || b->critical != p->critical ||
	    b->derived != is_derived(w, parcel))
		broke(w, "batch %d is not what was sent", parcel);
}

static void check_in_custody(struct world *w, int parcel, const struct identity *where)
{
	struct fate *f = &w->model.fates[parcel];
	const struct parcel *p = &w->parcels[parcel];
	struct batch b;

	if (where->kind != IDENTITY_LIVE ||
	    store_batch_find(w->store, w->route_numbers[p->route], where->id, &b) != 0)
		broke(w, "batch %d is %s and not in the store (identity %d)", parcel,
		    batch_state_name(f->state), where->kind);
	if (f->id == 0)
		f->id = b.id;
	if (b.state != f->state || b.id != f->id)
		broke(w, "batch %d is %s, the store says %s", parcel, batch_state_name(f->state),
		    batch_state_name(b.state));
	check_numbers(w, parcel, &b);
	if (b.source != f->source_number)
		broke(w, "the outcome of batch %d would be told to instance %u", parcel, b.source);
	if (b.suspect != f->suspect || b.failed != f->failed || b.answered != f->answered ||
	    b.redelivered != f->redelivered || b.held != f->held)
		broke(w,
		    "batch %d has suspect=%d failed=%d answered=%d redelivered=%d held=%d in "
		    "the store", parcel, b.suspect, b.failed, b.answered, b.redelivered, b.held);
	if (b.state == BATCH_WAITING && f->wait_from_ms)
		note_due(w, parcel, f, b.due_ms);
	if (b.state == BATCH_WAITING && b.due_ms != f->due_ms)
		broke(w, "batch %d is due %lld ms too late", parcel,
		    (long long)(b.due_ms - f->due_ms));
	if (b.ordered != route_of(w, parcel)->ordered || (b.ordered && b.series != f->series))
		broke(w, "batch %d stands in series %u", parcel, b.series);
}

/* Its row in history, whose notice is looked up here when it is new. */
static void check_row(struct world *w, int parcel, const struct ended *e)
{
	struct fate *f = &w->model.fates[parcel];
	struct row *r = &w->model.rows[f->row];

	if (r->end.notice == 0)
		r->end.notice = f->end.notice = e->notice;
	if (e->source != party_number(w, r->source) || e->notice != r->end.notice)
		broke(w, "the end of batch %d is notice %llu of instance %u, not %llu of %u",
		    parcel, (unsigned long long)e->notice, e->source,
		    (unsigned long long)r->end.notice, party_number(w, r->source));
	row_check(w, f->row);
}

static void check_ended(struct world *w, int parcel, const struct identity *where)
{
	struct fate *f = &w->model.fates[parcel];
	struct ended e;

	if (where->kind != IDENTITY_ENDED ||
	    store_ended_get(w->store, where->source, where->notice, &e) != 0)
		broke(w, "batch %d has ended, its identity is of kind %d", parcel, where->kind);
	check_end(w, parcel, &f->end, &e);
	if (e.partial != f->end.partial)
		broke(w, "batch %d has ended with partial=%d", parcel, e.partial);
	check_row(w, parcel, &e);
}

/* A letter is whole, with its payload, where it should be; whose id it has is another question. */
static void check_letter(struct world *w, int parcel, const struct identity *where)
{
	struct fate *f = &w->model.fates[parcel];
	uint32_t route = w->route_numbers[w->parcels[parcel].route];
	bool own = w->model.owner[w->parcels[parcel].root] == parcel;
	struct batch b;
	struct ended e;
	const uint8_t *p;
	size_t n;

	if (f->id == 0)
		f->id = f->end.id = where->id;
	if (store_dead_get(w->store, route, f->id, &b, &e) != 0)
		broke(w, "batch %d is a dead letter and not in the store", parcel);
	if (own != (where->kind == IDENTITY_DEAD && where->id == f->id))
		broke(w, "dead letter %d is %sknown under its batch_id", parcel, own ? "not " : "");
	check_numbers(w, parcel, &b);
	if (e.source != f->source_number)
		broke(w, "letter %d would be told to instance %u", parcel, e.source);
	check_end(w, parcel, &f->end, &e);
	if (f->row != NOBODY)
		check_row(w, parcel, &e);
	if (store_payload_get(w->store, f->id, true, &p, &n) != 0 ? !w->parcels[parcel].corrupt
	        : n != f->frame_len)
		broke(w, "dead letter %d has lost its payload", parcel);
}

static void check_parcel(struct world *w, int parcel)
{
	struct fate *f = &w->model.fates[parcel];
	const struct parcel *p = &w->parcels[parcel];
	struct identity where;

	if (f->known && f->row != NOBODY)
		row_check(w, f->row);
	store_identity_get(w->store, w->route_numbers[p->route], &p->batch_id, &where);
	if (p->acked > f->life)
		broke(w, "batch %d was acknowledged and is not known", parcel);
	if (p->root == parcel && w->model.owner[parcel] == NOBODY && where.kind != IDENTITY_NONE)
		broke(w, "batch %d is in the store and should have left no trace", parcel);
	if (f->known && is_in_custody(f))
		check_in_custody(w, parcel, &where);
	else if (f->known && f->state == BATCH_DEAD)
		check_letter(w, parcel, &where);
	else if (f->known && w->model.owner[p->root] == parcel)
		check_ended(w, parcel, &where);
	confirming_check(w, parcel);
}

/* A damaged batch is a dead letter as soon as it would be delivered. */
static void find_buried(struct world *w, int parcel)
{
	const struct parcel *p = &w->parcels[parcel];
	const struct fate *f = &w->model.fates[parcel];
	struct identity where;

	if (!p->corrupt || !f->known || f->state != BATCH_READY)
		return;
	store_identity_get(w->store, w->route_numbers[p->route], &p->batch_id, &where);
	if (where.kind == IDENTITY_DEAD)
		fate_bury(w, parcel, INT_STORE_002, (struct span){ NULL, 0 });
}

void check_touched(struct world *w)
{
	letter_find(w);
	notice_find(w, true);
	for (int p = 0; p < w->parcel_count; p++) {
		find_buried(w, p);
		if (w->touched[p])
			check_parcel(w, p);
		w->touched[p] = false;
	}
	breaker_check(w);
	errors_look(w);
}

/* --- after a turn ---------------------------------------------------------------------------- */

/* What a route has now, counted from its batches. */
static void count_now(const struct world *w, int route, struct route_counters *out)
{
	*out = (struct route_counters){ 0 };
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];
		bool derived = is_derived(w, p);

		if (w->parcels[p].route != route || !f->known)
			continue;
		if (f->state == BATCH_DEAD) {
			++*(derived ? &out->derived_dead : &out->dead);
			out->dead_bytes += f->frame_len;
		}
		if (!is_in_custody(f))
			continue;
		out->bytes += f->frame_len;
		out->derived_queued += derived;
		out->assigned += f->state == BATCH_ASSIGNED;
		out->waiting += f->state == BATCH_WAITING;
		out->ready_held += f->state == BATCH_READY && f->held;
		out->ready_suspect += f->state == BATCH_READY && !f->held && f->suspect;
		out->ready_normal += f->state == BATCH_READY && !f->held && !f->suspect;
	}
}

void check_counters(struct world *w, int route)
{
	const char *name = w->plan.routes[route].name;
	const struct route_counters *n = core_counters(w->core, name);
	const struct totals *t = &w->model.totals[route];
	struct route_counters c;

	count_now(w, route, &c);
	if (n->ready_critical + n->ready_normal != c.ready_normal ||
	    n->ready_suspect != c.ready_suspect || n->ready_held != c.ready_held ||
	    n->assigned != c.assigned || n->waiting != c.waiting || n->bytes != c.bytes ||
	    n->derived_queued != c.derived_queued)
		broke(w, "route %s counts otherwise than its batches", name);
	if (n->dead != c.dead || n->derived_dead != c.derived_dead || n->dead_bytes != c.dead_bytes)
		broke(w, "route %s counts otherwise than its dead letters", name);
	if (n->received_total != t->received || n->processed_total != t->processed ||
	    n->dead_total != t->dead || n->partial_total != t->partial ||
	    n->imported_total != t->imported || n->purged_total != t->purged ||
	    n->retries_total != t->retries || n->redriven_total != t->redriven)
		broke(w, "route %s has counted %llu received, %llu processed, %llu dead, %llu "
		    "partial, %llu imported, %llu purged, %llu retries, %llu redriven", name,
		    (unsigned long long)n->received_total, (unsigned long long)n->processed_total,
		    (unsigned long long)n->dead_total, (unsigned long long)n->partial_total,
		    (unsigned long long)n->imported_total, (unsigned long long)n->purged_total,
		    (unsigned long long)n->retries_total, (unsigned long long)n->redriven_total);
	if (n->derived_total != t->derived || n->derived_ended_total != t->derived_ended ||
	    n->derived_purged_total != t->derived_purged)
		broke(w, "route %s has counted %llu letters derived, %llu ended, %llu purged", name,
		    (unsigned long long)n->derived_total,
		    (unsigned long long)n->derived_ended_total,
		    (unsigned long long)n->derived_purged_total);
	if (!counters_balance(n))
		broke(w, "what came on route %s is not what is there and what went", name);
}

/* --- nobody waits who need not ---------------------------------------------------------------- */

static uint64_t from_peer_time(const struct world *w, uint64_t ms)
{
	return ms > w->peer_ms ? w->now_ms + (ms - w->peer_ms) : w->now_ms;
}

static void note_earlier(uint64_t *due_ms, uint64_t ms)
{
	if (ms < *due_ms)
		*due_ms = ms;
}

static uint64_t earliest_due(const struct world *w)
{
	uint64_t due_ms = breaker_due_ms(w);

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->known && f->state == BATCH_WAITING)
			note_earlier(&due_ms, f->due_ms);
		if (f->known && f->state == BATCH_ASSIGNED && f->late_ms)
			note_earlier(&due_ms, from_peer_time(w, f->late_ms));
		if (f->confirming.there && f->confirming.state == CONFIRM_AWAITED)
			note_earlier(&due_ms, f->confirming.due_ms);
	}
	for (int m = 0; m < MODULES_MAX; m++)
		if (w->model.throttled_until_ms[m] > w->now_ms)
			note_earlier(&due_ms, w->model.throttled_until_ms[m]);
	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];

		if (y->reclaim_until_ms && !y->connected)
			note_earlier(&due_ms, from_peer_time(w, y->reclaim_until_ms));
	}
	return due_ms;
}

/* Of an ordered route only the first of a series may be delivered. */
static bool is_behind(const struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];

	for (int p = 0; route_of(w, parcel)->ordered && p < w->parcel_count; p++) {
		const struct fate *g = &w->model.fates[p];

		if (p != parcel && is_in_custody(g) && g->series == f->series &&
		    w->parcels[p].route == w->parcels[parcel].route && g->order < f->order)
			return true;
	}
	return false;
}

static bool may_be_delivered(const struct world *w, int parcel, bool suspect)
{
	const struct fate *f = &w->model.fates[parcel];

	return f->known && f->state == BATCH_READY && !f->held && f->suspect == suspect &&
	    !flow_is_stopped(w, w->parcels[parcel].route) && !is_behind(w, parcel);
}

static int suspect_out(const struct world *w, int module)
{
	int found = NOBODY, n = 0;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->state != BATCH_ASSIGNED || !f->suspect ||
		    module_of(w, route_of(w, p)->target) != module)
			continue;
		found = f->holder;
		n++;
	}
	if (n > 1)
		broke(w, "%d suspects are out at %s", n, w->plan.modules[module].name);
	return found;
}

/* The instances that could take this batch now. */
static int count_takers(const struct world *w, int parcel, int module, int busy)
{
	const struct fate *f = &w->model.fates[parcel];
	int takers = 0;

	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];
		uint32_t held;

		if (!y->connected || y->draining || y->module != module || y->max_in_flight == 0 ||
		    flow_has_paused(w, n, w->parcels[parcel].route))
			continue;
		held = (uint32_t)held_by(w, n);
		takers += f->suspect ? held == 0 : held < y->max_in_flight && n != busy;
	}
	return takers;
}

static void check_line(struct world *w, int module)
{
	const char *name = w->plan.modules[module].name;
	int busy = suspect_out(w, module);
	bool suspects = false;

	for (int p = 0; p < w->parcel_count; p++) {
		if (module_of(w, route_of(w, p)->target) != module || !may_be_delivered(w, p, true))
			continue;
		suspects |= busy == NOBODY;
		if (busy == NOBODY && count_takers(w, p, module, busy) > 0)
			broke(w, "suspect %d waits for %s, of which an instance is idle", p, name);
	}
	for (int p = 0; p < w->parcel_count; p++)
		if (module_of(w, route_of(w, p)->target) == module &&
		    may_be_delivered(w, p, false) &&
		    count_takers(w, p, module, busy) > (suspects ? 1 : 0))
			broke(w, "batch %d waits for %s, of which instances have credit", p, name);
	w->had_suspects[module] = suspects;
}

static void check_told(struct world *w, const struct connection *c)
{
	const struct party *y = &w->model.parties[c->party];

	if (!connection_has_room(w, c))
		return;
	for (int n = 0; n < w->model.row_top; n++) {
		struct row *r = &w->model.rows[n];

		if (!r->there || r->source != c->party || r->end.notice <= y->told)
			continue;
		row_check(w, n);
		if (r->there)
			broke(w, "party %d reads and is not told the outcome of batch %d", c->party,
			    r->parcel);
	}
	for (int n = 0; n < w->model.notice_top; n++) {
		struct notice *o = &w->model.notices[n];

		if (!o->there || o->party != c->party || o->number <= y->told)
			continue;
		notice_check(w, o);
		if (o->there)
			broke(w, "party %d reads and is not told notice %llu", c->party,
			    (unsigned long long)o->number);
	}
}

static void check_warned(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (w->model.fates[p].warning_owed)
			broke(w, "party %d is not told that batch %d was late",
			    w->model.fates[p].holder, p);
}

void check_quiet(struct world *w)
{
	const struct connection *c;

	row_check_all(w);
	for (int m = 0; m < MODULES_MAX; m++)
		check_line(w, m);
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		check_counters(w, (int)r);
	if (core_next_due_ms(w->core) > earliest_due(w))
		broke(w, "the core would sleep %llu ms too long",
		    (unsigned long long)(core_next_due_ms(w->core) - earliest_due(w)));
	if (core_next_due_ms(w->core) <= w->now_ms)
		broke(w, "the core has done all there is and would not sleep");
	check_warned(w);
	flow_check(w);
	health_check(w);
	errors_check(w);
	TAILQ_FOREACH(c, &w->connections, next)
		check_told(w, c);
	check_measures(w);
	core_check(w->core);
}

/* --- everything ------------------------------------------------------------------------------ */

void check_store(struct world *w)
{
	uint64_t held = 0, dead = 0, known = 0, rows = 0, confirming = 0, notices = 0;
	const struct model *m = &w->model;
	struct store_tally t;
	char why[256];

	letter_find(w);
	notice_find(w, true);
	row_check_all(w);
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		find_buried(w, p);
		check_parcel(w, p);
		held += is_in_custody(f);
		dead += f->known && f->state == BATCH_DEAD;
		known += w->parcels[p].root == p && w->model.owner[p] != NOBODY;
		confirming += f->confirming.there;
	}
	row_check_all(w);
	for (int n = 0; n < w->model.row_top; n++)
		rows += w->model.rows[n].there;
	for (int n = 0; n < w->model.notice_top; n++) {
		notice_check(w, &w->model.notices[n]);
		notices += w->model.notices[n].there;
	}
	if (store_check(w->store, &t, why, sizeof why) != 0)
		broke(w, "the store disagrees with itself: %s", why);
	if (t.queued != held || t.dead != dead || t.identities != known || t.ended != rows ||
	    t.confirmations != confirming)
		broke(w, "the store has %llu batches, %llu dead letters, %llu ids, %llu ends, %llu "
		    "confirmations; not %llu, %llu, %llu, %llu, %llu",
		    (unsigned long long)t.queued, (unsigned long long)t.dead,
		    (unsigned long long)t.identities, (unsigned long long)t.ended,
		    (unsigned long long)t.confirmations, (unsigned long long)held,
		    (unsigned long long)dead, (unsigned long long)known, (unsigned long long)rows,
		    (unsigned long long)confirming);
	errors_look(w);
	errors_check_store(w);
	if (t.errors != (uint64_t)(m->heard_top - m->heard_first) ||
	    t.alerts != (uint64_t)m->alert_count)
		broke(w, "the store has %llu errors and %llu alerts", (unsigned long long)t.errors,
		    (unsigned long long)t.alerts);
	if (t.notices != notices)
		broke(w, "the store has %llu notices, not %llu", (unsigned long long)t.notices,
		    (unsigned long long)notices);
}
