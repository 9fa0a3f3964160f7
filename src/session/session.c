/* session.c - one connection of a module: its life, its deadlines, and the one door out */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "session/internal.h"

/*
 *	NEW ── HELLO ──► OPEN ── GOODBYE DRAINING ──► DRAINING
 *	 │                │                              │
 *	 └── goodbye, or the peer has closed ────────────┴──► CLOSING ──► DEAD
 *
 * CLOSING sends what is owed, shuts down the sending half, and discards what still arrives, for
 * 2 s. Nothing is freed before the end of the turn.
 */
static const char *state_name(enum session_state state)
{
	static const char *const names[] = {
		[SESSION_NEW] = "NEW",
		[SESSION_OPEN] = "OPEN",
		[SESSION_DRAINING] = "DRAINING",
		[SESSION_CLOSING] = "CLOSING",
		[SESSION_DEAD] = "DEAD",
	};
	return names[state];
}

static void on_ready(void *arg, unsigned ready)
{
	struct session *s = arg;

	if (ready & WATCHER_LOST) {
		s->broken = true;
		s->broken_why = "its socket cannot be watched";
	}
	if (ready & (STREAM_READABLE | WATCHER_LOST))
		session_make_ready(s);
	if (ready & STREAM_WRITABLE)
		session_make_dirty(s);
}

struct session *session_create(struct sessions *ss, struct stream *stream, const char *address)
{
	struct session *s = xcalloc(1, sizeof *s);

	s->all = ss;
	s->id = ++ss->last_id;
	s->stream = stream;
	s->opened_ms = ss->now_ms;
	s->progress_ms = ss->now_ms;
	s->deadline_ms = UINT64_MAX;
	snprintf(s->address, sizeof s->address, "%s", address);
	TAILQ_INIT(&s->out);
	TAILQ_INSERT_TAIL(&ss->sessions, s, entry);
	ss->count++;
	s->watcher = watcher_create(ss->loop, stream_fd(stream), on_ready, s);
	session_set_deadline(s, ss->now_ms + ss->settings.hello_timeout_ms);
	session_make_ready(s);		/* its first bytes may be inside TLS already */
	session_make_dirty(s);
	return s;
}

void session_destroy(struct session *s)
{
	session_drop_frame(s);
	output_finish(s);
	watcher_destroy(s->watcher);
	stream_destroy(s->stream);
	free(s);
}

void session_make_ready(struct session *s)
{
	if (s->is_ready || s->state == SESSION_DEAD)
		return;
	s->is_ready = true;
	s->ready_since = s->all->pass;
	TAILQ_INSERT_TAIL(&s->all->ready, s, ready);
}

void session_make_dirty(struct session *s)
{
	if (s->is_dirty || s->state == SESSION_DEAD)
		return;
	s->is_dirty = true;
	s->dirty_since = s->all->pass;
	TAILQ_INSERT_TAIL(&s->all->dirty, s, dirty);
}

void session_set_deadline(struct session *s, uint64_t deadline_ms)
{
	s->deadline_ms = deadline_ms;
	if (deadline_ms < s->all->next_deadline_ms)
		s->all->next_deadline_ms = deadline_ms;
}

static void enter(struct session *s, enum session_state state)
{
	log_debug("session changed state", "session=%u from=%s to=%s", s->id, state_name(s->state),
	    state_name(state));
	s->state = state;
}

static void die(struct session *s)
{
	struct sessions *ss = s->all;

	if (s->is_ready)
		TAILQ_REMOVE(&ss->ready, s, ready);
	if (s->is_dirty)
		TAILQ_REMOVE(&ss->dirty, s, dirty);
	if (s->is_held)
		TAILQ_REMOVE(&ss->held, s, held);
	s->is_ready = s->is_dirty = s->is_held = false;
	enter(s, SESSION_DEAD);
	TAILQ_REMOVE(&ss->sessions, s, entry);
	TAILQ_INSERT_TAIL(&ss->dead, s, entry);
	ss->dead_count++;
}

/* The instance, if there is one, is told apart from its connection. */
static void leave(struct session *s, enum leave_how how)
{
	struct instance *i = s->instance;

	s->instance = NULL;
	if (i)
		core_leave(s->all->core, i, how);
}

static void log_closed(const struct session *s, const char *why)
{
	log_info("session closed",
	    "session=%u module=%s instance=%s address=%s age=%llums reason=%s", s->id,
	    s->module ? s->module : "-", log_quote(s->instance_id, strlen(s->instance_id)),
	    s->address, (unsigned long long)(s->all->now_ms - s->opened_ms),
	    log_quote(why, strlen(why)));
}

void session_close(struct session *s, enum leave_how how, const char *why)
{
	if (s->state == SESSION_DEAD)
		return;
	if (s->state == SESSION_CLOSING) {
		die(s);
		return;
	}
	log_closed(s, why);
	output_drop_deliveries(s);
	leave(s, how);
	session_drop_frame(s);
	enter(s, SESSION_CLOSING);
	if (s->broken) {
		die(s);
		return;
	}
	session_set_deadline(s, s->all->now_ms + LINGER_MS);
	session_make_dirty(s);
}

void session_goodbye(struct session *s, enum goodbye_reason reason, enum leave_how how,
    uint32_t reconnect_delay_ms, const char *why)
{
	if (s->state == SESSION_DEAD || s->state == SESSION_CLOSING)
		return;
	output_drop_deliveries(s);
	send_goodbye(s, reason, reconnect_delay_ms, why);
	session_close(s, how, why);
}
