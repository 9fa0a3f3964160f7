/* assignment.c - what is out: batches that an instance holds, or that wait for it to come back */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/internal.h"

struct assignment *assignment_by_lease(struct core *c, uint64_t lease)
{
	struct assignment *a;

	HASH_FIND(hh, c->assigned, &lease, sizeof lease, a);
	return a;
}

struct assignment *assignment_add(struct core *c, struct route *r, const struct batch *b,
    struct instance *i)
{
	struct assignment *a = xcalloc(1, sizeof *a);

	a->batch = *b;
	a->route = r;
	a->holder = i;
	TAILQ_INSERT_TAIL(&i->held, a, of_holder);
	i->held_count++;
	HASH_ADD(hh, c->assigned, batch.lease, sizeof a->batch.lease, a);
	if (b->suspect) {
		assert(!r->target->suspect);
		r->target->suspect = a;
	}
	return a;
}

void assignment_remove(struct core *c, struct assignment *a)
{
	struct module *m = a->route->target;

	HASH_DELETE(hh, c->assigned, a);
	TAILQ_REMOVE(&a->holder->held, a, of_holder);
	a->holder->held_count--;
	if (m->suspect == a)
		m->suspect = NULL;
	free(a);
}

void assignment_return(struct core *c, struct assignment *a, enum batch_cause cause)
{
	struct batch was = a->batch, b = was;
	struct route *r = a->route;

	if (a->begun)
		b.redelivered = true;
	assignment_remove(c, a);
	if (cause == CAUSE_GIVEN_BACK) {
		b.state = BATCH_WAITING;
		b.due_ms = c->now_ms + retry_delay_ms(&r->settings);
	} else {
		b.state = BATCH_READY;
		b.suspect = was.suspect || cause == CAUSE_LOST_FIRST;
	}
	batch_move(c, r, &was, &b, cause);
}

void assignment_fail(struct core *c, struct assignment *a, enum batch_cause cause)
{
	struct batch was = a->batch;
	struct route *r = a->route;
	struct ended e = { 0 };

	was.redelivered = true;
	assignment_remove(c, a);
	retry_or_bury(c, r, &was, &e, cause);
}

bool core_delivery_begin(struct core *c, struct instance *i, uint64_t lease)
{
	struct assignment *a = assignment_by_lease(c, lease);

	if (!a || a->holder != i)
		return false;
	a->begun = true;
	return true;
}
