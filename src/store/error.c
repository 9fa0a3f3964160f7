/* error.c - the error queue: what was heard of errors, by time, code, correlation and batch */
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

/*
 * A row for each error under a rising number, which is the order of time, and one in each index. An
 * error of scope RECORD has its code and record_id in the row by correlation_id, so that one walk
 * sums up what is known of a batch's records. How many such rows there are by a hash of their
 * correlation_id is kept in memory: a delivery of which nothing is known asks no table.
 */
#define RECORD_SLOTS 65536
#define INDEXES 3
#define BY_HEAD 9			/* of a key in error_by: index and hash */

static const struct key last_key = { .b = "error", .n = 5 };	/* in meta */

static uint64_t hash_of(const void *p, size_t n)
{
	uint8_t digest[SHA256_BYTES];
	uint64_t hash;

	sha256(p, n, digest);
	memcpy(&hash, digest, sizeof hash);
	return hash;
}

static struct key index_key(enum error_index index, const void *p, size_t n, uint64_t number)
{
	return key_error_by((uint8_t)index, hash_of(p, n), number);
}

bool error_index_key(const struct error_record *e, enum error_index index, struct key *k)
{
	switch (index) {
	case ERRORS_BY_CODE:
		*k = index_key(index, e->code, e->code_len, e->number);
		return true;
	case ERRORS_BY_CORRELATION:
		*k = index_key(index, e->correlation, e->correlation_len, e->number);
		return true;
	case ERRORS_BY_BATCH:
		*k = index_key(index, e->batch_id.b, sizeof e->batch_id.b, e->number);
		return e->has_batch;
	}
	return false;
}

/* The slot of a correlation: from its key, or of its text. Not the store's hash: it is quicker. */
static uint32_t *slot_of(const struct store *s, const char *correlation, size_t n)
{
	return &s->errors.records[crc32c(0, correlation, n) % RECORD_SLOTS];
}

/* code_len(1) code record_id: what an error of scope RECORD says in its row by correlation. */
static size_t put_digest(const struct error_record *e, uint8_t *out)
{
	out[0] = (uint8_t)e->code_len;
	memcpy(out + 1, e->code, e->code_len);
	memcpy(out + 1 + e->code_len, e->record_id, e->record_id_len);
	return 1 + (size_t)e->code_len + e->record_id_len;
}

static bool has_digest(const struct error_record *e, enum error_index index)
{
	return index == ERRORS_BY_CORRELATION && e->of_record;
}

/* --- coming ---------------------------------------------------------------------------------- */

static void index_put(struct store *s, const struct error_record *e, enum error_index index)
{
	uint8_t digest[1 + ERROR_CODE_MAX + ERROR_RECORD_ID_MAX];
	size_t n = has_digest(e, index) ? put_digest(e, digest) : 0;
	struct key k;

	if (!error_index_key(e, index, &k))
		return;
	table_put(s, TABLE_ERROR_BY, &k, digest, n);
	s->meta.history_bytes += row_cost(k.n, n);
}

void store_error_add(struct store *s, struct error_record *e)
{
	struct error_memory *m = &s->errors;

	if (m->count >= ERRORS_MAX)
		store_error_trim(s);
	e->number = ++m->last;
	struct key k = key_id(e->number);
	size_t n = error_record_encode(e, s->scratch);
	table_put(s, TABLE_ERROR, &k, s->scratch, n);
	s->meta.history_bytes += row_cost(k.n, n);
	for (enum error_index i = 0; i < INDEXES; i++)
		index_put(s, e, i);
	if (e->of_record)
		++*slot_of(s, e->correlation, e->correlation_len);
	if (m->count++ == 0)
		m->first = e->number;
}

void store_alert_add(struct store *s, const struct error_record *e)
{
	struct error_record bare = *e;
	struct key k = key_id(e->number), from = key_id(0);
	MDB_val found, v;

	if (s->errors.alerts >= ALERTS_MAX && table_seek(s, TABLE_ALERT, &from, &found, &v))
		store_alert_del(s, key_get64(found.mv_data));
	bare.raw_len = 0;
	table_put(s, TABLE_ALERT, &k, s->scratch, error_record_encode(&bare, s->scratch));
	s->errors.alerts++;
}

/* --- going ----------------------------------------------------------------------------------- */

static void index_del(struct store *s, const struct error_record *e, enum error_index index)
{
	struct key k;
	MDB_val v;

	if (!error_index_key(e, index, &k) || !table_get(s, TABLE_ERROR_BY, &k, &v))
		return;
	if (has_digest(e, index))
		--*slot_of(s, e->correlation, e->correlation_len);
	history_less(s, row_cost(k.n, v.mv_size));
	table_del(s, TABLE_ERROR_BY, &k);
}

/* Its record is damaged: what the indexes have of it is looked for in all of them. */
static void index_del_lost(struct store *s, uint64_t number)
{
	struct key k = key_error_by(0, 0, 0);
	MDB_val found, v;

	while (table_seek(s, TABLE_ERROR_BY, &k, &found, &v)) {
		memcpy(k.b, found.mv_data, found.mv_size);
		k.n = (uint8_t)found.mv_size;
		if (key_get64(k.b + BY_HEAD) == number) {
			history_less(s, row_cost(k.n, v.mv_size));
			table_del(s, TABLE_ERROR_BY, &k);
		}
		k = key_error_by(k.b[0], key_get64(k.b + 1), key_get64(k.b + BY_HEAD) + 1);
	}
}

/* The number goes on where it was, also when no row says so any more. */
static void note_last(struct store *s)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(s->errors.last >> (8 * i));
	table_put(s, TABLE_META, &last_key, bytes, sizeof bytes);
}

void store_error_trim(struct store *s)
{
	struct error_memory *m = &s->errors;
	struct key k = key_id(m->first);
	struct error_record e;
	MDB_val found, v;

	if (m->count == 0 || !table_get(s, TABLE_ERROR, &k, &v))
		return;
	size_t cost = v.mv_size;
	if (error_record_decode(v.mv_data, v.mv_size, &e) == 0)
		for (enum error_index i = 0; i < INDEXES; i++)
			index_del(s, &e, i);
	else
		index_del_lost(s, m->first);
	history_less(s, row_cost(k.n, cost));
	table_del(s, TABLE_ERROR, &k);
	m->count--;
	m->first = table_seek(s, TABLE_ERROR, &k, &found, &v) ? key_get64(found.mv_data) : 0;
	if (m->count == 0)
		note_last(s);
}

void store_alert_del(struct store *s, uint64_t number)
{
	struct key k = key_id(number);
	MDB_val v;

	if (!table_get(s, TABLE_ALERT, &k, &v))
		return;
	table_del(s, TABLE_ALERT, &k);
	s->errors.alerts--;
}

/* --- looking --------------------------------------------------------------------------------- */

int store_error_get(struct store *s, uint64_t number, struct error_record *e)
{
	struct key k = key_id(number);
	MDB_val v;

	return table_get(s, TABLE_ERROR, &k, &v) ? error_record_decode(v.mv_data, v.mv_size, e)
						 : ERR_NOTFOUND;
}

int store_error_oldest(struct store *s, struct error_record *e)
{
	return s->errors.count > 0 ? store_error_get(s, s->errors.first, e) : ERR_NOTFOUND;
}

static int previous(struct store *s, enum table t, uint64_t before, struct error_record *e)
{
	MDB_val found, v;

	for (;;) {
		struct key k = key_id(before);
		if (!table_seek_before(s, t, &k, &found, &v))
			return ERR_NOTFOUND;
		before = key_get64(found.mv_data);
		if (error_record_decode(v.mv_data, v.mv_size, e) == 0)
			return 0;
		log_error("stored error does not match its checksum", "number=%llu",
		    (unsigned long long)before);
	}
}

int store_error_previous(struct store *s, uint64_t before, struct error_record *e)
{
	return s->errors.count > 0 ? previous(s, TABLE_ERROR, before, e) : ERR_NOTFOUND;
}

int store_alert_previous(struct store *s, uint64_t before, struct error_record *e)
{
	return s->errors.alerts > 0 ? previous(s, TABLE_ALERT, before, e) : ERR_NOTFOUND;
}

int store_error_previous_by(struct store *s, enum error_index index, const void *p, size_t n,
    uint64_t before, struct error_record *e)
{
	MDB_val found, v;

	while (s->errors.count > 0) {
		struct key k = index_key(index, p, n, before);
		if (!table_seek_before(s, TABLE_ERROR_BY, &k, &found, &v) ||
		    memcmp(found.mv_data, k.b, BY_HEAD) != 0)
			break;
		before = key_get64((const uint8_t *)found.mv_data + BY_HEAD);
		if (store_error_get(s, before, e) == 0)
			return 0;
	}
	return ERR_NOTFOUND;
}

uint64_t store_error_count(const struct store *s)
{
	return s->errors.count;
}

uint64_t store_alert_count(const struct store *s)
{
	return s->errors.alerts;
}

bool store_error_may_have_records(const struct store *s, const char *correlation, size_t n)
{
	return s->errors.count > 0 && *slot_of(s, correlation, n) > 0;
}

void store_error_walk_records(struct store *s, const char *correlation, size_t n,
    void (*f)(void *arg, const char *code, size_t code_n, const char *record_id, size_t id_n),
    void *arg)
{
	struct key k = index_key(ERRORS_BY_CORRELATION, correlation, n, 0);
	MDB_txn *txn = store_reader(s);
	MDB_val found = { k.n, k.b }, v;
	MDB_cursor *c;

	s->operations++;
	if (!txn || mdb_cursor_open(txn, s->tables[TABLE_ERROR_BY], &c) != 0)
		return;
	for (int rc = mdb_cursor_get(c, &found, &v, MDB_SET_RANGE);
	     rc == 0 && memcmp(found.mv_data, k.b, BY_HEAD) == 0;
	     rc = mdb_cursor_get(c, &found, &v, MDB_NEXT)) {
		const char *p = v.mv_data;
		size_t code_n = v.mv_size > 0 ? (uint8_t)p[0] : 0;

		if (v.mv_size > code_n)
			f(arg, p + 1, code_n, p + 1 + code_n, v.mv_size - 1 - code_n);
	}
	mdb_cursor_close(c);
}

/* --- at the start ---------------------------------------------------------------------------- */

static uint64_t rows(const struct store *s, enum table t)
{
	MDB_stat stat = { .ms_entries = 0 };

	mdb_stat(s->turn ? s->turn : s->reader, s->tables[t], &stat);
	return stat.ms_entries;
}

static void load_last(struct store *s)
{
	struct key end = key_id(UINT64_MAX);
	MDB_val found, v;

	if (table_get(s, TABLE_META, &last_key, &v) && v.mv_size == 8)
		for (size_t i = 0; i < 8; i++)
			s->errors.last |= (uint64_t)((const uint8_t *)v.mv_data)[i] << (8 * i);
	if (table_seek_before(s, TABLE_ERROR, &end, &found, &v))
		s->errors.last = key_get64(found.mv_data);
}

/* There are at most ERRORS_MAX: a fraction of a second. */
static void load_records(struct store *s)
{
	struct error_record e;
	MDB_val k, v;
	MDB_cursor *c;

	if (mdb_cursor_open(store_reader(s), s->tables[TABLE_ERROR], &c) != 0)
		return;
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0)
		if (error_record_decode(v.mv_data, v.mv_size, &e) == 0 && e.of_record)
			++*slot_of(s, e.correlation, e.correlation_len);
	mdb_cursor_close(c);
}

int errors_load(struct store *s)
{
	struct key from = key_id(0);
	MDB_val found, v;

	s->errors.records = xcalloc(RECORD_SLOTS, sizeof *s->errors.records);
	if (!store_reader(s))
		return ERR_IO;
	s->errors.count = rows(s, TABLE_ERROR);
	s->errors.alerts = rows(s, TABLE_ALERT);
	load_last(s);
	if (s->errors.count > 0 && table_seek(s, TABLE_ERROR, &from, &found, &v)) {
		s->errors.first = key_get64(found.mv_data);
		load_records(s);
	}
	store_read_end(s);
	return s->failure == 0 ? 0 : ERR_IO;
}
