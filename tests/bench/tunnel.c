/* tunnel.c - bytes both ways in TLS, over the streams of the room net */
#include <stdio.h>

#include "bench.h"
#include "net/dial.h"
#include "net/socket.h"
#include "net/stream.h"

#define READ_BYTES (64 * 1024)
/* Not more than this at a time, so that what came first is answered before all is read. */
#define FILL_BYTES (1024 * 1024)

static int dial_until_connected(const char *host, const char *port)
{
	char why[256];
	struct dial *d = dial_create(host, port, why, sizeof(why));
	int fd, r;

	if (d == NULL)
		die("%s", why);
	while ((r = dial_proceed(d)) == ERR_AGAIN)
		wait_for(&(struct awaited){ dial_fd(d), STREAM_WRITABLE, false }, 1);
	if (r != 0)
		die("%s", dial_why(d));
	fd = dial_take(d);
	dial_destroy(d);
	return fd;
}

__attribute__((noreturn))
static void die_of_stream(const struct tunnel *t, int error)
{
	const char *why = stream_why(t->stream);

	die("%s", why[0] != '\0' ? why : err_text(error));
}

void tunnel_open(struct tunnel *t, const char *module, const struct load *l)
{
	char host[SOCKET_HOST_SIZE], port[SOCKET_PORT_SIZE];
	int r;

	if (!socket_split(l->address, host, port))
		die("%s: must be host:port", l->address);
	*t = (struct tunnel){ .tls = load_credentials(module, l->credentials) };
	buf_init(&t->in, 0);
	buf_init(&t->out, 0);
	t->stream = stream_create_client(t->tls, dial_until_connected(host, port), host);
	if (t->stream == NULL)
		die("no memory for a connection");
	while ((r = stream_handshake(t->stream)) == ERR_AGAIN)
		wait_for(&(struct awaited){ stream_fd(t->stream), stream_wants(t->stream), false }, 1);
	if (r != 0)
		die_of_stream(t, r);
}

void tunnel_close(struct tunnel *t)
{
	stream_destroy(t->stream);
	tls_destroy(t->tls);
	buf_finish(&t->in);
	buf_finish(&t->out);
}

void tunnel_flush(struct tunnel *t)
{
	size_t n;
	int r;

	do {
		n = stream_room(t->stream);
		n = n < t->out.len ? n : t->out.len;
		if (n > 0) {
			r = stream_write(t->stream, buf_bytes(&t->out), n);
			if (r != 0)
				die_of_stream(t, r);
			buf_take(&t->out, n);
		}
		r = stream_flush(t->stream);
		if (r != 0 && r != ERR_AGAIN)
			die_of_stream(t, r);
	} while (r == 0 && t->out.len > 0);
}

void tunnel_fill(struct tunnel *t)
{
	for (size_t got = 0; got < FILL_BYTES;) {
		uint8_t *to = buf_reserve(&t->in, READ_BYTES);
		long n;

		if (to == NULL)
			die("no memory for what comes");
		n = stream_read(t->stream, to, READ_BYTES);
		if (n == ERR_AGAIN)
			return;
		if (n < 0)
			die_of_stream(t, (int)n);
		buf_grow(&t->in, (size_t)n);
		got += (size_t)n;
	}
}
