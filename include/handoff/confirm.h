/* confirm.h - delivery confirmations: what came of each record at its destination */
#ifndef HANDOFF_CONFIRM_H
#define HANDOFF_CONFIRM_H

#include <stddef.h>
#include <stdint.h>

#include <handoff/client.h>
#include <handoff/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * PROCESSED says that a target has done with a batch; a DELIVERY_CONFIRMATION says what came of its
 * records where the target has written them. The broker collects it and passes it on to the source,
 * who gets it as a CONFIRMATION event. On a route with `confirm = true` the broker waits for it,
 * and warns both sides of a batch (INT_DELIVERY_006) that lacks some after confirm_timeout_ms.
 */
enum handoff_record_status {
	HANDOFF_RECORD_DELIVERED,
	HANDOFF_RECORD_FAILED,
	HANDOFF_RECORD_DLQ,	/* put aside by the target, in a dead-letter queue of its own */
};
/* "DELIVERED", …; never NULL. */
const char *handoff_record_status_name(enum handoff_record_status status);

/* What came of one record. Texts are UTF-8. */
struct handoff_record_result {
	const char *record_id;
	size_t record_id_len;		/* 0: up to its NUL; in an event always set */
	const char *destination_id;	/* where to: the target's own name for it */
	enum handoff_record_status status;
	int64_t time_us;		/* when, since 1970 in UTC; 0 when it is said: now */
};

/* So many confirmations, and as many bytes of them as handoff_options_set_window() allows, may wait
 * to be written; one may always. */
#define HANDOFF_CONFIRMATIONS_MAX 1024

/*
 * Says what came of `n` records (at least one, none twice) of a batch of which PROCESSED has been
 * said: behind handoff_processed(), at once or at any time later. A batch can be confirmed in
 * parts, by several calls; a result can be said again, which changes nothing, and another status of
 * a record replaces the one before. Everything is copied.
 *
 * What is promised: the confirmation is kept until it has been written to a connection, over as
 * many broken ones as it takes, and handoff_drain() waits for that. It is not kept longer: the
 * broker has no answer to it, but an ERROR_NOTIFICATION (told as ERRORS) when it is wrong. Of one
 * that was written just before a connection broke nobody knows whether it was read: who must be
 * sure says it again after the next CONNECTED. Nor does it outlive this process.
 *
 * 0; HANDOFF_AGAIN: too much waits, deal with events and try again; HANDOFF_INVALID: no UUID, no
 * result, a missing text or one that is not UTF-8; HANDOFF_TOO_LARGE: say it in parts;
 * HANDOFF_NOT_CONNECTED: before the first WELCOME; HANDOFF_NO_MEMORY; HANDOFF_CLOSED.
 */
int handoff_confirm(struct handoff_client *c, const char *batch_id,
    const struct handoff_record_result *results, size_t n);

#ifdef __cplusplus
}
#endif

#endif
