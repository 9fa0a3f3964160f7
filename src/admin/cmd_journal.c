/* cmd_journal.c - journal: what persons did, the newest first */
#include "admin/look.h"

#define LINES_DEFAULT 100

static const struct report_column columns[] = {
	{ .name = "number", .width = 6, .right = true },
	{ .name = "at", .width = 23 },
	{ .name = "who", .width = 20 },
	{ .name = "event", .width = 14 },
	{ .name = "route", .width = 12 },
	{ .name = "batch_id", .width = 36 },
	{ .name = "text" },
};

struct journal {
	bool begun;
	uint64_t before, left;
};

static void put_row(struct admin_job *job, const struct action *a)
{
	const struct route *route = core_route_by_number(job->admin->core, a->route);
	struct report *r = &job->report;

	report_row(r);
	report_number(r, NULL, (int64_t)a->number);
	look_time(r, NULL, a->at_us);
	report_text(r, NULL, a->who);
	report_text(r, NULL, journal_event_name(a->event));
	report_text(r, NULL, route != NULL ? route_settings(route)->name : NULL);
	if (a->has_batch)
		look_uuid(r, NULL, &a->batch_id);
	else
		report_none(r, NULL);
	report_text(r, NULL, a->text[0] != '\0' ? a->text : NULL);
	report_close(r);
}

bool cmd_journal(struct admin_job *job)
{
	struct journal *s = job_state(job, sizeof(*s));
	struct action a;

	if (!s->begun) {
		*s = (struct journal){ true, UINT64_MAX, LINES_DEFAULT };
		if (!job_number(job, "--limit", UINT32_MAX, &s->left))
			return false;
		report_table(&job->report, "journal", columns,
			     sizeof(columns) / sizeof(columns[0]));
	}
	while (s->left > 0 && !look_is_full(job)) {
		if (store_action_previous(job->admin->store, s->before, &a) != 0)
			return false;
		s->before = a.number;
		s->left--;
		put_row(job, &a);
	}
	return s->left > 0;
}
