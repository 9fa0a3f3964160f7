/* letter.c - a dead letter in a person's words */
#include "admin/letter.h"

/* Also a letter of records that was redriven can end in part, and is then kept whole. */
const char *letter_kind(const struct batch *b, const struct ended *e)
{
	if (!b->derived)
		return "batch";
	return e->partial || !b->has_parent ? "partial" : "records";
}

static bool has_code(const struct ended *e)
{
	return e->error_code != INT_NONE && e->error_code < ERROR_CODE_COUNT;
}

const char *letter_code(const struct ended *e)
{
	return has_code(e) ? error_code_info((enum error_code)e->error_code)->name : NULL;
}

const char *letter_meaning(const struct ended *e)
{
	return has_code(e) ? error_code_info((enum error_code)e->error_code)->meaning : NULL;
}

bool letter_first_error(const struct ended *e, struct stored_error *out)
{
	size_t at = 0;

	return stored_error_next(e->errors, e->errors_len, &at, out);
}

struct span letter_cut(struct span text)
{
	if (text.n > LETTER_TEXT_MAX)
		text.n = LETTER_TEXT_MAX;
	return text;
}
