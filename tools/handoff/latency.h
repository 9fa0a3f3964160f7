/* latency.h - how long things took: counted in steps, so that memory does not grow with them */
#ifndef HANDOFF_TOOLS_LATENCY_H
#define HANDOFF_TOOLS_LATENCY_H

#include <stdint.h>

/* Each doubling is divided into so many steps: a percentile is right to 1 part in so many. */
#define LATENCY_STEPS 64
#define LATENCY_DOUBLINGS 32

struct latency {
	uint64_t steps[LATENCY_DOUBLINGS * LATENCY_STEPS];
	uint64_t count;
	int64_t max_us;
};

/* Beginning with all 0. */
void latency_add(struct latency *l, int64_t us);
/* The time that so many of a thousand do not pass; 0 when nothing was added. */
int64_t latency_permille(const struct latency *l, unsigned permille);

#endif
