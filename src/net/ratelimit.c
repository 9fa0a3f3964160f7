/*
 * ratelimit.c - how many handshakes one address, and all together, may begin in a second
 *
 * A fixed array of places. Each used place is in two lists, linked by index: the chain of its hash
 * slot, by which it is found, and the row by age, by which the oldest is found.
 *
 *	slots[hash] -> place -> place -> NONE		chain
 *	newest <-> … <-> oldest				row
 */
#include "net/ratelimit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NONE UINT32_MAX
#define TOKEN 1000	/* levels count thousandths: a bucket gains `rate` in a millisecond */
#define SECOND_MS 1000

struct bucket {
	int64_t level;		/* thousandths of tokens that are there */
	int64_t filled_ms;	/* when that was so */
};

struct place {
	struct ratelimit_address address;
	struct bucket bucket;
	uint32_t chain;		/* the next of the same slot */
	uint32_t newer, older;	/* neighbours in the row by age */
};

struct ratelimit {
	struct ratelimit_settings settings;
	struct bucket total;
	struct place *places;		/* owned; settings.addresses of them */
	uint32_t used;			/* places[0 .. used) are in use */
	uint32_t *slots;		/* owned; slot_mask + 1 heads of chains */
	uint32_t slot_mask;
	uint32_t newest, oldest;
};

static void bucket_fill(struct bucket *b, unsigned rate, int64_t now_ms)
{
	const int64_t full = (int64_t)rate * TOKEN;
	int64_t passed_ms = now_ms - b->filled_ms;

	if (passed_ms >= SECOND_MS || b->level + passed_ms * rate >= full)
		b->level = full;
	else
		b->level += passed_ms * rate;
	b->filled_ms = now_ms;
}

struct ratelimit *ratelimit_create(const struct ratelimit_settings *settings)
{
	struct ratelimit *r = xcalloc(1, sizeof(*r));
	uint32_t slots = 1;

	while (slots < settings->addresses && slots < UINT32_MAX / 2)
		slots *= 2;
	r->settings = *settings;
	r->total.level = (int64_t)settings->total * TOKEN;
	r->places = xcalloc(settings->addresses, sizeof(*r->places));
	r->slots = xmalloc(slots * sizeof(*r->slots));
	for (uint32_t i = 0; i < slots; i++)
		r->slots[i] = NONE;
	r->slot_mask = slots - 1;
	r->newest = r->oldest = NONE;
	return r;
}

void ratelimit_destroy(struct ratelimit *r)
{
	if (r == NULL)
		return;
	free(r->places);
	free(r->slots);
	free(r);
}

/* Mixes the address with the seed (the finisher of SplitMix64, twice). */
static uint32_t *slot_of(struct ratelimit *r, const struct ratelimit_address *address)
{
	uint64_t half[2], h = r->settings.seed;

	memcpy(half, address->b, sizeof(half));
	for (int i = 0; i < 2; i++) {
		h ^= half[i];
		h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
		h ^= h >> 31;
	}
	return &r->slots[h & r->slot_mask];
}

static void row_remove(struct ratelimit *r, uint32_t i)
{
	struct place *p = &r->places[i];

	*(p->newer == NONE ? &r->newest : &r->places[p->newer].older) = p->older;
	*(p->older == NONE ? &r->oldest : &r->places[p->older].newer) = p->newer;
}

static void row_add_newest(struct ratelimit *r, uint32_t i)
{
	struct place *p = &r->places[i];

	p->newer = NONE;
	p->older = r->newest;
	*(r->newest == NONE ? &r->oldest : &r->places[r->newest].newer) = i;
	r->newest = i;
}

static void chain_remove(struct ratelimit *r, uint32_t i)
{
	uint32_t *link = slot_of(r, &r->places[i].address);

	while (*link != i)
		link = &r->places[*link].chain;
	*link = r->places[i].chain;
}

/* A place for a new address: an unused one, else that of the oldest, which is forgotten. */
static uint32_t take_place(struct ratelimit *r)
{
	uint32_t i = r->oldest;

	if (r->used < r->settings.addresses)
		return r->used++;
	row_remove(r, i);
	chain_remove(r, i);
	return i;
}

/* The address's place, now the newest of the row. */
static struct place *find_or_add(struct ratelimit *r, const struct ratelimit_address *address,
				 int64_t now_ms)
{
	uint32_t *slot = slot_of(r, address);
	uint32_t i = *slot;
	struct place *p;

	while (i != NONE && memcmp(&r->places[i].address, address, sizeof(*address)) != 0)
		i = r->places[i].chain;
	if (i != NONE) {
		row_remove(r, i);
	} else {
		i = take_place(r);
		p = &r->places[i];
		p->address = *address;
		p->bucket.level = (int64_t)r->settings.per_address * TOKEN;
		p->bucket.filled_ms = now_ms;
		p->chain = *slot;
		*slot = i;
	}
	row_add_newest(r, i);
	return &r->places[i];
}

enum ratelimit_verdict ratelimit_take(struct ratelimit *r, const struct ratelimit_address *address,
    int64_t now_ms)
{
	struct bucket *own = NULL;

	if (address != NULL) {
		own = &find_or_add(r, address, now_ms)->bucket;
		bucket_fill(own, r->settings.per_address, now_ms);
		if (own->level < TOKEN)
			return RATELIMIT_ADDRESS;
	}
	bucket_fill(&r->total, r->settings.total, now_ms);
	if (r->total.level < TOKEN)
		return RATELIMIT_TOTAL;
	r->total.level -= TOKEN;
	if (own != NULL)
		own->level -= TOKEN;
	return RATELIMIT_PASS;
}

size_t ratelimit_known(const struct ratelimit *r)
{
	return r->used;
}
