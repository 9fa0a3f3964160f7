/*
 * notation.h - MessagePack written as text, and edited by path, for the tests of this room
 *
 *	{'key': 'text', 'n': 12, 'x': -1.5, 'b': true, 'none': nil, 'bin': <91c0>, 'raw': ~d40000~}
 *
 * <…> are the bytes of a bin, ~…~ bytes as they are. Encoded by msgpack-c, in the shortest forms.
 * A path is dotted, with list positions as numbers. A text or path that is wrong ends the test.
 */
#ifndef HANDOFF_TESTS_WIRE_NOTATION_H
#define HANDOFF_TESTS_WIRE_NOTATION_H

#include <stddef.h>

#include "base/buf.h"

/* Appends the one item that the text describes. */
void notation_encode(struct buf *out, const char *text);

/* Writes the text of `levels` lists one in the other, with texts before and after it. */
void notation_nest(char *out, size_t room, const char *before, unsigned levels, const char *after);

/* Where a pair, or an item of a list, stands in bytes. */
struct notation_place {
	size_t parent;	/* the head of the map or list around it */
	size_t key;	/* the pair's begin; in a list the item's own */
	size_t value;
	size_t end;
};
struct notation_place notation_find(const struct buf *b, const char *path);

/* Edits of what is at the path; a container that gains or loses has at most 15 pairs or items. */
void notation_remove(struct buf *b, const char *path);
void notation_replace(struct buf *b, const char *path, const char *text);
/* Puts `count` pairs, or in a list items, behind it. */
void notation_insert(struct buf *b, const char *path, int count, const char *text);
/* The same pair once more, behind itself. */
void notation_double(struct buf *b, const char *path);

#endif
