/* assignment.c - what is out: batches that an instance holds, or that wait for it to come back */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/internal.h"

/*
 * Leases follow each other: nothing spreads better over a table than what they are. So its chains
 * can be short, and each step of one is into memory that nobody has looked at lately.
 */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 2U

static unsigned hash_of(uint64_t lease)
{
	return (unsigned)lease;
}

struct assignment *assignment_by_lease(struct core *c, uint64_t lease)
{
	struct assignment *a;

	HASH_FIND_BYHASHVALUE(hh, c->assigned, &lease, sizeof lease, hash_of(lease), a);
	return a;
}

struct assignment *assignment_add(struct core *c, struct route *r, const struct batch *b,
    struct instance *i)
{
	struct assignment *a = xmalloc(sizeof *a);

	*a = (struct assignment){ .batch = *b, .route = r, .holder = i, .since_us = c->wall_us };
	TAILQ_INSERT_TAIL(&i->held, a, of_holder);
	i->held_count++;
	vitals_took(c, i);
	HASH_ADD_BYHASHVALUE(hh, c->assigned, batch.lease, sizeof a->batch.lease,
	    hash_of(b->lease), a);
	if (b->suspect) {
		assert(!r->target->suspect);
		r->target->suspect = a;
	}
	return a;
}

void assignment_remove(struct core *c, struct assignment *a)
{
	struct module *m = a->route->target;

	deadline_stop(c, a);
	circuit_returned(a->route, a->batch.lease);
	HASH_DELETE(hh, c->assigned, a);
	TAILQ_REMOVE(&a->holder->held, a, of_holder);
	a->holder->held_count--;
	if (m->suspect == a)
		m->suspect = NULL;
	free(a);
}

/* Why it is not ordinary that it comes back; 0: it is. */
static enum journal_event event_of(enum batch_cause cause)
{
	switch (cause) {
	case CAUSE_LOST_FIRST:
		return JOURNAL_LOST;
	case CAUSE_GIVEN_BACK:
		return JOURNAL_GIVEN_BACK;
	case CAUSE_NOT_RECLAIMED:
		return JOURNAL_NOT_RECLAIMED;
	default:
		return 0;
	}
}

void assignment_return(struct core *c, struct assignment *a, enum batch_cause cause)
{
	struct batch was = a->batch, b = was;
	struct route *r = a->route;
	struct note note = { event_of(cause), was.holder, 0,
		cause == CAUSE_LOST_FIRST ? INT_DELIVERY_003 : INT_NONE, NULL };

	if (a->begun)
		b.redelivered = true;
	assignment_remove(c, a);
	if (cause == CAUSE_GIVEN_BACK) {
		note.delay_ms = retry_wait_ms(&r->settings, 1, rng_next(&c->rng));
		b.state = BATCH_WAITING;
		b.due_ms = c->now_ms + note.delay_ms;
	} else {
		b.state = BATCH_READY;
		b.suspect = was.suspect || cause == CAUSE_LOST_FIRST;
	}
	if (note.event)
		journal_note(c, &b, &note);
	if (note.code != INT_NONE)
		error_of_batch(c, r, &b, note.code);
	batch_move(c, r, &was, &b, cause);
}

void assignment_fail(struct core *c, struct assignment *a, enum batch_cause cause)
{
	struct batch was = a->batch, b = was;
	struct route *r = a->route;
	struct ended e = { 0 };

	b.redelivered = true;
	assignment_remove(c, a);
	retry_or_bury(c, r, &was, &b, &e, cause, NULL);
}

bool core_delivery_begin(struct core *c, struct instance *i, uint64_t lease)
{
	struct assignment *a = assignment_by_lease(c, lease);

	if (!a || a->holder != i)
		return false;
	a->begun = true;
	return true;
}
