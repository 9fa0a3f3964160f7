/* checkup.c - gathers what the verdicts of health.c are about */
#include "core/checkup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/inspect.h"
#include "core/internal.h"
#include "core/measure.h"

#define STORE_TIGHT_PART 20	/* DEGRADED when less than this part of the store is left to intake */

/* --- instances and modules ------------------------------------------------------------------- */

void checkup_instance(const struct core *c, const struct instance *i,
    struct instance_checkup *out)
{
	const struct assignment *oldest = TAILQ_FIRST(&i->held);
	struct instance_signs signs;

	vitals_signs(c, i, &signs);
	*out = (struct instance_checkup){
		.id = { i->record.id, i->record.id_len },
		.number = i->record.number,
		.held = i->held_count,
		.stuck_ms = signs.stuck ? vitals_idle_ms(c, i) : 0,
		.oldest_since_us = oldest ? oldest->since_us : 0,
		.heard_us = i->vitals.heard_us,
		.answered_us = i->vitals.answered_us,
		.progress_us = i->vitals.progress_us,
		.components = i->vitals.components,
		.component_count = i->vitals.component_count,
	};
	out->status = health_of_instance(&signs, &out->why);
}

void core_visit_instances(struct core *c, size_t n,
    bool (*visit)(void *arg, const struct instance_checkup *i), void *arg)
{
	const struct instance *i;
	struct instance_checkup view;

	TAILQ_FOREACH(i, &c->modules[n].connected, connected) {
		checkup_instance(c, i, &view);
		if (!visit(arg, &view))
			return;
	}
}

size_t core_module_count(const struct core *c)
{
	return c->settings.module_count;
}

static uint64_t waiting_for(const struct module *m)
{
	const struct route *r;
	uint64_t n = 0;

	TAILQ_FOREACH(r, &m->targeted, of_target)
		n += counters_queued(&r->counters) - r->counters.ready_held;
	return n;
}

/* When an instance that is away was there last. */
static int64_t last_used_us(const struct core *c, const struct module *m)
{
	const struct instance *i;
	uint64_t latest_ms = 0;

	for (i = m->instances; i; i = i->by_id.next)
		if (i->record.last_used_ms > latest_ms)
			latest_ms = i->record.last_used_ms;
	return latest_ms ? c->wall_us - (int64_t)(c->now_ms - latest_ms) * 1000 : 0;
}

static void add_instance(const struct core *c, const struct instance *i, struct module_signs *s,
    struct module_checkup *out)
{
	struct instance_checkup view;

	checkup_instance(c, i, &view);
	s->connected++;
	s->verdicts[view.status]++;
	s->takers += i->max_in_flight > 0 && !i->draining;
	out->has_buffer_depth |= i->vitals.has_buffer_depth;
	out->buffer_depth += i->vitals.has_buffer_depth ? i->vitals.buffer_depth : 0;
	if (view.heard_us > out->last_seen_us)
		out->last_seen_us = view.heard_us;
}

void core_view_module(struct core *c, size_t n, struct module_checkup *out)
{
	const struct module *m = &c->modules[n];
	struct module_signs signs = { .waiting = waiting_for(m) };
	const struct instance *i;

	*out = (struct module_checkup){ .name = m->settings.name, .waiting = signs.waiting };
	TAILQ_FOREACH(i, &m->connected, connected)
		add_instance(c, i, &signs, out);
	if (signs.connected == 0)
		out->last_seen_us = last_used_us(c, m);
	out->connected = signs.connected;
	for (int k = 0; k < HEALTH_STATUS_COUNT; k++)
		out->verdicts[k] = signs.verdicts[k];
	out->is_judged = health_of_module(&signs, &out->status, &out->why);
}

/* --- the pipeline ---------------------------------------------------------------------------- */

void core_view_pipeline(struct core *c, struct pipeline_checkup *out)
{
	struct tally minute = rates_sum(&c->rates, c->now_ms);
	struct pipeline_signs signs = {
		.circuits_open = core_circuits_open(c),
		.error_rate_1m = tally_error_rate(&minute),
		.error_rate_degraded = c->settings.error_rate_degraded,
	};
	struct module_checkup m;

	for (size_t n = 0; n < c->settings.module_count; n++) {
		core_view_module(c, n, &m);
		if (m.is_judged)
			signs.modules = health_worse(signs.modules, m.status);
	}
	*out = (struct pipeline_checkup){
		.circuits_open = signs.circuits_open,
		.error_rate_1m = signs.error_rate_1m,
		.records_per_second = (double)minute.records / RATES_SECONDS,
	};
	out->status = health_of_pipeline(&signs, &out->why);
}

/* --- components ------------------------------------------------------------------------------ */

static const char *const shell_names[SHELL_PART_COUNT] = {
	[SHELL_DISK] = "disk",
	[SHELL_LOOP] = "loop",
	[SHELL_TLS] = "tls",
	[SHELL_CERTIFICATES] = "certificates",
};

__attribute__((format(printf, 5, 0)))
static void fill(struct component *p, const char *name, enum health_status status, int64_t now_us,
    const char *fmt, va_list args)
{
	snprintf(p->name, sizeof p->name, "%s", name);
	p->status = status;
	p->checked_at_us = now_us;
	vsnprintf(p->message, sizeof p->message, fmt, args);
}

void core_set_component(struct core *c, enum shell_part part, enum health_status status,
    const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fill(&c->shell[part], shell_names[part], status, c->wall_us, fmt, args);
	va_end(args);
}

__attribute__((format(printf, 5, 6)))
static void add(const struct core *c, struct checkup *k, const char *name,
    enum health_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fill(&k->components[k->count++], name, status, c->wall_us, fmt, args);
	va_end(args);
	k->status = health_worse(k->status, status);
}

static void add_store(struct core *c, struct checkup *k)
{
	uint64_t size = store_size_bytes(c->store), left = store_free_bytes(c->store);
	uint64_t reserve = core_store_reserve_bytes(c);
	unsigned long long mib = (left > reserve ? left - reserve : 0) >> 20;

	if (store_has_failed(c->store))
		add(c, k, "store", HEALTH_UNHEALTHY, "a change could not be stored");
	else if (!core_has_room(c))
		add(c, k, "store", HEALTH_UNHEALTHY, "full: new batches are refused");
	else if (left - reserve < size / STORE_TIGHT_PART)
		add(c, k, "store", HEALTH_DEGRADED, "nearly full: %llu MiB are left", mib);
	else
		add(c, k, "store", HEALTH_HEALTHY, "%llu MiB are left", mib);
}

static void add_shell(const struct core *c, struct checkup *k)
{
	for (int n = 0; n < SHELL_PART_COUNT; n++)
		if (*c->shell[n].name) {
			k->components[k->count++] = c->shell[n];
			k->status = health_worse(k->status, c->shell[n].status);
		}
}

static bool is_full(const struct route *r)
{
	return route_depth(r) >= r->settings.queue_capacity ||
	    r->counters.bytes >= r->settings.queue_capacity_bytes;
}

static void add_route(const struct core *c, struct checkup *k, const struct route *r)
{
	char name[COMPONENT_NAME_BYTES];
	unsigned long long depth = route_depth(r);

	snprintf(name, sizeof name, "route %s", r->settings.name);
	if (!counters_balance(&r->counters))
		add(c, k, name, HEALTH_UNHEALTHY, "its counters do not balance");
	else if (letter_share_is_full(r))
		add(c, k, name, HEALTH_DEGRADED,
		    "too many dead letters: new batches are refused");
	else if (is_full(r))
		add(c, k, name, HEALTH_DEGRADED, "full, %llu batches: new ones are refused", depth);
	else if (r->control.paused)
		add(c, k, name, HEALTH_DEGRADED, "paused by %s", r->control.who);
	else
		add(c, k, name, HEALTH_HEALTHY, "%llu batches in custody", depth);
}

static void add_module(struct core *c, struct checkup *k, size_t n)
{
	char name[COMPONENT_NAME_BYTES];
	struct module_checkup m;

	core_view_module(c, n, &m);
	snprintf(name, sizeof name, "module %s", m.name);
	if (m.is_judged)
		add(c, k, name, m.status, "%zu connected%s%s", m.connected, *m.why ? ": " : "",
		    m.why);
	else
		add(c, k, name, HEALTH_HEALTHY, "not connected, nothing waits for it");
}

static void add_readiness(struct core *c, struct checkup *k)
{
	add(c, k, "recovery", HEALTH_HEALTHY, "done");
	add_store(c, k);
	if (c->stopping)
		add(c, k, "broker", HEALTH_UNHEALTHY, "it is stopping");
	else if (c->draining)
		add(c, k, "broker", HEALTH_DEGRADED, "it drains: nothing is delivered");
	else
		add(c, k, "broker", HEALTH_HEALTHY, "it serves");
}

static void add_details(struct core *c, struct checkup *k)
{
	struct pipeline_checkup p;

	add_readiness(c, k);
	add_shell(c, k);
	for (size_t n = 0; n < c->settings.route_count; n++)
		add_route(c, k, &c->routes[n]);
	for (size_t n = 0; n < c->settings.module_count; n++)
		add_module(c, k, n);
	core_view_pipeline(c, &p);
	k->status = health_worse(k->status, p.status);
}

#define OWN_COMPONENTS (3 + SHELL_PART_COUNT)

void core_check_up(struct core *c, enum check_type type, struct checkup *out)
{
	size_t most = OWN_COMPONENTS + c->settings.route_count + c->settings.module_count;

	*out = (struct checkup){
		.components = xcalloc(most, sizeof *out->components),
		.uptime_seconds = (c->now_ms - c->created_ms) / 1000,
	};
	if (type == CHECK_DETAILED)
		add_details(c, out);
	else if (type == CHECK_READINESS)
		add_readiness(c, out);
	else
		add(c, out, "broker", HEALTH_HEALTHY, "it answers");
}

void checkup_finish(struct checkup *k)
{
	free(k->components);
}
