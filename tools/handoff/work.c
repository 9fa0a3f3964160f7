/*
 * work.c - handoff work: a command run over each batch, and what it prints sent on
 *
 *	delivered ─► WAITING ─► RUNNING ── 0 ─► SENDING ─► ENDING ── DONE ─► forgotten
 *	                           │   (all but the last      ▲
 *	                           │    part of the output)   │
 *	                           └── 65, 75, … ─────────────┘ rejected
 *
 * The output's ids, and the record_ids that it lacks, are made of the id of the batch it was made
 * from: where the command's output depends on its input alone, a repeat is the same batch. The last
 * part names the batch in `completes`, so that its PROCESSED and the output are one durable step
 * (protocol section 8).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>

#include "handoff/handoff.h"
#include "net/tls.h"
#include "tools/handoff/command.h"
#include "tools/handoff/connection.h"
#include "tools/handoff/exec.h"
#include "tools/handoff/ndjson.h"
#include "tools/handoff/options.h"
#include "tools/handoff/parts.h"
#include "tools/handoff/progress.h"
#include "tools/handoff/report.h"
#include "tools/handoff/signals.h"
#include "wire/text.h"

#define JOBS_MAX 256
/* What the shell says when there is no such command, or it may not be run. */
#define SHELL_CANNOT_RUN 126
#define SHELL_NOT_FOUND 127

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_SENDING, JOB_ENDING };

/* A delivery, from its coming to its end. */
struct job {
	TAILQ_ENTRY(job) link;
	enum job_state state;
	struct handoff_delivery *delivery;	/* ours until ENDING */
	struct child child;			/* RUNNING */
	struct part_list parts;			/* SENDING: not yet RECEIVED */
	uint64_t part_index;			/* of the first of them */
	bool is_sent;				/* the first of them is with the library */
	uint64_t records, bytes;		/* for the progress */
	char batch_id[HANDOFF_ID_SIZE];
};
TAILQ_HEAD(job_list, job);

struct working {
	struct connection connection;
	struct job_list jobs;		/* in the order of their coming */
	unsigned running;		/* commands */
	struct progress progress;
	bool is_draining;
	int status;			/* to exit with, when drained */
};

static struct common common;
static struct {
	const char *to, *command;
	uint64_t jobs;
} options = { .jobs = 1 };

static const struct option work_options[] = {
	{ "exec", 'e', OPTION_TEXT, &options.command, "COMMAND",
	  "run by the shell for each batch: NDJSON in, NDJSON out", 0, 0 },
	{ "to", 't', OPTION_TEXT, &options.to, "NAME",
	  "the module that the output is for; without it, there is none", 0, 0 },
	{ "jobs", 'j', OPTION_NUMBER, &options.jobs, "N", "run so many at once; default 1", 1, JOBS_MAX },
	{ 0 },
};

static const struct usage usage = {
	.synopsis = "handoff work --module NAME [--to NAME] --exec COMMAND [OPTION]...",
	.about = "Runs COMMAND for each batch, with its records on standard input. What it prints is\n"
		 "the next batch, and stands in custody in the same step in which the first is\n"
		 "PROCESSED. Its exit status says what follows:\n\n"
		 "  0         PROCESSED\n"
		 "  65        PERMANENT: the batch goes to the dead letters\n"
		 "  126, 127  the command cannot be run: the worker stops, the batch goes back\n"
		 "  others    TRANSIENT: again later (75, and death by a signal, too)\n\n"
		 "SIGTERM lets the commands that run finish, then ends; a second one ends at once.\n",
	.options = work_options,
	.common = &common,
};

/* --- jobs come and go ------------------------------------------------------------------------ */

static void job_destroy(struct working *w, struct job *j)
{
	if (j->state == JOB_RUNNING) {
		child_finish(&j->child);
		w->running--;
	}
	parts_destroy(&j->parts);
	TAILQ_REMOVE(&w->jobs, j, link);
	free(j);
}

/* No word about its batch: it goes back, or has gone. */
static void job_drop(struct working *w, struct job *j)
{
	handoff_drop(j->delivery);
	job_destroy(w, j);
}

/* Takes no more, finishes what runs, and then exits with this status. */
static void stop(struct working *w, int status)
{
	if (w->status == STATUS_OK)
		w->status = status;
	if (w->is_draining)
		return;
	w->is_draining = true;
	connection_drain(&w->connection);
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
		stop(w, STATUS_INTERNAL);
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

	tell("batch %s: %s: %s", j->batch_id, what == HANDOFF_PERMANENT ? "PERMANENT" : "TRANSIENT", why);
	job_said(w, j, handoff_rejected(j->delivery, &error));
}

/* --- the output ------------------------------------------------------------------------------ */

/* Hands the next part to the library: the last one with the PROCESSED of the batch. */
static void send_part(struct working *w, struct job *j)
{
	const struct part *p = STAILQ_FIRST(&j->parts);
	const bool is_last = STAILQ_NEXT(p, link) == NULL;
	const struct handoff_completion completion = { .delivery = j->delivery };
	struct handoff_batch b = {
		.target_module = options.to,
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
		/* Delivered anew; or we drain, and parts may not be sent any more: it goes back. */
		detail("batch %s: %s", j->batch_id, handoff_result_text(r));
		job_drop(w, j);
	} else {
		complain("batch %s: %s", j->batch_id, handoff_result_text(r));
		job_drop(w, j);
		stop(w, r == HANDOFF_NO_ROUTE ? STATUS_CONFIG : STATUS_INTERNAL);
	}
}

static void on_part_received(struct job *j)
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

/* The broker did not take a part; the delivery is ours again. */
static void on_part_refused(struct working *w, struct job *j, const struct handoff_event *e)
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
	stop(w, connection_status_of(e->errors, e->error_count));
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

static void job_run(struct working *w, struct job *j)
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
	if (!child_start(&j->child, options.command, variables,
			 sizeof(variables) / sizeof(variables[0]), &input)) {
		complain_errno("starting a command");
		job_drop(w, j);
		stop(w, STATUS_SYSTEM);
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
	if (options.to == NULL) {
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
	send_part(w, j);
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
			 options.command);
		job_drop(w, j);
		stop(w, STATUS_UNAVAILABLE);
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

static void job_judge(struct working *w, struct job *j)
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

/* --- what the library tells ------------------------------------------------------------------ */

static void on_delivery(struct working *w, struct handoff_delivery *d)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		complain("out of memory");
		handoff_drop(d);
		stop(w, STATUS_SYSTEM);
		return;
	}
	STAILQ_INIT(&j->parts);
	j->delivery = d;
	snprintf(j->batch_id, sizeof(j->batch_id), "%s", handoff_delivery_batch_id(d));
	handoff_delivery_set_user(d, j);
	TAILQ_INSERT_TAIL(&w->jobs, j, link);
}

static void on_done(struct working *w, struct job *j, bool is_processed)
{
	if (is_processed) {
		w->progress.records += j->records;
		w->progress.bytes += j->bytes;
		w->progress.batches++;
	}
	w->progress.reason[0] = '\0';
	job_destroy(w, j);
}

/* A batch of ours has come to a bad end further on. */
static void on_outcome(const struct handoff_event *e)
{
	char what[160];

	if (e->type == HANDOFF_EVENT_PROCESSED && e->records_rejected == 0)
		return;
	if (e->type == HANDOFF_EVENT_REJECTED)
		snprintf(what, sizeof(what), "batch %s, sent on, is a dead letter", e->batch_id);
	else
		snprintf(what, sizeof(what), "batch %s, sent on: %" PRIu64 " records rejected",
			 e->batch_id, e->records_rejected);
	complain_errors(what, e->errors, e->error_count);
}

static void on_event(struct working *w, const struct handoff_event *e)
{
	struct job *j = e->user;

	switch (e->type) {
	case HANDOFF_EVENT_DELIVERY:
		on_delivery(w, e->delivery);
		break;
	case HANDOFF_EVENT_RECEIVED:
		on_part_received(j);
		break;
	case HANDOFF_EVENT_REFUSED:
		on_part_refused(w, j, e);
		break;
	case HANDOFF_EVENT_DONE:
		on_done(w, j, e->processed);
		break;
	case HANDOFF_EVENT_STALE:
		detail("batch %s has been delivered anew: its output is dropped", e->batch_id);
		job_destroy(w, j);
		break;
	case HANDOFF_EVENT_NOT_DONE:
		complain_errors("the broker refused an acknowledgment", e->errors, e->error_count);
		job_drop(w, j);
		break;
	case HANDOFF_EVENT_LOST:
		detail("batch %s is not held to be ours any more", e->batch_id);
		if (j->state == JOB_WAITING)
			job_drop(w, j);
		break;
	case HANDOFF_EVENT_PROCESSED:
	case HANDOFF_EVENT_REJECTED:
		on_outcome(e);
		break;
	default:
		if (e->action == HANDOFF_ACTION_THROTTLE && e->error_count > 0)
			snprintf(w->progress.reason, sizeof(w->progress.reason), "THROTTLE, %s",
				 e->errors[0].message);
		connection_on_event(&w->connection, e);
		break;
	}
}

/* --- the loop -------------------------------------------------------------------------------- */

static void check_route(struct working *w)
{
	if (options.to == NULL || w->is_draining ||
	    handoff_route_between(w->connection.client, NULL, options.to) != NULL)
		return;
	complain("the broker knows no route from %s to %s", common.module, options.to);
	stop(w, STATUS_CONFIG);
}

/* What can go on without waiting. */
static void proceed(struct working *w)
{
	struct job *j, *next;

	for (j = TAILQ_FIRST(&w->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, link);
		if (j->state == JOB_RUNNING && child_reap(&j->child))
			job_judge(w, j);
		else if (j->state == JOB_SENDING && !j->is_sent)
			send_part(w, j);
	}
	for (j = TAILQ_FIRST(&w->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, link);
		if (j->state == JOB_WAITING && w->is_draining)
			job_drop(w, j);
		else if (j->state == JOB_WAITING && w->running < options.jobs)
			job_run(w, j);
	}
}

static void wait_for_something(struct working *w)
{
	struct pollfd fds[JOBS_MAX * CHILD_FDS];
	struct job *j;
	size_t n = 0;

	TAILQ_FOREACH(j, &w->jobs, link) {
		if (j->state == JOB_RUNNING) {
			child_poll(&j->child, &fds[n]);
			n += CHILD_FDS;
		}
	}
	w->progress.waiting = w->running;
	connection_wait(&w->connection, fds, n, progress_show(&w->progress), signals_mask());
	n = 0;
	TAILQ_FOREACH(j, &w->jobs, link) {
		if (j->state != JOB_RUNNING)
			continue;
		child_proceed(&j->child, &fds[n]);
		if (child_is_too_loud(&j->child))
			child_kill(&j->child);
		n += CHILD_FDS;
	}
}

static int run(struct working *w)
{
	const struct handoff_event *e;
	int status;

	for (;;) {
		while ((e = handoff_take_event(w->connection.client)) != NULL)
			on_event(w, e);
		status = connection_status(&w->connection);
		if (status >= 0)
			return w->status != STATUS_OK ? w->status : status;
		if (w->connection.was_connected)
			check_route(w);
		if (signals_stop_count() > 1)
			return STATUS_FAILED;
		if (signals_stop_count() == 1)
			stop(w, STATUS_OK);
		proceed(w);
		/* What was done may have events of its own: none may be left while we wait. */
		e = handoff_take_event(w->connection.client);
		if (e != NULL)
			on_event(w, e);
		else
			wait_for_something(w);
	}
}

int cmd_work(int argc, char **argv)
{
	struct working w = { .status = STATUS_OK };
	struct connection_wishes wishes = { .mailbox = false };
	struct job *j;
	int status = options_read(&usage, argc, argv, NULL, NULL);

	TAILQ_INIT(&w.jobs);
	if (status < 0 && options.command == NULL) {
		complain("--exec is missing: the command to run for each batch");
		status = STATUS_USAGE;
	}
	if (status >= 0)
		return status;
	tls_init();
	signals_catch();
	progress_init(&w.progress);
	wishes.max_in_flight = (unsigned)options.jobs;
	status = connection_open(&w.connection, &common, &wishes);
	if (status < 0) {
		status = run(&w);
		progress_tell(&w.progress, options.to != NULL ? "sent on" : "processed");
	}
	while ((j = TAILQ_FIRST(&w.jobs)) != NULL)
		job_destroy(&w, j);
	connection_close(&w.connection);
	return status;
}
