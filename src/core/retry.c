/* retry.c - how long until the next attempt, and when there is none */
#include <string.h>

#include "core/internal.h"

/* Batches that become READY in one turn: the rest follows in the next. */
#define RELEASES_PER_TURN 1024

uint64_t retry_delay_ms(const struct route_settings *r)
{
	return r->retry_delay_ms;
}

bool retry_is_left(const struct route_settings *r, uint32_t attempt)
{
	return attempt <= r->max_retries;
}

void retry_note_due(struct core *c, uint64_t due_ms)
{
	if (due_ms < c->next_due_ms)
		c->next_due_ms = due_ms;
}

void retry_or_bury(struct core *c, struct route *r, const struct batch *was, struct ended *e,
    enum batch_cause cause)
{
	struct batch b = *was;

	if (!retry_is_left(&r->settings, was->attempt)) {
		e->dead = true;
		e->rejected = was->record_count;
		e->error_code = INT_DELIVERY_002;
		batch_finish(c, r, was, e, CAUSE_EXHAUSTED);
		return;
	}
	b.state = BATCH_WAITING;
	b.failed = true;
	b.due_ms = c->now_ms + retry_delay_ms(&r->settings);
	batch_move(c, r, was, &b, cause);
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
