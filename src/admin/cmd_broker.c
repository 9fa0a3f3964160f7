/* cmd_broker.c - kick, drain: instances, and the broker as a whole */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/change.h"

bool cmd_kick(struct admin_job *job)
{
	const char *name = job->arguments[0], *slash = strchr(name, '/');
	char module[MODULE_NAME_MAX + 1], who[ACTION_WHO_MAX + 1];
	const struct hand hand = job_hand(job, who);

	if (slash == NULL || slash == name || slash[1] == '\0' ||
	    (size_t)(slash - name) > MODULE_NAME_MAX)
		return job_fail(job, ADMIN_USAGE, "whom: MODULE/INSTANCE, as BETA/worker-3");
	snprintf(module, sizeof(module), "%.*s", (int)(slash - name), name);
	if (!core_kick(job->admin->core, module, span_of(slash + 1), &hand))
		return job_fail(job, ADMIN_NOTHING, "%s is not connected", name);
	report_text(&job->report, "kicked", name);
	return false;
}

#define PROGRESS_MS 1000

/* What a drain remembers while it waits. */
struct drain {
	uint64_t progress_ms;		/* when it told how far it is; 0 never */
};

static void say_progress(struct admin_job *job, struct drain *d)
{
	char text[128];

	if (job->report.json || job_option(job, "--progress") == NULL ||
	    (d->progress_ms != 0 && job->admin->now_ms < d->progress_ms + PROGRESS_MS))
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " out, waits until there is none",
		 core_assigned(job->admin->core));
	report_sentence(&job->report, text);
	d->progress_ms = job->admin->now_ms;
}

/*
 * Whoever goes away while it waits leaves it draining: he wanted it idle, and did not take that
 * back. A restart does.
 */
bool cmd_drain(struct admin_job *job)
{
	const bool on = job_option(job, "--off") == NULL;
	struct core *core = job->admin->core;
	char who[ACTION_WHO_MAX + 1];
	const struct hand hand = job_hand(job, who);

	if (job->state == NULL) {
		job_state(job, sizeof(struct drain));
		if (!on && !core_is_draining(core))
			return job_fail(job, ADMIN_NOTHING, "the broker is not draining");
		core_set_draining(core, on, &hand);
	}
	if (on && !job_is_left(job) && !core_is_draining(core))
		return job_fail(job, ADMIN_NOT_NOW, "somebody has ended the draining");
	if (on && !job_is_left(job) && core_assigned(core) > 0) {
		say_progress(job, job->state);
		job_wait(job, JOB_POLL_MS);
		return true;
	}
	report_bool(&job->report, "draining", on);
	report_number(&job->report, "assigned", (int64_t)core_assigned(core));
	return false;
}
