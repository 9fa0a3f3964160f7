/* alias.c - finding a batch by its correlation_id or its message_id: one row for each turn */
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "store/alias_row.h"

/*
 * The entries are gathered in memory, in the form that they have on disk. What is gathered in an
 * intake is forgotten with it, so nothing is written while one is open.
 */
#define ENTRIES_OF_INTAKE 16		/* room that an intake begins with */

/*
 * The row of a turn that took a batch or two waits in `alias_new`: a row of its own for each lone
 * batch would make every search long. Some of them together, or before a long one, go to `alias`.
 * Their ids are above all that are there.
 */
#define WAITING_ROW_MAX 200
#define WAITING_MAX 600

static uint8_t *put_bytes(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

uint8_t *alias_reserve(struct store *s, enum table t, uint64_t id, size_t n)
{
	struct key k = key_id(id);
	uint8_t *p = table_reserve(s, t, &k, n, t == TABLE_ALIAS_NEW ? 0 : MDB_APPEND);

	if (p)
		s->meta.alias_bytes += row_cost(k.n, n);
	return p;
}

static void settle(struct store *s)
{
	uint8_t row[WAITING_MAX];
	MDB_val found, v;
	struct key k = key_id(0);

	while (s->aliases.waiting > 0 && table_seek(s, TABLE_ALIAS_NEW, &k, &found, &v)) {
		size_t n = v.mv_size < sizeof row ? v.mv_size : sizeof row;

		k = key_id(key_get64(found.mv_data));
		memcpy(row, v.mv_data, n);
		table_del(s, TABLE_ALIAS_NEW, &k);
		uint8_t *p = table_reserve(s, TABLE_ALIAS, &k, n, MDB_APPEND);
		if (p)
			memcpy(p, row, n);
	}
	s->aliases.waiting = 0;
}

void alias_flush(struct store *s)
{
	struct alias_buffer *a = &s->aliases;
	size_t n = ALIAS_HEAD_BYTES + a->count * ALIAS_ENTRY_BYTES;

	if (a->count == 0)
		return;
	put_le(put_le(put_le(a->bytes, RECORD_VERSION, 1), a->count, 2), a->newest_id, 8);
	put_le(a->bytes + n, crc32c(0, a->bytes, n), ALIAS_CRC_BYTES);
	n += ALIAS_CRC_BYTES;
	/* An append needs keys that rise, also when two rows of a turn meet in one id. */
	uint64_t first = a->first_id > a->last_key ? a->first_id : a->last_key + 1;
	bool waits = n <= WAITING_ROW_MAX;
	if (!waits || a->waiting + n > WAITING_MAX)
		settle(s);
	uint8_t *p = alias_reserve(s, waits ? TABLE_ALIAS_NEW : TABLE_ALIAS, first, n);
	if (p)
		memcpy(p, a->bytes, n);
	a->waiting += waits ? n : 0;
	alias_filter_add(s, first, a->bytes + ALIAS_HEAD_BYTES, a->count);
	a->last_key = first;
	a->count = 0;
}

void alias_intake_begin(struct store *s)
{
	struct alias_buffer *a = &s->aliases;

	if (a->count + ENTRIES_OF_INTAKE > ALIAS_ENTRIES_MAX)
		alias_flush(s);
	a->count_before = a->count;
	a->newest_before = a->newest_id;
}

void alias_intake_abort(struct store *s)
{
	s->aliases.count = s->aliases.count_before;
	s->aliases.newest_id = s->aliases.newest_before;
}

static uint8_t *entry_reserve(struct alias_buffer *a)
{
	if (a->count == a->capacity) {
		a->capacity = a->capacity ? 2 * a->capacity : ENTRIES_OF_INTAKE;
		a->bytes = xrealloc(a->bytes, ALIAS_HEAD_BYTES +
		    a->capacity * ALIAS_ENTRY_BYTES + ALIAS_CRC_BYTES);
	}
	return a->bytes + ALIAS_HEAD_BYTES + a->count++ * ALIAS_ENTRY_BYTES;
}

void store_alias_add(struct store *s, uint64_t id, uint32_t route, const struct uuid *batch_id,
    const struct uuid *message_id, const char *correlation, size_t n)
{
	struct alias_buffer *a = &s->aliases;
	char beginning[8] = "";

	if (a->count >= ALIAS_ENTRIES_MAX && !s->intake)
		alias_flush(s);
	if (a->count == 0)
		a->first_id = id;
	a->newest_id = id;
	if (n)
		memcpy(beginning, correlation, n < sizeof beginning ? n : sizeof beginning);
	uint8_t *p = put_le(entry_reserve(a), route, 4);
	p = put_bytes(p, batch_id->b, sizeof batch_id->b);
	p = put_bytes(p, message_id->b, sizeof message_id->b);
	p = put_le(p, crc32c(0, correlation, n), 4);
	put_bytes(p, beginning, sizeof beginning);
	store_writer(s);	/* the turn has something to commit */
}

/* --- reading --------------------------------------------------------------------------------- */

bool alias_row_is_whole(const MDB_val *v)
{
	const uint8_t *p = v->mv_data;
	size_t n = v->mv_size;

	return n >= ALIAS_HEAD_BYTES + ALIAS_CRC_BYTES && p[0] == RECORD_VERSION &&
	    get_le(p + 1, 2) <= ALIAS_ENTRIES_MAX &&
	    n == ALIAS_HEAD_BYTES + get_le(p + 1, 2) * ALIAS_ENTRY_BYTES + ALIAS_CRC_BYTES &&
	    get_le(p + n - ALIAS_CRC_BYTES, ALIAS_CRC_BYTES) == crc32c(0, p, n - ALIAS_CRC_BYTES);
}

bool alias_get(struct store *s, uint64_t id, MDB_val *v)
{
	struct key k = key_id(id);

	return table_get(s, TABLE_ALIAS, &k, v) || table_get(s, TABLE_ALIAS_NEW, &k, v);
}

bool alias_seek(struct store *s, uint64_t id, MDB_val *found, MDB_val *v)
{
	struct key k = key_id(id);

	return table_seek(s, TABLE_ALIAS, &k, found, v) ||
	    table_seek(s, TABLE_ALIAS_NEW, &k, found, v);
}

void alias_read(const uint8_t *entry, struct alias *a)
{
	a->route = (uint32_t)get_le(entry, 4);
	memcpy(a->batch_id.b, entry + 4, sizeof a->batch_id.b);
	memcpy(a->message_id.b, entry + 20, sizeof a->message_id.b);
	a->correlation_hash = (uint32_t)get_le(entry + 36, 4);
	memcpy(a->correlation, entry + 40, sizeof a->correlation);
}

/* --- forgetting ------------------------------------------------------------------------------ */

static void row_del(struct store *s, enum table t, const struct key *k)
{
	size_t *waiting = &s->aliases.waiting;
	MDB_val v;

	if (!table_get(s, t, k, &v))
		return;
	if (t == TABLE_ALIAS_NEW)
		*waiting -= v.mv_size < *waiting ? v.mv_size : *waiting;
	uint64_t cost = row_cost(k->n, v.mv_size);
	s->meta.alias_bytes -= cost < s->meta.alias_bytes ? cost : s->meta.alias_bytes;
	table_del(s, t, k);
}

/* A damaged row says no more how far it reaches: it goes as soon as its first batch may. */
bool store_alias_trim(struct store *s, uint64_t id, unsigned rows)
{
	MDB_val found, v;

	for (unsigned n = 0; n < rows; n++) {
		if (!alias_seek(s, 0, &found, &v))
			return false;
		struct key k = key_id(key_get64(found.mv_data));
		uint64_t newest = alias_row_is_whole(&v) ? get_le((const uint8_t *)v.mv_data + 3, 8)
						   : key_get64(k.b);
		if (newest >= id)
			return false;
		row_del(s, TABLE_ALIAS, &k);
		row_del(s, TABLE_ALIAS_NEW, &k);
		row_del(s, TABLE_ALIAS_FILTER, &k);
		alias_filter_forget(s, key_get64(k.b));
	}
	return true;
}

uint64_t store_alias_bytes(const struct store *s)
{
	return s->meta.alias_bytes;
}
