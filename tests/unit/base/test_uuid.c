/* test_uuid.c - one text form, strictly; made ids sort by their time */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ctype.h>

#include "base/uuid.h"

static void either_case_is_read_and_lower_case_written(void **state)
{
	static const char upper[] = "01234567-89AB-CDEF-0123-456789abcDEF";
	char text[UUID_TEXT_LEN + 1];
	struct uuid u, v;

	(void)state;
	assert_true(uuid_parse(upper, UUID_TEXT_LEN, &u));
	assert_int_equal(u.b[0], 0x01);
	assert_int_equal(u.b[15], 0xef);
	uuid_format(&u, text);
	assert_string_equal(text, "01234567-89ab-cdef-0123-456789abcdef");
	assert_true(uuid_parse(text, UUID_TEXT_LEN, &v));
	assert_true(uuid_equal(&u, &v));
	v.b[15] ^= 1;
	assert_false(uuid_equal(&u, &v));
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
	static const char *const wrong[] = {
		"",
		"01234567-89ab-cdef-0123-456789abcde",
		"01234567-89ab-cdef-0123-456789abcdef0",
		"0123456789abcdef0123456789abcdef",
		"{1234567-89ab-cdef-0123-456789abcde}",
		"01234567089ab-cdef-0123-456789abcdef",
		"01234567-89ab-cdef-0123-456789abcdeg",
		"0123456-789ab-cdef-0123-456789abcdef",
		" 1234567-89ab-cdef-0123-456789abcdef",
		"01234567-89ab-cdef-0123--56789abcdef",
		"+1234567-89ab-cdef-0123-456789abcdef",
	};
	const struct uuid before = { { 9, 9, 9 } };
	struct uuid u = before;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(uuid_parse(wrong[i], strlen(wrong[i]), &u));
	/* A NUL inside 36 bytes is no end of the text. */
	assert_false(uuid_parse("01234567-89ab-cdef-0123-456789abcde\0", 36, &u));
	assert_true(uuid_equal(&u, &before));
}

static void any_other_byte_at_any_place_is_refused(void **state)
{
	static const char sound[] = "01234567-89ab-cdef-0123-456789abcdef";
	char text[sizeof(sound)], back[sizeof(sound)];
	struct uuid u;

	(void)state;
	memcpy(text, sound, sizeof(sound));
	for (size_t place = 0; place < UUID_TEXT_LEN; place++) {
		for (unsigned c = 0; c < 256; c++) {
			text[place] = (char)c;
			if (sound[place] == '-' ? c != '-' : c >= 128 || !isxdigit((int)c)) {
				assert_false(uuid_parse(text, UUID_TEXT_LEN, &u));
				continue;
			}
			assert_true(uuid_parse(text, UUID_TEXT_LEN, &u));
			uuid_format(&u, back);
			assert_int_equal(back[place], tolower((int)c));
			back[place] = sound[place];
			assert_string_equal(back, sound);
		}
		text[place] = sound[place];
	}
}

static void a_made_id_is_version_4_and_begins_with_its_time(void **state)
{
	const uint8_t random[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	char text[UUID_TEXT_LEN + 1];
	struct uuid u;

	(void)state;
	uuid_make(&u, UINT64_C(0x0123456789ab), random);
	uuid_format(&u, text);
	assert_string_equal(text, "01234567-89ab-4fff-bfff-ffffffffffff");
}

static void made_ids_sort_by_their_time(void **state)
{
	const uint8_t high[16] = { [6] = 0xff, [7] = 0xff, [9] = 0xff };
	const uint8_t low[16] = { 0 };
	struct uuid earlier, later;

	(void)state;
	for (uint64_t ms = 254; ms < 258; ms++) {
		uuid_make(&earlier, ms, high);
		uuid_make(&later, ms + 1, low);
		assert_true(memcmp(earlier.b, later.b, sizeof(earlier.b)) < 0);
	}
}

/* What a person types of an id. */
static void a_beginning_finds_its_ids(void **state)
{
	struct uuid u, least;

	(void)state;
	assert_true(uuid_parse("7c1e4b0a-0000-4000-8000-000000000001", UUID_TEXT_LEN, &u));
	assert_true(uuid_begins(&u, "7"));
	assert_true(uuid_begins(&u, "7C1E4B0A-00"));
	assert_false(uuid_begins(&u, "7c1e4b0b"));
	assert_false(uuid_begins(&u, "7c1f"));
	assert_true(uuid_least("7c1e4b0a-0", &least));
	assert_true(memcmp(least.b, u.b, sizeof u.b) < 0);
	assert_true(uuid_least("F", &least));
	assert_int_equal(least.b[0], 0xf0);
	assert_false(uuid_least("", &least));
	assert_false(uuid_least("7c1e4b0a0", &least));
	assert_false(uuid_least("g", &least));
	uuid_rise(&u);
	assert_int_equal(u.b[15], 2);
	memset(u.b, 0xff, sizeof u.b);
	uuid_rise(&u);
	assert_int_equal(u.b[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_beginning_finds_its_ids),
		cmocka_unit_test(either_case_is_read_and_lower_case_written),
		cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
		cmocka_unit_test(any_other_byte_at_any_place_is_refused),
		cmocka_unit_test(a_made_id_is_version_4_and_begins_with_its_time),
		cmocka_unit_test(made_ids_sort_by_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
