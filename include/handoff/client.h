/* client.h - a client: options, connection, and the two styles of using it */
#ifndef HANDOFF_CLIENT_H
#define HANDOFF_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <handoff/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct handoff_client;
struct handoff_event;

/* --- options -------------------------------------------------------------------------------- */

struct handoff_options;

/* With the defaults named below; NULL when memory is refused. */
struct handoff_options *handoff_options_create(void);
void handoff_options_destroy(struct handoff_options *o);	/* accepts NULL */

/*
 * Takes over what the environment says, of these variables those that are set and not empty:
 * HANDOFF_BROKER (address), HANDOFF_CA, HANDOFF_CERT, HANDOFF_KEY, HANDOFF_INSTANCE. Call it first:
 * what is set later wins.
 */
void handoff_options_from_environment(struct handoff_options *o);

/*
 * Setters copy their texts. A setter never fails by itself: the first value that is out of range,
 * or for which there was no memory, is remembered, and handoff_open() tells it.
 */

/* "host:port" or "[address]:port"; default "127.0.0.1:7420". A name is looked up at each attempt to
 * connect, and the lookup blocks; an address does not. */
void handoff_options_set_broker(struct handoff_options *o, const char *address);
/* The name that the broker's certificate must have; default: the host of the address. */
void handoff_options_set_server_name(struct handoff_options *o, const char *name);
/* PEM files: the authority of all certificates, this module's certificate and its key. Required. */
void handoff_options_set_ca(struct handoff_options *o, const char *path);
void handoff_options_set_certificate(struct handoff_options *o, const char *path, const char *key);
/* The module's name, "ALPHA", as its certificate has it. Required. */
void handoff_options_set_module(struct handoff_options *o, const char *module);
/*
 * Which instance of the module this is, 1 to 64 bytes; NULL (the default): a new UUID. One that
 * keeps its name over a restart finds in its mailbox what it missed; no two live ones may share a
 * name.
 */
void handoff_options_set_instance(struct handoff_options *o, const char *instance_id);
/* Whether outcomes are kept for this instance while it is away; default true. */
void handoff_options_set_mailbox(struct handoff_options *o, bool mailbox);
/* The most deliveries at a time, 0 to 1024; default 0: deliver nothing. */
void handoff_options_set_max_in_flight(struct handoff_options *o, unsigned batches);
/*
 * The most batches, 1 to 1024, and the most bytes of records that wait for RECEIVED, all routes
 * together; beyond it sending says HANDOFF_AGAIN. One batch may always wait, however large. Default
 * 64 batches and 64 MiB.
 */
void handoff_options_set_window(struct handoff_options *o, unsigned batches, size_t bytes);
/* Name and version of the program, for the broker's log; default "libhandoff" and its version. */
void handoff_options_set_client_name(struct handoff_options *o, const char *name);

/* --- life ----------------------------------------------------------------------------------- */

enum handoff_state {
	HANDOFF_CONNECTING,	/* an attempt is under way */
	HANDOFF_CONNECTED,	/* WELCOME has been read */
	HANDOFF_WAITING,	/* a connection ended or failed; another attempt comes */
	HANDOFF_CLOSING,	/* drained: the last words are being said */
	HANDOFF_ENDED,		/* for good; handoff_end() and handoff_why() say why */
};

/* Why a client has ended for good. */
enum handoff_end {
	HANDOFF_END_NONE,		/* it has not */
	HANDOFF_END_DRAINED,		/* handoff_drain() is through */
	HANDOFF_END_OPTIONS,		/* an option, or a file that it names, cannot be used */
	HANDOFF_END_TLS,		/* the handshake failed: a certificate was refused */
	HANDOFF_END_UNAUTHORIZED,	/* the broker gives this module no right */
	HANDOFF_END_PROTOCOL_ERROR,	/* the broker did not understand the library */
	HANDOFF_END_REPLACED,		/* another client has taken over the instance_id */
};
/* "drained", "REPLACED", …; never NULL. */
const char *handoff_end_name(enum handoff_end end);

/*
 * A client that begins to connect. From then on it connects again by itself whenever a connection
 * ends, after a wait that doubles from 100 ms to 30 s and of which a random part is taken, or the
 * one that the broker asks for in its GOODBYE, at most 10 minutes. So a GOODBYE SHUTDOWN, REKEY,
 * KICKED or TIMEOUT is followed by another connection, which names the deliveries that the caller
 * has: they stay the caller's, unless a LOST event says otherwise, and nothing is done twice. What
 * no repetition can mend ends the client: files that cannot be read, a certificate refused on
 * either side, UNAUTHORIZED, PROTOCOL_ERROR, REPLACED.
 *
 * Never blocks, but for looking up a name. NULL only when memory is refused; any other failure is
 * the state HANDOFF_ENDED. The options may be destroyed afterwards.
 */
struct handoff_client *handoff_open(const struct handoff_options *o);
/*
 * The same, and waits until the client is connected or has ended, at most timeout_ms (-1: without
 * limit). A client that is still trying then is returned too: look at handoff_state().
 */
struct handoff_client *handoff_connect(const struct handoff_options *o, int timeout_ms);

/*
 * Closes at once and frees the client, its senders, and its deliveries. Batches that are not
 * RECEIVED may or may not be in custody; deliveries that are not ended go back to the broker. Says
 * GOODBYE as far as the socket takes it; never blocks. Accepts NULL.
 */
void handoff_close(struct handoff_client *c);

/*
 * The graceful end: what senders gathered is flushed, all batches are brought to RECEIVED (under
 * back-pressure that takes its time), then GOODBYE DRAINING is said and no more deliveries are
 * taken, those that the caller has and confirmations are waited for, and GOODBYE DONE is said. Go
 * on with handoff_next() or the loop as before, end your deliveries (stage outputs included) or
 * drop them, until an event tells the state HANDOFF_ENDED; then close. Deliveries not yet told, and
 * those dropped, go back to the broker with DONE, at no cost of an attempt: so a module is
 * restarted without work that is lost or repeated. From now on records for senders are refused, and
 * batches too (HANDOFF_CLOSED), unless the caller still has a delivery that they may be made of.
 * May be called twice.
 */
void handoff_drain(struct handoff_client *c);

enum handoff_state handoff_state(const struct handoff_client *c);
/* Why the latest connection ended or failed, one line for people; "" while there is no trouble. */
const char *handoff_why(const struct handoff_client *c);
/* The same for programs, once the state is HANDOFF_ENDED. */
enum handoff_end handoff_end(const struct handoff_client *c);
/* The instance_id in use. */
const char *handoff_instance(const struct handoff_client *c);
/* The broker's name and version; "" before the first connection. */
const char *handoff_broker(const struct handoff_client *c);

/* --- style 1: a plain blocking program ------------------------------------------------------ */

/*
 * The next event, or what came first within timeout_ms (-1: without limit, 0: only what is there):
 * 0 and *event; or, and *event is NULL, HANDOFF_AGAIN when the time is over or a signal came, and
 * HANDOFF_CLOSED when the client has ended and told everything. Everything that the client has to
 * do happens in here: call it often enough, at least as often as handoff_next_timeout_ms() says,
 * also while work is being done.
 *
 * The event belongs to the client and is good until the next call of this function or
 * handoff_take_event(), which is also what confirms it: an outcome that was returned is told again
 * after a crash unless the next event has been asked for.
 */
int handoff_next(struct handoff_client *c, int timeout_ms, const struct handoff_event **event);

/* --- style 2: inside somebody else's event loop --------------------------------------------- */

#define HANDOFF_READABLE 1u
#define HANDOFF_WRITABLE 2u

/*
 *	before each wait:	fd = handoff_fd(c), bits = handoff_wants(c)
 *				timeout = handoff_next_timeout_ms(c)
 *	when fd is ready:	handoff_ready(c, bits)
 *	when time has passed:	handoff_tick(c)
 *	after either:		while ((event = handoff_take_event(c)) != NULL) …
 *
 * None of these blocks, but for looking up a name. Every function of the library may change what
 * the three questions answer.
 */

/* The descriptor to watch: another after each connection; -1: none now. It is the client's. */
int handoff_fd(const struct handoff_client *c);
/* What to watch it for: HANDOFF_READABLE, HANDOFF_WRITABLE, both, or 0. */
unsigned handoff_wants(const struct handoff_client *c);
/* The descriptor is ready for these; what it is not ready for does no harm. */
void handoff_ready(struct handoff_client *c, unsigned bits);
/* Milliseconds until handoff_tick() has something to do; 0: now, -1: never. */
int handoff_next_timeout_ms(const struct handoff_client *c);
/* Does what is due. Does no harm when nothing is. */
void handoff_tick(struct handoff_client *c);
/*
 * The next event, or NULL. Good until the next call, which confirms it, as with handoff_next(). At
 * 4096 events not taken the client stops reading from its connection.
 */
const struct handoff_event *handoff_take_event(struct handoff_client *c);

/* --- the broker's settings ------------------------------------------------------------------ */

/* What the broker says of a route that the module is on: the one source of sizes and times. */
struct handoff_route {
	const char *name;		/* "alpha-beta" */
	const char *source_module;
	const char *target_module;
	uint64_t batch_size;		/* records in a batch */
	uint64_t flush_timeout_ms;	/* how long a record may wait for its batch to fill */
	uint64_t ack_timeout_ms;	/* until a delivery must be RECEIVED */
	uint64_t process_timeout_ms;	/* from the last RECEIVED until it must be PROCESSED */
	uint64_t retry_delay_ms;
	double backoff_multiplier;
	uint64_t max_retries;
	bool backpressure_active;	/* now; handoff_route_backpressure() tells more */
	uint64_t last_sequence_number;	/* the highest this instance has used */
};

/*
 * Settings by the route's name, and by its modules (NULL for source or target: this module). NULL
 * when there is no such route, or before the first connection. Good until the settings change: a
 * STATE event with HANDOFF_CONNECTED tells it.
 */
const struct handoff_route *handoff_route_by_name(const struct handoff_client *c, const char *name);
const struct handoff_route *handoff_route_between(const struct handoff_client *c,
    const char *source_module, const char *target_module);
/* All of them, one after the other; NULL behind the last. */
const struct handoff_route *handoff_route_at(const struct handoff_client *c, size_t index);

/*
 * Back-pressure of a route of which this module is the source. While it is active, batches that
 * complete nothing leave one at a time, at least delay_ms apart (a minute at most); what was sent
 * before, and batches that complete deliveries, are not held back. Sending goes on as before until
 * the window is full. A BACKPRESSURE event tells each change; a new connection begins with what the
 * broker says then.
 */
struct handoff_backpressure {
	bool active;
	uint64_t queue_depth;	/* batches on the route, when the broker told last */
	uint64_t delay_ms;	/* 0 while it is not active */
};
/* By the route's name. False when this module is not the source of such a route. */
bool handoff_route_backpressure(const struct handoff_client *c, const char *route,
    struct handoff_backpressure *b);

/* The most bytes that the list of records of one batch may have; 0 before WELCOME. */
size_t handoff_max_records_bytes(const struct handoff_client *c);

/* --- ids ------------------------------------------------------------------------------------ */

#define HANDOFF_ID_SIZE 37	/* a UUID's 36 characters and the NUL */

/* A new UUID that begins with the time, so that ids in order of time are in order. */
void handoff_make_id(char id[HANDOFF_ID_SIZE]);
/*
 * The id of the index-th output made from a batch: always the same for the same two, and begins as
 * the batch's id does. HANDOFF_INVALID when `batch_id` is no UUID.
 */
int handoff_derive_id(const char *batch_id, uint64_t index, char id[HANDOFF_ID_SIZE]);

/* The library's version, "0.1.0". */
const char *handoff_version(void);

#ifdef __cplusplus
}
#endif

#endif
