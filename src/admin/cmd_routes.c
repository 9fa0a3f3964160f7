/* cmd_routes.c - routes: all of them, a line each */
#include "admin/look.h"

#define ROUTES_PER_STEP 64

static const struct report_column columns[] = {
	{ .name = "name", .width = 16 },
	{ .name = "source", .width = 8 },
	{ .name = "target", .width = 8 },
	{ .name = "state", .width = 7 },
	{ .name = "depth", .width = 7, .right = true },
	{ .name = "ready", .width = 7, .right = true },
	{ .name = "assigned", .width = 8, .right = true },
	{ .name = "waiting", .width = 7, .right = true },
	{ .name = "held", .width = 5, .right = true },
	{ .name = "suspects", .width = 8, .right = true },
	{ .name = "dead", .width = 6, .right = true },
	{ .name = "bytes", .width = 7, .right = true },
	{ .name = "drain_per_s", .width = 11, .right = true },
	{ .name = "oldest_age_ms", .width = 13, .right = true },
	{ .name = "sources", .width = 7, .right = true },
	{ .name = "targets", .width = 7, .right = true },
};

const char *route_state_name(const struct route_view *v)
{
	const struct route_settings *s = v->settings;

	if (v->control->halted)
		return "halted";
	if (v->control->paused)
		return "paused";
	if (v->depth >= s->queue_capacity || v->counters->bytes >= s->queue_capacity_bytes)
		return "full";
	return v->pressed ? "pressed" : "open";
}

uint64_t route_letters(const struct route_view *v)
{
	return v->counters->dead + v->counters->derived_dead;
}

void route_put_age(struct report *r, const char *name, const struct core *core,
    const struct route_view *v)
{
	const int64_t age_us = look_now_us(core) - (int64_t)v->oldest_ready_us;

	if (v->oldest_ready_us == 0)
		report_none(r, name);
	else
		report_duration(r, name, age_us > 0 ? age_us / 1000 : 0);
}

static void put_row(struct admin_job *job, const struct route_view *v)
{
	const struct route_counters *n = v->counters;
	struct report *r = &job->report;

	report_row(r);
	report_text(r, NULL, v->settings->name);
	report_text(r, NULL, v->settings->source);
	report_text(r, NULL, v->settings->target);
	report_text(r, NULL, route_state_name(v));
	report_number(r, NULL, (int64_t)v->depth);
	report_number(r, NULL, (int64_t)(n->ready_critical + n->ready_normal));
	report_number(r, NULL, (int64_t)n->assigned);
	report_number(r, NULL, (int64_t)n->waiting);
	report_number(r, NULL, (int64_t)n->ready_held);
	report_number(r, NULL, (int64_t)n->ready_suspect);
	report_number(r, NULL, (int64_t)route_letters(v));
	report_size(r, NULL, (int64_t)n->bytes);
	report_real(r, NULL, v->drain_rate);
	route_put_age(r, NULL, job->admin->core, v);
	report_number(r, NULL, (int64_t)v->sources);
	report_number(r, NULL, (int64_t)v->targets);
	report_close(r);
}

struct routes {
	bool begun;
	size_t at;
};

static bool list_routes(struct admin_job *job)
{
	struct routes *s = job_state(job, sizeof(*s));
	struct core *core = job->admin->core;
	const size_t count = core_route_count(core);
	struct route_view v;

	if (!s->begun)
		report_table(&job->report, "routes", columns, sizeof(columns) / sizeof(columns[0]));
	s->begun = true;
	for (size_t n = 0; n < ROUTES_PER_STEP && s->at < count; n++) {
		core_view_route(core, core_route(core, s->at++), &v);
		put_row(job, &v);
	}
	return s->at < count;
}

bool cmd_routes(struct admin_job *job)
{
	return job->argument_count > 0 ? route_describe(job, job->arguments[0]) : list_routes(job);
}
