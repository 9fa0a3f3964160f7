/*
 * ndjson_read.c - a line of NDJSON to a MessagePack record
 *
 * One pass, no tree: values are written behind each other as they are read. How many items an
 * object or array has is known at its end; one byte is kept free for its head, and what follows
 * moves when the head needs more. The keys of the objects that are open are remembered by their
 * place in the record, to find one that comes twice: compared one by one in a small object, sorted
 * at its end in a large one.
 */
#include "tools/handoff/ndjson.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/mpcheck.h"
#include "wire/text.h"

/* Up to so many keys are compared one by one. */
#define SMALL_OBJECT_KEYS 16
#define NUMBER_MAX_CHARS 400

struct key {
	size_t at, len;		/* in the record */
	const char *bytes;	/* only while they are sorted */
};

struct parser {
	struct ndjson_reader *r;
	struct buf *out;
	const char *start, *at, *end;
	bool has_id;		/* r->id is set */
	bool has_dropped;	/* the line's own record_id, since it is made of another field */
};

static bool read_value(struct parser *p, unsigned depth);

/* --- saying what is wrong -------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static bool fail(struct parser *p, const char *fmt, ...)
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

/* The key's text for people. */
static const char *shown(char out[64], const char *key, size_t len)
{
	text_escape(out, 64, key, len);
	return out;
}

/* --- writing MessagePack --------------------------------------------------------------------- */

static void put_big_endian(struct buf *out, uint8_t head, uint64_t value, unsigned bytes)
{
	uint8_t encoded[9] = { head };

	for (unsigned i = 0; i < bytes; i++)
		encoded[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	buf_put(out, encoded, 1 + bytes);
}

static void put_byte(struct buf *out, unsigned byte)
{
	put_big_endian(out, (uint8_t)byte, 0, 0);
}

static void put_uint(struct buf *out, uint64_t v)
{
	if (v < 0x80)
		put_byte(out, (unsigned)v);
	else if (v <= UINT8_MAX)
		put_big_endian(out, 0xcc, v, 1);
	else if (v <= UINT16_MAX)
		put_big_endian(out, 0xcd, v, 2);
	else if (v <= UINT32_MAX)
		put_big_endian(out, 0xce, v, 4);
	else
		put_big_endian(out, 0xcf, v, 8);
}

static void put_negative(struct buf *out, int64_t v)
{
	if (v >= -32)
		put_byte(out, (unsigned)(v & 0xff));
	else if (v >= INT8_MIN)
		put_big_endian(out, 0xd0, (uint64_t)v, 1);
	else if (v >= INT16_MIN)
		put_big_endian(out, 0xd1, (uint64_t)v, 2);
	else if (v >= INT32_MIN)
		put_big_endian(out, 0xd2, (uint64_t)v, 4);
	else
		put_big_endian(out, 0xd3, (uint64_t)v, 8);
}

static void put_float(struct buf *out, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_big_endian(out, 0xcb, bits, 8);
}

/* The head of a str, whose bytes follow; returns its size. */
static unsigned text_head(uint8_t head[5], size_t len)
{
	unsigned extra = 0;

	if (len < 32) {
		head[0] = (uint8_t)(0xa0 | len);
	} else if (len <= UINT8_MAX) {
		head[0] = 0xd9;
		extra = 1;
	} else if (len <= UINT16_MAX) {
		head[0] = 0xda;
		extra = 2;
	} else {
		head[0] = 0xdb;
		extra = 4;
	}
	for (unsigned i = 0; i < extra; i++)
		head[1 + i] = (uint8_t)(len >> (8 * (extra - 1 - i)));
	return 1 + extra;
}

static void put_text(struct buf *out, const char *text, size_t len)
{
	uint8_t head[5];

	buf_put(out, head, text_head(head, len));
	buf_put(out, text, len);
}

/* Puts `head` where `reserved` bytes at `at` were kept for it, and moves what follows if needed. */
static void place_head(struct buf *out, size_t at, size_t reserved, const uint8_t *head, size_t size)
{
	const size_t follows = out->len - at - reserved;
	uint8_t *bytes;

	if (buf_reserve(out, size) == NULL)
		return;
	bytes = buf_bytes(out) + at;
	if (size != reserved)
		memmove(bytes + size, bytes + reserved, follows);
	memcpy(bytes, head, size);
	out->len = at + size + follows;
}

/* An array's or a map's head at `at`, where one byte is reserved. */
static void place_count(struct buf *out, size_t at, bool is_map, uint32_t count)
{
	uint8_t head[5];
	size_t size;

	if (count < 16) {
		head[0] = (uint8_t)((is_map ? 0x80 : 0x90) | count);
		size = 1;
	} else if (count <= UINT16_MAX) {
		head[0] = is_map ? 0xde : 0xdc;
		head[1] = (uint8_t)(count >> 8);
		head[2] = (uint8_t)count;
		size = 3;
	} else {
		head[0] = is_map ? 0xdf : 0xdd;
		for (unsigned i = 0; i < 4; i++)
			head[1 + i] = (uint8_t)(count >> (24 - 8 * i));
		size = 5;
	}
	place_head(out, at, 1, head, size);
}

/* --- the small things ------------------------------------------------------------------------ */

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n'))
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_blanks(p);
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static bool read_word(struct parser *p, const char *word, unsigned encoded)
{
	const size_t n = strlen(word);

	if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
		return fail(p, "expected a JSON value");
	p->at += n;
	put_byte(p->out, encoded);
	return true;
}

/* --- numbers --------------------------------------------------------------------------------- */

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Where the number at p->at ends, NULL when it is none; *is_float: it has a fraction or exponent. */
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
		return fail(p, "%s does not fit into 64 bits; write it as a string or a float", text);
	if (*text == '-' && v == 0)
		put_float(p->out, -0.0);
	else if (*text == '-')
		put_negative(p->out, (int64_t)(0 - v));
	else
		put_uint(p->out, v);
	return true;
}

static bool read_number(struct parser *p)
{
	char text[NUMBER_MAX_CHARS + 1];
	bool is_float;
	const char *end = number_end(p, &is_float);
	double v;

	if (end == NULL)
		return fail(p, "this is not a number");
	if (end - p->at > NUMBER_MAX_CHARS)
		return fail(p, "a number of more than %d characters", NUMBER_MAX_CHARS);
	memcpy(text, p->at, (size_t)(end - p->at));
	text[end - p->at] = '\0';
	if (!is_float) {
		if (!put_integer_text(p, text))
			return false;
	} else {
		v = strtod(text, NULL);
		if (!isfinite(v))
			return fail(p, "%s is too large for a float", text);
		put_float(p->out, v);
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
		put_byte(out, code);
		return;
	}
	if (code < 0x800) {
		put_byte(out, 0xc0 | code >> 6);
	} else if (code < 0x10000) {
		put_byte(out, 0xe0 | code >> 12);
		put_byte(out, 0x80 | (code >> 6 & 0x3f));
	} else {
		put_byte(out, 0xf0 | code >> 18);
		put_byte(out, 0x80 | (code >> 12 & 0x3f));
		put_byte(out, 0x80 | (code >> 6 & 0x3f));
	}
	put_byte(out, 0x80 | (code & 0x3f));
}

/* Behind \u: a code point, of which the larger ones are written as two surrogates. */
static bool read_code_point(struct parser *p)
{
	uint32_t code, low;

	if (!read_hex4(p, &code))
		return fail(p, "\\u needs four hexadecimal digits");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u')
			return fail(p, "half of a surrogate pair");
		p->at += 2;
		if (!read_hex4(p, &low) || low < 0xdc00 || low > 0xdfff)
			return fail(p, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code >= 0xdc00 && code <= 0xdfff) {
		return fail(p, "half of a surrogate pair");
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
		return fail(p, "the line ends within a string");
	if (*p->at == 'u') {
		p->at++;
		return read_code_point(p);
	}
	which = memchr(from, *p->at, sizeof(from) - 1);
	if (which == NULL)
		return fail(p, "JSON has no escape \\%c", *p->at);
	put_byte(p->out, (unsigned)to[which - from]);
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
		return fail(p, "the text before is not UTF-8");
	buf_put(p->out, from, (size_t)(p->at - from));
	return true;
}

/* A string; *text gets where its bytes stand in the record. */
static bool read_string(struct parser *p, struct key *text)
{
	const size_t head_at = p->out->len;
	uint8_t head[5];
	size_t len, size;

	if (!take(p, '"'))
		return fail(p, "expected a string");
	put_byte(p->out, 0);
	for (;;) {
		if (!read_plain(p))
			return false;
		if (p->at == p->end)
			return fail(p, "the line ends within a string");
		if (*p->at == '"')
			break;
		if (*p->at != '\\')
			return fail(p, "a control character in a string must be escaped");
		if (!read_escape(p))
			return false;
	}
	p->at++;
	if (p->out->failed)
		return fail(p, "out of memory");
	len = p->out->len - head_at - 1;
	size = text_head(head, len);
	place_head(p->out, head_at, 1, head, size);
	*text = (struct key){ .at = head_at + size, .len = len };
	return true;
}

/* --- keys that come twice -------------------------------------------------------------------- */

static const char *bytes_at(const struct parser *p, size_t at)
{
	return (const char *)buf_bytes(p->out) + at;
}

static struct key *keys_from(const struct parser *p, size_t first)
{
	return (struct key *)(void *)buf_bytes(&p->r->keys) + first;
}

static size_t key_count(const struct parser *p)
{
	return p->r->keys.len / sizeof(struct key);
}

static bool fail_twice(struct parser *p, const struct key *key)
{
	char text[64];

	return fail(p, "the key \"%s\" comes twice", shown(text, bytes_at(p, key->at), key->len));
}

/* Adds a key of the object whose keys begin at `first`. */
static bool add_key(struct parser *p, size_t first, const struct key *key)
{
	const size_t n = key_count(p) - first;
	const struct key *others = n > 0 ? keys_from(p, first) : NULL;

	for (size_t i = 0; n < SMALL_OBJECT_KEYS && i < n; i++)
		if (others[i].len == key->len &&
		    memcmp(bytes_at(p, others[i].at), bytes_at(p, key->at), key->len) == 0)
			return fail_twice(p, key);
	buf_put(&p->r->keys, key, sizeof(*key));
	return !p->r->keys.failed || fail(p, "out of memory");
}

static int compare_keys(const void *left, const void *right)
{
	const struct key *a = left, *b = right;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->bytes, b->bytes, a->len);
}

/* The object ends: its keys are checked, and forgotten. */
static bool check_keys(struct parser *p, size_t first)
{
	const size_t n = key_count(p) - first;
	struct key *keys = n > 0 ? keys_from(p, first) : NULL;

	if (n > SMALL_OBJECT_KEYS) {
		for (size_t i = 0; i < n; i++)
			keys[i].bytes = bytes_at(p, keys[i].at);
		qsort(keys, n, sizeof(*keys), compare_keys);
		for (size_t i = 1; i < n; i++)
			if (compare_keys(&keys[i - 1], &keys[i]) == 0)
				return fail_twice(p, &keys[i]);
	}
	p->r->keys.len = first * sizeof(struct key);
	return true;
}

/* --- record_id ------------------------------------------------------------------------------- */

static bool is_text(const struct parser *p, const struct key *text, const char *what)
{
	return text->len == strlen(what) && memcmp(bytes_at(p, text->at), what, text->len) == 0;
}

/* The field that names the record has been read, from `from` on to value_at: its text. */
static bool take_id(struct parser *p, const char *from, size_t value_at)
{
	struct mp_head head;

	if (mp_head_read(buf_bytes(p->out) + value_at, p->out->len - value_at, &head) != MP_OK)
		return fail(p, "out of memory");
	if (head.type == MP_STR)
		buf_put(&p->r->id, bytes_at(p, value_at + head.size), (size_t)head.count);
	else if (head.type == MP_UINT || head.type == MP_INT)
		buf_put(&p->r->id, from, (size_t)(p->at - from));
	else
		return fail(p, "%s must be a string or an integer", p->r->id_field);
	p->has_id = true;
	return true;
}

/*
 * A pair of the record itself has been read, and stands last. False in *is_kept: it was taken out,
 * because record_id is made of another field.
 */
static bool note_pair(struct parser *p, const struct key *key, size_t pair_at, size_t value_at,
    const char *from, bool *is_kept)
{
	static const char critical[] = "\xa8" "CRITICAL";
	const bool is_own = is_text(p, key, "record_id");

	if (is_text(p, key, p->r->id_field)) {
		if (!take_id(p, from, value_at))
			return false;
		if (is_own) {
			p->out->len = value_at;
			put_text(p->out, (const char *)buf_bytes(&p->r->id), p->r->id.len);
		}
	} else if (is_own) {
		if (p->has_dropped)
			return fail_twice(p, key);
		p->has_dropped = true;
		p->r->keys.len -= sizeof(struct key);
		p->out->len = pair_at;
		*is_kept = false;
	} else if (is_text(p, key, "priority")) {
		p->r->is_critical = p->out->len - value_at == sizeof(critical) - 1 &&
		    memcmp(bytes_at(p, value_at), critical, sizeof(critical) - 1) == 0;
	}
	return true;
}

/* The record's pair that the line did not have, where it did not. */
static bool add_id(struct parser *p, const char *made_id, uint32_t *pairs)
{
	static const char name[] = "record_id";
	const bool is_own = strcmp(p->r->id_field, name) == 0;

	if (!p->has_id) {
		if (!is_own)
			return fail(p, "there is no field \"%s\" to take record_id from",
				    p->r->id_field);
		buf_put(&p->r->id, made_id, strlen(made_id));
	} else if (is_own) {
		return true;
	}
	put_text(p->out, name, strlen(name));
	put_text(p->out, (const char *)buf_bytes(&p->r->id), p->r->id.len);
	++*pairs;
	return true;
}

/* --- values ---------------------------------------------------------------------------------- */

static bool read_array(struct parser *p, unsigned depth)
{
	const size_t head_at = p->out->len;
	uint32_t count = 0;

	p->at++;
	put_byte(p->out, 0);
	if (!take(p, ']')) {
		do {
			if (!read_value(p, depth + 1))
				return false;
			count++;
		} while (take(p, ','));
		if (!take(p, ']'))
			return fail(p, "expected , or ] in an array");
	}
	place_count(p->out, head_at, false, count);
	return true;
}

/* Pairs up to the }; the record's own where depth is 1. */
static bool read_pairs(struct parser *p, unsigned depth, size_t first_key, uint32_t *count)
{
	struct key key = { 0 };

	do {
		const size_t pair_at = p->out->len;
		bool is_kept = true;
		const char *from;
		size_t value_at;

		if (!read_string(p, &key) || !add_key(p, first_key, &key))
			return false;
		if (!take(p, ':'))
			return fail(p, "expected : behind a key");
		skip_blanks(p);
		from = p->at;
		value_at = p->out->len;
		if (!read_value(p, depth + 1))
			return false;
		if (depth == 1 && !note_pair(p, &key, pair_at, value_at, from, &is_kept))
			return false;
		*count += is_kept;
	} while (take(p, ','));
	return take(p, '}') || fail(p, "expected , or } in an object");
}

static bool read_object(struct parser *p, unsigned depth, const char *made_id)
{
	const size_t head_at = p->out->len, first_key = key_count(p);
	uint32_t count = 0;

	p->at++;
	put_byte(p->out, 0);
	if (!take(p, '}') && !read_pairs(p, depth, first_key, &count))
		return false;
	if (!check_keys(p, first_key))
		return false;
	if (depth == 1 && !add_id(p, made_id, &count))
		return false;
	place_count(p->out, head_at, true, count);
	return true;
}

static bool read_value(struct parser *p, unsigned depth)
{
	struct key text;

	skip_blanks(p);
	if (p->at == p->end)
		return fail(p, "the line ends where a value should be");
	if (depth > NDJSON_DEPTH_MAX && (*p->at == '{' || *p->at == '['))
		return fail(p, "nested deeper than %d", NDJSON_DEPTH_MAX);
	switch (*p->at) {
	case '{':
		return read_object(p, depth, NULL);
	case '[':
		return read_array(p, depth);
	case '"':
		return read_string(p, &text);
	case 't':
		return read_word(p, "true", 0xc3);
	case 'f':
		return read_word(p, "false", 0xc2);
	case 'n':
		return read_word(p, "null", 0xc0);
	default:
		return read_number(p);
	}
}

/* --- a line ---------------------------------------------------------------------------------- */

void ndjson_reader_init(struct ndjson_reader *r, const char *id_field)
{
	*r = (struct ndjson_reader){ .id_field = id_field != NULL ? id_field : "record_id" };
	buf_init(&r->record, 0);
	buf_init(&r->id, 0);
	buf_init(&r->keys, 0);
}

void ndjson_reader_finish(struct ndjson_reader *r)
{
	buf_finish(&r->record);
	buf_finish(&r->id);
	buf_finish(&r->keys);
}

bool ndjson_read(struct ndjson_reader *r, const char *line, size_t len, const char *made_id)
{
	struct parser p = { .r = r, .out = &r->record, .start = line, .at = line, .end = line + len };

	buf_clear(&r->record);
	buf_clear(&r->id);
	buf_clear(&r->keys);
	r->why[0] = '\0';
	r->is_critical = false;
	skip_blanks(&p);
	if (p.at == p.end || *p.at != '{')
		return fail(&p, "a record is a JSON object: expected {");
	if (!read_object(&p, 1, made_id))
		return false;
	skip_blanks(&p);
	if (p.at != p.end)
		return fail(&p, "something follows the record; write each on a line of its own");
	if (r->record.failed || r->id.failed)
		return fail(&p, "out of memory");
	return true;
}
