/* text.c - UTF-8 checked and escaped */
#include "wire/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK "…"
#define CUT_MARK_LEN (sizeof(CUT_MARK) - 1)

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The length of the well-formed sequence at p, 0 when there is none. */
static size_t sequence_length(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xbf;	/* what the second byte may be */
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		len = 3;
		if (p[0] == 0xe0)
			low = 0xa0;	/* below: overlong */
		else if (p[0] == 0xed)
			high = 0x9f;	/* above: surrogates */
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		if (p[0] == 0xf0)
			low = 0x90;	/* below: overlong */
		else if (p[0] == 0xf4)
			high = 0x8f;	/* above: more than U+10FFFF */
	} else {
		return 0;
	}
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!is_continuation(p[i]))
			return 0;
	return len;
}

static bool is_ascii(const uint8_t *p, size_t n)
{
	uint64_t all = 0, word;

	if (n < sizeof(word)) {
		for (size_t i = 0; i < n; i++)
			all |= p[i];
	} else {
		for (size_t at = 0; at + sizeof(word) < n; at += sizeof(word)) {
			memcpy(&word, p + at, sizeof(word));
			all |= word;
		}
		memcpy(&word, p + n - sizeof(word), sizeof(word));
		all |= word;
	}
	return (all & UINT64_C(0x8080808080808080)) == 0;
}

bool text_is_utf8(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	const uint8_t *end = p + n;

	/* Nearly all there ever is. */
	if (is_ascii(p, n))
		return true;
	while (p < end) {
		const size_t left = (size_t)(end - p);
		const size_t len = left >= 8 && is_ascii(p, 8) ? 8 : sequence_length(p, left);

		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

/* What the bytes at p look like: at most 4 bytes into `shown`; how many of p's were used. */
static size_t show_one(const uint8_t *p, size_t n, char shown[5])
{
	size_t len = sequence_length(p, n);
	bool is_control = len == 1 && (p[0] < 0x20 || p[0] == 0x7f);
	bool is_c1 = len == 2 && p[0] == 0xc2 && p[1] < 0xa0;

	/* Of a C1 control the first byte is escaped here, and the second, then alone, next. */
	if (len == 0 || is_control || is_c1) {
		snprintf(shown, 5, "\\x%02x", p[0]);
		return 1;
	}
	if (p[0] == '\\') {
		memcpy(shown, "\\\\", 3);
		return 1;
	}
	memcpy(shown, p, len);
	shown[len] = '\0';
	return len;
}

size_t text_escape(char *out, size_t room, const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	const uint8_t *end = p + n;
	size_t len = 0;
	size_t cut_at = 0;	/* the longest length that leaves room for the mark */

	while (p < end) {
		char shown[5];
		size_t used = show_one(p, (size_t)(end - p), shown);
		size_t width = strlen(shown);

		if (len + width >= room) {
			memcpy(out + cut_at, CUT_MARK, CUT_MARK_LEN);
			len = cut_at + CUT_MARK_LEN;
			break;
		}
		memcpy(out + len, shown, width);
		len += width;
		if (len + CUT_MARK_LEN < room)
			cut_at = len;
		p += used;
	}
	out[len] = '\0';
	return len;
}
