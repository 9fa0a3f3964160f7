/* check.c - invariants of the store and the counters, against the model */
#include <string.h>

#include "sim.h"

/* --- history --------------------------------------------------------------------------------- */

/* May an end be forgotten yet? (protocol.md section 6, point 4) */
static bool may_be_forgotten(const struct world *w, const struct fate *f)
{
	const struct party *y = &w->model.parties[f->source];
	const struct core_settings *s = &w->plan.core;
	bool confirmed = f->notice <= y->seen || !y->mailbox;

	if (confirmed && w->now_ms >= f->ended_ms + s->outcome_retention_ms)
		return true;
	return w->was_over_budget && (confirmed || w->now_ms >= f->ended_ms + s->dedupe_minimum_ms);
}

void check_history(struct world *w, int parcel)
{
	struct fate *f = &w->model.fates[parcel];
	struct ended e;

	if (!f->has_row || f->notice == 0 ||
	    store_ended_get(w->store, w->model.parties[f->source].number, f->notice, &e) == 0)
		return;
	if (!may_be_forgotten(w, f))
		broke(w, "the end of batch %d is forgotten %llu ms after it", parcel,
		    (unsigned long long)(w->now_ms - f->ended_ms));
	f->has_row = false;
	f->known = f->state == BATCH_DEAD;
}

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
	if (b.attempt != f->attempt || b.lease != f->lease || b.holder != f->holder_number)
		broke(w, "batch %d has attempt %u lease %llu holder %u in the store", parcel,
		    b.attempt, (unsigned long long)b.lease, b.holder);
	if (b.source != w->model.parties[f->source].number)
		broke(w, "the outcome of batch %d would be told to instance %u", parcel, b.source);
	if (b.suspect != f->suspect || b.failed != f->failed || b.answered != f->answered ||
	    b.redelivered != f->redelivered || b.critical != p->critical)
		broke(w,
		    "batch %d has suspect=%d failed=%d answered=%d redelivered=%d in the store",
		    parcel, b.suspect, b.failed, b.answered, b.redelivered);
	if (b.state == BATCH_WAITING && f->wait_from_ms)
		note_due(w, parcel, f, b.due_ms);
	if (b.state == BATCH_WAITING && b.due_ms != f->due_ms)
		broke(w, "batch %d is due %lld ms too late", parcel,
		    (long long)(b.due_ms - f->due_ms));
	if (b.payload_bytes != f->frame_len || b.record_count != p->records ||
	    b.sequence_number != p->sequence_number)
		broke(w, "batch %d is not what was sent", parcel);
}

static void check_ended(struct world *w, int parcel, const struct identity *where)
{
	struct fate *f = &w->model.fates[parcel];
	uint32_t number = w->model.parties[f->source].number;
	bool dead = f->state == BATCH_DEAD;
	struct batch b;
	struct ended e;
	int rc = dead && where->kind == IDENTITY_DEAD
	    ? store_dead_get(w->store, w->route_numbers[w->parcels[parcel].route], where->id,
		&b, &e)
	    : store_ended_get(w->store, where->source, where->notice, &e);

	if (where->kind != (dead ? IDENTITY_DEAD : IDENTITY_ENDED) || rc != 0)
		broke(w, "batch %d is %s, its identity is of kind %d", parcel,
		    batch_state_name(f->state), where->kind);
	check_end(w, parcel, &e);
	if (f->has_row && f->notice == 0)
		f->notice = e.notice;
	if (f->has_row && (e.source != number || e.notice != f->notice))
		broke(w, "the end of batch %d is notice %llu of instance %u, not %llu of %u",
		    parcel, (unsigned long long)e.notice, e.source, (unsigned long long)f->notice,
		    number);
	check_history(w, parcel);
}

static void check_parcel(struct world *w, int parcel)
{
	struct fate *f = &w->model.fates[parcel];
	const struct parcel *p = &w->parcels[parcel];
	struct identity where;

	check_history(w, parcel);
	store_identity_get(w->store, w->route_numbers[p->route], &p->batch_id, &where);
	if (p->acked > f->life)
		broke(w, "batch %d was acknowledged and is not known", parcel);
	if (!f->known && where.kind != IDENTITY_NONE)
		broke(w, "batch %d is in the store and should have left no trace", parcel);
	if (f->known && is_in_custody(f))
		check_in_custody(w, parcel, &where);
	else if (f->known)
		check_ended(w, parcel, &where);
}

/* A damaged batch is a dead letter as soon as it would be delivered. */
static void find_buried(struct world *w, int parcel)
{
	const struct parcel *p = &w->parcels[parcel];
	struct identity where;

	if (!p->corrupt || w->model.fates[parcel].state != BATCH_READY)
		return;
	store_identity_get(w->store, w->route_numbers[p->route], &p->batch_id, &where);
	if (where.kind == IDENTITY_DEAD)
		fate_bury(w, parcel, INT_STORE_002);
}

void check_touched(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++) {
		find_buried(w, p);
		if (w->touched[p])
			check_parcel(w, p);
		w->touched[p] = false;
	}
}

/* --- after a turn ---------------------------------------------------------------------------- */

void check_counters(struct world *w, int route)
{
	const struct route_counters *n = core_counters(w->core, w->plan.routes[route].name);
	uint64_t counted[BATCH_STATE_COUNT] = { 0 }, bytes = 0;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (w->parcels[p].route != route || !is_in_custody(f))
			continue;
		counted[f->state]++;
		bytes += f->frame_len;
	}
	if (n->ready_critical + n->ready_normal + n->ready_suspect != counted[BATCH_READY] ||
	    n->assigned != counted[BATCH_ASSIGNED] || n->waiting != counted[BATCH_WAITING] ||
	    n->bytes != bytes)
		broke(w, "route %s counts otherwise than its batches", w->plan.routes[route].name);
	if (n->received_total != w->model.received[route] ||
	    n->processed_total != w->model.processed[route] ||
	    n->dead_total != w->model.dead[route] || n->partial_total != w->model.partial[route])
		broke(w,
		    "route %s has counted %llu received, %llu processed, %llu dead, %llu partial",
		    w->plan.routes[route].name, (unsigned long long)n->received_total,
		    (unsigned long long)n->processed_total, (unsigned long long)n->dead_total,
		    (unsigned long long)n->partial_total);
}

static uint64_t earliest_due(const struct world *w)
{
	uint64_t due_ms = UINT64_MAX;

	for (int p = 0; p < w->parcel_count; p++)
		if (w->model.fates[p].state == BATCH_WAITING && w->model.fates[p].due_ms < due_ms)
			due_ms = w->model.fates[p].due_ms;
	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];

		if (y->reclaim_until_ms && !y->connected && y->reclaim_until_ms < due_ms)
			due_ms = y->reclaim_until_ms;
	}
	return due_ms;
}

struct line {				/* what waits for a module, and who could take it */
	int ready, suspects, suspects_out;
	int free, idle, present;
};

static void look_at(const struct world *w, int module, struct line *l)
{
	bool busy_with_suspect[PARTIES_MAX] = { false };

	*l = (struct line){ 0 };
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (!is_in_custody(f) || module_of(w, route_of(w, p)->target) != module)
			continue;
		l->ready += f->state == BATCH_READY && !f->suspect;
		l->suspects += f->state == BATCH_READY && f->suspect;
		if (f->state == BATCH_ASSIGNED && f->suspect) {
			l->suspects_out++;
			busy_with_suspect[f->holder] = true;
		}
	}
	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];
		uint32_t held;

		if (!y->connected || y->draining || y->module != module || y->max_in_flight == 0)
			continue;
		held = (uint32_t)held_by(w, n);
		l->present++;
		l->idle += held == 0;
		l->free += held < y->max_in_flight && !busy_with_suspect[n];
	}
}

static void check_line(struct world *w, int module)
{
	const char *name = w->plan.modules[module].name;
	struct line l;

	look_at(w, module, &l);
	if (l.suspects_out > 1)
		broke(w, "%d suspects are out at %s", l.suspects_out, name);
	if (l.suspects && !l.suspects_out && l.idle)
		broke(w, "%d suspects wait for %s, of which an instance is idle", l.suspects, name);
	if (l.ready && l.free > (l.suspects && !l.suspects_out))
		broke(w, "%d batches wait for %s, of which %d instances have credit", l.ready, name,
		    l.free);
	w->had_suspects[module] = l.suspects && !l.suspects_out && l.present;
}

static void check_told(struct world *w, const struct connection *c)
{
	const struct party *y = &w->model.parties[c->party];

	if (!connection_has_room(w, c))
		return;
	for (int p = 0; p < w->parcel_count; p++) {
		struct fate *f = &w->model.fates[p];

		if (!f->has_row || f->source != c->party || f->notice <= y->told)
			continue;
		check_history(w, p);
		if (f->has_row)
			broke(w, "party %d reads and is not told the outcome of batch %d", c->party,
			    p);
	}
}

void check_quiet(struct world *w)
{
	const struct connection *c;

	for (int m = 0; m < MODULES_MAX; m++)
		check_line(w, m);
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		check_counters(w, (int)r);
	if (core_next_due_ms(w->core) > earliest_due(w))
		broke(w, "the core would sleep %llu ms too long",
		    (unsigned long long)(core_next_due_ms(w->core) - earliest_due(w)));
	TAILQ_FOREACH(c, &w->connections, next)
		check_told(w, c);
	core_check(w->core);
}

/* --- everything ------------------------------------------------------------------------------ */

void check_store(struct world *w)
{
	uint64_t held = 0, dead = 0, known = 0, rows = 0;
	struct store_tally t;
	char why[256];

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		find_buried(w, p);
		check_parcel(w, p);
		held += is_in_custody(f);
		dead += f->known && f->state == BATCH_DEAD;
		known += f->known;
		rows += f->has_row;
	}
	for (int r = 0; r < ROUTES_MAX; r++)
		dead += w->model.partial[r];
	if (store_check(w->store, &t, why, sizeof why) != 0)
		broke(w, "the store disagrees with itself: %s", why);
	if (t.queued != held || t.dead != dead || t.identities != known || t.ended != rows)
		broke(w,
		    "the store has %llu batches, %llu dead letters, %llu ids, %llu ends; "
		    "not %llu, %llu, %llu, %llu",
		    (unsigned long long)t.queued, (unsigned long long)t.dead,
		    (unsigned long long)t.identities, (unsigned long long)t.ended,
		    (unsigned long long)held, (unsigned long long)dead, (unsigned long long)known,
		    (unsigned long long)rows);
}
