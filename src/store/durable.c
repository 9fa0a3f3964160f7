/* durable.c - when a turn is durable: by the redo log, by a checkpoint, by another thread */
#include <string.h>

#include "base/failpoint.h"
#include "store/internal.h"

/*
 * What is changed is in memory until the checkpoint, by pages: so many rows whose keys follow no
 * order, a page each at worst, and so many bytes of payloads that have gone.
 */
#define SCATTERED_MAX 1024
#define TOUCHED_MAX (4u << 20)
/* What is worth another thread's time, and ours to hear of it. */
#define FLUSHER_BYTES (16 * 1024)
/*
 * A turn that is ripe is worth a write, and took about as long as one: so the loop and the disk are
 * both at work. Beside a slow disk it is better to wait for more: what misses a write waits for two.
 */
#define RIPE_BYTES (64 * 1024)
#define RIPE_BYTES_A_US 200
/* Pages that may be in use, and those that cannot be used yet, beside what is free. */
#define USED_SHARE 4
#define FREED_SHARE 8

/* --- checkpoints ----------------------------------------------------------------------------- */

static bool has_freed_much(const struct store *s)
{
	return s->bytes_freed / s->page_size > s->pages_free / FREED_SHARE;
}

/* pages_used is what may have been used: a checkpoint counts, before that refuses what would fit. */
static bool has_used_much(const struct store *s)
{
	uint64_t reserve = s->pages_reserved > store_reserve_bytes(s) / s->page_size
	    ? s->pages_reserved : store_reserve_bytes(s) / s->page_size;

	return s->pages_free < reserve || s->pages_used > (s->pages_free - reserve) / USED_SHARE;
}

/*
 * A full log; or few pages. What was freed can be used behind two checkpoints: when it is much
 * beside what is free, the first comes now, and the second with the next turn.
 */
static bool wants_checkpoint(const struct store *s)
{
	return !redo_has_room(&s->redo) || s->redo.scattered > SCATTERED_MAX ||
	    s->bytes_touched > TOUCHED_MAX || has_used_much(s) || has_freed_much(s) ||
	    s->checkpoints_due > 0;
}

static int checkpoint(struct store *s)
{
	if (has_freed_much(s))
		s->checkpoints_due = 2;
	s->checkpoints_due -= s->checkpoints_due > 0;
	s->bytes_freed = s->bytes_touched = s->pages_reserved = 0;
	s->checkpoint_id = s->meta.last_id;
	FAILPOINT("commit.before");
	int rc = mdb_txn_commit(s->turn);
	s->turn = NULL;			/* consumed, also when it failed */
	s->pages_carried = 0;
	tables_forget(s);
	FAILPOINT("commit.after");
	if (rc == 0)
		redo_restart(&s->redo);
	return rc;
}

/* --- the end of a turn ----------------------------------------------------------------------- */

/* What the flusher writes is durable now. */
static int hear_flusher(struct store *s)
{
	if (!s->is_writing)
		return 0;
	uint64_t us;
	int rc = flusher_wait(s->flusher, &us);
	s->write_us = (3 * s->write_us + us) / 4;
	s->is_writing = false;
	FAILPOINT("redo.heard");
	if (rc == 0)
		s->durable = s->durable_next;
	return rc;
}

/* Ends the turn; `may_go_on`: what is much may be written while the next turn goes on. */
static int make_durable(struct store *s, bool may_go_on)
{
	int rc = hear_flusher(s);

	if (rc == 0 && wants_checkpoint(s)) {
		rc = checkpoint(s);
	} else if (rc == 0 && may_go_on && s->flusher && s->redo.n >= FLUSHER_BYTES) {
		redo_submit(s, s->flusher);
		s->is_writing = true;
	} else if (rc == 0) {
		rc = redo_write(s);
	}
	return rc;
}

/*
 * Meta is of the latest turn, always: see meta_check_commit(). A turn that has only looked has
 * nothing to make durable.
 */
static int end_turn(struct store *s, bool may_go_on)
{
	if (s->failure == 0)
		alias_flush(s);
	bool changed = s->changed || memcmp(&s->meta, &s->saved, sizeof s->meta) != 0;
	if (s->failure == 0 && changed)
		store_meta_save(s);
	store_read_end(s);
	if (s->failure != 0)
		return ERR_IO;
	bool ends = changed || (s->checkpoints_due > 0 && s->pages_carried > 0);
	int rc = ends ? make_durable(s, may_go_on) : may_go_on ? 0 : hear_flusher(s);
	if (rc != 0) {
		store_failed(s, rc, "commit");
		return ERR_IO;
	}
	*(s->is_writing ? &s->durable_next : &s->durable) = s->turn_number++;
	if (!changed)
		return 0;
	s->changed = false;
	s->saved = s->meta;
	s->pages_carried = s->turn ? s->pages_used : 0;
	s->commits++;
	return 0;
}

int store_commit(struct store *s)
{
	return end_turn(s, false);
}

int store_commit_begin(struct store *s)
{
	return end_turn(s, true);
}

/* --- turns that are written aside ------------------------------------------------------------ */

bool store_turn_is_ripe(const struct store *s)
{
	return s->flusher && s->redo.n >= RIPE_BYTES &&
	    s->redo.n >= RIPE_BYTES_A_US * s->write_us &&
	    (!s->is_writing || flusher_is_done(s->flusher));
}

int store_commit_end(struct store *s)
{
	if (!s->is_writing || !flusher_is_done(s->flusher))
		return 0;
	int rc = hear_flusher(s);
	if (rc == 0)
		return 0;
	store_failed(s, rc, "write");
	return ERR_IO;
}

uint64_t store_turn(const struct store *s)
{
	return s->turn_number;
}

uint64_t store_durable_turn(const struct store *s)
{
	return s->durable;
}

bool store_flush_aside(struct store *s, void (*done)(void *arg), void *arg)
{
	s->flusher = flusher_create(done, arg);
	return s->flusher;
}

/* --- checkpoints that are asked for ---------------------------------------------------------- */

int store_checkpoint(struct store *s)
{
	int rc = s->failure != 0 ? s->failure : hear_flusher(s);

	if (rc == 0 && s->turn)
		rc = checkpoint(s);
	if (rc == 0)
		return 0;
	store_failed(s, rc, "checkpoint");
	return ERR_IO;
}

void store_nudge(struct store *s)
{
	s->checkpoints_due = 2;
	store_meta_save(s);
}
