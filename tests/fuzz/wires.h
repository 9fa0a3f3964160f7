/* wires.h - connections of the broker's sessions without sockets and TLS: bytes in memory */
#ifndef HANDOFF_FUZZ_WIRES_H
#define HANDOFF_FUZZ_WIRES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "net/stream.h"

/*
 * wires.c has the functions of net/stream.h and net/watcher.h, and takes their place: what sessions
 * read and write is what the other end, the peer, has said and hears.
 */
#define WIRES_MAX 32

/* A connection with the certificate of a module; NULL when there are WIRES_MAX. */
struct stream *wire_create(const char *module);
/* The peer's end: says bytes, hears what has left, stops listening, hangs up, lets go. */
void wire_say(struct stream *s, const void *p, size_t n);
struct buf *wire_heard(struct stream *s);
void wire_set_deaf(struct stream *s, bool deaf);
void wire_hang_up(struct stream *s, bool broken);
void wire_let_go(struct stream *s);
/* The broker has closed it. */
bool wire_is_over(const struct stream *s);

/* Tells the sessions which connections have something, as the event loop would. */
void wires_notify(void);
/* Bytes may leave now: after the commit alone. A byte that leaves at another time is a fault. */
void wires_allow(bool allowed);

#endif
