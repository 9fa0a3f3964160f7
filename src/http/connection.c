/*
 * connection.c - one request and its answer
 *
 *	reads ── whole or refused ──► answered ── all is out ──► sends no more ── it has closed ──► dead
 *	  └───────── 5 s ──► 408 ────────┘ └──────────────────── 5 s ─────────────────────────────► dead
 *
 * After the answer the peer's end is awaited: a close with bytes of its unread would be a reset,
 * and the answer might be lost with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/internal.h"

#define HEAD_BYTES_MAX 1024

/* LOST: a peer that no descriptor will tell of is no peer. */
static void on_ready(void *arg, unsigned ready)
{
	struct http_connection *c = arg;

	if ((ready & STREAM_READABLE) != 0)
		c->is_ready = true;
	if ((ready & WATCHER_LOST) != 0)
		connection_drop(c);
}

void connection_create(struct http *h, int fd)
{
	struct http_connection *c = xcalloc(1, sizeof(*c));

	c->all = h;
	c->fd = fd;
	c->is_new = true;
	c->is_ready = true;		/* its request may be there already */
	c->due_ms = h->now_ms + HTTP_TIMEOUT_MS;
	buf_init(&c->in, HTTP_REQUEST_BYTES_MAX);
	buf_init(&c->out, HTTP_ANSWER_BYTES_MAX + HEAD_BYTES_MAX);
	c->watcher = watcher_create(h->loop, fd, on_ready, c);
	watcher_update(c->watcher, STREAM_READABLE);
	LIST_INSERT_HEAD(&h->connections, c, entry);
	h->count++;
}

void connection_begin_time(struct http_connection *c)
{
	if (c->is_new)
		c->due_ms = c->all->now_ms + HTTP_TIMEOUT_MS;
	c->is_new = false;
}

void connection_destroy(struct http_connection *c)
{
	LIST_REMOVE(c, entry);
	watcher_destroy(c->watcher);
	close(c->fd);
	buf_finish(&c->in);
	buf_finish(&c->out);
	free(c);
}

void connection_drop(struct http_connection *c)
{
	if (c->dead)
		return;
	c->dead = true;
	c->all->count--;
	watcher_update(c->watcher, 0);
}

/* What comes after the request is not read by anybody. */
static void discard(struct http_connection *c)
{
	uint8_t bytes[4096];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		connection_drop(c);
}

/* Only when bytes have come: a request that never ends costs the turns of others nothing. */
static enum http_status parse(const struct http_connection *c, struct http_request *r)
{
	size_t used;

	return http_request_parse(buf_bytes(&c->in), c->in.len, r, &used);
}

static void read_request(struct http_connection *c)
{
	const size_t room = HTTP_REQUEST_BYTES_MAX - c->in.len;
	uint8_t *to = room > 0 ? buf_reserve(&c->in, room) : NULL;
	struct http_request r;
	ssize_t n;

	if (to == NULL) {	/* no memory: there is always room, see http_request_parse() */
		connection_drop(c);
		return;
	}
	n = recv(c->fd, to, room, 0);
	if (n > 0) {
		buf_grow(&c->in, (size_t)n);
		c->status = parse(c, &r);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		connection_drop(c);	/* a request that is not whole wants no answer */
	}
}

void connection_receive(struct http_connection *c)
{
	if (c->is_ready && c->answered)
		discard(c);
	else if (c->is_ready && c->status == HTTP_INCOMPLETE)
		read_request(c);
	c->is_ready = false;
}

bool connection_is_asking(const struct http_connection *c)
{
	return !c->dead && !c->answered && c->status != HTTP_INCOMPLETE;
}

static void answer(struct http_connection *c, enum http_status status,
    const struct http_request *r)
{
	answer_put(c->all, status, r, &c->out);
	if (c->out.failed) {	/* no memory */
		connection_drop(c);
		return;
	}
	log_debug("http answered", "status=%.12s", c->out.len > 12 ? (char *)buf_bytes(&c->out) + 9
								   : "");
	c->answered = true;
	c->due_ms = c->all->now_ms + HTTP_TIMEOUT_MS;
}

void connection_answer(struct http_connection *c)
{
	struct http_request r;

	answer(c, parse(c, &r), &r);
}

void connection_expire(struct http_connection *c)
{
	if (c->dead || c->due_ms > c->all->now_ms || connection_is_asking(c))
		return;
	if (c->answered || c->in.len == 0)
		connection_drop(c);
	else
		answer(c, HTTP_REQUEST_TIMEOUT, NULL);
}

/* All that the socket takes; false when it takes no more for now, or never. */
static bool send_all(struct http_connection *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, buf_bytes(&c->out), c->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0 && errno != EINTR) {
			connection_drop(c);
			return false;
		}
		if (n > 0)
			buf_take(&c->out, (size_t)n);
	}
	return true;
}

void connection_settle(struct http_connection *c)
{
	unsigned wants = STREAM_READABLE;

	if (c->dead)
		return;
	if (c->out.len > 0) {
		if (send_all(c))
			(void)shutdown(c->fd, SHUT_WR);
		else
			wants |= STREAM_WRITABLE;
	}
	if (!c->dead)
		watcher_update(c->watcher, wants);
}
