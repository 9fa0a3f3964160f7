/* arena.c - memory that is taken in pieces and given back as a whole */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define CHUNK_BYTES 16384

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, room;
	alignas(max_align_t) char bytes[];
};

static void free_down_to(struct arena *a, const struct arena_chunk *last)
{
	while (a->chunks != last) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
}

void arena_finish(struct arena *a)
{
	free_down_to(a, NULL);
}

void arena_clear(struct arena *a)
{
	struct arena_chunk *first = a->chunks;

	if (first == NULL)
		return;
	while (first->next != NULL)
		first = first->next;
	free_down_to(a, first);
	if (first->room > CHUNK_BYTES)
		arena_finish(a);
	else
		first->used = 0;
}

static struct arena_chunk *add_chunk(struct arena *a, size_t n)
{
	size_t room = n > CHUNK_BYTES ? n : CHUNK_BYTES;
	struct arena_chunk *c = n < SIZE_MAX - sizeof(*c) ? malloc(sizeof(*c) + room) : NULL;

	if (c == NULL)
		return NULL;
	*c = (struct arena_chunk){ .next = a->chunks, .room = room };
	a->chunks = c;
	return c;
}

void *arena_take(struct arena *a, size_t n)
{
	const size_t step = alignof(max_align_t);
	struct arena_chunk *c = a->chunks;
	void *taken;

	if (n > SIZE_MAX - step)
		return NULL;
	n = (n + step - 1) / step * step;
	if (c == NULL || n > c->room - c->used)
		c = add_chunk(a, n);
	if (c == NULL)
		return NULL;
	taken = c->bytes + c->used;
	c->used += n;
	return taken;
}
