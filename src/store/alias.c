/* alias.c - finding a batch by its correlation_id or its message_id: one row for each turn */
#include <string.h>
#include <sys/mman.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

/*
 *	version(1) count(2) newest id(8), then for each batch
 *	route(4) batch_id(16) message_id(16) hash(4) correlation(8), then CRC-32C(4)
 *
 * The entries are gathered in memory, in the form that they have on disk. What is gathered in an
 * intake is forgotten with it, so nothing is written while one is open.
 */
#define HEAD_BYTES 11
#define ENTRY_BYTES 48
#define ENTRIES_MAX ((16384 - HEAD_BYTES - 4) / ENTRY_BYTES)
#define ENTRIES_OF_INTAKE 16		/* room that an intake begins with */

static uint8_t *put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
	return p + n;
}

static uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static uint8_t *put_bytes(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

void alias_flush(struct store *s)
{
	struct alias_buffer *a = &s->aliases;
	size_t n = HEAD_BYTES + a->count * ENTRY_BYTES;

	if (a->count == 0)
		return;
	put_le(put_le(put_le(a->bytes, RECORD_VERSION, 1), a->count, 2), a->newest_id, 8);
	put_le(a->bytes + n, crc32c(0, a->bytes, n), 4);
	n += 4;
	/* An append needs keys that rise, also when two rows of a turn meet in one id. */
	uint64_t first = a->first_id > a->last_key ? a->first_id : a->last_key + 1;
	struct key k = key_id(first);
	uint8_t *p = table_reserve(s, TABLE_ALIAS, &k, n, MDB_APPEND);
	if (p) {
		memcpy(p, a->bytes, n);
		s->meta.alias_bytes += row_cost(k.n, n);
	}
	a->last_key = first;
	a->count = 0;
}

void alias_intake_begin(struct store *s)
{
	struct alias_buffer *a = &s->aliases;

	if (a->count + ENTRIES_OF_INTAKE > ENTRIES_MAX)
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
		a->bytes = xrealloc(a->bytes, HEAD_BYTES + a->capacity * ENTRY_BYTES + 4);
	}
	return a->bytes + HEAD_BYTES + a->count++ * ENTRY_BYTES;
}

void store_alias_add(struct store *s, uint64_t id, uint32_t route, const struct uuid *batch_id,
    const struct uuid *message_id, const char *correlation, size_t n)
{
	struct alias_buffer *a = &s->aliases;
	char beginning[8] = "";

	if (a->count >= ENTRIES_MAX && !s->intake)
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

	return n >= HEAD_BYTES + 4 && p[0] == RECORD_VERSION &&
	    n == HEAD_BYTES + get_le(p + 1, 2) * ENTRY_BYTES + 4 &&
	    get_le(p + n - 4, 4) == crc32c(0, p, n - 4);
}

static void entry_read(const uint8_t *p, struct alias *a)
{
	a->route = (uint32_t)get_le(p, 4);
	memcpy(a->batch_id.b, p + 4, sizeof a->batch_id.b);
	memcpy(a->message_id.b, p + 20, sizeof a->message_id.b);
	a->correlation_hash = (uint32_t)get_le(p + 36, 4);
	memcpy(a->correlation, p + 40, sizeof a->correlation);
}

static bool row_scan(const MDB_val *v, bool (*f)(void *arg, const struct alias *a), void *arg)
{
	const uint8_t *p = (const uint8_t *)v->mv_data + HEAD_BYTES;
	size_t count = (size_t)get_le((const uint8_t *)v->mv_data + 1, 2);

	for (size_t n = 0; n < count; n++) {
		struct alias a;

		entry_read(p + n * ENTRY_BYTES, &a);
		if (!f(arg, &a))
			return false;
	}
	return true;
}

/*
 * Rows lie all over the file, a page or more for each. A scan of a store that is in no cache would
 * wait for one after the other; so the kernel is told of them some time before they are read.
 */
#define ROWS_ANNOUNCED 1024		/* at a time */
#define ROWS_AHEAD 8192			/* and no more before they are read */

static void announce(const struct store *s, const MDB_val *v)
{
	uintptr_t begin = (uintptr_t)v->mv_data / s->page_size * s->page_size;

	(void)madvise((void *)begin, (uintptr_t)v->mv_data + v->mv_size - begin, MADV_WILLNEED);
}

static void announce_rows(struct store *s, uint64_t after)
{
	struct alias_buffer *a = &s->aliases;
	MDB_txn *txn = store_reader(s);
	struct key first = key_id((a->announced > after ? a->announced : after) + 1);
	MDB_val k = { first.n, first.b }, v;
	MDB_cursor *c;

	if (!txn || mdb_cursor_open(txn, s->tables[TABLE_ALIAS], &c) != 0)
		return;
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	for (unsigned n = 0; rc == 0 && n < ROWS_ANNOUNCED; n++, a->ahead++) {
		a->announced = key_get64(k.mv_data);
		announce(s, &v);
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
}

bool store_alias_scan(struct store *s, uint64_t *after, unsigned rows,
    bool (*f)(void *arg, const struct alias *a), void *arg)
{
	MDB_val found, v;

	if (*after == 0)
		s->aliases.announced = s->aliases.ahead = 0;
	if (s->aliases.ahead < ROWS_AHEAD)
		announce_rows(s, *after);
	for (unsigned n = 0; n < rows; n++) {
		struct key k = key_id(*after + 1);
		if (*after == UINT64_MAX || !table_seek(s, TABLE_ALIAS, &k, &found, &v))
			return false;
		*after = key_get64(found.mv_data);
		s->aliases.ahead -= s->aliases.ahead > 0;
		if (!alias_row_is_whole(&v))
			log_error("stored aliases do not match their checksum", "first=%llu",
			    (unsigned long long)*after);
		else if (!row_scan(&v, f, arg))
			return true;
	}
	return true;
}

/* A damaged row says no more how far it reaches: it goes as soon as its first batch may. */
bool store_alias_trim(struct store *s, uint64_t id, unsigned rows)
{
	struct key begin = key_id(0);
	MDB_val found, v;

	for (unsigned n = 0; n < rows; n++) {
		if (!table_seek(s, TABLE_ALIAS, &begin, &found, &v))
			return false;
		struct key k = key_id(key_get64(found.mv_data));
		uint64_t newest = alias_row_is_whole(&v) ? get_le((const uint8_t *)v.mv_data + 3, 8)
						   : key_get64(k.b);
		if (newest >= id)
			return false;
		uint64_t cost = row_cost(k.n, v.mv_size);
		s->meta.alias_bytes -= cost < s->meta.alias_bytes ? cost : s->meta.alias_bytes;
		table_del(s, TABLE_ALIAS, &k);
	}
	return true;
}

uint64_t store_alias_bytes(const struct store *s)
{
	return s->meta.alias_bytes;
}
