/*
 * buf.c - a growing run of bytes that remembers its first failure
 *
 *	data          data+off            data+off+len       data+cap
 *	 | taken         | valid               | free            |
 *
 * The front that was taken is reclaimed in two cheap ways: when the last valid byte goes, `off`
 * returns to 0; and when room is missing, the valid bytes move to the start, before memory is
 * asked for. The allocation doubles, so that n appends cost O(n) copies.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 256

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_finish(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	b->off = 0;
	b->len = 0;
	b->failed = false;
}

/* The next capacity that holds `need` bytes: doubled, kept under the ceiling. */
static size_t buf_capacity(const struct buf *b, size_t need)
{
	size_t cap = b->cap > 0 ? b->cap : BUF_FIRST_BYTES;

	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (b->max > 0 && cap > b->max)
		cap = b->max;
	return cap;
}

uint8_t *buf_make_room(struct buf *b, size_t n)
{
	const size_t ceiling = b->max > 0 ? b->max : SIZE_MAX;
	uint8_t *data;
	size_t cap;

	if (b->failed)
		return NULL;
	if (n > ceiling - b->len) {
		b->failed = true;
		return NULL;
	}
	if (b->data != NULL && b->off > 0) {
		memmove(b->data, b->data + b->off, b->len);
		b->off = 0;
		if (n <= b->cap - b->len)
			return b->data + b->len;
	}
	cap = buf_capacity(b, b->len + n);
	data = realloc(b->data, cap);
	if (data == NULL) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	return b->data + b->len;
}

void buf_take(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	b->off = b->len > 0 ? b->off + n : 0;
}
