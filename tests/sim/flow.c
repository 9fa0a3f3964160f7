/* flow.c - the model's back-pressure: what stops a route, what its sources are told */
#include <string.h>

#include "sim.h"

/* No delivery on it, by a person's will, or because its target has failed. */
bool flow_is_stopped(const struct world *w, int route)
{
	return w->model.draining || w->model.paused[route] || !breaker_lets_through(w, route);
}

bool flow_has_paused(const struct world *w, int party, int route)
{
	const struct party *y = &w->model.parties[party];

	return y->paused || y->paused_routes[route];
}

/* --- what sources are told (protocol.md section 7) -------------------------------------------- */

static double fullness(const struct world *w, int route)
{
	const struct route_settings *r = &w->plan.routes[route];
	uint64_t depth = 0, bytes = 0;

	for (int p = 0; p < w->parcel_count; p++)
		if (w->parcels[p].route == route && is_in_custody(&w->model.fates[p])) {
			depth++;
			bytes += w->model.fates[p].frame_len;
		}
	double batches = (double)depth / (double)r->queue_capacity;
	double parts = (double)bytes / (double)r->queue_capacity_bytes;
	return batches > parts ? batches : parts;
}

static bool all_have_paused(const struct world *w, int route)
{
	int module = module_of(w, w->plan.routes[route].target), takers = 0;

	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];

		if (!y->connected || y->module != module || y->draining || y->max_in_flight == 0)
			continue;
		if (!flow_has_paused(w, n, route))
			return false;
		takers++;
	}
	return takers > 0;
}

static bool is_pressed(const struct world *w, int route)
{
	double full = fullness(w, route);

	if (all_have_paused(w, route) || tell_is_throttled(w, route) ||
	    full >= w->plan.core.backpressure_high_watermark)
		return true;
	return w->model.pressed[route] && full > 0 &&
	    full >= w->plan.core.backpressure_low_watermark;
}

void flow_recover(struct world *w)
{
	for (int r = 0; r < (int)w->plan.core.route_count; r++)
		w->model.pressed[r] = is_pressed(w, r);
}

void flow_check(struct world *w)
{
	const struct connection *c;

	for (int r = 0; r < (int)w->plan.core.route_count; r++) {
		int source = module_of(w, w->plan.routes[r].source);

		w->model.pressed[r] = is_pressed(w, r);
		TAILQ_FOREACH(c, &w->connections, next)
			if (c->actor->module == source && c->pressed[r] != w->model.pressed[r])
				broke(w, "party %d believes that route %s is %s", c->party,
				    w->plan.routes[r].name, c->pressed[r] ? "pressed" : "free");
	}
}

void flow_on_told(struct world *w, struct connection *c, const struct message_backpressure *b)
{
	bool on = b->signal_type == SIGNAL_ACTIVATE;

	for (int r = 0; r < (int)w->plan.core.route_count; r++) {
		if (!span_is(b->route, w->plan.routes[r].name))
			continue;
		if (module_of(w, w->plan.routes[r].source) != c->actor->module)
			broke(w, "party %d is told of back-pressure on a route of others", c->party);
		if (c->pressed[r] == on)
			broke(w, "party %d is told of back-pressure on %s twice", c->party,
			    w->plan.routes[r].name);
		if (on ? b->recommended_delay_ms == 0 || b->recommended_delay_ms > 60000
		       : b->recommended_delay_ms != 0)
			broke(w, "party %d is told to wait %llu ms", c->party,
			    (unsigned long long)b->recommended_delay_ms);
		trace(w, "  party %d is told: back-pressure %s on %s", c->party,
		    on ? "on" : "off", w->plan.routes[r].name);
		c->pressed[r] = on;
		return;
	}
	broke(w, "party %d is told of back-pressure on no route", c->party);
}

/* --- a target's own --------------------------------------------------------------------------- */

static void pause_all(struct party *y, bool on)
{
	y->paused = on;
	memset(y->paused_routes, 0, sizeof y->paused_routes);
}

bool target_pause(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	int route = (int)between(w, 0, w->plan.core.route_count - 1);
	bool all = chance(w, 3), on = chance(w, 2);
	struct message_backpressure b = {
		.signal_type = on ? SIGNAL_ACTIVATE : SIGNAL_DEACTIVATE,
		.current_queue_depth = between(w, 0, 9),
		.recommended_delay_ms = between(w, 0, 3000),
		.route = all ? (struct span){ NULL, 0 } : span_of(w->plan.routes[route].name),
	};
	struct fault f = { .code = INT_NONE };
	struct party *y = &w->model.parties[a->party];
	bool mine = all || module_of(w, w->plan.routes[route].target) == a->module;

	if (!has_trouble(w, TROUBLE_PAUSE) || !a->connection)
		return false;
	broker_begin(w);
	trace(w, "party %d %s back-pressure on %s", a->party, on ? "asks for" : "ends",
	    all ? "all routes" : w->plan.routes[route].name);
	if (core_target_pressure(w->core, a->connection->instance, &b, &f) != mine ||
	    (f.code == INT_ROUTE_001) == mine)
		broke(w, "the back-pressure of party %d is %s", a->party, mine ? "refused" : "taken");
	if (!mine)
		errors_refuse(w, f.code);
	if (mine)
		health_pressed(a->connection, b.current_queue_depth);
	if (mine && all)
		pause_all(y, on);
	else if (mine)
		y->paused_routes[route] = on;
	return true;
}
