/* cmd_settle.c - confirmations settle: what was reconciled by hand is awaited no longer */
#include "admin/change.h"

/* The confirmation stands under the batch's own number, whatever the batch has become. */
bool cmd_confirmations_settle(struct admin_job *job)
{
	struct target_search *search = job->state;
	char who[ACTION_WHO_MAX + 1], why[512], id[UUID_TEXT_LEN + 1];
	const struct hand hand = job_hand(job, who);
	struct selection s;
	struct target t;

	if (search == NULL) {
		search = job_state(job, sizeof(*search));
		if (!selection_take(job, 0, &s))
			return false;
		search->only = s.route;
	}
	if (target_search_step(job->admin->core, search, job->arguments[0]))
		return true;
	if (!target_search_end(search, job->arguments[0], &t, why, sizeof(why)))
		return job_fail(job, ADMIN_NOTHING, "%s", why);
	if (core_settle_confirmation(job->admin->core, t.route, t.id, &hand, why, sizeof(why)) !=
	    OPERATED)
		return job_fail(job, ADMIN_NOTHING, "batch %.36s: %s", job->arguments[0], why);
	uuid_format(&t.batch_id, id);
	report_text(&job->report, "settled", id);
	report_text(&job->report, "route", route_settings(t.route)->name);
	return false;
}
