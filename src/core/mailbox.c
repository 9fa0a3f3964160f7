/* mailbox.c - what an instance is owed, in order, until it has seen it: outcomes and notices */
#include "base/failpoint.h"
#include "core/internal.h"

/*
 * The rows of history are the mailbox: those of an instance with a notice above `seen` are owed. An
 * instance that is there and has been told all rows so far gets a new one from memory; one that is
 * behind gets them from the store, as its peer takes them. (protocol.md section 3)
 *
 * What is no outcome (confirmations, warnings) stands in a table of its own under the same rising
 * numbers, and goes as soon as it has been seen.
 */
#define ROWS_PER_TURN 2048
#define TRIMMED_AT_ONCE 1024		/* the rest with the next `seen` */

void mailbox_is_behind(struct core *c, struct instance *i, bool behind)
{
	if (i->behind == behind)
		return;
	i->behind = behind;
	if (behind)
		TAILQ_INSERT_TAIL(&c->behind, i, pending);
	else
		TAILQ_REMOVE(&c->behind, i, pending);
}

static void hand_over(struct core *c, struct instance *i, const struct ended *e,
    const struct route *r)
{
	c->ops->outcome(i->peer, e, r);
	i->told = e->notice;
	if (e->notice > i->sent)
		i->sent = e->notice;
}

/* It is there and has been told all before this: it need not wait. */
static bool takes_at_once(struct core *c, struct instance *i)
{
	if (!i->peer || i->behind)
		return false;
	if (c->ops->has_room(i->peer))
		return true;
	mailbox_is_behind(c, i, true);
	return false;
}

void mailbox_told(struct core *c, const struct ended *e, const struct route *r)
{
	struct instance *i = instance_by_number(c, e->source);

	if (!i)
		return;
	i->record.live--;
	instance_changed(c, i);
	history_added(c, i, e->notice);
	if (takes_at_once(c, i))
		hand_over(c, i, e, r);
}

static void hand_over_other(struct core *c, struct instance *i, uint64_t number,
    const uint8_t *body, size_t n)
{
	c->ops->notice(i->peer, number, body, n);
	i->told = number;
	if (number > i->sent)
		i->sent = number;
}

void mailbox_add(struct core *c, struct instance *i, bool for_any, const uint8_t *body, size_t n)
{
	uint64_t number = store_notice_add(c->store, i->record.number, for_any, body, n);

	history_other_added(c, i, number);
	if (for_any)
		heir_owed(i, number);
	if (takes_at_once(c, i))
		hand_over_other(c, i, number, body, n);
}

void mailbox_pass_on(struct core *c, struct instance *from, const struct notice_row *row,
    struct instance *to)
{
	uint64_t was = row->number;
	uint64_t number = store_notice_move(c->store, from->record.number, row, to->record.number);

	history_other_moved(c, from, was);
	history_other_added(c, to, number);
	heir_owed(to, number);
	if (to->peer)
		mailbox_is_behind(c, to, true);
}

void mailbox_forget(struct core *c, struct instance *i)
{
	i->sent = i->newest_notice > i->sent ? i->newest_notice : i->sent;
	core_seen(c, i, i->sent);
}

void mailbox_open(struct core *c, struct instance *i)
{
	i->told = i->record.seen;
	mailbox_is_behind(c, i, i->newest_notice > i->told);
}

/* The next that it is owed, whichever of the two it is. False: there is none. */
static bool feed_one(struct core *c, struct instance *i)
{
	struct notice_row other = { .number = UINT64_MAX };
	struct ended e;

	if (i->oldest_other &&
	    store_notice_next(c->store, i->record.number, i->told, &other) != 0)
		other.number = UINT64_MAX;
	if (store_ended_next(c->store, i->record.number, i->told, &e) == 0 &&
	    e.notice < other.number) {
		struct route *r = route_by_number(c, e.route);
		if (r)
			hand_over(c, i, &e, r);
		else
			i->told = e.notice;	/* of a route that is not declared any more */
		return true;
	}
	if (other.number == UINT64_MAX)
		return false;
	hand_over_other(c, i, other.number, other.body, other.n);
	return true;
}

static bool feed(struct core *c, struct instance *i, unsigned *left)
{
	for (; *left > 0; (*left)--) {
		if (!c->ops->has_room(i->peer))
			return false;
		if (!feed_one(c, i)) {
			mailbox_is_behind(c, i, false);
			return false;
		}
	}
	return true;
}

bool mailbox_feed(struct core *c)
{
	unsigned left = ROWS_PER_TURN;
	struct instance *i, *next;
	bool more = false;

	for (i = TAILQ_FIRST(&c->behind); i; i = next) {
		next = TAILQ_NEXT(i, pending);
		more |= feed(c, i, &left);
	}
	return more;
}

bool core_has_pending(const struct core *c)
{
	const struct instance *i;

	TAILQ_FOREACH(i, &c->behind, pending)
		if (c->ops->has_room(i->peer))
			return true;
	return false;
}

void core_seen(struct core *c, struct instance *i, uint64_t seen)
{
	if (seen > i->sent)
		seen = i->sent;
	if (seen <= i->record.seen)
		return;
	i->record.seen = seen;
	if (i->told < seen)		/* told by a connection before this one */
		i->told = seen;
	instance_changed(c, i);
	c->next_prune_ms = 0;
	history_trim_others(c, i, seen, TRIMMED_AT_ONCE);
	history_place(c, i);
}

void mailbox_move(struct core *c, struct ended *e, struct instance *to)
{
	struct instance *from = instance_by_number(c, e->source);

	if (!from || from == to || e->notice <= from->record.seen)
		return;
	uint64_t notice = store_next_notice(c->store);
	uint64_t was = e->notice;
	FAILPOINT("retell.middle");
	store_ended_move(c->store, e, to->record.number, notice);
	e->source = to->record.number;
	e->notice = notice;
	if (from->oldest_notice == was) {
		struct ended next;
		from->oldest_notice = store_ended_next(c->store, from->record.number, was, &next) ==
		        0
		    ? next.notice
		    : 0;
		history_place(c, from);
	}
	history_added(c, to, notice);
	mailbox_is_behind(c, to, true);
}
