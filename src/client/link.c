/* link.c - one connection to the broker: bytes on one side, whole frames on the other */
#include "client/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/dial.h"
#include "net/socket.h"
#include "net/stream.h"
#include "wire/message.h"

#define DIAL_TIMEOUT_MS 5000		/* for each address */
#define FRAME_FIRST_BYTES (16 * 1024)	/* memory for a frame grows from here with what comes */
#define DISCARD_BYTES 4096

struct link {
	struct tls_context *tls;	/* borrowed */
	char server_name[SOCKET_HOST_SIZE];
	struct dial *dial;		/* owned; until connected */
	int64_t dial_until_ms;		/* the present address has this long */
	struct stream *stream;		/* owned; from then on */
	bool is_open;			/* the handshake is done */
	struct buf out;			/* frames that the stream has not taken */
	uint8_t length[FRAME_LENGTH_BYTES];
	size_t length_have;		/* bytes of it that have come */
	size_t want;			/* the length it says */
	struct frame *frame;		/* owned; the frame being read, NULL between frames */
	char why[STREAM_WHY_SIZE];
};

struct link *link_create(struct tls_context *tls, const char *address, const char *server_name,
    int64_t now_ms, char *why, size_t size)
{
	char host[SOCKET_HOST_SIZE], port[SOCKET_PORT_SIZE];
	struct link *l;

	if (!socket_split(address, host, port)) {
		snprintf(why, size, "broker %.80s: must be host:port", address);
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		snprintf(why, size, "out of memory: a connection");
		return NULL;
	}
	l->tls = tls;
	snprintf(l->server_name, sizeof(l->server_name), "%s",
		 server_name != NULL ? server_name : host);
	buf_init(&l->out, 0);
	l->dial = dial_create(host, port, why, size);
	l->dial_until_ms = now_ms + DIAL_TIMEOUT_MS;
	if (l->dial == NULL) {
		link_destroy(l);
		return NULL;
	}
	return l;
}

void link_destroy(struct link *l)
{
	if (l == NULL)
		return;
	dial_destroy(l->dial);
	stream_destroy(l->stream);
	buf_finish(&l->out);
	frame_unref(l->frame);
	free(l);
}

static int keep_why(struct link *l, const char *why, int error)
{
	if (l->why[0] == '\0')
		snprintf(l->why, sizeof(l->why), "%s", why);
	return error;
}

static int stream_failed(struct link *l, int error)
{
	const char *why = stream_why(l->stream);

	return keep_why(l, why[0] != '\0' ? why : err_text(error), error);
}

static int dial_on(struct link *l, int64_t now_ms)
{
	int r;

	if (now_ms >= l->dial_until_ms) {
		l->dial_until_ms = now_ms + DIAL_TIMEOUT_MS;
		r = dial_skip(l->dial);
	} else {
		r = dial_proceed(l->dial);
	}
	if (r == ERR_AGAIN)
		return r;
	if (r != 0)
		return keep_why(l, dial_why(l->dial), r);
	l->stream = stream_create_client(l->tls, dial_take(l->dial), l->server_name);
	dial_destroy(l->dial);
	l->dial = NULL;
	return l->stream != NULL ? 0 : keep_why(l, "out of memory: a connection", ERR_NOMEM);
}

int link_connect(struct link *l, int64_t now_ms)
{
	int r;

	if (l->dial != NULL) {
		r = dial_on(l, now_ms);
		if (r != 0)
			return r;
	}
	r = stream_handshake(l->stream);
	if (r == 0)
		l->is_open = true;
	else if (r != ERR_AGAIN)
		return stream_failed(l, r);
	return r;
}

int64_t link_due_ms(const struct link *l)
{
	return l->dial != NULL ? l->dial_until_ms : INT64_MAX;
}

struct buf *link_out(struct link *l)
{
	return &l->out;
}

int link_flush(struct link *l)
{
	size_t n;
	int r;

	if (l->out.failed)
		return keep_why(l, "out of memory: frames to send", ERR_NOMEM);
	do {
		n = stream_room(l->stream);
		n = n < l->out.len ? n : l->out.len;
		if (n > 0) {
			r = stream_write(l->stream, buf_bytes(&l->out), n);
			if (r != 0)
				return stream_failed(l, r);
			buf_take(&l->out, n);
		}
		r = stream_flush(l->stream);
		if (r != 0)
			return r == ERR_AGAIN ? r : stream_failed(l, r);
	} while (l->out.len > 0 && n > 0);
	return l->out.len > 0 ? ERR_AGAIN : 0;
}

/* Up to n bytes to p; their number, or an error. */
static long read_some(struct link *l, void *p, size_t n)
{
	const long r = stream_read(l->stream, p, n);

	if (r < 0 && r != ERR_AGAIN)
		stream_failed(l, (int)r);
	return r;
}

static int receive_length(struct link *l, size_t max_bytes)
{
	while (l->length_have < sizeof(l->length)) {
		const long r = read_some(l, l->length + l->length_have,
					 sizeof(l->length) - l->length_have);

		if (r < 0)
			return (int)r;
		l->length_have += (size_t)r;
	}
	l->want = frame_length(l->length);
	if (l->want > max_bytes)
		return keep_why(l, "the broker announced a frame longer than it may be", ERR_PROTO);
	l->frame = frame_create(l->want < FRAME_FIRST_BYTES ? l->want : FRAME_FIRST_BYTES);
	return l->frame != NULL ? 0 : keep_why(l, "out of memory: a frame", ERR_NOMEM);
}

/* Twice the memory, as far as the frame goes. */
static int make_room(struct link *l)
{
	const size_t twice = l->frame->cap * 2;
	struct frame *grown = frame_grow(l->frame, twice < l->want ? twice : l->want);

	if (grown == NULL)
		return keep_why(l, "out of memory: a frame", ERR_NOMEM);
	l->frame = grown;
	return 0;
}

int link_receive(struct link *l, size_t max_bytes, struct frame **frame)
{
	long r;

	if (l->frame == NULL) {
		r = receive_length(l, max_bytes);
		if (r != 0)
			return (int)r;
	}
	while (l->frame->len < l->want) {
		if (l->frame->len == l->frame->cap && make_room(l) != 0)
			return ERR_NOMEM;
		r = read_some(l, l->frame->data + l->frame->len, l->frame->cap - l->frame->len);
		if (r < 0)
			return (int)r;
		l->frame->len += (size_t)r;
	}
	*frame = l->frame;
	l->frame = NULL;
	l->length_have = 0;
	return 0;
}

int link_end(struct link *l)
{
	uint8_t nowhere[DISCARD_BYTES];
	int r = link_flush(l);
	long n;

	if (r == 0)
		r = stream_shutdown(l->stream);
	if (r != 0 && r != ERR_AGAIN)
		return r;
	do
		n = stream_read(l->stream, nowhere, sizeof(nowhere));
	while (n > 0);
	return n == ERR_AGAIN ? ERR_AGAIN : 0;
}

int link_fd(const struct link *l)
{
	return l->dial != NULL ? dial_fd(l->dial) : stream_fd(l->stream);
}

unsigned link_wants(const struct link *l)
{
	if (l->dial != NULL)
		return STREAM_WRITABLE;
	return stream_wants(l->stream) | (l->out.len > 0 ? STREAM_WRITABLE : 0);
}

bool link_has_pending(const struct link *l)
{
	return l->is_open && stream_has_pending(l->stream);
}

const char *link_why(const struct link *l)
{
	return l->why;
}
