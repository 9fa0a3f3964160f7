/*
 * pack_put.h - the items of MessagePack in their shortest forms, put where there is room for them
 *
 * Each returns the place behind. In line, so that a key that is a literal becomes a constant with
 * its head: of such keys half of every answer is made.
 */
#ifndef HANDOFF_WIRE_PACK_PUT_H
#define HANDOFF_WIRE_PACK_PUT_H

#include <stdint.h>
#include <string.h>

#include "base/datetime.h"
#include "wire/message.h"

#define HEAD_BYTES_MAX 9	/* one byte that says what it is, at most eight of number */

/* A byte, and `width` bytes of a number, the highest first. */
static inline uint8_t *put_number(uint8_t *to, uint8_t byte, uint64_t number, size_t width)
{
	*to++ = byte;
	while (width > 0)
		*to++ = (uint8_t)(number >> (8 * --width));
	return to;
}

/* What a length or count begins with: with the number in it up to `fix_most`, or with it behind. */
struct head_forms {
	uint8_t fix, fix_most;
	uint8_t in_8;		/* 0: no such form */
	uint8_t in_16, in_32;
};

static inline uint8_t *put_head(uint8_t *to, struct head_forms f, size_t n)
{
	if (n <= f.fix_most)
		return put_number(to, (uint8_t)(f.fix | n), 0, 0);
	if (n <= UINT8_MAX && f.in_8 != 0)
		return put_number(to, f.in_8, n, 1);
	if (n <= UINT16_MAX)
		return put_number(to, f.in_16, n, 2);
	return put_number(to, f.in_32, n, 4);
}

static inline uint8_t *put_map(uint8_t *to, size_t pairs)
{
	return put_head(to, (struct head_forms){ 0x80, 15, 0, 0xde, 0xdf }, pairs);
}

static inline uint8_t *put_list(uint8_t *to, size_t items)
{
	return put_head(to, (struct head_forms){ 0x90, 15, 0, 0xdc, 0xdd }, items);
}

static inline uint8_t *put_text(uint8_t *to, struct span text)
{
	to = put_head(to, (struct head_forms){ 0xa0, 31, 0xd9, 0xda, 0xdb }, text.n);
	memcpy(to, text.p, text.n);
	return to + text.n;
}

static inline uint8_t *put_bytes(uint8_t *to, struct span value)
{
	/* No number has room in a first byte: not even none. */
	to = value.n == 0 ? put_number(to, 0xc4, 0, 1)
			  : put_head(to, (struct head_forms){ 0, 0, 0xc4, 0xc5, 0xc6 }, value.n);
	memcpy(to, value.p, value.n);
	return to + value.n;
}

/* These two also write the NUL behind, for which there is room. */
static inline uint8_t *put_uuid(uint8_t *to, const struct uuid *value)
{
	to = put_number(to, 0xd9, UUID_TEXT_LEN, 1);
	uuid_format(value, (char *)to);
	return to + UUID_TEXT_LEN;
}

static inline uint8_t *put_datetime(uint8_t *to, int64_t us)
{
	to = put_number(to, 0xa0 | DATETIME_TEXT_LEN, 0, 0);
	datetime_format(us, (char *)to);
	return to + DATETIME_TEXT_LEN;
}

static inline uint8_t *put_integer(uint8_t *to, uint64_t value)
{
	if (value <= 0x7f)
		return put_number(to, (uint8_t)value, 0, 0);
	if (value <= UINT8_MAX)
		return put_number(to, 0xcc, value, 1);
	if (value <= UINT16_MAX)
		return put_number(to, 0xcd, value, 2);
	return value <= UINT32_MAX ? put_number(to, 0xce, value, 4)
				   : put_number(to, 0xcf, value, 8);
}

static inline uint8_t *put_float(uint8_t *to, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return put_number(to, 0xcb, bits, sizeof(bits));
}

#endif
