/* frame.c - a received body that several may hold */
#include "wire/frame.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/ahead.h"

struct frame *frame_create(size_t cap)
{
	struct frame *f = malloc(sizeof *f + cap);

	if (f)
		*f = (struct frame){ .refs = 1, .cap = cap };
	return f;
}

struct frame *frame_grow(struct frame *f, size_t want)
{
	struct frame *grown;

	assert(f->refs == 1);
	if (want <= f->cap)
		return f;
	grown = realloc(f, sizeof *f + want);
	if (grown)
		grown->cap = want;
	return grown;
}

struct frame *frame_ref(struct frame *f)
{
	f->refs++;
	return f;
}

void frame_unref(struct frame *f)
{
	if (!f || --f->refs > 0)
		return;
	ahead_free(f->ahead);
	free(f);
}
