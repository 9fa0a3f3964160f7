/* utf8.h - characters in a stranger's bytes: which are whole, which may be shown */
#ifndef HANDOFF_BASE_UTF8_H
#define HANDOFF_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * The length of the well-formed UTF-8 character at the front of n bytes (at least 1), 0 when there
 * is none: overlong forms and surrogates are none. *code becomes its number; it may be NULL.
 */
size_t utf8_length(const char *text, size_t n, uint32_t *code);
/*
 * The same, and 0 also for what acts instead of being seen: control characters, and those that turn
 * the direction of writing or break lines.
 */
size_t utf8_shown_length(const char *text, size_t n);

#endif
