/* alias_filter.c - which rows of aliases may have what is searched for: eight bytes a batch */
#include <ctype.h>
#include <string.h>

#include "base/digest.h"
#include "store/alias_row.h"

/*
 * A row of the filter stands for many rows of aliases, so it is written when there are enough of
 * them, under the id of the last; until then it is in memory, and a restart makes it anew out of
 * the aliases behind the last row. It goes with the last row of aliases that it stands for.
 */
#define FILTER_HEAD_BYTES 1
#define PART_HEAD_BYTES 10
#define ENTRY_BYTES 8
#define ID_BYTES 4

_Static_assert(FILTER_HEAD_BYTES + PART_HEAD_BYTES + ALIAS_ENTRIES_MAX * ENTRY_BYTES +
    ALIAS_CRC_BYTES <= ALIAS_FILTER_BYTES, "a filter has room for any row of aliases");

static uint16_t short_hash(const void *p, size_t n)
{
	return (uint16_t)crc32c(0, p, n);
}

static uint8_t *put_entry(uint8_t *p, const uint8_t *entry)
{
	struct alias a;

	alias_read(entry, &a);
	memcpy(p, a.message_id.b, ID_BYTES);
	p = put_le(p + ID_BYTES, a.correlation_hash & 0xffffu, 2);
	return put_le(p, short_hash(a.correlation, sizeof a.correlation), 2);
}

static void write_filter(struct store *s)
{
	struct alias_filter *f = &s->aliases.filter;

	put_le(f->bytes + f->n, crc32c(0, f->bytes, f->n), ALIAS_CRC_BYTES);
	f->n += ALIAS_CRC_BYTES;
	uint8_t *p = alias_reserve(s, TABLE_ALIAS_FILTER, f->last_id, f->n);
	if (p)
		memcpy(p, f->bytes, f->n);
	f->n = 0;
}

void alias_filter_add(struct store *s, uint64_t id, const uint8_t *entries, size_t count)
{
	struct alias_filter *f = &s->aliases.filter;

	if (f->n + PART_HEAD_BYTES + count * ENTRY_BYTES + ALIAS_CRC_BYTES > sizeof f->bytes)
		write_filter(s);
	if (f->n == 0)
		f->n = (size_t)(put_le(f->bytes, RECORD_VERSION, FILTER_HEAD_BYTES) - f->bytes);
	uint8_t *p = put_le(put_le(f->bytes + f->n, id, 8), count, 2);
	for (size_t n = 0; n < count; n++)
		p = put_entry(p, entries + n * ALIAS_ENTRY_BYTES);
	f->n = (size_t)(p - f->bytes);
	f->last_id = id;
}

void alias_filter_forget(struct store *s, uint64_t id)
{
	struct alias_filter *f = &s->aliases.filter;

	if (f->n > 0 && f->last_id == id)
		f->n = 0;
}

int alias_filter_load(struct store *s)
{
	MDB_val found = { 0, NULL }, v;
	struct key k = key_id(UINT64_MAX);
	uint64_t id = 0;

	if (table_seek_before(s, TABLE_ALIAS_FILTER, &k, &found, &v))
		id = key_get64(found.mv_data);
	while (alias_seek(s, id + 1, &found, &v)) {
		id = key_get64(found.mv_data);
		if (alias_row_is_whole(&v))
			alias_filter_add(s, id, (const uint8_t *)v.mv_data + ALIAS_HEAD_BYTES,
			    (size_t)get_le((const uint8_t *)v.mv_data + 1, 2));
	}
	k = key_id(0);
	struct table_walk walk;
	if (!table_walk_begin(s, TABLE_ALIAS_NEW, &k, &walk))
		return ERR_IO;
	while (table_walk_next(&walk, &found, &v))
		s->aliases.waiting += v.mv_size;
	table_walk_end(&walk);
	store_read_end(s);
	return s->turn ? store_commit(s) : 0;
}

/* --- reading --------------------------------------------------------------------------------- */

bool alias_filter_is_whole(const MDB_val *v)
{
	const uint8_t *p = v->mv_data;
	size_t n = v->mv_size;

	return n >= FILTER_HEAD_BYTES + ALIAS_CRC_BYTES && p[0] == RECORD_VERSION &&
	    get_le(p + n - ALIAS_CRC_BYTES, ALIAS_CRC_BYTES) == crc32c(0, p, n - ALIAS_CRC_BYTES);
}

bool filter_next(const uint8_t *filter, size_t n, size_t *at, struct filter_part *part)
{
	if (*at == 0)
		*at = FILTER_HEAD_BYTES;
	if (*at + PART_HEAD_BYTES > n)
		return false;
	part->id = get_le(filter + *at, 8);
	part->count = (size_t)get_le(filter + *at + 8, 2);
	part->entries = filter + *at + PART_HEAD_BYTES;
	*at += PART_HEAD_BYTES + part->count * ENTRY_BYTES;
	return *at <= n;
}

static bool is_made_of(const struct filter_part *part, const MDB_val *row)
{
	const uint8_t *p = row->mv_data;
	uint8_t expected[ENTRY_BYTES];

	if (get_le(p + 1, 2) != part->count)
		return false;
	for (size_t n = 0; n < part->count; n++) {
		put_entry(expected, p + ALIAS_HEAD_BYTES + n * ALIAS_ENTRY_BYTES);
		if (memcmp(expected, part->entries + n * ENTRY_BYTES, ENTRY_BYTES) != 0)
			return false;
	}
	return true;
}

bool alias_filter_has(struct store *s, uint64_t id, const MDB_val *row)
{
	const struct alias_filter *f = &s->aliases.filter;
	struct key k = key_id(id);
	MDB_val found, v;
	struct filter_part part;

	if (table_seek(s, TABLE_ALIAS_FILTER, &k, &found, &v))
		v.mv_size -= ALIAS_CRC_BYTES;
	else
		v = (MDB_val){ f->n, (void *)(uintptr_t)f->bytes };
	for (size_t at = 0; filter_next(v.mv_data, v.mv_size, &at, &part);)
		if (part.id == id)
			return is_made_of(&part, row);
	return false;
}

/* --- searching ------------------------------------------------------------------------------- */

static int digit_value(char c)
{
	return c <= '9' ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The bytes of a message_id that the filter holds: false when no id begins with the text. */
static bool take_id(const char *text, uint8_t id[ID_BYTES])
{
	for (size_t n = 0; n < ID_BYTES; n++, text += 2) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return false;
		id[n] = (uint8_t)(digit_value(text[0]) << 4 | digit_value(text[1]));
	}
	return true;
}

struct alias_query alias_query_of(const char *text, bool beginnings)
{
	size_t n = strlen(text);
	struct alias_query q = { .all = n < ALIAS_FILTERED };

	if (q.all)
		return q;
	q.by_id = !beginnings && n <= UUID_TEXT_LEN && take_id(text, q.id);
	q.by_whole = !beginnings;
	q.by_beginning = beginnings || n == ALIAS_FILTERED;
	q.whole = short_hash(text, n);
	q.beginning = short_hash(text, ALIAS_FILTERED);
	return q;
}

bool filter_matches(const struct filter_part *part, const struct alias_query *q)
{
	const uint8_t *p = part->entries;

	for (size_t n = 0; n < part->count; n++, p += ENTRY_BYTES)
		if ((q->by_id && memcmp(p, q->id, ID_BYTES) == 0) ||
		    (q->by_whole && get_le(p + ID_BYTES, 2) == q->whole) ||
		    (q->by_beginning && get_le(p + ID_BYTES + 2, 2) == q->beginning))
			return true;
	return false;
}
