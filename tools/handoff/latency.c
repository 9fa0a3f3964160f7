/* latency.c - how long things took: counted in steps, so that memory does not grow with them */
#include "tools/handoff/latency.h"

#include <stddef.h>

#define STEPS (LATENCY_DOUBLINGS * LATENCY_STEPS)

/*
 * The first doubling has steps of 1 us and begins at 0; each later one begins where the one before
 * ends, LATENCY_STEPS << n, and has steps of 1 << n.
 */
static size_t step_of(uint64_t us)
{
	unsigned n = 0;
	size_t step;

	while (us >> n >= 2 * LATENCY_STEPS)
		n++;
	step = us < LATENCY_STEPS ? us : n * LATENCY_STEPS + (us >> n);
	return step < STEPS ? step : STEPS - 1;
}

/* The greatest time that is counted there. */
static int64_t end_of(size_t step)
{
	const size_t n = step < 2 * LATENCY_STEPS ? 0 : step / LATENCY_STEPS - 1;

	return ((int64_t)(step - n * LATENCY_STEPS + 1) << n) - 1;
}

void latency_add(struct latency *l, int64_t us)
{
	if (us < 0)
		us = 0;
	l->steps[step_of((uint64_t)us)]++;
	l->count++;
	if (us > l->max_us)
		l->max_us = us;
}

int64_t latency_permille(const struct latency *l, unsigned permille)
{
	const uint64_t wanted = (l->count * permille + 999) / 1000;
	uint64_t seen = 0;

	for (size_t i = 0; i < STEPS; i++) {
		seen += l->steps[i];
		if (l->count > 0 && seen >= wanted && seen > 0)
			return i < STEPS - 1 && end_of(i) < l->max_us ? end_of(i) : l->max_us;
	}
	return 0;
}
