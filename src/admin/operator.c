/*
 * operator.c - one operator's connection: lines in, answers out, and what it may take of our time
 *
 *	waits ── a whole line ──► a command runs ── its last step ──► waits
 *	  │                          │
 *	  └── too long, too late, it has closed: closing ── all is out ──► dead
 *
 * One request is answered before the next is looked at; what comes meanwhile stays in `in`, and
 * beyond its limit in the kernel.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/internal.h"
#include "base/log.h"
#include "base/mem.h"

#define IN_BYTES_MAX (ADMIN_REQUEST_BYTES_MAX + 1)	/* with the newline */

/* A step may write ADMIN_STEP_BYTES_MAX, which a '.' at each line's beginning makes longer. */
#define ROOM_BYTES (2 * ADMIN_STEP_BYTES_MAX + 1024)
_Static_assert(ROOM_BYTES < ADMIN_OUTPUT_BYTES_MAX, "no step has room for its answer");

void client_begin_time(struct admin_client *c)
{
	if (c->is_new)
		c->since_ms = c->progress_ms = c->all->now_ms;
	c->is_new = false;
}

void operator_destroy(struct admin_client *c)
{
	LIST_REMOVE(c, entry);
	job_destroy(c->job);
	watcher_destroy(c->watcher);
	local_close(c->all->door, c->fd);
	buf_finish(&c->in);
	buf_finish(&c->out);
	buf_finish(&c->import_frame);
	buf_finish(&c->import_errors);
	free(c);
}

void operator_drop(struct admin_client *c, const char *why)
{
	if (c->dead)
		return;
	c->dead = true;
	c->all->count--;
	watcher_update(c->watcher, 0);
	log_debug("operator disconnected", "connection=%u reason=%s", c->id,
		  log_quote(why, strlen(why)));
}

/*
 * The peer is gone. A command that changes things gets a step in the next turn to say in the
 * journal how far it came: here, after the commit, nothing can be written.
 */
static void operator_lose(struct admin_client *c, const char *why)
{
	if (c->job == NULL || !c->job->changes) {
		operator_drop(c, why);
		return;
	}
	c->ended = c->gone = true;
	buf_clear(&c->out);
}

static void on_ready(void *arg, unsigned ready)
{
	struct admin_client *c = arg;

	if ((ready & STREAM_READABLE) != 0)
		c->is_ready = true;
	if ((ready & WATCHER_LOST) != 0)
		operator_lose(c, "its socket cannot be watched");
}

struct admin_client *operator_create(struct admin *a, int fd, const struct local_peer *peer,
    enum admin_role role)
{
	struct admin_client *c = xcalloc(1, sizeof(*c));

	c->all = a;
	c->id = ++a->last_id;
	c->fd = fd;
	c->peer = *peer;
	c->role = role;
	c->since_ms = c->progress_ms = a->now_ms;
	c->is_new = true;
	c->is_ready = true;		/* it may have sent its request already, or be gone */
	buf_init(&c->in, IN_BYTES_MAX);
	buf_init(&c->out, ADMIN_OUTPUT_BYTES_MAX);
	c->watcher = watcher_create(a->loop, fd, on_ready, c);
	watcher_update(c->watcher, STREAM_READABLE);
	LIST_INSERT_HEAD(&a->clients, c, entry);
	a->count++;
	log_debug("operator connected", "connection=%u uid=%u pid=%ld", c->id,
		  (unsigned)peer->uid, (long)peer->pid);
	return c;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void put(struct admin_client *c, const void *p, size_t n)
{
	if (c->gone)
		return;
	if (c->out.len == 0)
		c->progress_ms = c->all->now_ms;
	buf_put(&c->out, p, n);
	if (c->out.failed)
		operator_lose(c, "no memory for its answer");
}

/* A line of the body that begins with '.' gets another: the end cannot be mistaken. */
void operator_answer(struct admin_client *c, const struct buf *piece)
{
	const char *at = (const char *)buf_bytes(piece);
	size_t left = piece->len;

	while (left > 0) {
		const char *newline = memchr(at, '\n', left);
		const size_t n = newline != NULL ? (size_t)(newline - at) + 1 : left;

		if (!c->inside_line && *at == '.')
			put(c, ".", 1);
		put(c, at, n);
		c->inside_line = newline == NULL;
		at += n;
		left -= n;
	}
}

void operator_answer_end(struct admin_client *c, enum admin_code code, bool wants_yes)
{
	char end[32];
	int n = snprintf(end, sizeof(end), "%s.%d%s\n", c->inside_line ? "\n" : "", code,
			 wants_yes ? " yes" : "");

	put(c, end, (size_t)n);
	c->inside_line = false;
	c->since_ms = c->all->now_ms;
}

/* Says why, and closes: there is nothing more to understand. */
static void refuse(struct admin_client *c, enum admin_code code, const char *text)
{
	put(c, text, strlen(text));
	put(c, "\n", 1);
	operator_answer_end(c, code, false);
	c->closing = true;
	buf_clear(&c->in);
}

/* --- requests --------------------------------------------------------------------------------- */

static void read_some(struct admin_client *c)
{
	const size_t room = IN_BYTES_MAX - c->in.len;
	uint8_t *to = room > 0 ? buf_reserve(&c->in, room) : NULL;
	ssize_t n;

	if (room > 0 && to == NULL)
		operator_drop(c, "no memory for its request");
	if (to == NULL)
		return;
	n = recv(c->fd, to, room, 0);
	if (n > 0) {
		if (c->in.len == 0 && c->job == NULL)
			c->since_ms = c->all->now_ms;
		buf_grow(&c->in, (size_t)n);
		return;
	}
	if (n == 0)
		c->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		operator_drop(c, strerror(errno));
}

/* The length of the first line with its newline, 0 when it is not whole. */
static size_t line_length(const struct admin_client *c)
{
	const uint8_t *from = buf_bytes(&c->in);
	const uint8_t *newline = from != NULL ? memchr(from, '\n', c->in.len) : NULL;

	return newline != NULL ? (size_t)(newline - from) + 1 : 0;
}

static bool has_room(const struct admin_client *c)
{
	return c->out.len <= ADMIN_OUTPUT_BYTES_MAX - ROOM_BYTES;
}

bool client_is_gone(const struct admin_client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };

	return c->gone ||
	       (c->ended && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0);
}

static bool is_due(const struct admin_client *c)
{
	return c->job->wake_ms <= c->all->now_ms || client_is_gone(c);
}

static void begin_request(struct admin_client *c, size_t n)
{
	char *line = xmalloc(n);

	memcpy(line, buf_bytes(&c->in), n);
	buf_take(&c->in, n);
	c->job = job_begin(c, line, n - 1);
}

static void advance(struct admin_client *c)
{
	const size_t line = line_length(c);

	if (c->job != NULL) {
		if (has_room(c) && is_due(c) && !job_step(c->job))
			c->job = NULL;
	} else if (line > 0) {
		if (has_room(c))
			begin_request(c, line);
	} else if (c->in.len == IN_BYTES_MAX) {
		refuse(c, ADMIN_USAGE, "the request is longer than 65536 bytes");
	} else if (c->ended) {
		c->closing = true;
	}
}

void operator_receive(struct admin_client *c)
{
	if (c->is_ready && !c->closing && !c->ended)
		read_some(c);
	c->is_ready = false;
	if (!c->dead && !c->closing)
		advance(c);
}

bool operator_is_pending(const struct admin_client *c)
{
	if (c->dead || c->closing || !has_room(c))
		return false;
	return c->job != NULL ? is_due(c) : line_length(c) > 0 || c->ended;
}

/* --- after the commit, and deadlines ---------------------------------------------------------- */

void operator_settle(struct admin_client *c)
{
	unsigned wants = 0;

	while (c->out.len > 0 && !c->dead) {
		ssize_t n = send(c->fd, buf_bytes(&c->out), c->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno != EINTR) {
			operator_lose(c, strerror(errno));
		} else if (n > 0) {
			buf_take(&c->out, (size_t)n);
			c->progress_ms = c->all->now_ms;
			if (c->out.len == 0 && c->job == NULL)
				c->since_ms = c->all->now_ms;
		}
	}
	if (c->closing && c->out.len == 0)
		operator_drop(c, "closed");
	if (c->dead)
		return;
	if (!c->ended && !c->closing && c->in.len < IN_BYTES_MAX)
		wants |= STREAM_READABLE;
	if (c->out.len > 0)
		wants |= STREAM_WRITABLE;
	watcher_update(c->watcher, wants);
}

/* When it is late. */
static uint64_t late_ms(const struct admin_client *c)
{
	if (c->dead)
		return UINT64_MAX;
	if (c->out.len > 0)
		return c->progress_ms + ADMIN_WRITE_TIMEOUT_MS;
	if (c->job != NULL || line_length(c) > 0)
		return UINT64_MAX;
	return c->since_ms + (c->in.len > 0 ? ADMIN_REQUEST_TIMEOUT_MS : ADMIN_IDLE_TIMEOUT_MS);
}

uint64_t operator_deadline_ms(const struct admin_client *c)
{
	const uint64_t late = late_ms(c);

	if (c->dead || c->job == NULL || c->job->wake_ms > late)
		return late;
	return c->job->wake_ms > c->all->now_ms ? c->job->wake_ms : late;
}

void operator_expire(struct admin_client *c)
{
	if (late_ms(c) > c->all->now_ms)
		return;
	if (c->out.len > 0)
		operator_lose(c, "read nothing for 30 s");
	else if (c->in.len > 0)
		refuse(c, ADMIN_NOT_NOW, "the request took too long to come: its line has to end "
		       "within 10 s");
	else
		operator_drop(c, "sent no request for 5 min");
}
