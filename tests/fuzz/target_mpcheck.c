/*
 * target_mpcheck.c - the validator of MessagePack: it agrees with msgpack-c, and asks for no memory
 *
 * Where the two may differ:
 *	nesting		we refuse level MP_NESTING_MAX + 1; msgpack-c has a limit of its own, lower,
 *			and answers with "no memory" beyond it
 *	trailing bytes	neither refuses them here: mp_item_walk() says where the item ends
 *	counts		msgpack-c asks at once for the memory that a head announces, up to 256 GB; we
 *			refuse a count that the bytes cannot hold. It is not asked about those
 * Duplicate keys, non-minimal numbers, bad UTF-8: neither judges them (the decoder above does).
 */
#include <msgpack.h>

#include "fuzz.h"
#include "wire/mpcheck.h"

#define ZONE_BYTES 8192
#define MSGPACK_DEPTH 32	/* its stack */

void target_begin(void)
{
}

/* The deepest nesting there is up to the first fault, found in a second way. */
static unsigned depth_of(const uint8_t *p, size_t n)
{
	uint64_t waiting[256];
	unsigned open = 0, deepest = 0;
	size_t at = 0;

	do {
		struct mp_head h;

		if (mp_head_read(p + at, n - at, &h) != MP_OK)
			return deepest;
		at += mp_scalar_size(&h);
		while (open > 0 && waiting[open - 1] == 0)
			open--;
		if (open > 0)
			waiting[open - 1]--;
		if (mp_is_container(&h)) {
			if (open == sizeof waiting / sizeof waiting[0])
				return open;
			waiting[open++] = h.type == MP_MAP ? 2 * h.count : h.count;
			if (open > deepest)
				deepest = open;
		}
		while (open > 0 && waiting[open - 1] == 0)
			open--;
	} while (open > 0);
	return deepest;
}

/* Some head, up to the first fault, announces more elements than there are bytes. */
static bool announces_too_much(const uint8_t *p, size_t n)
{
	uint64_t pending = 1;
	size_t at = 0;
	struct mp_head h;

	while (pending > 0 && mp_head_read(p + at, n - at, &h) == MP_OK) {
		at += mp_scalar_size(&h);
		pending--;
		if (mp_is_container(&h) && h.count > n)
			return true;
		if (mp_is_container(&h))
			pending += h.type == MP_MAP ? 2 * h.count : h.count;
	}
	return false;
}

static void compare(const uint8_t *p, size_t n, enum mp_verdict verdict, size_t size)
{
	msgpack_zone zone;
	msgpack_object object;
	size_t at = 0;
	msgpack_unpack_return r;

	if (announces_too_much(p, n)) {
		must(verdict == MP_TRUNCATED);
		return;
	}
	must(msgpack_zone_init(&zone, ZONE_BYTES));
	r = msgpack_unpack((const char *)p, n, &at, &zone, &object);
	msgpack_zone_destroy(&zone);
	if (r == MSGPACK_UNPACK_NOMEM_ERROR)
		must(verdict == MP_TRUNCATED || depth_of(p, n) >= MSGPACK_DEPTH);
	else if (r == MSGPACK_UNPACK_SUCCESS || r == MSGPACK_UNPACK_EXTRA_BYTES)
		must(verdict == MP_OK && at == size);
	else if (r == MSGPACK_UNPACK_CONTINUE)
		must(verdict == MP_TRUNCATED);
	else
		must(verdict == MP_RESERVED || verdict == MP_TRUNCATED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole = 0, items = 0, shorter;
	enum mp_verdict verdict;

	memory_count();
	verdict = mp_item_walk(data, size, 1, &whole, &items);
	must(memory_peak() == 0);
	must(mp_is_whole(data, size) == (verdict == MP_OK && whole == size));
	if (verdict == MP_OK) {
		must(whole >= 1 && whole <= size && items >= 1 && items <= whole);
		must(depth_of(data, size) <= MP_NESTING_MAX);
		/* Not a byte less is an item. */
		must(mp_item_walk(data, whole - 1, 1, &shorter, NULL) == MP_TRUNCATED);
	}
	if (verdict == MP_TOO_DEEP)
		must(depth_of(data, size) > MP_NESTING_MAX);
	compare(data, size, verdict, whole);
	return 0;
}
