/* test_log.c - the lines as a reader of standard error gets them */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/datetime.h"
#include "base/log.h"

#define OUTPUT_BYTES 65536

/* Standard error goes into a file between capture_begin() and capture_end(). */
static int saved_stderr;
static FILE *captured;

static void capture_begin(void)
{
	captured = tmpfile();
	assert_non_null(captured);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(saved_stderr >= 0);
	assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

static const char *capture_end(void)
{
	static char output[OUTPUT_BYTES];
	size_t n;

	assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
	close(saved_stderr);
	rewind(captured);
	n = fread(output, 1, sizeof(output) - 1, captured);
	output[n] = '\0';
	fclose(captured);
	return output;
}

static void assert_line(const char *output, const char *expected)
{
	int64_t us;

	assert_true(strlen(output) > DATETIME_TEXT_LEN);
	assert_true(datetime_parse(output, DATETIME_TEXT_LEN, &us));
	assert_string_equal(output + DATETIME_TEXT_LEN, expected);
}

/* A JSON line, from behind its time stamp. */
static void assert_json(const char *output, const char *expected)
{
	assert_memory_equal(output, "{\"ts\":\"", 7);
	assert_true(datetime_parse(output + 7, DATETIME_TEXT_LEN, NULL));
	assert_string_equal(output + 7 + DATETIME_TEXT_LEN, expected);
}

static void a_text_line_has_time_level_event_and_pairs(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture_begin();
	log_info("session opened", "session=%u module=%s", 17U, "ALPHA");
	assert_line(capture_end(), " info session opened session=17 module=ALPHA\n");
	capture_begin();
	log_error("store closed", "%s", "");
	assert_line(capture_end(), " error store closed\n");
}

static void a_level_below_the_threshold_says_nothing(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	capture_begin();
	log_info("a", "b=%d", 1);
	log_debug("a", "b=%d", 1);
	assert_string_equal(capture_end(), "");
	assert_true(log_is_on(LOG_LEVEL_WARNING));
	assert_false(log_is_on(LOG_LEVEL_INFO));
	log_init(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	capture_begin();
	log_debug("a", "b=%d", 1);
	assert_line(capture_end(), " debug a b=1\n");
}

static void a_line_stays_one_line(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture_begin();
	log_info("a", "b=%s", "one\ntwo\x1b[2J\x7f");
	assert_line(capture_end(), " info a b=one?two?[2J?\n");
}

static void logging_keeps_errno(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture_begin();
	close(STDERR_FILENO);
	errno = ENOTTY;
	log_info("a", "b=%d", 1);
	assert_int_equal(errno, ENOTTY);
	capture_end();
}

static void levels_are_read_by_their_words(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_true(log_level_parse("error", &level));
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_false(log_level_parse("warn", &level));
	assert_false(log_level_parse("", &level));
	assert_false(log_level_parse("INFO", &level));
	assert_int_equal(level, LOG_LEVEL_ERROR);
}

struct quoted {
	const char *bytes;
	size_t len;
	const char *text;	/* what log_quote() makes of them */
	const char *json;	/* and what the JSON line says */
};

#define BYTES(s) (s), sizeof(s) - 1

static const struct quoted quoted[] = {
	{ BYTES(""), "\"\"", "\"\"" },
	{ BYTES("plain"), "\"plain\"", "\"plain\"" },
	{ BYTES("two words=x"), "\"two words=x\"", "\"two words=x\"" },
	{ BYTES("a\"b\\c"), "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"" },
	{ BYTES("back\\x41"), "\"back\\\\x41\"", "\"back\\\\x41\"" },
	{ BYTES("one\ntwo\t\x1b\x7f"), "\"one\\x0atwo\\x09\\x1b\\x7f\"",
	  "\"one\\u000atwo\\u0009\\u001b\\u007f\"" },
	{ BYTES("nul\0!"), "\"nul\\x00!\"", "\"nul\\u0000!\"" },
	{ BYTES("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
	  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"",
	  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"" },
	/* Lone, overlong, surrogate, too high, cut short, and a control character of Latin-1. */
	{ BYTES("\xff"), "\"\\xff\"", "\"\\\\xff\"" },
	{ BYTES("\xc0\xaf"), "\"\\xc0\\xaf\"", "\"\\\\xc0\\\\xaf\"" },
	{ BYTES("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\"\\\\xed\\\\xa0\\\\x80\"" },
	{ BYTES("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"",
	  "\"\\\\xf4\\\\x90\\\\x80\\\\x80\"" },
	{ BYTES("\xe2\x82"), "\"\\xe2\\x82\"", "\"\\\\xe2\\\\x82\"" },
	{ BYTES("\xc2\x9b"), "\"\\xc2\\x9b\"", "\"\\\\xc2\\\\x9b\"" },
	{ BYTES("12"), "\"12\"", "\"12\"" },
};

static void a_strangers_bytes_are_quoted_and_come_out_as_json(void **state)
{
	char expected[512];

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	for (size_t i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++) {
		const char *text = log_quote(quoted[i].bytes, quoted[i].len);

		assert_string_equal(text, quoted[i].text);
		capture_begin();
		log_info("e", "before=1 value=%s after=x", text);
		snprintf(expected, sizeof(expected),
			 "\",\"level\":\"info\",\"event\":\"e\",\"before\":1,\"value\":%s,"
			 "\"after\":\"x\"}\n",
			 quoted[i].json);
		assert_json(capture_end(), expected);
	}
}

static void a_long_quote_is_cut_between_characters(void **state)
{
	char bytes[3 * LOG_QUOTE_BYTES];
	const char *text;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	text = log_quote(bytes, LOG_QUOTE_BYTES);
	assert_int_equal(strlen(text), LOG_QUOTE_BYTES + 2);
	text = log_quote(bytes, sizeof(bytes));
	assert_int_equal(strlen(text), LOG_QUOTE_BYTES + strlen("…") + 2);
	assert_string_equal(text + 1 + LOG_QUOTE_BYTES, "…\"");
	/* Two bytes of a character of three would still fit; none of it is shown. */
	memcpy(bytes + LOG_QUOTE_BYTES - 2, "\xe2\x82\xac", 3);
	text = log_quote(bytes, sizeof(bytes));
	assert_string_equal(text + 1 + LOG_QUOTE_BYTES - 2, "…\"");
	memset(bytes, 0xff, sizeof(bytes));
	text = log_quote(bytes, sizeof(bytes));
	assert_int_equal(strlen(text), 4 * LOG_QUOTE_BYTES + strlen("…") + 2);
}

static void eight_quotes_live_at_a_time(void **state)
{
	const char *quotes[8];

	(void)state;
	for (size_t i = 0; i < 8; i++)
		quotes[i] = log_quote(&"01234567"[i], 1);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(quotes[i][1], '0' + (int)i);
}

static void digits_are_json_numbers_and_all_else_strings(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	capture_begin();
	log_info("e", "a=0 b=18446744073709551615 c=007 d=-1 e=1.5 f= g=9223372036854775807 h=%s",
		 "x");
	assert_json(capture_end(),
		    "\",\"level\":\"info\",\"event\":\"e\",\"a\":0,\"b\":\"18446744073709551615\","
		    "\"c\":\"007\",\"d\":\"-1\",\"e\":\"1.5\",\"f\":\"\","
		    "\"g\":9223372036854775807,\"h\":\"x\"}\n");
}

static void pairs_of_another_form_still_make_json(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	capture_begin();
	log_info("e", "stray a=No such file b=\"open %s", "\x01\xff");
	assert_json(capture_end(),
		    "\",\"level\":\"info\",\"event\":\"e\",\"text\":\"stray\","
		    "\"a\":\"No such file\",\"b\":\"open \\u0001\\ufffd\"}\n");
}

static void the_longest_line_is_cut_and_still_whole(void **state)
{
	static char flood[20000];
	const char *output;

	(void)state;
	memset(flood, 1, sizeof(flood) - 1);
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	capture_begin();
	log_info("e", "a=%s", flood);
	output = capture_end();
	assert_in_range(strlen(output), 6 * 4000, 6 * 4400);
	assert_string_equal(output + strlen(output) - strlen("\\u0001\"}\n"), "\\u0001\"}\n");
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture_begin();
	log_info("e", "a=%s", flood);
	output = capture_end();
	assert_in_range(strlen(output), 4000, 4400);
	assert_string_equal(output + strlen(output) - 3, "??\n");
}

static void wait_for_the_next_second(void)
{
	int64_t second = clock_monotonic_ms() / 1000;

	while (clock_monotonic_ms() / 1000 == second)
		;
}

static void lines_of_one_cause_are_held_back_and_counted(void **state)
{
	static const char cause[] = "handshake failed";
	static const char other[] = "frame refused";
	const char *output;

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture_begin();
	wait_for_the_next_second();
	assert_true(log_allow(cause, 2));
	assert_true(log_allow(cause, 2));
	assert_false(log_allow(cause, 2));
	assert_false(log_allow(cause, 2));
	assert_true(log_allow(other, 2));
	wait_for_the_next_second();
	assert_true(log_allow(cause, 2));
	assert_true(log_allow(other, 2));
	output = capture_end();
	assert_line(output, " warning log lines held back cause=\"handshake failed\" count=2\n");
}

static void what_was_held_back_last_is_told_too(void **state)
{
	static const char cause[] = "batch refused";
	const char *output;

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture_begin();
	assert_false(log_held_back(false));
	wait_for_the_next_second();
	assert_true(log_allow(cause, 1));
	assert_false(log_allow(cause, 1));
	assert_true(log_held_back(false));	/* more may follow in this second */
	wait_for_the_next_second();
	assert_false(log_held_back(false));
	assert_false(log_held_back(true));
	output = capture_end();
	assert_line(output, " warning log lines held back cause=\"batch refused\" count=1\n");

	capture_begin();
	assert_true(log_allow(cause, 1));
	assert_false(log_allow(cause, 1));
	assert_false(log_allow(cause, 1));
	assert_false(log_held_back(true));
	output = capture_end();
	assert_line(output, " warning log lines held back cause=\"batch refused\" count=2\n");
}

static void invariant_broken(void)
{
	fatalx("the \"table\" has %d entries", 3);
}

static void could_not_go_on(void)
{
	fatal_exit(78, "no store at %s", "here");
}

/* Runs `f` in a child; its standard error ends in the capture. */
static int status_of(void (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void the_fatal_ones_tell_why_and_end_the_process(void **state)
{
	int status;

	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	capture_begin();
	status = status_of(invariant_broken);
	assert_line(capture_end(),
		    " error invariant broken reason=\"the \\\"table\\\" has 3 entries\"\n");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);

	capture_begin();
	status = status_of(could_not_go_on);
	assert_line(capture_end(), " error could not go on reason=\"no store at here\"\n");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 78);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_line_has_time_level_event_and_pairs),
		cmocka_unit_test(a_level_below_the_threshold_says_nothing),
		cmocka_unit_test(a_line_stays_one_line),
		cmocka_unit_test(logging_keeps_errno),
		cmocka_unit_test(levels_are_read_by_their_words),
		cmocka_unit_test(a_strangers_bytes_are_quoted_and_come_out_as_json),
		cmocka_unit_test(a_long_quote_is_cut_between_characters),
		cmocka_unit_test(eight_quotes_live_at_a_time),
		cmocka_unit_test(digits_are_json_numbers_and_all_else_strings),
		cmocka_unit_test(pairs_of_another_form_still_make_json),
		cmocka_unit_test(the_longest_line_is_cut_and_still_whole),
		cmocka_unit_test(lines_of_one_cause_are_held_back_and_counted),
		cmocka_unit_test(what_was_held_back_last_is_told_too),
		cmocka_unit_test(the_fatal_ones_tell_why_and_end_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
