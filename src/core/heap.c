/* heap.c - a binary heap of things that know their place */
#include "core/heap.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

void heap_finish(struct heap *h)
{
	free(h->places);
	*h = (struct heap){ 0 };
}

static bool is_before(const struct heap_place *a, const struct heap_place *b)
{
	return a->order < b->order || (a->order == b->order && a->tie < b->tie);
}

static void heap_set(struct heap *h, size_t at, struct heap_place *p)
{
	h->places[at] = p;
	p->at = at;
}

static void heap_rise(struct heap *h, size_t at)
{
	struct heap_place *p = h->places[at];

	while (at > 1 && is_before(p, h->places[at / 2])) {
		heap_set(h, at, h->places[at / 2]);
		at /= 2;
	}
	heap_set(h, at, p);
}

static void heap_sink(struct heap *h, size_t at)
{
	struct heap_place *p = h->places[at];

	for (size_t child; (child = 2 * at) <= h->count; at = child) {
		if (child < h->count && is_before(h->places[child + 1], h->places[child]))
			child++;
		if (!is_before(h->places[child], p))
			break;
		heap_set(h, at, h->places[child]);
	}
	heap_set(h, at, p);
}

void heap_add(struct heap *h, struct heap_place *p, uint64_t order, void *owner)
{
	assert(p->at == 0);
	if (h->count + 1 >= h->cap) {
		h->cap = h->cap ? 2 * h->cap : 64;
		h->places = xrealloc(h->places, h->cap * sizeof *h->places);
	}
	p->order = order;
	p->owner = owner;
	heap_set(h, ++h->count, p);
	heap_rise(h, h->count);
}

void heap_remove(struct heap *h, struct heap_place *p)
{
	struct heap_place *last = h->places[h->count--];
	size_t at = p->at;

	assert(at > 0);
	p->at = 0;
	if (last == p)
		return;
	heap_set(h, at, last);
	heap_rise(h, at);
	heap_sink(h, last->at);
}

void *heap_first(const struct heap *h)
{
	return h->count ? h->places[1]->owner : NULL;
}
