/* input.h - lines of a file or pipe, of which the bytes since a mark are kept */
#ifndef HANDOFF_TOOLS_INPUT_H
#define HANDOFF_TOOLS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define INPUT_LINE_MAX_BYTES ((size_t)64 * 1024 * 1024)

/*
 *	| taken: from the mark on | the next line, then more |
 *	mark                      mark + taken
 *
 * The lines that were taken stay in memory until the mark moves behind them.
 */
struct input {
	int fd;			/* the caller's; -1: none */
	struct buf bytes;	/* from the mark on */
	uint64_t mark;		/* where in the input that is */
	size_t taken;
	size_t searched;	/* there is no end of line from `taken` to here */
	uint64_t lines;		/* taken since the beginning */
	bool has_ended;
};

void input_init(struct input *in, int fd);
/* The same for bytes that are there already, and now are the input's. */
void input_init_bytes(struct input *in, struct buf *bytes);
void input_finish(struct input *in);

/* Reads once what there is, and may block where the descriptor does. -1, or the exit status after a
 * complaint. */
int input_fill(struct input *in);
/* The next line, without its end; at the end of the input also one that has none. False: there is
 * no whole one. The bytes are good until the next call of another function. */
bool input_peek(struct input *in, const char **line, size_t *len);
/* Takes the line that was peeked last. */
void input_take(struct input *in);
/* So many bytes from the mark on are there. */
bool input_has(const struct input *in, uint64_t n);
/* Moves the mark to what was not taken. */
void input_advance(struct input *in);
/* Moves it n bytes, which are there, on, over so many lines. */
void input_skip(struct input *in, size_t n, uint64_t lines);

#endif
