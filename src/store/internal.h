/* internal.h - what the files of this room share: LMDB is known here and nowhere else */
#ifndef HANDOFF_STORE_INTERNAL_H
#define HANDOFF_STORE_INTERNAL_H

#include <lmdb.h>

#include "store/key.h"
#include "store/store.h"

enum table {
	TABLE_META, TABLE_NAME, TABLE_ROUTE, TABLE_INSTANCE, TABLE_SEQUENCE, TABLE_PAYLOAD,
	TABLE_QUEUE, TABLE_DUE, TABLE_DEAD, TABLE_ENDED, TABLE_IDENTITY, TABLE_COUNT,
};

/* What the meta record holds beside the format: saved with each turn that changed it. */
struct meta {
	uint64_t last_id, last_lease, last_notice, last_number;
	uint64_t clock_ms;
	uint64_t history_bytes;
};

struct store {
	MDB_env *env;
	MDB_txn *turn;			/* the turn's write transaction, NULL between turns */
	MDB_txn *intake;		/* its child, NULL outside an intake */
	MDB_txn *reader;		/* made once, renewed for what follows a commit */
	bool reading;			/* reader is active */
	MDB_dbi tables[TABLE_COUNT];
	struct meta meta, saved;	/* now, and as the latest commit has it */
	struct meta before_intake;	/* to go back to when an intake is refused */
	struct uuid broker_id;
	uint64_t size;
	size_t page_size;
	int lock_fd;
	int failure;			/* the turn's first failure, 0 none */
	bool intake_full;		/* a change of this intake found no room */
	uint64_t pages_free;		/* usable in this turn, when it began */
	uint64_t pages_used;		/* what the turn has needed of them at most */
	uint64_t commits;
	uint64_t operations;
	uint64_t payload_copies;
	uint8_t scratch[ENDED_RECORD_MAX];
};

/* The transaction that changes go to: the intake's, or the turn's (begun when there is none). */
MDB_txn *store_writer(struct store *s);
/* The one to read with: the turn's when it is open, else a snapshot of the latest commit. */
MDB_txn *store_reader(struct store *s);
/* Remembers the first failure of a change; a full intake is no failure of the turn. */
void store_failed(struct store *s, int rc, const char *what);

/* One B-tree operation each. put and del remember failures; get answers. */
void table_put(struct store *s, enum table t, const struct key *k, const void *p, size_t n);
void table_del(struct store *s, enum table t, const struct key *k);
bool table_get(struct store *s, enum table t, const struct key *k, MDB_val *v);
/* The first key at or behind k: false when there is none. The key found goes to *found. */
bool table_seek(struct store *s, enum table t, const struct key *k, MDB_val *found, MDB_val *v);

/*
 * What a row of history and its identity cost of the budget, in pages that are half full at worst.
 */
uint64_t history_cost(size_t row);

/* Files and format: store_file.c. */
int store_file_open(struct store *s, const struct store_options *o, char *why,
    size_t size) MUST_CHECK;
void store_file_close(struct store *s);
int store_meta_load(struct store *s, char *why, size_t size) MUST_CHECK;
void store_meta_save(struct store *s);
/*
 * Pages that the next write transaction may use: never used ones, and those freed two commits ago
 * or earlier. Reads, so it comes before that transaction is begun.
 */
uint64_t store_pages_free(struct store *s);

#endif
