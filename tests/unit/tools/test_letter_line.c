/* test_letter_line.c - handoffctl's reading of an export: whatever the line is, it does no harm */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/handoffctl/letter_line.h"

/* In memory of exactly its size, where the sanitizer sees a byte too far. */
static bool parse(const char *text, size_t len, struct letter_line *out, char **memory)
{
	*memory = malloc(len > 0 ? len : 1);
	assert_non_null(*memory);
	memcpy(*memory, text, len);
	return letter_line_parse(*memory, len, out);
}

static void assert_value(struct line_value v, const char *text)
{
	assert_non_null(v.p);
	assert_int_equal(v.n, strlen(text));
	assert_memory_equal(v.p, text, v.n);
}

static const char whole[] =
    "{ \"handoff_dead_letter\" : 1, \"new\":{\"frame\":\"no\",\"l\":[1,{},\"}\\\"]\"]},\"x\":[],"
    "\"frame\":\"Zm9v\",\"parent\":null,\"derived\":true,\"text\":\"a\\\"b\\u0041\",\"attempts\":12,"
    "\"code\":\"INT_DELIVERY_002\"}\n";

static void members_are_found_and_others_skipped(void **state)
{
	struct letter_line l;
	char *memory;

	(void)state;
	assert_true(parse(whole, strlen(whole), &l, &memory));
	assert_value(l.version, "1");
	assert_value(l.frame, "Zm9v");
	assert_value(l.derived, "true");
	assert_value(l.attempts, "12");
	assert_value(l.code, "INT_DELIVERY_002");
	assert_null(l.parent.p);
	assert_null(l.errors.p);
	free(memory);
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const none[] = {
		"", "{", "[]", "1", "{}", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1}x", "{\"a\":1,}",
		"{a:1}", "{\"a\":[", "{\"a\":\"", "{\"frame\":\"a\\/b\"}", "{\"a\":{\"b\":\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct letter_line l;
		char *memory;
		const bool good = parse(none[i], strlen(none[i]), &l, &memory);

		assert_false(good);
		free(memory);
	}
}

static void a_line_cut_or_changed_anywhere_does_no_harm(void **state)
{
	const size_t len = strlen(whole) - 1;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		struct letter_line l;
		char *memory;

		assert_false(parse(whole, n, &l, &memory));
		free(memory);
	}
	for (size_t i = 0; i < len * 256; i++) {
		char changed[sizeof(whole)];
		struct letter_line l;
		char *memory;

		memcpy(changed, whole, sizeof(whole));
		changed[i / 256] = (char)(i % 256);
		if (parse(changed, len, &l, &memory) && l.frame.p != NULL)
			assert_true(l.frame.p >= memory && l.frame.p + l.frame.n <= memory + len);
		free(memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_and_others_skipped),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(a_line_cut_or_changed_anywhere_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
