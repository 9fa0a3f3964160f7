/* test_utf8.c - which bytes are a character, and which of them may be shown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static void characters_have_their_length_and_number(void **state)
{
	static const struct { const char *bytes; size_t len; uint32_t code; size_t shown; } cases[] = {
		{ "a", 1, 'a', 1 }, { "\x7f", 1, 0x7f, 0 }, { "\x1f", 1, 0x1f, 0 },
		{ "\xc2\x80", 2, 0x80, 0 }, { "\xc2\x9f", 2, 0x9f, 0 }, { "\xc2\xa0", 2, 0xa0, 2 },
		{ "\xdf\xbf", 2, 0x7ff, 2 }, { "\xe0\xa0\x80", 3, 0x800, 3 },
		{ "\xed\x9f\xbf", 3, 0xd7ff, 3 }, { "\xee\x80\x80", 3, 0xe000, 3 },
		{ "\xe2\x80\xa7", 3, 0x2027, 3 }, { "\xe2\x80\xa8", 3, 0x2028, 0 },
		{ "\xe2\x80\xae", 3, 0x202e, 0 }, { "\xe2\x81\xa6", 3, 0x2066, 0 },
		{ "\xef\xbb\xbf", 3, 0xfeff, 0 }, { "\xd8\x9c", 2, 0x61c, 0 },
		{ "\xf0\x90\x80\x80", 4, 0x10000, 4 }, { "\xf4\x8f\xbf\xbf", 4, 0x10ffff, 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t n = strlen(cases[i].bytes);
		uint32_t code = 0;

		assert_int_equal(utf8_length(cases[i].bytes, n, &code), cases[i].len);
		assert_int_equal(code, cases[i].code);
		assert_int_equal(utf8_shown_length(cases[i].bytes, n), cases[i].shown);
		if (n > 1)
			assert_int_equal(utf8_length(cases[i].bytes, n - 1, NULL), 0);
	}
	assert_int_equal(utf8_length("", 1, NULL), 1);	/* U+0000 */
	assert_int_equal(utf8_shown_length("", 1), 0);
}

static void what_is_malformed_is_no_character(void **state)
{
	static const char *const cases[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3(", "\xe2\x82(",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(utf8_length(cases[i], strlen(cases[i]), NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_their_length_and_number),
		cmocka_unit_test(what_is_malformed_is_no_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
