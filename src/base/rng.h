/* rng.h - the system's randomness, and a seeded generator for what must be reproducible */
#ifndef HANDOFF_BASE_RNG_H
#define HANDOFF_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* n bytes from the operating system; ends the process when it has none to give. */
void rng_system(void *p, size_t n);

/* A seeded generator (xoshiro256**): the same seed gives the same numbers, everywhere. */
struct rng {
	uint64_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Evenly from 0 to n-1; n at least 1. */
uint64_t rng_below(struct rng *r, uint64_t n);
void rng_bytes(struct rng *r, void *p, size_t n);

#endif
