/* cmd_limits.c - limits: everything that has a ceiling, and the ceiling */
#include "admin/internal.h"

#define ROWS_PER_STEP 100

static const struct report_column columns[] = {
	{ .name = "limit", .width = 44 },
	{ .name = "value", .width = 10, .right = true },
	{ .name = "unit" },
};

static void put_row(struct report *r, const struct limit *l)
{
	static const char *const units[] = {
		[LIMIT_COUNT] = "count", [LIMIT_BYTES] = "bytes", [LIMIT_MS] = "ms",
	};

	report_row(r);
	report_text(r, NULL, l->name);
	if (l->unit == LIMIT_BYTES)
		report_size(r, NULL, l->value);
	else if (l->unit == LIMIT_MS)
		report_duration(r, NULL, l->value);
	else
		report_number(r, NULL, l->value);
	report_text(r, NULL, units[l->unit]);
	report_close(r);
}

/* The configuration may have hundreds of routes. */
bool cmd_limits(struct admin_job *job)
{
	const struct admin_settings *s = &job->admin->settings;
	const size_t count = s->limit_count + admin_limit_count;
	size_t *at = job_state(job, sizeof(*at));

	if (*at == 0)
		report_table(&job->report, "limits", columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t n = 0; n < ROWS_PER_STEP && *at < count; n++, ++*at)
		put_row(&job->report, *at < s->limit_count ? &s->limits[*at] :
			&admin_limits[*at - s->limit_count]);
	return *at < count;
}
