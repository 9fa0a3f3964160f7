/* number.h - numbers as rows have them where nothing sorts by them: the lowest byte first */
#ifndef HANDOFF_STORE_NUMBER_H
#define HANDOFF_STORE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* The lowest n bytes of v. Returns the place behind them. */
static inline uint8_t *put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
	return p + n;
}

static inline uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

#endif
