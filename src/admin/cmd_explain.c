/* cmd_explain.c - explain: finds what was asked for, then tells its story (explain_story.c) */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin/explain.h"
#include "admin/selection.h"
#include "base/datetime.h"

#define SEARCH_US_PER_STEP 3000		/* then the loop goes on */

static const struct report_column columns[] = {
	{ .name = "batch_id", .width = 36 },
	{ .name = "route", .width = 12 },
	{ .name = "state", .width = 8 },
	{ .name = "reason", .width = 14 },
	{ .name = "received", .width = 23 },
	{ .name = "records", .width = 7, .right = true },
	{ .name = "source", .width = 16 },
	{ .name = "correlation_id" },
};

static bool begin(struct admin_job *job, struct explain *s)
{
	const char *text = job->arguments[0];
	struct selection options;

	s->stage = EXPLAIN_SEARCH;
	s->before = UINT64_MAX;
	if (!selection_take(job, 0, &options))
		return false;
	if (*text == '\0' || strlen(text) > SEARCH_TEXT_MAX)
		return job_fail(job, ADMIN_USAGE, "an id has 1 to %d bytes", SEARCH_TEXT_MAX);
	snprintf(s->search.text, sizeof(s->search.text), "%s", text);
	s->search.only = options.route;
	s->search.record = job_option(job, "--record") != NULL;
	return true;
}

static bool on_found(void *arg, const struct route *r, const struct uuid *batch_id)
{
	struct explain *s = arg;

	for (unsigned i = 0; i < s->count; i++)
		if (s->matches[i].route == r && uuid_equal(&s->matches[i].batch_id, batch_id))
			return true;
	s->more = s->count == EXPLAIN_MATCHES_MAX;
	if (!s->more)
		s->matches[s->count++] = (struct explain_match){ r, *batch_id };
	return !s->more;
}

/* A whole batch_id that is known: nothing else is meant, so the rest need not be looked through. */
static bool is_sure(const struct explain *s)
{
	struct uuid id;

	return !s->search.record && s->search.stage > 0 && s->count > 0 &&
	       uuid_parse(s->search.text, strlen(s->search.text), &id);
}

static bool search_step(struct admin_job *job, struct explain *s)
{
	const int64_t until_us = clock_monotonic_us() + SEARCH_US_PER_STEP;

	do {
		if (!core_search(job->admin->core, &s->search, on_found, s) || is_sure(s))
			return false;
	} while (clock_monotonic_us() < until_us);
	return true;
}

/* --- several ---------------------------------------------------------------------------------- */

static bool put_match(void *arg, const struct batch_view *v)
{
	const struct explain_origin o = explain_origin(v);
	struct admin_job *job = arg;
	struct report *r = &job->report;

	report_text(r, NULL, batch_state_name(v->state));
	report_text(r, NULL, v->reason != REASON_NONE ? reason_name(v->reason) : NULL);
	look_time(r, NULL, o.received_at_us);
	report_number(r, NULL, (int64_t)o.record_count);
	look_instance(r, NULL, job->admin->core, o.source);
	report_bytes_as_text(r, NULL, o.correlation.p, o.correlation.n);
	return true;
}

static bool list_matches(struct admin_job *job, const struct explain *s)
{
	struct report *r = &job->report;
	char text[160];

	job->code = ADMIN_NOTHING;
	snprintf(text, sizeof(text), "%s%u batches match: say more of the id%s.",
		 s->more ? "more than " : "", s->count,
		 s->search.only == NULL ? ", or --route" : "");
	report_sentence(r, text);
	report_table(r, "matches", columns, sizeof(columns) / sizeof(columns[0]));
	for (unsigned i = 0; i < s->count; i++) {
		const struct explain_match *m = &s->matches[i];

		report_row(r);
		look_uuid(r, NULL, &m->batch_id);
		report_text(r, NULL, route_settings(m->route)->name);
		if (!core_view_batch(job->admin->core, m->route, &m->batch_id, put_match, job))
			for (int column = 2; column < 8; column++)
				report_none(r, NULL);
		report_close(r);
	}
	report_close(r);
	report_bool(r, "more", s->more);
	return false;
}

/* --- none: what persons removed --------------------------------------------------------------- */

static bool is_purge_of(const struct action *a, const char *text)
{
	char id[UUID_TEXT_LEN + 1];

	if (a->event != JOURNAL_PURGED || !a->has_batch)
		return false;
	uuid_format(&a->batch_id, id);
	return strncasecmp(id, text, strlen(text)) == 0;
}

static void put_purge(struct admin_job *job, const struct action *a)
{
	const struct route *route = core_route_by_number(job->admin->core, a->route);
	struct report *r = &job->report;

	look_uuid(r, "batch_id", &a->batch_id);
	report_text(r, "route", route != NULL ? route_settings(route)->name : NULL);
	report_text(r, "state", "PURGED");
	look_time(r, "purged_at", a->at_us);
	report_text(r, "by", a->who);
	report_text(r, "why", a->text[0] != '\0' ? a->text : NULL);
	report_text(r, "next", "nothing: the batch is gone for ever");
}

/* True when older ones are left to look at. */
static bool search_actions(struct admin_job *job, struct explain *s)
{
	struct action a;

	for (int n = 0; n < LOOK_ROWS_PER_STEP; n++) {
		if (store_action_previous(job->admin->store, s->before, &a) != 0)
			return false;
		s->before = a.number;
		if (is_purge_of(&a, s->search.text)) {
			put_purge(job, &a);
			s->purged = true;
			return false;
		}
	}
	return true;
}

static bool nothing_found(struct admin_job *job, const struct explain *s)
{
	const char *text = s->search.text;

	if (s->search.record && s->search.looked > RECORD_SEARCH_BYTES)
		return job_fail(job, ADMIN_NOTHING, "the first GiB of stored records has no record "
				"\"%s\": say --route to look into others", text);
	if (s->search.record)
		return job_fail(job, ADMIN_NOTHING, "no batch in custody and no dead letter has "
				"the record \"%s\"; a record_id has to be whole", text);
	if (s->search.gave_up)
		return job_fail(job, ADMIN_NOTHING, "no batch_id or message_id begins with \"%s\", and "
				"no correlation_id is that; too many have the same first 8 bytes to look at "
				"them all: give the whole correlation_id", text);
	return job_fail(job, ADMIN_NOTHING, "nothing is known of \"%s\": no batch_id, "
			"correlation_id or message_id in custody, among dead letters or in history "
			"begins so%s", text, s->search.only != NULL ? " on this route" : "");
}

bool cmd_explain(struct admin_job *job)
{
	struct explain *s = job_state(job, sizeof(*s));

	if (s->stage == EXPLAIN_BEGIN && !begin(job, s))
		return false;
	if (s->stage == EXPLAIN_SEARCH) {
		if (search_step(job, s))
			return true;
		if (s->count > 1)
			return list_matches(job, s);
		s->stage = s->count == 1 ? EXPLAIN_HEAD : EXPLAIN_ACTIONS;
	}
	if (s->stage == EXPLAIN_ACTIONS)
		return search_actions(job, s) ||
		       (!s->purged && nothing_found(job, s));
	return explain_story_step(job, s);
}
