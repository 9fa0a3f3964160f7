/* measure.h - what a route's batches took: counted in memory, since the broker's start */
#ifndef HANDOFF_CORE_MEASURE_H
#define HANDOFF_CORE_MEASURE_H

#include "base/metric.h"

/* For metrics alone: nothing is decided by it, and it begins at zero with each start. */
struct route_measures {
	uint64_t batches;		/* that were PROCESSED */
	uint64_t records;		/* of them, those that the target accepted */
	struct histogram latency;	/* from RECEIVED to PROCESSED */
	struct histogram recovery;	/* from the first failure to PROCESSED, of those that had one */
};

#endif
