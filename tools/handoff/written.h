/* written.h - which batches stand in recv's output file, and how far it is right */
#ifndef HANDOFF_TOOLS_WRITTEN_H
#define HANDOFF_TOOLS_WRITTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/handoff/ledger.h"

/*
 * The broker can deliver a batch again of which it has not heard the PROCESSED. So the ids of what
 * was written are kept, beside the length of the output file that they account for:
 *
 *	1. records are appended to the output file, and synced
 *	2. written_commit(): their batches and the new length are on the disk
 *	3. PROCESSED is said
 *
 * A crash between 1 and 2 leaves records behind the length, which are cut off; one between 2 and 3
 * a batch that is delivered again, and recognised.
 *
 * A batch is kept until the broker has confirmed its PROCESSED, which is when it cannot come again,
 * or for a day; and beyond that the latest ones, as many as the caller wants, for the case that the
 * broker's store is restored from an older copy.
 */
struct written_batch;

struct written {
	struct ledger ledger;
	char path[4096];
	uint64_t length;		/* of the output file, as far as it is right */
	char *instance;			/* owned: the instance_id that all runs use */
	struct written_batch *batches;	/* uthash, oldest first */
	struct buf group, done;		/* names for the next lines */
	size_t remember;		/* so many that have ended are kept */
	size_t logged;			/* names in the ledger */
	bool has_first, has_length;	/* while reading */
};

/*
 * Opens PATH.state, or begins it for an output file of this length. False after a complaint, with
 * the exit status.
 */
bool written_open(struct written *w, const char *output_path, uint64_t output_length,
    const char *instance, size_t remember, int *status);
void written_close(struct written *w);

bool written_has(const struct written *w, const char *batch_id, const char *route);
/* Adds a batch to the group; false when memory is refused. */
bool written_add(struct written *w, const char *batch_id, const char *route);
/* The group is on the disk, with the output file's new length. False after a complaint. */
bool written_commit(struct written *w, uint64_t length);
/* The broker has confirmed that the batch has ended. */
void written_confirm(struct written *w, const char *batch_id, const char *route);

#endif
