/* frame.h - the length in front of a frame, and a received body that several may hold */
#ifndef HANDOFF_WIRE_FRAME_H
#define HANDOFF_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* The length a frame's first four bytes announce. */
static inline uint32_t frame_length(const uint8_t p[4])
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void frame_length_put(uint8_t p[4], uint32_t n)
{
	p[0] = (uint8_t)(n >> 24);
	p[1] = (uint8_t)(n >> 16);
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
}

/*
 * A body as it came, shared by count: the session that read it and the deliveries that send it on
 * in the same turn. Its memory grows with the bytes received, never with the length announced.
 */
struct frame {
	unsigned refs;
	struct ahead *ahead;	/* NULL, or what was hashed while it came: ahead.h */
	size_t len;		/* bytes received */
	size_t cap;		/* bytes allocated behind */
	uint8_t data[];
};

/* An empty frame with one reference; NULL when memory is refused. */
struct frame *frame_create(size_t cap);
/* Room for `want` bytes in all; may move it (one reference only). NULL when refused: it stays. */
struct frame *frame_grow(struct frame *f, size_t want);
struct frame *frame_ref(struct frame *f);
/* Gives a reference back; NULL is fine. */
void frame_unref(struct frame *f);

#endif
