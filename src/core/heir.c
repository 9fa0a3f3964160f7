/* heir.c - what any instance of a module may take, when the one that it went to is gone */
#include "core/internal.h"

/*
 * Such a notice stands in the mailbox of one instance, marked. When that one's connection ends and
 * it has not confirmed it, the notice goes to another, under a new number: to one that is there or
 * comes, and keeps a mailbox. Until then it waits where it is, and its instance may come back for
 * it. (protocol.md section 3)
 *
 * An instance that keeps no mailbox waits for nobody: what it leaves goes at once to whoever would
 * have got it without it.
 */
#define ROWS_PER_TURN 1024

/* It stays, and what it is owed is kept for it: who asks for health alone reads no errors. */
static struct instance *first_taker(const struct module *m)
{
	struct instance *i;

	TAILQ_FOREACH(i, &m->connected, connected)
		if (i->record.mailbox && !i->draining)
			return i;
	return NULL;
}

struct instance *heir_any_of(struct module *m)
{
	struct instance *i, *next, *best = first_taker(m);

	if (best || !TAILQ_EMPTY(&m->connected))
		return best ? best : TAILQ_FIRST(&m->connected);
	HASH_ITER(by_id, m->instances, i, next)
		if (i->record.mailbox && i->record.id_len > 0 &&
		    (!best || i->record.last_used_ms > best->record.last_used_ms))
			best = i;
	return best;
}

/* --- who is away ----------------------------------------------------------------------------- */

static bool has_any(const struct instance *i)
{
	return i->newest_any > i->record.seen;
}

static void enlist(struct instance *i)
{
	if (!i->is_left)
		TAILQ_INSERT_TAIL(&i->module->left, i, left);
	i->is_left = true;
}

void heir_back(struct instance *i)
{
	if (i->is_left)
		TAILQ_REMOVE(&i->module->left, i, left);
	i->is_left = false;
}

void heir_owed(struct instance *i, uint64_t number)
{
	i->newest_any = number;
	if (!i->peer)
		enlist(i);
}

/* --- passing on ------------------------------------------------------------------------------ */

/* Of what it has not confirmed; false: none is left. */
static bool next_row(struct core *c, struct instance *i, struct notice_row *row)
{
	if (i->passed_on < i->record.seen)
		i->passed_on = i->record.seen;
	return store_notice_next(c->store, i->record.number, i->passed_on, row) == 0 &&
	    row->number <= i->newest_any;
}

/* True: all that any other may take is gone, as far as the turn has rows for it, and room. */
static bool pass_on(struct core *c, struct instance *i, struct instance *to, unsigned *rows)
{
	struct notice_row row;

	for (; next_row(c, i, &row); i->passed_on = row.number) {
		if (*rows == 0 || turn_is_spent(c))
			return false;
		--*rows;
		if (!row.for_any)
			continue;
		if (!store_has_room(c->store, 2 * row.n, core_reserve_bytes(c)))
			return false;
		mailbox_pass_on(c, i, &row, to);
	}
	i->newest_any = 0;
	heir_back(i);
	return true;
}

void heir_left(struct core *c, struct instance *i)
{
	unsigned rows = ROWS_PER_TURN;
	struct instance *to;

	if (!has_any(i))
		return;
	if (i->record.mailbox)
		enlist(i);
	else if ((to = heir_any_of(i->module)))
		pass_on(c, i, to, &rows);
}

static bool serve(struct core *c, struct module *m, unsigned *rows)
{
	struct instance *i, *to;

	while ((i = TAILQ_FIRST(&m->left)) && (to = first_taker(m)))
		if (!pass_on(c, i, to, rows))
			return *rows == 0 || turn_is_spent(c);
	return false;
}

bool heir_proceed(struct core *c)
{
	unsigned rows = ROWS_PER_TURN;
	bool more = false;

	for (size_t n = 0; n < c->settings.module_count; n++)
		more |= serve(c, &c->modules[n], &rows);
	return more;
}
