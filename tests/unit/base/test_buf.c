/* test_buf.c - bytes in at the end, out at the front, and the first failure stays */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rng.h"

/* So that a sanitizer refuses an absurd size as malloc does, and does not end the process. */
__attribute__((visibility("default")))
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void what_is_put_comes_out_in_order(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_put(&b, "one", 3);
	buf_put(&b, NULL, 0);
	buf_put(&b, "two", 3);
	assert_int_equal(b.len, 6);
	assert_memory_equal(buf_bytes(&b), "onetwo", 6);
	buf_take(&b, 2);
	assert_memory_equal(buf_bytes(&b), "etwo", 4);
	buf_take(&b, 4);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.off, 0);
	buf_finish(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
}

static void reserved_room_counts_once_it_is_grown(void **state)
{
	struct buf b;
	uint8_t *room;

	(void)state;
	buf_init(&b, 0);
	room = buf_reserve(&b, 1000);
	assert_non_null(room);
	assert_int_equal(b.len, 0);
	memset(room, 'x', 1000);
	buf_grow(&b, 600);
	assert_int_equal(b.len, 600);
	assert_int_equal(buf_bytes(&b)[599], 'x');
	buf_finish(&b);
}

static void the_ceiling_refuses_and_keeps_the_bytes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_put(&b, "0123456789", 10);
	assert_false(b.failed);
	buf_put(&b, "x", 1);
	assert_true(b.failed);
	assert_int_equal(b.len, 10);
	assert_memory_equal(buf_bytes(&b), "0123456789", 10);

	/* The failure stays although there would be room again. */
	buf_take(&b, 5);
	assert_null(buf_reserve(&b, 1));
	buf_put(&b, "y", 1);
	buf_grow(&b, 1);
	assert_int_equal(b.len, 5);

	buf_clear(&b);
	assert_false(b.failed);
	buf_put(&b, "0123456789", 10);
	assert_false(b.failed);
	assert_true(b.cap <= 10);
	buf_finish(&b);
}

static void taken_bytes_leave_room_under_the_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_put(&b, "0123456789", 10);
	buf_take(&b, 4);
	buf_put(&b, "abcd", 4);
	assert_false(b.failed);
	assert_int_equal(b.len, 10);
	assert_memory_equal(buf_bytes(&b), "456789abcd", 10);
	buf_finish(&b);
}

static void an_absurd_size_is_refused(void **state)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf b;

		buf_init(&b, 0);
		buf_put(&b, "abc", 3);
		assert_null(buf_reserve(&b, sizes[i]));
		assert_true(b.failed);
		assert_memory_equal(buf_bytes(&b), "abc", 3);
		buf_finish(&b);
	}
}

/* Against a model: one long text of which the buffer is always a window. */
static void random_puts_and_takes_keep_the_stream(void **state)
{
	static uint8_t text[1 << 16];
	size_t put = 0, taken = 0;
	struct rng rng;
	struct buf b;

	(void)state;
	rng_seed(&rng, 1);
	rng_bytes(&rng, text, sizeof(text));
	buf_init(&b, 5000);
	while (put < sizeof(text)) {
		size_t n = rng_below(&rng, 400);

		if (n > sizeof(text) - put)
			n = sizeof(text) - put;
		if (b.len + n <= 5000) {
			buf_put(&b, text + put, n);
			put += n;
		}
		n = rng_below(&rng, b.len + 1);
		buf_take(&b, n);
		taken += n;
		assert_false(b.failed);
		assert_int_equal(b.len, put - taken);
		if (b.len > 0)
			assert_memory_equal(buf_bytes(&b), text + taken, b.len);
	}
	assert_true(b.cap <= 5000);
	buf_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_comes_out_in_order),
		cmocka_unit_test(reserved_room_counts_once_it_is_grown),
		cmocka_unit_test(the_ceiling_refuses_and_keeps_the_bytes),
		cmocka_unit_test(taken_bytes_leave_room_under_the_ceiling),
		cmocka_unit_test(an_absurd_size_is_refused),
		cmocka_unit_test(random_puts_and_takes_keep_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
