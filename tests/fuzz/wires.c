/* wires.c - connections of the broker's sessions without sockets and TLS: bytes in memory */
#include "wires.h"

#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "net/watcher.h"

#define FD_BASE 100000	/* no descriptor of this process is as high */
#define WATCHERS_MAX 64	/* of real descriptors: an operator's */

struct watcher {
	void (*on_ready)(void *arg, unsigned ready);
	void *arg;
	unsigned wants;
};

struct stream {
	bool is_used, is_gone, is_left;	/* gone: the broker let go; left: the peer did */
	const char *module;
	struct buf in, out, heard;	/* said; not taken yet; taken */
	bool is_deaf, is_closed, is_broken, is_shut;
	uint64_t sent, records;
	struct watcher watcher;
};

static struct stream wires[WIRES_MAX];
static struct watcher watchers[WATCHERS_MAX];
static bool may_leave;

/* --- the peer's end --------------------------------------------------------------------------- */

struct stream *wire_create(const char *module)
{
	for (size_t n = 0; n < WIRES_MAX; n++) {
		if (wires[n].is_used)
			continue;
		wires[n] = (struct stream){ .is_used = true, .module = module };
		return &wires[n];
	}
	return NULL;
}

static void release(struct stream *s)
{
	if (!s->is_gone || !s->is_left)
		return;
	buf_finish(&s->in);
	buf_finish(&s->out);
	buf_finish(&s->heard);
	s->is_used = false;
}

void wire_say(struct stream *s, const void *p, size_t n)
{
	if (!s->is_gone && !s->is_closed)
		buf_put(&s->in, p, n);
}

struct buf *wire_heard(struct stream *s)
{
	return &s->heard;
}

void wire_set_deaf(struct stream *s, bool deaf)
{
	s->is_deaf = deaf;
}

void wire_hang_up(struct stream *s, bool broken)
{
	s->is_closed = true;
	s->is_broken |= broken;
}

void wire_let_go(struct stream *s)
{
	s->is_left = s->is_closed = true;
	release(s);
}

bool wire_is_over(const struct stream *s)
{
	return s->is_gone || s->is_shut;
}

/* Whoever waits for a real descriptor may look at once: it does not block. */
static void notify_watchers(void)
{
	for (size_t n = 0; n < WATCHERS_MAX; n++)
		if (watchers[n].on_ready != NULL && watchers[n].wants != 0)
			watchers[n].on_ready(watchers[n].arg, watchers[n].wants);
}

void wires_notify(void)
{
	notify_watchers();
	for (size_t n = 0; n < WIRES_MAX; n++) {
		struct stream *s = &wires[n];
		unsigned ready = s->in.len > 0 || s->is_closed ? STREAM_READABLE : 0;

		if (!s->is_used || s->is_gone || s->watcher.on_ready == NULL)
			continue;
		ready |= s->out.len > 0 && !s->is_deaf ? STREAM_WRITABLE : 0;
		if ((ready & s->watcher.wants) != 0)
			s->watcher.on_ready(s->watcher.arg, ready & s->watcher.wants);
	}
}

void wires_allow(bool allowed)
{
	may_leave = allowed;
}

/* --- net/watcher.h ---------------------------------------------------------------------------- */

struct watcher *watcher_create(struct ev_loop *loop, int fd,
    void (*on_ready)(void *arg, unsigned ready), void *arg)
{
	struct watcher *w = fd >= FD_BASE ? &wires[fd - FD_BASE].watcher : watchers;

	(void)loop;
	while (fd < FD_BASE && w->on_ready != NULL)
		must(++w < watchers + WATCHERS_MAX);
	*w = (struct watcher){ .on_ready = on_ready, .arg = arg };
	return w;
}

void watcher_destroy(struct watcher *w)
{
	w->on_ready = NULL;
}

void watcher_update(struct watcher *w, unsigned wants)
{
	w->wants = wants;
}

/* --- net/stream.h ----------------------------------------------------------------------------- */

void stream_destroy(struct stream *s)
{
	s->is_gone = true;
	release(s);
}

long stream_read(struct stream *s, void *p, size_t n)
{
	if (s->is_broken)
		return ERR_IO;
	if (s->in.len == 0)
		return s->is_closed ? ERR_CLOSED : ERR_AGAIN;
	n = n < s->in.len ? n : s->in.len;
	memcpy(p, buf_bytes(&s->in), n);
	buf_take(&s->in, n);
	s->records++;
	return (long)n;
}

bool stream_has_pending(const struct stream *s)
{
	(void)s;
	return false;
}

size_t stream_room(const struct stream *s)
{
	return s->is_shut || s->is_broken || s->out.len >= STREAM_OUT_BYTES_MAX ? 0
	    : STREAM_OUT_BYTES_MAX - s->out.len;
}

int stream_write(struct stream *s, const void *p, size_t n)
{
	must(may_leave && n <= stream_room(s));
	buf_put(&s->out, p, n);
	s->records++;
	return 0;
}

int stream_flush(struct stream *s)
{
	must(may_leave || s->out.len == 0);
	if (s->is_broken)
		return ERR_IO;
	if (s->out.len == 0)
		return 0;
	if (s->is_deaf)
		return ERR_AGAIN;
	if (!s->is_closed)
		buf_put(&s->heard, buf_bytes(&s->out), s->out.len);
	s->sent += s->out.len;
	buf_clear(&s->out);
	s->out.off = 0;
	return 0;
}

size_t stream_unsent(const struct stream *s)
{
	return s->out.len;
}

uint64_t stream_sent_bytes(const struct stream *s)
{
	return s->sent;
}

uint64_t stream_acknowledged_bytes(const struct stream *s)
{
	return s->sent;
}

int stream_shutdown(struct stream *s)
{
	int rc = stream_flush(s);

	s->is_shut = rc == 0;
	return rc;
}

int stream_fd(const struct stream *s)
{
	return FD_BASE + (int)(s - wires);
}

unsigned stream_wants(const struct stream *s)
{
	return STREAM_READABLE | (s->out.len > 0 ? STREAM_WRITABLE : 0);
}

uint64_t stream_records(const struct stream *s)
{
	return s->records;
}

uint64_t stream_record_bytes(const struct stream *s)
{
	return s->sent;
}

const char *stream_why(const struct stream *s)
{
	return s->is_broken ? "broken" : s->is_closed ? "closed by the peer" : "";
}

void stream_identity(const struct stream *s, struct tls_identity *id)
{
	*id = (struct tls_identity){ .uri_count = 1 };
	snprintf(id->uri[0], sizeof id->uri[0], "spiffe://fuzz/module/%s", s->module);
}
