/* progress.h - how far a command has got: a line on the terminal, and one at the end */
#ifndef HANDOFF_TOOLS_PROGRESS_H
#define HANDOFF_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	uint64_t records, batches, bytes;	/* done */
	uint64_t waiting;			/* batches under way */
	char reason[96];			/* why it does not go on; "": it does */
	bool is_slowed;				/* by back-pressure */
	uint64_t delay_ms;			/* is_slowed: between two batches */
	int64_t slowed_at_ms;			/* is_slowed: since when */
	int64_t slowed_ms;			/* so long it was, in all, before that */
	int64_t begun_at_ms, shown_at_ms;
	uint64_t shown_bytes;			/* when it was shown last */
	double rate;				/* bytes a second, lately */
	bool is_shown;				/* there is a terminal, and nobody wants quiet */
};

void progress_init(struct progress *p);
struct handoff_event;
/* A BACKPRESSURE event. */
void progress_on_backpressure(struct progress *p, const struct handoff_event *e);
/* Shows the line again when it is time; returns in how many ms that will be, -1: never. */
int progress_show(struct progress *p);
/*
 * Tells the whole: "sent 1000 records in 10 batches, 1.2 MB in 0.3 s", and, where there was
 * back-pressure, "; held back for 0.1 s of it".
 */
void progress_tell(struct progress *p, const char *verb);

#endif
