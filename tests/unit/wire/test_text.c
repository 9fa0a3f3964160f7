/* test_text.c - what is UTF-8, and how bytes are shown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/text.h"

static void utf8_is_told_from_other_bytes(void **state)
{
	static const struct {
		const char *bytes;
		bool is_utf8;
	} cases[] = {
		{ "", true },
		{ "plain text that is longer than a word", true },
		{ "\x7f", true },
		{ "\xc2\x80", true },
		{ "\xdf\xbf", true },
		{ "\xe0\xa0\x80", true },
		{ "\xed\x9f\xbf", true },
		{ "\xee\x80\x80", true },
		{ "\xf0\x90\x80\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "long enough for a word, then \xe2\x82\xac", true },
		{ "\x80", false },
		{ "\xc1\xbf", false },		/* overlong */
		{ "\xe0\x9f\xbf", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xed\xa0\x80", false },	/* a surrogate */
		{ "\xf4\x90\x80\x80", false },	/* above U+10FFFF */
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
		{ "\xe2\x82", false },		/* cut short */
		{ "\xe2\x28\xa1", false },
		{ "\xf0\x90\x80\x28", false },
		{ "long enough for a word, then \xe2\x82", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(text_is_utf8(cases[i].bytes, strlen(cases[i].bytes)),
		    cases[i].is_utf8);
	assert_true(text_is_utf8("with\0NUL", 8));
}

static void assert_escaped(const char *bytes, size_t n, size_t room, const char *expected)
{
	char out[64];
	size_t len = text_escape(out, room, bytes, n);

	assert_string_equal(out, expected);
	assert_int_equal(len, strlen(expected));
	assert_true(len < room);
}

static void strange_bytes_become_visible(void **state)
{
	(void)state;
	assert_escaped("plain", 5, 32, "plain");
	assert_escaped("", 0, 32, "");
	assert_escaped("a\nb\0c\x7f", 6, 32, "a\\x0ab\\x00c\\x7f");
	assert_escaped("back\\slash", 10, 32, "back\\\\slash");
	assert_escaped("\xe2\x82\xac\xff", 4, 32, "\xe2\x82\xac\\xff");
	assert_escaped("\xc2\x85", 2, 32, "\\xc2\\x85");
	assert_escaped("\xe2\x82", 2, 32, "\\xe2\\x82");
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
	(void)state;
	assert_escaped("1234567", 7, 8, "1234567");
	assert_escaped("12345678", 8, 8, "1234…");
	assert_escaped("123\xff" "4567", 8, 8, "123…");
	assert_escaped("12\xe2\x82\xac\xe2\x82\xac", 8, 8, "12…");
	assert_escaped("1\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 10, 10, "1\xe2\x82\xac…");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_told_from_other_bytes),
		cmocka_unit_test(strange_bytes_become_visible),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
