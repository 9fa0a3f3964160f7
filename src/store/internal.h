/* internal.h - what the files of this room share: LMDB is known here and nowhere else */
#ifndef HANDOFF_STORE_INTERNAL_H
#define HANDOFF_STORE_INTERNAL_H

#include <lmdb.h>

#include "store/key.h"
#include "store/redo.h"
#include "store/store.h"

/* A row of alias_filter fills two pages, without their head. */
#define ALIAS_FILTER_BYTES (8192 - 16)

/* What the meta record holds beside the format: saved with each turn that changed it. */
struct meta {
	uint64_t last_id, last_lease, last_notice, last_number;
	uint64_t clock_ms;
	uint64_t history_bytes;		/* without aliases */
	uint64_t alias_bytes;
	uint64_t commit;		/* LMDB's number of the transaction that saved it */
	uint64_t redo_key, redo_bytes;	/* of the redo log, for good */
	struct store_boot boot;
};

struct store {
	MDB_env *env;
	MDB_txn *turn;			/* all since the checkpoint; NULL when that is nothing */
	MDB_txn *intake;		/* its child, NULL outside an intake */
	MDB_txn *reader;		/* made once, renewed for what follows a commit */
	bool reading;			/* reader is active */
	MDB_dbi tables[TABLE_COUNT];
	MDB_cursor *cursors[TABLE_COUNT];	/* of the intake's transaction, or the turn's */
	bool touched[TABLE_COUNT];		/* by that transaction */
	struct meta meta, saved;	/* now, and as the latest commit has it */
	struct meta before_intake;	/* to go back to when an intake is refused */
	struct uuid broker_id;
	uint64_t size;
	size_t page_size;
	int lock_fd;
	bool changed;			/* the turn has something to commit */
	struct redo redo;
	struct flusher *flusher;	/* NULL: all is written by the turn itself */
	uint64_t write_us;		/* so long it takes, about */
	bool is_writing;		/* the flusher does, or its word was not heard yet */
	uint64_t turn_number;		/* of the turn that goes on */
	uint64_t durable, durable_next;	/* the latest durable one; and behind what is written */
	int failure;			/* the turn's first failure, 0 none */
	bool intake_full;		/* a change of this intake found no room */
	struct alias_buffer {		/* what this turn has taken: alias.c */
		uint8_t *bytes;
		size_t count, capacity;		/* entries */
		size_t count_before;		/* the intake, to go back to */
		uint64_t first_id, newest_id, newest_before;
		uint64_t last_key;		/* of the latest row written, 0 none yet */
		size_t waiting;			/* bytes of the rows of alias_new */
		struct alias_filter {		/* the next row of alias_filter */
			uint8_t bytes[ALIAS_FILTER_BYTES];
			size_t n;
			uint64_t last_id;
			uint64_t damaged;	/* the latest that was logged as such */
		} filter;
	} aliases;
	struct error_memory {		/* error.c */
		uint64_t first, last;	/* numbers; first 0: there is none */
		uint64_t count, alerts;
		uint32_t *records;	/* rows of record errors, by hash of their correlation_id */
	} errors;
	uint64_t pages_free;		/* usable until the checkpoint, when `turn` began */
	uint64_t pages_never_used;	/* of them, those behind all that was ever written */
	uint64_t pages_used;		/* what was needed of them since then, at most */
	uint64_t pages_carried;		/* of them, by turns that the redo log has */
	uint64_t pages_before_intake;	/* to go back to, as meta */
	uint64_t pages_reserved;	/* the most that an intake had to leave, since the checkpoint */
	uint64_t bytes_freed;		/* of payloads, since the checkpoint */
	uint64_t bytes_touched;		/* of them, those on pages that are in memory for it */
	uint64_t checkpoint_id;		/* the last batch before it */
	unsigned checkpoints_due;	/* so many turns, until what was freed can be used */
	uint64_t commits;
	uint64_t operations;
	uint64_t payload_copies;
	uint8_t scratch[ENDED_RECORD_MAX];
};

/* The transaction that changes go to: the intake's, or `turn` (begun when there is none). */
MDB_txn *store_writer(struct store *s);
/* The one to read with: the turn's when it is open, else a snapshot of the latest commit. */
MDB_txn *store_reader(struct store *s);
/* Remembers the first failure of a change; a full intake is no failure of the turn. */
void store_failed(struct store *s, int rc, const char *what);

/*
 * table.c. Each table has one cursor in the transaction that changes go to: what comes next is
 * mostly on the page where the latest operation was, and LMDB looks there first.
 */
/* Before a child of the transaction begins: its cursors must not be used meanwhile. */
void tables_leave(struct store *s);
/* The transaction has ended, and its cursors with it. */
void tables_forget(struct store *s);
/* Pages that one change may dirty at most: a path of each tree that it touches. */
#define PAGES_PER_CHANGE 4
/* One B-tree operation each. put and del remember failures; get answers. */
void table_put(struct store *s, enum table t, const struct key *k, const void *p, size_t n);
void table_del(struct store *s, enum table t, const struct key *k);
bool table_get(struct store *s, enum table t, const struct key *k, MDB_val *v);
/* The first key at or behind k: false when there is none. The key found goes to *found. */
bool table_seek(struct store *s, enum table t, const struct key *k, MDB_val *found, MDB_val *v);

/* The last key below k. */
bool table_seek_before(struct store *s, enum table t, const struct key *k, MDB_val *found,
    MDB_val *v);
/* All rows from k on, with a cursor of its own; nothing is changed meanwhile. */
struct table_walk {
	MDB_cursor *c;
	struct key from;
	bool begun;
};
bool table_walk_begin(struct store *s, enum table t, const struct key *k, struct table_walk *w);
bool table_walk_next(struct table_walk *w, MDB_val *key, MDB_val *v);
void table_walk_end(struct table_walk *w);
/* What a key of `due` or `confirm_due` says. */
struct due {
	uint64_t time_ms;
	uint32_t route;
	uint64_t id;
};
/* The first that is due at now_ms. False: none is; *next_ms is when, UINT64_MAX never. */
bool due_first(struct store *s, enum table t, uint64_t now_ms, struct due *out,
    uint64_t *next_ms);
/* A row of n bytes to be filled at once: NULL when it failed. `flags`: 0 or MDB_APPEND. */
uint8_t *table_reserve(struct store *s, enum table t, const struct key *k, size_t n,
    unsigned flags);
/* Deletes the row if it is exactly these bytes; else leaves it. */
bool table_del_if(struct store *s, enum table t, const struct key *k, const void *p, size_t n);
/* Deletes the rows whose keys begin with k, at most `most`; returns what row_cost() says of them.
 */
uint64_t table_del_prefix(struct store *s, enum table t, const struct key *k, unsigned most);

/*
 * names.c: all names and their numbers are as they were written. A small row that has a CRC over
 * its key too.
 */
bool names_check(struct store *s);
bool row_is_sealed(const MDB_val *key, const MDB_val *v);

/* notice.c */
bool notice_is_whole(const MDB_val *key, const MDB_val *v);

/* A batch in custody: queue.c. */
void payload_put(struct store *s, uint64_t id, const uint8_t *p, size_t n);
void payload_del(struct store *s, const struct key *k, size_t n);
/* Damage stays damage. */
void payload_move(struct store *s, uint64_t from, uint64_t to);
/* Its rows of queue, due and series. */
void queue_enter(struct store *s, const struct batch *b);

/* identity.c */
/* LIVE or DEAD. The second is for a batch_id that may have ended before. */
void identity_put(struct store *s, const struct batch *b, enum identity_kind kind);
void identity_put_again(struct store *s, const struct batch *b, enum identity_kind kind);
/* From LIVE to the end, which is in history now. */
void identity_end(struct store *s, const struct batch *from, const struct ended *e);
void identity_point_at(struct store *s, const struct ended *e);
bool identity_is_at(struct store *s, const struct ended *e);
void identity_del_if_at(struct store *s, const struct ended *e);
/* Forgets the identity of this batch_id, if it is a dead letter's of that id. */
bool identity_del_dead(struct store *s, uint32_t route, const struct uuid *batch_id, uint64_t id);
/* Finds what points at a batch whose batch_id is lost, and forgets it: reads the whole route. */
void identity_del_lost(struct store *s, uint32_t route, uint64_t id);

/* series.c: rows exactly while batch.ordered and in custody. */
void series_put(struct store *s, const struct batch *b);
void series_del(struct store *s, const struct batch *b);
/* Of a batch whose record is lost: tries each series of its route. */
void series_del_lost(struct store *s, uint32_t route, uint64_t id);

/* letter.c */
void letter_put(struct store *s, const struct batch *from, const struct ended *e);
void letter_retell(struct store *s, const struct ended *from, const struct ended *e);

/* ended.c */
size_t ended_put(struct store *s, const struct ended *e);
void history_less(struct store *s, uint64_t cost);

/* journal.c */
void journal_del(struct store *s, uint64_t id);
void journal_move(struct store *s, uint64_t from, uint64_t to);
int circuit_read(const MDB_val *key, const MDB_val *v, struct circuit_record *c) MUST_CHECK;
int control_read(const MDB_val *key, const MDB_val *v, struct route_control *c) MUST_CHECK;

/* confirm.c: as an end is moved, forgotten; as a letter leaves without an end. */
void confirm_retell(struct store *s, const struct ended *from, const struct ended *e);
void confirm_forget(struct store *s, const struct ended *e);
void confirm_forget_early(struct store *s, uint32_t route, uint64_t id);

/* alias.c: writes what is gathered; goes back to what there was before an intake. */
void alias_flush(struct store *s);
void alias_intake_begin(struct store *s);
void alias_intake_abort(struct store *s);
bool alias_row_is_whole(const MDB_val *v);
/* alias_filter.c: what is not written yet, when the store is opened. 0, ERR_IO. */
int alias_filter_load(struct store *s) MUST_CHECK;
bool alias_filter_is_whole(const MDB_val *v);
/* A filter has this row of aliases, which is whole. */
bool alias_filter_has(struct store *s, uint64_t id, const MDB_val *row);

/* error.c: what is known of the errors without looking, when the store is opened. 0, ERR_IO. */
int errors_load(struct store *s) MUST_CHECK;
/* The row that an error has in an index. False: it has none. */
bool error_index_key(const struct error_record *e, enum error_index index, struct key *k);

/* What a small row costs of the budget of history, in pages that are two thirds full. */
uint64_t row_cost(size_t key, size_t value);
/*
 * What a row of history and its identity cost of the budget, in pages that are half full at worst.
 */
uint64_t history_cost(size_t row);

/* Writes why it is refused into why[size]; returns err. */
__attribute__((format(printf, 4, 5)))
int store_refuse(int err, char *why, size_t size, const char *fmt, ...);

/* Files and format: store_file.c, store_format.c. */
int store_file_open(struct store *s, const struct store_options *o, char *why,
    size_t size) MUST_CHECK;
void store_file_close(struct store *s);
/* A name is durable when the directory that it is in has been synced. 0, or -1 with errno. */
int store_sync_parent(const char *path) MUST_CHECK;
int store_meta_load(struct store *s, const char *dir, char *why, size_t size) MUST_CHECK;
void store_meta_save(struct store *s);
/*
 * Counts the pages that the next write transaction may use: never used ones, and those freed two commits ago
 * or earlier. Reads, so it comes before that transaction is begun.
 */
void store_count_pages(struct store *s);

#endif
