/* pack.h - msgpack-c's packer over a struct buf, for the encoder's files */
#ifndef HANDOFF_WIRE_PACK_H
#define HANDOFF_WIRE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "base/buf.h"
#include "wire/encode.h"

/* Every write goes to the end of `out`. A failure shows in out->failed; the rest does nothing. */
struct packer {
	struct buf *out;
	msgpack_packer mp;
	size_t start;		/* of the frame, counted from out's first valid byte */
};

void pack_init(struct packer *p, struct buf *out);

/* A frame around what is packed between the two. When it fails, `out` has nothing of it. */
void frame_begin(struct packer *p, struct buf *out);
void frame_end(struct packer *p);

void pack_map(struct packer *p, size_t pairs);
void pack_list(struct packer *p, size_t items);
void pack_text(struct packer *p, const char *text);
void pack_integer(struct packer *p, uint64_t value);
void pack_bytes(struct packer *p, struct span value);
/* Things that are already encoded. */
void pack_raw(struct packer *p, struct span raw);

/* A pair each: the key and its value. */
void pack_key_text(struct packer *p, const char *key, const char *value);
void pack_key_span(struct packer *p, const char *key, struct span value);
void pack_key_bytes(struct packer *p, const char *key, struct span value);
void pack_key_uuid(struct packer *p, const char *key, const struct uuid *value);
void pack_key_datetime(struct packer *p, const char *key, int64_t us);
void pack_key_integer(struct packer *p, const char *key, uint64_t value);
void pack_key_float(struct packer *p, const char *key, double value);
void pack_key_boolean(struct packer *p, const char *key, bool value);

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
