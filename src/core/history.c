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
#define ALIAS_ROWS_PER_TURN 64
#define ALIASES_AT_LEAST 1024		/* forgotten at a time */

/* The oldest of all it is owed or remembered for, 0 none. */
static uint64_t oldest(const struct instance *i)
{
	if (i->oldest_notice == 0 || (i->oldest_other && i->oldest_other < i->oldest_notice))
		return i->oldest_other;
	return i->oldest_notice;
}

void history_place(struct core *c, struct instance *i)
{
	uint64_t first = oldest(i);

	if (i->place.at)
		heap_remove(i->is_confirmed ? &c->confirmed : &c->unconfirmed, &i->place);
	if (first == 0)
		return;
	i->is_confirmed = first <= i->record.seen || !i->record.mailbox;
	heap_add(i->is_confirmed ? &c->confirmed : &c->unconfirmed, &i->place, first, i);
}

void history_added(struct core *c, struct instance *i, uint64_t notice)
{
	i->newest_notice = notice;
	if (i->oldest_notice == 0) {
		i->oldest_notice = notice;
		history_place(c, i);
	}
}

/* --- notices that are no outcomes ------------------------------------------------------------ */

void history_other_added(struct core *c, struct instance *i, uint64_t number)
{
	i->newest_notice = number;
	if (i->oldest_other == 0) {
		i->oldest_other = number;
		history_place(c, i);
	}
}

static void find_oldest_other(struct core *c, struct instance *i)
{
	struct notice_row row;

	i->oldest_other = store_notice_next(c->store, i->record.number, 0, &row) == 0 ? row.number
	                                                                              : 0;
	history_place(c, i);
}

void history_other_moved(struct core *c, struct instance *i, uint64_t number)
{
	if (i->oldest_other == number)
		find_oldest_other(c, i);
}

void history_trim_others(struct core *c, struct instance *i, uint64_t until, unsigned most)
{
	if (i->oldest_other == 0 || i->oldest_other > until)
		return;
	store_notice_trim(c->store, i->record.number, until, most);
	find_oldest_other(c, i);
}

/* --- rows of history ------------------------------------------------------------------------- */

/* Forgets the instance's oldest row. */
static void forget_oldest(struct core *c, struct instance *i, const struct ended *e)
{
	struct ended next;

	store_ended_del(c->store, e);
	if (e->id > c->last_aged_id)
		c->last_aged_id = e->id;
	if (e->ended_ms > c->forgotten_ms)
		c->forgotten_ms = e->ended_ms;
	if (store_ended_next(c->store, i->record.number, e->notice, &next) == 0)
		i->oldest_notice = next.notice;
	else
		i->oldest_notice = 0;
	history_place(c, i);
}

/* What is left of an instance's rows cannot be read any more: they are in nobody's way. */
static void forget_unreadable(struct core *c, struct instance *i)
{
	i->oldest_notice = 0;
	history_place(c, i);
}

/* The instance whose row is the oldest that may be forgotten, where it is a row. */
static bool oldest_of(struct core *c, const struct heap *h, struct instance **i, struct ended *e)
{
	while ((*i = heap_first(h)) && (*i)->oldest_notice != 0) {
		if (store_ended_next(c->store, (*i)->record.number, (*i)->oldest_notice - 1, e) ==
		    0)
			return true;
		forget_unreadable(c, *i);
	}
	return false;
}

static bool is_over_budget(const struct core *c)
{
	return store_history_bytes(c->store) > c->settings.history_size;
}

/* Notices that nobody fetches end with the budget; what an instance has seen is gone already. */
static bool prune_other(struct core *c, const struct heap *h)
{
	struct instance *i = heap_first(h);

	if (!i || i->oldest_other == 0 || oldest(i) != i->oldest_other)
		return false;
	if (h == &c->unconfirmed && !is_over_budget(c))
		return false;
	history_trim_others(c, i, i->oldest_other, 1);
	return true;
}

/* *next_ms: when an error's time is over, UINT64_MAX never. */
static bool prune_one(struct core *c, uint64_t *next_ms)
{
	struct instance *i;
	struct ended e;

	if (prune_other(c, &c->confirmed))
		return true;
	bool any = oldest_of(c, &c->confirmed, &i, &e);
	if (error_prune(c, is_over_budget(c), any ? e.ended_ms : UINT64_MAX, next_ms))
		return true;
	if (any && (is_over_budget(c) || c->now_ms >= e.ended_ms + c->settings.outcome_retention_ms)) {
		forget_oldest(c, i, &e);
		return true;
	}
	if (!is_over_budget(c))
		return false;
	if (prune_other(c, &c->unconfirmed))
		return true;
	if (oldest_of(c, &c->unconfirmed, &i, &e) &&
	    c->now_ms >= e.ended_ms + c->settings.dedupe_minimum_ms) {
		forget_oldest(c, i, &e);
		return true;
	}
	return false;
}

/*
 * Aliases go with the history of their time. What is in custody or parked for longer than that is
 * found without them: it is the oldest of what there is. True when there are more.
 */
static bool prune_aliases(struct core *c)
{
	uint64_t least = is_over_budget(c) ? 1 : ALIASES_AT_LEAST;

	if (c->last_aged_id < c->trimmed_id + least)
		return false;
	if (store_alias_trim(c->store, c->last_aged_id, ALIAS_ROWS_PER_TURN))
		return true;
	c->trimmed_id = c->last_aged_id;
	return false;
}

bool history_prune(struct core *c)
{
	if (!is_over_budget(c) && c->now_ms < c->next_prune_ms)
		return false;
	if (prune_aliases(c))
		return true;
	for (int n = 0; n < ROWS_PER_TURN && !turn_is_spent(c); n++) {
		uint64_t next_ms;
		struct instance *i;
		struct ended e;

		if (prune_one(c, &next_ms))
			continue;
		if (oldest_of(c, &c->confirmed, &i, &e) &&
		    e.ended_ms + c->settings.outcome_retention_ms < next_ms)
			next_ms = e.ended_ms + c->settings.outcome_retention_ms;
		c->next_prune_ms = next_ms;
		return false;
	}
	return true;
}

bool history_is_closed_for(struct core *c, const struct instance *i)
{
	return is_over_budget(c) && c->confirmed.count == 0 && oldest(i) != 0 &&
	    store_error_count(c->store) == 0;
}

bool history_forget(struct core *c, struct instance *i)
{
	struct ended e;

	history_trim_others(c, i, UINT64_MAX, UINT32_MAX);
	while (i->oldest_notice != 0) {
		if (store_ended_next(c->store, i->record.number, i->oldest_notice - 1, &e) != 0) {
			forget_unreadable(c, i);
			break;
		}
		if (e.notice > i->record.seen &&
		    c->now_ms < e.ended_ms + c->settings.dedupe_minimum_ms)
			return false;
		forget_oldest(c, i, &e);
	}
	return true;
}
