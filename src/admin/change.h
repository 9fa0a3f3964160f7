/* change.h - what the commands that change things have in common */
#ifndef HANDOFF_ADMIN_CHANGE_H
#define HANDOFF_ADMIN_CHANGE_H

#include "admin/selection.h"
#include "core/operate.h"

/* Whose hand it is: "alice (uid 1000)", and the reason given. `who` is the caller's memory. */
struct hand job_hand(const struct admin_job *job, char who[ACTION_WHO_MAX + 1]);
/* The next step comes in so long, or when the operator has gone. */
void job_wait(struct admin_job *job, uint64_t ms);
/* The operator has gone: the command ends where it is. */
bool job_is_left(const struct admin_job *job);
/* The request's words, for the list of what persons did; cut to fit. */
void job_words(const struct admin_job *job, char *out, size_t size);

#define JOB_POLL_MS 100			/* how often a waiting command looks */

/*
 * --- operations on many batches (operation.c) -------------------------------------------------
 *
 * OPERATION_WORDS are the arguments and options of a command that operates on a selection;
 * operation_step() is its whole step function: it finds what was named, asks for the word yes where
 * that is needed, operates page by page over turns, waits where a route is full, and ends with
 * counts. job->state is its own.
 */
#define OPERATION_ARGUMENTS "[ID]..."
#define OPERATION_OPTIONS "--all --rate NUMBER --max NUMBER --progress"
bool operation_step(struct admin_job *job, enum operation operation);

/* What dead import-end is told beside the parts. */
#define IMPORT_OPTIONS \
	"--code CODE --attempts NUMBER --redrives NUMBER --received-at TIME --derived" \
	" --parent ID"

#endif
