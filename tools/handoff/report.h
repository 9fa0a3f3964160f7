/* report.h - what handoff says to people, on standard error */
#ifndef HANDOFF_TOOLS_REPORT_H
#define HANDOFF_TOOLS_REPORT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * One line each, "handoff send: …". Control characters in it, whoever they come from, are shown
 * escaped. The progress line, when there is one, is cleared before.
 */
void report_init(const char *command);
void report_set_quiet(bool quiet);
void report_set_verbose(bool verbose);
bool report_is_quiet(void);

/* What went wrong: always shown. */
__attribute__((format(printf, 1, 2))) void complain(const char *fmt, ...);
/* The same, and errno in words. */
__attribute__((format(printf, 1, 2))) void complain_errno(const char *fmt, ...);
/* What one should know: not with --quiet. */
__attribute__((format(printf, 1, 2))) void tell(const char *fmt, ...);
/* What one may want to know: with --verbose. */
__attribute__((format(printf, 1, 2))) void detail(const char *fmt, ...);

struct handoff_error;
/* The errors that came with an event, one line each. */
void complain_errors(const char *what, const struct handoff_error *errors, size_t n);

/* Shows a line that the next one replaces, "" for none; only to be used on a terminal. */
void report_progress(const char *line);
bool report_is_terminal(void);

#endif
