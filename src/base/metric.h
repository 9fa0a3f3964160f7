/* metric.h - a histogram: how often a value was how large, kept with plain increments */
#ifndef HANDOFF_BASE_METRIC_H
#define HANDOFF_BASE_METRIC_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 16

/* The upper bounds of buckets, rising. A value stands in the first whose bound it does not pass. */
struct histogram_scale {
	unsigned count;
	uint64_t bounds[HISTOGRAM_BOUNDS_MAX];
	double unit;			/* what a 1 is worth where it is shown: 1e-6 for µs */
};

extern const struct histogram_scale scale_work;		/* µs; 50 µs to 5 s: our own doing */
extern const struct histogram_scale scale_wait;		/* µs; 1 ms to a day: a batch's time */
extern const struct histogram_scale scale_count;	/* 1 to 4096 */

struct histogram {
	const struct histogram_scale *scale;
	uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1];	/* not cumulative; [scale->count]: above all */
	uint64_t sum;
};

static inline void histogram_init(struct histogram *h, const struct histogram_scale *scale)
{
	*h = (struct histogram){ .scale = scale };
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
	unsigned n = 0;

	while (n < h->scale->count && value > h->scale->bounds[n])
		n++;
	h->buckets[n]++;
	h->sum += value;
}

/* How many values there were. */
uint64_t histogram_count(const struct histogram *h);

#endif
