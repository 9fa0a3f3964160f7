/* cmd_confirmations.c - confirmations: batches that have ended and whose target is to say more */
#include <strings.h>

#include "admin/look.h"
#include "admin/selection.h"

static const struct report_column columns[] = {
	{ .name = "batch_id", .width = 36 },
	{ .name = "route", .width = 12 },
	{ .name = "state", .width = 9 },
	{ .name = "source", .width = 14 },
	{ .name = "holder", .width = 14 },
	{ .name = "records", .width = 7, .right = true },
	{ .name = "delivered", .width = 9, .right = true },
	{ .name = "failed", .width = 6, .right = true },
	{ .name = "dlq", .width = 5, .right = true },
	{ .name = "due", .width = 23 },
	{ .name = "correlation_id" },
};

static const char *const state_names[] = {
	[CONFIRM_EARLY] = "EARLY", [CONFIRM_AWAITED] = "AWAITED",
	[CONFIRM_AMBIGUOUS] = "AMBIGUOUS", [CONFIRM_COMPLETE] = "COMPLETE",
};
#define STATES (sizeof(state_names) / sizeof(state_names[0]))

struct confirmations {
	bool begun;
	unsigned states;		/* bits */
	const struct route *only;
	size_t route;
	uint64_t after;
};

static bool take_state(struct admin_job *job, struct confirmations *s)
{
	const char *name = job_option(job, "--state");

	s->states = 1u << CONFIRM_AWAITED | 1u << CONFIRM_AMBIGUOUS;
	if (name == NULL)
		return true;
	for (size_t i = 0; i < STATES; i++)
		if (strcasecmp(name, state_names[i]) == 0) {
			s->states = 1u << i;
			return true;
		}
	return job_fail(job, ADMIN_USAGE, "--state is early, awaited, ambiguous or complete");
}

static bool begin(struct admin_job *job, struct confirmations *s)
{
	const char *name = job_option(job, "--route");

	s->begun = true;
	if (name != NULL && (s->only = selection_route(job, name)) == NULL)
		return false;
	if (!take_state(job, s))
		return false;
	report_table(&job->report, "confirmations", columns, sizeof(columns) / sizeof(columns[0]));
	return true;
}

static void put_row(struct admin_job *job, const struct route *route,
    const struct confirmation *k)
{
	struct core *core = job->admin->core;
	struct report *r = &job->report;

	report_row(r);
	look_uuid(r, NULL, &k->batch_id);
	report_text(r, NULL, route_settings(route)->name);
	report_text(r, NULL, state_names[k->state]);
	look_instance(r, NULL, core, k->source);
	look_instance(r, NULL, core, k->holder);
	report_number(r, NULL, (int64_t)k->record_count);
	report_number(r, NULL, (int64_t)k->delivered);
	report_number(r, NULL, (int64_t)k->failed);
	report_number(r, NULL, (int64_t)k->dlq);
	look_time(r, NULL, k->due_ms != 0 ? core_wall_of(core, k->due_ms) : 0);
	report_bytes_as_text(r, NULL, k->correlation, k->correlation_len);
	report_close(r);
}

/* The next of the route; false when there are no more of it. */
static bool look_at_next(struct admin_job *job, struct confirmations *s, const struct route *route)
{
	struct confirmation k;

	if (store_confirm_next(job->admin->store, core_route_number(route), s->after, &k) != 0)
		return false;
	s->after = k.id;
	if ((s->states & 1u << k.state) != 0)
		put_row(job, route, &k);
	return true;
}

bool cmd_confirmations(struct admin_job *job)
{
	struct confirmations *s = job_state(job, sizeof(*s));
	struct core *core = job->admin->core;

	if (!s->begun && !begin(job, s))
		return false;
	for (int n = 0; n < LOOK_ROWS_PER_STEP && !look_is_full(job); n++) {
		const struct route *route;

		if (s->route == core_route_count(core))
			return false;
		route = core_route(core, s->route);
		if ((s->only != NULL && s->only != route) || !look_at_next(job, s, route)) {
			s->route++;
			s->after = 0;
		}
	}
	return true;
}
