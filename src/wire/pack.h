/* pack.h - MessagePack written to the end of a struct buf, for the encoder's files */
#ifndef HANDOFF_WIRE_PACK_H
#define HANDOFF_WIRE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/encode.h"
#include "wire/pack_put.h"

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

/*
 * A pair each: a key and its value. In line, whatever the compiler thinks of it: the keys are
 * literals, and a literal's length and bytes are constants only there.
 */
#define IN_LINE static inline __attribute__((always_inline))

/* Room for n bytes beside a head of each kind; NULL when refused. */
static inline uint8_t *pack_room(struct packer *p, size_t n)
{
	/* What has no form in MessagePack is refused like what has no room. */
	if (n > UINT32_MAX)
		p->out->failed = true;
	return buf_reserve(p->out, n + HEAD_BYTES_MAX);
}

/* What was put there ends here. */
static inline void pack_end(struct packer *p, const uint8_t *end)
{
	struct buf *out = p->out;

	assert(end <= out->data + out->cap);
	out->len = (size_t)(end - out->data) - out->off;
}

/* The key, and room for a value of n bytes beside its head; NULL when refused. */
IN_LINE uint8_t *pack_key(struct packer *p, const char *key, size_t n)
{
	const struct span text = span_of(key);
	uint8_t *to = pack_room(p, text.n + HEAD_BYTES_MAX + n);

	return to != NULL ? put_text(to, text) : NULL;
}

IN_LINE void pack_key_span(struct packer *p, const char *key, struct span value)
{
	uint8_t *to = pack_key(p, key, value.n);

	if (to != NULL)
		pack_end(p, put_text(to, value));
}

IN_LINE void pack_key_text(struct packer *p, const char *key, const char *value)
{
	pack_key_span(p, key, span_of(value));
}

IN_LINE void pack_key_uuid(struct packer *p, const char *key, const struct uuid *value)
{
	uint8_t *to = pack_key(p, key, UUID_TEXT_LEN);

	if (to != NULL)
		pack_end(p, put_uuid(to, value));
}

IN_LINE void pack_key_datetime(struct packer *p, const char *key, int64_t us)
{
	uint8_t *to = pack_key(p, key, DATETIME_TEXT_LEN);

	if (to != NULL)
		pack_end(p, put_datetime(to, us));
}

IN_LINE void pack_key_integer(struct packer *p, const char *key, uint64_t value)
{
	uint8_t *to = pack_key(p, key, 0);

	if (to != NULL)
		pack_end(p, put_integer(to, value));
}

IN_LINE void pack_key_float(struct packer *p, const char *key, double value)
{
	uint8_t *to = pack_key(p, key, 0);

	if (to != NULL)
		pack_end(p, put_float(to, value));
}

IN_LINE void pack_key_nil(struct packer *p, const char *key)
{
	uint8_t *to = pack_key(p, key, 0);

	if (to != NULL)
		pack_end(p, put_number(to, 0xc0, 0, 0));
}

IN_LINE void pack_key_boolean(struct packer *p, const char *key, bool value)
{
	uint8_t *to = pack_key(p, key, 0);

	if (to != NULL)
		pack_end(p, put_number(to, value ? 0xc3 : 0xc2, 0, 0));
}

IN_LINE void pack_text(struct packer *p, const char *text)
{
	const struct span span = span_of(text);
	uint8_t *to = pack_room(p, span.n);

	if (to != NULL)
		pack_end(p, put_text(to, span));
}

IN_LINE void pack_key_bytes(struct packer *p, const char *key, struct span value)
{
	pack_text(p, key);
	pack_bytes(p, value);
}

/* A key whose value is a map, with so many pairs. */
IN_LINE void pack_key_map(struct packer *p, const char *key, size_t pairs)
{
	uint8_t *to = pack_key(p, key, pairs);

	if (to != NULL)
		pack_end(p, put_map(to, pairs));
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
