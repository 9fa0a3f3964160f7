/* error.h - what the library's functions return, and the errors that modules tell each other */
#ifndef HANDOFF_ERROR_H
#define HANDOFF_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Functions that can fail return 0 or one of these, all of them negative. */
enum handoff_result {
	HANDOFF_AGAIN = -1,		/* not now: no event, no room, or the time is over */
	HANDOFF_INVALID = -2,		/* an argument is wrong; nothing was done */
	HANDOFF_NO_MEMORY = -3,		/* memory was refused; nothing was done */
	HANDOFF_TOO_LARGE = -4,		/* does not fit into one frame of the broker's */
	HANDOFF_NO_ROUTE = -5,		/* the broker knows no such route of this module */
	HANDOFF_NOT_CONNECTED = -6,	/* the broker has not said its settings yet */
	HANDOFF_CLOSED = -7,		/* the client is closed, or is about to be */
	HANDOFF_STALE = -8,		/* the delivery's lease is no longer current */
};

/* A short English text for a result; never NULL. */
const char *handoff_result_text(int result);

/* The three judgements of an IntegrationError (handoff-protocol(7)). */
enum handoff_severity { HANDOFF_ERROR, HANDOFF_WARNING, HANDOFF_CRITICAL };
enum handoff_recoverability { HANDOFF_TRANSIENT, HANDOFF_PERMANENT, HANDOFF_UNKNOWN };
enum handoff_scope { HANDOFF_RECORD, HANDOFF_BATCH, HANDOFF_MODULE, HANDOFF_PIPELINE };

/*
 * An IntegrationError. To send one, fill in what is known and leave the rest 0 or NULL; the library
 * adds ids, time and module. In one that came, absent texts are NULL, and texts belong to the
 * event. All texts are UTF-8; the library sends at most 1024 bytes of each.
 */
struct handoff_error {
	enum handoff_severity severity;
	enum handoff_recoverability recoverability;
	enum handoff_scope scope;
	const char *code;		/* "BETA_PARSE_001"; the broker's begin with INT_ */
	const char *message;		/* one sentence for people */
	const char *record_id;		/* scope RECORD: which one */
	const char *field_name;		/* what it is about */
	const char *expected_value;	/* what was expected there */
	const char *actual_value;	/* what was found */
	bool retry_eligible;		/* only in errors that came */
	const char *batch_id;		/* in handoff_report(), and in errors that came */
	const char *correlation_id;	/* likewise */
};

/* action_required of an ERROR_NOTIFICATION, either way. */
enum handoff_action {
	HANDOFF_ACTION_NONE,
	HANDOFF_ACTION_THROTTLE,
	HANDOFF_ACTION_HALT,
	HANDOFF_ACTION_INVESTIGATE,
};

/*
 * Tells the broker of `n` errors that answer nothing (at most HANDOFF_REPORT_MAX), and what it is to
 * do: it keeps them, and passes them on to the instance that sent the batch in `batch_id`, or of
 * late one under `correlation_id`, or else to one of each module that sends to this one; an error of
 * scope MODULE or PIPELINE goes to this module's targets, too. THROTTLE slows the sources until the
 * next report with NONE, or until the broker has waited for long enough; HALT stops all deliveries
 * to this module until an operator lets them go on; INVESTIGATE makes alerts of the errors. With
 * either of these `n` may be 0. Everything is copied.
 *
 * It is written to the connection there is and not kept for another, and nobody answers it but with
 * an ERRORS event when it is wrong.
 *
 * 0; HANDOFF_AGAIN: too much waits to be written; HANDOFF_INVALID: scope RECORD without a record_id,
 * a batch_id that is no UUID, a correlation_id of no or more than 128 bytes, nothing to say;
 * HANDOFF_TOO_LARGE; HANDOFF_NOT_CONNECTED; HANDOFF_NO_MEMORY; HANDOFF_CLOSED.
 */
struct handoff_client;
int handoff_report(struct handoff_client *c, const struct handoff_error *errors, size_t n,
    enum handoff_action action);
#define HANDOFF_REPORT_MAX 1024

#ifdef __cplusplus
}
#endif

#endif
