/* metric.c - the scales of histograms */
#include "base/metric.h"

#define MS 1000ull
#define S (1000 * MS)

const struct histogram_scale scale_work = {
	.count = 16,
	.bounds = { 50, 100, 250, 500, 1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS,
		250 * MS, 500 * MS, 1 * S, 2500 * MS, 5 * S },
	.unit = 1e-6,
};

const struct histogram_scale scale_wait = {
	.count = 16,
	.bounds = { 1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 500 * MS, 1 * S,
		5 * S, 30 * S, 60 * S, 300 * S, 1800 * S, 7200 * S, 86400 * S },
	.unit = 1e-6,
};

const struct histogram_scale scale_count = {
	.count = 13,
	.bounds = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096 },
	.unit = 1,
};

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= h->scale->count; i++)
		n += h->buckets[i];
	return n;
}
