/* spanset.h - a set of byte strings that a stranger chose: the same speed for the worst of them */
#ifndef HANDOFF_WIRE_SPANSET_H
#define HANDOFF_WIRE_SPANSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

struct span_slot {
	struct span text;	/* borrowed */
	uint32_t round;		/* of the set when it was put here; another: the slot is free */
};

/* Open addressing, never more than half full, under a hash whose key a peer cannot know. */
struct span_set {
	struct span_slot *slots;
	size_t capacity;	/* a power of two */
	uint32_t round;		/* rises when the set is emptied */
	uint64_t key[2];
};

/* Memory for `most` texts. False when it is refused; span_set_finish() is harmless then. */
bool span_set_init(struct span_set *set, size_t most);
void span_set_finish(struct span_set *set);
/* Forgets all texts, without touching the memory. */
void span_set_clear(struct span_set *set);
/* The caller sees to it that no more than `most` are put. False when it was there already. */
bool span_set_put(struct span_set *set, struct span text);
/* The slot's index of a text that is there, below `capacity`; SIZE_MAX when it is not. */
size_t span_set_find(const struct span_set *set, struct span text);

#endif
