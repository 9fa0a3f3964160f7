/* handshake.h - strangers between accept and a verified certificate: few, and for a short time */
#ifndef HANDOFF_NET_HANDSHAKE_H
#define HANDOFF_NET_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "net/stream.h"

struct ev_loop;

/*
 * Takes connections from the listener, drives their handshakes, and hands on only those whose
 * certificate was verified: the owner never sees a stranger. A refused peer is told by an alert,
 * and what it still sends is discarded until it has read that or its time is over. Why it was
 * refused stands in the log.
 */
struct handshakes;

/* How many may take a step in one turn: a step costs up to two milliseconds of the processor. */
#define HANDSHAKE_STEPS_PER_TURN 8

/* Protocol section 10: 256, and 5 s. */
struct handshakes_settings {
	unsigned pending_max;	/* at a time; the oldest gives way to one more */
	int64_t deadline_ms;	/* from accept to verified; refused ones are gone by then too */
};

/*
 * on_established() takes over the stream, to be read at once, as the peer's first bytes may be
 * inside; `address` is valid during the call. Sessions are served before handshakes in each turn.
 */
struct handshakes *handshakes_create(struct ev_loop *loop,
    const struct handshakes_settings *settings,
    void (*on_established)(void *arg, struct stream *s, const char *address), void *arg);
/* Drops all that are pending. Accepts NULL. Not inside on_established(). */
void handshakes_destroy(struct handshakes *h);

/* Takes over the accepted fd. `tls` is a server's and outlives the handshake and the stream. */
void handshakes_add(struct handshakes *h, struct tls_context *tls, int fd, const char *address);
/* Why a handshake was refused. */
enum handshake_fault {
	HANDSHAKE_TLS,			/* it failed: certificate, version, not TLS at all */
	HANDSHAKE_TIMEOUT,
	HANDSHAKE_CROWDED,		/* too many at a time, the oldest gave way */
	HANDSHAKE_RESOURCES,		/* memory was refused, or its socket cannot be watched */
	HANDSHAKE_FAULT_COUNT,
};
/* How often so far. Peers that just went away are not counted. */
uint64_t handshakes_refused(const struct handshakes *h, enum handshake_fault fault);
/* How many there are now, refused ones that are not yet gone included. */
size_t handshakes_pending(const struct handshakes *h);

#endif
