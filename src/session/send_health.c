/* send_health.c - health checks: the broker's question, and its answer to a module's */
#include <stdlib.h>

#include "base/mem.h"
#include "core/checkup.h"
#include "session/send.h"

/* Of a module: its instances, those that are not well first, then what these say of themselves. */
#define CHECKS_OF_MODULE 32

void send_health_request(struct session *s)
{
	struct envelope e = send_envelope(s, NULL);

	encode_health_request(output_frames(s), &e, CHECK_DETAILED);
	output_done(s);
}

/* --- ModuleHealth ---------------------------------------------------------------------------- */

struct gathering {
	struct component_health *checks;	/* CHECKS_OF_MODULE of them */
	size_t count;
	bool healthy;			/* looks for these instances; else for the others */
	int64_t now_us;
};

static bool add_instance(void *arg, const struct instance_checkup *i)
{
	struct gathering *g = arg;

	if (g->count == CHECKS_OF_MODULE)
		return false;
	if ((i->status == HEALTH_HEALTHY) == g->healthy)
		g->checks[g->count++] = (struct component_health){
			.name = i->id,
			.status = i->status,
			.message = span_of(*i->why ? i->why : "connected"),
			.checked_at_us = i->answered_us ? i->answered_us : i->heard_us,
		};
	return true;
}

static bool add_components(void *arg, const struct instance_checkup *i)
{
	struct gathering *g = arg;

	for (size_t k = 0; k < i->component_count && g->count < CHECKS_OF_MODULE; k++)
		g->checks[g->count++] = component_said(&i->components[k]);
	return g->count < CHECKS_OF_MODULE;
}

static void gather_module(struct core *c, size_t n, struct component_health *checks,
    struct module_health_out *out)
{
	struct gathering g = { .checks = checks };
	struct module_checkup m;

	core_view_module(c, n, &m);
	core_visit_instances(c, n, add_instance, &g);
	g.healthy = true;
	core_visit_instances(c, n, add_instance, &g);
	core_visit_instances(c, n, add_components, &g);
	*out = (struct module_health_out){
		.name = span_of(m.name),
		.status = m.status,
		.checks = checks,
		.check_count = g.count,
		.was_seen = m.last_seen_us != 0,
		.last_seen_us = m.last_seen_us,
		.connected_instances = m.connected,
	};
}

/* --- the answer ------------------------------------------------------------------------------ */

static void encode_detailed(struct session *s, const struct envelope *e,
    struct health_response_out h)
{
	struct core *c = s->all->core;
	size_t count = core_module_count(c);
	struct module_health_out *modules = xcalloc(count, sizeof *modules);
	struct component_health *checks = xcalloc(count * CHECKS_OF_MODULE, sizeof *checks);
	struct pipeline_checkup p;

	for (size_t n = 0; n < count; n++)
		gather_module(c, n, &checks[n * CHECKS_OF_MODULE], &modules[n]);
	core_view_pipeline(c, &p);
	struct pipeline_health_out pipeline = {
		.overall_status = p.status,
		.modules = modules,
		.module_count = count,
		.circuits_open = p.circuits_open,
		.error_rate_1m = p.error_rate_1m,
		.records_per_second = p.records_per_second,
	};
	h.pipeline = &pipeline;
	encode_health_response(output_frames(s), e, &h);
	free(checks);
	free(modules);
}

void send_health_response(struct session *s, const struct message *m)
{
	enum check_type type = m->health_request.check_type;
	struct envelope e = send_envelope(s, m);
	struct checkup k;

	core_check_up(s->all->core, type, &k);
	struct component_health *checks = xcalloc(k.count, sizeof *checks);
	for (size_t n = 0; n < k.count; n++)
		checks[n] = component_said(&k.components[n]);
	struct health_response_out h = {
		.status = k.status,
		.checks = checks,
		.check_count = k.count,
		.uptime_seconds = k.uptime_seconds,
	};
	if (type == CHECK_DETAILED)
		encode_detailed(s, &e, h);
	else
		encode_health_response(output_frames(s), &e, &h);
	output_done(s);
	free(checks);
	checkup_finish(&k);
}
