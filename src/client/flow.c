/*
 * flow.c - back-pressure (protocol section 7): the broker's on our routes, ours on the broker
 *
 * While a route of ours is under back-pressure, batches that complete nothing leave it one at a
 * time, with the delay that the broker recommends between two. What empties another route is never
 * held back: a full pipeline could not drain.
 *
 * Paused by the caller are all routes, or single ones; the two are independent of each other. The
 * broker forgets both with the connection, and is told again on the next.
 */
#include <string.h>

#include "client/internal.h"

/* --- the broker's ---------------------------------------------------------------------------- */

int64_t flow_may_go_at(const struct route *r)
{
	return r->pressure.active ? r->left_at_ms + (int64_t)r->pressure.delay_ms : 0;
}

static bool is_ours(const struct handoff_client *c, const struct route *r)
{
	return strcmp(r->source, c->options->module) == 0;
}

static void tell(struct handoff_client *c, struct route *r)
{
	struct event *e = event_create(c, HANDOFF_EVENT_BACKPRESSURE);

	if (e == NULL)
		return;
	memcpy(e->route, r->name, sizeof(e->route));
	e->shown.backpressure = r->pressure;
	r->was_told_active = r->pressure.active;
	event_post(c, e);
}

void flow_on_signal(struct handoff_client *c, const struct message_backpressure *b)
{
	const bool is_active = b->signal_type == SIGNAL_ACTIVATE;
	struct route *r;
	uint64_t before;

	for (size_t i = 0; i < c->route_count; i++) {
		r = &c->routes[i];
		if (!is_ours(c, r) || !span_is(b->route, r->name))
			continue;
		before = r->pressure.delay_ms;
		r->pressure.active = r->shown.backpressure_active = is_active;
		r->pressure.queue_depth = b->current_queue_depth;
		r->pressure.delay_ms = 0;
		if (is_active)
			r->pressure.delay_ms = b->recommended_delay_ms < PACE_MAX_MS ?
			    b->recommended_delay_ms : PACE_MAX_MS;
		c->has_work = true;	/* the next batch may be due */
		if (is_active != r->was_told_active || r->pressure.delay_ms != before)
			tell(c, r);
	}
}

bool handoff_route_backpressure(const struct handoff_client *c, const char *route,
    struct handoff_backpressure *b)
{
	const struct route *r = route_find(c, route);

	if (r == NULL || !is_ours(c, r))
		return false;
	*b = r->pressure;
	return true;
}

/* --- ours ------------------------------------------------------------------------------------ */

static uint64_t held_count(const struct handoff_client *c)
{
	const struct handoff_delivery *d;
	uint64_t n = 0;

	TAILQ_FOREACH(d, &c->deliveries, link)
		n++;
	return n;
}

/* About one route, or about all (NULL). Nothing of this kind may follow GOODBYE DRAINING. */
static void say(struct handoff_client *c, enum signal_type signal, const char *route)
{
	struct envelope e;

	if (c->state != HANDOFF_CONNECTED || c->has_said_draining)
		return;
	e = session_envelope(c, NULL);
	encode_backpressure(link_out(c->link), &e, &(struct message_backpressure){
		.signal_type = signal,
		.current_queue_depth = held_count(c),
		.route = route != NULL ? span_of(route) : (struct span){ 0 },
	});
	c->has_work = true;
}

static void say_single_pauses(struct handoff_client *c)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (c->routes[i].is_paused)
			say(c, SIGNAL_ACTIVATE, c->routes[i].name);
}

void flow_on_welcome(struct handoff_client *c, bool is_first)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (is_ours(c, &c->routes[i]) &&
		    c->routes[i].pressure.active != c->routes[i].was_told_active)
			tell(c, &c->routes[i]);
	if (!is_first)
		return;
	if (c->is_paused)
		say(c, SIGNAL_ACTIVATE, NULL);
	say_single_pauses(c);
}

/* While all are paused the single ones make no difference, and nothing is said of them. */
static void set_all(struct handoff_client *c, bool is_paused)
{
	if (c->is_paused == is_paused)
		return;
	c->is_paused = is_paused;
	say(c, is_paused ? SIGNAL_ACTIVATE : SIGNAL_DEACTIVATE, NULL);
	if (!is_paused)
		say_single_pauses(c);
}

static void set_one(struct handoff_client *c, struct route *r, bool is_paused)
{
	if (r->is_paused == is_paused)
		return;
	r->is_paused = is_paused;
	if (!c->is_paused)
		say(c, is_paused ? SIGNAL_ACTIVATE : SIGNAL_DEACTIVATE, r->name);
}

static int set(struct handoff_client *c, const char *route, bool is_paused)
{
	struct route *r = NULL;

	if (c->state == HANDOFF_ENDED)
		return HANDOFF_CLOSED;
	if (route != NULL) {
		if (c->max_frame_bytes == 0)
			return HANDOFF_NOT_CONNECTED;
		r = route_find(c, route);
		if (r == NULL || strcmp(r->target, c->options->module) != 0)
			return HANDOFF_NO_ROUTE;
	}
	client_read_clock(c);
	if (r != NULL)
		set_one(c, r, is_paused);
	else
		set_all(c, is_paused);
	client_push(c);
	return 0;
}

int handoff_pause(struct handoff_client *c, const char *route)
{
	return set(c, route, true);
}

int handoff_resume(struct handoff_client *c, const char *route)
{
	return set(c, route, false);
}
