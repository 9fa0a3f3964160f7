/* deadline.c - a target that is silent for too long loses the batch */
#include "core/internal.h"

/*
 * protocol.md section 6: RECEIVED within ack_timeout_ms of the moment the delivery's last byte was
 * handed over, then PROCESSED within process_timeout_ms of the last RECEIVED. The deadlines are in
 * memory only: a restart, or a holder that comes back, begins them anew.
 */
#define EXPIRES_PER_TURN 1024

void deadline_stop(struct core *c, struct assignment *a)
{
	if (a->deadline.at)
		heap_remove(&c->deadlines, &a->deadline);
}

void deadline_restart(struct core *c, struct assignment *a)
{
	const struct route_settings *s = &a->route->settings;

	deadline_stop(c, a);
	a->deadline.tie = a->batch.lease;
	heap_add(&c->deadlines, &a->deadline,
	    c->peer_ms + (a->received ? s->process_timeout_ms : s->ack_timeout_ms), a);
}

void core_delivery_sent(struct core *c, struct instance *i, uint64_t lease)
{
	struct assignment *a = assignment_by_lease(c, lease);

	if (a && a->holder == i && !a->received)
		deadline_restart(c, a);
}

void core_delivery_unreadable(struct core *c, struct instance *i, uint64_t lease)
{
	struct assignment *a = assignment_by_lease(c, lease);

	if (!a || a->holder != i)
		return;
	a->unreadable = true;
	deadline_stop(c, a);
	heap_add(&c->deadlines, &a->deadline, c->peer_ms, a);
}

uint64_t deadline_next_ms(const struct core *c)
{
	const struct assignment *a = heap_first(&c->deadlines);

	return a ? a->deadline.order : UINT64_MAX;
}

static void expire(struct core *c, struct assignment *a)
{
	struct batch b = a->batch;
	struct instance *holder = a->holder;
	const struct route *r = a->route;

	if (a->unreadable) {	/* dispatch looks at it before it makes the next delivery */
		assignment_return(c, a, CAUSE_NOT_BEGUN);
		return;
	}
	vitals_missed(holder);
	assignment_fail(c, a, a->received ? CAUSE_PROCESS_TIMEOUT : CAUSE_ACK_TIMEOUT);
	if (holder->peer)
		c->ops->warn(holder->peer, &(struct batch_warning){
			.code = INT_DELIVERY_001,
			.route = r,
			.batch_id = b.batch_id,
			.correlation = { b.correlation, b.correlation_len },
		});
}

bool deadline_expire(struct core *c)
{
	for (int n = 0; n < EXPIRES_PER_TURN && !turn_is_spent(c); n++) {
		if (deadline_next_ms(c) > c->peer_ms)
			return false;
		expire(c, heap_first(&c->deadlines));
	}
	return true;
}
