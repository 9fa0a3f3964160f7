/* uuid.h - 16-byte identifiers and their 36-character form */
#ifndef HANDOFF_BASE_UUID_H
#define HANDOFF_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT_LEN 36

struct uuid {
	uint8_t b[16];
};

/* Reads the 36-character form of any version, either case. False when it is none. */
bool uuid_parse(const char *s, size_t len, struct uuid *u);
/* Writes 36 lower-case characters and a NUL. */
void uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1]);
/*
 * A version-4 UUID whose leading 48 bits are `ms` (milliseconds since 1970), so that ids made one
 * after the other sort and share pages of an index; `random` are 16 random bytes.
 */
void uuid_make(struct uuid *u, uint64_t ms, const uint8_t random[16]);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
/* What a person types: the beginning of an id's text, in either case. */
/* The least id that begins with the text; false when none can, or it is empty. */
bool uuid_least(const char *text, struct uuid *u);
bool uuid_begins(const struct uuid *u, const char *text);
/* The next higher id. */
void uuid_rise(struct uuid *u);

#endif
