/* routes.c - the broker's settings, as WELCOME tells them */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "client/internal.h"

/* Room can come at any time: it is asked for at least so often. */
#define RETRY_DELAY_MAX_MS 5000
#define RETRY_JITTER_PERCENT 10
#define REFUSALS_COUNTED 64
/* Between two batches under back-pressure whose delay the broker has not told (WELCOME). */
#define PACE_UNTOLD_MS 100

static void copy_text(char *to, size_t size, struct span from)
{
	snprintf(to, size, "%.*s", (int)(from.n < size ? from.n : size - 1), from.p);
}

static void show_route(struct route *r, const struct welcome_route *w)
{
	copy_text(r->name, sizeof(r->name), w->name);
	copy_text(r->source, sizeof(r->source), w->source_module);
	copy_text(r->target, sizeof(r->target), w->target_module);
	r->shown = (struct handoff_route){
		.name = r->name,
		.source_module = r->source,
		.target_module = r->target,
		.batch_size = w->batch_size > 0 ? w->batch_size : 1,
		.flush_timeout_ms = w->flush_timeout_ms,
		.ack_timeout_ms = w->ack_timeout_ms,
		.process_timeout_ms = w->process_timeout_ms,
		.retry_delay_ms = w->retry_delay_ms,
		.backoff_multiplier = w->backoff_multiplier,
		.max_retries = w->max_retries,
		.backpressure_active = w->backpressure_active,
		.last_sequence_number = w->last_sequence_number,
	};
	r->pressure.active = w->backpressure_active;
}

/* WELCOME says that there is back-pressure, and not how much: what was told last goes on. */
static void complete_pressure(struct route *r, const struct route *old)
{
	if (!r->pressure.active)
		return;
	if (old != NULL && old->pressure.delay_ms > 0)
		r->pressure = (struct handoff_backpressure){
			true, old->pressure.queue_depth, old->pressure.delay_ms,
		};
	else
		r->pressure.delay_ms = PACE_UNTOLD_MS;
}

/* What this client knows of the route goes on: numbers given to batches, refusals. */
static void carry_over(const struct handoff_client *c, struct route *r)
{
	const struct route *old = route_find(c, r->name);

	complete_pressure(r, old);
	if (old == NULL)
		return;
	r->was_told_active = old->was_told_active;
	r->left_at_ms = old->left_at_ms;
	r->is_paused = old->is_paused;
	r->refusals = old->refusals;
	r->is_asking = old->is_asking;
	r->pause_until_ms = old->pause_until_ms;
	if (old->shown.last_sequence_number > r->shown.last_sequence_number)
		r->shown.last_sequence_number = old->shown.last_sequence_number;
}

bool routes_take(struct handoff_client *c, const struct message_welcome *w)
{
	struct route *routes = calloc(w->route_count > 0 ? w->route_count : 1, sizeof(*routes));

	if (routes == NULL)
		return false;
	for (size_t i = 0; i < w->route_count; i++) {
		show_route(&routes[i], &w->routes[i]);
		routes[i].left_at_ms = c->now_ms - PACE_MAX_MS;
		carry_over(c, &routes[i]);
	}
	free(c->routes);
	c->routes = routes;
	c->route_count = w->route_count;
	return true;
}

struct route *route_find(const struct handoff_client *c, const char *name)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (strcmp(c->routes[i].name, name) == 0)
			return &c->routes[i];
	return NULL;
}

static struct route *route_between(const struct handoff_client *c, const char *source,
    const char *target)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (strcmp(c->routes[i].source, source) == 0 &&
		    strcmp(c->routes[i].target, target) == 0)
			return &c->routes[i];
	return NULL;
}

struct route *route_to(const struct handoff_client *c, const char *target)
{
	return route_between(c, c->options->module, target);
}

int64_t route_retry_delay_ms(const struct route *r, unsigned refusals)
{
	double delay = r != NULL ? (double)r->shown.retry_delay_ms : 0;
	const double factor = r != NULL ? r->shown.backoff_multiplier : 1;
	uint64_t random;

	if (refusals > REFUSALS_COUNTED)
		refusals = REFUSALS_COUNTED;
	for (unsigned i = 1; i < refusals && delay < RETRY_DELAY_MAX_MS; i++)
		delay *= factor > 1 ? factor : 1;
	if (delay > RETRY_DELAY_MAX_MS)
		delay = RETRY_DELAY_MAX_MS;
	if (delay < 1)
		delay = 1;
	rng_system(&random, sizeof(random));
	delay += delay * (double)(random % (RETRY_JITTER_PERCENT + 1)) / 100;
	return (int64_t)delay;
}

/* --- for the caller -------------------------------------------------------------------------- */

const struct handoff_route *handoff_route_by_name(const struct handoff_client *c, const char *name)
{
	const struct route *r = route_find(c, name);

	return r != NULL ? &r->shown : NULL;
}

const struct handoff_route *handoff_route_between(const struct handoff_client *c,
    const char *source_module, const char *target_module)
{
	const struct route *r = route_between(c,
	    source_module != NULL ? source_module : c->options->module,
	    target_module != NULL ? target_module : c->options->module);

	return r != NULL ? &r->shown : NULL;
}

const struct handoff_route *handoff_route_at(const struct handoff_client *c, size_t index)
{
	return index < c->route_count ? &c->routes[index].shown : NULL;
}

size_t handoff_max_records_bytes(const struct handoff_client *c)
{
	return c->max_frame_bytes > FRAME_OVERHEAD_BYTES
	    ? c->max_frame_bytes - FRAME_OVERHEAD_BYTES : 0;
}
