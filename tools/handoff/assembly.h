/* assembly.h - lines of the input, gathered into the next batch */
#ifndef HANDOFF_TOOLS_ASSEMBLY_H
#define HANDOFF_TOOLS_ASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handoff/send.h"
#include "tools/handoff/idset.h"
#include "tools/handoff/input.h"
#include "tools/handoff/journal.h"
#include "tools/handoff/ndjson.h"

/* The broker's settings, which a batch is made by. */
struct assembly_limits {
	uint64_t records;	/* in a batch */
	size_t bytes;		/* of its encoded list */
	bool ends_at_critical;	/* a CRITICAL record goes at once */
};

struct assembly {
	struct input *in;		/* the caller's; its mark is where the batch begins */
	const char *run;		/* the caller's; made record_ids begin with it */
	struct ndjson_reader reader;
	struct idset ids;		/* in this batch */
	struct handoff_records *records;	/* owned */
	size_t bytes;			/* of them */
	uint64_t first_line;		/* lines before the batch */
	int64_t first_at_ms;		/* when its first record came */
	bool is_critical;
	char why[384];			/* what is wrong, with the line */
};

/* False when memory is refused. */
bool assembly_init(struct assembly *a, struct input *in, const char *id_field, const char *run);
void assembly_finish(struct assembly *a);

enum assembly_result {
	ASSEMBLY_MORE,		/* the lines that are there have been taken; the batch may grow */
	ASSEMBLY_FULL,		/* the batch is to go */
	ASSEMBLY_BAD,		/* the next line is wrong: a->why; the batch may go */
};

/* Takes lines, as far as they belong to this batch. */
enum assembly_result assembly_proceed(struct assembly *a, const struct assembly_limits *limits);
/* Takes the lines of a batch that was made before, whose bytes are there; false, with a->why, when
 * they do not make it. */
bool assembly_repeat(struct assembly *a, const struct journal_batch *b);
bool assembly_is_empty(const struct assembly *a);

/* Says which part of the input the batch is, under a new id. */
void assembly_describe(struct assembly *a, struct journal_batch *b);
/* Begins the next batch behind this one; its records become the caller's. NULL: no memory. */
struct handoff_records *assembly_take(struct assembly *a);

#endif
