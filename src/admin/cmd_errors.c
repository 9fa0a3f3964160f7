/* cmd_errors.c - errors: what the broker has heard of errors and made itself, the newest first */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin/look.h"
#include "admin/selection.h"

#define ROWS_DEFAULT 100

static const struct report_column columns[] = {
	{ .name = "number", .width = 6, .right = true },
	{ .name = "at", .width = 23 },
	{ .name = "module", .width = 7 },
	{ .name = "severity", .width = 8 },
	{ .name = "scope", .width = 8 },
	{ .name = "code", .width = 18 },
	{ .name = "batch_id", .width = 36 },
	{ .name = "record_id", .width = 10 },
	{ .name = "correlation_id", .width = 12 },
	{ .name = "message" },
};

struct errors {
	bool begun;
	bool alerts, investigations;	/* only these */
	int severity;			/* -1: any */
	bool has_batch;
	struct uuid batch_id;
	int64_t since_us;		/* 0: any time */
	uint64_t before, left;
};

/* --- which ------------------------------------------------------------------------------------ */

static bool take_severity(struct admin_job *job, struct errors *s)
{
	const char *name = job_option(job, "--severity");

	s->severity = -1;
	for (int i = SEVERITY_CRITICAL; name != NULL && i <= SEVERITY_WARNING; i++)
		if (strcasecmp(name, severity_name((enum severity)i)) == 0)
			s->severity = i;
	return name == NULL || s->severity >= 0 ||
	    job_fail(job, ADMIN_USAGE, "--severity is critical, error or warning");
}

static bool take_batch(struct admin_job *job, struct errors *s)
{
	const char *text = job_option(job, "--batch");

	s->has_batch = text != NULL;
	return text == NULL || uuid_parse(text, strlen(text), &s->batch_id) ||
	    job_fail(job, ADMIN_USAGE, "--batch takes a whole batch_id");
}

static bool take_since(struct admin_job *job, struct errors *s)
{
	const char *text = job_option(job, "--since");
	uint64_t ms;

	if (text == NULL)
		return true;
	if (!duration_parse(text, &ms))
		return job_fail(job, ADMIN_USAGE, "--since takes a time as 90s, 15min, 2h or 7d");
	s->since_us = look_now_us(job->admin->core) - (int64_t)ms * 1000;
	return true;
}

static bool begin(struct admin_job *job, struct errors *s)
{
	s->begun = true;
	s->before = UINT64_MAX;
	s->left = ROWS_DEFAULT;
	s->investigations = job_option(job, "--investigate") != NULL;
	s->alerts = s->investigations || job_option(job, "--alerts") != NULL;
	if (!take_severity(job, s) || !take_batch(job, s) || !take_since(job, s) ||
	    !job_number(job, "--limit", UINT32_MAX, &s->left))
		return false;
	report_table(&job->report, "errors", columns, sizeof(columns) / sizeof(columns[0]));
	return true;
}

/* By the index that is narrowest. */
static bool next(struct admin_job *job, const struct errors *s, struct error_record *e)
{
	struct store *store = job->admin->store;
	const char *correlation = job_option(job, "--correlation"), *code = job_option(job, "--code");

	if (s->alerts)
		return store_alert_previous(store, s->before, e) == 0;
	if (s->has_batch)
		return store_error_previous_by(store, ERRORS_BY_BATCH, s->batch_id.b,
		    sizeof(s->batch_id.b), s->before, e) == 0;
	if (correlation != NULL)
		return store_error_previous_by(store, ERRORS_BY_CORRELATION, correlation,
		    strlen(correlation), s->before, e) == 0;
	if (code != NULL)
		return store_error_previous_by(store, ERRORS_BY_CODE, code, strlen(code), s->before,
		    e) == 0;
	return store_error_previous(store, s->before, e) == 0;
}

static bool is_text(const char *wanted, const char *text, size_t n)
{
	return wanted == NULL || (strlen(wanted) == n && memcmp(wanted, text, n) == 0);
}

static bool is_wanted(struct admin_job *job, const struct errors *s, const struct error_record *e)
{
	const char *module = job_option(job, "--module");

	return (s->severity < 0 || e->severity == s->severity) &&
	    (!s->investigations || e->action == ACTION_INVESTIGATE) &&
	    (!s->has_batch || (e->has_batch && uuid_equal(&e->batch_id, &s->batch_id))) &&
	    is_text(job_option(job, "--code"), e->code, e->code_len) &&
	    is_text(job_option(job, "--correlation"), e->correlation, e->correlation_len) &&
	    (module == NULL || strcasecmp(module, core_error_module(job->admin->core, e)) == 0);
}

/* --- shown ------------------------------------------------------------------------------------ */

static void put_bytes(struct report *r, const char *text, size_t n)
{
	report_bytes_as_text(r, NULL, n > 0 ? text : NULL, n);
}

static void put_row(struct admin_job *job, const struct error_record *e)
{
	struct report *r = &job->report;

	report_row(r);
	report_number(r, NULL, (int64_t)e->number);
	look_time(r, NULL, e->at_us);
	report_text(r, NULL, core_error_module(job->admin->core, e));
	report_text(r, NULL, severity_name((enum severity)e->severity));
	report_text(r, NULL, scope_name((enum scope)e->scope));
	put_bytes(r, e->code, e->code_len);
	look_uuid(r, NULL, e->has_batch ? &e->batch_id : NULL);
	put_bytes(r, e->record_id, e->record_id_len);
	put_bytes(r, e->correlation, e->correlation_len);
	put_bytes(r, e->text, e->text_len);
	report_close(r);
}

bool cmd_errors(struct admin_job *job)
{
	struct errors *s = job_state(job, sizeof(*s));
	struct error_record e;

	if (!s->begun && !begin(job, s))
		return false;
	for (int n = 0; s->left > 0 && n < LOOK_ROWS_PER_STEP && !look_is_full(job); n++) {
		if (!next(job, s, &e) || e.at_us < s->since_us)
			return false;
		s->before = e.number;
		if (!is_wanted(job, s, &e))
			continue;
		put_row(job, &e);
		s->left--;
	}
	return s->left > 0;
}
