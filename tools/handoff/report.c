/* report.c - what handoff says to people, on standard error */
#include "tools/handoff/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handoff/error.h"
#include "wire/text.h"

#define LINE_SIZE 2048

static struct {
	const char *command;
	bool is_quiet, is_verbose, has_progress;
} report;

void report_init(const char *command)
{
	report.command = command;
}

void report_set_quiet(bool quiet)
{
	report.is_quiet = quiet;
}

void report_set_verbose(bool verbose)
{
	report.is_verbose = verbose;
}

bool report_is_quiet(void)
{
	return report.is_quiet;
}

bool report_is_terminal(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDERR_FILENO) == 1 && kind != NULL && strcmp(kind, "dumb") != 0;
}

static bool has_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return report_is_terminal() && (no_colour == NULL || *no_colour == '\0');
}

void report_progress(const char *line)
{
	if (report.has_progress || *line != '\0')
		fprintf(stderr, "\r\033[K%s", line);
	report.has_progress = *line != '\0';
	fflush(stderr);
}

/* In one write, so that lines of several programs do not mix. */
static void say(const char *colour, const char *text)
{
	char escaped[LINE_SIZE], line[LINE_SIZE + 128];
	const bool coloured = *colour != '\0' && has_colour();
	int n;

	report_progress("");
	text_escape(escaped, sizeof(escaped), text, strlen(text));
	n = snprintf(line, sizeof(line), "handoff%s%s: %s%s%s\n", report.command != NULL ? " " : "",
		     report.command != NULL ? report.command : "", coloured ? colour : "", escaped,
		     coloured ? "\033[0m" : "");
	fwrite(line, 1, (size_t)n, stderr);
}

#define SAY_FORMATTED(colour, tail)                                                                \
	do {                                                                                       \
		char text[LINE_SIZE];                                                              \
		va_list args;                                                                      \
		size_t n;                                                                          \
		va_start(args, fmt);                                                               \
		vsnprintf(text, sizeof(text), fmt, args);                                          \
		va_end(args);                                                                      \
		n = strlen(text);                                                                  \
		snprintf(text + n, sizeof(text) - n, "%s", (tail));                                \
		say((colour), text);                                                               \
	} while (0)

#define RED "\033[31m"

void complain(const char *fmt, ...)
{
	SAY_FORMATTED(RED, "");
}

void complain_errno(const char *fmt, ...)
{
	char reason[256];

	snprintf(reason, sizeof(reason), ": %s", strerror(errno));
	SAY_FORMATTED(RED, reason);
}

void tell(const char *fmt, ...)
{
	if (!report.is_quiet)
		SAY_FORMATTED("", "");
}

void detail(const char *fmt, ...)
{
	if (report.is_verbose)
		SAY_FORMATTED("", "");
}

static const char *or_nothing(const char *text)
{
	return text != NULL ? text : "";
}

void complain_errors(const char *what, const struct handoff_error *errors, size_t n)
{
	if (n == 0)
		complain("%s", what);
	for (size_t i = 0; i < n; i++) {
		const struct handoff_error *e = &errors[i];

		complain("%s: %s%s%s%s%s%s%s%s%s%s%s", what, or_nothing(e->code),
			 e->code != NULL ? " " : "", or_nothing(e->message),
			 e->record_id != NULL ? " record_id=" : "", or_nothing(e->record_id),
			 e->field_name != NULL ? " field=" : "", or_nothing(e->field_name),
			 e->expected_value != NULL ? " expected=" : "", or_nothing(e->expected_value),
			 e->actual_value != NULL ? " found=" : "", or_nothing(e->actual_value));
	}
}
