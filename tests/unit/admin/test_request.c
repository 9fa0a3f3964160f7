/* test_request.c - a line of an operator, cut into words */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/request.h"
#include "base/rng.h"

static char line[ADMIN_REQUEST_BYTES_MAX + 1];
static char why[256];

static bool parse_bytes(const char *text, size_t len, struct request *r)
{
	memcpy(line, text, len);
	why[0] = '\0';
	return request_parse(line, len, r, why, sizeof(why));
}

static bool parse(const char *text, struct request *r)
{
	return parse_bytes(text, strlen(text), r);
}

/* The words, each in brackets. */
static const char *words_of(const struct request *r)
{
	static char text[1024];

	text[0] = '\0';
	for (size_t i = 0; i < r->count; i++) {
		strcat(text, "[");
		strcat(text, r->words[i]);
		strcat(text, "]");
	}
	return text;
}

static void words_are_cut_and_unquoted(void **state)
{
	static const struct { const char *line, *words; } cases[] = {
		{ "", "" },
		{ "   ", "" },
		{ "version", "[version]" },
		{ "  dead   list ", "[dead][list]" },
		{ "a \"b c\" d", "[a][b c][d]" },
		{ "\"\"", "[]" },
		{ "\"a\\\"b\\\\c\\nd\" e", "[a\"b\\c\nd][e]" },
		{ "a\\b 'c d'", "[a\\b]['c][d']" },
		{ "help\r", "[help]" },
		{ "a json yes", "[a][json][yes]" },
	};
	struct request r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(parse(cases[i].line, &r));
		assert_string_equal(words_of(&r), cases[i].words);
		assert_false(r.json);
		assert_false(r.yes);
		assert_null(r.reason);
	}
}

static void what_stands_before_the_command_is_taken_in_any_order(void **state)
{
	struct request r;

	(void)state;
	assert_true(parse("json yes reason \"a b\" dead purge", &r));
	assert_true(r.json && r.yes);
	assert_string_equal(r.reason, "a b");
	assert_string_equal(words_of(&r), "[dead][purge]");
	assert_true(parse("reason x json version", &r));
	assert_true(r.json);
	assert_false(r.yes);
	assert_string_equal(words_of(&r), "[version]");
	/* Without its text it is a command, which there is not. */
	assert_true(parse("reason", &r));
	assert_string_equal(words_of(&r), "[reason]");
}

static void other_forms_are_refused(void **state)
{
	static const char *const lines[] = {
		"\"", "a \"b", "\"a\"b", "a\"b\"", "\"a\\x\"", "\"a\\", "\"a\\\"",
	};
	struct request r;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_false(parse(lines[i], &r));
		assert_non_null(strstr(why, "is not quoted well"));
	}
	assert_false(parse_bytes("a\0b", 3, &r));
	assert_non_null(strstr(why, "zero byte"));
	/* The answer to a bad request has the form that was asked for. */
	assert_false(parse("json \"", &r));
	assert_true(r.json);
}

static void the_limits_are_reached_and_not_passed(void **state)
{
	char text[4 * ADMIN_REASON_BYTES_MAX] = "";
	struct request r;

	(void)state;
	for (int i = 0; i < ADMIN_WORDS_MAX; i++)
		strcat(text, "w ");
	assert_true(parse(text, &r));
	assert_int_equal(r.count, ADMIN_WORDS_MAX);
	strcat(text, "w");
	assert_false(parse(text, &r));
	assert_string_equal(why, "the request has more than 64 words");

	strcpy(text, "reason ");
	memset(text + 7, 'x', ADMIN_REASON_BYTES_MAX);
	strcpy(text + 7 + ADMIN_REASON_BYTES_MAX, " version");
	assert_true(parse(text, &r));
	assert_int_equal(strlen(r.reason), ADMIN_REASON_BYTES_MAX);
	strcpy(text + 7 + ADMIN_REASON_BYTES_MAX, "x version");
	assert_false(parse(text, &r));
	assert_string_equal(why, "the reason is longer than 256 bytes");
}

/* Under a sanitizer: no line makes it read or write beside its bytes. */
static void random_lines_do_no_harm(void **state)
{
	static const char alphabet[] = "ab \"\\n\r\x80json";
	struct request r;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int i = 0; i < 100000; i++) {
		size_t len = rng_next(&rng) % 40;
		char *copy = malloc(len + 1);

		assert_non_null(copy);
		for (size_t k = 0; k < len; k++)
			copy[k] = alphabet[rng_next(&rng) % (sizeof(alphabet) - 1)];
		if (request_parse(copy, len, &r, why, sizeof(why)))
			for (size_t k = 0; k < r.count; k++)
				assert_in_range((uintptr_t)r.words[k], (uintptr_t)copy,
						(uintptr_t)copy + len);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_cut_and_unquoted),
		cmocka_unit_test(what_stands_before_the_command_is_taken_in_any_order),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(the_limits_are_reached_and_not_passed),
		cmocka_unit_test(random_lines_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
