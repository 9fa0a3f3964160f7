/* parts.h - what a command has printed, as records in batches that fit into a frame */
#ifndef HANDOFF_TOOLS_PARTS_H
#define HANDOFF_TOOLS_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "handoff/send.h"

struct part {
	STAILQ_ENTRY(part) link;
	struct handoff_records *records;	/* owned */
	bool is_critical;
};
STAILQ_HEAD(part_list, part);

/*
 * Reads NDJSON, whose bytes are taken over, into parts of at most max_bytes, in their order;
 * *records gets how many there are. The same output gives the same parts: a record without a
 * record_id gets one made of the batch's id and its line. False, with why[size], when a line is not
 * right.
 */
bool parts_make(struct part_list *parts, struct buf *output, const char *batch_id,
    size_t max_bytes, uint64_t *records, char *why, size_t size);
/* Frees the first one, when there is one. */
void parts_drop_first(struct part_list *parts);
void parts_destroy(struct part_list *parts);

#endif
