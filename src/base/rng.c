/* rng.c - getrandom(2), and xoshiro256** for numbers that can be had again */
#include "base/rng.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

void rng_system(void *p, size_t n)
{
	uint8_t *to = p;

	while (n > 0) {
		ssize_t got = getrandom(to, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			fatalx("the system gave no random bytes: %s", strerror(errno));
		to += got;
		n -= (size_t)got;
	}
}

/* splitmix64 spreads a seed of any quality, 0 too, over the whole state. */
void rng_seed(struct rng *r, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ (z >> 31);
	}
}

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

uint64_t rng_next(struct rng *r)
{
	uint64_t result = rotate_left(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotate_left(r->s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	/* Below 2^64 mod n the numbers would favour the small remainders: draw again. */
	uint64_t least = -n % n;
	uint64_t x;

	do {
		x = rng_next(r);
	} while (x < least);
	return x % n;
}

/* Low byte first, whatever the machine: the same seed gives the same bytes everywhere. */
void rng_bytes(struct rng *r, void *p, size_t n)
{
	uint8_t *to = p;
	uint64_t word;

	for (; n >= sizeof(word); to += sizeof(word), n -= sizeof(word)) {
		word = htole64(rng_next(r));
		memcpy(to, &word, sizeof(word));
	}
	if (n > 0) {
		word = htole64(rng_next(r));
		memcpy(to, &word, n);
	}
}
