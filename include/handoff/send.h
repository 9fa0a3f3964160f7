/* send.h - records into batches, batches into the broker's custody */
#ifndef HANDOFF_SEND_H
#define HANDOFF_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <handoff/client.h>
#include <handoff/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Two ways: a sender takes records and makes batches of them by the broker's settings; or the
 * caller makes a batch itself and hands it over with handoff_send_batch(), which is what a journal,
 * or a stage, needs. Either way the library numbers the batch, adds checksum and summaries, keeps
 * it until the broker has said RECEIVED, sends it again after a broken connection (same id, same
 * bytes) and, with a growing delay, after a refusal that is TRANSIENT; then it tells RECEIVED or
 * REFUSED.
 *
 * A record is one MessagePack map with a string `record_id`, unique in its batch.
 */

/* --- a sender: records in, batches out ------------------------------------------------------ */

struct handoff_sender;

/*
 * For the route from this module to `target_module`. Asked again, the same sender is returned. It
 * lives until the client is closed. *sender is set on 0; else HANDOFF_NOT_CONNECTED (before the
 * first WELCOME), HANDOFF_NO_ROUTE, HANDOFF_NO_MEMORY, HANDOFF_CLOSED.
 */
int handoff_sender_open(struct handoff_client *c, const char *target_module,
    struct handoff_sender **sender);

/*
 * Adds a copy of one encoded record. The batch goes when it has batch_size records, when the next
 * record does not fit into a frame, flush_timeout_ms after its first record, or at once when the
 * record's `priority` is "CRITICAL" (the batch is then CRITICAL too).
 *
 * Under back-pressure (client.h) batches wait in the window, as they do without a connection.
 *
 * 0; HANDOFF_AGAIN: the window is full, deal with an event (handoff_next()) and add it again;
 * HANDOFF_INVALID: not exactly one map with a string record_id; HANDOFF_TOO_LARGE (it alone, for a
 * frame), HANDOFF_NO_MEMORY, HANDOFF_NO_ROUTE (the route is gone from the settings),
 * HANDOFF_CLOSED.
 */
int handoff_sender_add(struct handoff_sender *s, const void *record, size_t len);

/* Makes a batch of what is there now; nothing to do is fine. 0, or as handoff_sender_add(). */
int handoff_sender_flush(struct handoff_sender *s);

/* --- a finished batch ----------------------------------------------------------------------- */

/* The optional counts that the routes alpha-beta and beta-gamma carry; all 0 is allowed. */
struct handoff_summary {
	/* alpha-beta: ValidationSummary */
	uint64_t total_records_validated, records_passed, records_failed;
	/* beta-gamma: TransformationSummary and QualitySummary */
	uint64_t total_records_transformed, transformations_applied;
	double enrichment_cache_hit_rate;
	double min_quality_score, max_quality_score;
	uint64_t records_below_threshold;
	/* both */
	double average_quality_score;
};

/* One delivery that a batch completes: PROCESSED, in the same durable step. */
struct handoff_completion {
	struct handoff_delivery *delivery;
	uint64_t records_rejected;		/* the others of the delivery are accepted */
	const struct handoff_error *errors;	/* as in handoff_processed() */
	size_t error_count;
};

/* Set what is needed and leave the rest 0. */
struct handoff_batch {
	const char *target_module;	/* required */
	const char *batch_id;		/* NULL: a new one; the same again is a repeat */
	const char *correlation_id;	/* NULL: the first completed delivery's, or the batch_id */
	uint64_t sequence_number;	/* 0: the next; a repeat gives that of the first time */
	const void *records;		/* a MessagePack list of records, copied */
	size_t records_bytes;
	bool critical;
	const struct handoff_summary *summary;	/* NULL: all records passed, score 1 */
	const struct handoff_completion *completes;
	size_t complete_count;
	void *user;			/* comes back in RECEIVED and REFUSED */
};

/*
 * Takes a batch over for sending. Deliveries that it completes are the library's from then on, and
 * are ended when RECEIVED is told (a DONE event follows for each); when REFUSED is told instead,
 * they are the caller's again: INT_BATCH_005 among the errors says that one of the leases was no
 * longer current, and that this output must be dropped (handoff_drop()).
 *
 * 0, and id (may be NULL) has the batch_id; HANDOFF_AGAIN: the window is full (never said of a
 * batch that completes something); HANDOFF_INVALID: no list, no record, a wrong id, a delivery that
 * is not the caller's; HANDOFF_STALE: a delivery is known to have been superseded; and as
 * handoff_sender_add(). Whatever is not 0 leaves the deliveries the caller's.
 */
int handoff_send_batch(struct handoff_client *c, const struct handoff_batch *b,
    char id[HANDOFF_ID_SIZE]);

/* Batches taken over, by senders too, that are neither RECEIVED nor REFUSED, and records gathered
 * in senders. Both 0: all that was sent is in custody, or was refused. */
size_t handoff_unacknowledged(const struct handoff_client *c);
size_t handoff_gathered(const struct handoff_client *c);

/* --- a list of records ---------------------------------------------------------------------- */

/* Records gathered into the list that handoff_batch wants. */
struct handoff_records;

/* NULL when memory is refused. */
struct handoff_records *handoff_records_create(void);
void handoff_records_destroy(struct handoff_records *r);	/* accepts NULL */
/* Appends one encoded record: 0, HANDOFF_INVALID (as handoff_sender_add()), HANDOFF_NO_MEMORY. */
int handoff_records_add(struct handoff_records *r, const void *record, size_t len);
size_t handoff_records_count(const struct handoff_records *r);
/* The encoded list and its size; good until the next call with these records. */
const void *handoff_records_bytes(struct handoff_records *r, size_t *len);
/* Empties the list and keeps its memory. */
void handoff_records_clear(struct handoff_records *r);

#ifdef __cplusplus
}
#endif

#endif
