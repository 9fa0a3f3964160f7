/* number.h - numbers as rows have them where nothing sorts by them: the lowest byte first */
#ifndef HANDOFF_STORE_NUMBER_H
#define HANDOFF_STORE_NUMBER_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The lowest n bytes of v, at most 8. Returns the place behind them. */
static inline uint8_t *put_le(uint8_t *p, uint64_t v, size_t n)
{
	v = htole64(v);
	memcpy(p, &v, n);
	return p + n;
}

static inline uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return le64toh(v);
}

#endif
