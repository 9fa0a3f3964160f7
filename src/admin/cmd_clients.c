/* cmd_clients.c - clients: the modules' instances, those that are connected, or all */
#include "admin/look.h"

#define CLIENTS_PER_STEP 50

static const struct report_column columns[] = {
	{ .name = "instance", .width = 24 },
	{ .name = "state", .width = 9 },
	{ .name = "health", .width = 9 },
	{ .name = "held", .width = 6, .right = true },
	{ .name = "max_in_flight", .width = 13, .right = true },
	{ .name = "oldest_batch_id", .width = 36 },
	{ .name = "oldest_since", .width = 23 },
	{ .name = "oldest_lease", .width = 12, .right = true },
	{ .name = "last_progress", .width = 23 },
	{ .name = "in_custody", .width = 10, .right = true },
	{ .name = "owed_notices", .width = 12 },
	{ .name = "last_used" },
};

static const char *state_name(const struct instance_view *v)
{
	if (!v->connected)
		return "away";
	return v->draining ? "draining" : v->paused ? "paused" : "connected";
}

static void put_row(struct admin_job *job, const struct instance_view *v)
{
	struct core *core = job->admin->core;
	struct report *r = &job->report;

	report_row(r);
	look_instance(r, NULL, core, v->number);
	report_text(r, NULL, state_name(v));
	report_text(r, NULL, v->connected ? health_status_name(v->health.status) : NULL);
	report_number(r, NULL, v->held);
	if (v->connected)
		report_number(r, NULL, v->max_in_flight);
	else
		report_none(r, NULL);
	if (v->oldest != NULL) {
		look_uuid(r, NULL, &v->oldest->batch_id);
		look_time(r, NULL, v->oldest_since_us);
		report_number(r, NULL, (int64_t)v->oldest->lease);
	} else {
		report_none(r, NULL);
		report_none(r, NULL);
		report_none(r, NULL);
	}
	look_time(r, NULL, v->connected ? v->health.progress_us : 0);
	report_number(r, NULL, (int64_t)v->live);
	report_bool(r, NULL, v->owed != 0);
	look_time(r, NULL, core_wall_of(core, v->last_used_ms));
	report_close(r);
}

struct clients {
	bool begun;
	uint32_t at;
};

bool cmd_clients(struct admin_job *job)
{
	const bool all = job_option(job, "--all") != NULL;
	struct clients *s = job_state(job, sizeof(*s));
	struct instance_view v;

	if (!s->begun)
		report_table(&job->report, "clients", columns,
			     sizeof(columns) / sizeof(columns[0]));
	s->begun = true;
	for (int n = 0; n < CLIENTS_PER_STEP && !look_is_full(job); n++) {
		if (!core_instance_next(job->admin->core, &s->at, &v))
			return false;
		if (v.connected || all)
			put_row(job, &v);
	}
	return true;
}
