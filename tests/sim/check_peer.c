/* check_peer.c - invariants of what the core hands to peers: deliveries and outcomes */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

int parcel_by_batch(const struct world *w, const struct uuid *batch_id, const char *route)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (uuid_equal(&w->parcels[p].batch_id, batch_id) &&
		    (!route || strcmp(route_of(w, p)->name, route) == 0))
			return p;
	return NOBODY;
}

/* --- deliveries ------------------------------------------------------------------------------ */

static int parcel_by_id(const struct world *w, uint64_t id)
{
	for (int p = w->parcel_count - 1; p >= 0; p--)
		if (w->model.fates[p].known && w->model.fates[p].id == id)
			return p;
	return w->offering;
}

static bool holds_suspect(const struct world *w, int party)
{
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->state == BATCH_ASSIGNED && f->holder == party && f->suspect)
			return true;
	}
	return false;
}

static bool is_suspect_of(const struct world *w, int parcel, enum batch_state state, int module)
{
	const struct fate *f = &w->model.fates[parcel];

	return f->state == state && f->suspect &&
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
static uint32_t credit(const struct world *w, int party, bool suspect)
{
	const struct party *y = &w->model.parties[party];
	uint32_t held = (uint32_t)held_by(w, party);

	if (!y->known || !y->connected || y->draining || held >= y->max_in_flight)
		return 0;
	return (suspect && held > 0) || holds_suspect(w, party) ? 0 : y->max_in_flight - held;
}

/* The one with the most free credit, and not the one that just failed it where there is another. */
static void check_choice(struct world *w, int parcel, int chosen)
{
	const struct fate *f = &w->model.fates[parcel];
	bool is_failed = f->failed && w->model.parties[f->holder].number == f->holder_number;
	int failed = is_failed ? f->holder : NOBODY, better = 0;
	uint32_t mine = credit(w, chosen, f->suspect);
	int module = w->model.parties[chosen].module;

	if (mine == 0)
		broke(w, "batch %d goes to party %d, which has no credit for it", parcel, chosen);
	for (int n = 0; n < w->party_count; n++) {
		uint32_t other =
			w->model.parties[n].module == module ? credit(w, n, f->suspect) : 0;

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

		if (p == parcel || g->state != BATCH_READY || g->tried || g->suspect ||
		    w->parcels[p].corrupt || w->parcels[p].route != w->parcels[parcel].route)
			continue;
		*before = p;
		if (w->parcels[p].critical != w->parcels[parcel].critical ? w->parcels[p].critical
		    : g->order < f->order)
			return false;
	}
	return true;
}

static void check_content(struct world *w, int parcel, const struct delivery *d)
{
	const struct fate *f = &w->model.fates[parcel];
	const struct parcel *p = &w->parcels[parcel];
	uint32_t attempt = f->attempt + (f->failed || f->attempt == 0);

	if (strcmp(route_settings(d->route)->name, route_of(w, parcel)->name) != 0)
		broke(w, "batch %d is delivered on route %s", parcel,
		    route_settings(d->route)->name);
	if (d->attempt != attempt || attempt > route_of(w, parcel)->max_retries + 1)
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
	if (f->state != BATCH_READY)
		broke(w, "batch %d is delivered while it is %s", p, batch_state_name(f->state));
	if (module_of(w, route_of(w, p)->target) != module)
		broke(w, "batch %d is delivered to another module", p);
	if (d->lease <= w->model.last_lease || d->lease <= w->top_lease)
		broke(w, "lease %llu of batch %d does not rise", (unsigned long long)d->lease, p);
	check_content(w, p, d);
	check_choice(w, p, c->party);
	for (int n = 0; f->suspect && n < w->parcel_count; n++)
		if (is_suspect_of(w, n, BATCH_ASSIGNED, module))
			broke(w, "suspect %d is delivered while suspect %d is out", p, n);
	if (!f->suspect && !f->tried && !is_first_in_line(w, p, &before))
		broke(w, "batch %d is delivered before batch %d", p, before);
	if (f->id == 0)
		f->id = d->id;
	fate_deliver(w, p, c->party, d->lease);
	return p;
}

/* --- outcomes -------------------------------------------------------------------------------- */

void check_end(struct world *w, int parcel, const struct ended *e)
{
	const struct fate *f = &w->model.fates[parcel];
	bool dead = f->state == BATCH_DEAD;

	if (e->dead != dead || e->error_code != (dead ? f->error_code : INT_NONE))
		broke(w, "batch %d is told as %s, error %u", parcel,
		    e->dead ? "REJECTED" : "PROCESSED", e->error_code);
	if (e->id != f->id || e->lease != f->lease || e->holder != f->holder_number ||
	    e->attempt != f->attempt || e->ended_ms != f->ended_ms ||
	    e->received_at_us != f->received_at_us)
		broke(w, "batch %d ended otherwise than it is told: id %llu lease %llu attempt %u",
		    parcel, (unsigned long long)e->id, (unsigned long long)e->lease, e->attempt);
	if (e->record_count != w->parcels[parcel].records || e->accepted != f->accepted ||
	    e->rejected != f->rejected)
		broke(w, "batch %d is told with counts %llu + %llu", parcel,
		    (unsigned long long)e->accepted, (unsigned long long)e->rejected);
	if (e->error_count != f->error_count ||
	    crc32c(0, e->errors, e->errors_len) != f->errors_crc)
		broke(w, "batch %d is told with other errors than its target's", parcel);
}

static void check_none_skipped(struct world *w, int party, uint64_t notice)
{
	const struct party *y = &w->model.parties[party];

	for (int p = 0; p < w->parcel_count; p++) {
		struct fate *f = &w->model.fates[p];

		if (!f->has_row || f->source != party || f->notice == 0 || f->notice <= y->told ||
		    f->notice >= notice)
			continue;
		check_history(w, p);
		if (f->has_row)
			broke(w, "party %d is told notice %llu before %llu of batch %d", party,
			    (unsigned long long)notice, (unsigned long long)f->notice, p);
	}
}

void check_outcome(struct world *w, struct connection *c, const struct ended *e,
    const struct route *route)
{
	struct party *y = &w->model.parties[c->party];
	int p = parcel_by_batch(w, &e->batch_id, route_settings(route)->name);

	if (p == NOBODY)
		broke(w, "an outcome is told of a batch that nobody sent");
	struct fate *f = &w->model.fates[p];
	if (f->state == BATCH_READY && w->parcels[p].corrupt && e->error_code == INT_STORE_002)
		fate_bury(w, p, INT_STORE_002);
	if (!f->has_row)
		broke(w, "an outcome is told of batch %d, which is %s", p,
		    batch_state_name(f->state));
	if (f->source != c->party)
		broke(w, "the outcome of batch %d is told to party %d, it is party %d's", p,
		    c->party, f->source);
	if (e->notice <= y->told || (f->notice != 0 && f->notice != e->notice))
		broke(w, "the outcome of batch %d is notice %llu, after %llu", p,
		    (unsigned long long)e->notice, (unsigned long long)y->told);
	f->notice = e->notice;
	check_end(w, p, e);
	check_none_skipped(w, c->party, e->notice);
	y->told = e->notice;
	if (y->sent < e->notice)
		y->sent = e->notice;
}
