/* rates.h - what happened in the last minute, in a ring of seconds */
#ifndef HANDOFF_CORE_RATES_H
#define HANDOFF_CORE_RATES_H

#include <stdint.h>

#define RATES_SECONDS 60

struct tally {
	uint64_t ended;		/* batches that were processed */
	uint64_t records;	/* in them */
	uint64_t failed;	/* deliveries that failed, and batches that died without one */
};

/* All zero at the beginning. */
struct rates {
	uint64_t second;	/* the latest that something was noted in */
	struct tally slots[RATES_SECONDS];
};

/* The clock never goes back. */
void rates_note(struct rates *r, uint64_t now_ms, const struct tally *what);
/* All of the running second and the 59 before it. */
struct tally rates_sum(const struct rates *r, uint64_t now_ms);
/* The part that failed, 0 to 1. */
double tally_error_rate(const struct tally *t);

#endif
