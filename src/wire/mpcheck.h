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

/* Reads the head at p; MP_OK also guarantees that the content of str, bin and ext is there. */
enum mp_verdict mp_head_read(const uint8_t *p, size_t n, struct mp_head *h);

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
