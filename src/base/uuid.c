/* uuid.c - identifiers to text and back, and the version-4 ids that sort by time */
#include "base/uuid.h"

#include <string.h>

static bool is_dash_place(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool uuid_parse(const char *s, size_t len, struct uuid *u)
{
	struct uuid read = { 0 };
	size_t digits = 0;

	if (len != UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit;

		if (is_dash_place(i)) {
			if (s[i] != '-')
				return false;
			continue;
		}
		digit = hex_digit(s[i]);
		if (digit < 0)
			return false;
		read.b[digits / 2] = (uint8_t)((read.b[digits / 2] << 4) | digit);
		digits++;
	}
	*u = read;
	return true;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < sizeof(u->b); i++) {
		if (is_dash_place(at))
			out[at++] = '-';
		out[at++] = hex[u->b[i] >> 4];
		out[at++] = hex[u->b[i] & 15];
	}
	out[at] = '\0';
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
