/*
 * sessions.c - all connections: who is served in this turn, who has passed a deadline, who is freed
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "session/internal.h"

struct sessions *sessions_create(struct ev_loop *loop, struct core *core, struct store *store,
    const struct sessions_settings *settings, uint64_t seed)
{
	struct sessions *ss = xcalloc(1, sizeof *ss);

	ss->loop = loop;
	ss->core = core;
	ss->store = store;
	ss->settings = *settings;
	ss->decoder = decoder_create(DECODE_AT_BROKER);
	ss->next_deadline_ms = UINT64_MAX;
	rng_seed(&ss->rng, seed);
	TAILQ_INIT(&ss->sessions);
	TAILQ_INIT(&ss->ready);
	TAILQ_INIT(&ss->dirty);
	TAILQ_INIT(&ss->held);
	TAILQ_INIT(&ss->dead);
	return ss;
}

static void destroy_list(struct session_list *list)
{
	struct session *s;

	while ((s = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, s, entry);
		session_destroy(s);
	}
}

void sessions_destroy(struct sessions *ss)
{
	if (!ss)
		return;
	destroy_list(&ss->dead);
	destroy_list(&ss->sessions);
	decoder_destroy(ss->decoder);
	buf_finish(&ss->record);
	frame_unref(ss->spare_frame);
	buf_finish(&ss->spare_bytes);
	buf_finish(&ss->spare_tail);
	free(ss);
}

/* --- the door's inner side -------------------------------------------------------------------- */

static size_t connections_of(const struct sessions *ss, const char *module)
{
	const struct session *s;
	size_t n = 0;

	TAILQ_FOREACH(s, &ss->sessions, entry)
		if (s->module == module && s->state != SESSION_CLOSING)
			n++;
	return n;
}

static void refuse_stranger(struct session *s, const char *why)
{
	struct fault f;

	if (log_allow("certificate refused", 10))
		log_warning("certificate refused",
		    "session=%u address=%s code=INT_AUTH_001 reason=%s", s->id, s->address,
		    log_quote(why, strlen(why)));
	fault_set(&f, INT_AUTH_001, "", "a certificate of a declared module");
	fault_found(&f, span_of(why));
	core_note_refusal(s->all->core, f.code);
	send_notification(s, NULL, &f, ACTION_NONE);
	session_goodbye(s, GOODBYE_UNAUTHORIZED, LEAVE_LOST, 0,
	    "the certificate maps to no module");
}

void sessions_add(struct sessions *ss, struct stream *stream, const char *address)
{
	struct session *s = session_create(ss, stream, address);
	struct tls_identity *id = xmalloc(sizeof *id);
	char why[1024];

	stream_identity(stream, id);
	const char *module = certificate_module(ss, id, why, sizeof why);
	free(id);
	if (!module) {
		ss->refused++;
		refuse_stranger(s, why);
		return;
	}
	size_t others = connections_of(ss, module);
	s->module = module;
	if (ss->stopping)
		session_goodbye(s, GOODBYE_SHUTDOWN, LEAVE_EXPECTED, 1000,
		    "the broker is stopping");
	else if (ss->count > ss->settings.max_connections ||
	    others >= ss->settings.max_module_connections)
		session_goodbye(s, GOODBYE_KICKED, LEAVE_EXPECTED, 5000,
		    "too many connections (max_connections, max_module_connections)");
}

uint64_t sessions_refused(const struct sessions *ss)
{
	return ss->refused;
}

size_t sessions_count(const struct sessions *ss)
{
	return ss->count - ss->dead_count;
}

/* --- the turn --------------------------------------------------------------------------------- */

void sessions_set_time(struct sessions *ss, uint64_t now_ms)
{
	ss->now_ms = now_ms;
}

/* The next one that was ready before this pass began. */
static struct session *next_ready(struct sessions *ss)
{
	struct session *s = TAILQ_FIRST(&ss->ready);

	if (!s || s->ready_since >= ss->pass)
		return NULL;
	TAILQ_REMOVE(&ss->ready, s, ready);
	s->is_ready = false;
	return s;
}

static void rekey_if_due(struct session *s)
{
	const struct sessions_settings *set = &s->all->settings;
	bool old = set->rekey_age_ms && s->all->now_ms >= s->opened_ms + set->rekey_age_ms;

	if ((s->state == SESSION_OPEN || s->state == SESSION_DRAINING) &&
	    (old || stream_records(s->stream) >= set->rekey_records ||
	    stream_record_bytes(s->stream) >= set->rekey_bytes))
		session_goodbye(s, GOODBYE_REKEY, LEAVE_EXPECTED, 0,
		    "the keys' limit of use is near");
}

void sessions_receive(struct sessions *ss)
{
	size_t left = TURN_BYTES;
	struct session *s;

	ss->pass++;
	while (left > 0 && !store_turn_has_used(ss->store, STORE_INTAKE_PERCENT) &&
	    !store_turn_is_ripe(ss->store) && (s = next_ready(ss))) {
		size_t budget = left < PEER_BYTES_PER_TURN ? left : PEER_BYTES_PER_TURN;
		size_t taken = session_receive(s, budget);

		rekey_if_due(s);
		left -= taken < left ? taken : left;
		session_make_dirty(s);
		if (!s->starved && (taken >= budget || stream_has_pending(s->stream) ||
		    store_turn_is_ripe(ss->store)))
			session_make_ready(s);
	}
}

/*
 * A peer that makes no progress for write_timeout_ms. A socket takes new bytes in large steps, so
 * whether a slow one still reads is seen by what its system acknowledges in the second half of that
 * time.
 */
static bool is_slow(struct session *s, uint64_t *due_ms)
{
	uint32_t timeout_ms = s->all->settings.write_timeout_ms;

	*due_ms = UINT64_MAX;
	if ((output_is_empty(s) || output_is_held(s)) && stream_unsent(s->stream) == 0)
		return false;
	if (!s->is_sampled && s->progress_ms + timeout_ms / 2 <= s->all->now_ms) {
		s->is_sampled = true;
		s->sampled_bytes = stream_acknowledged_bytes(s->stream);
	} else if (s->is_sampled && s->progress_ms + timeout_ms <= s->all->now_ms &&
	    stream_acknowledged_bytes(s->stream) != s->sampled_bytes) {
		s->progress_ms = s->all->now_ms;
		s->is_sampled = false;
	}
	*due_ms = s->progress_ms + (s->is_sampled ? timeout_ms : timeout_ms / 2);
	return s->is_sampled && *due_ms <= s->all->now_ms;
}

/* The earliest of what the session may be late for; ends it when it is. */
static uint64_t expire_one(struct session *s)
{
	uint64_t now_ms = s->all->now_ms, slow_ms;

	if (is_slow(s, &slow_ms)) {
		s->broken = true;
		session_close(s, LEAVE_LOST, "took nothing for write_timeout_ms");
	} else if (s->frame && s->frame_deadline_ms <= now_ms) {
		session_goodbye(s, GOODBYE_TIMEOUT, LEAVE_LOST, 0, "a frame took too long to come");
	} else if (s->deadline_ms <= now_ms && s->state == SESSION_NEW) {
		session_goodbye(s, GOODBYE_TIMEOUT, LEAVE_LOST, 0, "no HELLO in time");
	} else if (s->deadline_ms <= now_ms && s->state == SESSION_CLOSING) {
		session_close(s, LEAVE_LOST, "");
	} else {
		rekey_if_due(s);
	}
	if (s->state == SESSION_DEAD)
		return UINT64_MAX;
	uint64_t due_ms = s->deadline_ms < slow_ms ? s->deadline_ms : slow_ms;
	return s->frame && s->frame_deadline_ms < due_ms ? s->frame_deadline_ms : due_ms;
}

void sessions_expire(struct sessions *ss)
{
	struct session *s, *next;
	uint64_t earliest_ms = UINT64_MAX;

	if (ss->now_ms < ss->next_deadline_ms)
		return;
	for (s = TAILQ_FIRST(&ss->sessions); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		uint64_t due_ms = expire_one(s);
		if (due_ms < earliest_ms)
			earliest_ms = due_ms;
	}
	ss->next_deadline_ms = earliest_ms;
}

static void settle_one(struct session *s)
{
	uint64_t slow_ms;

	output_pump(s);
	if (s->state == SESSION_DEAD)
		return;
	unsigned wants = stream_wants(s->stream);
	if (s->starved)
		wants &= ~STREAM_READABLE;
	watcher_update(s->watcher, wants);
	is_slow(s, &slow_ms);
	if (slow_ms < s->all->next_deadline_ms)
		s->all->next_deadline_ms = slow_ms;
	if (output_is_held(s) && !s->is_held) {
		s->is_held = true;
		TAILQ_INSERT_TAIL(&s->all->held, s, held);
	}
}

/* What was held back may have become durable. */
static void let_go(struct sessions *ss)
{
	struct session *s;

	if (ss->durable == store_durable_turn(ss->store))
		return;
	ss->durable = store_durable_turn(ss->store);
	while ((s = TAILQ_FIRST(&ss->held))) {
		TAILQ_REMOVE(&ss->held, s, held);
		s->is_held = false;
		if (stream_unsent(s->stream) == 0) {	/* from now on it can be slow */
			s->progress_ms = ss->now_ms;
			s->is_sampled = false;
		}
		session_make_dirty(s);
	}
}

void sessions_settle(struct sessions *ss)
{
	struct session *s;

	let_go(ss);
	ss->pass++;
	while ((s = TAILQ_FIRST(&ss->dirty)) && s->dirty_since < ss->pass) {
		TAILQ_REMOVE(&ss->dirty, s, dirty);
		s->is_dirty = false;
		settle_one(s);
	}
}

void sessions_reap(struct sessions *ss)
{
	ss->wall_us = 0;
	ss->count -= ss->dead_count;
	ss->dead_count = 0;
	destroy_list(&ss->dead);
}

bool sessions_have_pending(const struct sessions *ss)
{
	return !TAILQ_EMPTY(&ss->ready) || !TAILQ_EMPTY(&ss->dirty);
}

uint64_t sessions_next_deadline_ms(const struct sessions *ss)
{
	return ss->next_deadline_ms;
}

void sessions_shut_down(struct sessions *ss)
{
	struct session *s, *next;

	ss->stopping = true;
	core_shut_down(ss->core);
	for (s = TAILQ_FIRST(&ss->sessions); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		s->instance = NULL;
		session_goodbye(s, GOODBYE_SHUTDOWN, LEAVE_EXPECTED, 1000,
		    "the broker is stopping");
	}
}
