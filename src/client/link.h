/* link.h - one connection to the broker: bytes on one side, whole frames on the other */
#ifndef HANDOFF_CLIENT_LINK_H
#define HANDOFF_CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/tls.h"
#include "wire/frame.h"

/*
 * Dials, shakes hands, then carries frames both ways. Blocks only to look up a name. What failed
 * stays failed: the owner destroys the link and makes another.
 */
struct link;

/* Begins to dial. NULL, with a sentence in why[size], when that cannot begin. */
struct link *link_create(struct tls_context *tls, const char *address, const char *server_name,
    int64_t now_ms, char *why, size_t size);
/* Closes at once. Accepts NULL. */
void link_destroy(struct link *l);

/* Dials and shakes hands: 0 when done, ERR_AGAIN, or ERR_TLS, ERR_CLOSED, ERR_IO. */
int link_connect(struct link *l, int64_t now_ms) MUST_CHECK;
/* When link_connect() has something to do although the descriptor is not ready. */
int64_t link_due_ms(const struct link *l);

/* Where frames to be sent are appended. */
struct buf *link_out(struct link *l);
/* Hands what is there to the socket: 0 when all is out, ERR_AGAIN, or a failure. */
int link_flush(struct link *l) MUST_CHECK;

/*
 * One frame's body, whose reference is the caller's: 0; ERR_AGAIN; ERR_PROTO when it is announced
 * longer than max_bytes; ERR_NOMEM; ERR_CLOSED, ERR_TLS, ERR_IO when reading ended.
 */
int link_receive(struct link *l, size_t max_bytes, struct frame **frame) MUST_CHECK;

/* Flushes, ends the sending half, and reads to nowhere: 0 when the other side has ended too. */
int link_end(struct link *l) MUST_CHECK;

int link_fd(const struct link *l);
unsigned link_wants(const struct link *l);	/* STREAM_READABLE, STREAM_WRITABLE */
/* Bytes are inside that the descriptor will not tell of. */
bool link_has_pending(const struct link *l);
/* Why it failed, one line; never NULL. */
const char *link_why(const struct link *l);

#endif
