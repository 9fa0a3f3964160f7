/*
 * ndjson_write.c - a MessagePack record to a line of NDJSON
 *
 * A loop over items in the order of their bytes; `stack` has what is still to come of each map and
 * array that is open. The bytes are checked by the heads' reader as they are walked.
 */
#include "tools/handoff/ndjson.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/mpcheck.h"
#include "wire/text.h"

struct level {
	uint64_t left;		/* items to come: in a map, keys and values */
	bool is_map;
	bool has_begun;		/* an item stands in it */
};

struct writer {
	struct buf *out;
	const uint8_t *at, *end;
	struct level stack[MP_NESTING_MAX];
	unsigned depth;
	char *why;
};

static bool fail(struct writer *w, const char *why)
{
	snprintf(w->why, NDJSON_WHY_SIZE, "%s", why);
	return false;
}

static void put(struct writer *w, const char *text)
{
	buf_put(w->out, text, strlen(text));
}

/* --- scalars --------------------------------------------------------------------------------- */

/* What of a control character, quote or backslash JSON writes; others have no short form. */
static void put_escaped(struct writer *w, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *which = c != '\0' ? strchr(from, c) : NULL;
	char text[8];

	if (which != NULL)
		snprintf(text, sizeof(text), "\\%c", to[which - from]);
	else
		snprintf(text, sizeof(text), "\\u%04x", c);
	put(w, text);
}

static bool put_text(struct writer *w, const char *text, size_t len)
{
	size_t from = 0;

	if (!text_is_utf8(text, len))
		return fail(w, "a text that is no UTF-8, for which JSON has no form");
	put(w, "\"");
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_put(w->out, text + from, i - from);
		put_escaped(w, c);
		from = i + 1;
	}
	buf_put(w->out, text + from, len - from);
	put(w, "\"");
	return true;
}

/* RFC 4648, with padding. */
static void put_base64(struct writer *w, const uint8_t *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	put(w, "\"");
	for (size_t i = 0; i < n; i += 3) {
		const uint32_t three = (uint32_t)p[i] << 16 |
		    (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 | (i + 2 < n ? p[i + 2] : 0);
		const char four[4] = {
			digits[three >> 18], digits[three >> 12 & 63],
			i + 1 < n ? digits[three >> 6 & 63] : '=', i + 2 < n ? digits[three & 63] : '=',
		};

		buf_put(w->out, four, sizeof(four));
	}
	put(w, "\"");
}

/* The fewest of 15 to 17 digits that are read back as the same number; always with a point or an
 * exponent. */
static bool put_float(struct writer *w, double v)
{
	char text[40];

	if (!isfinite(v))
		return fail(w, "a float that is infinite or no number, for which JSON has no form");
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	put(w, text);
	if (strpbrk(text, ".e") == NULL)
		put(w, ".0");
	return true;
}

static bool put_scalar(struct writer *w, const struct mp_head *head, const uint8_t *content)
{
	char text[24];

	switch (head->type) {
	case MP_NIL:
		put(w, "null");
		return true;
	case MP_BOOL:
		put(w, head->number != 0 ? "true" : "false");
		return true;
	case MP_UINT:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)head->count);
		put(w, text);
		return true;
	case MP_INT:
		snprintf(text, sizeof(text), "%lld", (long long)head->number);
		put(w, text);
		return true;
	case MP_FLOAT:
		return put_float(w, head->real);
	case MP_STR:
		return put_text(w, (const char *)content, (size_t)head->count);
	case MP_BIN:
		put_base64(w, content, (size_t)head->count);
		return true;
	default:
		return fail(w, "an extension type, for which JSON has no form");
	}
}

/* --- maps and arrays ------------------------------------------------------------------------- */

static bool open_level(struct writer *w, const struct mp_head *head)
{
	const bool is_map = head->type == MP_MAP;

	if (w->depth == MP_NESTING_MAX)
		return fail(w, "nested too deep");
	w->stack[w->depth++] = (struct level){ is_map ? head->count * 2 : head->count, is_map, false };
	put(w, is_map ? "{" : "[");
	return true;
}

/* An item has ended: closes what ends with it, or goes on to the next. */
static void end_item(struct writer *w)
{
	struct level *top;

	while (w->depth > 0) {
		top = &w->stack[w->depth - 1];
		if (top->left > 0)
			return;
		put(w, top->is_map ? "}" : "]");
		w->depth--;
	}
}

/* What stands before the next item, which is taken off the count. */
static void put_separator(struct writer *w)
{
	struct level *top = w->depth > 0 ? &w->stack[w->depth - 1] : NULL;

	if (top == NULL)
		return;
	if (top->is_map && top->left % 2 == 1)
		put(w, ":");
	else if (top->has_begun)
		put(w, ",");
	top->has_begun = true;
	top->left--;
}

static bool put_item(struct writer *w)
{
	struct mp_head head;
	const bool is_key = w->depth > 0 && w->stack[w->depth - 1].is_map &&
	    w->stack[w->depth - 1].left % 2 == 0;

	if (mp_head_read(w->at, (size_t)(w->end - w->at), &head) != MP_OK)
		return fail(w, "no MessagePack");
	if (is_key && head.type != MP_STR)
		return fail(w, "a key that is no string, for which JSON has no form");
	put_separator(w);
	w->at += head.size;
	if (head.type == MP_ARRAY || head.type == MP_MAP)
		return open_level(w, &head);
	if (!put_scalar(w, &head, w->at))
		return false;
	if (head.type == MP_STR || head.type == MP_BIN)
		w->at += head.count;
	return true;
}

bool ndjson_write(struct buf *out, const void *record, size_t len, char *why)
{
	struct writer w = { .out = out, .at = record, .why = why };
	const size_t before = out->len;
	bool is_good;

	w.end = w.at + len;
	do {
		is_good = put_item(&w);
		if (is_good)
			end_item(&w);
	} while (is_good && w.depth > 0);
	put(&w, "\n");
	if (is_good && out->failed)
		is_good = fail(&w, "out of memory");
	if (!is_good) {
		out->failed = false;
		out->len = before;
	}
	return is_good;
}
