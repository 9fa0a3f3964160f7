/* turn.c - the turn: take in, commit, then and only then let out (design.md section 2) */
#include "server/turn.h"

#include <assert.h>
#include <ev.h>

#include "base/datetime.h"
#include "base/log.h"
#include "server/clock.h"

/* Before the modules, of whom there are many: a busy broker can be asked why it is busy. */
static void take_operators(struct turn *t)
{
	if (!t->admin)
		return;
	admin_set_time(t->admin, t->clock.now_ms);
	admin_receive(t->admin);
	admin_expire(t->admin);
}

/*
 *	ev_run:    descriptors and the one timer note who is ready
 *	turn_take: time is read once ─► what is ready is handled: the core changes the store's one
 *	           transaction and queues what will be owed ─► what is due, deliveries, counters
 *	turn_end:  commit ─► write to sockets ─► free what died
 *
 * This is where RECEIVED is said: its frame was queued by a handler and leaves in
 * sessions_settle(), after store_commit() has returned 0; so do an operator's answers in
 * admin_settle(). Nothing leaves the process on any other path.
 */
static void turn_take(struct turn *t)
{
	clock_read(&t->clock);
	core_set_time(t->core, t->clock.now_ms, datetime_now_us());
	sessions_set_time(t->sessions, t->clock.now_ms);
	take_operators(t);
	sessions_receive(t->sessions);
	sessions_expire(t->sessions);
	t->more = core_turn_close(t->core);
}

static bool turn_end(struct turn *t)
{
	uint64_t commits = store_commits(t->store);
	int64_t began_us = clock_monotonic_us();

	if (store_commit(t->store) != 0)
		return false;
	int64_t took_us = clock_monotonic_us() - began_us;
	clock_stalled(&t->clock, took_us / 1000);
	if (store_commits(t->store) != commits)
		log_debug("committed", "changes=%u took=%lldus", core_turn_changes(t->core),
		    (long long)took_us);
	sessions_settle(t->sessions);
	if (t->admin)
		admin_settle(t->admin);
	store_read_end(t->store);
	sessions_reap(t->sessions);
	if (t->admin)
		admin_reap(t->admin);
	assert(!store_is_in_turn(t->store));
	return true;
}

/* The one timer: the earliest of what is due. */
static void set_timer(struct turn *t)
{
	uint64_t due_ms = core_next_due_ms(t->core),
	         deadline_ms = sessions_next_deadline_ms(t->sessions);

	if (deadline_ms < due_ms)
		due_ms = deadline_ms;
	if (t->admin && admin_next_deadline_ms(t->admin) < due_ms)
		due_ms = admin_next_deadline_ms(t->admin);
	if (due_ms == UINT64_MAX)
		timeout_stop(t->timeout);
	else
		timeout_start(t->timeout,
		    due_ms > t->clock.now_ms ? (int64_t)(due_ms - t->clock.now_ms) : 0);
}

bool turn_run(struct turn *t)
{
	bool pending = t->more || core_has_pending(t->core) || sessions_have_pending(t->sessions) ||
	               (t->admin && admin_have_pending(t->admin));

	if (!pending)
		set_timer(t);
	ev_run(t->loop, pending ? EVRUN_NOWAIT : EVRUN_ONCE);
	turn_take(t);
	if (!turn_end(t))
		return false;
	ev_now_update(t->loop);
	return true;
}
