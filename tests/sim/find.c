/* find.c - a person's eye: selections and searches find exactly what there is */
#include <string.h>

#include "sim.h"

struct look {
	struct world *w;
	bool seen[PARCELS_MAX];
	int wanted;			/* of a search */
	const struct route *only;	/* on this route alone, NULL all */
	bool stops;			/* has seen enough with the first */
	unsigned shown;
	bool found;
};

static int parcel_of_view(const struct world *w, const struct batch_view *v)
{
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->known && f->state == v->state && f->state != BATCH_ENDED &&
		    f->id == v->batch->id &&
		    strcmp(route_settings(v->route)->name, route_of(w, p)->name) == 0)
			return p;
	}
	return NOBODY;
}

static bool is_reason_right(const struct fate *f, enum reason reason)
{
	switch (f->state) {
	case BATCH_READY:
		return f->held == (reason == REASON_HELD) && reason != REASON_NONE &&
		    reason != REASON_ASSIGNED && reason != REASON_DEAD && reason != REASON_BACKOFF;
	case BATCH_ASSIGNED:
		return reason == REASON_ASSIGNED || reason == REASON_RECLAIM;
	case BATCH_WAITING:
		return reason == (f->held ? REASON_HELD : REASON_BACKOFF);
	default:
		return reason == REASON_DEAD;
	}
}

static bool on_row(void *arg, const struct batch_view *v)
{
	struct look *k = arg;
	int p = parcel_of_view(k->w, v);

	if (p == NOBODY)
		broke(k->w, "a look finds batch %llu, %s, which is not there",
		    (unsigned long long)v->batch->id, batch_state_name(v->state));
	if (k->seen[p])
		broke(k->w, "a look finds batch %d twice", p);
	if (!is_reason_right(&k->w->model.fates[p], v->reason))
		broke(k->w, "batch %d, %s, does not move because of %s", p,
		    batch_state_name(v->state), reason_name(v->reason));
	k->seen[p] = true;
	return true;
}

/* Texts may be beginnings; what else is selected so is looked at by is_reason_right(). */
static void draw_words(struct world *w, struct selection *s)
{
	static const char *const codes[] = { "INT_DELIVERY_00", "INT_BATCH_002", "INT_ROUTE" };
	static const char *const names[] = { "ALPHA", "instance-", "GAMMA/instance-1", "BROKER", "#" };

	if (chance(w, 3))
		s->code = codes[between(w, 0, 2)];
	if (chance(w, 4))
		s->field = "da";
	if (chance(w, 3))
		s->instance = names[between(w, 0, 4)];
	if (chance(w, 3))
		s->holder = names[between(w, 0, 4)];
	if (chance(w, 3))
		s->correlation = chance(w, 3) ? "night" : "day ";
	if (chance(w, 3))
		s->reason = (enum reason)between(w, REASON_NEXT, REASON_DEAD);
	if (chance(w, 3))
		s->older_ms = between(w, 1, 100000);
	if (chance(w, 3))
		s->younger_ms = between(w, 1, 100000);
}

static void draw_selection(struct world *w, struct selection *s)
{
	*s = (struct selection){ .states = chance(w, 2) ? 0 : (unsigned)between(w, 1, 15)
							    << BATCH_READY };
	if (chance(w, 3))
		s->route = core_route(w->core, (size_t)between(w, 0, w->plan.core.route_count - 1));
	s->held = chance(w, 5);
	s->suspect = chance(w, 6);
	s->derived = chance(w, 6);
	s->whole = !s->derived && chance(w, 6);
}

static bool is_selected(const struct world *w, const struct selection *s, int p)
{
	const struct fate *f = &w->model.fates[p];

	return f->known && f->state != BATCH_ENDED && (!s->states || s->states & 1u << f->state) &&
	    (!s->route || strcmp(route_settings(s->route)->name, route_of(w, p)->name) == 0) &&
	    (!s->held || f->held) && (!s->suspect || f->suspect) &&
	    (!s->derived || is_derived(w, p)) && (!s->whole || !is_derived(w, p));
}

static void select_all(struct world *w)
{
	struct selection_cursor at = { 0 };
	static struct look k;
	struct selection s;
	bool words = chance(w, 3);

	k = (struct look){ .w = w };
	draw_selection(w, &s);
	if (words)
		draw_words(w, &s);
	while (!at.done)
		core_select(w->core, &s, &at, (unsigned)between(w, 1, 20), on_row, &k);
	for (int p = 0; p < w->parcel_count; p++)
		if (is_selected(w, &s, p) != k.seen[p] && (k.seen[p] || !words))
			broke(w, "a look %s batch %d", k.seen[p] ? "finds" : "does not find", p);
}

/* The cursor goes on from turn to turn, past whatever happens in between. */
static void select_on(struct world *w)
{
	static struct look k;

	k = (struct look){ .w = w };
	core_select(w->core, &(struct selection){ .states = 0 }, &w->cursor, 3, on_row, &k);
	if (w->cursor.done)
		w->cursor = (struct selection_cursor){ 0 };
}

bool find_select(struct world *w)
{
	broker_begin(w);
	check_touched(w);
	if (chance(w, 2))
		select_all(w);
	else
		select_on(w);
	return true;
}

/* --- views ------------------------------------------------------------------------------------ */

static bool on_view(void *arg, const struct batch_view *v)
{
	struct look *k = arg;
	const struct world *w = k->w;
	const struct fate *f = &w->model.fates[k->wanted];

	if (v->state != f->state || (v->batch ? v->batch->id : v->end->id) != f->id)
		broke(w, "batch %d is shown as %s", k->wanted, batch_state_name(v->state));
	if (v->state != BATCH_ENDED && !is_reason_right(f, v->reason))
		broke(w, "batch %d, %s, does not move because of %s", k->wanted,
		    batch_state_name(v->state), reason_name(v->reason));
	if (v->state == BATCH_WAITING && !f->held && v->until_ms != f->due_ms)
		broke(w, "batch %d waits until %llu, it is said", k->wanted,
		    (unsigned long long)v->until_ms);
	if (f->confirming.there && (!v->confirmation || v->confirmation->state != f->confirming.state))
		broke(w, "batch %d is shown without its confirmation", k->wanted);
	k->found = true;
	return true;
}

static void view_batch(struct world *w, int parcel)
{
	struct look k = { .w = w, .wanted = w->model.owner[w->parcels[parcel].root] };
	const struct route *r = core_route(w->core, (size_t)w->parcels[parcel].route);
	bool there = core_view_batch(w->core, r, &w->parcels[parcel].batch_id, on_view, &k);

	if (there != (k.wanted != NOBODY) || there != k.found)
		broke(w, "batch %d is %sshown", parcel, there ? "" : "not ");
}

static void view_routes(struct world *w)
{
	size_t known, connected = 0;
	uint64_t assigned = 0;

	if (core_route_count(w->core) != w->plan.core.route_count ||
	    core_is_draining(w->core) != w->model.draining || core_now_ms(w->core) != w->now_ms ||
	    core_wall_of(w->core, w->now_ms) != w->wall_us || core_store(w->core) != w->store ||
	    core_max_frame_bytes(w->core) != FRAME_MAX_BYTES)
		broke(w, "the broker shows itself otherwise than it is");
	for (int n = 0; n < (int)w->plan.core.route_count; n++) {
		const struct route *r = core_route_by_name(w->core, span_of(w->plan.routes[n].name));
		struct route_view v;

		if (r != core_route(w->core, (size_t)n) ||
		    core_route_by_number(w->core, core_route_number(r)) != r ||
		    core_route_number(r) != w->route_numbers[n])
			broke(w, "route %d is not found under its name and number", n);
		core_view_route(w->core, r, &v);
		if (v.depth != counters_queued(v.counters) || v.control->paused != w->model.paused[n])
			broke(w, "route %d is shown with depth %llu", n, (unsigned long long)v.depth);
	}
	for (int n = 0; n < w->party_count; n++)
		connected += w->model.parties[n].connected;
	for (int p = 0; p < w->parcel_count; p++)
		assigned += w->model.fates[p].known && w->model.fates[p].state == BATCH_ASSIGNED;
	if (core_assigned(w->core) != assigned)
		broke(w, "%llu batches are said to be out",
		    (unsigned long long)core_assigned(w->core));
	if (core_connected(w->core, &known) != connected ||
	    core_route_by_name(w->core, span_of("nowhere")) ||
	    core_route_by_number(w->core, UINT32_MAX) || core_counters(w->core, "nowhere") ||
	    core_module_name(w->core, span_of("NOBODY")) ||
	    !core_module_name(w->core, span_of("BETA")))
		broke(w, "what is not there is found, or %zu instances are connected", connected);
}

static int party_by_number(struct world *w, uint32_t number)
{
	for (int n = 0; n < w->party_count; n++)
		if (w->model.parties[n].known && party_number(w, n) == number)
			return n;
	return NOBODY;
}

static uint64_t live_of(const struct world *w, int party)
{
	uint64_t live = 0;

	for (int p = 0; p < w->parcel_count; p++)
		live += is_in_custody(&w->model.fates[p]) && w->model.fates[p].source == party;
	return live;
}

static void view_instances(struct world *w)
{
	struct instance_view v;
	uint32_t number = 0;
	int seen = 0, known = 0;

	for (int n = 0; n < w->party_count; n++)
		known += w->model.parties[n].known;
	for (; core_instance_next(w->core, &number, &v); seen++) {
		int n = party_by_number(w, v.number);
		const struct party *y = &w->model.parties[n < 0 ? 0 : n];

		if (n == NOBODY)
			broke(w, "instance %u is shown, and nobody is that", v.number);
		if (v.connected != y->connected || (y->connected && v.draining != y->draining) ||
		    v.held != (uint32_t)held_by(w, n) || v.live != live_of(w, n) || v.seen > y->seen)
			broke(w, "party %d is shown with connected=%d draining=%d held=%u live=%llu "
			    "seen=%llu, not %d %d %d %llu %llu", n, v.connected, v.draining, v.held,
			    (unsigned long long)v.live, (unsigned long long)v.seen, y->connected,
			    y->draining, held_by(w, n), (unsigned long long)live_of(w, n),
			    (unsigned long long)y->seen);
	}
	if (seen != known)
		broke(w, "%d instances are shown, not %d", seen, known);
}

bool find_view(struct world *w)
{
	int parcel = w->parcel_count ? (int)between(w, 0, (uint64_t)w->parcel_count - 1) : NOBODY;

	if (parcel == NOBODY)
		return false;
	broker_begin(w);
	row_check_all(w);
	view_batch(w, parcel);
	view_instances(w);
	view_routes(w);
	return true;
}

/* --- searches -------------------------------------------------------------------------------- */

static bool on_found(void *arg, const struct route *r, const struct uuid *batch_id)
{
	struct look *k = arg;
	int p = parcel_by_batch(k->w, batch_id, route_settings(r)->name);

	if (k->only && r != k->only)
		broke(k->w, "a search of one route finds a batch of route %s",
		    route_settings(r)->name);
	if (k->stops && k->shown > 0)
		broke(k->w, "a search goes on though it was stopped");
	k->shown++;
	k->found |= p == k->w->parcels[k->wanted].root;
	return !k->stops;
}

static void search(struct world *w, struct search *s, int parcel, bool wanted)
{
	static struct look k;

	if (chance(w, 4))
		s->only = core_route(w->core, (size_t)between(w, 0, w->plan.core.route_count - 1));
	wanted &= !s->only ||
	    strcmp(route_settings(s->only)->name, route_of(w, parcel)->name) == 0;
	k = (struct look){ .w = w, .wanted = parcel, .only = s->only, .stops = chance(w, 6) };
	while (core_search(w->core, s, on_found, &k))
		;
	if (k.stops) {
		if (wanted && !s->gave_up && k.shown == 0)
			broke(w, "the search for %s finds nothing", s->text);
		core_search(w->core, s, on_found, &k);	/* and then it is over */
		return;
	}
	if (wanted && !k.found)
		broke(w, "the search for %s does not find batch %d", s->text, parcel);
}

/* Not what this turn has taken. */
bool find_search(struct world *w)
{
	int parcel = w->parcel_count ? (int)between(w, 0, (uint64_t)w->parcel_count - 1) : NOBODY;
	struct search s = { .record = chance(w, 4) };
	char text[UUID_TEXT_LEN + 1];
	bool there, by_alias = false;

	if (parcel == NOBODY || w->in_turn || !w->model.fates[parcel].known ||
	    w->model.fates[parcel].unborn)
		return false;
	broker_begin(w);
	row_check_all(w);
	there = w->model.owner[w->parcels[parcel].root] == parcel;
	if (s.record) {
		message_record_id(w->parcels[parcel].mark, 0, s.text);
		there = w->model.fates[parcel].known && w->model.fates[parcel].state != BATCH_ENDED &&
		    !w->parcels[parcel].corrupt;
	} else if (chance(w, 3) && w->parcels[parcel].kind != KIND_REJECTS) {
		/* letters of rejects have no alias: they are found by their batch_id */
		message_correlation(w->parcels[parcel].correlation, s.text);
		if (chance(w, 2))	/* its beginning */
			s.text[between(w, 3, strlen(s.text))] = '\0';
		by_alias = true;
	} else {
		by_alias = !chance(w, 2) && !is_derived(w, parcel) &&
		    !w->model.fates[parcel].imported;
		uuid_format(by_alias ? &w->parcels[parcel].message_id : &w->parcels[parcel].batch_id,
		    text);
		memcpy(s.text, text, chance(w, 3) ? 12 : sizeof text);
	}
	/* over its budget history forgets aliases, too */
	search(w, &s, parcel, there && !(w->was_over_budget && by_alias));
	return true;
}
