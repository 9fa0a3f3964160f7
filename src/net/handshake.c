/*
 * handshake.c - strangers between accept and a verified certificate: few, and for a short time
 *
 * All have the same time from their beginning, so the list in order of beginning is also that of
 * their ends: one timer, for the oldest, serves all.
 *
 *	HANDSHAKING ──► established: handed on
 *	     └────────► REFUSED: the alert is sent, the rest discarded ──► closed
 *
 * The socket is not closed at once after a refusal: the peer's bytes that nobody read would make
 * the kernel reset the connection, and the peer would never see the alert.
 */
#include "net/handshake.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/socket.h"

#define LOG_LINES_PER_SECOND 10
#define DISCARD_BYTES 16384

enum handshake_state { HANDSHAKING, REFUSED };

struct handshake {
	TAILQ_ENTRY(handshake) link;
	struct handshakes *owner;	/* borrowed */
	enum handshake_state state;
	ev_io io;
	int interest;			/* EV_READ, EV_WRITE: what io waits for */
	double due_s;			/* on the loop's clock */
	struct stream *stream;		/* owned */
	char address[SOCKET_ADDRESS_SIZE];
};

struct handshakes {
	struct ev_loop *loop;		/* borrowed */
	struct handshakes_settings settings;
	void (*on_established)(void *arg, struct stream *s, const char *address);
	void *arg;
	ev_timer timer;			/* runs while somebody is pending, for the oldest */
	TAILQ_HEAD(, handshake) pending;	/* oldest first */
	size_t count;
	uint64_t refused[HANDSHAKE_FAULT_COUNT];
	unsigned turn, steps;		/* steps taken in that turn of the loop */
};

/* Takes it out of the list and frees it; the stream is the caller's. */
static struct stream *handshake_take(struct handshake *one)
{
	struct handshakes *h = one->owner;
	struct stream *s = one->stream;

	ev_io_stop(h->loop, &one->io);
	TAILQ_REMOVE(&h->pending, one, link);
	h->count--;
	free(one);
	return s;
}

static void handshake_drop(struct handshake *one)
{
	stream_destroy(handshake_take(one));
}

/* Counted, and one line about it. */
static void note_refusal(const struct handshake *one, enum handshake_fault fault,
    const char *reason)
{
	one->owner->refused[fault]++;
	if (log_allow("handshakes", LOG_LINES_PER_SECOND))
		log_warning("handshake failed", "address=%s reason=%s", one->address,
			    log_quote(reason, strlen(reason)));
}

static void handshake_wait(struct handshake *one, unsigned wants)
{
	int interest = ((wants & STREAM_READABLE) != 0 ? EV_READ : 0) |
		       ((wants & STREAM_WRITABLE) != 0 ? EV_WRITE : 0);

	if (interest == one->interest)
		return;
	one->interest = interest;
	ev_io_stop(one->owner->loop, &one->io);
	ev_io_modify(&one->io, interest);
	ev_io_start(one->owner->loop, &one->io);
}

/* Sends what is left, discards what comes; the peer's end of file or a failure ends it. */
static void refused_proceed(struct handshake *one)
{
	static char discarded[DISCARD_BYTES];
	int r = stream_shutdown(one->stream);
	ssize_t n;

	n = recv(stream_fd(one->stream), discarded, sizeof(discarded), 0);
	if ((r != 0 && r != ERR_AGAIN) || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		handshake_drop(one);
	else
		handshake_wait(one, r == 0 ? STREAM_READABLE : STREAM_READABLE | STREAM_WRITABLE);
}

static void handshake_proceed(struct handshake *one)
{
	struct handshakes *h = one->owner;
	char address[SOCKET_ADDRESS_SIZE];
	int r = stream_handshake(one->stream);

	switch (r) {
	case 0:
		memcpy(address, one->address, sizeof(address));
		h->on_established(h->arg, handshake_take(one), address);
		break;
	case ERR_AGAIN:
		handshake_wait(one, stream_wants(one->stream));
		break;
	case ERR_TLS:
		note_refusal(one, HANDSHAKE_TLS, stream_why(one->stream));
		one->state = REFUSED;
		refused_proceed(one);
		break;
	default:	/* the peer went away, as scanners and probes of liveness do */
		log_debug("handshake ended", "address=%s reason=%s", one->address,
			  log_quote(stream_why(one->stream), strlen(stream_why(one->stream))));
		handshake_drop(one);
		break;
	}
}

/* The loop is level-triggered: who finds this turn's steps used up is called again in the next. */
static bool take_step(struct handshakes *h)
{
	unsigned turn = ev_iteration(h->loop);

	if (turn != h->turn) {
		h->turn = turn;
		h->steps = 0;
	}
	return h->steps++ < HANDSHAKE_STEPS_PER_TURN;
}

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct handshake *one = io->data;

	(void)loop;
	if ((events & EV_ERROR) != 0) {
		note_refusal(one, HANDSHAKE_RESOURCES, "its socket cannot be watched");
		handshake_drop(one);
		return;
	}
	if (!take_step(one->owner))
		return;
	if (one->state == REFUSED)
		refused_proceed(one);
	else
		handshake_proceed(one);
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct handshakes *h = timer->data;
	struct handshake *one;

	(void)events;
	while ((one = TAILQ_FIRST(&h->pending)) != NULL && one->due_s <= ev_now(loop)) {
		if (one->state == HANDSHAKING)
			note_refusal(one, HANDSHAKE_TIMEOUT, "not done in time");
		handshake_drop(one);
	}
	if (one == NULL)
		return;
	ev_timer_set(timer, one->due_s - ev_now(loop), 0.);
	ev_timer_start(loop, timer);
}

struct handshakes *handshakes_create(struct ev_loop *loop,
    const struct handshakes_settings *settings,
    void (*on_established)(void *arg, struct stream *s, const char *address), void *arg)
{
	struct handshakes *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->settings = *settings;
	h->on_established = on_established;
	h->arg = arg;
	TAILQ_INIT(&h->pending);
	ev_init(&h->timer, on_due);
	ev_set_priority(&h->timer, EV_MINPRI);	/* bytes that came in time are read first */
	h->timer.data = h;
	return h;
}

void handshakes_destroy(struct handshakes *h)
{
	if (h == NULL)
		return;
	while (!TAILQ_EMPTY(&h->pending))
		handshake_drop(TAILQ_FIRST(&h->pending));
	ev_timer_stop(h->loop, &h->timer);
	free(h);
}

void handshakes_add(struct handshakes *h, struct tls_context *tls, int fd, const char *address)
{
	struct handshake *one;

	if (h->count >= h->settings.pending_max && h->count > 0) {
		note_refusal(TAILQ_FIRST(&h->pending), HANDSHAKE_CROWDED,
			     "too many at a time, the oldest gave way");
		handshake_drop(TAILQ_FIRST(&h->pending));
	}
	one = xcalloc(1, sizeof(*one));
	one->owner = h;
	one->stream = stream_create(tls, fd);
	snprintf(one->address, sizeof(one->address), "%s", address);
	if (one->stream == NULL) {
		note_refusal(one, HANDSHAKE_RESOURCES, "no memory");
		free(one);
		return;
	}
	one->due_s = ev_now(h->loop) + (double)h->settings.deadline_ms / 1000.;
	one->interest = EV_READ;
	ev_io_init(&one->io, on_ready, fd, EV_READ);
	ev_set_priority(&one->io, EV_MINPRI);
	one->io.data = one;
	ev_io_start(h->loop, &one->io);
	TAILQ_INSERT_TAIL(&h->pending, one, link);
	h->count++;
	if (ev_is_active(&h->timer))
		return;
	ev_timer_set(&h->timer, one->due_s - ev_now(h->loop), 0.);
	ev_timer_start(h->loop, &h->timer);
}

size_t handshakes_pending(const struct handshakes *h)
{
	return h->count;
}

uint64_t handshakes_refused(const struct handshakes *h, enum handshake_fault fault)
{
	return h->refused[fault];
}
