/* stream.h - one TLS 1.3 connection over a descriptor: bytes in, bytes out, no event loop */
#ifndef HANDOFF_NET_STREAM_H
#define HANDOFF_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/tls.h"

/*
 * Shared by broker and client. The owner creates a stream on a connected non-blocking socket, calls
 * stream_handshake() until it is done, then stream_read() and stream_write(); stream_flush() hands
 * to the socket what was written. What the descriptor must be watched for, stream_wants() says.
 * Ciphertext is gathered in the stream, so that many small frames leave in one system call and a
 * TLS write never has to be repeated with the same arguments (reliability.md B16).
 *
 * Reading and writing fail apart: a peer that closed may still have sent last words. A failure
 * stays: later calls return it again. One TLS context a stream, never used twice.
 */
struct stream;

#define STREAM_READABLE 1u	/* wait until the descriptor can be read */
#define STREAM_WRITABLE 2u	/* wait until it can be written */

/* Ceiling of ciphertext that waits for the socket. */
#define STREAM_OUT_BYTES_MAX (256 * 1024)
/* Ceiling of what a peer may send before the handshake is done, certificates included. */
#define STREAM_HANDSHAKE_BYTES_MAX (64 * 1024)
#define STREAM_WHY_SIZE 256

/* Takes over fd (closed by stream_destroy). NULL when memory is refused; fd is then closed. */
struct stream *stream_create(struct tls_context *tls, int fd);
/*
 * The client's: also says which name the broker's certificate must have. An address is looked for
 * among the certificate's addresses.
 */
struct stream *stream_create_client(struct tls_context *tls, int fd, const char *server_name);
/* Closes the descriptor, sends nothing. Accepts NULL. */
void stream_destroy(struct stream *s);

/*
 * 0 when done, ERR_AGAIN, or ERR_TLS/ERR_CLOSED/ERR_IO (stream_why() says more). What TLS has to
 * say, also the alert that tells a refused peer why, is flushed; what the socket did not take
 * stays, as stream_wants() says. When done, read at once: the peer's first bytes may be inside.
 */
int stream_handshake(struct stream *s) MUST_CHECK;

/*
 * Up to n bytes of plaintext into p (n at least 1): their number, 0 never. ERR_AGAIN when there is
 * nothing now (then also nothing is left inside, and the descriptor tells when there is more: wait
 * for it), ERR_CLOSED after the peer's close_notify or end of file, ERR_TLS (also a KeyUpdate,
 * which is not supported), ERR_IO.
 */
long stream_read(struct stream *s, void *p, size_t n) MUST_CHECK;
/* Bytes are left inside: the descriptor will not tell (reliability.md B15). */
bool stream_has_pending(const struct stream *s);

/*
 * How many bytes stream_write() will take whole now without passing STREAM_OUT_BYTES_MAX; 0 before
 * the handshake is done, after stream_shutdown() and when writing has failed.
 */
size_t stream_room(const struct stream *s);
/* Encrypts n bytes (at most stream_room()) into the stream; 0 or ERR_TLS, ERR_NOMEM. */
int stream_write(struct stream *s, const void *p, size_t n) MUST_CHECK;
/* Ciphertext to the socket, one call: 0 all is out, ERR_AGAIN some is left, ERR_IO, ERR_CLOSED. */
int stream_flush(struct stream *s) MUST_CHECK;
/* Ciphertext that the socket has not taken yet, in bytes. */
size_t stream_unsent(const struct stream *s);
/* Bytes handed to the socket since the beginning: progress of a peer that reads. */
uint64_t stream_sent_bytes(const struct stream *s);
/* Those of them that the peer's system has acknowledged: a peer that reads slowly takes them in
 * smaller steps than a socket takes new ones. A system call. */
uint64_t stream_acknowledged_bytes(const struct stream *s);

/*
 * Writes close_notify and, when all is flushed, shuts down the sending half: call again when the
 * descriptor is writable until it is 0. Reading goes on. 0, ERR_AGAIN, ERR_IO, ERR_CLOSED.
 */
int stream_shutdown(struct stream *s) MUST_CHECK;

int stream_fd(const struct stream *s);
/* STREAM_READABLE until reading ended, STREAM_WRITABLE while something is unsent. */
unsigned stream_wants(const struct stream *s);
/*
 * TLS records written and read under this connection's keys, and bytes of ciphertext both ways: for
 * REKEY (reliability.md B19).
 */
uint64_t stream_records(const struct stream *s);
uint64_t stream_record_bytes(const struct stream *s);
/*
 * Why the stream failed or ended, one line; "" when it did not. It may quote the peer's
 * certificate, so it goes into the log through log_quote(). Printable ASCII, below STREAM_WHY_SIZE.
 */
const char *stream_why(const struct stream *s);

/*
 * The identities in the peer's verified certificate; after the handshake. Before it, or when there
 * is no certificate, `malformed`.
 */
void stream_identity(const struct stream *s, struct tls_identity *id);

#endif
