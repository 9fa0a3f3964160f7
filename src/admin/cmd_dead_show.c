/* cmd_dead_show.c - dead show: all there is to know of one letter, a piece a turn */
#include <inttypes.h>
#include <stdio.h>

#include "admin/change.h"
#include "admin/letter.h"
#include "admin/story.h"

#define IDS_PER_STEP 64
#define IDS_MAX 1000			/* record ids that are shown */

enum stage { STAGE_FIND, STAGE_HEAD, STAGE_ERRORS, STAGE_JOURNAL, STAGE_RECORDS };

struct show {
	enum stage stage;
	struct target_search search;
	struct target target;
	size_t at;			/* in the errors, or in the records */
	uint32_t line;			/* of the journal */
	unsigned ids;
};

/* The letter as it is in this turn; false, and the job ends, when it has gone meanwhile. */
static bool letter(struct admin_job *job, const struct show *s, struct batch *b, struct ended *e)
{
	if (store_dead_get(job->admin->store, core_route_number(s->target.route), s->target.id, b,
			   e) == 0)
		return true;
	return job_fail(job, ADMIN_NOTHING, "batch %.36s is no dead letter any more",
			job->arguments[0]);
}

static bool find(struct admin_job *job, struct show *s)
{
	struct selection selection;
	char why[512];

	if (!selection_take(job, 0, &selection))
		return false;
	s->search.only = selection.route;
	s->search.state = BATCH_DEAD;
	if (target_search_step(job->admin->core, &s->search, job->arguments[0]))
		return true;
	if (!target_search_end(&s->search, job->arguments[0], &s->target, why, sizeof(why)))
		return job_fail(job, ADMIN_NOTHING, "%s", why);
	s->stage = STAGE_HEAD;
	return true;
}

/* --- the head --------------------------------------------------------------------------------- */

static void put_checksum(struct report *r, const struct batch *b)
{
	char text[2 * sizeof(b->checksum) + 1];

	for (size_t i = 0; i < sizeof(b->checksum); i++)
		snprintf(text + 2 * i, 3, "%02x", b->checksum[i]);
	report_text(r, "checksum", text);
}

static void put_reasons(struct report *r, const struct batch *b, const struct ended *e)
{
	report_text(r, "code", letter_code(e));
	report_text(r, "meaning", letter_meaning(e));
	report_number(r, "errors_count", e->error_count);
	report_number(r, "attempts", b->attempt);
	report_number(r, "redrives", b->redrives);
	look_time(r, "received_at", b->received_at_us);
	look_time(r, "dead_at", e->ended_at_us);
}

/* What only the stored frame knows. */
static void put_frame(struct admin_job *job, const struct batch *b)
{
	struct report *r = &job->report;
	struct header_ids ids = { .has_message_id = false };
	const uint8_t *p;
	size_t n;
	const bool sound = b->payload_bytes > 0 &&
			   store_payload_get(job->admin->store, b->id, true, &p, &n) == 0;

	if (sound)
		frame_header_ids(p, n, &ids);
	look_uuid(r, "message_id", ids.has_message_id ? &ids.message_id : NULL);
	look_time(r, "created_at", ids.has_created_at ? ids.created_at_us : 0);
	report_bool(r, "damaged", !sound);
}

static void put_head(struct admin_job *job, const struct show *s, const struct batch *b,
    const struct ended *e)
{
	struct report *r = &job->report;

	look_uuid(r, "batch_id", &b->batch_id);
	report_text(r, "route", route_settings(s->target.route)->name);
	report_text(r, "kind", letter_kind(b, e));
	look_uuid(r, "parent_batch_id", b->has_parent ? &b->parent : NULL);
	put_reasons(r, b, e);
	look_instance(r, "source", job->admin->core, b->source);
	look_instance(r, "holder", job->admin->core, b->holder);
	report_bytes_as_text(r, "correlation_id", b->correlation_len > 0 ? b->correlation : NULL,
			     b->correlation_len);
	put_frame(job, b);
	report_number(r, "sequence_number", (int64_t)b->sequence_number);
	report_number(r, "records", (int64_t)b->record_count);
	report_number(r, "records_rejected", (int64_t)e->rejected);
	report_size(r, "size_bytes", b->payload_bytes);
	report_bool(r, "critical", b->critical);
	put_checksum(r, b);
}

/* --- what may be long ------------------------------------------------------------------------- */

static bool put_errors(struct admin_job *job, struct show *s, const struct ended *e)
{
	struct stored_error error;

	if (s->at == 0)
		story_errors_begin(&job->report);
	while (stored_error_next(e->errors, e->errors_len, &s->at, &error)) {
		story_error(&job->report, &error);
		if (look_is_full(job))
			return true;
	}
	report_close(&job->report);
	s->at = 0;
	return false;
}

static bool put_journal(struct admin_job *job, struct show *s)
{
	struct journal_line line;

	if (s->line == 0)
		story_begin(&job->report, "journal");
	while (store_journal_next(job->admin->store, s->target.id, &s->line, &line) == 0) {
		story_line(&job->report, job->admin->core, &line, journal_event_name(line.event));
		if (look_is_full(job))
			return true;
	}
	report_close(&job->report);
	return false;
}

static bool records_of(struct admin_job *job, const struct batch *b, struct span *out)
{
	const uint8_t *p;
	int64_t found;
	size_t n;

	if (store_payload_get(job->admin->store, b->id, true, &p, &n) != 0 ||
	    (uint64_t)b->records_off + b->records_len > n)
		return false;
	*out = (struct span){ (const char *)p + b->records_off, b->records_len };
	return records_check(*out, b->record_count, &found);
}

static bool put_records(struct admin_job *job, struct show *s, const struct batch *b)
{
	struct span records = { 0 }, ids[IDS_PER_STEP];
	size_t n = 0;

	if (s->ids == 0)
		report_list(&job->report, "record_ids");
	if (records_of(job, b, &records))
		n = records_ids(records, &s->at, ids, IDS_PER_STEP);
	for (size_t i = 0; i < n && s->ids < IDS_MAX; i++, s->ids++) {
		ids[i] = letter_cut(ids[i]);
		report_bytes_as_text(&job->report, NULL, ids[i].p, ids[i].n);
	}
	if (n > 0 && s->ids < IDS_MAX)
		return true;
	report_close(&job->report);
	report_bool(&job->report, "more_record_ids", s->ids < b->record_count);
	return false;
}

bool cmd_dead_show(struct admin_job *job)
{
	struct show *s = job_state(job, sizeof(*s));
	struct batch b;
	struct ended e;

	if (s->stage == STAGE_FIND)
		return find(job, s);
	if (!letter(job, s, &b, &e))
		return false;
	switch (s->stage) {
	case STAGE_HEAD:
		put_head(job, s, &b, &e);
		s->stage = STAGE_ERRORS;
		return true;
	case STAGE_ERRORS:
		if (!put_errors(job, s, &e))
			s->stage = STAGE_JOURNAL;
		return true;
	case STAGE_JOURNAL:
		if (put_journal(job, s))
			return true;
		s->stage = STAGE_RECORDS;
		return job_option(job, "--records") != NULL;
	default:
		return put_records(job, s, &b);
	}
}
