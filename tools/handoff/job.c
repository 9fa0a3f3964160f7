/* job.c - a delivery at handoff work: the command run over it, and its output sent on */
#include "tools/handoff/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tools/handoff/command.h"
#include "tools/handoff/ndjson.h"
#include "tools/handoff/report.h"
#include "wire/text.h"

/* What the shell says when there is no such command, or it may not be run. */
#define SHELL_CANNOT_RUN 126
#define SHELL_NOT_FOUND 127

/* --- jobs come and go ------------------------------------------------------------------------ */

void job_destroy(struct working *w, struct job *j)
{
	if (j->state == JOB_RUNNING) {
		child_finish(&j->child);
		w->running--;
	}
	parts_destroy(&j->parts);
	TAILQ_REMOVE(&w->jobs, j, link);
	free(j);
}

struct job *job_create(struct working *w, struct handoff_delivery *d)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	STAILQ_INIT(&j->parts);
	j->delivery = d;
	snprintf(j->batch_id, sizeof(j->batch_id), "%s", handoff_delivery_batch_id(d));
	handoff_delivery_set_user(d, j);
	TAILQ_INSERT_TAIL(&w->jobs, j, link);
	return j;
}

void job_drop(struct working *w, struct job *j)
{
	handoff_drop(j->delivery);
	job_destroy(w, j);
}

/* --- ends ------------------------------------------------------------------------------------ */

/* The library has the word; it says DONE or STALE in its time. */
static void job_said(struct working *w, struct job *j, int result)
{
	if (result == 0) {
		j->state = JOB_ENDING;
	} else if (result == HANDOFF_STALE) {
		detail("batch %s has been delivered anew: its output is dropped", j->batch_id);
		job_destroy(w, j);
	} else {
		complain("batch %s: %s", j->batch_id, handoff_result_text(result));
		job_drop(w, j);
		working_stop(w, STATUS_INTERNAL);
	}
}

static void job_reject(struct working *w, struct job *j, enum handoff_recoverability what,
    const char *code, const char *why)
{
	const struct handoff_error error = {
		.recoverability = what,
		.scope = HANDOFF_BATCH,
		.code = code,
		.message = why,
	};

	tell("batch %s: %s: %s", j->batch_id,
	     what == HANDOFF_PERMANENT ? "PERMANENT" : "TRANSIENT", why);
	job_said(w, j, handoff_rejected(j->delivery, &error));
}

/* --- the output ------------------------------------------------------------------------------ */

void job_send_part(struct working *w, struct job *j)
{
	const struct part *p = STAILQ_FIRST(&j->parts);
	const bool is_last = STAILQ_NEXT(p, link) == NULL;
	const struct handoff_completion completion = { .delivery = j->delivery };
	struct handoff_batch b = {
		.target_module = w->to,
		.correlation_id = handoff_delivery_correlation_id(j->delivery),
		.critical = p->is_critical,
		.completes = is_last ? &completion : NULL,
		.complete_count = is_last,
		.user = j,
	};
	char id[HANDOFF_ID_SIZE];
	int r;

	handoff_derive_id(j->batch_id, j->part_index, id);
	b.batch_id = id;
	b.records = handoff_records_bytes(p->records, &b.records_bytes);
	r = handoff_send_batch(w->connection.client, &b, NULL);
	if (r == HANDOFF_AGAIN)
		return;
	if (r == 0) {
		j->is_sent = true;
		if (is_last)
			j->state = JOB_ENDING;
	} else if (r == HANDOFF_STALE || r == HANDOFF_CLOSED) {
		/* Delivered anew; or the client has ended: it goes back. */
		detail("batch %s: %s", j->batch_id, handoff_result_text(r));
		job_drop(w, j);
	} else {
		complain("batch %s: %s", j->batch_id, handoff_result_text(r));
		job_drop(w, j);
		working_stop(w, r == HANDOFF_NO_ROUTE ? STATUS_CONFIG : STATUS_INTERNAL);
	}
}

void job_on_received(struct job *j)
{
	parts_drop_first(&j->parts);
	j->part_index++;
	j->is_sent = false;
}

static bool has_code(const struct handoff_event *e, const char *code)
{
	for (size_t i = 0; i < e->error_count; i++)
		if (e->errors[i].code != NULL && strcmp(e->errors[i].code, code) == 0)
			return true;
	return false;
}

void job_on_refused(struct working *w, struct job *j, const struct handoff_event *e)
{
	char what[128];

	j->state = JOB_SENDING;
	if (has_code(e, "INT_BATCH_005")) {
		detail("batch %s has been delivered anew: its output is dropped", j->batch_id);
		job_drop(w, j);
		return;
	}
	snprintf(what, sizeof(what), "the broker refused the output of batch %s", j->batch_id);
	complain_errors(what, e->errors, e->error_count);
	if (has_code(e, "INT_BATCH_003")) {
		job_reject(w, j, HANDOFF_PERMANENT, "WORK_OUTPUT_002",
			   "the command printed something else than when it was run before, and a part of "
			   "that has been sent on");
		return;
	}
	job_drop(w, j);
	working_stop(w, connection_status_of(e->errors, e->error_count));
}

/* --- the command ----------------------------------------------------------------------------- */

/* The batch as NDJSON; false with why. */
static bool make_input(struct job *j, struct buf *input, char why[NDJSON_WHY_SIZE])
{
	struct handoff_record record;

	handoff_delivery_rewind(j->delivery);
	while (handoff_delivery_next_record(j->delivery, &record))
		if (!ndjson_write(input, record.bytes, record.len, why))
			return false;
	return true;
}

void job_run(struct working *w, struct job *j)
{
	const struct handoff_delivery *d = j->delivery;
	char why[NDJSON_WHY_SIZE], attempt[24], lease[24];
	const struct child_variable variables[] = {
		{ "HANDOFF_BATCH_ID", j->batch_id },
		{ "HANDOFF_ATTEMPT", attempt },
		{ "HANDOFF_LEASE", lease },
		{ "HANDOFF_ROUTE", handoff_delivery_route(d) },
		{ "HANDOFF_CORRELATION_ID", handoff_delivery_correlation_id(d) },
	};
	struct buf input;

	buf_init(&input, 0);
	if (!make_input(j, &input, why)) {
		buf_finish(&input);
		job_reject(w, j, HANDOFF_PERMANENT, "WORK_JSON_001", why);
		return;
	}
	snprintf(attempt, sizeof(attempt), "%" PRIu64, handoff_delivery_attempt(d));
	snprintf(lease, sizeof(lease), "%" PRIu64, handoff_delivery_lease(d));
	if (!child_start(&j->child, w->command, variables,
			 sizeof(variables) / sizeof(variables[0]), &input)) {
		complain_errno("starting a command");
		job_drop(w, j);
		working_stop(w, STATUS_SYSTEM);
		return;
	}
	j->state = JOB_RUNNING;
	w->running++;
}

/* The command succeeded, and this is its output. */
static void job_succeed(struct working *w, struct job *j, struct buf *output)
{
	char why[512];

	j->bytes = output->len;
	if (w->to == NULL) {
		j->records = handoff_delivery_record_count(j->delivery);
	} else if (!parts_make(&j->parts, output, j->batch_id,
			       handoff_max_records_bytes(w->connection.client), &j->records, why,
			       sizeof(why))) {
		job_reject(w, j, HANDOFF_PERMANENT, "WORK_OUTPUT_001", why);
		return;
	}
	if (STAILQ_EMPTY(&j->parts)) {
		job_said(w, j, handoff_processed(j->delivery, 0, NULL, 0));
		return;
	}
	j->state = JOB_SENDING;
	job_send_part(w, j);
}

/* The command has ended, and did not succeed. */
static void job_fail(struct working *w, struct job *j, int wait_status, const char *last_words)
{
	const int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
	const char *gap = *last_words != '\0' ? ": " : "";
	char words[256], why[512];

	text_escape(words, sizeof(words), last_words, strlen(last_words));
	if (status == SHELL_CANNOT_RUN || status == SHELL_NOT_FOUND) {
		complain("the command cannot be run (status %d)%s%s: %s", status, gap, words,
			 w->command);
		job_drop(w, j);
		working_stop(w, STATUS_UNAVAILABLE);
		return;
	}
	if (status < 0)
		snprintf(why, sizeof(why), "the command died by signal %d%s%s", WTERMSIG(wait_status),
			 gap, words);
	else
		snprintf(why, sizeof(why), "the command ended with status %d%s%s", status, gap,
			 words);
	if (status == STATUS_DATA)
		job_reject(w, j, HANDOFF_PERMANENT, "WORK_EXIT_065", why);
	else
		job_reject(w, j, HANDOFF_TRANSIENT, "WORK_EXIT_075", why);
}

void job_judge(struct working *w, struct job *j)
{
	struct child child = j->child;

	/* The child's memory is ours from here on: the job may end on the way. */
	j->state = JOB_SENDING;
	w->running--;
	if (child_is_too_loud(&child))
		job_reject(w, j, HANDOFF_PERMANENT, "WORK_OUTPUT_001",
			   "the command printed more than 256 MiB");
	else if (WIFEXITED(child.wait_status) && WEXITSTATUS(child.wait_status) == 0)
		job_succeed(w, j, &child.output);
	else
		job_fail(w, j, child.wait_status, child.last_words);
	child_finish(&child);
}
