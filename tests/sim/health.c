/* health.c - instances are asked how they do; some answer, some do not, and are judged for it */
#include "sim.h"

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

static bool check_one(void *arg, const struct instance_checkup *i)
{
	struct world *w = arg;
	const struct connection *c;

	TAILQ_FOREACH(c, &w->connections, next) {
		if (w->model.parties[c->party].number != i->number)
			continue;
		check_stuck(w, c, i);
		if (i->status != expected(w, c, i->stuck_ms > 0))
			broke(w, "party %d is judged %s: %s", c->party,
			    health_status_name(i->status), i->why);
	}
	return true;
}

void health_check(struct world *w)
{
	const struct connection *c;

	TAILQ_FOREACH(c, &w->connections, next)
		if (c->signs.due_ms <= w->peer_ms)
			broke(w, "party %d is not asked for its health", c->party);
	for (size_t n = 0; n < core_module_count(w->core); n++)
		core_visit_instances(w->core, n, check_one, w);
}

/* --- actions ---------------------------------------------------------------------------------- */

/* An answer, asked for or not; or anything else, which shows that it lives. */
bool health_speak(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	struct message_health_response r = {
		.status = (enum health_status)between(w, 0, HEALTH_STATUS_COUNT - 1),
	};

	if (!a->connection || a->connection->half_open)
		return false;
	broker_begin(w);
	core_heard(w->core, a->connection->instance);
	a->connection->signs.heard_ms = w->peer_ms;
	if (chance(w, 3))
		return true;
	trace(w, "party %d says that it is %s", a->party, health_status_name(r.status));
	core_health_told(w->core, a->connection->instance, &r);
	a->connection->signs.is_asked = false;
	a->connection->signs.reported = r.status;
	return true;
}
