/* pack.h - MessagePack written to the end of a struct buf, for the encoder's files */
#ifndef HANDOFF_WIRE_PACK_H
#define HANDOFF_WIRE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/encode.h"

/* Every write goes to the end of `out`. A failure shows in out->failed; the rest does nothing. */
struct packer {
	struct buf *out;
	size_t start;		/* of the frame, counted from out's first valid byte */
};

void pack_init(struct packer *p, struct buf *out);

/* A frame around what is packed between the two. When it fails, `out` has nothing of it. */
void frame_begin(struct packer *p, struct buf *out);
void frame_end(struct packer *p);

void pack_map(struct packer *p, size_t pairs);
void pack_list(struct packer *p, size_t items);
void pack_span(struct packer *p, struct span text);
void pack_integer(struct packer *p, uint64_t value);
void pack_bytes(struct packer *p, struct span value);
/* Things that are already encoded. */
void pack_raw(struct packer *p, struct span raw);

/* A pair each: a key and its value. */
void pack_pair_span(struct packer *p, struct span key, struct span value);
void pack_pair_uuid(struct packer *p, struct span key, const struct uuid *value);
void pack_pair_datetime(struct packer *p, struct span key, int64_t us);
void pack_pair_integer(struct packer *p, struct span key, uint64_t value);
void pack_pair_float(struct packer *p, struct span key, double value);
void pack_pair_boolean(struct packer *p, struct span key, bool value);
void pack_pair_nil(struct packer *p, struct span key);

/* The same for a key that is a literal: the compiler knows its length. */
static inline void pack_text(struct packer *p, const char *text)
{
	pack_span(p, span_of(text));
}
static inline void pack_key_text(struct packer *p, const char *key, const char *value)
{
	pack_pair_span(p, span_of(key), span_of(value));
}
static inline void pack_key_span(struct packer *p, const char *key, struct span value)
{
	pack_pair_span(p, span_of(key), value);
}
static inline void pack_key_bytes(struct packer *p, const char *key, struct span value)
{
	pack_text(p, key);
	pack_bytes(p, value);
}
static inline void pack_key_uuid(struct packer *p, const char *key, const struct uuid *value)
{
	pack_pair_uuid(p, span_of(key), value);
}
static inline void pack_key_datetime(struct packer *p, const char *key, int64_t us)
{
	pack_pair_datetime(p, span_of(key), us);
}
static inline void pack_key_integer(struct packer *p, const char *key, uint64_t value)
{
	pack_pair_integer(p, span_of(key), value);
}
static inline void pack_key_float(struct packer *p, const char *key, double value)
{
	pack_pair_float(p, span_of(key), value);
}
static inline void pack_key_nil(struct packer *p, const char *key)
{
	pack_pair_nil(p, span_of(key));
}
static inline void pack_key_boolean(struct packer *p, const char *key, bool value)
{
	pack_pair_boolean(p, span_of(key), value);
}

/*
 * The frame's map, which will have `body_pairs` more, and in it the header and what the envelope
 * puts beside it.
 */
void pack_envelope(struct packer *p, enum message_type type, const struct envelope *e,
    size_t body_pairs);
/* An IntegrationError (module_error.h). */
struct module_error_out;
void pack_module_error(struct packer *p, const struct module_error_out *e);
/* The list of our own errors, and of `more` that are already encoded. */
void pack_errors(struct packer *p, const struct error_out *errors, size_t n, struct span more,
    size_t more_count);
/* AcknowledgmentPayload's pairs, of which there are so many. */
#define ACK_PAYLOAD_PAIRS 5
void pack_ack_payload(struct packer *p, const struct ack_out *a);

#endif
