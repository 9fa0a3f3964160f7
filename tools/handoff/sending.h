/* sending.h - what the files of handoff send share */
#ifndef HANDOFF_TOOLS_SENDING_H
#define HANDOFF_TOOLS_SENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "handoff/handoff.h"
#include "tools/handoff/assembly.h"
#include "tools/handoff/connection.h"
#include "tools/handoff/idset.h"
#include "tools/handoff/input.h"
#include "tools/handoff/journal.h"
#include "tools/handoff/progress.h"

/* So many batches are closed before they are handed over: with a journal, one write to the disk is
 * for all of them. */
#define CLOSED_MAX 16

/* A batch that was closed, until the library has it. */
struct closed {
	struct journal_batch place;
	struct handoff_records *records;	/* owned */
	size_t index;				/* in the journal */
	bool is_critical;
};

/* A batch whose outcome, or confirmation, is waited for (--wait), or that is not RECEIVED. */
struct awaited {
	char id[HANDOFF_ID_SIZE];
	uint64_t records, bytes;
	size_t index;		/* in the journal */
	bool is_processed;
	uint64_t accepted;	/* is_processed: so many of its records */
	struct idset confirmed, delivered;	/* records whose end is told, and is good */
	UT_hash_handle hh;
};

struct sending {
	const char *module, *to;	/* who sends, and to whom */
	bool waits_for_outcome;		/* --wait processed, or confirmed */
	bool waits_for_confirmation;	/* --wait confirmed */
	struct connection connection;
	struct input input;
	struct assembly assembly;
	struct journal journal;
	bool has_journal;
	size_t repeat_at;		/* the journal's next batch to go through */
	uint64_t sequence_number;	/* the latest used with a journal */
	struct closed closed[CLOSED_MAX];
	size_t closed_count;
	bool is_synced;			/* the journal has what is closed on the disk */
	struct awaited *awaited;	/* uthash */
	struct progress progress;
	bool is_stopped;		/* no more is read */
	bool is_abandoned;		/* nothing more is sent or written down */
	int status;			/* to exit with */
	uint64_t dead, partial;		/* outcomes that are not what one wants */
	uint64_t confirmed;		/* records, of batches that are confirmed in full */
	uint64_t undelivered;		/* records, of these */
	uint64_t ambiguous;		/* batches that nobody confirmed in time */
};

/* --- send.c ---------------------------------------------------------------------------------- */

/* No more is read; the first status counts. */
void sending_stop(struct sending *s, int status);
/* The same, and what follows would not be in the journal, or cannot be sent: ends at once. */
void sending_abandon(struct sending *s, int status);

/* --- sending_events.c ------------------------------------------------------------------------ */

/* An event of the batch is waited for. False after sending_abandon(). */
bool sending_await(struct sending *s, const struct journal_batch *b, size_t index);
void sending_forget(struct sending *s, struct awaited *a);
void sending_on_event(struct sending *s, const struct handoff_event *e);

/* --- sending_input.c ------------------------------------------------------------------------- */

/* Makes closed batches of what has been read, as far as there is room for them. */
void sending_assemble(struct sending *s);
/* There are batches of earlier runs to go through. */
bool sending_has_repeats(const struct sending *s);

#endif
