/* selection.h - which batches a command is about: by id, or by what they have in common */
#ifndef HANDOFF_ADMIN_SELECTION_H
#define HANDOFF_ADMIN_SELECTION_H

#include "admin/internal.h"
#include "core/inspect.h"

/*
 * The options that any command about batches may have in its row; a command has those it names
 * there. SELECTION_LETTERS is for dead letters, SELECTION_BATCHES for what is in custody.
 */
#define SELECTION_COMMON \
	"--route NAME --instance NAME --correlation TEXT --older TIME --younger TIME"
#define SELECTION_LETTERS SELECTION_COMMON " --code CODE --field FIELD --derived --whole"
#define SELECTION_BATCHES SELECTION_COMMON \
	" --state STATE --held --suspect --reason-code REASON --holder NAME"

/*
 * The job's options as a selection; --all, and what the command adds, are the command's. Texts in
 * it are the request's: good as long as the job. False: the job has failed with a sentence that
 * says what is wrong. `states` are those that --state may choose from (bits as in the selection).
 */
bool selection_take(struct admin_job *job, unsigned states, struct selection *s);
/* Whether an option that narrows the selection was given. */
bool selection_is_given(const struct admin_job *job);
/* The route of that name; NULL, and the job has failed, when there is none. */
const struct route *selection_route(struct admin_job *job, const char *name);

/* "1500ms", "90s", "15min" or "15m", "2h", "7d"; a bare number is seconds. False when it is none.
 */
bool duration_parse(const char *text, uint64_t *ms);
/* A decimal number from 1 to `max`. */
bool number_parse(const char *text, uint64_t max, uint64_t *value);

/* --- single batches by id --------------------------------------------------------------------- */

/* A batch that was named: where it is now. */
struct target {
	const struct route *route;
	struct uuid batch_id;
	enum batch_state state; /* READY: in custody, whatever its state there; DEAD; ENDED */
	uint64_t id;			/* the store's */
};
/*
 * Finding it, in steps: all zero at first. Looks for batch_ids that begin with the text on all
 * routes, or on `only`; `state` says what is wanted: BATCH_READY in custody, BATCH_DEAD a dead
 * letter, BATCH_NEW whatever it is. Of letters that outlive the memory of their batch's end, the
 * dead letters themselves are asked.
 */
struct target_search {
	const struct route *only;
	enum batch_state state;
	size_t route;			/* the next to look at */
	bool in_letters;
	bool has_ended;			/* a batch of that id has, at least */
	struct selection_cursor cursor;
	unsigned found;			/* 2: it is ambiguous */
	struct target first, second;
};
/* True when it has to be called again. */
bool target_search_step(struct core *core, struct target_search *t, const char *text);
/*
 * The result of a search that is at its end: exactly one, or a sentence that says why not
 * (ambiguous, and between which; not known; in another state than wanted).
 */
bool target_search_end(const struct target_search *t, const char *text, struct target *out,
    char *why, size_t size);

#endif
