/* cmd_health.c - health: the verdict on the pipeline and the broker, and what it comes from */
#include <stdio.h>

#include "admin/look.h"
#include "core/checkup.h"

#define COMPONENTS_PER_STEP 50
#define INSTANCES_SHOWN 10	/* of a module, those that are not HEALTHY; clients shows all */

static const struct report_column reason_columns[] = {
	{ .name = "status", .width = 9 },
	{ .name = "component", .width = 20 },
	{ .name = "message" },
};

static const struct report_column component_columns[] = {
	{ .name = "component", .width = 20 },
	{ .name = "status", .width = 9 },
	{ .name = "message" },
};

static const struct report_column module_columns[] = {
	{ .name = "module", .width = 10 },
	{ .name = "status", .width = 9 },
	{ .name = "judged", .width = 6 },
	{ .name = "instances", .width = 9, .right = true },
	{ .name = "unhealthy", .width = 9, .right = true },
	{ .name = "waiting", .width = 8, .right = true },
	{ .name = "buffer_depth", .width = 12, .right = true },
	{ .name = "last_seen", .width = 23 },
	{ .name = "message" },
};

static const struct report_column instance_columns[] = {
	{ .name = "instance", .width = 24 },
	{ .name = "status", .width = 9 },
	{ .name = "held", .width = 6, .right = true },
	{ .name = "oldest_since", .width = 23 },
	{ .name = "last_progress", .width = 23 },
	{ .name = "last_heard", .width = 23 },
	{ .name = "message" },
};
#define TABLE(columns) (columns), sizeof(columns) / sizeof((columns)[0])

enum stage { HEAD, REASONS, COMPONENTS, MODULES, INSTANCES };

struct health {
	enum stage stage;
	size_t at;
};

/* --- the parts -------------------------------------------------------------------------------- */

static void put_head(struct admin_job *job)
{
	struct report *r = &job->report;
	struct pipeline_checkup p;
	struct checkup k;

	core_view_pipeline(job->admin->core, &p);
	core_check_up(job->admin->core, CHECK_DETAILED, &k);
	report_text(r, "status", health_status_name(k.status));
	job->code = k.status == HEALTH_UNHEALTHY ? ADMIN_UNHEALTHY :
	    k.status == HEALTH_DEGRADED ? ADMIN_NOTHING : ADMIN_OK;
	report_duration(r, "uptime_ms", (int64_t)k.uptime_seconds * 1000);
	report_object(r, "pipeline");
	report_text(r, "status", health_status_name(p.status));
	report_text(r, "message", *p.why != '\0' ? p.why : NULL);
	report_number(r, "circuits_open", (int64_t)p.circuits_open);
	report_real(r, "error_rate_1m", p.error_rate_1m);
	report_real(r, "records_per_second", p.records_per_second);
	report_close(r);
	checkup_finish(&k);
}

static void put_component(struct report *r, const struct component *c, bool as_reason)
{
	if (as_reason && c->status == HEALTH_HEALTHY)
		return;
	report_row(r);
	if (as_reason)
		report_text(r, NULL, health_status_name(c->status));
	report_text(r, NULL, c->name);
	if (!as_reason)
		report_text(r, NULL, health_status_name(c->status));
	report_text(r, NULL, c->message);
	report_close(r);
}

/* False: there are more. */
static bool put_components(struct admin_job *job, struct health *s)
{
	struct checkup k;

	core_check_up(job->admin->core, CHECK_DETAILED, &k);
	for (int n = 0; n < COMPONENTS_PER_STEP && s->at < k.count; n++)
		put_component(&job->report, &k.components[s->at++], s->stage == REASONS);
	const bool done = s->at >= k.count;
	checkup_finish(&k);
	return done;
}

static void put_pipeline_reason(struct admin_job *job)
{
	struct pipeline_checkup p;
	struct component c = { .name = "pipeline" };

	core_view_pipeline(job->admin->core, &p);
	c.status = p.status;
	snprintf(c.message, sizeof(c.message), "%s", p.why);
	put_component(&job->report, &c, true);
}

static void put_module(struct admin_job *job, size_t n)
{
	struct report *r = &job->report;
	struct module_checkup m;

	core_view_module(job->admin->core, n, &m);
	report_row(r);
	report_text(r, NULL, m.name);
	report_text(r, NULL, health_status_name(m.status));
	report_bool(r, NULL, m.is_judged);
	report_number(r, NULL, (int64_t)m.connected);
	report_number(r, NULL, (int64_t)m.verdicts[HEALTH_UNHEALTHY]);
	report_number(r, NULL, (int64_t)m.waiting);
	if (m.has_buffer_depth)
		report_number(r, NULL, (int64_t)m.buffer_depth);
	else
		report_none(r, NULL);
	look_time(r, NULL, m.last_seen_us);
	report_text(r, NULL, *m.why != '\0' ? m.why : NULL);
	report_close(r);
}

struct showing {
	struct admin_job *job;
	int shown;
};

static bool put_instance(void *arg, const struct instance_checkup *i)
{
	struct showing *s = arg;
	struct report *r = &s->job->report;

	if (i->status == HEALTH_HEALTHY)
		return true;
	report_row(r);
	look_instance(r, NULL, s->job->admin->core, i->number);
	report_text(r, NULL, health_status_name(i->status));
	report_number(r, NULL, i->held);
	look_time(r, NULL, i->oldest_since_us);
	look_time(r, NULL, i->progress_us);
	look_time(r, NULL, i->heard_us);
	report_text(r, NULL, i->why);
	report_close(r);
	return ++s->shown < INSTANCES_SHOWN;
}

/* --- step by step ----------------------------------------------------------------------------- */

/* Where this stage's table is at its end; false: it is not yet. */
static bool put_stage(struct admin_job *job, struct health *s)
{
	struct core *core = job->admin->core;

	switch (s->stage) {
	case HEAD:
		put_head(job);
		report_table(&job->report, "reasons", TABLE(reason_columns));
		put_pipeline_reason(job);
		return true;
	case REASONS:
	case COMPONENTS:
		return put_components(job, s);
	case MODULES:
		put_module(job, s->at++);
		return s->at >= core_module_count(core);
	case INSTANCES:
		core_visit_instances(core, s->at++, put_instance,
		    &(struct showing){ .job = job });
		return s->at >= core_module_count(core);
	}
	return true;
}

bool cmd_health(struct admin_job *job)
{
	struct health *s = job_state(job, sizeof(*s));
	struct report *r = &job->report;

	if (!put_stage(job, s))
		return true;
	s->at = 0;
	if (s->stage == INSTANCES)
		return false;
	if (s->stage > HEAD)
		report_close(r);
	s->stage++;
	if (s->stage == COMPONENTS)
		report_table(r, "components", TABLE(component_columns));
	else if (s->stage == MODULES)
		report_table(r, "modules", TABLE(module_columns));
	else if (s->stage == INSTANCES)
		report_table(r, "instances", TABLE(instance_columns));
	return true;
}
