/*
 * ndjson_read.c - a line of NDJSON to a MessagePack record
 *
 * One pass, no tree: values are written behind each other as they are read. How many items an
 * object or array has is known at its end; one byte is kept free for its head, and what follows
 * moves when the head needs more. The keys of the objects that are open are remembered by their
 * place in the record, to find one that comes twice: compared one by one in a small object, sorted
 * at its end in a large one.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/handoff/mpput.h"
#include "tools/handoff/ndjson_internal.h"
#include "wire/mpcheck.h"
#include "wire/text.h"

/* Up to so many keys are compared one by one. */
#define SMALL_OBJECT_KEYS 16

static bool read_value(struct parser *p, unsigned depth);

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

	text_escape(text, sizeof(text), bytes_at(p, key->at), key->len);
	return ndjson_fail(p, "the key \"%s\" comes twice", text);
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
	return !p->r->keys.failed || ndjson_fail(p, "out of memory");
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
		return ndjson_fail(p, "out of memory");
	if (head.type == MP_STR)
		buf_put(&p->r->id, bytes_at(p, value_at + head.size), (size_t)head.count);
	else if (head.type == MP_UINT || head.type == MP_INT)
		buf_put(&p->r->id, from, (size_t)(p->at - from));
	else
		return ndjson_fail(p, "%s must be a string or an integer", p->r->id_field);
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
			mp_put_text(p->out, (const char *)buf_bytes(&p->r->id), p->r->id.len);
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
			return ndjson_fail(p, "there is no field \"%s\" to take record_id from",
				    p->r->id_field);
		buf_put(&p->r->id, made_id, strlen(made_id));
	} else if (is_own) {
		return true;
	}
	mp_put_text(p->out, name, strlen(name));
	mp_put_text(p->out, (const char *)buf_bytes(&p->r->id), p->r->id.len);
	++*pairs;
	return true;
}

/* --- values ---------------------------------------------------------------------------------- */

static bool read_array(struct parser *p, unsigned depth)
{
	const size_t head_at = p->out->len;
	uint32_t count = 0;

	p->at++;
	mp_put_byte(p->out, 0);
	if (!ndjson_take(p, ']')) {
		do {
			if (!read_value(p, depth + 1))
				return false;
			count++;
		} while (ndjson_take(p, ','));
		if (!ndjson_take(p, ']'))
			return ndjson_fail(p, "expected , or ] in an array");
	}
	mp_place_count(p->out, head_at, false, count);
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

		if (!ndjson_read_string(p, &key) || !add_key(p, first_key, &key))
			return false;
		if (!ndjson_take(p, ':'))
			return ndjson_fail(p, "expected : behind a key");
		ndjson_skip_blanks(p);
		from = p->at;
		value_at = p->out->len;
		if (!read_value(p, depth + 1))
			return false;
		if (depth == 1 && !note_pair(p, &key, pair_at, value_at, from, &is_kept))
			return false;
		*count += is_kept;
	} while (ndjson_take(p, ','));
	return ndjson_take(p, '}') || ndjson_fail(p, "expected , or } in an object");
}

static bool read_object(struct parser *p, unsigned depth, const char *made_id)
{
	const size_t head_at = p->out->len, first_key = key_count(p);
	uint32_t count = 0;

	p->at++;
	mp_put_byte(p->out, 0);
	if (!ndjson_take(p, '}') && !read_pairs(p, depth, first_key, &count))
		return false;
	if (!check_keys(p, first_key))
		return false;
	if (depth == 1 && !add_id(p, made_id, &count))
		return false;
	mp_place_count(p->out, head_at, true, count);
	return true;
}

static bool read_value(struct parser *p, unsigned depth)
{
	struct key text;

	ndjson_skip_blanks(p);
	if (p->at == p->end)
		return ndjson_fail(p, "the line ends where a value should be");
	if (depth > NDJSON_DEPTH_MAX && (*p->at == '{' || *p->at == '['))
		return ndjson_fail(p, "nested deeper than %d", NDJSON_DEPTH_MAX);
	switch (*p->at) {
	case '{':
		return read_object(p, depth, NULL);
	case '[':
		return read_array(p, depth);
	case '"':
		return ndjson_read_string(p, &text);
	case 't':
		return ndjson_read_word(p, "true", 0xc3);
	case 'f':
		return ndjson_read_word(p, "false", 0xc2);
	case 'n':
		return ndjson_read_word(p, "null", 0xc0);
	default:
		return ndjson_read_number(p);
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
	ndjson_skip_blanks(&p);
	if (p.at == p.end || *p.at != '{')
		return ndjson_fail(&p, "a record is a JSON object: expected {");
	if (!read_object(&p, 1, made_id))
		return false;
	ndjson_skip_blanks(&p);
	if (p.at != p.end)
		return ndjson_fail(&p, "something follows the record; write each on a line of its own");
	if (r->record.failed || r->id.failed)
		return ndjson_fail(&p, "out of memory");
	return true;
}
