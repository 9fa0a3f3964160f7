/* record.h - what the store keeps of a batch, of its end, of a route and of an instance */
#ifndef HANDOFF_STORE_RECORD_H
#define HANDOFF_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"

/*
 * Every record begins with a version and ends with a CRC-32C over itself; a record that does not
 * match is ERR_CORRUPT and is never acted upon. Numbers are little-endian; keys (key.h) are
 * big-endian, so that order in time is order of keys.
 */
#define RECORD_VERSION 2
#define RECORD_CORRELATION_MAX 128
#define RECORD_INSTANCE_ID_MAX 64
#define RECORD_COMPLETES_BYTES 8	/* of the digest over a batch's `completes` */
#define RECORD_ERRORS_MAX 32768		/* encoded IntegrationErrors kept with an end */

/* The states of design.md section 5. A batch is in one, and in one table, always. */
enum batch_state {
	BATCH_NEW,		/* not in custody (yet) */
	BATCH_READY,		/* may be delivered */
	BATCH_ASSIGNED,		/* delivered under the current lease, or waiting for its instance */
	BATCH_WAITING,		/* until due_ms */
	BATCH_DEAD,		/* a dead letter: parked whole, with its reasons */
	BATCH_ENDED,		/* processed; only its outcome is kept */
	BATCH_STATE_COUNT,
};
const char *batch_state_name(enum batch_state state);

/* A batch in custody, without its payload. */
struct batch {
	enum batch_state state;
	uint64_t id;			/* our own, rising in the order of custody */
	uint32_t route;			/* store number */
	uint32_t source; /* instance that sent it last, store number: the outcome is its */
	uint32_t holder;		/* instance of its latest delivery, 0 before the first */
	uint32_t attempt;		/* of its latest delivery, from 1; 0 before the first */
	uint32_t attempts_before;	/* attempts before the latest redrive: not of this budget */
	uint32_t redrives;		/* how often it was redriven */
	uint32_t series; /* instance that sent it first: its place in an ordered route */
	uint64_t lease;			/* of its latest delivery, 0 before the first */
	uint64_t due_ms;		/* custody clock; when WAITING */
	int64_t received_at_us;		/* wall clock, for display */
	uint64_t sequence_number;
	uint64_t record_count;
	uint32_t payload_bytes;
	uint32_t records_off, records_len;	/* where `records` stands in the payload */
	struct uuid batch_id;
	uint8_t checksum[32];
	uint8_t completes[RECORD_COMPLETES_BYTES];
	bool critical;
	bool suspect;			/* a connection was lost with it (protocol.md section 6) */
	bool failed;			/* the latest delivery counted as an attempt that failed */
	bool answered;			/* the latest delivery was answered REJECTED */
	bool redelivered;		/* some delivery of it has begun before */
	bool held;			/* by a person: it is not delivered until released */
	bool ordered;			/* on an ordered route: it has a row in its series */
	bool journalled;		/* there are lines in the journal under its id */
	bool derived; /* a letter that the broker made of a batch that has ended */
	bool has_parent;		/* derived from this one's rejected records: */
	struct uuid parent;		/* the parent's batch_id */
	uint16_t correlation_len;
	char correlation[RECORD_CORRELATION_MAX];
};

/* How a batch ended, as its source is told. One row of history and of the source's mailbox. */
struct ended {
	uint64_t notice;		/* its number in the mailbox */
	uint32_t source;		/* whose mailbox */
	uint32_t route;
	uint32_t holder;		/* who ended it */
	uint64_t id;
	uint64_t lease;			/* under which it ended */
	uint32_t attempt;
	uint64_t ended_ms;		/* custody clock */
	int64_t received_at_us;
	int64_t ended_at_us;		/* wall clock, for display */
	uint64_t record_count;
	uint64_t accepted, rejected, duration_ms;
	struct uuid batch_id;
	uint8_t checksum[32];
	uint8_t completes[RECORD_COMPLETES_BYTES];
	bool dead; /* REJECTED: a dead letter is kept under `id`; else PROCESSED */
	bool partial; /* PROCESSED, and kept whole as well: for its rejected records */
	bool derived;			/* of a derived letter (struct batch) */
	bool journalled;		/* there are lines in the journal under id */
	bool confirming;		/* there is a row in `confirm` under route and id */
	uint16_t error_code;		/* the broker's own (enum error_code), 0 none */
	uint16_t correlation_len;
	char correlation[RECORD_CORRELATION_MAX];
	uint32_t error_count;		/* the target's errors, encoded one after the other */
	uint32_t errors_len;
	const uint8_t *errors;		/* borrowed; from the store: until its transaction ends */
};

/*
 * Durable counters of one route: changed with the batches, never recounted. Two equations hold
 * after every turn (users.md M7, requirements S0-045), where queued is the sum of the first line:
 *
 *	received + imported = processed + dead + purged + queued - derived_queued
 *	derived             = derived_ended + derived_dead + derived_purged + derived_queued
 */
struct route_counters {
	uint64_t ready_critical, ready_normal, ready_suspect, ready_held, assigned, waiting;
	uint64_t dead;			/* whole batches that are dead letters now */
	uint64_t bytes; /* payload of all that has not ended, dead letters excluded */
	uint64_t dead_bytes;		/* payload of all dead letters, derived ones among them */
	uint64_t received_total, imported_total, processed_total, purged_total;
	uint64_t derived_total, derived_ended_total, derived_purged_total;
	uint64_t derived_dead, derived_queued;	/* now */
	uint64_t partial_total;		/* of processed_total: with rejected records */
	uint64_t dead_total, retries_total, redriven_total;	/* how often it has happened */
};

/* What is in custody and has not ended: the first line. */
static inline uint64_t counters_queued(const struct route_counters *c)
{
	return c->ready_critical + c->ready_normal + c->ready_suspect + c->ready_held +
	    c->assigned + c->waiting;
}

/*
 * The journal: what was not ordinary in a batch's life (design.md section 6). The numbers are on
 * disk: new ones go to the end.
 */
enum journal_event {
	JOURNAL_REJECTED = 1,		/* by the target; text: its first error */
	JOURNAL_ACK_TIMEOUT = 2,	/* no RECEIVED within ack_timeout_ms */
	JOURNAL_PROCESS_TIMEOUT = 3,	/* no PROCESSED within process_timeout_ms */
	JOURNAL_LOST = 4,		/* the connection that held it was lost */
	JOURNAL_GIVEN_BACK = 5,		/* the instance said GOODBYE */
	JOURNAL_NOT_RECLAIMED = 6,	/* its instance did not come back for it */
	JOURNAL_REPEATED = 7,		/* sent again by another instance */
	JOURNAL_DEAD = 8,		/* a dead letter; code says why */
	JOURNAL_REDRIVEN = 9,		/* a person's hand, as those that follow; text: who, why */
	JOURNAL_HELD = 10,
	JOURNAL_RELEASED = 11,
	JOURNAL_RETRIED = 12,		/* told not to wait any longer */
	JOURNAL_IMPORTED = 13,
	JOURNAL_PURGED = 14,
	JOURNAL_CONFIRMED = 15,		/* reconciled by hand; text: as what */
	JOURNAL_AMBIGUOUS = 16,		/* no confirmation within confirm_timeout_ms */
	JOURNAL_RECORDS_REJECTED = 17,	/* its rejected records are a letter; text: batch_id */
	JOURNAL_PAUSED = 18,		/* of a route */
	JOURNAL_RESUMED = 19,
	JOURNAL_KICKED = 20,		/* of an instance; text names it */
	JOURNAL_CIRCUIT = 21,		/* failed while the circuit was not closed: at no cost */
	JOURNAL_CIRCUIT_OPENED = 22,	/* of a route, by a person */
	JOURNAL_CIRCUIT_CLOSED = 23,
	JOURNAL_EVENT_COUNT,
};
const char *journal_event_name(enum journal_event event);	/* "ack timeout" */

#define JOURNAL_TEXT_MAX 256
#define JOURNAL_LINES_MAX 64	/* of one batch; then the second oldest goes, the first stays */

struct journal_line {
	int64_t at_us;			/* wall clock, for display */
	enum journal_event event;
	uint32_t instance;		/* whose doing, or whose loss; 0 none */
	uint32_t attempt;
	uint64_t lease;
	uint64_t delay_ms;		/* the wait that follows; 0 none */
	uint16_t code;			/* the broker's own (enum error_code), 0 none */
	uint16_t text_len;
	char text[JOURNAL_TEXT_MAX];
};

/* What a person changed: who, when, why (issue 3: changes are journalled). */
#define ACTION_WHO_MAX 64
#define ACTION_TEXT_MAX 256
struct action {
	uint64_t number;		/* rising; given by store_action_add() */
	int64_t at_us;
	enum journal_event event;
	uint32_t route;			/* 0 none */
	bool has_batch;
	struct uuid batch_id;
	char who[ACTION_WHO_MAX + 1];
	char text[ACTION_TEXT_MAX + 1];	/* what of it, and the reason given */
};

/* A route as a person has set it. */
struct route_control {
	bool paused;			/* no deliveries */
	int64_t at_us;
	char who[ACTION_WHO_MAX + 1];
	char reason[ACTION_TEXT_MAX + 1];
};

/*
 * A circuit (protocol.md section 11): whether work goes on that needs something which has failed.
 */
struct circuit_record {
	uint8_t state;			/* enum circuit_state */
	uint32_t failures;		/* in a row */
	uint64_t first_failed;		/* id of the batch that failed first in this row; 0 none */
	bool several;			/* more than one batch has failed in it */
	int64_t last_failure_us;	/* wall clock, for display; 0 never */
	uint64_t next_attempt_ms;	/* custody clock; when OPEN and not forced */
	uint64_t trips_total;		/* how often it has opened */
	bool forced;			/* a person has opened it: it stays so */
	int64_t at_us;			/* wall clock of the latest change of state */
	char who[ACTION_WHO_MAX + 1];	/* forced: by whom, and why */
	char reason[ACTION_TEXT_MAX + 1];
};

/*
 * What a batch's target has confirmed, record by record (protocol.md section 11). On a route with
 * confirm alone: one row, from the first part or from PROCESSED on, as long as history knows the
 * batch.
 */
enum confirm_state { CONFIRM_EARLY, CONFIRM_AWAITED, CONFIRM_AMBIGUOUS, CONFIRM_COMPLETE };
struct confirmation {
	enum confirm_state state;	/* EARLY: its batch has not ended */
	uint32_t route;
	uint64_t id;			/* the batch's */
	uint32_t source;		/* instance to be told */
	uint32_t holder;		/* instance that processed it; 0 while EARLY */
	uint64_t notice;		/* its row of history (with source); 0 while EARLY */
	uint64_t due_ms; /* custody clock: when it becomes AMBIGUOUS; 0 while EARLY */
	uint64_t record_count;
	uint64_t delivered, failed, dlq;	/* distinct records so far */
	struct uuid batch_id;
	uint16_t correlation_len;
	char correlation[RECORD_CORRELATION_MAX];
};

/* One instance of a module, as long as it is remembered. */
struct instance_record {
	uint32_t number;
	uint32_t module;
	uint64_t seen;			/* notices up to here are confirmed */
	uint64_t live;			/* batches of its in custody */
	uint64_t last_used_ms;		/* custody clock of its latest HELLO or end of connection */
	bool mailbox;			/* false: nothing is kept while it is away */
	uint8_t id_len;
	char id[RECORD_INSTANCE_ID_MAX];
};

/* Encoders return the size; `out` holds at least the _MAX bytes. Decoders check version and CRC. */
#define BATCH_RECORD_MAX 400
#define ENDED_RECORD_MAX (400 + RECORD_ERRORS_MAX)
#define COUNTERS_RECORD_MAX 256
#define INSTANCE_RECORD_MAX 128
#define JOURNAL_RECORD_MAX (64 + JOURNAL_TEXT_MAX)
#define ACTION_RECORD_MAX (64 + ACTION_WHO_MAX + ACTION_TEXT_MAX)
#define CONTROL_RECORD_MAX (32 + ACTION_WHO_MAX + ACTION_TEXT_MAX)
#define CONFIRMATION_RECORD_MAX 256
#define CIRCUIT_RECORD_MAX (64 + ACTION_WHO_MAX + ACTION_TEXT_MAX)

size_t batch_encode(const struct batch *b, uint8_t *out);
int batch_decode(const uint8_t *p, size_t n, struct batch *b) MUST_CHECK;
size_t ended_encode(const struct ended *e, uint8_t *out);
int ended_decode(const uint8_t *p, size_t n, struct ended *e) MUST_CHECK;
size_t counters_encode(const struct route_counters *c, uint8_t *out);
int counters_decode(const uint8_t *p, size_t n, struct route_counters *c) MUST_CHECK;
size_t instance_encode(const struct instance_record *i, uint8_t *out);
int instance_decode(const uint8_t *p, size_t n, struct instance_record *i) MUST_CHECK;
size_t journal_line_encode(const struct journal_line *l, uint8_t *out);
int journal_line_decode(const uint8_t *p, size_t n, struct journal_line *l) MUST_CHECK;
size_t action_encode(const struct action *a, uint8_t *out);
int action_decode(const uint8_t *p, size_t n, struct action *a) MUST_CHECK;
size_t route_control_encode(const struct route_control *c, uint8_t *out);
int route_control_decode(const uint8_t *p, size_t n, struct route_control *c) MUST_CHECK;
size_t circuit_encode(const struct circuit_record *c, uint8_t *out);
int circuit_decode(const uint8_t *p, size_t n, struct circuit_record *c) MUST_CHECK;
size_t confirmation_encode(const struct confirmation *c, uint8_t *out);
int confirmation_decode(const uint8_t *p, size_t n, struct confirmation *c) MUST_CHECK;

#endif
