/* test_selection.c - times and numbers as a person writes them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/selection.h"

static void times_have_units(void **state)
{
	static const struct { const char *text; uint64_t ms; } times[] = {
		{ "1500ms", 1500 }, { "90", 90000 }, { "90s", 90000 }, { "15min", 900000 },
		{ "2h", 7200000 }, { "7d", 604800000 }, { "36500d", 3153600000000 },
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_true(duration_parse(times[i].text, &ms));
		assert_int_equal(ms, times[i].ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const none[] = {
		"", "s", "0", "0s", "-1s", "+1s", "1.5h", "1 h", "1M", "1sec", "1h30min", "36501d",
		"99999999999999999999999d", "18446744073709551617ms", " 1s",
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(duration_parse(none[i], &ms));
}

static void numbers_keep_their_ceiling(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(number_parse("1", 10, &n));
	assert_int_equal(n, 1);
	assert_true(number_parse("0010", 10, &n));
	assert_int_equal(n, 10);
	assert_false(number_parse("11", 10, &n));
	assert_false(number_parse("0", 10, &n));
	assert_false(number_parse("", 10, &n));
	assert_false(number_parse("1x", 10, &n));
	assert_false(number_parse("99999999999999999999999999", 1000000, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(numbers_keep_their_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
