/* mailbox.c - what a source is owed: outcomes, in the order of ending, until it has seen them */
#include "core/internal.h"

/*
 * The rows of history are the mailbox: those of an instance with a notice above `seen` are owed. An
 * instance that is there and has been told all rows so far gets a new one from memory; one that is
 * behind gets them from the store, as its peer takes them. (protocol.md section 3)
 */
#define ROWS_PER_TURN 2048

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

void mailbox_told(struct core *c, const struct ended *e, const struct route *r)
{
	struct instance *i = instance_by_number(c, e->source);

	if (!i)
		return;
	i->record.live--;
	instance_changed(c, i);
	history_added(c, i, e->notice);
	if (!i->peer || i->behind)
		return;
	if (!c->ops->has_room(i->peer)) {
		mailbox_is_behind(c, i, true);
		return;
	}
	hand_over(c, i, e, r);
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

static bool feed(struct core *c, struct instance *i, unsigned *left)
{
	struct ended e;

	while (*left > 0) {
		if (!c->ops->has_room(i->peer))
			return false;
		if (store_ended_next(c->store, i->record.number, i->told, &e) != 0) {
			mailbox_is_behind(c, i, false);
			return false;
		}
		struct route *r = route_by_number(c, e.route);
		if (r)
			hand_over(c, i, &e, r);
		(*left)--;
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
	instance_changed(c, i);
	c->next_prune_ms = 0;
	history_place(c, i);
}

void mailbox_move(struct core *c, struct ended *e, struct instance *to)
{
	struct instance *from = instance_by_number(c, e->source);

	if (!from || from == to || e->notice <= from->record.seen)
		return;
	uint64_t notice = store_next_notice(c->store);
	uint64_t was = e->notice;
	store_ended_move(c->store, e, to->record.number, notice);
	e->source = to->record.number;
	e->notice = notice;
	if (from->oldest_notice == was) {
		struct ended next;
		from->oldest_notice = store_ended_next(c->store, from->record.number, was, &next) ==
		        0
		    ? next.notice
		    : 0;
		if (from->oldest_notice == 0)
			from->newest_notice = 0;
		history_place(c, from);
	}
	history_added(c, to, notice);
	mailbox_is_behind(c, to, true);
}
