/* receive.h - deliveries, and the ways to end them */
#ifndef HANDOFF_RECEIVE_H
#define HANDOFF_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <handoff/client.h>
#include <handoff/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A delivery comes with a DELIVERY event. Its checksum and count have been verified (a bad one is
 * refused, TRANSIENT, and told as ERRORS), and RECEIVED has been said. From then on it is the
 * caller's, who ends it once, with one of
 *
 *	handoff_processed()	done with it
 *	handoff_rejected()	not done: again later, or never
 *	handoff_send_batch()	done with it, and here is the result, in one step (send.h)
 *	handoff_drop()		no word about it
 *
 * and does not touch it afterwards, unless an event gives it back. As long as the caller has it,
 * the library repeats RECEIVED in time, so that a slow batch stays this client's; for that the
 * client must be given its time (handoff_next(), or handoff_tick()). What was said is repeated
 * after a broken connection until the broker has answered: a DONE, STALE or NOT_DONE event tells
 * the end.
 */
struct handoff_delivery;

const char *handoff_delivery_batch_id(const struct handoff_delivery *d);
/* Follows the data through the pipeline; the next stage's batch carries it too. */
const char *handoff_delivery_correlation_id(const struct handoff_delivery *d);
const char *handoff_delivery_route(const struct handoff_delivery *d);
const char *handoff_delivery_source_module(const struct handoff_delivery *d);
/* Rises with every delivery the broker ever makes: a fencing token for writing elsewhere. */
uint64_t handoff_delivery_lease(const struct handoff_delivery *d);
/* 1 at the first attempt. */
uint64_t handoff_delivery_attempt(const struct handoff_delivery *d);
/* The batch may have been delivered before. */
bool handoff_delivery_is_redelivered(const struct handoff_delivery *d);
/* A LOST event was told, or would be: ending it may come too late. */
bool handoff_delivery_is_lost(const struct handoff_delivery *d);
bool handoff_delivery_is_critical(const struct handoff_delivery *d);
uint64_t handoff_delivery_record_count(const struct handoff_delivery *d);
/* All records, one MessagePack list, *len bytes; they live as long as the delivery. */
const void *handoff_delivery_records(const struct handoff_delivery *d, size_t *len);

struct handoff_record {
	const void *bytes;	/* one encoded MessagePack map */
	size_t len;
	const char *id;		/* its record_id, not ended by a NUL; NULL when it has none */
	size_t id_len;
};
/* The next record; false behind the last. They live as long as the delivery. */
bool handoff_delivery_next_record(struct handoff_delivery *d, struct handoff_record *record);
/* Begins with the first record again. */
void handoff_delivery_rewind(struct handoff_delivery *d);

/* A pointer of the caller's, which events about this delivery carry. */
void handoff_delivery_set_user(struct handoff_delivery *d, void *user);
void *handoff_delivery_user(const struct handoff_delivery *d);

/*
 * Done. `records_rejected` of its records could not be processed, and `errors` (scope RECORD,
 * record_id set, each record once, at most HANDOFF_RECORD_ERRORS_MAX) say which and why; fewer
 * errors than rejected records leave the whole batch with the operator as well. 0; HANDOFF_STALE:
 * the broker has delivered it anew, nothing is said, the delivery is freed all the same;
 * HANDOFF_INVALID, HANDOFF_NO_MEMORY: it is still the caller's.
 */
int handoff_processed(struct handoff_delivery *d, uint64_t records_rejected,
    const struct handoff_error *errors, size_t error_count);
#define HANDOFF_RECORD_ERRORS_MAX 1024

/*
 * Not done. `error` says why, and its recoverability what follows: HANDOFF_TRANSIENT (or UNKNOWN)
 * is delivered again later, as often as the route allows; HANDOFF_PERMANENT goes to the dead
 * letters. Its scope is BATCH unless a wider one is given. Returns as handoff_processed().
 */
int handoff_rejected(struct handoff_delivery *d, const struct handoff_error *error);

/* No word about it: the broker delivers it again at its deadline. Frees the delivery. */
void handoff_drop(struct handoff_delivery *d);

/*
 * Back-pressure of the target's own: the broker delivers nothing more to this client on the route,
 * or on any (NULL), until handoff_resume() says otherwise. The two are independent: a route is
 * paused while it or all are. What was on its way still comes, and what was delivered stays. The
 * broker is told again after each reconnection; what it delivers until it has read that comes too.
 * When all instances of a module are paused the broker tells the sources of its routes.
 *
 * 0, also when that is so already; HANDOFF_NO_ROUTE: this module is not the target of such a route;
 * HANDOFF_NOT_CONNECTED: a route is named, and the broker has not said its settings yet;
 * HANDOFF_CLOSED.
 */
int handoff_pause(struct handoff_client *c, const char *route);
int handoff_resume(struct handoff_client *c, const char *route);

#ifdef __cplusplus
}
#endif

#endif
