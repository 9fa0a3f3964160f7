/* journal.h - what handoff send has sent of its input, so that it can be killed and run again */
#ifndef HANDOFF_TOOLS_JOURNAL_H
#define HANDOFF_TOOLS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "handoff/client.h"
#include "tools/handoff/ledger.h"

/* What must not differ from one run to the next. */
struct journal_settings {
	const char *module, *target, *id_field, *wait;
};

enum journal_state {
	JOURNAL_CLOSED,		/* its place in the input is settled; it may be in custody */
	JOURNAL_RECEIVED,
	JOURNAL_PROCESSED,	/* these two with --wait processed alone */
	JOURNAL_REJECTED,
};

/* A batch: which part of the input it is, and under which name it was sent. */
struct journal_batch {
	char id[HANDOFF_ID_SIZE];
	uint64_t start, end;	/* bytes of the input */
	uint64_t lines;		/* that end in there */
	uint64_t records;
	uint64_t sequence_number;
	uint8_t sha256[SHA256_BYTES];	/* of these bytes */
	enum journal_state state;
};

struct journal {
	struct ledger ledger;
	const struct journal_settings *settings;	/* the caller's */
	char run[HANDOFF_ID_SIZE];	/* names the journal; made record_ids begin with it */
	char *instance;			/* owned: the instance_id that all runs use */
	struct journal_batch *batches;	/* owned; in the order of the input, without a gap */
	size_t count, room;
	size_t read_count;		/* so many of them are from earlier runs */
};

/*
 * Opens the journal, or begins it, for the instance (NULL: a new one); a journal that was begun
 * keeps its own. False after a complaint, with the exit status.
 */
bool journal_open(struct journal *j, const char *path, const struct journal_settings *settings,
    const char *instance, int *status);
void journal_close(struct journal *j);

/* Adds a batch, state CLOSED. It is durable, and may be sent, after journal_sync(). */
bool journal_add(struct journal *j, const struct journal_batch *b);
bool journal_sync(struct journal *j);
/* Notes a state; survives the death of this program at once, and that of the machine after the next
 * journal_sync(). */
bool journal_mark(struct journal *j, size_t index, enum journal_state state);

#endif
