/* job.c - from a request to its answer: is there such a command, may he, and its steps */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "base/log.h"
#include "base/mem.h"

#define WHY_BYTES 1024

bool job_fail(struct admin_job *job, enum admin_code code, const char *fmt, ...)
{
	char text[WHY_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	job->code = code;
	report_unwind(&job->report);
	if (job->report.json) {
		report_text(&job->report, "error", text);
		report_number(&job->report, "code", code);
	} else {
		report_sentence(&job->report, text);
	}
	return false;
}

/* The whole command as one value of the log. */
static const char *quote_words(const struct request *r)
{
	char text[LOG_QUOTE_BYTES + 8];
	size_t at = 0;

	for (size_t i = 0; i < r->count && at < sizeof(text) - 1; i++) {
		int n = snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? " " : "",
				 r->words[i]);

		at += n > 0 ? (size_t)n : 0;
	}
	return log_quote(text, at < sizeof(text) ? at : sizeof(text) - 1);
}

static void log_change(const struct admin_job *job)
{
	const struct local_peer *peer = &job->client->peer;
	const char *name = users_name(job->admin, (uint32_t)peer->uid);
	const char *reason = job->request.reason != NULL ? job->request.reason : "";

	log_info("operator", "uid=%u user=%s pid=%ld command=%s reason=%s", (unsigned)peer->uid,
		 log_quote(name, strlen(name)), (long)peer->pid, quote_words(&job->request),
		 log_quote(reason, strlen(reason)));
}

static void log_no_right(const struct admin_job *job)
{
	const struct local_peer *peer = &job->client->peer;

	if (log_allow("operator refused", 1))
		log_warning("operator refused", "uid=%u pid=%ld command=%s", (unsigned)peer->uid,
			    (long)peer->pid, quote_words(&job->request));
}

bool job_may_change(struct admin_job *job)
{
	if (job->client->role >= ROLE_CHANGE)
		return true;
	log_no_right(job);
	return job_fail(job, ADMIN_NO_RIGHT, "user %u may look, and change nothing: name him in "
			"admin.operators of the configuration", (unsigned)job->client->peer.uid);
}

/* Everything that can be wrong before the command itself is asked. */
static bool check(struct admin_job *job)
{
	const struct command *c;
	char why[WHY_BYTES];
	size_t used;

	c = command_find(job->admin->commands, job->request.words, job->request.count, &used, why,
			 sizeof(why));
	if (c == NULL)
		return job_fail(job, ADMIN_USAGE, "%s", why);
	job->command = c;
	if (!arguments_take(job, used, why, sizeof(why)))
		return job_fail(job, ADMIN_USAGE, "%s", why);
	if (c->role == ROLE_CHANGE && (!c->reads_without_arguments || job->argument_count > 0)) {
		if (!job_may_change(job))
			return false;
		if (c->destructive && !job->request.yes) {
			job->wants_yes = true;
			return job_fail(job, ADMIN_USAGE,
					"what %s does cannot be undone: say yes to "
					"it (handoffctl --yes)",
					c->words);
		}
		job->changes = !c->quiet;
		if (job->changes)
			log_change(job);
	}
	return true;
}

void *job_state(struct admin_job *job, size_t size)
{
	if (job->state == NULL)
		job->state = xcalloc(1, size);
	return job->state;
}

/* Hands on what was written since the last time; false when that was more than a step may write. */
static bool hand_on(struct admin_job *job)
{
	struct buf *piece = &job->admin->piece;

	if (piece->failed) {
		log_error("operator's answer too long", "command=%s limit=%d",
			  quote_words(&job->request), ADMIN_STEP_BYTES_MAX);
		return false;
	}
	operator_answer(job->client, piece);
	buf_clear(piece);
	return true;
}

static void job_end(struct admin_job *job)
{
	if (job->changes && job->code != ADMIN_OK)
		log_info("operator failed", "uid=%u command=%s code=%d",
			 (unsigned)job->client->peer.uid, quote_words(&job->request), job->code);
	report_end(&job->report);
	if (!hand_on(job))
		job->code = ADMIN_INTERNAL;
	operator_answer_end(job->client, job->code, job->wants_yes);
	job_destroy(job);
}

bool job_step(struct admin_job *job)
{
	const bool more = job->command->step(job);

	if (!hand_on(job))
		job->code = ADMIN_INTERNAL;
	else if (more)
		return true;
	job_end(job);
	return false;
}

struct admin_job *job_begin(struct admin_client *c, char *line, size_t len)
{
	struct admin_job *job = xcalloc(1, sizeof(*job));
	char why[WHY_BYTES];
	bool good;

	job->admin = c->all;
	job->client = c;
	job->line = line;
	buf_clear(&c->all->piece);
	good = request_parse(line, len, &job->request, why, sizeof(why));
	report_begin(&job->report, &c->all->piece, job->request.json);
	good = good ? check(job) : job_fail(job, ADMIN_USAGE, "%s", why);
	if (!good)
		job_end(job);
	return good && job_step(job) ? job : NULL;
}

void job_destroy(struct admin_job *job)
{
	if (job == NULL)
		return;
	report_finish(&job->report);
	free(job->state);
	free(job->line);
	free(job);
}
