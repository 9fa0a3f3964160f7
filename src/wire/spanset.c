/* spanset.c - a hash set under SipHash-1-3 with a random key */
#include "wire/spanset.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

static void sip_absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

static uint64_t hash(const uint64_t key[2], struct span text)
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word;
	size_t at = 0;

	for (; text.n - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, text.p + at, sizeof(word));
		sip_absorb(v, word);
	}
	word = 0;
	memcpy(&word, text.p + at, text.n - at);
	sip_absorb(v, word ^ (uint64_t)text.n << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool span_set_init(struct span_set *set, size_t most)
{
	size_t capacity = 2;

	*set = (struct span_set){ .round = 1 };
	while (capacity / 2 < most) {
		if (capacity > SIZE_MAX / 2)
			return false;
		capacity *= 2;
	}
	set->slots = calloc(capacity, sizeof(*set->slots));
	if (set->slots == NULL)
		return false;
	set->capacity = capacity;
	rng_system(set->key, sizeof(set->key));
	return true;
}

void span_set_finish(struct span_set *set)
{
	free(set->slots);
	*set = (struct span_set){ 0 };
}

void span_set_clear(struct span_set *set)
{
	set->round++;
	if (set->round == 0) {	/* once around: old marks would look like new ones */
		memset(set->slots, 0, set->capacity * sizeof(*set->slots));
		set->round = 1;
	}
}

/* Where the text is, or the free slot where it belongs. */
static size_t slot_of(const struct span_set *set, struct span text)
{
	size_t i = (size_t)hash(set->key, text) & (set->capacity - 1);

	for (;; i = (i + 1) & (set->capacity - 1)) {
		const struct span_slot *slot = &set->slots[i];

		if (slot->round != set->round)
			return i;
		if (slot->text.n == text.n && memcmp(slot->text.p, text.p, text.n) == 0)
			return i;
	}
}

bool span_set_put(struct span_set *set, struct span text)
{
	struct span_slot *slot = &set->slots[slot_of(set, text)];

	if (slot->round == set->round)
		return false;
	*slot = (struct span_slot){ text, set->round };
	return true;
}

size_t span_set_find(const struct span_set *set, struct span text)
{
	size_t i = slot_of(set, text);

	return set->slots[i].round == set->round ? i : SIZE_MAX;
}
