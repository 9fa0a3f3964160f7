/* route.c - the modules that are declared and the routes between them */
#include <string.h>

#include "core/internal.h"

struct module *module_by_name(const struct core *c, struct span name)
{
	for (size_t n = 0; n < c->settings.module_count; n++)
		if (span_is(name, c->modules[n].settings.name))
			return &c->modules[n];
	return NULL;
}

struct module *module_by_number(struct core *c, uint32_t number)
{
	for (size_t n = 0; n < c->settings.module_count; n++)
		if (c->modules[n].number == number)
			return &c->modules[n];
	return NULL;
}

const char *core_module_name(const struct core *c, struct span name)
{
	const struct module *m = module_by_name(c, name);

	return m ? m->settings.name : NULL;
}

struct route *route_between(struct core *c, const struct module *source, struct span target)
{
	for (size_t n = 0; n < c->settings.route_count; n++)
		if (c->routes[n].source == source && span_is(target, c->routes[n].settings.target))
			return &c->routes[n];
	return NULL;
}

struct route *route_by_number(struct core *c, uint32_t number)
{
	for (size_t n = 0; n < c->settings.route_count; n++)
		if (c->routes[n].number == number)
			return &c->routes[n];
	return NULL;
}

struct route *route_by_name(struct core *c, struct span name)
{
	for (size_t n = 0; n < c->settings.route_count; n++)
		if (span_is(name, c->routes[n].settings.name))
			return &c->routes[n];
	return NULL;
}

const struct route_settings *route_settings(const struct route *r)
{
	return &r->settings;
}

uint64_t route_depth(const struct route *r)
{
	return counters_queued(&r->counters);
}

const struct route_counters *core_counters(const struct core *c, const char *route)
{
	for (size_t n = 0; n < c->settings.route_count; n++)
		if (strcmp(c->routes[n].settings.name, route) == 0)
			return &c->routes[n].counters;
	return NULL;
}

size_t core_routes_of(struct core *c, struct instance *i, struct welcome_route *out, size_t max)
{
	size_t count = 0;

	for (size_t n = 0; n < c->settings.route_count && count < max; n++) {
		const struct route *r = &c->routes[n];
		const struct route_settings *s = &r->settings;

		if (r->source != i->module && r->target != i->module)
			continue;
		out[count++] = (struct welcome_route){
			.name = span_of(s->name),
			.source_module = span_of(s->source),
			.target_module = span_of(s->target),
			.batch_size = s->batch_size,
			.flush_timeout_ms = s->flush_timeout_ms,
			.ack_timeout_ms = s->ack_timeout_ms,
			.process_timeout_ms = s->process_timeout_ms,
			.retry_delay_ms = s->retry_delay_ms,
			.max_retries = s->max_retries,
			.backoff_multiplier = s->backoff_multiplier,
			.backpressure_active = r->flow.pressed,
			.last_sequence_number = r->source == i->module ? sequence_last(c, i, r) : 0,
		};
	}
	return count;
}
