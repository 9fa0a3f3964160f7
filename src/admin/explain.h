/* explain.h - what the files of one command share: a batch's whole story, and why it does not move */
#ifndef HANDOFF_ADMIN_EXPLAIN_H
#define HANDOFF_ADMIN_EXPLAIN_H

#include "admin/look.h"

#define EXPLAIN_MATCHES_MAX 20

struct explain_match {
	const struct route *route;
	struct uuid batch_id;
};

/*
 * Finding (cmd_explain.c), then the story a piece a step (explain_story.c): the batch is looked up
 * anew in each step, since it goes on meanwhile.
 */
enum explain_stage {
	EXPLAIN_BEGIN, EXPLAIN_SEARCH, EXPLAIN_ACTIONS,
	EXPLAIN_HEAD, EXPLAIN_JOURNAL, EXPLAIN_ERRORS, EXPLAIN_ADVICE, EXPLAIN_END,
};
struct explain {
	enum explain_stage stage;
	struct search search;
	struct explain_match matches[EXPLAIN_MATCHES_MAX];
	unsigned count;			/* of them */
	bool more;			/* than were kept */
	uint64_t before;		/* EXPLAIN_ACTIONS: the next to look at is older */
	bool purged;			/* EXPLAIN_ACTIONS: one was found */
	uint32_t line;			/* EXPLAIN_JOURNAL: the latest that was shown */
	bool told_dead;			/* the journal has told of it */
	size_t error;			/* EXPLAIN_ERRORS: where the next begins */
};

/* --- explain_story.c -------------------------------------------------------------------------- */
/* A piece of the story of s->matches[0]; false at its end. */
bool explain_story_step(struct admin_job *job, struct explain *s);

/* --- explain_next.c --------------------------------------------------------------------------- */
/* State, reason, until when, what happens by itself, what an operator can do. */
void explain_state(struct admin_job *job, const struct batch_view *v);

#endif
