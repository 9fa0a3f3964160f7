/* letter.h - a dead letter in a person's words */
#ifndef HANDOFF_ADMIN_LETTER_H
#define HANDOFF_ADMIN_LETTER_H

#include "core/inspect.h"
#include "wire/decode.h"

/*
 * "batch": the whole batch is parked here; "partial": its target has processed it and rejected
 * records of it, it is kept beside its end; "records": exactly the records that the target of its
 * parent has rejected.
 */
const char *letter_kind(const struct batch *b, const struct ended *e);
/* The broker's error, NULL when there is none. */
const char *letter_code(const struct ended *e);
/* What it means, NULL likewise. */
const char *letter_meaning(const struct ended *e);
/* The first of the target's errors; false when there is none. */
bool letter_first_error(const struct ended *e, struct stored_error *out);
/* The texts of an error are the target's: for people they are cut. */
#define LETTER_TEXT_MAX 160
struct span letter_cut(struct span text);

#endif
