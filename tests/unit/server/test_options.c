/* test_options.c - command lines, and what they are answered */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/version.h"
#include "server/options.h"

#define WORDS_MAX 8

static char output[4096];	/* standard output and error of the last parse */

/* Reads "handoffd WORD…"; the words end with NULL. */
static int parse(struct options *o, ...)
{
	char *words[WORDS_MAX + 2] = { (char[]){ "handoffd" } };
	int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
	FILE *file = tmpfile();
	int count = 1, result;
	va_list args;
	size_t n;

	va_start(args, o);
	while (count <= WORDS_MAX && (words[count] = va_arg(args, char *)) != NULL)
		count++;
	va_end(args);
	assert_non_null(file);
	fflush(NULL);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	result = options_parse(count, words, o);
	fflush(NULL);
	assert_true(dup2(saved_out, STDOUT_FILENO) >= 0);
	assert_true(dup2(saved_err, STDERR_FILENO) >= 0);
	close(saved_out);
	close(saved_err);
	rewind(file);
	n = fread(output, 1, sizeof(output) - 1, file);
	output[n] = '\0';
	fclose(file);
	return result;
}

static void every_option_is_read(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "--config", "x.conf", NULL), OPTIONS_GO_ON);
	assert_string_equal(o.config_path, "x.conf");
	assert_false(o.check);
	assert_int_equal(o.log_level, LOG_LEVEL_INFO);
	assert_int_equal(o.log_format, LOG_FORMAT_TEXT);
	assert_int_equal(parse(&o, "--check", "--log-level=debug", "--log-format", "json", "-c",
			       "y.conf", NULL), OPTIONS_GO_ON);
	assert_string_equal(o.config_path, "y.conf");
	assert_true(o.check);
	assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(o.log_format, LOG_FORMAT_JSON);
	assert_string_equal(output, "");
}

static void help_and_version_are_printed(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "--version", NULL), 0);
	assert_string_equal(output, "handoffd " HANDOFF_VERSION "\n");
	assert_int_equal(parse(&o, "--help", NULL), 0);
	assert_non_null(strstr(output, "Usage: handoffd --config FILE"));
	assert_non_null(strstr(output, "--log-format"));
}

static void assert_usage(int result, const char *fragment)
{
	assert_int_equal(result, EXIT_USAGE);
	assert_memory_equal(output, "handoffd: ", 10);
	assert_non_null(strstr(output, fragment));
	assert_non_null(strstr(output, "\nTry 'handoffd --help'.\n"));
}

static void wrong_usage_is_told_with_a_hint(void **state)
{
	struct options o;

	(void)state;
	assert_usage(parse(&o, NULL), "--config FILE is missing");
	assert_usage(parse(&o, "--config", NULL), "'--config' needs an argument");
	assert_usage(parse(&o, "-c", NULL), "'-c' needs an argument");
	assert_usage(parse(&o, "--confg", "x", NULL), "no option '--confg'");
	assert_usage(parse(&o, "-c", "x", "-x", NULL), "no option '-x'");
	assert_usage(parse(&o, "-c", "x", "--check=yes", NULL), "'--check=yes'");
	assert_usage(parse(&o, "-c", "x", "--log-level", "loud", NULL), "not 'loud'");
	assert_usage(parse(&o, "-c", "x", "--log-format", "xml", NULL), "not 'xml'");
	assert_usage(parse(&o, "x.conf", NULL), "'x.conf' is no option");
	assert_usage(parse(&o, "-c", "x", "more", NULL), "'more' is no option");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_is_read),
		cmocka_unit_test(help_and_version_are_printed),
		cmocka_unit_test(wrong_usage_is_told_with_a_hint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
