/* redo.h - the redo log: a turn is durable with one write, and LMDB commits when it holds many */
#ifndef HANDOFF_STORE_REDO_H
#define HANDOFF_STORE_REDO_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/flusher.h"
#include "store/tables.h"

/*
 * A commit of LMDB writes every page that the turn has changed, here and there, and waits for two
 * flushes, one after the other. So most turns leave its transaction open and write what they have
 * changed, row by row, behind each other into a file of their own: one write, one flush. Now and
 * then a turn ends with LMDB's commit instead, a checkpoint; it makes all that stands in the log
 * durable in the store's file, and the log begins anew. A start finds the state of the latest
 * checkpoint and does again what the log has behind it.
 *
 *	turn:	magic(8) key(8) commit(8) number(4) bytes(4) sum(8), changes; up to a whole page
 *	change:	kind(1) table(1) key bytes(2) value bytes(4) key value
 *
 * `commit` is the number that LMDB's open transaction will have: the turns of a commit that has come
 * are done with. They are numbered from 0. A turn begins on a page of its own, so that no write
 * touches what is durable already. `key` is drawn with the store and told to nobody: a payload that
 * looks like a turn is none.
 *
 * A turn that is not whole is the last one and was never answered for: what stands behind it would
 * have been written after its flush. If there is a whole one behind it, the log is damaged.
 */
struct store;

struct redo {
	int fd;				/* O_DSYNC: a write has returned when it is durable; where
					   that can be, O_DIRECT: whole pages, from whole pages */
	uint64_t size;			/* of the file */
	uint64_t at;			/* where the next turn goes */
	uint32_t number;		/* its number */
	uint8_t *bytes;			/* this turn as it will be written; begins a page */
	uint8_t *under_way;		/* the turn before, while a flusher writes it */
	size_t n, most;			/* used, and the ceiling */
	size_t before_intake;		/* n, to go back to */
	bool too_long;			/* this turn is: a checkpoint has to end it */
	unsigned scattered;		/* changes since the checkpoint that may each need a page */
	uint64_t latest_ms[2][2];	/* of ids, by table and kind of change: redo.c */
	struct {			/* a row that is being filled: its bytes are taken later */
		const uint8_t *row;
		size_t at, n;
	} open;
};

/* How large the log of a store of so many bytes is. */
uint64_t redo_size(uint64_t store_bytes);
/* Makes an empty log, whole and durable, under the name `file`. 0, or an errno. */
int redo_make(const char *file, uint64_t bytes) MUST_CHECK;
/*
 * Opens the log of a store whose meta record is known, and does again in the turn's transaction
 * what the latest commit does not have. *any: there was something. On failure, why it is refused.
 */
int redo_open(struct store *s, const char *file, bool *any, char *why, size_t size) MUST_CHECK;
void redo_close(struct redo *r);

/*
 * What the turn changes: called with each change, before it is made. A value without data is a row
 * that is reserved: redo_row_reserved() says where, and it is filled before the next change.
 */
void redo_put(struct store *s, enum table t, const MDB_val *key, const MDB_val *value);
void redo_row_reserved(struct store *s, const uint8_t *row);
/* The row that was reserved last has been filled, and is about to move. */
void redo_settle(struct store *s);
void redo_del(struct store *s, enum table t, const MDB_val *key);
/* What is changed from here on may be given up alone. */
void redo_intake_begin(struct store *s);
void redo_intake_abort(struct store *s);

/* The turn can be written: it is not too long, and the log has room for it. */
bool redo_has_room(const struct redo *r);
/* Writes it, durably. 0, or an errno. */
int redo_write(struct store *s) MUST_CHECK;
/* Has it written by the flusher, which has nothing else to do. */
void redo_submit(struct store *s, struct flusher *f);
/* A checkpoint has made all durable: begins anew. */
void redo_restart(struct redo *r);

#endif
