/* report.h - what a command answers, said once: rendered for people, or as one JSON document */
#ifndef HANDOFF_ADMIN_REPORT_H
#define HANDOFF_ADMIN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * A report is an object. It holds fields, objects, lists, and tables, which are lists of objects
 * with the same fields. Nothing is gathered: each call appends to `out`, which may be emptied
 * between calls, so that a long report can leave in pieces.
 *
 * For people, an object is a line a field, a table has a line a row, and an empty list or table
 * says "none". A stranger's bytes never reach a terminal as they are: control characters,
 * characters that turn the writing's direction, and bytes that are no UTF-8 become \xNN.
 *
 * Names are those of JSON: they say their unit where they have one (age_ms, size_bytes), and do not
 * change from version to version. Inside a list names are NULL; in a row they are the columns', in
 * their order, and NULL is given.
 */

#define REPORT_DEPTH_MAX 8

struct report_column {
	const char *name;
	int width;		/* of its cells for people, in characters: at least so many */
	bool right;		/* aligned there */
};

enum report_kind { REPORT_OBJECT, REPORT_LIST, REPORT_TABLE, REPORT_ROW };

struct report_level {
	enum report_kind kind;
	const char *name;	/* borrowed until the level ends */
	bool empty;		/* nothing in it yet */
	bool title;		/* for people: its name stands above it */
	int indent;
	const struct report_column *columns;	/* of a table and its rows, borrowed */
	size_t column_count, column;
};

struct report {
	struct buf *out;	/* borrowed */
	bool json;
	size_t depth;
	struct report_level levels[REPORT_DEPTH_MAX];
	struct buf cell;	/* owned */
};

void report_begin(struct report *r, struct buf *out, bool json);
/* Ends all that is still open. */
void report_end(struct report *r);
/* Frees what the report holds; nothing is written. */
void report_finish(struct report *r);
/* Ends all but the outermost object, so that a last field can say what went wrong. */
void report_unwind(struct report *r);

void report_object(struct report *r, const char *name);
void report_list(struct report *r, const char *name);
void report_table(struct report *r, const char *name, const struct report_column columns[],
    size_t count);
void report_row(struct report *r);
/* Ends the latest object, list, table or row. */
void report_close(struct report *r);

/* A line for people; nothing in JSON, where the caller has a field for it. */
void report_sentence(struct report *r, const char *text);

/* NULL is no value: null, "-". */
void report_text(struct report *r, const char *name, const char *text);
void report_bytes_as_text(struct report *r, const char *name, const char *text, size_t len);
void report_number(struct report *r, const char *name, int64_t value);
/* A number with a point; what is none is null. */
void report_real(struct report *r, const char *name, double value);
void report_none(struct report *r, const char *name);
/* Microseconds since 1970; 0 is no value. */
void report_time(struct report *r, const char *name, int64_t us);
void report_duration(struct report *r, const char *name, int64_t ms);
/* "1m 30s", as people are shown it. */
void report_write_duration(int64_t ms, char *out, size_t size);
void report_size(struct report *r, const char *name, int64_t bytes);
void report_bool(struct report *r, const char *name, bool value);

#endif
