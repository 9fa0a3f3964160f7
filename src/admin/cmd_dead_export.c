/*
 * cmd_dead_export.c - dead export: letters as lines, each one JSON object
 *
 *	{"handoff_dead_letter":1,"route":…,"batch_id":…,…,"errors":"base64",…,"frame":"base64"}
 *
 * A letter may be as large as a frame, so that it leaves in slices over turns; for each the letter
 * is looked up anew. When it goes away meanwhile its line ends with "cut":true.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/change.h"
#include "admin/letter.h"
#include "admin/look.h"
#include "base/base64.h"

#define ROWS_PER_STEP 1000
#define ERRORS_SHOWN 8			/* decoded, for people; all of them are in the base64 */
#define SLICE_BYTES 45000		/* of the frame; a multiple of 3, ×4/3 less than a step */

enum stage { STAGE_BEGIN, STAGE_FIND, STAGE_NEXT, STAGE_ERRORS, STAGE_FRAME };

struct export {
	enum stage stage;
	struct selection selection;
	struct selection_cursor cursor;
	struct target_search search;
	struct target targets[ADMIN_WORDS_MAX];
	size_t target_count, target_next;
	struct target now;		/* the letter that is being written */
	bool has_one;
	struct report line;		/* JSON: holds no memory */
	size_t at;			/* in its frame */
	uint64_t written, cut;
};

static void put(struct admin_job *job, const char *text)
{
	buf_put(job->report.out, text, strlen(text));
}

/* --- which ------------------------------------------------------------------------------------ */

static bool begin(struct admin_job *job, struct export *x)
{
	const bool all = job_option(job, "--all") != NULL, by_id = job->argument_count > 0;

	if (job->report.json)
		return job_fail(job, ADMIN_USAGE, "an export is JSON, an object a line: ask without "
				"--json");
	if (job_option(job, "--output") != NULL)
		return job_fail(job, ADMIN_USAGE, "handoffctl writes the file, not the broker");
	if (!selection_take(job, 1u << BATCH_DEAD, &x->selection))
		return false;
	if (!by_id && !all && !selection_is_given(job))
		return job_fail(job, ADMIN_USAGE, "say which dead letters: batch_ids, what they have "
				"in common (--route NAME, …), or --all");
	x->stage = by_id ? STAGE_FIND : STAGE_NEXT;
	return true;
}

static bool find(struct admin_job *job, struct export *x)
{
	const char *text = job->arguments[x->target_count];
	char why[512];

	x->search.only = x->selection.route;
	x->search.state = BATCH_DEAD;
	if (target_search_step(job->admin->core, &x->search, text))
		return true;
	if (!target_search_end(&x->search, text, &x->targets[x->target_count], why, sizeof(why)))
		return job_fail(job, ADMIN_NOTHING, "%s; nothing was exported", why);
	x->search = (struct target_search){ .found = 0 };
	if (++x->target_count == job->argument_count)
		x->stage = STAGE_NEXT;
	return true;
}

static bool on_letter(void *arg, const struct batch_view *v)
{
	struct export *x = arg;

	x->now = (struct target){ v->route, v->batch->batch_id, BATCH_DEAD, v->batch->id };
	x->has_one = true;
	return false;
}

/* True when x->now is another letter, or *more says that it is worth looking further. */
static bool next(struct admin_job *job, struct export *x, bool *more)
{
	x->has_one = false;
	if (x->target_count > 0) {
		*more = x->target_next < x->target_count;
		x->has_one = *more;
		if (*more)
			x->now = x->targets[x->target_next++];
		return x->has_one;
	}
	if (!x->cursor.done)
		core_select(job->admin->core, &x->selection, &x->cursor, ROWS_PER_STEP, on_letter, x);
	*more = !x->cursor.done;
	return x->has_one;
}

/* --- one line --------------------------------------------------------------------------------- */

static bool letter(struct admin_job *job, const struct export *x, struct batch *b, struct ended *e)
{
	return store_dead_get(job->admin->store, core_route_number(x->now.route), x->now.id, b, e)
	    == 0;
}

static void put_base64(struct admin_job *job, const char *name, const void *p, size_t n)
{
	put(job, ",\"");
	put(job, name);
	put(job, "\":\"");
	if (n > 0)
		base64_encode(job->report.out, p, n);
	put(job, "\"");
}

static void put_head(struct admin_job *job, struct export *x, const struct batch *b,
    const struct ended *e)
{
	const struct route_settings *s = route_settings(x->now.route);
	struct report *r = &x->line;
	char name[INSTANCE_NAME_MAX];

	report_begin(r, job->report.out, true);
	report_number(r, "handoff_dead_letter", 1);
	report_text(r, "route", s->name);
	look_uuid(r, "batch_id", &b->batch_id);
	core_instance_name(job->admin->core, b->source, name, sizeof(name));
	report_text(r, "source", name);
	report_text(r, "target", s->target);
	report_text(r, "kind", letter_kind(b, e));
	report_text(r, "code", letter_code(e));
	report_number(r, "attempts", b->attempt);
	report_number(r, "redrives", b->redrives);
	report_time(r, "received_at", b->received_at_us);
	report_time(r, "dead_at", e->ended_at_us);
	report_bool(r, "derived", b->derived);
	look_uuid(r, "parent", b->has_parent ? &b->parent : NULL);
	put_base64(job, "errors", e->errors, e->errors_len);
}

static void put_span(struct report *r, const char *name, struct span text)
{
	text = letter_cut(text);
	report_bytes_as_text(r, name, text.p, text.n);
}

static void put_errors(struct export *x, const struct ended *e)
{
	struct report *r = &x->line;
	struct stored_error error;
	size_t at = 0;

	report_list(r, "errors_decoded");
	for (unsigned n = 0; n < ERRORS_SHOWN &&
	     stored_error_next(e->errors, e->errors_len, &at, &error); n++) {
		report_object(r, NULL);
		put_span(r, "code", error.code);
		put_span(r, "message", error.message);
		put_span(r, "field", error.field_name);
		put_span(r, "record_id", error.record_id);
		put_span(r, "expected", error.expected_value);
		put_span(r, "actual", error.actual_value);
		report_close(r);
	}
	report_close(r);
}

static void end_line(struct admin_job *job, struct export *x, const char *with)
{
	put(job, with);
	put(job, "}\n");
	x->stage = STAGE_NEXT;
}

/* True when that was the last slice. */
static bool put_slice(struct admin_job *job, struct export *x, const struct batch *b)
{
	const uint8_t *p = NULL;
	size_t n = 0;

	if (b->payload_bytes == 0 ||
	    store_payload_get(job->admin->store, b->id, false, &p, &n) != 0)
		n = 0;
	if (x->at == 0)
		put(job, ",\"frame\":\"");
	if (n > x->at) {
		const size_t left = n - x->at, slice = left < SLICE_BYTES ? left : SLICE_BYTES;

		base64_encode(job->report.out, p + x->at, slice);
		x->at += slice;
	}
	return x->at >= n;
}

/* --- the command ------------------------------------------------------------------------------ */

static bool finish(struct admin_job *job, const struct export *x)
{
	if (x->written + x->cut == 0)
		return job_fail(job, ADMIN_NOTHING, "there are no such dead letters");
	if (x->cut > 0)
		job->code = ADMIN_NOTHING;
	return false;
}

static bool start_letter(struct admin_job *job, struct export *x)
{
	struct batch b;
	struct ended e;
	bool more;

	if (!next(job, x, &more))
		return more || finish(job, x);
	if (!letter(job, x, &b, &e))
		return true;		/* purged since it was found */
	put_head(job, x, &b, &e);
	x->stage = STAGE_ERRORS;
	return true;
}

static bool go_on_with_letter(struct admin_job *job, struct export *x)
{
	struct batch b;
	struct ended e;

	if (!letter(job, x, &b, &e)) {
		x->cut++;
		end_line(job, x, x->at > 0 ? "\",\"cut\":true" : ",\"cut\":true");
		return true;
	}
	if (x->stage == STAGE_ERRORS) {
		put_errors(x, &e);
		x->stage = STAGE_FRAME;
		x->at = 0;
	} else if (put_slice(job, x, &b)) {
		x->written++;
		x->at = 0;
		end_line(job, x, "\"");
	}
	return true;
}

bool cmd_dead_export(struct admin_job *job)
{
	struct export *x = job_state(job, sizeof(*x));

	if (job_is_left(job))
		return false;
	switch (x->stage) {
	case STAGE_BEGIN:
		return begin(job, x);
	case STAGE_FIND:
		return find(job, x);
	case STAGE_NEXT:
		return start_letter(job, x);
	default:
		return go_on_with_letter(job, x);
	}
}
