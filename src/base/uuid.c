/* uuid.c - identifiers to text and back, and the version-4 ids that sort by time */
#include "base/uuid.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Where the two digits of each byte stand; there are dashes between them. */
static const uint8_t byte_places[16] = {
	0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34,
};

/*
 * What a hex digit is worth, and one more; 0 where there is none. A table, for no branch is taken.
 */
static const uint8_t digit_values[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
	['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15,
	['f'] = 16, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool uuid_parse(const char *s, size_t len, struct uuid *u)
{
	struct uuid read;

	if (len != UUID_TEXT_LEN || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-')
		return false;
	for (size_t i = 0; i < sizeof(read.b); i++) {
		const uint8_t high = digit_values[(uint8_t)s[byte_places[i]]];
		const uint8_t low = digit_values[(uint8_t)s[byte_places[i] + 1]];

		if (high == 0 || low == 0)
			return false;
		read.b[i] = (uint8_t)((high - 1) << 4 | (low - 1));
	}
	*u = read;
	return true;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(u->b); i++) {
		out[byte_places[i]] = hex[u->b[i] >> 4];
		out[byte_places[i] + 1] = hex[u->b[i] & 15];
	}
	out[8] = out[13] = out[18] = out[23] = '-';
	out[UUID_TEXT_LEN] = '\0';
}

void uuid_make(struct uuid *u, uint64_t ms, const uint8_t random[16])
{
	memcpy(u->b, random, sizeof(u->b));
	for (unsigned i = 0; i < 6; i++)
		u->b[i] = (uint8_t)(ms >> (40 - 8 * i));
	u->b[6] = (uint8_t)(0x40 | (u->b[6] & 0x0f));	/* version 4 */
	u->b[8] = (uint8_t)(0x80 | (u->b[8] & 0x3f));	/* the variant of RFC 9562 */
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool uuid_least(const char *text, struct uuid *u)
{
	char whole[UUID_TEXT_LEN + 1] = "00000000-0000-0000-0000-000000000000";
	size_t n = strlen(text);

	if (n == 0 || n > UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (whole[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		whole[i] = text[i];
	}
	return uuid_parse(whole, UUID_TEXT_LEN, u);
}

/* Of a million ids nearly none begins so: what tells most of them apart is looked at first. */
static bool may_begin(const struct uuid *u, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t n = 0; n < 4 && text[n]; n++) {
		unsigned digit = n % 2 ? u->b[n / 2] & 15u : u->b[n / 2] >> 4;
		if (tolower((unsigned char)text[n]) != digits[digit])
			return false;
	}
	return true;
}

bool uuid_begins(const struct uuid *u, const char *text)
{
	char whole[UUID_TEXT_LEN + 1];

	if (!may_begin(u, text))
		return false;
	uuid_format(u, whole);
	return strncasecmp(whole, text, strlen(text)) == 0;
}

void uuid_rise(struct uuid *u)
{
	for (size_t i = sizeof u->b; i-- > 0 && ++u->b[i] == 0;)
		;
}
