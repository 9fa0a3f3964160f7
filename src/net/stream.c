/*
 * stream.c - one TLS 1.3 connection over a descriptor: bytes in, bytes out, no event loop
 *
 *	socket ─ recv() ─► in ─► mbedTLS ─► stream_read()
 *	socket ◄─ send() ─ out ◄─ mbedTLS ◄─ stream_write()
 *
 * mbedTLS speaks to the two buffers of ciphertext, never to the socket. Neither has memory while it
 * is empty, so that an idle connection costs mbedTLS's own buffers alone. The invariants:
 *
 * 1. mbedTLS can always write: stream_room() leaves space in `out` for each record's surroundings
 *    and for an alert, so MBEDTLS_ERR_SSL_WANT_WRITE does not exist here.
 * 2. ERR_AGAIN from reading means `in` is empty: mbedTLS has taken and judged every byte, and the
 *    descriptor tells of the next one.
 * 3. A recv() that did not fill its buffer has emptied the socket: the next wish for bytes is
 *    answered "none" without asking the kernel, once.
 */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <mbedtls/oid.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/failpoint.h"
#include "net/tls_internal.h"

#define RECEIVE_BYTES (64 * 1024)
/* Header, content type, padding to 16 and tag of one record in TLS 1.3, rounded up. */
#define RECORD_OVERHEAD 40
/* Room kept for an alert. */
#define ALERT_BYTES (2 + RECORD_OVERHEAD)
/* Records without data that a peer may send in a row. */
#define EMPTY_RECORDS_MAX 16
/* Leaf, two intermediates, root. */
#define CHAIN_DEPTH_MAX 3
#define SUBJECT_SIZE 100

struct stream {
	mbedtls_ssl_context ssl;
	int fd;				/* owned */
	bool is_server;
	bool is_established;		/* the handshake is done */
	bool is_drained;		/* invariant 3 */
	bool is_closing;		/* stream_shutdown() was called */
	bool is_shut;			/* the sending half is shut down */
	int read_error, write_error;	/* 0, or what every later call returns */
	int socket_errno;		/* why recv() failed */
	struct buf in, out;		/* ciphertext; memory while not empty */
	uint64_t received, sent;	/* bytes of ciphertext through the socket */
	uint32_t leaf_flaws;		/* verification of the peer's own certificate */
	char *subject;			/* owned; that certificate's, during the handshake */
	char *why;			/* owned; NULL: nothing failed */
};

/* Keeps the first reason: what follows is its consequence. */
__attribute__((format(printf, 2, 3)))
static void explain(struct stream *s, const char *fmt, ...)
{
	char text[STREAM_WHY_SIZE];
	va_list args;

	if (s->why != NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	s->why = strdup(text);
}

/* Bytes from the socket into `in`: their number, 0 at end of file, or an MBEDTLS_ERR_SSL_…. */
static int receive(struct stream *s)
{
	uint8_t *to;
	ssize_t n;

	if (s->is_drained) {
		s->is_drained = false;
		return MBEDTLS_ERR_SSL_WANT_READ;
	}
	if (!s->is_established && s->received >= STREAM_HANDSHAKE_BYTES_MAX) {
		explain(s, "handshake longer than %d bytes", STREAM_HANDSHAKE_BYTES_MAX);
		return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
	}
	to = buf_reserve(&s->in, RECEIVE_BYTES);
	if (to == NULL)
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	do
		n = recv(s->fd, to, RECEIVE_BYTES, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		buf_grow(&s->in, (size_t)n);
		s->received += (uint64_t)n;
		s->is_drained = n < RECEIVE_BYTES;
		return (int)n;
	}
	s->socket_errno = n < 0 ? errno : 0;
	buf_finish(&s->in);
	if (n == 0)
		return 0;
	return s->socket_errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

/* mbedTLS wants bytes. */
static int on_recv(void *arg, unsigned char *p, size_t n)
{
	struct stream *s = arg;
	int r;

	if (s->in.len == 0) {
		r = receive(s);
		if (r <= 0)
			return r;
	}
	if (n > s->in.len)
		n = s->in.len;
	memcpy(p, buf_bytes(&s->in), n);
	buf_take(&s->in, n);
	if (s->in.len == 0)
		buf_finish(&s->in);
	return (int)n;
}

/* mbedTLS has bytes. */
static int on_send(void *arg, const unsigned char *p, size_t n)
{
	struct stream *s = arg;

	buf_put(&s->out, p, n);
	return s->out.failed ? MBEDTLS_ERR_SSL_ALLOC_FAILED : (int)n;
}

/*
 * mbedTLS changes the keys it sends with later than RFC 8446 says (section 7.1: a server after its
 * Finished, a client after the ServerHello), and so encrypts the alerts of these moments in a way
 * that the peer takes for a forgery. Nothing but an alert is sent then, and mbedTLS changes to the
 * same keys itself when it goes on, so the change can be made for it. The peer then reads why it
 * was refused.
 */
static void send_with(struct stream *s, mbedtls_ssl_transform *keys)
{
	s->ssl.MBEDTLS_PRIVATE(transform_out) = keys;
	memset(s->ssl.MBEDTLS_PRIVATE(cur_out_ctr), 0, sizeof(s->ssl.MBEDTLS_PRIVATE(cur_out_ctr)));
}

/* A server that waits for the client's certificate and Finished. */
static void prepare_refusal(struct stream *s)
{
	switch (s->ssl.MBEDTLS_PRIVATE(state)) {
	case MBEDTLS_SSL_CLIENT_CERTIFICATE:
	case MBEDTLS_SSL_CERTIFICATE_VERIFY:
	case MBEDTLS_SSL_CLIENT_FINISHED:
		if (s->is_server)
			send_with(s, s->ssl.MBEDTLS_PRIVATE(transform_application));
		break;
	default:
		break;
	}
}

/*
 * mbedTLS has judged one certificate of the peer's chain; the peer's own, depth 0, comes last. It
 * accepts a client's certificate without extended key usage: we do not (protocol section 1).
 */
static int on_verify(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	struct stream *s = arg;
	char subject[SUBJECT_SIZE];

	if (depth > CHAIN_DEPTH_MAX)
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
	if (depth > 0)
		return 0;
	if (s->is_server && !identity_has_usage(certificate, MBEDTLS_OID_CLIENT_AUTH,
						MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)))
		*flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
	s->leaf_flaws = *flags;
	identity_subject(certificate, subject, sizeof(subject));
	free(s->subject);
	s->subject = strdup(subject);
	/* A client will refuse now: mbedTLS has its handshake keys for both ways in one place. */
	if (!s->is_server && *flags != 0)
		send_with(s, s->ssl.MBEDTLS_PRIVATE(transform_in));
	return 0;
}

static struct stream *create(struct tls_context *tls, int fd, bool is_server)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		close(fd);
		return NULL;
	}
	mbedtls_ssl_init(&s->ssl);
	s->fd = fd;
	s->is_server = is_server;
	buf_init(&s->in, 0);
	buf_init(&s->out, STREAM_OUT_BYTES_MAX);
	if (mbedtls_ssl_setup(&s->ssl, &tls->settings) != 0) {
		stream_destroy(s);
		return NULL;
	}
	mbedtls_ssl_set_bio(&s->ssl, s, on_send, on_recv, NULL);
	mbedtls_ssl_set_verify(&s->ssl, on_verify, s);
	return s;
}

struct stream *stream_create(struct tls_context *tls, int fd)
{
	return create(tls, fd, true);
}

struct stream *stream_create_client(struct tls_context *tls, int fd, const char *server_name)
{
	struct stream *s = create(tls, fd, false);

	if (s != NULL && mbedtls_ssl_set_hostname(&s->ssl, server_name) != 0) {
		stream_destroy(s);
		return NULL;
	}
	return s;
}

void stream_destroy(struct stream *s)
{
	if (s == NULL)
		return;
	mbedtls_ssl_free(&s->ssl);
	close(s->fd);
	buf_finish(&s->in);
	buf_finish(&s->out);
	free(s->subject);
	free(s->why);
	free(s);
}

static void explain_certificate(struct stream *s)
{
	const uint32_t all = mbedtls_ssl_get_verify_result(&s->ssl);
	uint32_t above = all & ~s->leaf_flaws;
	char flaws[STREAM_WHY_SIZE];

	/* Out of date above the peer's own certificate: the authority is. */
	if (all != UINT32_MAX && (above & MBEDTLS_X509_BADCERT_EXPIRED) != 0) {
		explain(s, "certificate of the authority expired; subject %s", s->subject);
		return;
	}
	refusal_flaws(all, s->is_server, flaws, sizeof(flaws));
	if (s->subject != NULL)
		explain(s, "%s; subject %s", flaws, s->subject);
	else
		explain(s, "%s", flaws);
}

/* mbedTLS's refusal in words. */
static void explain_tls(struct stream *s, int error)
{
	const unsigned char *alert = s->ssl.MBEDTLS_PRIVATE(in_msg);

	switch (error) {
	case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
	case MBEDTLS_ERR_X509_FATAL_ERROR:
	case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
		explain_certificate(s);
		break;
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
		explain(s, "refused by the peer: %s (alert %u)", refusal_alert(alert[1]), alert[1]);
		break;
	default:
		explain(s, "%s", refusal_error(error));
		break;
	}
}

/* All ciphertext ever made, sent or not. */
static uint64_t written(const struct stream *s)
{
	return s->sent + s->out.len;
}

/* Tells the peer that we stop listening; mbedTLS has done so itself if `before` was passed. */
static void send_alert(struct stream *s, int error, uint64_t before)
{
	unsigned char alert = MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR;

	if (error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE || written(s) != before)
		return;
	if (error == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE)
		alert = MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE;
	else if (!s->is_established)
		alert = MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE;
	(void)mbedtls_ssl_send_alert_message(&s->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}

/* Reading ended with an mbedTLS code: in words, to the peer, and as an error of ours that stays. */
static int fail_reading(struct stream *s, int error, uint64_t before)
{
	const char *when = s->is_established ? "" : " during the handshake";

	switch (error) {
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
		explain(s, "closed by the peer%s", when);
		s->read_error = ERR_CLOSED;
		break;
	case 0:
	case MBEDTLS_ERR_SSL_CONN_EOF:
		if (s->socket_errno == 0) {
			explain(s, "connection ended%s without close_notify", when);
			s->read_error = ERR_CLOSED;
		} else {
			explain(s, "%s%s", strerror(s->socket_errno), when);
			s->read_error = ERR_IO;
		}
		break;
	default:
		explain_tls(s, error);
		send_alert(s, error, before);
		s->read_error = ERR_TLS;
		break;
	}
	return s->read_error;
}

/* What the socket does not take stays, as stream_wants() says; a failure shows in reading too. */
static void flush_if_possible(struct stream *s)
{
	if (stream_flush(s) != 0)
		return;
}

int stream_handshake(struct stream *s)
{
	const uint64_t before = written(s);
	int r = 0;

	if (s->read_error != 0)
		return s->read_error;
	if (!s->is_established) {
		prepare_refusal(s);
		r = mbedtls_ssl_handshake(&s->ssl);
	}
	if (r == 0) {
		s->is_established = true;
		free(s->subject);
		s->subject = NULL;
	} else if (r != MBEDTLS_ERR_SSL_WANT_READ) {
		r = fail_reading(s, r, before);
	} else {
		r = ERR_AGAIN;
	}
	flush_if_possible(s);
	return r;
}

/* One record at least is read, or none is there; MBEDTLS_ERR_SSL_… or the number of bytes. */
static int read_record(struct stream *s, void *p, size_t n)
{
	int r;

	for (int i = 0; i < EMPTY_RECORDS_MAX; i++) {
		r = mbedtls_ssl_read(&s->ssl, p, n);
		if (r != MBEDTLS_ERR_SSL_WANT_READ || s->in.len == 0)
			return r;
	}
	explain(s, "%d TLS records without data in a row", EMPTY_RECORDS_MAX);
	return MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
}

long stream_read(struct stream *s, void *p, size_t n)
{
	const uint64_t before = written(s);
	int r;

	if (s->read_error != 0)
		return s->read_error;
	assert(s->is_established && n > 0);
	r = read_record(s, p, n);
	if (r > 0)
		return r;
	if (r == MBEDTLS_ERR_SSL_WANT_READ)
		return ERR_AGAIN;
	fail_reading(s, r, before);
	flush_if_possible(s);
	return s->read_error;
}

bool stream_has_pending(const struct stream *s)
{
	return s->read_error == 0 && (s->in.len > 0 || mbedtls_ssl_check_pending(&s->ssl) != 0);
}

/* Plaintext bytes of the largest record that mbedTLS makes on this connection. */
static size_t record_payload(const struct stream *s)
{
	int n = mbedtls_ssl_get_max_out_record_payload(&s->ssl);

	return n > 0 ? (size_t)n : 1;
}

size_t stream_room(const struct stream *s)
{
	size_t used = s->out.len + ALERT_BYTES, space;

	if (!s->is_established || s->is_closing || s->write_error != 0 ||
	    used >= STREAM_OUT_BYTES_MAX)
		return 0;
	space = STREAM_OUT_BYTES_MAX - used;
	used = (space / (record_payload(s) + RECORD_OVERHEAD) + 1) * RECORD_OVERHEAD;
	return space > used ? space - used : 0;
}

int stream_write(struct stream *s, const void *p, size_t n)
{
	const size_t records = n / record_payload(s) + 1;
	const unsigned char *from = p;
	int r;

	assert(n <= stream_room(s));
	/* Memory for all of it in one piece. */
	if (buf_reserve(&s->out, n + records * RECORD_OVERHEAD) == NULL) {
		explain(s, "no memory for bytes to send");
		return s->write_error = ERR_NOMEM;
	}
	while (n > 0) {
		r = mbedtls_ssl_write(&s->ssl, from, n);
		if (r <= 0) {
			explain_tls(s, r);
			return s->write_error = ERR_TLS;
		}
		from += r;
		n -= (size_t)r;
	}
	return 0;
}

/* Writing to the socket failed with errno. */
static int fail_writing(struct stream *s)
{
	explain(s, "%s", strerror(errno));
	s->write_error = errno == EPIPE ? ERR_CLOSED : ERR_IO;
	buf_finish(&s->out);
	return s->write_error;
}

int stream_flush(struct stream *s)
{
	ssize_t n;

	if (s->write_error != 0)
		return s->write_error;
	if (s->out.len == 0)
		return 0;
	FAILPOINT("send.before");
	do
		n = send(s->fd, buf_bytes(&s->out), s->out.len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	FAILPOINT("send.after");
	if (n < 0)
		return errno == EAGAIN ? ERR_AGAIN : fail_writing(s);
	s->sent += (uint64_t)n;
	buf_take(&s->out, (size_t)n);
	if (s->out.len > 0)
		return ERR_AGAIN;
	buf_finish(&s->out);
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
	int waiting = 0;

	if (ioctl(s->fd, SIOCOUTQ, &waiting) != 0 || waiting < 0 || (uint64_t)waiting > s->sent)
		return s->sent;
	return s->sent - (uint64_t)waiting;
}

int stream_shutdown(struct stream *s)
{
	int r;

	if (!s->is_closing) {
		s->is_closing = true;
		/* Before the handshake is done mbedTLS says nothing. */
		(void)mbedtls_ssl_close_notify(&s->ssl);
	}
	r = stream_flush(s);
	if (r != 0 || s->is_shut)
		return r;
	s->is_shut = true;
	return shutdown(s->fd, SHUT_WR) == 0 ? 0 : fail_writing(s);
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

unsigned stream_wants(const struct stream *s)
{
	unsigned wants = s->read_error == 0 ? STREAM_READABLE : 0;

	return s->out.len > 0 ? wants | STREAM_WRITABLE : wants;
}

/* mbedTLS's record numbers begin at 0 with each key: big-endian, 8 bytes. */
static uint64_t record_number(const unsigned char p[8])
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | p[i];
	return n;
}

uint64_t stream_records(const struct stream *s)
{
	if (!s->is_established)
		return 0;
	return record_number(s->ssl.MBEDTLS_PRIVATE(in_ctr)) +
	       record_number(s->ssl.MBEDTLS_PRIVATE(cur_out_ctr));
}

uint64_t stream_record_bytes(const struct stream *s)
{
	return s->received + written(s);
}

const char *stream_why(const struct stream *s)
{
	return s->why != NULL ? s->why : "";
}

void stream_identity(const struct stream *s, struct tls_identity *id)
{
	const mbedtls_x509_crt *peer =
		s->is_established ? mbedtls_ssl_get_peer_cert(&s->ssl) : NULL;

	if (peer != NULL)
		identity_read(peer, id);
	else
		*id = (struct tls_identity){ .malformed = true };
}
