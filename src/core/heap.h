/* heap.h - a binary heap of things that know their place: the least first, any removed at once */
#ifndef HANDOFF_CORE_HEAP_H
#define HANDOFF_CORE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_place {
	uint64_t order;			/* least first */
	uint64_t tie;			/* and among equals; its owner's, 0: does not matter */
	size_t at;			/* place in the heap from 1; 0: in none */
	void *owner;
};

struct heap {
	struct heap_place **places;	/* places[1 .. count] */
	size_t count, cap;
};

void heap_finish(struct heap *h);
/* Puts in a place that is in no heap. */
void heap_add(struct heap *h, struct heap_place *p, uint64_t order, void *owner);
void heap_remove(struct heap *h, struct heap_place *p);
/* The least one's owner, NULL when the heap is empty. */
void *heap_first(const struct heap *h);

#endif
