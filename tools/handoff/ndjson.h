/* ndjson.h - a line of NDJSON to a MessagePack record, and back */
#ifndef HANDOFF_TOOLS_NDJSON_H
#define HANDOFF_TOOLS_NDJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * One line is one JSON object (RFC 8259) and one record. What is the same on both sides:
 *
 *	object  map, keys in their order      number with . or e  float, 64 bits
 *	array   array                         other number        integer, -2^63 to 2^64-1
 *	string  str, UTF-8                    true false null     boolean, nil
 *
 * A number that does not fit is refused, not rounded; so is a key that comes twice. MessagePack
 * knows more than JSON: bin is written as a string in base64; ext, a key that is no string, a float
 * that is no number and text that is no UTF-8 are refused.
 */

/* The list that a batch is has a nesting level, and the protocol's limit is 64. */
#define NDJSON_DEPTH_MAX 63
#define NDJSON_WHY_SIZE 256

/* Reads lines, one after the other; keeps memory from one to the next. */
struct ndjson_reader {
	const char *id_field;	/* the top-level field that record_id is taken from */
	struct buf record;	/* of the latest line: its record */
	struct buf id;		/* its record_id */
	bool is_critical;	/* its `priority` is "CRITICAL" */
	char why[NDJSON_WHY_SIZE];	/* what is wrong with the latest line, with the column */

	struct buf keys;	/* of the objects that are open: where they stand in `record` */
};

/* `id_field` NULL: "record_id". It must outlive the reader. */
void ndjson_reader_init(struct ndjson_reader *r, const char *id_field);
void ndjson_reader_finish(struct ndjson_reader *r);

/*
 * Makes r->record of one line without its end. The record gets a string `record_id`: the value of
 * id_field, which must be a string or an integer; where id_field is "record_id" and there is none,
 * `made_id`. The rest stays as it is. False, with r->why, when the line is not right.
 */
bool ndjson_read(struct ndjson_reader *r, const char *line, size_t len, const char *made_id);

/*
 * Appends one encoded record to `out` as JSON with an end of line. False, with a reason in
 * why[NDJSON_WHY_SIZE] and `out` as it was, when JSON cannot say it or memory is refused.
 */
bool ndjson_write(struct buf *out, const void *record, size_t len, char *why);

#endif
