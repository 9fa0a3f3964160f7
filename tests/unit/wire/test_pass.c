/* test_pass.c - a module's own bytes passed on: with a notice, without what was for the broker */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/rng.h"
#include "messages.h"
#include "notation.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/frame.h"

static struct buf body, head, tail, out, expected;

static int set_up(void **state)
{
	(void)state;
	buf_init(&body, 0);
	buf_init(&head, 0);
	buf_init(&tail, 0);
	buf_init(&out, 0);
	buf_init(&expected, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_finish(&body);
	buf_finish(&head);
	buf_finish(&tail);
	buf_finish(&out);
	buf_finish(&expected);
	return 0;
}

static void assert_same(const struct buf *found, const struct buf *wanted)
{
	assert_false(found->failed);
	assert_int_equal(found->len, wanted->len);
	assert_memory_equal(buf_bytes(found), buf_bytes(wanted), wanted->len);
}

static void decode(enum decode_side side, const struct buf *b, size_t from, struct message *m)
{
	struct decoder *d = decoder_create(side);
	struct fault f;

	if (message_decode(d, buf_bytes(b) + from, b->len - from, m, &f) != 0)
		fail_msg("%s: expected %s, found %s", f.field_name, f.expected, f.actual);
	decoder_destroy(d);
}

/* `head`, the body from `skip` on, and `tail`, as one frame in `out`. */
static void join(const struct buf *middle, size_t skip)
{
	assert_false(head.failed || tail.failed);
	buf_clear(&out);
	buf_put(&out, buf_bytes(&head), head.len);
	buf_put(&out, buf_bytes(middle) + skip, middle->len - skip);
	buf_put(&out, buf_bytes(&tail), tail.len);
	assert_int_equal(frame_length(buf_bytes(&out)), out.len - FRAME_LENGTH_BYTES);
}

/* What the target says to the broker becomes what the source finds in its mailbox. */
static void a_confirmation_goes_from_target_to_source(void **state)
{
	struct message m;
	size_t skip;

	(void)state;
	notation_encode(&body, confirmation_text);
	notation_insert(&body, "header", 3,
	    "'notice': 5, 'in_reply_to': '" OTHER_ID "', 'x': {'notice': 6, 'seen': 7}");
	decode(DECODE_AT_BROKER, &body, 0, &m);
	assert_true(m.has_seen && m.has_notice && m.has_in_reply_to);

	assert_int_equal(message_strip(&expected, buf_bytes(&body), body.len), 0);
	encode_noticed(&head, &tail, buf_bytes(&expected), expected.len, &skip, 77);
	join(&expected, skip);
	decode(DECODE_AT_CLIENT, &out, FRAME_LENGTH_BYTES, &m);
	assert_true(m.has_notice);
	assert_int_equal(m.notice, 77);
	assert_false(m.has_seen);
	assert_false(m.has_in_reply_to);
	assert_true(span_is(m.header.source_module, "GAMMA"));
	assert_int_equal(m.confirmation.result_count, 3);
	buf_take(&out, FRAME_LENGTH_BYTES);
	notation_remove(&body, "notice");
	notation_remove(&body, "in_reply_to");
	notation_remove(&body, "seen");
	notation_insert(&body, "delivery_results", 1, "'notice': 77");
	assert_same(&out, &body);
}

static void a_notices_map_head_grows_when_it_has_to(void **state)
{
	static const struct {
		const char *body;	/* its head, and bytes that are passed on */
		size_t body_len;
		const char *head;
		size_t head_len;
	} cases[] = {
		{ "\x81" "ab", 3, "\x82", 1 },
		{ "\x8e" "ab", 3, "\x8f", 1 },
		{ "\x8f" "ab", 3, "\xde\x00\x10", 3 },
		{ "\xde\x00\x0e" "ab", 5, "\x8f", 1 },
		{ "\xde\x00\x10" "ab", 5, "\xde\x00\x11", 3 },
		{ "\xde\xff\xff" "ab", 5, "\xdf\x00\x01\x00\x00", 5 },
		{ "\xdf\x00\x00\x00\x02" "ab", 7, "\x83", 1 },
		{ "\xdf\x00\x01\x00\x00" "ab", 7, "\xdf\x00\x01\x00\x01", 5 },
	};

	(void)state;
	notation_encode(&expected, "'notice'");
	notation_encode(&expected, "9223372036854775807");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t skip;

		buf_clear(&head);
		buf_clear(&tail);
		encode_noticed(&head, &tail, (const uint8_t *)cases[i].body, cases[i].body_len,
		    &skip, INT64_MAX);
		assert_same(&tail, &expected);
		assert_int_equal(skip, cases[i].body_len - 2);
		assert_int_equal(head.len, FRAME_LENGTH_BYTES + cases[i].head_len);
		assert_memory_equal(buf_bytes(&head) + FRAME_LENGTH_BYTES, cases[i].head,
		    cases[i].head_len);
		assert_int_equal(frame_length(buf_bytes(&head)), cases[i].head_len + 2 + tail.len);
	}
}

static void a_notice_without_room_fails(void **state)
{
	size_t skip;

	(void)state;
	head.max = 4;
	encode_noticed(&head, &tail, (const uint8_t *)"\x80", 1, &skip, 1);
	assert_true(head.failed);
	buf_clear(&head);
	buf_clear(&tail);
	head.max = 0;
	tail.max = 3;
	encode_noticed(&head, &tail, (const uint8_t *)"\x80", 1, &skip, 1);
	assert_true(head.failed);
	assert_int_equal(head.len, 0);
}

/* The head of a map in its form of `width` bytes; 0: the shortest. */
static void put_map_head(struct buf *b, size_t pairs, unsigned width)
{
	const uint8_t bytes[] = {
		0xdf, (uint8_t)(pairs >> 24), (uint8_t)(pairs >> 16), (uint8_t)(pairs >> 8),
		(uint8_t)pairs,
	};
	const uint8_t small = (uint8_t)(0x80 | pairs);

	if (width == 0)
		width = pairs <= 15 ? 1 : pairs <= UINT16_MAX ? 3 : 5;
	if (width == 1) {
		buf_put(b, &small, 1);
	} else if (width == 3) {
		buf_put(b, "\xde", 1);
		buf_put(b, bytes + 3, 2);
	} else {
		buf_put(b, bytes, 5);
	}
}

/* Which of the keys stand where among `others`, and what is left when they are gone. */
static void check_strip(size_t others, unsigned width, struct rng *r)
{
	static const char *const keys[] = { "'notice'", "'seen'", "'in_reply_to'" };
	static const char *const values[] = { "1", "nil", "{'seen': 2}" };
	size_t place[3], count = others;

	for (int k = 0; k < 3; k++) {
		place[k] = rng_below(r, 2 * others + 2);	/* about half are not there */
		count += place[k] <= others;
	}
	if (width == 1 && count > 15)
		width = 3;
	buf_clear(&body);
	buf_clear(&expected);
	put_map_head(&body, count, width);
	put_map_head(&expected, others, 0);
	for (size_t i = 0; i <= others; i++) {
		char pair[64];
		int n;

		for (size_t k = 0; k < 3; k++) {
			if (place[k] != i)
				continue;
			notation_encode(&body, keys[k]);
			notation_encode(&body, values[k]);
		}
		if (i == others)
			break;
		/* A key of 8 bytes, in one of two forms; its value is a map with `seen` in it. */
		n = snprintf(pair, sizeof(pair), "%sk%07zu\x81\xa4seen\xc0",
		    i % 2 == 0 ? "\xa8" : "\xd9\x08", i);
		buf_put(&body, pair, (size_t)n);
		buf_put(&expected, pair, (size_t)n);
	}
	buf_clear(&out);
	assert_int_equal(message_strip(&out, buf_bytes(&body), body.len), 0);
	assert_same(&out, &expected);
}

static void what_was_for_the_broker_is_left_out(void **state)
{
	static const size_t edges[] = { 65532, 65533, 65534, 65535, 65536 };
	static const unsigned widths[] = { 1, 3, 5 };
	struct rng r;

	(void)state;
	rng_seed(&r, 3);
	for (unsigned i = 0; i < 9000; i++)
		check_strip(rng_below(&r, 20), widths[i % 3], &r);
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		check_strip(edges[i], 5, &r);
}

static void what_is_no_map_is_not_stripped(void **state)
{
	static const char *const bad[] = { "~91c0~", "~c1~", "~81~", "~82a178c0~", "~81a178d9~" };

	(void)state;
	buf_put(&out, "before", 6);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_clear(&body);
		notation_encode(&body, bad[i]);
		assert_int_equal(message_strip(&out, buf_bytes(&body), body.len), ERR_PROTO);
		assert_false(out.failed);
		assert_int_equal(out.len, 6);
	}
	buf_clear(&body);
	notation_encode(&body, confirmation_text);
	out.max = 100;
	assert_int_equal(message_strip(&out, buf_bytes(&body), body.len), ERR_NOMEM);
	assert_true(out.failed);
	assert_int_equal(out.len, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_confirmation_goes_from_target_to_source),
		TEST(a_notices_map_head_grows_when_it_has_to),
		TEST(a_notice_without_room_fails),
		TEST(what_was_for_the_broker_is_left_out),
		TEST(what_is_no_map_is_not_stripped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
