/* dial.h - connecting to host and port without blocking; no event loop */
#ifndef HANDOFF_NET_DIAL_H
#define HANDOFF_NET_DIAL_H

#include <stddef.h>

#include "base/err.h"

/*
 * One attempt to reach a name, trying each of its addresses in turn:
 *
 *	d = dial_create(host, port, why, sizeof(why));
 *	while ((r = dial_proceed(d)) == ERR_AGAIN)
 *		wait until dial_fd(d) is writable, or give up, or dial_skip(d);
 *	if (r == 0)
 *		fd = dial_take(d);
 *	dial_destroy(d);
 *
 * dial_fd() may be another after each dial_proceed() and dial_skip(): wait for the new one.
 */
struct dial;

/*
 * Looks the name up, which for a number does not block, and begins with the first address. NULL
 * when the name cannot be resolved or no address can be tried: why[] has a sentence for people.
 */
struct dial *dial_create(const char *host, const char *port, char *why, size_t size);
/* Closes the descriptor unless it was taken. Accepts NULL. */
void dial_destroy(struct dial *d);

/* 0 connected, ERR_AGAIN not yet, ERR_IO no address could be reached (dial_why() says more). */
int dial_proceed(struct dial *d) MUST_CHECK;
/* Gives up the present address, which took too long; goes on with the next, as dial_proceed(). */
int dial_skip(struct dial *d) MUST_CHECK;
/* What to wait for, until it is writable. */
int dial_fd(const struct dial *d);
/* The connected descriptor, non-blocking and close-on-exec, is now the caller's. */
int dial_take(struct dial *d);
/* Why the latest address was not reached; never NULL. */
const char *dial_why(const struct dial *d);

#endif
