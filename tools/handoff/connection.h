/* connection.h - a client made from the common options, and the loop's wait around it */
#ifndef HANDOFF_TOOLS_CONNECTION_H
#define HANDOFF_TOOLS_CONNECTION_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handoff/handoff.h"
#include "tools/handoff/options.h"

struct connection {
	struct handoff_client *client;	/* owned */
	const char *broker;
	uint64_t timeout_ms;		/* of --connect-timeout, 0: none */
	int64_t lost_at_ms;		/* since when there is no connection; -1: there is one */
	bool is_told;			/* that there is none */
	bool was_connected;		/* at some time: routes are known */
	bool is_draining;
};

/* What a subcommand wants of its client beside the common options. */
struct connection_wishes {
	const char *instance;		/* used where --instance is not given; NULL: a new one */
	bool mailbox;
	unsigned max_in_flight;
	unsigned window;		/* batches that wait for RECEIVED; 0: the library's default */
};

/* -1, or the exit status after a complaint. */
int connection_open(struct connection *c, const struct common *common,
    const struct connection_wishes *wishes);
void connection_close(struct connection *c);
void connection_drain(struct connection *c);

/*
 * Waits until the client or one of more[0..n) has something to do, for at most timeout_ms (-1:
 * without limit), with the signal mask `mask` (NULL: unchanged) in force; then lets the client do
 * its part. Take the events afterwards.
 */
void connection_wait(struct connection *c, struct pollfd *more, size_t n, int timeout_ms,
    const sigset_t *mask);

/* Shows what an event of the types STATE and ERRORS says to people. */
void connection_on_event(struct connection *c, const struct handoff_event *e);

/*
 * -1 while there is a reason to go on; 0 when it was drained and has ended; else the exit status,
 * after a complaint: it has ended for good, or was not connected for too long.
 */
int connection_status(const struct connection *c);

/* The exit status that an error code of the broker's stands for. */
int connection_status_of(const struct handoff_error *errors, size_t n);

#endif
