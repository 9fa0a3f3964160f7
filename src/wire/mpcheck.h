/* mpcheck.h - is this well-formed MessagePack? asked before anything decodes */
#ifndef HANDOFF_WIRE_MPCHECK_H
#define HANDOFF_WIRE_MPCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Walks bytes of a stranger without recursion and without allocation; every count is bounded by the
 * bytes that are there. Knows nothing of messages.
 */
#define MP_NESTING_MAX 64	/* level 65 is refused (protocol.md section 2) */

enum mp_type {
	MP_NIL, MP_BOOL, MP_UINT, MP_INT, MP_FLOAT, MP_STR, MP_BIN, MP_ARRAY, MP_MAP, MP_EXT,
};

enum mp_verdict {
	MP_OK,
	MP_TRUNCATED,		/* the bytes end inside an item */
	MP_RESERVED,		/* the byte 0xc1, which no item begins with */
	MP_TOO_DEEP,		/* nesting level 65 */
};

/* One item's head: its type, its count (elements, pairs) or length (bytes), and its size. */
struct mp_head {
	enum mp_type type;
	uint64_t count;		/* ARRAY: elements; MAP: pairs; STR, BIN, EXT: bytes; UINT: value */
	int64_t number;		/* MP_INT: the (negative) value; MP_BOOL: 0 or 1 */
	double real;		/* MP_FLOAT */
	size_t size;		/* bytes of the head itself, without content */
};

/* The heads 0xc0 to 0xdf; n is not 0. */
enum mp_verdict mp_head_read_form(const uint8_t *p, size_t n, struct mp_head *h);

/* The heads that are one byte with the count or the value in it. */
static inline void mp_head_read_fix(uint8_t byte, struct mp_head *h)
{
	*h = (struct mp_head){ .size = 1, .count = byte };
	if (byte <= 0x7f) {
		h->type = MP_UINT;
	} else if (byte <= 0x8f) {
		h->type = MP_MAP;
		h->count = byte & 0x0f;
	} else if (byte <= 0x9f) {
		h->type = MP_ARRAY;
		h->count = byte & 0x0f;
	} else if (byte <= 0xbf) {
		h->type = MP_STR;
		h->count = byte & 0x1f;
	} else {
		h->type = MP_INT;
		h->count = 0;
		h->number = (int64_t)byte - 0x100;
	}
}

/*
 * What nearly all items are: a small number, or a str of less than 256 bytes. Returns the size of
 * the whole item, and sets what its type has of *h; 0 when it is another. Two bytes are there, the
 * others may not be.
 */
static inline size_t mp_short_read(const uint8_t *p, struct mp_head *h)
{
	if ((p[0] & 0xe0) == 0xa0) {
		h->type = MP_STR;
		h->size = 1;
		h->count = p[0] & 0x1f;
		return 1 + (size_t)h->count;
	}
	if (p[0] == 0xd9) {
		h->type = MP_STR;
		h->size = 2;
		h->count = p[1];
		return 2 + (size_t)h->count;
	}
	if (p[0] > 0x7f)
		return 0;
	h->type = MP_UINT;
	h->size = 1;
	h->count = p[0];
	return 1;
}

/* The same for a map of at most 15 pairs, of which one byte is there. */
static inline bool mp_short_map_read(const uint8_t *p, struct mp_head *h)
{
	h->type = MP_MAP;
	h->size = 1;
	h->count = p[0] & 0x0f;
	return (p[0] & 0xf0) == 0x80;
}

/* Reads the head at p; MP_OK also guarantees that the content of str, bin and ext is there. */
static inline enum mp_verdict mp_head_read(const uint8_t *p, size_t n, struct mp_head *h)
{
	if (n == 0)
		return MP_TRUNCATED;
	if (p[0] >= 0xc0 && p[0] <= 0xdf)
		return mp_head_read_form(p, n, h);
	mp_head_read_fix(p[0], h);
	return h->type == MP_STR && h->count > n - 1 ? MP_TRUNCATED : MP_OK;
}

static inline bool mp_is_container(const struct mp_head *h)
{
	return h->type == MP_ARRAY || h->type == MP_MAP;
}
/* The size of a whole item that is no container. */
static inline size_t mp_scalar_size(const struct mp_head *h)
{
	const bool has_content = h->type == MP_STR || h->type == MP_BIN || h->type == MP_EXT;

	return h->size + (has_content ? (size_t)h->count : 0);
}

/*
 * Walks one whole item at p and tells its size. `level` is the nesting level that a container
 * standing here has (1 for the frame's map). `items` (may be NULL) gets how many items it holds,
 * itself among them.
 */
enum mp_verdict mp_item_walk(const uint8_t *p, size_t n, unsigned level, size_t *size,
    size_t *items);

/* Well-formed, exactly one item, nothing after it. */
bool mp_is_whole(const uint8_t *p, size_t n);

#endif
