/* letter_line.h - a line of an export: one JSON object, taken apart */
#ifndef HANDOFFCTL_LETTER_LINE_H
#define HANDOFFCTL_LETTER_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* A value as it stands in the line; of a string what is between its quotes. `p` NULL: not there. */
struct line_value {
	const char *p;
	size_t n;
};

struct letter_line {
	struct line_value version;	/* "handoff_dead_letter" */
	struct line_value batch_id, code, attempts, redrives, received_at, derived, parent, errors;
	struct line_value frame, cut;
};

/*
 * Finds the members that an import needs, whatever else there is; null is not there. Values point
 * into the line. False when it is no JSON object, or one of them has an escape in it, which what
 * an export writes there never has.
 */
bool letter_line_parse(const char *line, size_t len, struct letter_line *out);

#endif
