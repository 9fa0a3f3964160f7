/* ndjson_internal.h - what the reader's files share: the place in the line */
#ifndef HANDOFF_TOOLS_NDJSON_INTERNAL_H
#define HANDOFF_TOOLS_NDJSON_INTERNAL_H

#include "tools/handoff/ndjson.h"

/* A text in the record. */
struct key {
	size_t at, len;
	const char *bytes;	/* only while keys are sorted */
};

struct parser {
	struct ndjson_reader *r;
	struct buf *out;	/* the record */
	const char *start, *at, *end;
	bool has_id;		/* r->id is set */
	bool has_dropped;	/* the line's own record_id, since it is made of another field */
};

/* Says what is wrong here, unless something was before; always false. */
__attribute__((format(printf, 2, 3)))
bool ndjson_fail(struct parser *p, const char *fmt, ...);

void ndjson_skip_blanks(struct parser *p);
/* Takes this character, behind blanks; false when there is another. */
bool ndjson_take(struct parser *p, char c);

/* These read what stands at p->at, and append it to the record. */
bool ndjson_read_word(struct parser *p, const char *word, unsigned encoded);
bool ndjson_read_number(struct parser *p);
/* *text gets where the string's bytes stand in the record. */
bool ndjson_read_string(struct parser *p, struct key *text);

#endif
