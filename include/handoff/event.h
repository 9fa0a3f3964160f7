/* event.h - what a client has to tell */
#ifndef HANDOFF_EVENT_H
#define HANDOFF_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <handoff/client.h>
#include <handoff/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct handoff_delivery;
struct handoff_record_result;	/* confirm.h */
struct handoff_health_report;	/* health.h */

enum handoff_event_type {
	/* The state changed, or the settings of a connected client: state, text (why). */
	HANDOFF_EVENT_STATE,

	/* For the source of a batch. All have batch_id, route, user. */

	/* The broker has the batch on stable storage: it may be forgotten. duplicate: it had it
	 * before. errors: warnings. */
	HANDOFF_EVENT_RECEIVED,
	/* The broker refused the batch, and repeating it will not help: errors. It is in nobody's
	 * custody. Deliveries that it names in `completes` are the caller's again. */
	HANDOFF_EVENT_REFUSED,
	/* How it ended at the target: records_accepted, records_rejected, errors. It can be told
	 * again: after a crash, for a repeat, and for a batch that an operator redrove; and before
	 * RECEIVED, when a connection broke in between. `user` is NULL. */
	HANDOFF_EVENT_PROCESSED,
	HANDOFF_EVENT_REJECTED,

	/* For the target. All have batch_id, route, lease. */

	/* A batch to work on: delivery, which the caller has to end (receive.h). */
	HANDOFF_EVENT_DELIVERY,
	/* What the caller said of a delivery is durable: processed says which of the two. */
	HANDOFF_EVENT_DONE,
	/* What the caller said came too late and changed nothing: the batch has been, or will be,
	 * delivered again. */
	HANDOFF_EVENT_STALE,
	/* What the caller said was refused: errors. The delivery is the caller's again. */
	HANDOFF_EVENT_NOT_DONE,
	/* While the caller works: the broker no longer holds the delivery to be this client's (a
	 * deadline, a lost connection) and may deliver it again; errors: what it said of that, if
	 * anything (INT_DELIVERY_001). `delivery` stays the caller's, who ends it as usual, which
	 * may still count, or drops it. */
	HANDOFF_EVENT_LOST,

	/* The broker, or a module through it, tells errors: errors, action, route; batch_id, where the
	 * first of them is about a batch, such as one without confirmation (INT_DELIVERY_006). */
	HANDOFF_EVENT_ERRORS,

	/* For the source. */

	/* A route came under back-pressure, or out of it, or its delay changed: route,
	 * backpressure. */
	HANDOFF_EVENT_BACKPRESSURE,
	/* What came of records of a batch at their destination: batch_id, results; route. A part of
	 * the batch's, or all; it can be told again. `user` is NULL. */
	HANDOFF_EVENT_CONFIRMATION,

	/* The broker's answer to handoff_health_ask(): health. */
	HANDOFF_EVENT_HEALTH,

	/* A circuit of this module's changed: circuit_id, circuit_before, circuit. It is that of one of
	 * its routes (then circuit_id is the route's name), or one that modules share: while that is
	 * OPEN, better do not try. With a new connection all are CLOSED until another state is told. */
	HANDOFF_EVENT_CIRCUIT,
};

enum handoff_circuit { HANDOFF_CIRCUIT_CLOSED, HANDOFF_CIRCUIT_OPEN, HANDOFF_CIRCUIT_HALF_OPEN };
/* "CLOSED", …; never NULL. */
const char *handoff_circuit_name(enum handoff_circuit state);

/* Made by the library alone, which may add members at the end. Texts that do not apply are "". */
struct handoff_event {
	enum handoff_event_type type;
	enum handoff_state state;
	const char *text;
	const char *route;
	const char *batch_id;
	uint64_t lease;
	uint64_t records_accepted;
	uint64_t records_rejected;
	bool duplicate;
	bool processed;
	const struct handoff_error *errors;	/* error_count of them */
	size_t error_count;
	enum handoff_action action;
	struct handoff_delivery *delivery;
	void *user;	/* of the batch (send.h), or of the delivery (receive.h) */
	struct handoff_backpressure backpressure;
	const struct handoff_record_result *results;	/* result_count of them */
	size_t result_count;
	const struct handoff_health_report *health;
	const char *circuit_id;
	enum handoff_circuit circuit_before, circuit;
};

/*
 * Outcomes (PROCESSED, REJECTED), CONFIRMATION and some ERRORS come from the mailbox: the broker
 * keeps them until they are confirmed, which the library does when the next event is asked for; it
 * says so within a second, in a message of its own when there is no other. What was confirmed is
 * not told again by this client.
 */

/* An event shows so many errors of those that came; texts are cut at 1024 bytes. */
#define HANDOFF_EVENT_ERRORS_MAX 64

/* "RECEIVED", "STATE", …; never NULL. And the same for states: "connected". */
const char *handoff_event_name(enum handoff_event_type type);
const char *handoff_state_name(enum handoff_state state);

#ifdef __cplusplus
}
#endif

#endif
