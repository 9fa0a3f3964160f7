/* test_spanset.c - strings that are there, and those that are not */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "wire/spanset.h"

static void a_text_is_put_once_and_found(void **state)
{
	static char bytes[1000][16];
	struct span_set set;

	(void)state;
	assert_true(span_set_init(&set, 1000));
	for (int i = 0; i < 1000; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "key%d", i);
		assert_int_equal(span_set_find(&set, span_of(bytes[i])), SIZE_MAX);
		assert_true(span_set_put(&set, span_of(bytes[i])));
	}
	for (int i = 0; i < 1000; i++) {
		char copy[16];

		memcpy(copy, bytes[i], sizeof(copy));
		assert_false(span_set_put(&set, span_of(copy)));
		assert_true(span_set_find(&set, span_of(copy)) < set.capacity);
	}
	assert_int_equal(span_set_find(&set, span_of("key1000")), SIZE_MAX);
	span_set_finish(&set);
}

static void length_and_every_byte_count(void **state)
{
	static const struct span texts[] = {
		{ "", 0 }, { "\0", 1 }, { "\0\0", 2 }, { "12345678", 8 }, { "123456780", 9 },
		{ "12345678\0", 9 }, { "1234567812345678", 16 }, { "2234567812345678", 16 },
		{ "1234567812345679", 16 },
	};
	const size_t n = sizeof(texts) / sizeof(texts[0]);
	struct span_set set;

	(void)state;
	assert_true(span_set_init(&set, n));
	for (size_t i = 0; i < n; i++)
		assert_true(span_set_put(&set, texts[i]));
	for (size_t i = 0; i < n; i++)
		assert_false(span_set_put(&set, texts[i]));
	span_set_finish(&set);
}

static void clearing_forgets_also_when_the_rounds_begin_anew(void **state)
{
	struct span_set set;

	(void)state;
	assert_true(span_set_init(&set, 4));
	assert_true(span_set_put(&set, span_of("a")));
	span_set_clear(&set);
	assert_int_equal(span_set_find(&set, span_of("a")), SIZE_MAX);
	assert_true(span_set_put(&set, span_of("a")));
	set.round = UINT32_MAX;
	assert_true(span_set_put(&set, span_of("a")));
	span_set_clear(&set);
	assert_int_equal(set.round, 1);
	assert_true(span_set_put(&set, span_of("a")));
	span_set_finish(&set);
}

static void more_than_there_can_be_is_refused(void **state)
{
	struct span_set set;

	(void)state;
	assert_false(span_set_init(&set, SIZE_MAX));
	span_set_finish(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_put_once_and_found),
		cmocka_unit_test(length_and_every_byte_count),
		cmocka_unit_test(clearing_forgets_also_when_the_rounds_begin_anew),
		cmocka_unit_test(more_than_there_can_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
