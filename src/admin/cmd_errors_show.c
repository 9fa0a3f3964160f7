/* cmd_errors_show.c - errors show, errors acknowledge: one error whole; alerts that were seen to */
#include <inttypes.h>

#include "admin/change.h"
#include "admin/look.h"
#include "wire/decode.h"

#define UPSTREAM_SHOWN 64

static bool take_number(struct admin_job *job, const char *text, uint64_t *number)
{
	return number_parse(text, UINT64_MAX / 10 - 1, number) ||
	    job_fail(job, ADMIN_USAGE, "\"%.40s\" is no number of an error", text);
}

/* --- show ------------------------------------------------------------------------------------- */

static void put_head(struct admin_job *job, const struct error_record *e)
{
	struct core *core = job->admin->core;
	const struct route *route = core_route_by_number(core, e->route);
	struct report *r = &job->report;

	report_number(r, "number", (int64_t)e->number);
	look_uuid(r, "error_id", &e->error_id);
	look_time(r, "at", e->at_us);
	report_text(r, "module", core_error_module(core, e));
	look_instance(r, "instance", core, e->instance);
	report_bytes_as_text(r, "code", e->code, e->code_len);
	report_text(r, "severity", severity_name((enum severity)e->severity));
	report_text(r, "recoverability", recoverability_name((enum recoverability)e->recoverability));
	report_text(r, "scope", scope_name((enum scope)e->scope));
	report_text(r, "action_required", action_required_name((enum action_required)e->action));
	report_text(r, "route", route != NULL ? route_settings(route)->name : NULL);
	look_uuid(r, "batch_id", e->has_batch ? &e->batch_id : NULL);
	report_bytes_as_text(r, "correlation_id", e->correlation_len > 0 ? e->correlation : NULL,
	    e->correlation_len);
}

static void put_context(struct report *r, const struct error_record *e)
{
	struct span upstream[UPSTREAM_SHOWN];
	struct stored_error error;
	size_t at = 0, n;

	if (!stored_error_next(e->raw, e->raw_len, &at, &error))
		error = (struct stored_error){ .message = { e->text, e->text_len },
			.record_id = { e->record_id, e->record_id_len } };
	look_text(r, "message", error.message);
	look_text(r, "record_id", error.record_id);
	look_text(r, "field", error.field_name);
	look_text(r, "expected", error.expected_value);
	look_text(r, "actual", error.actual_value);
	n = stored_error_upstream(e->raw, e->raw_len, upstream, UPSTREAM_SHOWN);
	report_list(r, "upstream_errors");
	for (size_t i = 0; i < n; i++)
		look_text(r, NULL, upstream[i]);
	report_close(r);
	report_bool(r, "cut", e->raw_len == 0);
}

bool cmd_errors_show(struct admin_job *job)
{
	struct error_record e;
	uint64_t number;

	if (!take_number(job, job->arguments[0], &number))
		return false;
	if (store_error_get(job->admin->store, number, &e) != 0)
		return job_fail(job, ADMIN_NOTHING, "there is no error %" PRIu64 ", or none any more",
		    number);
	put_head(job, &e);
	put_context(&job->report, &e);
	return false;
}

/* --- acknowledge ------------------------------------------------------------------------------ */

bool cmd_errors_acknowledge(struct admin_job *job)
{
	const bool all = job_option(job, "--all") != NULL;
	char who[ACTION_WHO_MAX + 1];
	const struct hand hand = job_hand(job, who);
	uint64_t number;
	unsigned done = 0;

	if (all == (job->argument_count > 0))
		return job_fail(job, ADMIN_USAGE, "name alerts by their numbers, or all with --all");
	for (size_t i = 0; i < job->argument_count; i++)	/* all of them, or none */
		if (!take_number(job, job->arguments[i], &number))
			return false;
	for (size_t i = 0; i < job->argument_count; i++) {
		(void)number_parse(job->arguments[i], UINT64_MAX, &number);
		done += core_acknowledge_alerts(job->admin->core, number, &hand);
	}
	if (all)
		done = core_acknowledge_alerts(job->admin->core, 0, &hand);
	if (done == 0)
		return job_fail(job, ADMIN_NOTHING, "there is no such alert");
	report_number(&job->report, "acknowledged", done);
	return false;
}
