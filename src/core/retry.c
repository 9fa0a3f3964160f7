/* retry.c - how long until the next attempt, and when there is none */
#include <string.h>

#include "core/internal.h"

/* Batches that become READY in one turn: the rest follows in the next. */
#define RELEASES_PER_TURN 1024
#define JITTER_SHARE 10			/* at most a tenth of the wait is added */

uint64_t retry_wait_ms(const struct route_settings *r, uint32_t failures, uint64_t random)
{
	double wait_ms = r->retry_delay_ms, most_ms = r->max_retry_delay_ms;

	for (uint32_t n = 1; n < failures && wait_ms < most_ms && r->backoff_multiplier > 1; n++)
		wait_ms *= r->backoff_multiplier;
	uint64_t whole_ms = (uint64_t)(wait_ms < most_ms ? wait_ms : most_ms);
	return whole_ms + random % (whole_ms / JITTER_SHARE + 1);
}

/* Failures of the budget that the latest redrive began. */
static uint32_t failures_of(const struct batch *b)
{
	return b->attempt - b->attempts_before;
}

static bool is_left(const struct route_settings *r, const struct batch *b)
{
	return failures_of(b) <= r->max_retries;
}

void retry_note_due(struct core *c, uint64_t due_ms)
{
	if (due_ms < c->next_due_ms)
		c->next_due_ms = due_ms;
}

static enum journal_event event_of(enum batch_cause cause)
{
	switch (cause) {
	case CAUSE_ACK_TIMEOUT:
		return JOURNAL_ACK_TIMEOUT;
	case CAUSE_PROCESS_TIMEOUT:
		return JOURNAL_PROCESS_TIMEOUT;
	case CAUSE_LOST_SUSPECT:
		return JOURNAL_LOST;
	default:
		return JOURNAL_REJECTED;
	}
}

static enum error_code code_of(enum batch_cause cause)
{
	switch (cause) {
	case CAUSE_ACK_TIMEOUT:
	case CAUSE_PROCESS_TIMEOUT:
		return INT_DELIVERY_001;
	case CAUSE_LOST_SUSPECT:
		return INT_DELIVERY_003;
	default:
		return INT_NONE;
	}
}

static void bury(struct core *c, struct route *r, const struct batch *was, struct batch *b,
    struct ended *e)
{
	journal_note(c, b, &(struct note){ JOURNAL_DEAD, 0, 0, INT_DELIVERY_002, NULL });
	e->dead = true;
	e->rejected = was->record_count;
	e->error_code = INT_DELIVERY_002;
	batch_finish(c, r, b, e, CAUSE_EXHAUSTED);
}

/*
 * It has failed while its circuit was not closed: that was to be expected, and costs nothing. An
 * answer may come when the delivery is over already: then the batch stays where that has put it.
 */
static void come_back(struct core *c, struct route *r, const struct batch *was, struct batch *b,
    const char *text)
{
	journal_note(c, b, &(struct note){ JOURNAL_CIRCUIT, was->holder, 0, INT_NONE, text });
	if (b->state == BATCH_ASSIGNED)
		b->state = BATCH_READY;
	batch_move(c, r, was, b, CAUSE_CIRCUIT);
}

void retry_or_bury(struct core *c, struct route *r, const struct batch *was, struct batch *b,
    struct ended *e, enum batch_cause cause, const char *text)
{
	bool closed = circuit_state(&r->circuit) == CIRCUIT_CLOSED;
	bool left = is_left(&r->settings, was);
	uint64_t wait_ms = left ? retry_wait_ms(&r->settings, failures_of(was), rng_next(&c->rng))
				: 0;

	if (cause != CAUSE_LOST_SUSPECT)	/* that was counted with its connection */
		circuit_failed(c, &r->circuit, was->id, false);
	if (!closed && !was->failed && cause != CAUSE_LOST_SUSPECT) {
		come_back(c, r, was, b, text);
		return;
	}
	journal_note(c, b, &(struct note){ event_of(cause), was->holder, wait_ms, code_of(cause),
		text });
	if (!left) {
		bury(c, r, was, b, e);
		return;
	}
	r->counters.retries_total++;
	b->state = BATCH_WAITING;
	b->failed = true;
	b->due_ms = c->now_ms + wait_ms;
	batch_move(c, r, was, b, cause);
}

bool retry_release_due(struct core *c)
{
	struct batch was;

	if (c->now_ms < c->next_due_ms)
		return false;
	for (int n = 0; n < RELEASES_PER_TURN && !turn_is_spent(c); n++) {
		int rc = store_due_first(c->store, c->now_ms, &was, &c->next_due_ms);
		if (rc == ERR_NOTFOUND)
			return false;
		struct route *r = route_by_number(c, was.route);
		struct batch b = was;
		b.state = BATCH_READY;
		if (rc == 0)
			batch_move(c, r, &was, &b, CAUSE_DUE);
		else
			batch_set_aside(c, r, &was);
	}
	c->next_due_ms = c->now_ms;
	return true;
}
