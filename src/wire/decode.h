/* decode.h - a frame's body to a struct message */
#ifndef HANDOFF_WIRE_DECODE_H
#define HANDOFF_WIRE_DECODE_H

#include "base/err.h"
#include "wire/message.h"

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
 * Checks the n bytes of a frame's body (mpcheck first, then msgpack-c decodes what passed) against
 * protocol.md sections 2 to 5 and fills *m. Spans point into the body, lists into the decoder: good
 * until its next call. Unknown keys are walked, not judged.
 *
 * Returns 0; or ERR_PROTO with *f saying what is wrong: INT_PROTOCOL_001 when it is not exactly one
 * MessagePack map, INT_PROTOCOL_003 for another major version, INT_PROTOCOL_004 for a message_type
 * that is none of section 4's, INT_PROTOCOL_005 for a field. *m then holds what could be read,
 * wherever the fault is: header.type, and where their flags say so header.message_id,
 * header.correlation_id and, by header.type, batch.batch_id or ack.batch_id; of the union nothing
 * else. So the refusal can name them.
 *
 * What `completes` says of itself is judged here: each status PROCESSED, no lease twice. Not judged
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

#endif
