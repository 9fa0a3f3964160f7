/* ndjson_scalar.c - words, numbers and strings of a line of NDJSON */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/handoff/mpput.h"
#include "tools/handoff/ndjson_internal.h"
#include "wire/text.h"

#define NUMBER_MAX_CHARS 400

/* --- saying what is wrong -------------------------------------------------------------------- */

bool ndjson_fail(struct parser *p, const char *fmt, ...)
{
	char text[NDJSON_WHY_SIZE - 32];
	va_list args;

	if (p->r->why[0] != '\0')
		return false;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(p->r->why, sizeof(p->r->why), "column %zu: %s", (size_t)(p->at - p->start) + 1, text);
	return false;
}

/* --- the small things ------------------------------------------------------------------------ */

void ndjson_skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n'))
		p->at++;
}

bool ndjson_take(struct parser *p, char c)
{
	ndjson_skip_blanks(p);
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

bool ndjson_read_word(struct parser *p, const char *word, unsigned encoded)
{
	const size_t n = strlen(word);

	if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
		return ndjson_fail(p, "expected a JSON value");
	p->at += n;
	mp_put_byte(p->out, encoded);
	return true;
}

/* --- numbers --------------------------------------------------------------------------------- */

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Where the number at p->at ends, NULL when it is none; *is_float: it has a fraction, an exponent. */
static const char *number_end(const struct parser *p, bool *is_float)
{
	const char *at = p->at, *digits;

	*is_float = false;
	at += *at == '-';
	digits = at;
	at = skip_digits(at, p->end);
	if (at == digits || (*digits == '0' && at - digits > 1))
		return NULL;
	if (at < p->end && *at == '.') {
		*is_float = true;
		digits = ++at;
		at = skip_digits(at, p->end);
		if (at == digits)
			return NULL;
	}
	if (at < p->end && (*at == 'e' || *at == 'E')) {
		*is_float = true;
		at++;
		at += at < p->end && (*at == '+' || *at == '-');
		digits = at;
		at = skip_digits(at, p->end);
		if (at == digits)
			return NULL;
	}
	return at;
}

static bool put_integer_text(struct parser *p, const char *text)
{
	const char *const digits = text + (*text == '-');
	unsigned long long v;

	errno = 0;
	v = strtoull(digits, NULL, 10);
	if (errno != 0 || (*text == '-' && v > (unsigned long long)INT64_MAX + 1))
		return ndjson_fail(p, "%s does not fit into 64 bits; write it as a string or a float", text);
	if (*text == '-' && v == 0)
		mp_put_float(p->out, -0.0);
	else if (*text == '-')
		mp_put_negative(p->out, (int64_t)(0 - v));
	else
		mp_put_uint(p->out, v);
	return true;
}

bool ndjson_read_number(struct parser *p)
{
	char text[NUMBER_MAX_CHARS + 1];
	bool is_float;
	const char *end = number_end(p, &is_float);
	double v;

	if (end == NULL)
		return ndjson_fail(p, "this is not a number");
	if (end - p->at > NUMBER_MAX_CHARS)
		return ndjson_fail(p, "a number of more than %d characters", NUMBER_MAX_CHARS);
	memcpy(text, p->at, (size_t)(end - p->at));
	text[end - p->at] = '\0';
	if (!is_float) {
		if (!put_integer_text(p, text))
			return false;
	} else {
		v = strtod(text, NULL);
		if (!isfinite(v))
			return ndjson_fail(p, "%s is too large for a float", text);
		mp_put_float(p->out, v);
	}
	p->at = end;
	return true;
}

/* --- strings --------------------------------------------------------------------------------- */

/* Four hex digits at p->at; false when they are not there. */
static bool read_hex4(struct parser *p, uint32_t *code)
{
	*code = 0;
	if (p->end - p->at < 4)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		const char c = p->at[i];

		if (c >= '0' && c <= '9')
			*code = *code << 4 | (uint32_t)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			*code = *code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	p->at += 4;
	return true;
}

static void put_utf8(struct buf *out, uint32_t code)
{
	if (code < 0x80) {
		mp_put_byte(out, code);
		return;
	}
	if (code < 0x800) {
		mp_put_byte(out, 0xc0 | code >> 6);
	} else if (code < 0x10000) {
		mp_put_byte(out, 0xe0 | code >> 12);
		mp_put_byte(out, 0x80 | (code >> 6 & 0x3f));
	} else {
		mp_put_byte(out, 0xf0 | code >> 18);
		mp_put_byte(out, 0x80 | (code >> 12 & 0x3f));
		mp_put_byte(out, 0x80 | (code >> 6 & 0x3f));
	}
	mp_put_byte(out, 0x80 | (code & 0x3f));
}

/* Behind \u: a code point, of which the larger ones are written as two surrogates. */
static bool read_code_point(struct parser *p)
{
	uint32_t code, low;

	if (!read_hex4(p, &code))
		return ndjson_fail(p, "\\u needs four hexadecimal digits");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u')
			return ndjson_fail(p, "half of a surrogate pair");
		p->at += 2;
		if (!read_hex4(p, &low) || low < 0xdc00 || low > 0xdfff)
			return ndjson_fail(p, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code >= 0xdc00 && code <= 0xdfff) {
		return ndjson_fail(p, "half of a surrogate pair");
	}
	put_utf8(p->out, code);
	return true;
}

static bool read_escape(struct parser *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;

	p->at++;
	if (p->at == p->end)
		return ndjson_fail(p, "the line ends within a string");
	if (*p->at == 'u') {
		p->at++;
		return read_code_point(p);
	}
	which = memchr(from, *p->at, sizeof(from) - 1);
	if (which == NULL)
		return ndjson_fail(p, "JSON has no escape \\%c", *p->at);
	mp_put_byte(p->out, (unsigned)to[which - from]);
	p->at++;
	return true;
}

/* What needs no escape, up to what does. */
static bool read_plain(struct parser *p)
{
	const char *const from = p->at;

	while (p->at < p->end && *p->at != '"' && *p->at != '\\' && (unsigned char)*p->at >= 0x20)
		p->at++;
	if (!text_is_utf8(from, (size_t)(p->at - from)))
		return ndjson_fail(p, "the text before is not UTF-8");
	buf_put(p->out, from, (size_t)(p->at - from));
	return true;
}

bool ndjson_read_string(struct parser *p, struct key *text)
{
	const size_t head_at = p->out->len;
	size_t len;

	if (!ndjson_take(p, '"'))
		return ndjson_fail(p, "expected a string");
	mp_put_byte(p->out, 0);
	for (;;) {
		if (!read_plain(p))
			return false;
		if (p->at == p->end)
			return ndjson_fail(p, "the line ends within a string");
		if (*p->at == '"')
			break;
		if (*p->at != '\\')
			return ndjson_fail(p, "a control character in a string must be escaped");
		if (!read_escape(p))
			return false;
	}
	p->at++;
	len = p->out->len - head_at - 1;
	mp_place_text(p->out, head_at);
	if (p->out->failed)
		return ndjson_fail(p, "out of memory");
	*text = (struct key){ .at = p->out->len - len, .len = len };
	return true;
}
