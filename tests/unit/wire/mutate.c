/* mutate.c - bytes that are nearly right */
#include "mutate.h"

#include <string.h>

size_t mutate(struct rng *r, uint8_t *p, size_t n, size_t room)
{
	for (uint64_t left = 1 + rng_below(r, 3); left > 0; left--) {
		size_t at = (size_t)rng_below(r, n);
		size_t len = 1 + (size_t)rng_below(r, n - at < 8 ? n - at : 8);

		switch (rng_below(r, 4)) {
		case 0:
			p[at] = (uint8_t)rng_next(r);
			break;
		case 1:
			p[at] = (uint8_t)(0xc0 + rng_below(r, 32));
			break;
		case 2:
			if (len == n)
				break;
			memmove(p + at, p + at + len, n - at - len);
			n -= len;
			break;
		default:
			if (n + len > room)
				break;
			memmove(p + at + len, p + at, n - at);
			n += len;
			break;
		}
	}
	return n;
}
