/* uuid.c - identifiers to text and back, and the version-4 ids that sort by time */
#include "base/uuid.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"

/* The text has its 32 digits in five groups, with dashes between them. */

bool uuid_parse(const char *s, size_t len, struct uuid *u)
{
	char digits[HEX_DIGITS];
	struct uuid read;

	if (len != UUID_TEXT_LEN || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-')
		return false;
	memcpy(digits, s, 8);
	memcpy(digits + 8, s + 9, 4);
	memcpy(digits + 12, s + 14, 4);
	memcpy(digits + 16, s + 19, 4);
	memcpy(digits + 20, s + 24, 12);
	if (!hex_take(digits, true, read.b))
		return false;
	*u = read;
	return true;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1])
{
	char digits[HEX_DIGITS];

	hex_put(u->b, digits);
	memcpy(out, digits, 8);
	memcpy(out + 9, digits + 8, 4);
	memcpy(out + 14, digits + 12, 4);
	memcpy(out + 19, digits + 16, 4);
	memcpy(out + 24, digits + 20, 12);
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
