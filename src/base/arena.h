/* arena.h - memory for many small things that all end at once */
#ifndef HANDOFF_BASE_ARENA_H
#define HANDOFF_BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

/* Chunks, the newest first. The first one made is kept when the arena is cleared. */
struct arena_chunk;
struct arena {
	struct arena_chunk *chunks;
};

/* An arena that is all zero is empty and may be used. */
void arena_finish(struct arena *a);
/* Everything taken from it is gone; memory for a small amount stays. */
void arena_clear(struct arena *a);
/* n bytes, aligned for anything, not set to anything; NULL when memory is refused. */
void *arena_take(struct arena *a, size_t n) MUST_CHECK;

#endif
