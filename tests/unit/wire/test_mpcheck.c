/* test_mpcheck.c - heads, nesting, hostile bytes, and msgpack-c as a second opinion */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include <msgpack.h>

#include "base/rng.h"
#include "messages.h"
#include "mutate.h"
#include "notation.h"
#include "wire/mpcheck.h"

/* A sanitizer refuses msgpack-c's absurd sizes as malloc does, and does not end the test. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

/* Bytes from hex digits. */
static size_t bytes_of(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

/* One item of each form; `head` bytes of it are the head. */
static const struct {
	const char *hex;
	enum mp_type type;
	size_t head;
	uint64_t count;
	int64_t number;
	double real;
} forms[] = {
	{ "00", MP_UINT, 1, 0, 0, 0 },
	{ "7f", MP_UINT, 1, 127, 0, 0 },
	{ "80", MP_MAP, 1, 0, 0, 0 },
	{ "82c0c0c0c0", MP_MAP, 1, 2, 0, 0 },
	{ "90", MP_ARRAY, 1, 0, 0, 0 },
	{ "93c0c0c0", MP_ARRAY, 1, 3, 0, 0 },
	{ "a0", MP_STR, 1, 0, 0, 0 },
	{ "a3616263", MP_STR, 1, 3, 0, 0 },
	{ "c0", MP_NIL, 1, 0, 0, 0 },
	{ "c2", MP_BOOL, 1, 0, 0, 0 },
	{ "c3", MP_BOOL, 1, 0, 1, 0 },
	{ "c4026162", MP_BIN, 2, 2, 0, 0 },
	{ "c500026162", MP_BIN, 3, 2, 0, 0 },
	{ "c6000000026162", MP_BIN, 5, 2, 0, 0 },
	{ "c70205aabb", MP_EXT, 3, 2, 0, 0 },
	{ "c8000205aabb", MP_EXT, 4, 2, 0, 0 },
	{ "c90000000205aabb", MP_EXT, 6, 2, 0, 0 },
	{ "ca3fc00000", MP_FLOAT, 5, 0, 0, 1.5 },
	{ "cb3ff8000000000000", MP_FLOAT, 9, 0, 0, 1.5 },
	{ "ccff", MP_UINT, 2, 255, 0, 0 },
	{ "cdffff", MP_UINT, 3, 65535, 0, 0 },
	{ "ceffffffff", MP_UINT, 5, UINT32_MAX, 0, 0 },
	{ "cfffffffffffffffff", MP_UINT, 9, UINT64_MAX, 0, 0 },
	{ "d07f", MP_UINT, 2, 127, 0, 0 },
	{ "d080", MP_INT, 2, 0, -128, 0 },
	{ "d17fff", MP_UINT, 3, 32767, 0, 0 },
	{ "d18000", MP_INT, 3, 0, -32768, 0 },
	{ "d27fffffff", MP_UINT, 5, INT32_MAX, 0, 0 },
	{ "d280000000", MP_INT, 5, 0, INT32_MIN, 0 },
	{ "d37fffffffffffffff", MP_UINT, 9, INT64_MAX, 0, 0 },
	{ "d38000000000000000", MP_INT, 9, 0, INT64_MIN, 0 },
	{ "d3ffffffffffffffff", MP_INT, 9, 0, -1, 0 },
	{ "d40500", MP_EXT, 2, 1, 0, 0 },
	{ "d5050000", MP_EXT, 2, 2, 0, 0 },
	{ "d60500000000", MP_EXT, 2, 4, 0, 0 },
	{ "d7050000000000000000", MP_EXT, 2, 8, 0, 0 },
	{ "d80500000000000000000000000000000000", MP_EXT, 2, 16, 0, 0 },
	{ "d903616263", MP_STR, 2, 3, 0, 0 },
	{ "da0003616263", MP_STR, 3, 3, 0, 0 },
	{ "db00000003616263", MP_STR, 5, 3, 0, 0 },
	{ "dc0002c0c0", MP_ARRAY, 3, 2, 0, 0 },
	{ "dd00000002c0c0", MP_ARRAY, 5, 2, 0, 0 },
	{ "de0001c0c0", MP_MAP, 3, 1, 0, 0 },
	{ "df00000001c0c0", MP_MAP, 5, 1, 0, 0 },
	{ "e0", MP_INT, 1, 0, -32, 0 },
	{ "ff", MP_INT, 1, 0, -1, 0 },
};

static void every_form_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		uint8_t bytes[32];
		size_t n = bytes_of(forms[i].hex, bytes);
		struct mp_head h;

		assert_int_equal(mp_head_read(bytes, n, &h), MP_OK);
		assert_int_equal(h.type, forms[i].type);
		assert_int_equal(h.size, forms[i].head);
		assert_true(h.count == forms[i].count);
		assert_true(h.number == forms[i].number);
		assert_true(h.real == forms[i].real);
		assert_true(mp_is_whole(bytes, n));
	}
}

static void no_item_may_be_cut_or_followed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		/* On the heap, to the byte, so that a sanitizer sees a read behind the end. */
		uint8_t bytes[32];
		size_t n = bytes_of(forms[i].hex, bytes);

		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *part = malloc(cut + (cut == 0));
			size_t size;

			memcpy(part, bytes, cut);
			assert_int_equal(mp_item_walk(part, cut, 1, &size, NULL), MP_TRUNCATED);
			assert_false(mp_is_whole(part, cut));
			free(part);
		}
		bytes[n] = 0xc0;
		assert_false(mp_is_whole(bytes, n + 1));
	}
}

static void the_reserved_byte_is_refused_anywhere(void **state)
{
	static const char *const cases[] = { "c1", "91c1", "82c0c0c0c1", "9391c0c1c0", "8191c1c0" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[16];
		size_t n = bytes_of(cases[i], bytes);
		size_t size;

		assert_int_equal(mp_item_walk(bytes, n, 1, &size, NULL), MP_RESERVED);
		assert_false(mp_is_whole(bytes, n));
	}
}

static void a_walk_tells_size_and_number_of_items(void **state)
{
	static const struct {
		const char *hex;
		size_t size;
		size_t items;
	} cases[] = {
		{ "c0", 1, 1 },
		{ "c0c0", 1, 1 },
		{ "93010203", 4, 4 },
		{ "93a1610203ff", 5, 4 },
		{ "8201a16102930102a162c0", 10, 8 },
		{ "9290929090", 5, 5 },
		{ "909090", 1, 1 },
		{ "9390909001", 4, 4 },
		{ "82018002800390", 5, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[16];
		size_t n = bytes_of(cases[i].hex, bytes);
		size_t size, items;

		assert_int_equal(mp_item_walk(bytes, n, 1, &size, &items), MP_OK);
		assert_int_equal(size, cases[i].size);
		assert_int_equal(items, cases[i].items);
	}
}

/* `levels` containers, one in the other, the innermost empty or with an item. */
static size_t nested(uint8_t *out, unsigned levels, uint8_t head, bool filled)
{
	size_t n = 0;

	for (unsigned i = 0; i < levels; i++) {
		if (i > 0 && head == 0x81)
			out[n++] = 0x01;	/* the key */
		out[n++] = head;
	}
	if (!filled) {
		out[n - 1] = (uint8_t)(head & 0xf0);
		return n;
	}
	out[n++] = 0xc0;
	if (head == 0x81)
		out[n++] = 0xc0;
	return n;
}

static void level_64_passes_and_level_65_is_refused(void **state)
{
	static const uint8_t heads[] = { 0x91, 0x81 };
	uint8_t bytes[256];
	size_t size, n;

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		uint8_t head = heads[kind & 1];
		bool filled = kind >= 2;

		n = nested(bytes, 64, head, filled);
		assert_int_equal(mp_item_walk(bytes, n, 1, &size, NULL), MP_OK);
		assert_int_equal(size, n);
		assert_int_equal(mp_item_walk(bytes, n, 2, &size, NULL), MP_TOO_DEEP);
		n = nested(bytes, 65, head, filled);
		assert_int_equal(mp_item_walk(bytes, n, 1, &size, NULL), MP_TOO_DEEP);
		assert_int_equal(size, n);
		n = nested(bytes, 1, head, filled);
		assert_int_equal(mp_item_walk(bytes, n, 64, &size, NULL), MP_OK);
		assert_int_equal(mp_item_walk(bytes, n, 65, &size, NULL), MP_TOO_DEEP);
	}
	assert_int_equal(mp_item_walk((const uint8_t *)"\xc0", 1, 65, &size, NULL), MP_OK);
}

static void what_is_too_deep_is_still_walked_to_its_end(void **state)
{
	uint8_t bytes[1024];
	size_t size, n;

	(void)state;
	bytes[0] = 0x92;
	n = 1 + nested(bytes + 1, 500, 0x91, true);
	bytes[n] = 0x07;
	assert_int_equal(mp_item_walk(bytes, n + 1, 1, &size, NULL), MP_TOO_DEEP);
	assert_int_equal(size, n + 1);
	assert_int_equal(mp_item_walk(bytes, n, 1, &size, NULL), MP_TRUNCATED);
	bytes[n] = 0xc1;
	assert_int_equal(mp_item_walk(bytes, n + 1, 1, &size, NULL), MP_RESERVED);
}

static void counts_are_bounded_by_the_bytes_that_are_there(void **state)
{
	static const char *const cases[] = {
		"dd10000000", "dfffffffff", "ddffffffffc0c0c0", "dbffffffff61", "c6ffffffff00",
		"c9ffffffff0500", "dc0003c0c0", "de0002c0c0c0",
	};
	uint8_t bytes[256];
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = bytes_of(cases[i], bytes);

		assert_int_equal(mp_item_walk(bytes, n, 1, &size, NULL), MP_TRUNCATED);
	}
	/* Lists of 2^32-1 one in the other: the sum of what is announced does not overflow. */
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 5 == 0 ? 0xdd : 0xff;
	assert_int_equal(mp_item_walk(bytes, sizeof(bytes), 1, &size, NULL), MP_TRUNCATED);
}

static void eight_megabytes_of_nil_are_walked_at_once(void **state)
{
	const size_t count = 8 << 20;
	uint8_t *bytes = malloc(5 + count);
	size_t size, items;
	clock_t begun;

	(void)state;
	bytes_of("dd00800000", bytes);
	memset(bytes + 5, 0xc0, count);
	begun = clock();
	assert_int_equal(mp_item_walk(bytes, 5 + count, 1, &size, &items), MP_OK);
	assert_true(clock() - begun < CLOCKS_PER_SEC);
	assert_int_equal(size, 5 + count);
	assert_int_equal(items, 1 + count);
	free(bytes);
}

/*
 * msgpack-c's opinion of the same bytes. It gives up beyond 32 levels, so what is nested deeper
 * than 31 is left out below.
 */
static bool is_whole_to_msgpack(const uint8_t *p, size_t n, msgpack_zone *zone)
{
	msgpack_object o;
	size_t at = 0;

	msgpack_zone_clear(zone);
	return msgpack_unpack((const char *)p, n, &at, zone, &o) == MSGPACK_UNPACK_SUCCESS &&
	    at == n;
}

static void msgpack_c_agrees_on_mutated_messages(void **state)
{
	static const char *const seeds[] = { hello_text, batch_text, ack_text, welcome_text };
	uint8_t bytes[2048];
	unsigned whole = 0, broken = 0;
	msgpack_zone zone;
	struct rng r;
	struct buf b;

	(void)state;
	rng_seed(&r, 20261120);
	buf_init(&b, 0);
	assert_true(msgpack_zone_init(&zone, 8192));
	for (unsigned i = 0; i < 100000; i++) {
		size_t n, size;
		bool ours;

		buf_clear(&b);
		if (i % 5 == 4) {	/* the forms, in a list */
			const size_t count = sizeof(forms) / sizeof(forms[0]);
			const uint8_t head[] = { 0xdc, 0, (uint8_t)count };

			buf_put(&b, head, sizeof(head));
			for (size_t f = 0; f < count; f++) {
				uint8_t form[32];

				buf_put(&b, form, bytes_of(forms[f].hex, form));
			}
		} else {
			notation_encode(&b, seeds[i % 5]);
		}
		assert_true(b.len < sizeof(bytes));
		memcpy(bytes, buf_bytes(&b), b.len);
		n = mutate(&r, bytes, b.len, sizeof(bytes));
		if (mp_item_walk(bytes, n, MP_NESTING_MAX - 30, &size, NULL) == MP_TOO_DEEP)
			continue;
		ours = mp_is_whole(bytes, n);
		if (ours != is_whole_to_msgpack(bytes, n, &zone))
			fail_msg("input %u, %zu bytes: we say %s", i, n, ours ? "whole" : "broken");
		if (ours)
			whole++;
		else
			broken++;
	}
	/* Both answers came often enough to mean something. */
	assert_true(whole > 10000);
	assert_true(broken > 10000);
	msgpack_zone_destroy(&zone);
	buf_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(no_item_may_be_cut_or_followed),
		cmocka_unit_test(the_reserved_byte_is_refused_anywhere),
		cmocka_unit_test(a_walk_tells_size_and_number_of_items),
		cmocka_unit_test(level_64_passes_and_level_65_is_refused),
		cmocka_unit_test(what_is_too_deep_is_still_walked_to_its_end),
		cmocka_unit_test(counts_are_bounded_by_the_bytes_that_are_there),
		cmocka_unit_test(eight_megabytes_of_nil_are_walked_at_once),
		cmocka_unit_test(msgpack_c_agrees_on_mutated_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
