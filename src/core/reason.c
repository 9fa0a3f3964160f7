/* reason.c - why a batch does not move: a closed list (design.md section 5) */
#include "core/reason.h"

const char *reason_name(enum reason reason)
{
	static const char *const names[REASON_COUNT] = {
		[REASON_NONE] = "NONE",
		[REASON_NEXT] = "NEXT",
		[REASON_ASSIGNED] = "ASSIGNED",
		[REASON_RECLAIM] = "RECLAIM",
		[REASON_NO_CONSUMER] = "NO_CONSUMER",
		[REASON_NO_CREDIT] = "NO_CREDIT",
		[REASON_CONSUMER_PAUSED] = "CONSUMER_PAUSED",
		[REASON_QUEUED] = "QUEUED",
		[REASON_BACKOFF] = "BACKOFF",
		[REASON_ORDERED_BEHIND] = "ORDERED_BEHIND",
		[REASON_SUSPECT] = "SUSPECT",
		[REASON_HELD] = "HELD",
		[REASON_ROUTE_HALTED] = "ROUTE_HALTED",
		[REASON_DRAINING] = "DRAINING",
		[REASON_CIRCUIT_OPEN] = "CIRCUIT_OPEN",
		[REASON_DEAD] = "DEAD",
	};
	return names[reason];
}

/* Why nobody takes anything from this route; REASON_NEXT: somebody does. */
static enum reason of_consumers(const struct core *c, const struct route *r)
{
	const struct instance *i;
	bool any = false, credit = false;

	TAILQ_FOREACH(i, &r->target->connected, connected) {
		bool has_credit = !i->draining && i->held_count < i->max_in_flight;

		if (i->max_in_flight == 0 || i->draining)
			continue;
		any = true;
		credit |= has_credit;
		if (has_credit && !flow_is_paused(c, i, r))
			return REASON_NEXT;
	}
	return !any ? REASON_NO_CONSUMER : credit ? REASON_CONSUMER_PAUSED : REASON_NO_CREDIT;
}

/* What stops the whole route, REASON_NEXT: nothing does. */
static enum reason of_route(const struct core *c, const struct route *r)
{
	if (r->control.paused)
		return REASON_ROUTE_HALTED;
	if (c->draining)
		return REASON_DRAINING;
	return circuit_lets_through(r) ? of_consumers(c, r) : REASON_CIRCUIT_OPEN;
}

static bool is_behind_in_order(struct core *c, const struct route *r, const struct batch *b)
{
	struct batch first;

	return b->ordered &&
	    store_series_first(c->store, r->number, b->series, &first) == 0 && first.id != b->id;
}

static bool is_first_ready(struct core *c, const struct route *r, const struct batch *b)
{
	struct batch first;

	if (b->ordered || (!b->critical && r->counters.ready_critical))
		return b->ordered;
	return store_ready_first(c->store, r->number, batch_ready_class(b), &first) == 0 &&
	    first.id == b->id;
}

static enum reason of_ready(struct core *c, const struct route *r, const struct batch *b)
{
	enum reason route = of_route(c, r);

	if (b->held)
		return REASON_HELD;
	if (is_behind_in_order(c, r, b))
		return REASON_ORDERED_BEHIND;
	if (b->suspect && (route == REASON_NEXT || route == REASON_NO_CREDIT))
		return REASON_SUSPECT;
	if (route == REASON_NEXT || route == REASON_NO_CREDIT)
		return is_first_ready(c, r, b) ? route : REASON_QUEUED;
	return route;
}

static enum reason of_assigned(struct core *c, const struct batch *b, uint64_t *until_ms)
{
	const struct assignment *a = assignment_by_lease(c, b->lease);

	if (!a)
		return REASON_NEXT;
	if (!a->holder->peer) {
		*until_ms = core_from_peer_time(c, a->holder->reclaim_until_ms);
		return REASON_RECLAIM;
	}
	*until_ms = a->deadline.at ? core_from_peer_time(c, a->deadline.order) : 0;
	return REASON_ASSIGNED;
}

enum reason reason_of(struct core *c, const struct route *r, const struct batch *b,
    uint64_t *until_ms)
{
	enum reason reason;

	*until_ms = 0;
	switch (b->state) {
	case BATCH_READY:
		reason = of_ready(c, r, b);
		if (reason == REASON_CIRCUIT_OPEN)
			*until_ms = circuit_next_ms(&r->circuit);
		return reason;
	case BATCH_ASSIGNED:
		return of_assigned(c, b, until_ms);
	case BATCH_WAITING:
		*until_ms = b->due_ms;
		return b->held ? REASON_HELD : REASON_BACKOFF;
	case BATCH_DEAD:
		return REASON_DEAD;
	default:
		return REASON_NONE;
	}
}
