/* check_peer.c - invariants of what the core hands to peers: deliveries and outcomes */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

int parcel_by_batch(const struct world *w, const struct uuid *batch_id, const char *route)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (w->parcels[p].root == p && uuid_equal(&w->parcels[p].batch_id, batch_id) &&
		    (!route || strcmp(route_of(w, p)->name, route) == 0))
			return p;
	return NOBODY;
}

/* --- deliveries ------------------------------------------------------------------------------ */

static int parcel_by_id(const struct world *w, uint64_t id)
{
	for (int p = w->parcel_count - 1; p >= 0; p--)
		if (is_in_custody(&w->model.fates[p]) && w->model.fates[p].id == id)
			return p;
	return w->offering;
}

static bool holds_suspect(const struct world *w, int party)
{
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->known && f->state == BATCH_ASSIGNED && f->holder == party && f->suspect)
			return true;
	}
	return false;
}

static bool is_suspect_of(const struct world *w, int parcel, enum batch_state state, int module)
{
	const struct fate *f = &w->model.fates[parcel];

	return f->known && f->state == state && f->suspect && !f->held &&
	    (state == BATCH_ASSIGNED || !flow_is_stopped(w, w->parcels[parcel].route)) &&
	    module_of(w, route_of(w, parcel)->target) == module;
}

/* While suspects wait, one instance gets nothing new until it is idle. */
static bool keeps_one_free(const struct world *w, int module)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (is_suspect_of(w, p, BATCH_READY, module))
			return true;
	return w->had_suspects[module];
}

/* How many batches the party could get now; a suspect wants it idle. */
static uint32_t credit(const struct world *w, int party, int route, bool suspect)
{
	const struct party *y = &w->model.parties[party];
	uint32_t held = (uint32_t)held_by(w, party);

	if (!y->known || !y->connected || y->draining || held >= y->max_in_flight ||
	    flow_has_paused(w, party, route))
		return 0;
	return (suspect && held > 0) || holds_suspect(w, party) ? 0 : y->max_in_flight - held;
}

/* The one with the most free credit, and not the one that just failed it where there is another. */
static void check_choice(struct world *w, int parcel, int chosen)
{
	const struct fate *f = &w->model.fates[parcel];
	bool is_failed = f->failed && f->holder != NOBODY &&
	    w->model.parties[f->holder].number == f->holder_number;
	int failed = is_failed ? f->holder : NOBODY, better = 0;
	int route = w->parcels[parcel].route;
	uint32_t mine = credit(w, chosen, route, f->suspect);
	int module = w->model.parties[chosen].module;

	if (mine == 0)
		broke(w, "batch %d goes to party %d, which has no credit for it", parcel, chosen);
	for (int n = 0; n < w->party_count; n++) {
		uint32_t other =
			w->model.parties[n].module == module ? credit(w, n, route, f->suspect) : 0;

		if (n != chosen && n != failed && (chosen == failed ? other > 0 : other > mine))
			better++;
	}
	if (better > (!f->suspect && keeps_one_free(w, module)))
		broke(w, "batch %d goes to party %d, credit %u: %d others were better", parcel,
		    chosen, mine, better);
}

static bool is_first_in_line(const struct world *w, int parcel, int *before)
{
	const struct fate *f = &w->model.fates[parcel];

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *g = &w->model.fates[p];

		if (p == parcel || !g->known || g->state != BATCH_READY || g->tried || g->suspect ||
		    g->held ||
		    w->parcels[p].corrupt || w->parcels[p].route != w->parcels[parcel].route)
			continue;
		*before = p;
		if (w->parcels[p].critical != w->parcels[parcel].critical ? w->parcels[p].critical
		    : g->order < f->order)
			return false;
	}
	return true;
}

/* One at a time of a series, and the first. */
static void check_turn(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *g = &w->model.fates[p];

		if (p == parcel || !is_in_custody(g) || g->series != f->series ||
		    w->parcels[p].corrupt || w->parcels[p].route != w->parcels[parcel].route)
			continue;
		if (g->state == BATCH_ASSIGNED || g->order < f->order)
			broke(w, "batch %d of an ordered route is delivered while batch %d is %s",
			    parcel, p, batch_state_name(g->state));
	}
}

static void check_open(struct world *w, int parcel)
{
	if (w->model.fates[parcel].held)
		broke(w, "batch %d is delivered while it is held", parcel);
	if (flow_is_stopped(w, w->parcels[parcel].route))
		broke(w, "batch %d is delivered while its route is stopped", parcel);
	if (w->model.fates[parcel].state != BATCH_READY)
		broke(w, "batch %d is delivered while it is %s", parcel,
		    batch_state_name(w->model.fates[parcel].state));
}

static void check_content(struct world *w, int parcel, const struct delivery *d)
{
	const struct fate *f = &w->model.fates[parcel];
	const struct parcel *p = &w->parcels[parcel];
	uint32_t attempt = f->attempt + (f->failed || f->attempt == 0);

	if (strcmp(route_settings(d->route)->name, route_of(w, parcel)->name) != 0)
		broke(w, "batch %d is delivered on route %s", parcel,
		    route_settings(d->route)->name);
	if (d->attempt != attempt || attempt - f->attempts_before > route_of(w, parcel)->max_retries + 1)
		broke(w, "batch %d is delivered as attempt %u, not %u of at most %u", parcel,
		    d->attempt, attempt, route_of(w, parcel)->max_retries + 1);
	if (d->redelivered != f->redelivered)
		broke(w, "batch %d is delivered with redelivered=%d", parcel, d->redelivered);
	if (d->received_at_us != f->received_at_us)
		broke(w, "batch %d is delivered with another received_at", parcel);
	if (d->frame && (w->offering != parcel || d->frame != w->offered))
		broke(w, "batch %d is delivered with somebody else's frame", parcel);
	if (!d->frame && p->corrupt)
		broke(w, "batch %d is delivered from damaged bytes", parcel);
	if (p->processed == f->life)
		broke(w, "batch %d is delivered after its PROCESSED was echoed", parcel);
}

int check_delivery(struct world *w, struct connection *c, const struct delivery *d)
{
	int p = parcel_by_id(w, d->id), before = NOBODY;
	int module = w->model.parties[c->party].module;

	if (p == NOBODY)
		broke(w, "a batch is delivered that nobody sent (id %llu)",
		    (unsigned long long)d->id);
	struct fate *f = &w->model.fates[p];
	check_open(w, p);
	if (module_of(w, route_of(w, p)->target) != module)
		broke(w, "batch %d is delivered to another module", p);
	if (d->lease <= w->model.last_lease || d->lease <= w->top_lease)
		broke(w, "lease %llu of batch %d does not rise", (unsigned long long)d->lease, p);
	check_content(w, p, d);
	check_choice(w, p, c->party);
	for (int n = 0; f->suspect && n < w->parcel_count; n++)
		if (is_suspect_of(w, n, BATCH_ASSIGNED, module))
			broke(w, "suspect %d is delivered while suspect %d is out", p, n);
	if (route_of(w, p)->ordered)
		check_turn(w, p);
	else if (!f->suspect && !f->tried && breaker_is_closed(w, w->parcels[p].route) &&
	    !is_first_in_line(w, p, &before))
		broke(w, "batch %d is delivered before batch %d", p, before);
	if (f->id == 0)
		f->id = d->id;
	fate_deliver(w, p, c->party, d->lease);
	return p;
}

/* --- outcomes and notices --------------------------------------------------------------------- */

void check_end(struct world *w, int parcel, const struct end *is, const struct ended *e)
{
	if (e->dead != is->dead || e->error_code != is->code)
		broke(w, "batch %d is told as %s, error %u", parcel,
		    e->dead ? "REJECTED" : "PROCESSED", e->error_code);
	if (e->id != is->id || e->lease != is->lease || e->holder != is->holder_number ||
	    e->attempt != is->attempt || e->ended_ms != is->ended_ms ||
	    e->received_at_us != is->received_at_us)
		broke(w, "batch %d ended otherwise than it is told: id %llu lease %llu attempt %u",
		    parcel, (unsigned long long)e->id, (unsigned long long)e->lease, e->attempt);
	if (e->record_count != w->model.fates[parcel].records || e->accepted != is->accepted ||
	    e->rejected != is->rejected)
		broke(w, "batch %d is told with counts %llu + %llu", parcel,
		    (unsigned long long)e->accepted, (unsigned long long)e->rejected);
	if (e->error_count != is->error_count ||
	    crc32c(0, e->errors, e->errors_len) != is->errors_crc)
		broke(w, "batch %d is told with other errors than its target's", parcel);
}

static void check_none_skipped(struct world *w, int party, uint64_t notice)
{
	const struct party *y = &w->model.parties[party];

	for (int n = 0; n < w->model.row_top; n++) {
		struct row *r = &w->model.rows[n];

		if (!r->there || r->source != party || r->end.notice == 0 ||
		    r->end.notice <= y->told || r->end.notice >= notice)
			continue;
		row_check(w, n);
		if (r->there)
			broke(w, "party %d is told notice %llu before %llu of batch %d", party,
			    (unsigned long long)notice, (unsigned long long)r->end.notice,
			    r->parcel);
	}
	for (int n = 0; n < w->model.notice_top; n++) {
		struct notice *o = &w->model.notices[n];

		if (!o->there || o->party != party || o->number == 0 || o->number <= y->told ||
		    o->number >= notice)
			continue;
		notice_check(w, o);
		if (o->there)
			broke(w, "party %d is told notice %llu before %llu", party,
			    (unsigned long long)notice, (unsigned long long)o->number);
	}
}

static void told(struct world *w, int party, uint64_t notice)
{
	struct party *y = &w->model.parties[party];

	if (notice <= y->told || notice <= y->seen)
		broke(w, "party %d is told notice %llu, after %llu, and has seen %llu", party,
		    (unsigned long long)notice, (unsigned long long)y->told,
		    (unsigned long long)y->seen);
	check_none_skipped(w, party, notice);
	y->told = notice;
	if (y->sent < notice)
		y->sent = notice;
}

/* The row that is told: by its number, or, where that is not looked up yet, by its batch. */
static int row_of(struct world *w, int party, const struct ended *e)
{
	int found = row_by_notice(w, party, e->notice);

	for (int n = 0; found == NOBODY && n < w->model.row_top; n++) {
		const struct row *r = &w->model.rows[n];

		if (r->there && r->source == party && r->end.notice == 0 &&
		    uuid_equal(&w->parcels[r->parcel].batch_id, &e->batch_id))
			found = n;
	}
	return found;
}

/* A damaged batch has been buried as it was to be delivered. */
static void bury_corrupt(struct world *w, const struct ended *e, const struct route *route)
{
	int root = parcel_by_batch(w, &e->batch_id, route_settings(route)->name);
	int p = root == NOBODY ? NOBODY : w->model.owner[root];

	if (e->error_code == INT_STORE_002 && p != NOBODY && w->parcels[p].corrupt &&
	    w->model.fates[p].state == BATCH_READY)
		fate_bury(w, p, INT_STORE_002, (struct span){ NULL, 0 });
}

int check_outcome(struct world *w, struct connection *c, const struct ended *e,
    const struct route *route)
{
	int n;

	if (row_by_notice(w, c->party, e->notice) == NOBODY)
		bury_corrupt(w, e, route);
	n = row_of(w, c->party, e);
	if (n == NOBODY)
		broke(w, "party %d is told an outcome that is not its, notice %llu", c->party,
		    (unsigned long long)e->notice);
	struct row *r = &w->model.rows[n];
	struct fate *f = &w->model.fates[r->parcel];
	r->end.notice = e->notice;
	if (f->known && f->row == n)
		f->end.notice = e->notice;
	check_end(w, r->parcel, &r->end, e);
	told(w, c->party, e->notice);
	return n;
}

void check_notice(struct world *w, struct connection *c, uint64_t number, const uint8_t *body,
    size_t n)
{
	struct notice *found = NULL;

	notice_find(w, false);
	for (int k = 0; k < w->model.notice_top; k++) {
		struct notice *o = &w->model.notices[k];

		if (o->there && o->party == c->party && o->number == number)
			found = o;
	}
	if (!found)
		broke(w, "party %d is told notice %llu, which it is not owed", c->party,
		    (unsigned long long)number);
	if (!notice_says(w, found, body, n))
		broke(w, "notice %llu to party %d says something else", (unsigned long long)number,
		    c->party);
	told(w, c->party, number);
}
