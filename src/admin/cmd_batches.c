/* cmd_batches.c - batches: what is in custody or dead, in the order of route, state, custody */
#include "admin/look.h"
#include "admin/selection.h"
#include "wire/decode.h"

static const struct report_column columns[] = {
	{ .name = "batch_id", .width = 36 },
	{ .name = "route", .width = 12 },
	{ .name = "state", .width = 8 },
	{ .name = "reason", .width = 15 },
	{ .name = "attempt", .width = 7, .right = true },
	{ .name = "age_ms", .width = 10, .right = true },
	{ .name = "until", .width = 23 },
	{ .name = "records", .width = 7, .right = true },
	{ .name = "bytes", .width = 6, .right = true },
	{ .name = "source", .width = 14 },
	{ .name = "holder", .width = 14 },
	{ .name = "code", .width = 16 },
	{ .name = "correlation_id" },
};

struct batches {
	bool begun;
	uint64_t limit, shown;
	struct selection selection;
	struct selection_cursor cursor;
};

/* What the target called it; else what the broker did. */
static void put_code(struct report *r, const struct ended *e)
{
	struct stored_error first;
	size_t at = 0;

	if (e != NULL && stored_error_next(e->errors, e->errors_len, &at, &first) &&
	    first.code.n > 0)
		look_text(r, NULL, first.code);
	else
		look_code(r, NULL, e != NULL ? e->error_code : INT_NONE);
}

static bool put_row(void *arg, const struct batch_view *v)
{
	struct admin_job *job = arg;
	struct core *core = job->admin->core;
	const struct batch *b = v->batch;
	struct batches *s = job->state;
	struct report *r = &job->report;

	report_row(r);
	look_uuid(r, NULL, &b->batch_id);
	report_text(r, NULL, route_settings(v->route)->name);
	report_text(r, NULL, batch_state_name(v->state));
	report_text(r, NULL, reason_name(v->reason));
	report_number(r, NULL, b->attempt);
	report_duration(r, NULL, (look_now_us(core) - b->received_at_us) / 1000);
	look_time(r, NULL, v->until_ms != 0 ? core_wall_of(core, v->until_ms) : 0);
	report_number(r, NULL, (int64_t)b->record_count);
	report_size(r, NULL, b->payload_bytes);
	look_instance(r, NULL, core, b->source);
	look_instance(r, NULL, core, b->holder);
	put_code(r, v->end);
	report_bytes_as_text(r, NULL, b->correlation, b->correlation_len);
	report_close(r);
	return ++s->shown < s->limit && !look_is_full(job);
}

static bool begin(struct admin_job *job, struct batches *s)
{
	s->begun = true;
	s->limit = UINT64_MAX;
	if (!selection_take(job, 0, &s->selection) ||
	    !job_number(job, "--limit", UINT32_MAX, &s->limit))
		return false;
	report_table(&job->report, "batches", columns, sizeof(columns) / sizeof(columns[0]));
	return true;
}

bool cmd_batches(struct admin_job *job)
{
	struct batches *s = job_state(job, sizeof(*s));

	if (!s->begun && !begin(job, s))
		return false;
	core_select(job->admin->core, &s->selection, &s->cursor, LOOK_ROWS_PER_STEP, put_row, job);
	return !s->cursor.done && s->shown < s->limit;
}
