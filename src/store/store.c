/* store.c - the transaction, the intake inside it, and room */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

/* Free pages, beside its own, that let an intake go without a transaction of its own. */
#define INTAKE_SPARE_PAGES 256
/* The reserve for ends: a sixteenth of the store. */
#define RESERVE_SHARE 16
/* Pages that turns have taken, about, for each page that the redo log has of them. */
#define LOGGED_PAGES 2

int store_open(const struct store_options *o, struct store **out, char *why, size_t size)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->lock_fd = s->redo.fd = -1;
	s->turn_number = 1;
	int rc = store_file_open(s, o, why, size);
	if (rc == 0)
		rc = store_meta_load(s, o->path, why, size);
	if (rc == 0 && !names_check(s)) {
		rc = ERR_CORRUPT;
		snprintf(why, size, "the names of routes and modules in %s are damaged: restore a "
		    "backup", o->path);
	}
	if (rc == 0 && (rc = alias_filter_load(s)) != 0)
		snprintf(why, size, "the aliases in %s cannot be read", o->path);
	if (rc == 0 && (rc = errors_load(s)) != 0)
		snprintf(why, size, "the errors in %s cannot be read", o->path);
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
	flusher_destroy(s->flusher);
	redo_close(&s->redo);
	store_file_close(s);
	free(s->aliases.bytes);
	free(s->errors.records);
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
	return s->changed || s->intake || s->reading;
}

bool store_has_failed(const struct store *s)
{
	return s->failure != 0;
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
	redo_intake_begin(s);
	tables_leave(s);
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
	redo_intake_abort(s);
	s->meta = s->before_intake;
	s->pages_used = s->pages_before_intake;
}

static int end_child(struct store *s)
{
	if (s->intake_full) {
		store_intake_abort(s);
		return ERR_FULL;
	}
	redo_settle(s);
	int rc = mdb_txn_commit(s->intake);
	s->intake = NULL;
	tables_forget(s);
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
	tables_forget(s);
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
	if (!store_writer(s))
		return 0;
	uint64_t used = s->pages_used - s->pages_carried + LOGGED_PAGES * s->redo.at / s->page_size;
	return used < s->pages_free ? (s->pages_free - used) * s->page_size : 0;
}

bool store_has_room(struct store *s, uint64_t n, uint64_t reserve)
{
	if (!store_writer(s))
		return false;
	uint64_t reserved = (reserve + store_reserve_bytes(s)) / s->page_size;
	if (reserved > s->pages_reserved)
		s->pages_reserved = reserved;
	bool fits = s->pages_used + payload_pages(s, n) + 4 * PAGES_PER_CHANGE + reserved <=
	    s->pages_free;
	if (!fits && s->pages_carried > 0 && s->checkpoints_due == 0)
		s->checkpoints_due = 1;	/* it may be for what earlier turns may have used */
	return fits;
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
