/* confirming.h - handoff recv --confirm: what was written, told record by record */
#ifndef HANDOFF_TOOLS_CONFIRMING_H
#define HANDOFF_TOOLS_CONFIRMING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "handoff/handoff.h"

/*
 * A batch's confirmation follows its PROCESSED, when the delivery is no longer ours: so the names
 * of its records are taken before. What the library has no room for waits here; it is never more
 * than the broker lets be in flight.
 */
struct confirming_batch;
TAILQ_HEAD(confirming_list, confirming_batch);

struct confirming {
	const char *destination;	/* NULL: nothing is confirmed */
	struct confirming_list waiting;
};

void confirming_init(struct confirming *c, const char *destination);
void confirming_finish(struct confirming *c);

/* Takes the names of the records; false when memory is refused. *batch NULL: none are wanted. */
bool confirming_take(const struct confirming *c, struct handoff_delivery *d,
    struct confirming_batch **batch);
/* PROCESSED has been said: the batch (NULL: none) waits for its turn. */
void confirming_add(struct confirming *c, struct confirming_batch *batch);
/* It has not been said. */
void confirming_drop(struct confirming_batch *batch);
/* Says what the library has room for. False after a complaint. */
bool confirming_proceed(struct confirming *c, struct handoff_client *client);
bool confirming_is_empty(const struct confirming *c);

#endif
