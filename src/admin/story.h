/* story.h - what has happened to a batch and what its target said, as explain and dead show tell */
#ifndef HANDOFF_ADMIN_STORY_H
#define HANDOFF_ADMIN_STORY_H

#include "admin/look.h"
#include "wire/decode.h"

/* Each of the two is a table: for people the first is a list of sentences. report_close() ends it. */
void story_begin(struct report *r, const char *name);
void story_line(struct report *r, struct core *core, const struct journal_line *l,
    const char *event);
void story_errors_begin(struct report *r);
void story_error(struct report *r, const struct stored_error *e);

#endif
