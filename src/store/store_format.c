/* store_format.c - the store's format: its tables, and the record that says which it is */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/failpoint.h"
#include "base/rng.h"
#include "store/internal.h"
#include "store/number.h"

#define STORE_FORMAT 5
#define STORE_MAGIC "handoff\n"

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_META] = "meta",
	[TABLE_NAME] = "name",
	[TABLE_ROUTE] = "route",
	[TABLE_INSTANCE] = "instance",
	[TABLE_SEQUENCE] = "sequence",
	[TABLE_PAYLOAD] = "payload",
	[TABLE_QUEUE] = "queue",
	[TABLE_DUE] = "due",
	[TABLE_SERIES] = "series",
	[TABLE_DEAD] = "dead",
	[TABLE_ENDED] = "ended",
	[TABLE_IDENTITY] = "identity",
	[TABLE_IDENTITY_ENDED] = "identity_ended",
	[TABLE_NOTICE] = "notice",
	[TABLE_JOURNAL] = "journal",
	[TABLE_CONFIRM] = "confirm",
	[TABLE_CONFIRM_DUE] = "confirm_due",
	[TABLE_CONFIRM_RECORD] = "confirm_record",
	[TABLE_ALIAS] = "alias",
	[TABLE_ALIAS_NEW] = "alias_new",
	[TABLE_ALIAS_FILTER] = "alias_filter",
	[TABLE_ERROR] = "error",
	[TABLE_ERROR_BY] = "error_by",
	[TABLE_ALERT] = "alert",
	[TABLE_ACTION] = "action",
	[TABLE_CONTROL] = "control",
	[TABLE_CIRCUIT] = "circuit",
};

/* --- the format record ---------------------------------------------------------------------- */

/*
 *	magic(8) format(4) broker_id(16) numbers(8 each) crc(4)
 */
#define META_NUMBERS 13
_Static_assert(sizeof(struct meta) == META_NUMBERS * 8, "meta is a row of numbers");
#define META_BYTES (8 + 4 + 16 + META_NUMBERS * 8 + 4)

static const struct key meta_key = { .b = "store", .n = 5 };

void store_meta_save(struct store *s)
{
	uint8_t b[META_BYTES];
	uint64_t numbers[META_NUMBERS];

	MDB_txn *txn = store_writer(s);
	s->meta.commit = txn ? mdb_txn_id(txn) : 0;
	memcpy(b, STORE_MAGIC, 8);
	put_le(b + 8, STORE_FORMAT, 4);
	memcpy(b + 12, s->broker_id.b, 16);
	memcpy(numbers, &s->meta, sizeof numbers);
	for (size_t i = 0; i < META_NUMBERS; i++)
		put_le(b + 28 + 8 * i, numbers[i], 8);
	put_le(b + META_BYTES - 4, crc32c(0, b, META_BYTES - 4), 4);
	table_put(s, TABLE_META, &meta_key, b, sizeof b);
}

/*
 * LMDB keeps where each tree begins. Who is led to the page where one began a commit ago finds it
 * as it was then, whole. What is in custody stands in several, which then disagree, and audit says
 * so; the record, with the numbers that must never be given twice, is compared with nothing else.
 */
static int meta_check_commit(struct store *s, uint64_t latest, char *why, size_t size)
{
	return s->meta.commit == latest ? 0
	    : store_refuse(ERR_CORRUPT, why, size,
		  "the store is damaged: its record is of commit %llu, the latest is %llu; "
		  "restore a backup",
		  (unsigned long long)s->meta.commit, (unsigned long long)latest);
}

static int meta_read(struct store *s, const uint8_t *b, size_t n, uint64_t latest, char *why,
    size_t size)
{
	uint64_t numbers[META_NUMBERS];

	if (n < 12 || memcmp(b, STORE_MAGIC, 8) != 0)
		return store_refuse(ERR_CORRUPT, why, size,
		    "store.path holds an LMDB file that is no handoff store, or a damaged one");
	if (get_le(b + 8, 4) != STORE_FORMAT)
		return store_refuse(ERR_VERSION, why, size,
		    "the store has format %u, this broker knows format %u: "
		    "use the broker that wrote it, or a newer one",
		    (unsigned)get_le(b + 8, 4), STORE_FORMAT);
	if (n != META_BYTES || get_le(b + n - 4, 4) != crc32c(0, b, n - 4))
		return store_refuse(ERR_CORRUPT, why, size,
		    "the store's format record is damaged: restore a backup");
	memcpy(s->broker_id.b, b + 12, 16);
	for (size_t i = 0; i < META_NUMBERS; i++)
		numbers[i] = get_le(b + 28 + 8 * i, 8);
	memcpy(&s->meta, numbers, sizeof numbers);
	s->saved = s->meta;
	return meta_check_commit(s, latest, why, size);
}

static void meta_make(struct store *s)
{
	uint8_t random[16];

	rng_system(&s->meta.redo_key, sizeof s->meta.redo_key);
	s->meta.redo_bytes = redo_size(s->size);
	rng_system(random, sizeof random);
	uuid_make(&s->broker_id, 0, random);
	memcpy(s->broker_id.b, random,
	    6); /* all of it random: it names a store, nothing sorts by it */
	store_meta_save(s);
}

/* Nothing has ever been committed: it was made, and no start went on from there. */
static bool is_new(MDB_txn *txn)
{
	MDB_stat stat;
	MDB_dbi all;

	return mdb_dbi_open(txn, NULL, 0, &all) == 0 && mdb_stat(txn, all, &stat) == 0 &&
	    stat.ms_entries == 0;
}

static int table_open(struct store *s, MDB_txn *txn, enum table t, bool make, char *why,
    size_t size)
{
	int rc = mdb_dbi_open(txn, table_names[t], make ? MDB_CREATE : 0, &s->tables[t]);

	return rc == 0 ? 0
	    : store_refuse(rc == MDB_NOTFOUND ? ERR_CORRUPT : ERR_IO, why, size,
		  "the store's table %s cannot be opened: %s", table_names[t], mdb_strerror(rc));
}

/* Format 4 has it in a tree with other tables, whose keys begin with a number of each. */
static bool meta_find(struct store *s, MDB_txn *txn, MDB_val *v)
{
	MDB_val key = { 6, (char[]){ "\1store" } };
	MDB_dbi older;

	if (mdb_dbi_open(txn, table_names[TABLE_META], 0, &s->tables[TABLE_META]) == 0)
		return table_get(s, TABLE_META, &meta_key, v);
	return mdb_dbi_open(txn, "custody", 0, &older) == 0 && mdb_get(txn, older, &key, v) == 0;
}

/*
 * The first commit makes all tables. One that is missed later is not made again: what was in it is
 * under a name that has rotted, and would never be missed.
 */
static int tables_open(struct store *s, MDB_txn *txn, bool make, char *why, size_t size)
{
	MDB_val v = { 0, NULL };
	int rc;

	if (make) {
		rc = table_open(s, txn, TABLE_META, true, why, size);
		if (rc == 0)
			meta_make(s);
	} else {		/* one that is not found is no store, in meta_read()'s words */
		if (!meta_find(s, txn, &v))
			v = (MDB_val){ 0, NULL };
		rc = meta_read(s, v.mv_data, v.mv_size, mdb_txn_id(txn) - 1, why, size);
	}
	for (enum table t = 0; rc == 0 && t < TABLE_COUNT; t++)
		if (t != TABLE_META)
			rc = table_open(s, txn, t, make, why, size);
	return rc;
}

/* What the redo log has is in the turn now: as its latest turn left meta. */
static int meta_again(struct store *s, char *why, size_t size)
{
	MDB_val v = { 0, NULL };

	if (!table_get(s, TABLE_META, &meta_key, &v))
		v = (MDB_val){ 0, NULL };
	return meta_read(s, v.mv_data, v.mv_size, mdb_txn_id(s->turn), why, size);
}

/* The log is there first: a store in which anything was ever committed has one. */
static int first_commit(struct store *s, const char *log, char *why, size_t size)
{
	int made = redo_make(log, s->meta.redo_bytes);

	if (made != 0)
		return store_refuse(ERR_IO, why, size, "%s cannot be made %llu bytes large: %s", log,
		    (unsigned long long)s->meta.redo_bytes, strerror(made));
	FAILPOINT("create.format");
	int rc = store_checkpoint(s);
	FAILPOINT("create.done");
	if (rc != 0 || !store_writer(s))
		return store_refuse(ERR_IO, why, size, "the store's first commit failed: %s",
		    mdb_strerror(s->failure));
	return 0;
}

int store_meta_load(struct store *s, const char *dir, char *why, size_t size)
{
	MDB_txn *txn = store_writer(s);
	bool make = txn && is_new(txn), any = false;
	char log[4096];
	int rc = txn ? tables_open(s, txn, make, why, size) : 0;

	snprintf(log, sizeof log, "%s/custody.redo", dir);
	if (rc == 0 && make)
		rc = first_commit(s, log, why, size);
	if (rc != 0)
		return rc;
	rc = redo_open(s, log, &any, why, size);
	if (rc == 0 && any)
		rc = meta_again(s, why, size);
	if (rc == 0 && store_checkpoint(s) != 0)
		rc = store_refuse(ERR_IO, why, size, "what %s holds cannot be committed: %s", log,
		    mdb_strerror(s->failure));
	s->changed = false;
	s->saved = s->meta;
	return rc;
}
