/* measure.h - what metrics are made of: what batches took, what waits, what there is room for */
#ifndef HANDOFF_CORE_MEASURE_H
#define HANDOFF_CORE_MEASURE_H

#include "base/metric.h"
#include "core/inspect.h"

/* --- counted in memory, since the broker's start ---------------------------------------------- */

/* For metrics alone: nothing is decided by it, and it begins at zero with each start. */
struct route_measures {
	uint64_t batches;		/* that were PROCESSED */
	uint64_t records;		/* of them, those that the target accepted */
	struct histogram latency;	/* from RECEIVED to PROCESSED */
	struct histogram recovery;	/* from the first failure to PROCESSED, of those that had one */
};

/* --- seen now --------------------------------------------------------------------------------- */

size_t core_queue_count(const struct core *c);
struct queue_view {
	const char *name;
	size_t connected;		/* instances */
	uint64_t queued;		/* batches in custody for it that have not ended */
	uint64_t assigned;		/* of them, those that its instances hold */
};
/* Of the n-th module. */
void core_view_queue(const struct core *c, size_t n, struct queue_view *out);

/*
 * For each reason, since when (received_at) the oldest batch of a route has been there, 0 none. The
 * first of each of the route's queues is looked at: others there have come later.
 */
void core_oldest_by_reason(struct core *c, const struct route *r, int64_t since_us[REASON_COUNT]);

/*
 * The retention in force: an end is known for outcome_retention, or, while there is no room for that
 * much history, since the latest end that was forgotten.
 */
uint64_t core_retention_ms(const struct core *c);
uint64_t core_history_size(const struct core *c);

/* What of the store is kept for ends, retries and stages. */
uint64_t core_store_reserve_bytes(const struct core *c);
/* There is room in the store for another batch, if it is no larger than this. */
#define USUAL_BATCH_BYTES (64 * 1024)
bool core_has_room(const struct core *c);

#endif
