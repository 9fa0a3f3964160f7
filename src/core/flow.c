/* flow.c - back-pressure: when sources are asked to slow down, and by how much */
#include <stdlib.h>

#include "base/mem.h"
#include "core/internal.h"

/*
 * protocol.md section 7. A route presses its sources from the high watermark of its capacity (in
 * batches or bytes, whichever is fuller) until it falls below the low one, and as long as all
 * instances of its target have asked for a pause. Each change is told once to those that are there;
 * who comes in between reads it in WELCOME.
 */
#define SAMPLE_MS 1000			/* the drain rate is taken anew so often */
#define DELAY_MAX_MS 60000

void flow_drained(struct core *c, struct route *r)
{
	struct flow *f = &r->flow;
	uint64_t passed_ms = c->now_ms - f->sampled_ms;

	f->drained++;
	if (passed_ms < SAMPLE_MS)
		return;
	double rate = (double)f->drained * 1000 / (double)passed_ms;
	f->drain_rate = f->drain_rate > 0 ? (f->drain_rate + rate) / 2 : rate;
	f->drained = 0;
	f->sampled_ms = c->now_ms;
}

static double fullness(const struct route *r)
{
	const struct route_settings *s = &r->settings;
	double batches = (double)route_depth(r) / (double)s->queue_capacity;
	double bytes = (double)r->counters.bytes / (double)s->queue_capacity_bytes;

	return batches > bytes ? batches : bytes;
}

static size_t source_instances(const struct route *r)
{
	const struct instance *i;
	size_t n = 0;

	TAILQ_FOREACH(i, &r->source->connected, connected)
		n++;
	return n ? n : 1;
}

double flow_drain_rate(const struct core *c, const struct route *r)
{
	const struct flow *f = &r->flow;
	uint64_t idle_ms = c->now_ms - f->sampled_ms;
	double of_late = idle_ms ? (double)f->drained * 1000 / (double)idle_ms : 0;

	/* when nothing has been sampled for a while, it is slower than it was */
	return idle_ms > SAMPLE_MS && of_late < f->drain_rate ? of_late : f->drain_rate;
}

static bool is_throttled(const struct core *c, const struct route *r)
{
	return c->now_ms < r->target->throttled_until_ms;
}

uint64_t flow_throttled_until_ms(const struct core *c, const struct route *r)
{
	return is_throttled(c, r) ? r->target->throttled_until_ms : 0;
}

/* As much time between two batches of one instance as all together may not be faster than the
 * target. */
static uint64_t recommended_delay_ms(const struct core *c, const struct route *r)
{
	const struct flow *f = &r->flow;
	uint64_t idle_ms = c->now_ms - f->sampled_ms;
	double rate = flow_drain_rate(c, r), delay_ms = SAMPLE_MS;

	if (rate > 0)
		delay_ms = 1000 * (double)source_instances(r) / rate;
	else if (idle_ms > SAMPLE_MS)	/* nothing has ended: it takes at least so long */
		delay_ms = (double)idle_ms;
	if (is_throttled(c, r))		/* half as fast as it goes now */
		delay_ms *= 2;
	if (f->target_paused && delay_ms < (double)f->target_delay_ms)
		delay_ms = (double)f->target_delay_ms;
	return delay_ms < 1 ? 1 : delay_ms > DELAY_MAX_MS ? DELAY_MAX_MS : (uint64_t)delay_ms;
}

static void tell_sources(struct core *c, const struct route *r)
{
	struct message_backpressure b = {
		.signal_type = r->flow.pressed ? SIGNAL_ACTIVATE : SIGNAL_DEACTIVATE,
		.current_queue_depth = route_depth(r),
		.recommended_delay_ms = r->flow.pressed ? recommended_delay_ms(c, r) : 0,
		.route = span_of(r->settings.name),
	};
	const struct instance *i;

	TAILQ_FOREACH(i, &r->source->connected, connected)
		c->ops->backpressure(i->peer, &b);
}

static bool should_press(const struct core *c, const struct route *r)
{
	double full = fullness(r);

	if (r->flow.target_paused || is_throttled(c, r) || full >= c->settings.backpressure_high_watermark)
		return true;
	return r->flow.pressed && full > 0 && full >= c->settings.backpressure_low_watermark;
}

/* --- a module that asks to be spared --------------------------------------------------------- */

static void throttle_changed(struct core *c, struct module *m)
{
	flow_recount(c, m);
	c->next_throttle_ms = UINT64_MAX;
	for (size_t n = 0; n < c->settings.module_count; n++) {
		uint64_t until_ms = c->modules[n].throttled_until_ms;

		if (until_ms != 0 && until_ms < c->next_throttle_ms)
			c->next_throttle_ms = until_ms;
	}
}

/* The latest of what its instances have asked for, whoever of them is there. */
static uint64_t latest_throttle_ms(const struct core *c, const struct module *m)
{
	uint64_t latest_ms = c->now_ms;

	for (const struct instance *i = m->instances; i; i = i->by_id.next)
		if (i->throttled_until_ms > latest_ms)
			latest_ms = i->throttled_until_ms;
	return latest_ms > c->now_ms ? latest_ms : 0;
}

void flow_throttle(struct core *c, struct instance *i, bool on)
{
	struct module *m = i->module;

	if (!on && i->throttled_until_ms == 0)
		return;
	i->throttled_until_ms = on ? c->now_ms + c->settings.throttle_timeout_ms : 0;
	m->throttled_until_ms = on ? i->throttled_until_ms : latest_throttle_ms(c, m);
	throttle_changed(c, m);
}

static void end_throttles(struct core *c)
{
	for (size_t n = 0; c->next_throttle_ms <= c->now_ms && n < c->settings.module_count; n++) {
		struct module *m = &c->modules[n];

		if (m->throttled_until_ms == 0 || m->throttled_until_ms > c->now_ms)
			continue;
		m->throttled_until_ms = 0;
		throttle_changed(c, m);
	}
}

void flow_update(struct core *c)
{
	end_throttles(c);
	for (size_t n = 0; n < c->settings.route_count; n++) {
		struct route *r = &c->routes[n];

		if (!r->dirty && !r->flow.recounted)
			continue;
		r->flow.recounted = false;
		if (should_press(c, r) == r->flow.pressed)
			continue;
		r->flow.pressed = !r->flow.pressed;
		tell_sources(c, r);
	}
}

/* --- a target's own -------------------------------------------------------------------------- */

static size_t index_of(const struct core *c, const struct route *r)
{
	return (size_t)(r - c->routes);
}

bool flow_is_paused(const struct core *c, const struct instance *i, const struct route *r)
{
	return i->paused || (i->paused_routes && i->paused_routes[index_of(c, r)]);
}

/* All instances that take deliveries have asked for a pause on it. */
static bool is_target_paused(const struct core *c, struct route *r)
{
	const struct instance *i;
	bool any = false;

	r->flow.target_delay_ms = 0;
	TAILQ_FOREACH(i, &r->target->connected, connected) {
		if (i->max_in_flight == 0 || i->draining)
			continue;
		if (!flow_is_paused(c, i, r))
			return false;
		if (i->pause_delay_ms > r->flow.target_delay_ms)
			r->flow.target_delay_ms = i->pause_delay_ms;
		any = true;
	}
	return any;
}

void flow_recount(struct core *c, struct module *target)
{
	struct route *r;

	TAILQ_FOREACH(r, &target->targeted, of_target) {
		r->flow.target_paused = is_target_paused(c, r);
		r->flow.recounted = true;
	}
}

static struct route *targeted_by_name(const struct instance *i, struct span name)
{
	struct route *r;

	TAILQ_FOREACH(r, &i->module->targeted, of_target)
		if (span_is(name, r->settings.name))
			return r;
	return NULL;
}

bool core_target_pressure(struct core *c, struct instance *i, const struct message_backpressure *b,
    struct fault *f)
{
	bool on = b->signal_type == SIGNAL_ACTIVATE;
	struct route *r = b->route.p ? targeted_by_name(i, b->route) : NULL;

	if (b->route.p && !r) {
		fault_set(f, INT_ROUTE_001, "route", "a route that leads to %s",
		    i->module->settings.name);
		fault_found(f, b->route);
		return false;
	}
	if (!i->paused_routes)
		i->paused_routes = xcalloc(c->settings.route_count, sizeof *i->paused_routes);
	if (r) {
		i->paused_routes[index_of(c, r)] = on;
	} else {
		i->paused = on;
		for (size_t n = 0; n < c->settings.route_count; n++)
			i->paused_routes[n] = false;
	}
	i->pause_delay_ms = on ? b->recommended_delay_ms : 0;
	vitals_pressed(i, b->current_queue_depth);
	flow_recount(c, i->module);
	return true;
}
