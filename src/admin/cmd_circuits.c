/* cmd_circuits.c - circuits: what is left alone because it failed, and a person's hand */
#include <string.h>

#include "admin/change.h"
#include "admin/look.h"
#include "base/nearest.h"

#define CIRCUITS_MAX 320		/* the configuration's most routes and shared ones */

static const struct report_column columns[] = {
	{ .name = "circuit_id", .width = 16 },
	{ .name = "of", .width = 6 },
	{ .name = "state", .width = 9 },
	{ .name = "failures", .width = 8, .right = true },
	{ .name = "trips", .width = 6, .right = true },
	{ .name = "last_failure", .width = 23 },
	{ .name = "next_attempt", .width = 23 },
	{ .name = "opened_by", .width = 20 },
	{ .name = "reason" },
};

static void put_row(struct admin_job *job, const struct circuit_view *v)
{
	struct core *core = job->admin->core;
	struct report *r = &job->report;

	report_row(r);
	report_text(r, NULL, v->id);
	report_text(r, NULL, v->shared ? "shared" : "route");
	report_text(r, NULL, circuit_state_name(v->state));
	report_number(r, NULL, v->failures);
	report_number(r, NULL, (int64_t)v->trips_total);
	look_time(r, NULL, v->last_failure_us);
	look_time(r, NULL, v->next_attempt_ms != 0 ? core_wall_of(core, v->next_attempt_ms) : 0);
	report_text(r, NULL, v->forced ? v->who : NULL);
	report_text(r, NULL, v->forced && v->reason[0] != '\0' ? v->reason : NULL);
	report_close(r);
}

bool cmd_circuits(struct admin_job *job)
{
	size_t *at = job_state(job, sizeof(*at));
	struct core *core = job->admin->core;
	struct circuit_view v;

	if (*at == 0)
		report_table(&job->report, "circuits", columns,
			     sizeof(columns) / sizeof(columns[0]));
	for (int n = 0; n < LOOK_ROWS_PER_STEP && *at < core_circuit_count(core); n++) {
		core_view_circuit(core, (*at)++, &v);
		put_row(job, &v);
	}
	return *at < core_circuit_count(core);
}

/* Which it is, by its id. False, and told: there is none. */
static bool find(struct admin_job *job, const char *id, size_t *found)
{
	const struct core *core = job->admin->core;
	const char *names[CIRCUITS_MAX], *nearest;
	struct circuit_view v;
	size_t n = 0;

	for (; n < core_circuit_count(core) && n < CIRCUITS_MAX; n++) {
		core_view_circuit(core, n, &v);
		names[n] = v.id;
		if (strcmp(v.id, id) == 0) {
			*found = n;
			return true;
		}
	}
	nearest = nearest_word(id, names, n);
	job_fail(job, ADMIN_USAGE, "there is no circuit \"%.64s\"%s%s%s", id,
		 nearest != NULL ? ", did you mean \"" : "", nearest != NULL ? nearest : "",
		 nearest != NULL ? "\"?" : "");
	return false;
}

static void force(struct admin_job *job, bool open)
{
	struct core *core = job->admin->core;
	const char *name = job->arguments[0];
	size_t n;
	char who[ACTION_WHO_MAX + 1];
	const struct hand hand = job_hand(job, who);

	if (!find(job, name, &n))
		return;
	if (!core_circuit_force(core, n, open, &hand)) {
		job_fail(job, ADMIN_NOTHING, "circuit %s is %s", name,
			 open ? "opened by a person already" : "closed");
		return;
	}
	report_text(&job->report, "circuit_id", name);
	report_text(&job->report, "state", circuit_state_name(open ? CIRCUIT_OPEN
								  : CIRCUIT_CLOSED));
}

bool cmd_circuits_open(struct admin_job *job)
{
	force(job, true);
	return false;
}

bool cmd_circuits_close(struct admin_job *job)
{
	force(job, false);
	return false;
}
