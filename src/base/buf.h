/* buf.h - a growing run of bytes that remembers its first failure */
#ifndef HANDOFF_BASE_BUF_H
#define HANDOFF_BASE_BUF_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/*
 * Bytes are appended at the end and taken from the front. When memory is refused or `max` would be
 * passed, `failed` is set, the bytes are left as they were, and every later append does nothing:
 * the caller writes a straight line and looks once.
 */
struct buf {
	uint8_t *data;	/* owned; valid bytes are data[off .. off+len) */
	size_t off;	/* bytes already taken from the front */
	size_t len;	/* bytes that are there */
	size_t cap;	/* bytes allocated */
	size_t max;	/* ceiling of off+len, 0: none */
	bool failed;	/* an append was refused */
};

void buf_init(struct buf *b, size_t max);
void buf_finish(struct buf *b);			/* frees the bytes; the struct may be used again */
void buf_clear(struct buf *b);			/* forgets bytes and failure, keeps the memory */
/*
 * Room for `n` more bytes, contiguous; NULL and failed when refused. buf_grow() makes them valid.
 */
static inline uint8_t *buf_reserve(struct buf *b, size_t n) MUST_CHECK;
static inline void buf_grow(struct buf *b, size_t n);
static inline void buf_put(struct buf *b, const void *p, size_t n);
void buf_take(struct buf *b, size_t n);		/* drops n bytes from the front */
/* NULL when there has been none: added as numbers, for NULL has no offset, not even 0. */
static inline uint8_t *buf_bytes(const struct buf *b)
{
	return (uint8_t *)((uintptr_t)b->data + b->off);
}

/* buf_reserve() where the room is not there yet. */
uint8_t *buf_make_room(struct buf *b, size_t n) MUST_CHECK;

static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
	/* What is not allocated has no room, not even for nothing. */
	const bool is_there = !b->failed && n - 1 < b->cap - b->off - b->len &&
			      (b->max == 0 || n <= b->max - b->len);

	return is_there ? b->data + b->off + b->len : buf_make_room(b, n);
}

static inline void buf_grow(struct buf *b, size_t n)
{
	if (b->failed)
		return;
	assert(n <= b->cap - b->off - b->len);
	b->len += n;
}

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = n > 0 ? buf_reserve(b, n) : NULL;

	if (to == NULL)
		return;
	memcpy(to, p, n);
	b->len += n;
}

#endif
