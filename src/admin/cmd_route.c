/* cmd_route.c - pause, resume: the deliveries of one route, by a person's hand */
#include "admin/change.h"

static bool set_paused(struct admin_job *job, bool paused)
{
	struct core *core = job->admin->core;
	const char *name = job->arguments[0];
	const struct route *r = selection_route(job, name);
	char who[ACTION_WHO_MAX + 1];
	const struct hand hand = job_hand(job, who);

	struct route_view v;

	if (r == NULL)
		return false;
	core_view_route(core, r, &v);
	if (!paused && v.control->halted && *hand.reason == '\0')
		return job_fail(job, ADMIN_USAGE, "route %s was halted by %s: say why it may go on, "
				"with --reason TEXT", name, v.control->who);
	if (!core_pause(core, r, paused, &hand))
		return job_fail(job, ADMIN_NOTHING, "route %s is %s", name,
				paused ? "paused already" : "not paused");
	report_text(&job->report, "route", name);
	report_bool(&job->report, "paused", paused);
	return false;
}

bool cmd_pause(struct admin_job *job)
{
	return set_paused(job, true);
}

bool cmd_resume(struct admin_job *job)
{
	return set_paused(job, false);
}
