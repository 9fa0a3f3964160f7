/* link.c - how modules come and go: HELLO, GOODBYE, cut connections, new instances */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define HOLDS_SENT_MAX (HELD_MAX + 4)

static void become_new_instance(struct world *w, struct actor *a)
{
	if (w->party_count == PARTIES_MAX)
		return;
	a->party = w->party_count++;
	for (int r = 0; r < ROUTES_MAX; r++)
		a->next_sequence[r] = between(w, 0, 2);
	a->seen = 0;
}

/* The process starts again: its leases may still be presented by whoever finds them in its log. */
static void forget(struct world *w, struct actor *a)
{
	while (a->held_count > 0)
		actor_let_go(a, 0);
	if (chance(w, 2))
		become_new_instance(w, a);
}

static size_t draw_holds(struct world *w, const struct actor *a, uint64_t out[HOLDS_SENT_MAX])
{
	bool wrong = has_trouble(w, TROUBLE_HOLDS);
	size_t n = 0;

	for (int k = 0; k < a->held_count; k++)
		if (!wrong || !chance(w, 3))
			out[n++] = a->held[k].lease;
	if (wrong && chance(w, 3))
		out[n++] = between(w, 0, w->top_lease + 5);
	return n;
}

static void draw_seen(struct world *w, const struct actor *a, struct hello *h)
{
	h->has_seen = true;
	h->seen = a->seen;
	if (!has_trouble(w, TROUBLE_SEEN))
		return;
	if (chance(w, 4))
		h->has_seen = false;
	else if (chance(w, 4))
		h->seen = between(w, 0, h->seen);
	else if (chance(w, 10))
		h->seen = h->seen + 1000;
}

static uint32_t draw_credit(struct world *w)
{
	if (!w->settling && chance(w, 12))
		return 0;
	return chance(w, 3) ? 1 : (uint32_t)between(w, 1, 12);
}

/* WELCOME: what the routes say of back-pressure, and how far the sequences are. */
static void learn_route(struct world *w, struct actor *a, int r, const struct welcome_route *k)
{
	struct party *y = &w->model.parties[a->party];
	uint64_t next = y->next_sequence[r];

	if (k->last_sequence_number != (next ? next - 1 : 0))
		broke(w, "party %d is welcomed with last_sequence_number %llu on %s", a->party,
		    (unsigned long long)k->last_sequence_number, w->plan.routes[r].name);
	if (k->backpressure_active != w->model.pressed[r])
		broke(w, "party %d is welcomed with back-pressure=%d on %s", a->party,
		    k->backpressure_active, w->plan.routes[r].name);
	a->connection->pressed[r] = k->backpressure_active;
	if (next != 0 && w->plan.routes[r].ordered)
		a->next_sequence[r] = next;
}

static void learn_routes(struct world *w, struct actor *a)
{
	struct welcome_route routes[ROUTES_MAX];
	size_t n = core_routes_of(w->core, a->connection->instance, routes, ROUTES_MAX);

	for (size_t k = 0; k < n; k++)
		for (size_t r = 0; r < w->plan.core.route_count; r++)
			if (span_is(routes[k].name, w->plan.routes[r].name))
				learn_route(w, a, (int)r, &routes[k]);
}

/* HELLO; what the core makes of it is what the model does. False when it is refused. */
bool link_join(struct world *w, struct actor *a)
{
	uint64_t holds[HOLDS_SENT_MAX];
	char id[32];
	struct hello h = {
		.module = w->plan.modules[a->module].name,
		.max_in_flight = draw_credit(w),
		.mailbox = w->settling || !has_trouble(w, TROUBLE_NO_MAILBOX) || !chance(w, 4),
		.holds = holds,
		.hold_count = draw_holds(w, a, holds),
	};
	struct connection *c;

	if (has_trouble(w, TROUBLE_ABSENT) && strcmp(h.module, "GAMMA") == 0)
		return false;
	snprintf(id, sizeof id, "instance-%d", a->party);
	h.instance_id = span_of(id);
	draw_seen(w, a, &h);
	broker_begin(w);
	if (a->connection) {
		w->dismissing = a->party;
		w->dismissal = GOODBYE_REPLACED;
	}
	trace(w, "party %d of %s says HELLO: credit %u, mailbox=%d, %zu holds%s", a->party,
	    h.module, h.max_in_flight, h.mailbox, h.hold_count,
	    a->connection ? ", a second time" : "");
	c = connection_open(w, a);
	bool welcome = party_join(w, a->party, &h);
	c->instance = core_join(w->core, &h, (struct peer *)c);
	if ((c->instance != NULL) != welcome || w->dismissing != NOBODY)
		broke(w, "party %d is %s", a->party, c->instance ? "welcome" : "refused");
	if (welcome) {
		w->model.parties[a->party].number = instance_number(c->instance);
		if (instance_max_in_flight(c->instance) != w->model.parties[a->party].max_in_flight)
			broke(w, "party %d is welcomed with another credit", a->party);
		a->connection = c;
		health_begin(w, c);
		learn_routes(w, a);
		core_welcomed(w->core, c->instance);
		c->half_open = !w->settling && has_trouble(w, TROUBLE_HALF_OPEN) && chance(w, 6);
	} else {
		connection_close(w, c);
	}
	check_touched(w);
	return welcome;
}

void link_cut(struct world *w, struct connection *c, enum leave_how how)
{
	static const char *const words[] = { "is lost", "is given back", "is ended by the broker" };

	broker_begin(w);
	trace(w, "the connection of party %d %s", c->party, words[how]);
	party_leave(w, c->party, how);
	core_leave(w->core, c->instance, how);
	connection_close(w, c);
	check_touched(w);
}

/* --- actions --------------------------------------------------------------------------------- */

bool link_connect(struct world *w)
{
	bool again = has_trouble(w, TROUBLE_REPLACE) && chance(w, 8);
	uint64_t start = between(w, 0, (uint64_t)w->actor_count - 1);
	struct actor *a = &w->actors[start];

	for (int n = 0; n < w->actor_count && a->connection && !again; n++)
		a = &w->actors[(start + (uint64_t)n) % (uint64_t)w->actor_count];
	if (a->connection && !again)
		return false;
	if (!a->connection && has_trouble(w, TROUBLE_FORGET) && chance(w, 3))
		forget(w, a);
	link_join(w, a);
	return true;
}

void link_newcomer(struct world *w, int module)
{
	struct actor *a = NULL;

	for (int n = 0; n < w->actor_count; n++)
		if (w->actors[n].module == module)
			a = &w->actors[n];
	if (a->connection)
		link_cut(w, a->connection, LEAVE_LOST);
	become_new_instance(w, a);
	link_join(w, a);
}

bool link_leave(struct world *w)
{
	static const struct {
		enum trouble trouble;
		enum leave_how how;
	} ways[] = {
		{ TROUBLE_CUT, LEAVE_LOST },
		{ TROUBLE_GIVE_BACK, LEAVE_GIVEN_BACK },
		{ TROUBLE_EXPEL, LEAVE_EXPECTED },
	};
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	uint64_t n = has_trouble(w, TROUBLE_GIVE_BACK) && chance(w, 2) ? 1 : between(w, 0, 2);

	for (int k = 0; k < w->actor_count && a->held_count == 0 && chance(w, 2); k++)
		a = &w->actors[k];
	if (!a->connection)
		return false;
	if (a->connection->half_open)
		n = 0;
	else if (!has_trouble(w, ways[n].trouble))
		return false;
	link_cut(w, a->connection, ways[n].how);
	while (ways[n].how == LEAVE_GIVEN_BACK && a->held_count > 0)
		actor_let_go(a, 0);
	if (has_trouble(w, TROUBLE_LATE) && chance(w, 2)) {
		link_join(w, a);	/* at once, and remembers what it had */
		target_take_over(w, a);
	}
	return true;
}

/* What is given back while its circuit is not closed waits; then an answer to it comes all the same. */
bool link_surrender(struct world *w)
{
	for (int n = 0; has_trouble(w, TROUBLE_GIVE_BACK) && n < w->actor_count; n++) {
		struct actor *a = &w->actors[n];

		if (!a->connection || a->connection->half_open || a->held_count == 0 ||
		    breaker_is_closed(w, w->parcels[a->held[0].parcel].route))
			continue;
		link_cut(w, a->connection, LEAVE_GIVEN_BACK);
		while (a->held_count > 0)
			actor_let_go(a, a->held_count - 1);
		if (link_join(w, a))
			target_take_over(w, a);
		return true;
	}
	return false;
}

bool link_drain(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];

	if (!has_trouble(w, TROUBLE_DRAIN) || !a->connection || !chance(w, 3))
		return false;
	broker_begin(w);
	trace(w, "party %d drains", a->party);
	core_drain(w->core, a->connection->instance);
	w->model.parties[a->party].draining = true;
	return true;
}

bool link_seen(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	uint64_t seen = a->seen;

	if (!a->connection)
		return false;
	if (has_trouble(w, TROUBLE_SEEN) && chance(w, 3))
		seen = between(w, 0, seen + 3);
	broker_begin(w);
	trace(w, "party %d has seen %llu", a->party, (unsigned long long)seen);
	party_seen(w, a->party, seen);
	core_seen(w->core, a->connection->instance, seen);
	return true;
}

bool link_deafen(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];

	if (!has_trouble(w, TROUBLE_DEAF) || !a->connection)
		return false;
	a->connection->deaf = !a->connection->deaf && chance(w, 2);
	return true;
}
