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
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "net/tls.h"
#include "tools/handoff/command.h"
#include "tools/handoff/job.h"
#include "tools/handoff/options.h"
#include "tools/handoff/report.h"
#include "tools/handoff/signals.h"

#define JOBS_MAX 256

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

void working_stop(struct working *w, int status)
{
	if (w->status == STATUS_OK)
		w->status = status;
	if (w->is_draining)
		return;
	w->is_draining = true;
	connection_drain(&w->connection);
}

/* --- what the library tells ------------------------------------------------------------------ */

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
		if (job_create(w, e->delivery) == NULL) {
			complain("out of memory");
			handoff_drop(e->delivery);
			working_stop(w, STATUS_SYSTEM);
		}
		break;
	case HANDOFF_EVENT_RECEIVED:
		job_on_received(j);
		break;
	case HANDOFF_EVENT_REFUSED:
		job_on_refused(w, j, e);
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
	case HANDOFF_EVENT_BACKPRESSURE:
		progress_on_backpressure(&w->progress, e);
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
	if (w->to == NULL || w->is_draining ||
	    handoff_route_between(w->connection.client, NULL, w->to) != NULL)
		return;
	complain("the broker knows no route from %s to %s", common.module, w->to);
	working_stop(w, STATUS_CONFIG);
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
			job_send_part(w, j);
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
			working_stop(w, STATUS_OK);
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
	w.to = options.to;
	w.command = options.command;
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
