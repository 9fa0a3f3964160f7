/* table.c - the tables' operations: a row put, found, deleted, by the table's own cursor */
#include <string.h>

#include "store/internal.h"

/*
 * A cursor lives as long as the transaction that it was opened in: LMDB frees it when that ends. A
 * failed change (MDB_MAP_FULL) blocks its transaction for all cursors, so none is used that the
 * failure has left between two pages.
 */

void tables_forget(struct store *s)
{
	memset(s->cursors, 0, sizeof s->cursors);
	memset(s->touched, 0, sizeof s->touched);
}

void tables_leave(struct store *s)
{
	for (enum table t = 0; t < TABLE_COUNT; t++)
		if (s->cursors[t])
			mdb_cursor_close(s->cursors[t]);
	tables_forget(s);
}

static MDB_val val_of(const struct key *k)
{
	return (MDB_val){ k->n, (void *)(uintptr_t)k->b };
}

/* --- cursors --------------------------------------------------------------------------------- */

/* A turn's first operation on a table goes without: most of a lone batch's turn is that. */
static MDB_cursor *cursor_of(struct store *s, enum table t, bool first_too)
{
	MDB_txn *txn = store_writer(s);
	bool first = !s->touched[t];

	s->touched[t] = true;
	if (!txn || s->cursors[t] || (first && !first_too))
		return s->cursors[t];
	int rc = mdb_cursor_open(txn, s->tables[t], &s->cursors[t]);
	if (rc != 0)
		store_failed(s, rc, "open cursor");
	return s->cursors[t];
}

/* --- changes --------------------------------------------------------------------------------- */

static int put(struct store *s, enum table t, const struct key *k, MDB_val *value, unsigned flags)
{
	MDB_txn *txn = store_writer(s);
	MDB_val key = val_of(k);

	if (!txn)
		return MDB_BAD_TXN;
	s->operations++;
	s->pages_used += value->mv_size / s->page_size + PAGES_PER_CHANGE;
	s->changed = true;
	redo_put(s, t, &key, value);
	MDB_cursor *c = cursor_of(s, t, false);
	int rc = c ? mdb_cursor_put(c, &key, value, flags)
		   : mdb_put(txn, s->tables[t], &key, value, flags);
	if (rc != 0)
		store_failed(s, rc, "put");
	return rc;
}

void table_put(struct store *s, enum table t, const struct key *k, const void *p, size_t n)
{
	MDB_val value = { n, (void *)(uintptr_t)p };

	put(s, t, k, &value, 0);
}

uint8_t *table_reserve(struct store *s, enum table t, const struct key *k, size_t n,
    unsigned flags)
{
	MDB_val value = { n, NULL };

	if (put(s, t, k, &value, MDB_RESERVE | flags) != 0)
		return NULL;
	redo_row_reserved(s, value.mv_data);
	return value.mv_data;
}

void table_del(struct store *s, enum table t, const struct key *k)
{
	MDB_txn *txn = store_writer(s);
	MDB_val key = val_of(k);

	if (!txn)
		return;
	s->operations++;
	s->pages_used += PAGES_PER_CHANGE;
	s->changed = true;
	redo_del(s, t, &key);
	MDB_cursor *c = cursor_of(s, t, false);
	int rc = c ? mdb_cursor_get(c, &key, NULL, MDB_SET)
		   : mdb_del(txn, s->tables[t], &key, NULL);
	if (c && rc == 0)
		rc = mdb_cursor_del(c, 0);
	if (rc != 0)
		store_failed(s, rc, "delete");
}

bool table_del_if(struct store *s, enum table t, const struct key *k, const void *p, size_t n)
{
	MDB_cursor *c = cursor_of(s, t, true);
	MDB_val key = val_of(k), v;

	if (!c)
		return false;
	s->operations++;
	s->pages_used += PAGES_PER_CHANGE;
	int rc = mdb_cursor_get(c, &key, &v, MDB_SET);
	bool same = rc == 0 && v.mv_size == n && memcmp(v.mv_data, p, n) == 0;
	s->changed |= same;
	if (same) {
		redo_del(s, t, &key);
		rc = mdb_cursor_del(c, 0);
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		store_failed(s, rc, "delete");
	return same;
}

uint64_t table_del_prefix(struct store *s, enum table t, const struct key *k, unsigned most)
{
	MDB_cursor *c = cursor_of(s, t, true);
	MDB_val found = val_of(k), v;
	uint64_t cost = 0;
	unsigned count = 0;

	if (!c)
		return 0;
	int rc = mdb_cursor_get(c, &found, &v, MDB_SET_RANGE);
	while (rc == 0 && count < most && found.mv_size >= k->n &&
	    memcmp(found.mv_data, k->b, k->n) == 0) {
		cost += row_cost(found.mv_size, v.mv_size);
		count++;
		redo_del(s, t, &found);
		rc = mdb_cursor_del(c, 0);
		if (rc == 0)
			rc = mdb_cursor_get(c, &found, &v, MDB_NEXT);
	}
	s->operations += count + 1;
	s->changed |= count > 0;
	s->pages_used += PAGES_PER_CHANGE + count / 8;	/* neighbours share their pages */
	if (rc != 0 && rc != MDB_NOTFOUND)
		store_failed(s, rc, "delete");
	return cost;
}

/* --- looking --------------------------------------------------------------------------------- */

static bool was_found(struct store *s, int rc, const char *what)
{
	if (rc != 0 && rc != MDB_NOTFOUND)
		store_failed(s, rc, what);
	return rc == 0;
}

bool table_get(struct store *s, enum table t, const struct key *k, MDB_val *v)
{
	MDB_cursor *c = s->turn ? cursor_of(s, t, false) : NULL;
	MDB_txn *txn = store_reader(s);
	MDB_val key = val_of(k);

	if (!txn)
		return false;
	s->operations++;
	return was_found(s, c ? mdb_cursor_get(c, &key, v, MDB_SET)
			      : mdb_get(txn, s->tables[t], &key, v), "get");
}

/* A cursor to go somewhere with: the table's own in a turn, else one that close_cursor() ends. */
static MDB_cursor *read_cursor(struct store *s, enum table t)
{
	MDB_cursor *c = NULL;

	if (s->turn)
		return cursor_of(s, t, true);
	MDB_txn *txn = store_reader(s);
	int rc = txn ? mdb_cursor_open(txn, s->tables[t], &c) : 0;
	if (rc != 0)
		store_failed(s, rc, "open cursor");
	return c;
}

static void close_cursor(struct store *s, MDB_cursor *c)
{
	if (!s->turn)
		mdb_cursor_close(c);
}

/* At or behind k; or the last before it. */
static bool seek(struct store *s, enum table t, const struct key *k, bool before, MDB_val *found,
    MDB_val *v)
{
	MDB_cursor *c = read_cursor(s, t);

	if (!c)
		return false;
	s->operations++;
	*found = val_of(k);
	int rc = mdb_cursor_get(c, found, v, MDB_SET_RANGE);
	if (before && (rc == 0 || rc == MDB_NOTFOUND))
		rc = mdb_cursor_get(c, found, v, rc == 0 ? MDB_PREV : MDB_LAST);
	close_cursor(s, c);
	return was_found(s, rc, "seek");
}

bool table_seek(struct store *s, enum table t, const struct key *k, MDB_val *found, MDB_val *v)
{
	return seek(s, t, k, false, found, v);
}

bool table_seek_before(struct store *s, enum table t, const struct key *k, MDB_val *found,
    MDB_val *v)
{
	return seek(s, t, k, true, found, v);
}

bool table_walk_begin(struct store *s, enum table t, const struct key *k, struct table_walk *w)
{
	MDB_txn *txn = store_reader(s);

	*w = (struct table_walk){ .from = *k };
	return txn && mdb_cursor_open(txn, s->tables[t], &w->c) == 0;
}

bool table_walk_next(struct table_walk *w, MDB_val *key, MDB_val *v)
{
	bool begun = w->begun;

	w->begun = true;
	if (begun)
		return mdb_cursor_get(w->c, key, v, MDB_NEXT) == 0;
	*key = val_of(&w->from);
	return mdb_cursor_get(w->c, key, v, key->mv_size ? MDB_SET_RANGE : MDB_FIRST) == 0;
}

void table_walk_end(struct table_walk *w)
{
	mdb_cursor_close(w->c);
}

/* The first row of a table whose keys are key_due()'s. */
bool due_first(struct store *s, enum table t, uint64_t now_ms, struct due *out, uint64_t *next_ms)
{
	struct key k = key_due(0, 0, 0);
	MDB_val found, v;

	*next_ms = UINT64_MAX;
	if (!table_seek(s, t, &k, &found, &v))
		return false;
	const uint8_t *p = found.mv_data;
	*out = (struct due){ key_get64(p), key_get32(p + 8), key_get64(p + 12) };
	if (out->time_ms <= now_ms)
		return true;
	*next_ms = out->time_ms;
	return false;
}

uint64_t row_cost(size_t key, size_t value)
{
	return (key + value + 8) * 3 / 2;
}
