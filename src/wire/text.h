/* text.h - a stranger's text: is it UTF-8, and how is it shown to people */
#ifndef HANDOFF_WIRE_TEXT_H
#define HANDOFF_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8: nothing overlong, no surrogates, nothing above U+10FFFF. */
bool text_is_utf8(const char *s, size_t n);

/*
 * Writes s for people into `out`, `room` bytes with the NUL (at least 8): control characters and
 * bytes that are no UTF-8 become \xNN, a backslash is doubled, and what does not fit is cut with
 * "…". The result is always UTF-8 on one line. Returns its length.
 */
size_t text_escape(char *out, size_t room, const char *s, size_t n);

#endif
