/* test_datetime.c - real dates only, exactly Z, six digits out, none to nine in */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/datetime.h"
#include "base/rng.h"

static int64_t parsed(const char *s)
{
	int64_t us = INT64_MIN;

	if (!datetime_parse(s, strlen(s), &us))
		fail_msg("'%s' was refused", s);
	return us;
}

static void known_moments_are_read(void **state)
{
	(void)state;
	assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
	assert_int_equal(parsed("1970-01-01T00:00:00.000001Z"), 1);
	assert_int_equal(parsed("1969-12-31T23:59:59.999999Z"), -1);
	assert_int_equal(parsed("2000-02-29T12:00:00Z"), INT64_C(951825600000000));
	assert_int_equal(parsed("2038-01-19T03:14:08Z"), INT64_C(2147483648000000));
	assert_int_equal(parsed("9999-12-31T23:59:59.999999Z"), INT64_C(253402300799999999));
	assert_int_equal(parsed("0000-01-01T00:00:00Z"), INT64_C(-62167219200000000));
}

static void none_to_nine_fraction_digits_are_read(void **state)
{
	(void)state;
	assert_int_equal(parsed("1970-01-01T00:00:01.5Z"), 1500000);
	assert_int_equal(parsed("1970-01-01T00:00:01.123Z"), 1123000);
	assert_int_equal(parsed("1970-01-01T00:00:01.123456789Z"), 1123456);
}

static void what_is_no_real_date_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"2026-11-20",
		"2026-11-20T08:15:30",
		"2026-11-20T08:15:30z",
		"2026-11-20t08:15:30Z",
		"2026-11-20 08:15:30Z",
		"2026-11-20T08:15:30+00:00",
		"2026-11-20T08:15:30.Z",
		"2026-11-20T08:15:30.1234567890Z",
		"2026-11-20T08:15:30,5Z",
		"2026-11-20T08:15:30.5ZZ",
		"2026-11-20T08:15:30Z ",
		" 2026-11-20T08:15:30Z",
		"2026-11-20T08:15:60Z",
		"2016-12-31T23:59:60Z",
		"2026-11-20T08:60:30Z",
		"2026-11-20T24:00:00Z",
		"2026-11-31T08:15:30Z",
		"2026-02-29T08:15:30Z",
		"1900-02-29T08:15:30Z",
		"2026-02-30T08:15:30Z",
		"2026-00-20T08:15:30Z",
		"2026-13-20T08:15:30Z",
		"2026-11-00T08:15:30Z",
		"2026-11-32T08:15:30Z",
		"+026-11-20T08:15:30Z",
		"2026-1-20T08:15:30Z",
		"12026-11-20T08:15:30Z",
	};
	int64_t us = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (datetime_parse(wrong[i], strlen(wrong[i]), &us))
			fail_msg("'%s' was taken", wrong[i]);
	assert_int_equal(us, 42);
	/* The length counts, not a NUL. */
	assert_false(datetime_parse("2026-11-20T08:15:30Z", 19, NULL));
	assert_true(datetime_parse("2026-11-20T08:15:30Zjunk", 20, NULL));
}

static void six_digits_are_written(void **state)
{
	char text[DATETIME_TEXT_LEN + 1];

	(void)state;
	datetime_format(parsed("2026-11-20T08:15:30.1Z"), text);
	assert_string_equal(text, "2026-11-20T08:15:30.100000Z");
	datetime_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
	datetime_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
	datetime_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000000Z");
}

/* Every day of 801 years there and back, and the calendar of the system as a second opinion. */
static void every_day_is_written_and_read_back(void **state)
{
	char text[DATETIME_TEXT_LEN + 1], expected[64];
	const int64_t first = parsed("1599-12-31T00:00:00Z") / 1000000 / 86400;

	(void)state;
	for (int64_t day = first; day < first + 292600; day++) {
		time_t seconds = day * 86400 + 86399;
		struct tm tm;

		datetime_format((int64_t)seconds * 1000000 + 5, text);
		assert_non_null(gmtime_r(&seconds, &tm));
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000005Z", &tm);
		assert_string_equal(text, expected);
		assert_int_equal(parsed(text), (int64_t)seconds * 1000000 + 5);
	}
}

static void any_moment_is_written_and_read_back(void **state)
{
	const int64_t least = parsed("0000-01-01T00:00:00Z");
	const int64_t most = parsed("9999-12-31T23:59:59.999999Z");
	char text[DATETIME_TEXT_LEN + 1];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int i = 0; i < 100000; i++) {
		int64_t us = least + (int64_t)rng_below(&rng, (uint64_t)(most - least) + 1);

		datetime_format(us, text);
		assert_int_equal(strlen(text), DATETIME_TEXT_LEN);
		assert_int_equal(parsed(text), us);
	}
}

/* The usual form is read in another way than the others: any byte at any place of it. */
static void any_other_byte_at_any_place_is_refused(void **state)
{
	static const char sound[] = "2026-11-20T08:15:30.123456Z";
	char text[sizeof(sound)], back[sizeof(sound)];
	int64_t us;

	(void)state;
	memcpy(text, sound, sizeof(sound));
	for (size_t place = 0; place < DATETIME_TEXT_LEN; place++) {
		for (unsigned c = 0; c < 256; c++) {
			const bool is_digit = sound[place] >= '0' && sound[place] <= '9';

			text[place] = (char)c;
			if (!datetime_parse(text, DATETIME_TEXT_LEN, &us)) {
				assert_true(text[place] != sound[place]);
				continue;
			}
			assert_true(is_digit ? c >= '0' && c <= '9' : text[place] == sound[place]);
			datetime_format(us, back);
			assert_string_equal(back, text);
		}
		text[place] = sound[place];
	}
	/* With other punctuation at the places where the usual form has digits. */
	assert_true(datetime_parse("2026-11-20T08:15:30.1234567Z", 28, NULL));
	assert_false(datetime_parse("2026-11-20T08:15:30.12345ZZ", 27, NULL));
	assert_false(datetime_parse("2026-11-20T08:15:30.1234567", 27, NULL));
}

static void the_clocks_run(void **state)
{
	int64_t us = clock_monotonic_us();

	(void)state;
	assert_true(clock_monotonic_us() >= us);
	assert_true(clock_monotonic_ms() >= us / 1000);
	assert_true(datetime_now_us() > parsed("2024-01-01T00:00:00Z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_moments_are_read),
		cmocka_unit_test(none_to_nine_fraction_digits_are_read),
		cmocka_unit_test(what_is_no_real_date_is_refused),
		cmocka_unit_test(six_digits_are_written),
		cmocka_unit_test(every_day_is_written_and_read_back),
		cmocka_unit_test(any_moment_is_written_and_read_back),
		cmocka_unit_test(any_other_byte_at_any_place_is_refused),
		cmocka_unit_test(the_clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
