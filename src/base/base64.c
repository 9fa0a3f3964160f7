/* base64.c - bytes as letters, RFC 4648 section 4, with padding */
#include "base/base64.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *p, size_t n)
{
	const uint8_t *from = p;
	uint8_t *to = buf_reserve(out, BASE64_LEN(n));
	size_t at = 0;

	if (to == NULL)
		return;
	for (; n > 0; from += 3, n -= n < 3 ? n : 3) {
		const unsigned bits = (unsigned)from[0] << 16 |
				      (n > 1 ? (unsigned)from[1] << 8 : 0) | (n > 2 ? from[2] : 0u);

		to[at++] = (uint8_t)alphabet[bits >> 18];
		to[at++] = (uint8_t)alphabet[bits >> 12 & 63];
		to[at++] = n > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
		to[at++] = n > 2 ? (uint8_t)alphabet[bits & 63] : '=';
	}
	buf_grow(out, at);
}

/* 64: none of the alphabet. */
static unsigned value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* One group to `to`; how many bytes, 0: it is none. Only the last may be padded. */
static size_t decode_group(const char *g, bool last, uint8_t to[3])
{
	const size_t pad = last && g[3] == '=' ? (g[2] == '=' ? 2 : 1) : 0;
	unsigned bits = 0;

	for (size_t i = 0; i < 4; i++) {
		const unsigned v = i < 4 - pad ? value_of(g[i]) : 0;

		if (v == 64)
			return 0;
		bits = bits << 6 | v;
	}
	/* Bits that no byte has are zero: each text has one meaning, and each meaning one text. */
	if ((bits & (pad == 2 ? 0xffffu : pad == 1 ? 0xffu : 0u)) != 0)
		return 0;
	to[0] = (uint8_t)(bits >> 16);
	to[1] = (uint8_t)(bits >> 8);
	to[2] = (uint8_t)bits;
	return 3 - pad;
}

bool base64_decode(struct buf *out, const char *text, size_t len)
{
	uint8_t *to = len > 0 && len % 4 == 0 ? buf_reserve(out, len / 4 * 3) : NULL;
	size_t at = 0;

	if (to == NULL)
		return len == 0 && !out->failed;
	for (size_t i = 0; i < len; i += 4) {
		const size_t n = decode_group(text + i, i + 4 == len, to + at);

		if (n == 0)
			return false;
		at += n;
	}
	buf_grow(out, at);
	return true;
}
