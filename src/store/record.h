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
#define RECORD_VERSION 1
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
	uint16_t error_code;		/* the broker's own (enum error_code), 0 none */
	uint16_t correlation_len;
	char correlation[RECORD_CORRELATION_MAX];
	uint32_t error_count;		/* the target's errors, encoded one after the other */
	uint32_t errors_len;
	const uint8_t *errors;		/* borrowed; from the store: until its transaction ends */
};

/* Durable counters of one route: changed with the batches, never recounted. */
struct route_counters {
	uint64_t ready_critical, ready_normal, ready_suspect;	/* READY, by where they queue */
	uint64_t assigned, waiting, dead;
	uint64_t bytes; /* payload of all that has not ended, dead letters excluded */
	uint64_t dead_bytes;
	uint64_t received_total, processed_total, dead_total;
	uint64_t partial_total; /* of processed_total, kept whole beside */
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
#define COUNTERS_RECORD_MAX 128
#define INSTANCE_RECORD_MAX 128

size_t batch_encode(const struct batch *b, uint8_t *out);
int batch_decode(const uint8_t *p, size_t n, struct batch *b) MUST_CHECK;
size_t ended_encode(const struct ended *e, uint8_t *out);
int ended_decode(const uint8_t *p, size_t n, struct ended *e) MUST_CHECK;
size_t counters_encode(const struct route_counters *c, uint8_t *out);
int counters_decode(const uint8_t *p, size_t n, struct route_counters *c) MUST_CHECK;
size_t instance_encode(const struct instance_record *i, uint8_t *out);
int instance_decode(const uint8_t *p, size_t n, struct instance_record *i) MUST_CHECK;

#endif
