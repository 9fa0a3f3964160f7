/* health.c - instances are asked how they do; some answer, some do not, and are judged for it */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define LONG_TEN "äbcdefghi "
#define LONG_FIFTY LONG_TEN LONG_TEN LONG_TEN LONG_TEN LONG_TEN
#define LONG_MESSAGE LONG_FIFTY LONG_FIFTY LONG_FIFTY LONG_FIFTY LONG_FIFTY

/*
 * All of it belongs to a connection: a crash, or the next HELLO, begins it anew.
 */
void health_begin(struct world *w, struct connection *c)
{
	c->signs.due_ms = w->peer_ms + w->plan.core.health_check_interval_ms;
	c->signs.heard_ms = c->signs.ended_ms = w->peer_ms;
}

void health_on_asked(struct world *w, struct connection *c)
{
	struct signs *s = &c->signs;

	if (w->peer_ms < s->due_ms)
		broke(w, "party %d is asked for its health too early", c->party);
	trace(w, "  party %d is asked for its health", c->party);
	s->due_ms = w->peer_ms + w->plan.core.health_check_interval_ms;
	if (!s->is_asked)
		s->asked_ms = w->peer_ms;
	s->is_asked = true;
}

/* --- what must be said of it ------------------------------------------------------------------ */

static enum health_status expected(const struct world *w, const struct connection *c, bool stuck)
{
	const struct signs *s = &c->signs;
	uint64_t timeout_ms = w->plan.core.health_check_timeout_ms;
	bool overdue = s->is_asked && w->peer_ms - s->asked_ms >= timeout_ms;

	if ((overdue && w->peer_ms - s->heard_ms >= timeout_ms) ||
	    s->reported == HEALTH_UNHEALTHY)
		return HEALTH_UNHEALTHY;
	return overdue || stuck ? HEALTH_DEGRADED : s->reported;
}

/* Whether it is stuck is looked up: see check_stuck(). */
enum health_status health_verdict(const struct world *w, const struct connection *c)
{
	return expected(w, c, c->signs.is_stuck);
}

/* The shortest time in which the module must end what it holds. */
static uint64_t patience_ms(const struct world *w, int module)
{
	uint64_t least_ms = UINT64_MAX;

	for (size_t r = 0; r < w->plan.core.route_count; r++)
		if (module_of(w, w->plan.routes[r].target) == module &&
		    w->plan.routes[r].process_timeout_ms < least_ms)
			least_ms = w->plan.routes[r].process_timeout_ms;
	return least_ms;
}

static void check_stuck(const struct world *w, const struct connection *c,
    const struct instance_checkup *i)
{
	if (i->stuck_ms == 0)
		return;
	if (held_by((struct world *)(uintptr_t)w, c->party) == 0)
		broke(w, "party %d is stuck with nothing", c->party);
	if (w->peer_ms - c->signs.ended_ms < patience_ms(w, c->actor->module))
		broke(w, "party %d is stuck, %llu ms after it ended a batch", c->party,
		    (unsigned long long)(w->peer_ms - c->signs.ended_ms));
}

/* The n-th part of an answer: names, statuses and words come of the number it was drawn from. */
#define PARTS_MAX 40			/* more than are kept */

struct part_text {
	char name[100], message[300];
};

static struct component_health part_of(uint64_t said, int n, struct part_text *t)
{
	static const char *const messages[] = { "7", "0", "999999999999999999", "",
		"1000000000000000000", "12 or so", "full", "ää" };
	uint64_t drawn = said >> (n % 16);

	snprintf(t->name, sizeof t->name, "%s %d", drawn % 5 == 0
	    ? "a part with a name that is longer than anything a name should be, and then some more"
	    : "part", n);
	if (drawn % 3 == 0 && n < 3)
		snprintf(t->name, sizeof t->name, "output_buffer");
	if (drawn % 7 == 0)
		snprintf(t->message, sizeof t->message, "x%s", LONG_MESSAGE);
	else
		snprintf(t->message, sizeof t->message, "%s", messages[drawn % 8]);
	return (struct component_health){
		.name = span_of(t->name),
		.status = (enum health_status)(drawn % HEALTH_STATUS_COUNT),
		.message = span_of(t->message),
		.checked_at_us = (int64_t)drawn,
	};
}

/* All of it, or as many characters as there is room for. */
static bool is_beginning(struct span kept, struct span said, size_t room)
{
	return kept.n <= said.n && memcmp(kept.p, said.p, kept.n) == 0 &&
	    (kept.n == said.n || kept.n >= room - 4);
}

/* The part as it is kept. */
static void check_part(const struct world *w, const struct connection *c, int n,
    const struct component *kept)
{
	struct part_text t;
	struct component_health said = part_of(c->signs.said, n, &t), is = component_said(kept);

	if (is.status != said.status || is.checked_at_us != said.checked_at_us ||
	    !is_beginning(is.name, said.name, COMPONENT_NAME_BYTES) ||
	    !is_beginning(is.message, said.message, COMPONENT_MESSAGE_BYTES))
		broke(w, "part %d of party %d is shown as %s: %s", n, c->party, kept->name,
		    kept->message);
}

static bool check_one(void *arg, const struct instance_checkup *i)
{
	struct world *w = arg;
	struct connection *c;

	TAILQ_FOREACH(c, &w->connections, next) {
		if (w->model.parties[c->party].number != i->number)
			continue;
		check_stuck(w, c, i);
		c->signs.is_stuck = i->stuck_ms > 0;
		if (i->component_count != (size_t)c->signs.parts)
			broke(w, "party %d is shown with %zu parts", c->party, i->component_count);
		for (int n = 0; w->step % 16 == 0 && n < c->signs.parts; n++)
			check_part(w, c, n, &i->components[n]);
		if (i->status != expected(w, c, i->stuck_ms > 0))
			broke(w, "party %d is judged %s: %s", c->party,
			    health_status_name(i->status), i->why);
	}
	return true;
}

void health_look(struct world *w)
{
	for (size_t n = 0; n < core_module_count(w->core); n++)
		core_visit_instances(w->core, n, check_one, w);
}

void health_check(struct world *w)
{
	const struct connection *c;

	TAILQ_FOREACH(c, &w->connections, next)
		if (w->plan.core.health_check_interval_ms && c->signs.due_ms <= w->peer_ms)
			broke(w, "party %d is not asked for its health", c->party);
	health_look(w);
}

/* --- actions ---------------------------------------------------------------------------------- */

/* The number that a text of at most 18 digits, and nothing else, is. */
static bool is_number(struct span text, uint64_t *number)
{
	uint64_t n = 0;

	for (size_t k = 0; k < text.n; k++) {
		if (text.p[k] < '0' || text.p[k] > '9')
			return false;
		n = 10 * n + (uint64_t)(text.p[k] - '0');
	}
	if (text.n < 1 || text.n > 18)
		return false;
	*number = n;
	return true;
}

static void learn_parts(struct signs *s, const struct component_health *parts, int n)
{
	s->parts = n < COMPONENTS_MAX ? n : COMPONENTS_MAX;
	if (s->tells_depth)		/* what it told last is told no more */
		s->has_depth = s->tells_depth = false;
	for (int k = 0; k < s->parts; k++)
		if (span_is(parts[k].name, "output_buffer"))
			s->has_depth = s->tells_depth = is_number(parts[k].message, &s->depth);
}

void health_pressed(struct connection *c, uint64_t depth)
{
	if (c->signs.tells_depth)
		return;
	c->signs.has_depth = true;
	c->signs.depth = depth;
}

/* An answer, asked for or not, with parts; or anything else, which shows that it lives. */
bool health_speak(struct world *w)
{
	static struct part_text texts[PARTS_MAX];
	struct component_health parts[PARTS_MAX];
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	struct message_health_response r = {
		.status = (enum health_status)between(w, 0, HEALTH_STATUS_COUNT - 1),
		.checks = parts,
	};
	struct signs *s;

	if (!a->connection || a->connection->half_open)
		return false;
	s = &a->connection->signs;
	broker_begin(w);
	core_heard(w->core, a->connection->instance);
	s->heard_ms = w->peer_ms;
	if (chance(w, 3))
		return true;
	s->said = rng_next(&w->rng);
	r.check_count = chance(w, 12) ? PARTS_MAX : chance(w, 2) ? between(w, 0, 4) : 0;
	for (int n = 0; n < (int)r.check_count; n++)
		parts[n] = part_of(s->said, n, &texts[n]);
	trace(w, "party %d says that it is %s, with %zu parts", a->party,
	    health_status_name(r.status), r.check_count);
	core_health_told(w->core, a->connection->instance, &r);
	s->is_asked = false;
	s->reported = r.status;
	learn_parts(s, parts, (int)r.check_count);
	return true;
}
