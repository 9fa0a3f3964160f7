/* datetime.h - RFC 3339 in UTC, as the protocol writes and reads it (protocol.md section 2) */
#ifndef HANDOFF_BASE_DATETIME_H
#define HANDOFF_BASE_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATETIME_TEXT_LEN 27	/* 2026-11-20T08:15:30.123456Z */

/* Microseconds since 1970 to text with exactly six fraction digits and a NUL. */
void datetime_format(int64_t us, char out[DATETIME_TEXT_LEN + 1]);
/* A real date with none to nine fraction digits and Z; false when it is none. `us` may be NULL. */
bool datetime_parse(const char *s, size_t len, int64_t *us);
/* The wall clock, for display and certificates only; microseconds since 1970. */
int64_t datetime_now_us(void);
/* The monotonic clock, milliseconds since an unknown start. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

#endif
