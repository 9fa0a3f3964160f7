/*
 * explain_next.c - why a batch does not move: until when, what happens by itself, what a person can
 * do
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "admin/explain.h"

#define SENTENCE_BYTES 768

/* What the sentences are made of. */
struct telling {
	struct admin_job *job;
	struct core *core;
	const struct batch_view *v;
	struct route_view route;
	/* for commands: with its route, where the batch_id alone is not enough */
	char id[UUID_TEXT_LEN + sizeof(" --route ") + ROUTE_NAME_MAX + 1];
	char holder[INSTANCE_NAME_MAX];
};

/*
 * A stranger chose his instance_id, and an operator may type what we print: only what a shell takes
 * as one plain word is put into a command.
 */
static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_./:@+,";

	return word[0] != '-' && strspn(word, plain) == strlen(word);
}

__attribute__((format(printf, 2, 3)))
static void next(const struct telling *t, const char *fmt, ...)
{
	char text[SENTENCE_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report_text(&t->job->report, "next", text);
}

/* A command to type. */
__attribute__((format(printf, 2, 3)))
static void command(const struct telling *t, const char *fmt, ...)
{
	char text[SENTENCE_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report_text(&t->job->report, NULL, text);
}

static const char *target(const struct telling *t)
{
	return t->route.settings->target;
}

/* Deliveries that may still fail before it is a dead letter. */
static unsigned long attempt_of_budget(const struct batch *b)
{
	return (unsigned long)b->attempt - b->attempts_before;
}

static unsigned long budget(const struct telling *t)
{
	return (unsigned long)t->route.settings->max_retries + 1;
}

/* --- what happens by itself ------------------------------------------------------------------- */

static void next_assigned(const struct telling *t)
{
	const struct batch *b = t->v->batch;
	const bool last = attempt_of_budget(b) >= budget(t);

	next(t, "%s %s; without %s until then attempt %lu of %lu has failed, and the batch %s%s",
	     t->holder, t->v->received ? "works on it" : "has been sent it, and has not said so",
	     t->v->received ? "PROCESSED" : "RECEIVED", attempt_of_budget(b), budget(t),
	     last ? "becomes a dead letter" : "waits for the next",
	     b->held ? "; a person holds it, so that there is no next delivery" : "");
}

static void next_queued(const struct telling *t)
{
	const double rate = t->route.drain_rate;
	char when[64] = "";

	if (rate > 0.001)
		snprintf(when, sizeof(when), ", in about %.0f s at %.3g a second",
			 (double)t->v->ahead / rate, rate);
	next(t, "%s%llu others of the route go before it%s", t->v->ahead >= 1000 ? "at least " : "",
	     (unsigned long long)t->v->ahead, when);
}

static void next_behind(const struct telling *t)
{
	const struct batch *b = t->v->batch;
	char id[UUID_TEXT_LEN + 1] = "another batch";
	struct batch first;

	if (store_series_first(core_store(t->core), b->route, b->series, &first) == 0)
		uuid_format(&first.batch_id, id);
	next(t, "the route is ordered, and %s of the same source instance has to end first: "
	     "handoffctl explain %s", id, id);
}

static void next_halted(const struct telling *t)
{
	const struct route_control *k = t->route.control;

	next(t, "nothing, until the route is resumed: %s paused it%s%s", k->who,
	     k->reason[0] != '\0' ? ": " : "", k->reason);
}

static void next_circuit(const struct telling *t)
{
	struct circuit_view k;
	size_t n = 0;

	while (core_route(t->core, n) != t->v->route)
		n++;
	core_view_circuit(t->core, n, &k);
	if (k.forced)
		next(t, "nothing, until circuit %s is closed: %s opened it%s%s", k.id, k.who,
		     k.reason[0] != '\0' ? ": " : "", k.reason);
	else if (k.state == CIRCUIT_HALF_OPEN)
		next(t, "%s has failed, and another batch is being tried: when that is processed "
		     "all go on (circuit %s)", target(t), k.id);
	else
		next(t, "%s has failed and is left alone until then: one batch is tried, and when "
		     "that is processed all go on (circuit %s)", target(t), k.id);
}

static void next_dead(const struct telling *t)
{
	const struct ended *e = t->v->end;

	if (e->error_code == INT_STORE_002)
		next(t, "nothing: its stored bytes do not match their checksum, and it is never "
		     "delivered; export it, or ask its source to send it again, and purge it");
	else
		next(t, "nothing: somebody has to decide");
}

/* It ended partly, and its letter is still there. */
static bool is_kept_whole(const struct telling *t)
{
	const struct ended *e = t->v->end;
	struct batch letter;
	struct ended told;

	return e->partial && store_dead_get(core_store(t->core), e->route, e->id, &letter,
					    &told) == 0;
}

static void next_ended(const struct telling *t)
{
	const struct confirmation *k = t->v->confirmation;

	if (is_kept_whole(t))
		next(t, "nothing: it has ended, and is kept whole as a dead letter, since its "
		     "rejected records were not all named");
	else if (k != NULL && k->state == CONFIRM_AWAITED)
		next(t, "%llu of %llu records are confirmed; the rest is awaited, then it is "
		     "ambiguous", (unsigned long long)(k->delivered + k->failed + k->dlq),
		     (unsigned long long)k->record_count);
	else if (k != NULL && k->state == CONFIRM_AMBIGUOUS)
		next(t, "nothing, unless the target still confirms: what became of %llu records is "
		     "not known", (unsigned long long)(k->record_count - k->delivered - k->failed -
		     k->dlq));
	else
		next(t, "nothing: it has ended, and history forgets it in time");
}

static void put_next(const struct telling *t)
{
	switch (t->v->reason) {
	case REASON_NEXT:
		next(t, "it is about to be delivered");
		break;
	case REASON_ASSIGNED:
		next_assigned(t);
		break;
	case REASON_RECLAIM:
		next(t, "%s was disconnected: when it comes back until then it may go on with it, "
		     "else others get it", t->holder);
		break;
	case REASON_NO_CONSUMER:
		next(t, "it is delivered when an instance of %s connects", target(t));
		break;
	case REASON_NO_CREDIT:
		next(t, "it is delivered when an instance of %s has ended something: all hold as "
		     "much as they take (max_in_flight)", target(t));
		break;
	case REASON_CONSUMER_PAUSED:
		next(t, "it is delivered when an instance of %s ends the pause it asked for "
		     "(BACKPRESSURE)", target(t));
		break;
	case REASON_QUEUED:
		next_queued(t);
		break;
	case REASON_BACKOFF:
		next(t, "attempt %lu of %lu then", attempt_of_budget(t->v->batch) + 1, budget(t));
		break;
	case REASON_ORDERED_BEHIND:
		next_behind(t);
		break;
	case REASON_SUSPECT:
		next(t, "a connection was lost with it: it is tried alone, when an instance of %s "
		     "holds nothing else", target(t));
		break;
	case REASON_HELD:
		next(t, "nothing, until it is released");
		break;
	case REASON_ROUTE_HALTED:
		next_halted(t);
		break;
	case REASON_DRAINING:
		next(t, "nothing, until deliveries are resumed: the broker drains");
		break;
	case REASON_CIRCUIT_OPEN:
		next_circuit(t);
		break;
	case REASON_DEAD:
		next_dead(t);
		break;
	default:
		next_ended(t);
	}
}

/* --- what a person can do --------------------------------------------------------------------- */

static void do_dead(const struct telling *t)
{
	command(t, "handoffctl dead show %s", t->id);
	if (t->v->end == NULL || t->v->end->error_code != INT_STORE_002)
		command(t, "handoffctl dead redrive %s", t->id);
	command(t, "handoffctl dead export %s", t->id);
	command(t, "handoffctl dead purge %s", t->id);
}

static void do_ended(const struct telling *t)
{
	const struct confirmation *k = t->v->confirmation;

	if (is_kept_whole(t))
		do_dead(t);
	if (k != NULL && (k->state == CONFIRM_AWAITED || k->state == CONFIRM_AMBIGUOUS))
		command(t, "handoffctl confirmations settle %s", t->id);
}

static void put_commands(const struct telling *t)
{
	const char *route = t->route.settings->name;
	const struct batch *b = t->v->batch;

	if (t->v->reason == REASON_DEAD) {
		do_dead(t);
		return;
	}
	if (b == NULL) {
		do_ended(t);
		return;
	}
	if (t->v->reason == REASON_ROUTE_HALTED)
		command(t, "handoffctl resume %s%s", route,
			t->route.control->halted ? " --reason TEXT" : "");
	if (t->v->reason == REASON_CIRCUIT_OPEN)
		command(t, "handoffctl circuits close %s", route);
	if (t->v->reason == REASON_DRAINING)
		command(t, "handoffctl drain --off");
	if (t->v->reason == REASON_NO_CONSUMER || t->v->reason == REASON_NO_CREDIT ||
	    t->v->reason == REASON_CONSUMER_PAUSED)
		command(t, "handoffctl clients");
	if (t->v->reason == REASON_ASSIGNED && is_plain(t->holder))
		command(t, "handoffctl kick %s", t->holder);
	if (b->held)
		command(t, "handoffctl release %s", t->id);
	else
		command(t, "handoffctl hold %s", t->id);
	if (t->v->state == BATCH_WAITING)
		command(t, "handoffctl retry %s", t->id);
}

/* Another route knows the same batch_id, too. */
static bool is_ambiguous(struct core *core, const struct route *route, const struct uuid *batch_id)
{
	struct identity where;

	for (size_t n = 0; n < core_route_count(core); n++) {
		const struct route *r = core_route(core, n);

		store_identity_get(core_store(core), core_route_number(r), batch_id, &where);
		if (r != route && where.kind != IDENTITY_NONE)
			return true;
	}
	return false;
}

static void name_batch(struct telling *t)
{
	const struct batch_view *v = t->v;
	const struct uuid *id = explain_origin(v).batch_id;
	char text[UUID_TEXT_LEN + 1];
	const bool ambiguous = is_ambiguous(t->core, v->route, id);

	uuid_format(id, text);
	snprintf(t->id, sizeof(t->id), "%s%s%s", text, ambiguous ? " --route " : "",
		 ambiguous ? t->route.settings->name : "");
}

void explain_state(struct admin_job *job, const struct batch_view *v)
{
	struct telling t = { .job = job, .core = job->admin->core, .v = v };
	struct report *r = &job->report;

	core_view_route(t.core, v->route, &t.route);
	name_batch(&t);
	core_instance_name(t.core, v->batch != NULL ? v->batch->holder : v->end->holder, t.holder,
			   sizeof(t.holder));
	report_text(r, "state", batch_state_name(v->state));
	report_text(r, "reason", reason_name(v->reason));
	if (v->until_ms != 0) {
		const uint64_t now_ms = core_now_ms(t.core);

		look_time(r, "until", core_wall_of(t.core, v->until_ms));
		report_duration(r, "until_in_ms", v->until_ms > now_ms ?
				(int64_t)(v->until_ms - now_ms) : 0);
	}
	put_next(&t);
	report_list(r, "do");
	put_commands(&t);
	report_close(r);
}
