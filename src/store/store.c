/* store.c - the turn's transaction, the intake inside it, and the tables' operations */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

/* Pages that one change may dirty at most: a path of each tree that it touches. */
#define PAGES_PER_CHANGE 4
/* Free pages, beside its own, that let an intake go without a transaction of its own. */
#define INTAKE_SPARE_PAGES 256
/* The reserve for ends: a sixteenth of the store. */
#define RESERVE_SHARE 16

int store_open(const struct store_options *o, struct store **out, char *why, size_t size)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->lock_fd = -1;
	int rc = store_file_open(s, o, why, size);
	if (rc == 0)
		rc = store_meta_load(s, why, size);
	if (rc == 0 && !names_check(s)) {
		rc = ERR_CORRUPT;
		snprintf(why, size, "the names of routes and modules in %s are damaged: restore a "
		    "backup", o->path);
	}
	if (rc == 0 && (rc = alias_filter_load(s)) != 0)
		snprintf(why, size, "the aliases in %s cannot be read", o->path);
	if (rc != 0) {
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->intake)
		mdb_txn_abort(s->intake);
	if (s->turn)
		mdb_txn_abort(s->turn);
	if (s->reader)
		mdb_txn_abort(s->reader);
	store_file_close(s);
	free(s->aliases.bytes);
	free(s);
}

/* --- the turn ------------------------------------------------------------------------------- */

void store_failed(struct store *s, int rc, const char *what)
{
	if (s->intake && (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL)) {
		s->intake_full = true;
		return;
	}
	if (s->intake && s->intake_full) /* every later call on a full transaction fails too */
		return;
	if (s->failure == 0) {
		s->failure = rc;
		log_error("store change failed", "change=%s reason=%s", what,
		    log_quote(mdb_strerror(rc), strlen(mdb_strerror(rc))));
	}
}

MDB_txn *store_writer(struct store *s)
{
	if (s->intake)
		return s->intake;
	if (!s->turn) {
		store_count_pages(s);
		store_read_end(s);
		int rc = mdb_txn_begin(s->env, NULL, 0, &s->turn);
		if (rc != 0) {
			s->turn = NULL;
			store_failed(s, rc, "begin");
			return NULL;
		}
	}
	return s->turn;
}

MDB_txn *store_reader(struct store *s)
{
	if (s->intake)
		return s->intake;
	if (s->turn)
		return s->turn;
	if (!s->reading) {
		int rc = s->reader ? mdb_txn_renew(s->reader)
				   : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
		if (rc != 0) {
			store_failed(s, rc, "read");
			return NULL;
		}
		s->reading = true;
	}
	return s->reader;
}

void store_read_end(struct store *s)
{
	if (s->reading)
		mdb_txn_reset(s->reader);
	s->reading = false;
}

bool store_is_in_turn(const struct store *s)
{
	return s->turn || s->reading;
}

bool store_has_failed(const struct store *s)
{
	return s->failure != 0;
}

int store_commit(struct store *s)
{
	if (s->failure == 0)
		alias_flush(s);
	if (s->failure == 0 && memcmp(&s->meta, &s->saved, sizeof s->meta) != 0)
		store_meta_save(s);
	store_read_end(s);
	if (s->failure != 0)
		return ERR_IO;
	if (!s->turn)
		return 0;
	FAILPOINT("commit.before");
	int rc = mdb_txn_commit(s->turn);
	s->turn = NULL;			/* consumed, also when it failed */
	FAILPOINT("commit.after");
	if (rc != 0) {
		store_failed(s, rc, "commit");
		return ERR_IO;
	}
	s->saved = s->meta;
	s->commits++;
	return 0;
}

void store_nudge(struct store *s)
{
	store_meta_save(s);
}

static uint64_t payload_pages(const struct store *s, uint64_t n)
{
	return (n + 64) / s->page_size + 1;
}

/* --- intake --------------------------------------------------------------------------------- */

/*
 * Whether MDB_MAP_FULL cannot happen. A value of one page is put on any free page; a longer one
 * needs neighbours, and those are sure only in the part of the file that was never used.
 */
static bool pages_are_certain(const struct store *s, size_t n)
{
	uint64_t pages = payload_pages(s, n);
	uint64_t there = pages == 1 ? s->pages_free : s->pages_never_used;

	return s->pages_used + pages + INTAKE_SPARE_PAGES <= there;
}

void store_intake_begin(struct store *s, size_t n)
{
	MDB_txn *turn = store_writer(s);

	if (turn && n != STORE_INTAKE_CHILD && pages_are_certain(s, n))
		return;
	alias_intake_begin(s);
	s->before_intake = s->meta;
	s->pages_before_intake = s->pages_used;
	s->intake_full = false;
	int rc = turn ? mdb_txn_begin(s->env, turn, 0, &s->intake) : MDB_BAD_TXN;
	if (rc != 0) {
		s->intake = NULL;
		store_failed(s, rc, "begin intake");
	}
}

/* Its pages are the turn's again, as LMDB has them. */
static void forget_intake(struct store *s)
{
	alias_intake_abort(s);
	s->meta = s->before_intake;
	s->pages_used = s->pages_before_intake;
}

static int end_child(struct store *s)
{
	if (s->intake_full) {
		store_intake_abort(s);
		return ERR_FULL;
	}
	int rc = mdb_txn_commit(s->intake);
	s->intake = NULL;
	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL) {
		forget_intake(s);
		return ERR_FULL;
	}
	if (rc != 0) {
		store_failed(s, rc, "end intake");
		return ERR_IO;
	}
	return 0;
}

int store_intake_end(struct store *s)
{
	FAILPOINT("intake.before");
	int rc = s->intake ? end_child(s) : s->failure == 0 ? 0 : ERR_IO;
	FAILPOINT("intake.after");
	return rc;
}

void store_intake_abort(struct store *s)
{
	if (s->intake)
		mdb_txn_abort(s->intake);
	s->intake = NULL;
	forget_intake(s);
}

/* --- room ----------------------------------------------------------------------------------- */

uint64_t store_reserve_bytes(const struct store *s)
{
	return s->size / RESERVE_SHARE;
}

uint64_t store_size_bytes(const struct store *s)
{
	return s->size;
}

uint64_t store_free_bytes(struct store *s)
{
	if (!store_writer(s) || s->pages_used > s->pages_free)
		return 0;
	return (s->pages_free - s->pages_used) * s->page_size;
}

bool store_has_room(struct store *s, uint64_t n, uint64_t reserve)
{
	if (!store_writer(s))
		return false;
	uint64_t need = s->pages_used + payload_pages(s, n) + 4 * PAGES_PER_CHANGE +
	    (reserve + store_reserve_bytes(s)) / s->page_size;
	return need <= s->pages_free;
}

bool store_is_tight(struct store *s)
{
	return store_writer(s) &&
	    s->pages_used + store_reserve_bytes(s) / 2 / s->page_size > s->pages_free;
}

bool store_turn_has_used(const struct store *s, unsigned percent)
{
	return s->turn && s->pages_used * 100 > s->pages_free * percent;
}

/* --- the tables' operations ----------------------------------------------------------------- */

void table_put(struct store *s, enum table t, const struct key *k, const void *p, size_t n)
{
	MDB_txn *txn = store_writer(s);
	MDB_val key = { k->n, (void *)(uintptr_t)k->b };
	MDB_val value = { n, (void *)(uintptr_t)p };

	if (!txn)
		return;
	s->operations++;
	s->pages_used += n / s->page_size + PAGES_PER_CHANGE;
	int rc = mdb_put(txn, s->tables[t], &key, &value, 0);
	if (rc != 0)
		store_failed(s, rc, "put");
}

void table_del(struct store *s, enum table t, const struct key *k)
{
	MDB_txn *txn = store_writer(s);
	MDB_val key = { k->n, (void *)(uintptr_t)k->b };

	if (!txn)
		return;
	s->operations++;
	s->pages_used += PAGES_PER_CHANGE;
	int rc = mdb_del(txn, s->tables[t], &key, NULL);
	if (rc != 0)
		store_failed(s, rc, "delete");
}

bool table_get(struct store *s, enum table t, const struct key *k, MDB_val *v)
{
	MDB_txn *txn = store_reader(s);
	MDB_val key = { k->n, (void *)(uintptr_t)k->b };

	if (!txn)
		return false;
	s->operations++;
	int rc = mdb_get(txn, s->tables[t], &key, v);
	if (rc != 0 && rc != MDB_NOTFOUND)
		store_failed(s, rc, "get");
	return rc == 0;
}

/* At or behind k; or the last before it. */
static bool seek(struct store *s, enum table t, const struct key *k, bool before, MDB_val *found,
    MDB_val *v)
{
	MDB_txn *txn = store_reader(s);
	MDB_cursor *c;

	if (!txn)
		return false;
	s->operations++;
	int rc = mdb_cursor_open(txn, s->tables[t], &c);
	if (rc == 0) {
		found->mv_size = k->n;
		found->mv_data = (void *)(uintptr_t)k->b;
		rc = mdb_cursor_get(c, found, v, MDB_SET_RANGE);
		if (before && (rc == 0 || rc == MDB_NOTFOUND))
			rc = mdb_cursor_get(c, found, v, rc == 0 ? MDB_PREV : MDB_LAST);
		mdb_cursor_close(c);
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		store_failed(s, rc, "seek");
	return rc == 0;
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

uint8_t *table_reserve(struct store *s, enum table t, const struct key *k, size_t n,
    unsigned flags)
{
	MDB_txn *txn = store_writer(s);
	MDB_val key = { k->n, (void *)(uintptr_t)k->b }, value = { n, NULL };

	if (!txn)
		return NULL;
	s->operations++;
	s->pages_used += n / s->page_size + PAGES_PER_CHANGE;
	int rc = mdb_put(txn, s->tables[t], &key, &value, MDB_RESERVE | flags);
	if (rc != 0) {
		store_failed(s, rc, "reserve");
		return NULL;
	}
	return value.mv_data;
}

bool table_del_if(struct store *s, enum table t, const struct key *k, const void *p, size_t n)
{
	MDB_txn *txn = store_writer(s);
	MDB_val key = { k->n, (void *)(uintptr_t)k->b }, v;
	bool same = false;
	MDB_cursor *c;

	if (!txn)
		return false;
	s->operations++;
	s->pages_used += PAGES_PER_CHANGE;
	int rc = mdb_cursor_open(txn, s->tables[t], &c);
	if (rc == 0) {
		rc = mdb_cursor_get(c, &key, &v, MDB_SET);
		same = rc == 0 && v.mv_size == n && memcmp(v.mv_data, p, n) == 0;
		if (same)
			rc = mdb_cursor_del(c, 0);
		mdb_cursor_close(c);
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		store_failed(s, rc, "delete");
	return same;
}

uint64_t table_del_prefix(struct store *s, enum table t, const struct key *k, unsigned most)
{
	MDB_txn *txn = store_writer(s);
	MDB_val found = { k->n, (void *)(uintptr_t)k->b }, v;
	uint64_t cost = 0;
	unsigned count = 0;
	MDB_cursor *c;

	if (!txn)
		return 0;
	int rc = mdb_cursor_open(txn, s->tables[t], &c);
	if (rc != 0) {
		store_failed(s, rc, "delete");
		return 0;
	}
	rc = mdb_cursor_get(c, &found, &v, MDB_SET_RANGE);
	while (rc == 0 && count < most && found.mv_size >= k->n &&
	    memcmp(found.mv_data, k->b, k->n) == 0) {
		cost += row_cost(found.mv_size, v.mv_size);
		count++;
		rc = mdb_cursor_del(c, 0);
		if (rc == 0)
			rc = mdb_cursor_get(c, &found, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	s->operations += count + 1;
	s->pages_used += PAGES_PER_CHANGE + count / 8;	/* neighbours share their pages */
	if (rc != 0 && rc != MDB_NOTFOUND)
		store_failed(s, rc, "delete");
	return cost;
}

uint64_t row_cost(size_t key, size_t value)
{
	return (key + value + 8) * 3 / 2;
}

uint64_t store_commits(const struct store *s)
{
	return s->commits;
}

uint64_t store_operations(const struct store *s)
{
	return s->operations;
}

uint64_t store_payload_copies(const struct store *s)
{
	return s->payload_copies;
}
