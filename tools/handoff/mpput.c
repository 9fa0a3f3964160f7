/* mpput.c - MessagePack written behind each other into a buffer */
#include "tools/handoff/mpput.h"

#include <string.h>

static void put_big_endian(struct buf *out, uint8_t head, uint64_t value, unsigned bytes)
{
	uint8_t encoded[9] = { head };

	for (unsigned i = 0; i < bytes; i++)
		encoded[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	buf_put(out, encoded, 1 + bytes);
}

void mp_put_byte(struct buf *out, unsigned byte)
{
	put_big_endian(out, (uint8_t)byte, 0, 0);
}

void mp_put_uint(struct buf *out, uint64_t v)
{
	if (v < 0x80)
		mp_put_byte(out, (unsigned)v);
	else if (v <= UINT8_MAX)
		put_big_endian(out, 0xcc, v, 1);
	else if (v <= UINT16_MAX)
		put_big_endian(out, 0xcd, v, 2);
	else if (v <= UINT32_MAX)
		put_big_endian(out, 0xce, v, 4);
	else
		put_big_endian(out, 0xcf, v, 8);
}

void mp_put_negative(struct buf *out, int64_t v)
{
	if (v >= -32)
		mp_put_byte(out, (unsigned)(v & 0xff));
	else if (v >= INT8_MIN)
		put_big_endian(out, 0xd0, (uint64_t)v, 1);
	else if (v >= INT16_MIN)
		put_big_endian(out, 0xd1, (uint64_t)v, 2);
	else if (v >= INT32_MIN)
		put_big_endian(out, 0xd2, (uint64_t)v, 4);
	else
		put_big_endian(out, 0xd3, (uint64_t)v, 8);
}

void mp_put_float(struct buf *out, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_big_endian(out, 0xcb, bits, 8);
}

/* The head of a str, whose bytes follow; returns its size. */
static unsigned text_head(uint8_t head[5], size_t len)
{
	unsigned extra = 0;

	if (len < 32) {
		head[0] = (uint8_t)(0xa0 | len);
	} else if (len <= UINT8_MAX) {
		head[0] = 0xd9;
		extra = 1;
	} else if (len <= UINT16_MAX) {
		head[0] = 0xda;
		extra = 2;
	} else {
		head[0] = 0xdb;
		extra = 4;
	}
	for (unsigned i = 0; i < extra; i++)
		head[1 + i] = (uint8_t)(len >> (8 * (extra - 1 - i)));
	return 1 + extra;
}

void mp_put_text(struct buf *out, const char *text, size_t len)
{
	uint8_t head[5];

	buf_put(out, head, text_head(head, len));
	buf_put(out, text, len);
}

/* Puts `head` where `reserved` bytes at `at` were kept for it, and moves what follows if needed. */
static void place_head(struct buf *out, size_t at, size_t reserved, const uint8_t *head,
    size_t size)
{
	const size_t follows = out->len - at - reserved;
	uint8_t *bytes;

	if (buf_reserve(out, size) == NULL)
		return;
	bytes = buf_bytes(out) + at;
	if (size != reserved)
		memmove(bytes + size, bytes + reserved, follows);
	memcpy(bytes, head, size);
	out->len = at + size + follows;
}

void mp_place_count(struct buf *out, size_t at, bool is_map, uint32_t count)
{
	uint8_t head[5];
	size_t size;

	if (count < 16) {
		head[0] = (uint8_t)((is_map ? 0x80 : 0x90) | count);
		size = 1;
	} else if (count <= UINT16_MAX) {
		head[0] = is_map ? 0xde : 0xdc;
		head[1] = (uint8_t)(count >> 8);
		head[2] = (uint8_t)count;
		size = 3;
	} else {
		head[0] = is_map ? 0xdf : 0xdd;
		for (unsigned i = 0; i < 4; i++)
			head[1 + i] = (uint8_t)(count >> (24 - 8 * i));
		size = 5;
	}
	place_head(out, at, 1, head, size);
}

void mp_place_text(struct buf *out, size_t at)
{
	const size_t len = out->len - at - 1;
	uint8_t head[5];

	place_head(out, at, 1, head, text_head(head, len));
}
