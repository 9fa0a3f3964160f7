/* notation.c - MessagePack from text, found and edited by path */
#include "notation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include "base/log.h"
#include "wire/mpcheck.h"

static int write_to_buf(void *data, const char *bytes, size_t n)
{
	buf_put(data, bytes, n);
	return 0;
}

static void skip(const char **s)
{
	while (**s == ' ' || **s == '\n' || **s == '\t' || **s == ',' || **s == ':')
		(*s)++;
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Hex digits up to the mark `end`, which is passed too. */
static void put_hex(const char **s, char end, struct buf *out)
{
	while (**s != end) {
		uint8_t byte = (uint8_t)(digit((*s)[0]) << 4 | digit((*s)[1]));

		buf_put(out, &byte, 1);
		*s += 2;
	}
	(*s)++;
}

static void put_number(const char **s, msgpack_packer *pk)
{
	size_t n = strspn(*s, "-0123456789.");

	if (n == 0)
		fatalx("notation: %s", *s);
	if (memchr(*s, '.', n) != NULL)
		msgpack_pack_double(pk, strtod(*s, NULL));
	else if (**s == '-')
		msgpack_pack_int64(pk, strtoll(*s, NULL, 10));
	else
		msgpack_pack_uint64(pk, strtoull(*s, NULL, 10));
	*s += n;
}

static void put_item(const char **s, struct buf *out);

static void put_container(const char **s, msgpack_packer *pk, struct buf *out)
{
	const char end = **s == '{' ? '}' : ']';
	struct buf inside;
	size_t count = 0;

	(*s)++;
	buf_init(&inside, 0);
	for (skip(s); **s != end; skip(s), count++)
		put_item(s, &inside);
	(*s)++;
	if (end == '}')
		msgpack_pack_map(pk, count / 2);
	else
		msgpack_pack_array(pk, count);
	buf_put(out, inside.data, inside.len);
	buf_finish(&inside);
}

static void put_word(const char **s, msgpack_packer *pk)
{
	if (strncmp(*s, "true", 4) == 0) {
		msgpack_pack_true(pk);
		*s += 4;
	} else if (strncmp(*s, "false", 5) == 0) {
		msgpack_pack_false(pk);
		*s += 5;
	} else if (strncmp(*s, "nil", 3) == 0) {
		msgpack_pack_nil(pk);
		*s += 3;
	} else {
		put_number(s, pk);
	}
}

static void put_item(const char **s, struct buf *out)
{
	msgpack_packer pk;
	struct buf bytes;
	const char *end;

	msgpack_packer_init(&pk, out, write_to_buf);
	skip(s);
	switch (**s) {
	case '{':
	case '[':
		put_container(s, &pk, out);
		break;
	case '\'':
		end = strchr(*s + 1, '\'');
		msgpack_pack_str(&pk, (size_t)(end - *s - 1));
		msgpack_pack_str_body(&pk, *s + 1, (size_t)(end - *s - 1));
		*s = end + 1;
		break;
	case '<':
		buf_init(&bytes, 0);
		(*s)++;
		put_hex(s, '>', &bytes);
		msgpack_pack_bin(&pk, bytes.len);
		msgpack_pack_bin_body(&pk, bytes.data, bytes.len);
		buf_finish(&bytes);
		break;
	case '~':
		(*s)++;
		put_hex(s, '~', out);
		break;
	default:
		put_word(s, &pk);
		break;
	}
}

void notation_encode(struct buf *out, const char *text)
{
	put_item(&text, out);
}

void notation_nest(char *out, size_t room, const char *before, unsigned levels, const char *after)
{
	size_t len = (size_t)snprintf(out, room, "%s~", before);

	for (unsigned i = 0; i < levels && len < room; i++)
		len += (size_t)snprintf(out + len, room - len, "91");
	if (len < room)
		len += (size_t)snprintf(out + len, room - len, "c0~%s", after);
	if (len >= room)
		fatalx("notation: no room for %u levels", levels);
}

static size_t item_size(const struct buf *b, size_t at)
{
	size_t size = 0;

	if (mp_item_walk(buf_bytes(b) + at, b->len - at, 1, &size, NULL) == MP_TRUNCATED)
		fatalx("notation: no item at %zu", at);
	return size;
}

struct notation_place notation_find(const struct buf *b, const char *path)
{
	struct notation_place place = { 0 };
	struct mp_head head;

	for (;;) {
		size_t name_len = strcspn(path, ".");
		size_t at = place.value;
		bool found = false;

		if (mp_head_read(buf_bytes(b) + at, b->len - at, &head) != MP_OK)
			fatalx("notation: no container at %s", path);
		place.parent = at;
		at += head.size;
		for (size_t i = 0; i < head.count && !found; i++) {
			struct mp_head key;

			place.key = at;
			if (head.type == MP_MAP) {
				if (mp_head_read(buf_bytes(b) + at, b->len - at, &key) != MP_OK)
					fatalx("notation: no key at %s", path);
				found = key.count == name_len &&
				    memcmp(buf_bytes(b) + at + key.size, path, name_len) == 0;
				at += item_size(b, at);
			} else {
				found = i == strtoul(path, NULL, 10);
			}
			place.value = at;
			at += item_size(b, at);
			place.end = at;
		}
		if (!found)
			fatalx("notation: no such path: %s", path);
		if (path[name_len] == '\0')
			return place;
		path += name_len + 1;
	}
}

/* Puts `with` in the place of [from, to). */
static void splice(struct buf *b, size_t from, size_t to, const struct buf *with)
{
	struct buf out;

	buf_init(&out, 0);
	buf_put(&out, buf_bytes(b), from);
	if (with != NULL && with->len > 0)
		buf_put(&out, buf_bytes(with), with->len);
	buf_put(&out, buf_bytes(b) + to, b->len - to);
	buf_finish(b);
	*b = out;
}

/* The containers of the tests are small: their count is in their first byte. */
static void recount(struct buf *b, size_t parent, int by)
{
	uint8_t *head = buf_bytes(b) + parent;
	unsigned count = *head & 0x0fu;

	if (*head < 0x80 || *head > 0x9f || (by > 0 && count == 15) || (by < 0 && count == 0))
		fatalx("notation: a container that cannot be edited");
	*head = (uint8_t)(*head + by);
}

void notation_remove(struct buf *b, const char *path)
{
	struct notation_place place = notation_find(b, path);

	recount(b, place.parent, -1);
	splice(b, place.key, place.end, NULL);
}

void notation_replace(struct buf *b, const char *path, const char *text)
{
	struct notation_place place = notation_find(b, path);
	struct buf value;

	buf_init(&value, 0);
	notation_encode(&value, text);
	splice(b, place.value, place.end, &value);
	buf_finish(&value);
}

void notation_insert(struct buf *b, const char *path, int count, const char *text)
{
	struct notation_place place = notation_find(b, path);
	struct buf more;

	buf_init(&more, 0);
	for (skip(&text); *text != '\0'; skip(&text))
		put_item(&text, &more);
	recount(b, place.parent, count);
	splice(b, place.end, place.end, &more);
	buf_finish(&more);
}

void notation_double(struct buf *b, const char *path)
{
	struct notation_place place = notation_find(b, path);
	struct buf pair;

	buf_init(&pair, 0);
	buf_put(&pair, buf_bytes(b) + place.key, place.end - place.key);
	recount(b, place.parent, 1);
	splice(b, place.end, place.end, &pair);
	buf_finish(&pair);
}
