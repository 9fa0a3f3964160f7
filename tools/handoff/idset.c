/* idset.c - which record_ids a batch has already */
#include "tools/handoff/idset.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

/* FNV-1a; never 0. */
static uint64_t hash(const uint8_t *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h != 0 ? h : 1;
}

/* The slot that has the value, or is free for it. */
static uint64_t *find(const struct idset *s, uint64_t value)
{
	size_t i = (size_t)(value ^ value >> 32) & (s->size - 1);

	while (s->slots[i] != 0 && s->slots[i] != value)
		i = (i + 1) & (s->size - 1);
	return &s->slots[i];
}

static bool grow(struct idset *s)
{
	struct idset larger = { .size = s->size > 0 ? s->size * 2 : FIRST_SIZE, .count = s->count };

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i] != 0)
			*find(&larger, s->slots[i]) = s->slots[i];
	free(s->slots);
	*s = larger;
	return true;
}

enum idset_result idset_add(struct idset *s, const void *id, size_t len)
{
	const uint64_t value = hash(id, len);
	uint64_t *slot;

	if (s->count >= s->size / 2 && !grow(s))
		return IDSET_NO_MEMORY;
	slot = find(s, value);
	if (*slot != 0)
		return IDSET_KNOWN;
	*slot = value;
	s->count++;
	return IDSET_NEW;
}

void idset_clear(struct idset *s)
{
	if (s->count > 0)
		memset(s->slots, 0, s->size * sizeof(*s->slots));
	s->count = 0;
}

void idset_finish(struct idset *s)
{
	free(s->slots);
	*s = (struct idset){ 0 };
}
