/* redo_row.h - what stands in the redo log: for redo.c and redo_file.c alone */
#ifndef HANDOFF_STORE_REDO_ROW_H
#define HANDOFF_STORE_REDO_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/number.h"

#define REDO_PAGE 4096
#define REDO_MAGIC "handredo"
#define REDO_TURN_BYTES (8 + 8 + 8 + 4 + 4 + 8)
#define REDO_CHANGE_BYTES (1 + 1 + 2 + 4)

enum redo_kind { REDO_PUT = 1, REDO_DEL = 2 };

/* The head of a turn; `bytes` of changes follow. */
struct redo_turn {
	uint64_t key, commit;
	uint32_t number, bytes;
};

/* The head of a change; its key and its value follow. */
struct redo_change {
	enum redo_kind kind;
	unsigned table;
	uint16_t key_bytes;
	uint32_t value_bytes;
};

static inline uint64_t redo_sum_word(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * 0x9e3779b97f4a7c15;
	return sum ^ sum >> 32;
}

/* Four lanes side by side, as a word's sum takes some cycles to come; then they are words, too. */
static inline uint64_t redo_sum_bytes(uint64_t sum, const uint8_t *p, size_t n)
{
	uint64_t lanes[4] = { sum, 1, 2, 3 };

	for (; n >= 32; n -= 32, p += 32)
		for (size_t i = 0; i < 4; i++)
			lanes[i] = redo_sum_word(lanes[i], get_le(p + 8 * i, 8));
	sum = lanes[0];
	for (size_t i = 1; i < 4; i++)
		sum = redo_sum_word(sum, lanes[i]);
	for (; n > 0; n -= n < 8 ? n : 8, p += 8)
		sum = redo_sum_word(sum, get_le(p, n < 8 ? n : 8));
	return sum;
}

/*
 * Over the head without its end, and the changes, which are there already. It is no CRC: most rows
 * end with one of their own, and of a row with its CRC a CRC is the same whatever the row says. A
 * turn whose end is still an older one's, of rows that are as long, would pass.
 */
static inline uint64_t redo_sum(const uint8_t *turn, size_t bytes)
{
	return redo_sum_bytes(redo_sum_bytes(0, turn, REDO_TURN_BYTES - 8), turn + REDO_TURN_BYTES,
	    bytes);
}

static inline void redo_turn_encode(const struct redo_turn *t, uint8_t *turn)
{
	uint8_t *p = turn;

	memcpy(p, REDO_MAGIC, 8);
	p = put_le(p + 8, t->key, 8);
	p = put_le(p, t->commit, 8);
	p = put_le(p, t->number, 4);
	p = put_le(p, t->bytes, 4);
	put_le(p, redo_sum(turn, t->bytes), 8);
}

/* False: at `turn`, with n bytes to the end of the file, is no whole turn of this key. */
static inline bool redo_turn_decode(const uint8_t *turn, size_t n, uint64_t key,
    struct redo_turn *t)
{
	if (n < REDO_TURN_BYTES || memcmp(turn, REDO_MAGIC, 8) != 0)
		return false;
	*t = (struct redo_turn){ get_le(turn + 8, 8), get_le(turn + 16, 8),
		(uint32_t)get_le(turn + 24, 4), (uint32_t)get_le(turn + 28, 4) };
	return t->key == key && t->bytes <= n - REDO_TURN_BYTES &&
	    redo_sum(turn, t->bytes) == get_le(turn + 32, 8);
}

static inline void redo_change_encode(const struct redo_change *c, uint8_t *p)
{
	p = put_le(p, c->kind, 1);
	p = put_le(p, c->table, 1);
	p = put_le(p, c->key_bytes, 2);
	put_le(p, c->value_bytes, 4);
}

/* False: n bytes hold no whole change. */
static inline bool redo_change_decode(const uint8_t *p, size_t n, struct redo_change *c)
{
	if (n < REDO_CHANGE_BYTES)
		return false;
	*c = (struct redo_change){ (enum redo_kind)p[0], p[1], (uint16_t)get_le(p + 2, 2),
		(uint32_t)get_le(p + 4, 4) };
	return (size_t)c->key_bytes + c->value_bytes <= n - REDO_CHANGE_BYTES;
}

#endif
