/* turn.c - the turn: take in, commit, then and only then let out (design.md section 2) */
#include "server/turn.h"

#include <assert.h>
#include <ev.h>

#include "base/datetime.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "server/clock.h"

#define HELD_BACK_MS 1000	/* log lines that were held back are told of by then */

/* Before the modules, of whom there are many: a busy broker can be asked why it is busy. */
static void take_operators(struct turn *t)
{
	if (!t->admin)
		return;
	admin_set_time(t->admin, t->clock.peer_ms);
	admin_receive(t->admin);
	admin_expire(t->admin);
}

static void take_lookers(struct turn *t)
{
	if (!t->http)
		return;
	http_set_time(t->http, t->clock.peer_ms);
	http_receive(t->http);
	http_expire(t->http);
}

/*
 *	ev_run:    descriptors and the one timer note who is ready
 *	turn_take: time is read once ─► what is ready is handled: the core changes the store's one
 *	           transaction and queues what will be owed ─► what is due, deliveries, counters
 *	turn_end:  commit ─► write to sockets ─► free what died
 *
 * This is where RECEIVED is said: its frame was queued by a handler and leaves in
 * sessions_settle(), when its turn is durable; so do an operator's answers in admin_settle(), and
 * pages in http_settle(). Nothing leaves the process on any other path. A busy turn becomes durable
 * while the next one goes on: what is owed for it leaves behind that one's commit, or before it is
 * begun. What took long on the way is nobody's lateness: clock_stalled().
 */
static void turn_take(struct turn *t)
{
	clock_read(&t->clock, &t->awake_ms);
	core_set_time(t->core, t->clock.now_ms, t->clock.peer_ms, datetime_now_us());
	own_health_tell(&t->own_health, t->core);
	sessions_set_time(t->sessions, t->clock.peer_ms);
	take_operators(t);
	take_lookers(t);
	sessions_receive(t->sessions);
	sessions_expire(t->sessions);
	t->more = core_turn_close(t->core);
}

/* Work of ours that took long, a flush above all, is nobody's lateness. */
static void read_clock(struct turn *t)
{
	t->awake_ms = clock_read(&t->clock, &t->awake_ms);
}

static void note_commit(struct turn *t, int64_t took_us)
{
	own_health_note_commit(&t->own_health, took_us);
	histogram_add(&t->measures.commit, (uint64_t)took_us);
	log_debug("committed", "changes=%u took=%lldus", core_turn_changes(t->core),
	    (long long)took_us);
}

/* Whether what another thread writes is durable by now. False when that failed. */
static bool hear(struct turn *t)
{
	if (store_commit_end(t->store) != 0)
		return false;
	if (t->written.turn && store_durable_turn(t->store) >= t->written.turn) {
		note_commit(t, clock_monotonic_us() - t->written.since_us);
		t->written.turn = 0;
	}
	return true;
}

/* What operators and lookers are told is of this turn: they wait for it. */
static bool somebody_waits(const struct turn *t)
{
	return (t->admin && admin_has_answers(t->admin)) || (t->http && http_has_answers(t->http));
}

/*
 * False when the commit failed. *changed: there was something to commit. A turn with much to write
 * is not waited for: it is written while the next one goes on.
 */
static bool commit(struct turn *t, bool *changed)
{
	uint64_t commits = store_commits(t->store), turn = store_turn(t->store);
	int64_t began_us = clock_monotonic_us(), ended_us;

	if (somebody_waits(t) ? store_commit(t->store) != 0 : store_commit_begin(t->store) != 0)
		return false;
	ended_us = clock_monotonic_us();
	own_health_note_turn(&t->own_health, began_us - t->awake_ms * 1000);
	if (!hear(t))
		return false;
	*changed = store_commits(t->store) != commits;
	if (!*changed)
		return true;
	histogram_add(&t->measures.changes, core_turn_changes(t->core));
	if (store_durable_turn(t->store) >= turn) {
		note_commit(t, ended_us - began_us);
	} else {
		t->written.turn = turn;
		t->written.since_us = ended_us;
	}
	return true;
}

/* What is durable leaves. */
static void settle(struct turn *t)
{
	sessions_settle(t->sessions);
	FAILPOINT("settle.middle");
	if (t->admin)
		admin_settle(t->admin);
	if (t->http)
		http_settle(t->http);
	store_read_end(t->store);
}

/*
 * What has become durable meanwhile does not wait for this turn. Deadlines begin when the last byte
 * of a delivery is handed over: it is now, and not when the latest turn was.
 */
static bool let_out(struct turn *t)
{
	uint64_t durable = store_durable_turn(t->store);

	if (!hear(t))
		return false;
	if (store_durable_turn(t->store) == durable)
		return true;
	clock_read(&t->clock, &t->awake_ms);
	core_time_passed(t->core, t->clock.now_ms, t->clock.peer_ms);
	sessions_set_time(t->sessions, t->clock.peer_ms);
	sessions_settle(t->sessions);
	store_read_end(t->store);
	return true;
}

static bool turn_end(struct turn *t, bool *changed)
{
	if (!commit(t, changed))
		return false;
	read_clock(t);
	core_time_passed(t->core, t->clock.now_ms, t->clock.peer_ms);
	settle(t);
	sessions_reap(t->sessions);
	if (t->admin)
		admin_reap(t->admin);
	if (t->http)
		http_reap(t->http);
	assert(!store_is_in_turn(t->store));
	return true;
}

static uint64_t until(uint64_t due_ms, uint64_t now_ms)
{
	return due_ms == UINT64_MAX ? UINT64_MAX : due_ms > now_ms ? due_ms - now_ms : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The one timer: the earliest of what is due. Returns when that is, by clock_monotonic_ms(). */
static int64_t set_timer(struct turn *t)
{
	uint64_t wait_ms = until(core_next_due_ms(t->core), t->clock.now_ms);

	wait_ms = least(wait_ms,
	    until(sessions_next_deadline_ms(t->sessions), t->clock.peer_ms));
	if (t->admin)
		wait_ms = least(wait_ms,
		    until(admin_next_deadline_ms(t->admin), t->clock.peer_ms));
	if (t->http)
		wait_ms = least(wait_ms,
		    until(http_next_deadline_ms(t->http), t->clock.peer_ms));
	if (t->lines_held_back)
		wait_ms = least(wait_ms, HELD_BACK_MS);
	if (wait_ms == UINT64_MAX) {
		timeout_stop(t->timeout);
		return INT64_MAX;
	}
	timeout_start(t->timeout, (int64_t)wait_ms);
	return t->awake_ms + (int64_t)wait_ms;
}

/*
 * All time outside ev_run() is our own; whoever is woken too late was stopped: since when, is not
 * known.
 */
static void sleep_until_ready(struct turn *t, bool pending)
{
	read_clock(t);
	int64_t began_ms = t->awake_ms;
	int64_t due_ms = pending ? began_ms : set_timer(t);

	ev_run(t->loop, pending ? EVRUN_NOWAIT : EVRUN_ONCE);
	t->awake_ms = clock_monotonic_ms();
	if (!pending && due_ms != INT64_MAX && t->awake_ms >= due_ms)
		histogram_add(&t->measures.late, (uint64_t)(t->awake_ms - due_ms) * 1000);
	if (due_ms != INT64_MAX && t->awake_ms > due_ms + CLOCK_STALL_MS)
		clock_stalled(&t->clock, began_ms, t->awake_ms);
}

bool turn_run(struct turn *t)
{
	int64_t began_us;
	bool changed;

	sleep_until_ready(t, t->more || core_has_pending(t->core) ||
	    sessions_have_pending(t->sessions) || (t->admin && admin_have_pending(t->admin)) ||
	    (t->http && http_have_pending(t->http)));
	began_us = clock_monotonic_us();
	if (!let_out(t))
		return false;
	turn_take(t);
	if (!turn_end(t, &changed))
		return false;
	if (changed)
		histogram_add(&t->measures.turn, (uint64_t)(clock_monotonic_us() - began_us));
	ev_now_update(t->loop);
	t->lines_held_back = log_held_back(false);
	return true;
}
