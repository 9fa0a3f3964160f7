/* decode.h - a frame's body to a struct message */
#ifndef HANDOFF_WIRE_DECODE_H
#define HANDOFF_WIRE_DECODE_H

#include "base/err.h"
#include "wire/message.h"

struct buf;

/*
 * Memory for the lists of one message, kept from message to message. Only what passed every check
 * is put into a list, so it never takes more than a few times the bytes of the frame; what a large
 * message took is given back at the next.
 */
struct decoder;

/*
 * The most keys that a map of the protocol page may have, unknown ones among them; more is
 * INT_PROTOCOL_005. Values of unknown keys are not counted, and have no such limit.
 */
#define MAP_KEYS_MAX 1024

/* Which side reads: the broker decodes what modules send, the client what the broker sends. */
enum decode_side { DECODE_AT_BROKER, DECODE_AT_CLIENT };

struct decoder *decoder_create(enum decode_side side);
void decoder_destroy(struct decoder *d);

/*
 * Checks the n bytes of a frame's body against
 * protocol.md sections 2 to 5 and fills *m. Spans point into the body, lists into the decoder: good
 * until its next call. Unknown keys are walked, not judged.
 *
 * Returns 0; or ERR_PROTO with *f saying what is wrong: INT_PROTOCOL_001 when it is not exactly one
 * MessagePack map, INT_PROTOCOL_003 for another major version, INT_PROTOCOL_004 for a message_type
 * that is none of section 4's, INT_PROTOCOL_005 for a field. *m then holds what could be read,
 * wherever the fault is: header.type, and where their flags say so header.message_id,
 * header.correlation_id and, by header.type, the batch_id of batch, ack or confirmation; of the
 * union nothing else. So the refusal can name them.
 *
 * What `completes` says of itself is judged here: each status PROCESSED, no lease twice; and what
 * `delivery_results` says: at least one record, none twice. Not judged
 * here: whether a module is declared, who may send what, a route's required summaries, checksum and
 * count of records, counts that have to add up.
 */
int message_decode(struct decoder *d, const uint8_t *body, size_t n, struct message *m,
    struct fault *f) MUST_CHECK;

/*
 * Whether `records` is well-formed MessagePack: a list, exactly `count` long, nothing after it. Its
 * nesting counts from 1 anew; what the records are is not looked into.
 * `found` gets the length that the list announces (-1: it is no list).
 */
bool records_check(struct span records, uint64_t count, int64_t *found);

/*
 * Whether every one of the n record ids is the record_id of a record in `records`, which
 * records_check() has passed. A record that is no map, or has no string record_id, matches none.
 * On false *missing is the index of the first that is not there. One walk over the records, a few
 * words of memory for each id; false, with 0, when that memory is refused.
 */
bool records_have_ids(struct span records, const struct span *ids, size_t n, size_t *missing);
/*
 * Appends to `out`, byte for byte and in their order, the records that have one of the n ids; their
 * list's head is not among it. *count gets how many. At the cost of records_have_ids(). Returns 0,
 * or ERR_NOMEM: then what `out` has gained is of no use.
 */
int records_pick(struct span records, const struct span *ids, size_t n, struct buf *out,
    uint64_t *count) MUST_CHECK;
/*
 * Whether a record has this id (its p not NULL); *index is its position then, the first if there
 * are several. Asks for no memory. The records are walked only when the id's bytes occur among them
 * at all, which is looked for first, much faster.
 */
bool records_find(struct span records, struct span id, uint64_t *index);
/*
 * The record_ids of at most `max` records from byte *at on (0: from the first), which moves behind
 * them; p NULL for a record that has none. Returns how many, 0 at the end. `records` has passed
 * records_check().
 */
size_t records_ids(struct span records, size_t *at, struct span *ids, size_t max);

/* What a person who asks about a stored body is told of it; spans point into the body. */
struct header_ids {
	bool has_message_id;
	struct uuid message_id;
	struct span correlation_id;	/* p NULL: none; not judged, so it is escaped where shown */
	bool has_timestamp;
	int64_t timestamp_us;
	bool has_created_at;		/* of a batch's metadata */
	int64_t created_at_us;
};
/*
 * Finds these in n bytes that were a message's body when they were stored, without judging the
 * rest. They are mostly the first keys: the records are not looked at. Whatever the bytes are, this
 * does no harm; false when there is no message_id.
 */
bool frame_header_ids(const uint8_t *body, size_t n, struct header_ids *ids);

/* What a person is told of a stored IntegrationError; spans point into it, p NULL: not there. */
struct stored_error {
	struct span severity, recoverability, scope;
	struct span code, message;
	struct span record_id, field_name, expected_value, actual_value;
};
/*
 * The next of IntegrationErrors that were stored one after the other: reads at *at of the n bytes
 * and moves it behind. False at the end, and where the bytes are none.
 */
bool stored_error_next(const uint8_t *p, size_t n, size_t *at, struct stored_error *e);
/* The ids in context.upstream_errors of the IntegrationError at p, at most `max`; how many. */
size_t stored_error_upstream(const uint8_t *p, size_t n, struct span *ids, size_t max);

#endif
