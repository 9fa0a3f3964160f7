/* history.c - how long an end is known: retention, budget, and who may not fill it */
#include "core/internal.h"

/*
 * protocol.md section 6, point 4. An instance's rows go in the order of ending, so what it has
 * confirmed is the front part of them, and its oldest row says in which of two heaps it stands:
 * `confirmed` (that row may go when its time is over, or for room) or `unconfirmed` (it goes for
 * room alone, and not before dedupe_minimum). When neither gives room, intake closes for those in
 * the second.
 */
#define ROWS_PER_TURN 1024

void history_place(struct core *c, struct instance *i)
{
	if (i->place.at)
		heap_remove(i->is_confirmed ? &c->confirmed : &c->unconfirmed, &i->place);
	if (i->oldest_notice == 0)
		return;
	i->is_confirmed = i->oldest_notice <= i->record.seen || !i->record.mailbox;
	heap_add(i->is_confirmed ? &c->confirmed : &c->unconfirmed, &i->place, i->oldest_notice, i);
}

void history_added(struct core *c, struct instance *i, uint64_t notice)
{
	i->newest_notice = notice;
	if (i->oldest_notice == 0) {
		i->oldest_notice = notice;
		history_place(c, i);
	}
}

/* Forgets the instance's oldest row. */
static void forget_oldest(struct core *c, struct instance *i, const struct ended *e)
{
	struct ended next;

	store_ended_del(c->store, e);
	if (store_ended_next(c->store, i->record.number, e->notice, &next) == 0)
		i->oldest_notice = next.notice;
	else
		i->oldest_notice = i->newest_notice = 0;
	history_place(c, i);
}

static bool oldest_of(struct core *c, const struct heap *h, struct instance **i, struct ended *e)
{
	*i = heap_first(h);
	return *i &&
	    store_ended_next(c->store, (*i)->record.number, (*i)->oldest_notice - 1, e) == 0;
}

static bool is_over_budget(const struct core *c)
{
	return store_history_bytes(c->store) > c->settings.history_size;
}

static bool prune_one(struct core *c)
{
	struct instance *i;
	struct ended e;

	if (oldest_of(c, &c->confirmed, &i, &e) &&
	    (is_over_budget(c) || c->now_ms >= e.ended_ms + c->settings.outcome_retention_ms)) {
		forget_oldest(c, i, &e);
		return true;
	}
	if (is_over_budget(c) && oldest_of(c, &c->unconfirmed, &i, &e) &&
	    c->now_ms >= e.ended_ms + c->settings.dedupe_minimum_ms) {
		forget_oldest(c, i, &e);
		return true;
	}
	return false;
}

bool history_prune(struct core *c)
{
	if (!is_over_budget(c) && c->now_ms < c->next_prune_ms)
		return false;
	for (int n = 0; n < ROWS_PER_TURN && !turn_is_spent(c); n++) {
		struct instance *i;
		struct ended e;

		if (prune_one(c))
			continue;
		c->next_prune_ms = oldest_of(c, &c->confirmed, &i, &e)
		    ? e.ended_ms + c->settings.outcome_retention_ms : UINT64_MAX;
		return false;
	}
	return true;
}

bool history_is_closed_for(struct core *c, const struct instance *i)
{
	return is_over_budget(c) && c->confirmed.count == 0 && i->oldest_notice != 0;
}

bool history_forget(struct core *c, struct instance *i)
{
	struct ended e;

	while (i->oldest_notice != 0) {
		if (store_ended_next(c->store, i->record.number, i->oldest_notice - 1, &e) != 0)
			return false;
		if (e.notice > i->record.seen &&
		    c->now_ms < e.ended_ms + c->settings.dedupe_minimum_ms)
			return false;
		forget_oldest(c, i, &e);
	}
	return true;
}
