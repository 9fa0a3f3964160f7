/*
 * operation.c - one operation on a selection of batches, page by page over many turns
 *
 *	begin ─► find (an id a turn) ─► count (a purge without yes) ─► asks
 *	           └──────────────────► run (a page a turn) ─► counts
 *
 * What a page has done is durable with its turn. Whatever ends the command between two pages, the
 * operator's Ctrl-C or the broker's end, leaves the rest as it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/change.h"

#define PAGE_BATCHES 256		/* changed in one turn */
#define PAGE_ROWS 1000			/* looked at */
#define WHYS_MAX 8			/* different reasons why not, told with counts */
#define WHY_BYTES 160
#define RATE_MAX 100000
#define BURST_MS 100			/* a rate may catch up with so much */
#define PROGRESS_MS 1000

enum stage { STAGE_BEGIN, STAGE_FIND, STAGE_COUNT, STAGE_RUN };

struct why {
	uint64_t count;
	char text[WHY_BYTES];
};

struct operation_run {
	enum operation operation;
	enum stage stage;
	struct selection selection;
	struct selection_cursor cursor;
	struct target_search search;	/* of the id that is looked for */
	struct target targets[ADMIN_WORDS_MAX];	/* named by id */
	size_t target_count, target_next;
	bool by_id;
	uint64_t begun_ms, last_notice;	/* what dies later is not selected */
	uint64_t max, rate;		/* 0: none */
	uint64_t next_us;		/* with a rate: the next one not before */
	unsigned page;			/* changed in this turn */
	bool blocked;			/* there was no room for this one: */
	struct target waits;
	uint64_t counted, done, not_done;
	struct why whys[WHYS_MAX];
	size_t why_count;
	uint64_t progress_ms;
};

static const struct {
	const char *past, *not;		/* names of counts: words of the protocol of handoffctl */
	const char *what;
	enum journal_event event;
	enum batch_state state;		/* that an id has to be in, BATCH_READY: in custody */
	bool asks;
} words[OPERATION_COUNT] = {
	[OPERATION_HOLD] = { "held", "not_held", "batches", JOURNAL_HELD, BATCH_READY, false },
	[OPERATION_RELEASE] = { "released", "not_released", "batches", JOURNAL_RELEASED,
		BATCH_READY, false },
	[OPERATION_RETRY] = { "retried", "not_retried", "batches", JOURNAL_RETRIED, BATCH_READY,
		false },
	[OPERATION_REDRIVE] = { "redriven", "not_redriven", "dead letters", JOURNAL_REDRIVEN,
		BATCH_DEAD, false },
	[OPERATION_PURGE] = { "purged", "not_purged", "dead letters", JOURNAL_PURGED, BATCH_DEAD,
		true },
};

/* --- what is it about ------------------------------------------------------------------------- */

static bool begin(struct admin_job *job, struct operation_run *run)
{
	const bool all = job_option(job, "--all") != NULL;
	const char *route = job_option(job, "--route");

	run->by_id = job->argument_count > 0;
	if (!selection_take(job, operation_states(run->operation), &run->selection) ||
	    !job_number(job, "--max", UINT32_MAX, &run->max) ||
	    !job_number(job, "--rate", RATE_MAX, &run->rate))
		return false;
	if (!run->by_id && !all && !selection_is_given(job))
		return job_fail(job, ADMIN_USAGE,
				"say which %s: batch_ids, what they have in common "
				"(--route NAME, …), or --all",
				words[run->operation].what);
	if (all && (run->by_id || selection_is_given(job)))
		return job_fail(job, ADMIN_USAGE,
				"--all is all there are: without ids, and without "
				"what narrows it");
	if (run->by_id && route == NULL && selection_is_given(job))
		return job_fail(job, ADMIN_USAGE, "ids are enough: only --route goes with them");
	if (run->operation == OPERATION_RELEASE)
		run->selection.held = true;
	run->begun_ms = core_now_ms(job->admin->core);
	run->last_notice = store_last_notice(job->admin->store);
	run->progress_ms = job->admin->now_ms;
	return true;
}

static enum stage stage_after_find(const struct admin_job *job, const struct operation_run *run)
{
	return words[run->operation].asks && !job->request.yes ? STAGE_COUNT : STAGE_RUN;
}

/* One id a turn, and all of them before anything is changed. */
static bool find(struct admin_job *job, struct operation_run *run)
{
	const char *text = job->arguments[run->target_count];
	struct target_search *search = &run->search;
	char why[512];

	search->only = run->selection.route;
	search->state = words[run->operation].state;
	if (target_search_step(job->admin->core, search, text))
		return true;
	if (!target_search_end(search, text, &run->targets[run->target_count], why, sizeof(why)))
		return job_fail(job, ADMIN_NOTHING, "%s; nothing was changed", why);
	*search = (struct target_search){ .found = 0 };
	if (++run->target_count == job->argument_count)
		run->stage = stage_after_find(job, run);
	return true;
}

/* Those that came to be after the command began may be its own work: a letter redriven and
 * rejected again. */
static bool is_newer(const struct operation_run *run, const struct batch_view *v)
{
	if (v->end == NULL)
		return false;
	return v->end->notice != 0 ? v->end->notice > run->last_notice :
	       v->end->ended_ms > run->begun_ms;
}

static bool concerns(const struct operation_run *run, const struct batch_view *v)
{
	if (run->operation == OPERATION_HOLD && v->batch->held)
		return false;
	return !is_newer(run, v);
}

/* --- how many: asked before what cannot be undone --------------------------------------------- */

static bool on_count(void *arg, const struct batch_view *v)
{
	struct operation_run *run = arg;

	run->counted += concerns(run, v);
	return run->max == 0 || run->counted < run->max;
}

static bool count(struct admin_job *job, struct operation_run *run)
{
	if (run->by_id) {
		run->counted = run->target_count;
	} else {
		core_select(job->admin->core, &run->selection, &run->cursor, PAGE_ROWS, on_count,
			    run);
		if (!run->cursor.done && (run->max == 0 || run->counted < run->max))
			return true;
	}
	if (run->counted == 0)
		return job_fail(job, ADMIN_NOTHING, "nothing is selected: there are no such %s",
				words[run->operation].what);
	report_number(&job->report, "selected", (int64_t)run->counted);
	job->wants_yes = true;
	return job_fail(job, ADMIN_USAGE,
			"%" PRIu64 " dead letter%s would be gone for ever: say yes "
			"to it (handoffctl --yes)",
			run->counted, run->counted == 1 ? "" : "s");
}

/* --- one batch, one page ---------------------------------------------------------------------- */

static void note_why(struct operation_run *run, const char *text)
{
	size_t i = 0;

	run->not_done++;
	while (i < run->why_count && strcmp(run->whys[i].text, text) != 0)
		i++;
	if (i == WHYS_MAX) {
		i--;		/* the last one stands for all others */
		snprintf(run->whys[i].text, WHY_BYTES, "other reasons");
	} else if (i == run->why_count) {
		snprintf(run->whys[i].text, WHY_BYTES, "%s", text);
		run->why_count++;
	}
	run->whys[i].count++;
}

static bool is_enough(const struct operation_run *run)
{
	return run->max > 0 && run->done >= run->max;
}

/* Whether this turn, and the rate, have room for another. */
static bool may_go_on(const struct admin_job *job, const struct operation_run *run)
{
	return !is_enough(run) && run->page < PAGE_BATCHES &&
	    !store_turn_has_used(job->admin->store, STORE_INTAKE_PERCENT) &&
	    (run->rate == 0 || run->next_us <= job->admin->now_ms * 1000);
}

static void count_against_rate(const struct admin_job *job, struct operation_run *run)
{
	const uint64_t least_us = (job->admin->now_ms - BURST_MS) * 1000;

	if (run->rate == 0)
		return;
	if (run->next_us < least_us)
		run->next_us = run->next_us == 0 ? job->admin->now_ms * 1000 : least_us;
	run->next_us += 1000000 / run->rate;
}

/* False: there was no room for it, it is tried again. */
static bool operate(struct admin_job *job, struct operation_run *run, const struct target *t)
{
	char who[ACTION_WHO_MAX + 1], why[WHY_BYTES] = "";
	const struct hand hand = job_hand(job, who);

	run->page++;
	switch (core_operate(job->admin->core, run->operation, t->route, t->id, &hand, why,
			     sizeof(why))) {
	case OPERATED:
		run->done++;
		count_against_rate(job, run);
		break;
	case OPERATED_NO_ROOM:
		if (!run->blocked && !job->report.json) {
			char text[WHY_BYTES + 64];

			snprintf(text, sizeof(text), "waits for room on route %s (%s %" PRIu64
				 " so far)", route_settings(t->route)->name,
				 words[run->operation].past, run->done);
			report_sentence(&job->report, text);
		}
		run->waits = *t;
		run->blocked = true;
		return false;
	case OPERATED_NOTHING:
	case OPERATED_NEVER:
		note_why(run, why);
		break;
	}
	run->blocked = false;
	return true;
}

struct visit {
	struct admin_job *job;
	struct operation_run *run;
};

static bool on_selected(void *arg, const struct batch_view *v)
{
	struct visit *visit = arg;
	const struct target t = { v->route, v->batch->batch_id, v->state, v->batch->id };

	if (!concerns(visit->run, v))
		return true;
	return operate(visit->job, visit->run, &t) && may_go_on(visit->job, visit->run);
}

/* True when there is nothing left to operate on. */
static bool run_page(struct admin_job *job, struct operation_run *run)
{
	struct visit visit = { job, run };

	run->page = 0;
	if (!may_go_on(job, run))
		return is_enough(run);
	if (run->blocked && !operate(job, run, &run->waits))
		return false;
	if (!run->by_id) {
		if (may_go_on(job, run) && !run->cursor.done)
			core_select(job->admin->core, &run->selection, &run->cursor, PAGE_ROWS,
				    on_selected, &visit);
		return (run->cursor.done && !run->blocked) || is_enough(run);
	}
	while (may_go_on(job, run) && run->target_next < run->target_count && !run->blocked)
		operate(job, run, &run->targets[run->target_next++]);
	return (run->target_next == run->target_count && !run->blocked) || is_enough(run);
}

/* --- what it tells ---------------------------------------------------------------------------- */

static void say_progress(struct admin_job *job, struct operation_run *run)
{
	char text[128];

	if (job->report.json || job_option(job, "--progress") == NULL ||
	    job->admin->now_ms < run->progress_ms + PROGRESS_MS)
		return;
	run->progress_ms = job->admin->now_ms;
	snprintf(text, sizeof(text), "%s %" PRIu64 " so far%s", words[run->operation].past,
		 run->done, run->blocked ? ", waits for room" : "");
	report_sentence(&job->report, text);
}

/* For the list of what persons did: also when the operator has gone in the middle. */
static void note_action(const struct admin_job *job, const struct operation_run *run, bool left)
{
	char who[ACTION_WHO_MAX + 1], request[128], what[ACTION_TEXT_MAX + 1];
	const struct hand hand = job_hand(job, who);
	const struct target *only = run->by_id && run->target_count == 1 ? &run->targets[0] : NULL;

	if (run->done == 0)
		return;
	job_words(job, request, sizeof(request));
	snprintf(what, sizeof(what), "%s %" PRIu64 ", not %" PRIu64 "%s (%s)",
		 words[run->operation].past, run->done, run->not_done,
		 left ? ", ended in the middle" : "", request);
	core_note_action(job->admin->core, words[run->operation].event,
			 only != NULL ? only->route : run->selection.route,
			 only != NULL ? &only->batch_id : NULL, &hand, what);
}

static const struct report_column why_columns[] = {
	{ .name = "count", .width = 8, .right = true },
	{ .name = "reason" },
};

static bool finish(struct admin_job *job, const struct operation_run *run)
{
	struct report *r = &job->report;

	note_action(job, run, false);
	report_number(r, words[run->operation].past, (int64_t)run->done);
	report_number(r, words[run->operation].not, (int64_t)run->not_done);
	if (run->why_count > 0) {
		report_table(r, "reasons", why_columns, 2);
		for (size_t i = 0; i < run->why_count; i++) {
			report_row(r);
			report_number(r, NULL, (int64_t)run->whys[i].count);
			report_text(r, NULL, run->whys[i].text);
			report_close(r);
		}
		report_close(r);
	}
	if (run->done == 0 || run->not_done > 0)
		job->code = ADMIN_NOTHING;
	return false;
}

static bool run_step(struct admin_job *job, struct operation_run *run)
{
	if (job_is_left(job)) {
		note_action(job, run, true);
		return false;
	}
	if (run_page(job, run))
		return finish(job, run);
	say_progress(job, run);
	if (run->blocked)
		job_wait(job, JOB_POLL_MS);
	else if (run->rate > 0 && run->next_us > job->admin->now_ms * 1000)
		job_wait(job, run->next_us / 1000 - job->admin->now_ms + 1);
	return true;
}

bool operation_step(struct admin_job *job, enum operation operation)
{
	struct operation_run *run = job_state(job, sizeof(*run));

	run->operation = operation;
	if (job_is_left(job) && run->stage != STAGE_RUN)
		return false;
	switch (run->stage) {
	case STAGE_BEGIN:
		run->stage = job->argument_count > 0 ? STAGE_FIND : stage_after_find(job, run);
		return begin(job, run);
	case STAGE_FIND:
		return find(job, run);
	case STAGE_COUNT:
		return count(job, run);
	default:
		return run_step(job, run);
	}
}
