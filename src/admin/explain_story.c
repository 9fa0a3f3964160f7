/*
 * explain_story.c - what has happened to a batch, from the journal and the records of its state
 *
 * Of an ordinary batch the journal has nothing: that it was received, that it is out, and how it
 * ended stands in its own record and in history.
 */
#include <stdio.h>
#include <string.h>

#include "admin/explain.h"
#include "admin/story.h"

static void put_event(struct admin_job *job, const struct journal_line *l, const char *event)
{
	story_line(&job->report, job->admin->core, l, event);
}

/* --- who it is -------------------------------------------------------------------------------- */

static void put_batch(struct report *r, const struct batch *b)
{
	report_size(r, "bytes", b->payload_bytes);
	report_text(r, "priority", b->critical ? "CRITICAL" : "NORMAL");
	report_number(r, "sequence_number", (int64_t)b->sequence_number);
	report_number(r, "attempts", b->attempt);
	report_number(r, "redrives", b->redrives);
	report_bool(r, "suspect", b->suspect);
	report_bool(r, "held", b->held);
	if (b->derived)
		report_bool(r, "derived", true);
	if (b->has_parent)
		look_uuid(r, "parent", &b->parent);
}

static void put_end(struct report *r, const struct ended *e, bool alone)
{
	if (alone)
		report_number(r, "attempts", e->attempt);
	if (e->dead) {
		look_code(r, "code", e->error_code);
		return;
	}
	report_number(r, "accepted", (int64_t)e->accepted);
	report_number(r, "rejected", (int64_t)e->rejected);
	report_duration(r, "duration_ms", (int64_t)e->duration_ms);
	if (e->partial)
		report_bool(r, "kept_whole", true);
}

struct explain_origin explain_origin(const struct batch_view *v)
{
	const struct batch *b = v->batch;
	const struct ended *e = v->end;

	if (b != NULL)
		return (struct explain_origin){ &b->batch_id, b->id, b->source, b->received_at_us,
			b->record_count, { b->correlation, b->correlation_len } };
	return (struct explain_origin){ &e->batch_id, e->id, e->source, e->received_at_us,
		e->record_count, { e->correlation, e->correlation_len } };
}

static void put_head(struct admin_job *job, const struct batch_view *v)
{
	const struct explain_origin o = explain_origin(v);
	struct report *r = &job->report;

	look_uuid(r, "batch_id", o.batch_id);
	report_text(r, "route", route_settings(v->route)->name);
	look_instance(r, "source", job->admin->core, o.source);
	look_time(r, "received", o.received_at_us);
	report_number(r, "records", (int64_t)o.record_count);
	if (v->batch != NULL)
		put_batch(r, v->batch);
	report_bytes_as_text(r, "correlation_id", o.correlation.p, o.correlation.n);
	if (v->end != NULL)
		put_end(r, v->end, v->batch == NULL);
}

/* --- what was --------------------------------------------------------------------------------- */

static void begin_events(struct admin_job *job, const struct batch_view *v)
{
	const struct explain_origin o = explain_origin(v);
	const bool made_here = v->batch != NULL && v->batch->has_parent;

	story_begin(&job->report, "story");
	put_event(job, &(struct journal_line){ .at_us = o.received_at_us,
		.instance = v->batch != NULL ? v->batch->series : o.source },
		made_here ? "parent received" : "received");
}

/* False when there is room for no more in this step. */
static bool put_journal(struct admin_job *job, struct explain *s, const struct batch_view *v)
{
	const uint64_t id = explain_origin(v).id;
	struct journal_line l;

	while (store_journal_next(job->admin->store, id, &s->line, &l) == 0) {
		s->told_dead |= l.event == JOURNAL_DEAD;
		put_event(job, &l, journal_event_name(l.event));
		if (look_is_full(job))
			return false;
	}
	return true;
}

static void put_out(struct admin_job *job, const struct batch_view *v)
{
	const struct batch *b = v->batch;
	struct journal_line l = { .at_us = v->assigned_at_us, .instance = b->holder,
		.attempt = b->attempt, .lease = b->lease };

	l.text_len = (uint16_t)snprintf(l.text, sizeof(l.text), "%s%s", v->received ?
		"the target said RECEIVED" : "the target has not said RECEIVED",
		b->redelivered ? "; had been delivered before" : "");
	put_event(job, &l, "delivered");
}

static void put_processed(struct admin_job *job, const struct ended *e)
{
	struct journal_line l = { .at_us = e->ended_at_us, .instance = e->holder,
		.attempt = e->attempt, .lease = e->lease };

	l.text_len = (uint16_t)snprintf(l.text, sizeof(l.text), "%llu accepted, %llu rejected, in "
		"%llu ms", (unsigned long long)e->accepted, (unsigned long long)e->rejected,
		(unsigned long long)e->duration_ms);
	put_event(job, &l, "processed");
}

/* What the journal does not say: where it is now, and how it ended. */
static void put_now(struct admin_job *job, const struct explain *s, const struct batch_view *v)
{
	const struct ended *e = v->end;

	if (v->state == BATCH_ASSIGNED)
		put_out(job, v);
	else if (e != NULL && !e->dead)
		put_processed(job, e);
	else if (e != NULL && !s->told_dead)
		put_event(job, &(struct journal_line){ .at_us = e->ended_at_us,
			.instance = e->holder, .attempt = e->attempt, .lease = e->lease,
			.code = e->error_code }, "dead");
	report_close(&job->report);
}

/* --- what its target said --------------------------------------------------------------------- */

static bool put_errors(struct admin_job *job, struct explain *s, const struct batch_view *v)
{
	struct stored_error one;

	if (v->end == NULL || v->end->error_count == 0)
		return true;
	if (s->error == 0)
		story_errors_begin(&job->report);
	while (stored_error_next(v->end->errors, v->end->errors_len, &s->error, &one)) {
		story_error(&job->report, &one);
		if (look_is_full(job))
			return false;
	}
	report_close(&job->report);
	return true;
}

static void put_confirmation(struct admin_job *job, const struct confirmation *k)
{
	static const char *const names[] = {
		[CONFIRM_EARLY] = "EARLY", [CONFIRM_AWAITED] = "AWAITED",
		[CONFIRM_AMBIGUOUS] = "AMBIGUOUS", [CONFIRM_COMPLETE] = "COMPLETE",
	};
	struct report *r = &job->report;

	report_object(r, "confirmation");
	report_text(r, "state", names[k->state]);
	report_number(r, "records", (int64_t)k->record_count);
	report_number(r, "delivered", (int64_t)k->delivered);
	report_number(r, "failed", (int64_t)k->failed);
	report_number(r, "dlq", (int64_t)k->dlq);
	look_time(r, "due", k->due_ms != 0 ? core_wall_of(job->admin->core, k->due_ms) : 0);
	report_close(r);
}

/* --- the steps -------------------------------------------------------------------------------- */

struct telling {
	struct admin_job *job;
	struct explain *explain;
};

/* As many pieces as there is room for in this step. */
static bool tell(void *arg, const struct batch_view *v)
{
	struct telling *t = arg;
	struct admin_job *job = t->job;
	struct explain *s = t->explain;

	if (s->stage == EXPLAIN_HEAD) {
		put_head(job, v);
		begin_events(job, v);
		s->stage = EXPLAIN_JOURNAL;
	}
	if (s->stage == EXPLAIN_JOURNAL) {
		if (!put_journal(job, s, v))
			return true;
		put_now(job, s, v);
		s->stage = EXPLAIN_ERRORS;
	}
	if (s->stage == EXPLAIN_ERRORS) {
		if (!put_errors(job, s, v))
			return true;
		s->stage = EXPLAIN_ADVICE;
	}
	if (v->confirmation != NULL)
		put_confirmation(job, v->confirmation);
	explain_state(job, v);
	s->stage = EXPLAIN_END;
	return true;
}

/* Its identity is there, and what it stands for cannot be read. */
static bool tell_damaged(struct admin_job *job, const struct explain_match *m)
{
	struct report *r = &job->report;

	look_uuid(r, "batch_id", &m->batch_id);
	report_text(r, "route", route_settings(m->route)->name);
	report_text(r, "state", batch_state_name(BATCH_DEAD));
	report_text(r, "reason", reason_name(REASON_DEAD));
	look_code(r, "code", INT_STORE_002);
	report_text(r, "next", "nothing: its record in the store is damaged, and it is never "
		    "delivered. Its payload may be whole; the log says which id it has");
	report_list(r, "do");
	report_text(r, NULL, "handoffctl audit");
	report_close(r);
	return false;
}

bool explain_story_step(struct admin_job *job, struct explain *s)
{
	const struct explain_match *m = &s->matches[0];
	struct telling t = { job, s };

	if (core_view_batch(job->admin->core, m->route, &m->batch_id, tell, &t))
		return s->stage != EXPLAIN_END;
	if (s->stage == EXPLAIN_HEAD)
		return tell_damaged(job, m);
	return job_fail(job, ADMIN_NOTHING, "it went on while it was looked at: ask again");
}
