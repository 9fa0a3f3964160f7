/* test_report.c - one report, for people and as JSON */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/report.h"

static struct buf out;
static struct report r;

static int begin(void **state)
{
	(void)state;
	buf_init(&out, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	buf_finish(&out);
	return 0;
}

/* What `fill` reports, as a string; good until the next call. */
static const char *render(void (*fill)(void), bool json)
{
	buf_clear(&out);
	report_begin(&r, &out, json);
	fill();
	report_end(&r);
	report_finish(&r);
	buf_put(&out, "", 1);
	return (const char *)buf_bytes(&out);
}

static void fill_values(void)
{
	report_text(&r, "text", "word");
	report_text(&r, "nothing", NULL);
	report_number(&r, "number", -42);
	report_time(&r, "at", 1795162530123456);
	report_time(&r, "never", 0);
	report_duration(&r, "age_ms", 7500000);
	report_duration(&r, "now_ms", 0);
	report_size(&r, "size_bytes", 1610612736);
	report_size(&r, "half_bytes", 512);
	report_bool(&r, "yes", true);
	report_bool(&r, "a_name_that_is_longer_than_its_place", false);
}

static void values_have_their_types(void **state)
{
	(void)state;
	assert_string_equal(render(fill_values, true),
		"{\"text\":\"word\",\"nothing\":null,\"number\":-42,"
		"\"at\":\"2026-11-20T08:15:30.123456Z\",\"never\":null,\"age_ms\":7500000,"
		"\"now_ms\":0,\"size_bytes\":1610612736,\"half_bytes\":512,\"yes\":true,"
		"\"a_name_that_is_longer_than_its_place\":false}\n");
	assert_string_equal(render(fill_values, false),
		"text                  word\n"
		"nothing               -\n"
		"number                -42\n"
		"at                    2026-11-20 08:15:30Z\n"
		"never                 -\n"
		"age_ms                2h 5min\n"
		"now_ms                0ms\n"
		"size_bytes            1.5G\n"
		"half_bytes            512\n"
		"yes                   yes\n"
		"a_name_that_is_longer_than_its_place no\n");
}

static const struct report_column columns[] = {
	{ .name = "name", .width = 6 }, { .name = "size_bytes", .width = 10, .right = true },
	{ .name = "note" },
};

static void add_row(const char *name, int64_t size, const char *note)
{
	report_row(&r);
	report_text(&r, NULL, name);
	report_size(&r, NULL, size);
	report_text(&r, NULL, note);
	report_close(&r);
}

static void fill_table(void)
{
	report_table(&r, "things", columns, 3);
	add_row("öö", 65536, "x");
	add_row("longer than it", 1, NULL);
	report_close(&r);
	report_table(&r, "others", columns, 3);
	report_close(&r);
}

static void tables_stream_their_rows(void **state)
{
	(void)state;
	assert_string_equal(render(fill_table, true),
		"{\"things\":[\n{\"name\":\"öö\",\"size_bytes\":65536,\"note\":\"x\"},\n"
		"{\"name\":\"longer than it\",\"size_bytes\":1,\"note\":null}],\"others\":[]}\n");
	assert_string_equal(render(fill_table, false),
		"NAME    SIZE_BYTES  NOTE\n"
		"öö             64K  x\n"
		"longer than it           1  -\n"
		"others: none\n");
}

static void fill_nested(void)
{
	report_number(&r, "count", 1);
	report_object(&r, "inner");
	report_list(&r, "words");
	report_text(&r, NULL, "one");
	report_text(&r, NULL, "two");
	report_close(&r);
	report_close(&r);
	report_list(&r, "objects");
	for (int i = 1; i <= 2; i++) {
		report_object(&r, NULL);
		report_number(&r, "i", i);
		report_close(&r);
	}
	report_close(&r);
	report_table(&r, "table", columns, 3);
	add_row("a", 1, "n");
	report_close(&r);
	report_list(&r, "empty");
}

static void structures_nest_and_the_end_closes_all(void **state)
{
	(void)state;
	assert_string_equal(render(fill_nested, true),
		"{\"count\":1,\"inner\":{\"words\":[\"one\",\"two\"]},\"objects\":[{\"i\":1},{\"i\":2}],"
		"\"table\":[\n{\"name\":\"a\",\"size_bytes\":1,\"note\":\"n\"}],\"empty\":[]}\n");
	assert_string_equal(render(fill_nested, false),
		"count                 1\n"
		"inner:\n"
		"  words:\n"
		"    - one\n"
		"    - two\n"
		"objects:\n"
		"  i                     1\n"
		"\n"
		"  i                     2\n"
		"table:\n"
		"  NAME    SIZE_BYTES  NOTE\n"
		"  a                1  n\n"
		"empty: none\n");
}

static void fill_hostile(void)
{
	static const char bytes[] = "\x1b[31m\\\n\t\"\x7f\xc2\x9b\xff\xe2\x80\xae\0é☃";

	report_bytes_as_text(&r, "x", bytes, sizeof(bytes) - 1);
}

static void no_control_byte_reaches_a_terminal(void **state)
{
	(void)state;
	assert_string_equal(render(fill_hostile, false),
		"x                     \\x1b[31m\\\\\\x0a\\x09\"\\x7f\\xc2\\x9b\\xff\\xe2\\x80\\xae"
		"\\x00é☃\n");
	assert_string_equal(render(fill_hostile, true),
		"{\"x\":\"\\u001b[31m\\\\\\u000a\\u0009\\\"\\u007f\\u009b\\ufffd\\u202e\\u0000é☃\"}\n");
}

static void fill_broken_off(void)
{
	report_table(&r, "things", columns, 3);
	add_row("a", 1, "n");
	report_row(&r);
	report_text(&r, NULL, "b");
	report_unwind(&r);
	report_text(&r, "error", "no more");
}

static void an_answer_that_breaks_off_is_still_whole(void **state)
{
	(void)state;
	assert_string_equal(render(fill_broken_off, true),
		"{\"things\":[\n{\"name\":\"a\",\"size_bytes\":1,\"note\":\"n\"},\n"
		"{\"name\":\"b\"}],\"error\":\"no more\"}\n");
	assert_string_equal(render(fill_broken_off, false),
		"NAME    SIZE_BYTES  NOTE\n"
		"a                1  n\n"
		"b     \n"
		"error                 no more\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_have_their_types, begin, end),
		cmocka_unit_test_setup_teardown(tables_stream_their_rows, begin, end),
		cmocka_unit_test_setup_teardown(structures_nest_and_the_end_closes_all, begin, end),
		cmocka_unit_test_setup_teardown(no_control_byte_reaches_a_terminal, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_that_breaks_off_is_still_whole, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
