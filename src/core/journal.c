/* journal.c - what was not ordinary in a batch's life, for who asks later */
#include <stdio.h>
#include <string.h>

#include "core/internal.h"

/* Lines are for who asks, not for the promise: a store that is nearly full gets none. */
void journal_note(struct core *c, struct batch *b, const struct note *n)
{
	struct journal_line line = {
		.at_us = c->wall_us,
		.event = n->event,
		.instance = n->instance,
		.attempt = b->attempt,
		.lease = b->lease,
		.delay_ms = n->delay_ms,
		.code = (uint16_t)n->code,
	};
	size_t len = n->text ? strlen(n->text) : 0;

	if (store_is_tight(c->store))
		return;
	line.text_len = (uint16_t)(len < JOURNAL_TEXT_MAX ? len : JOURNAL_TEXT_MAX);
	if (len)
		memcpy(line.text, n->text, line.text_len);
	b->journalled = true;
	store_journal_add(c->store, b->id, &line);
}

void journal_describe_errors(const struct message_ack *a, char *out, size_t size)
{
	const struct message_error *e = a->errors;

	*out = '\0';
	if (a->error_count == 0)
		return;
	snprintf(out, size, "%.*s%s%.*s: %.*s", (int)e->error_code.n, e->error_code.p,
	    e->field_name.n ? " " : "", (int)e->field_name.n,
	    e->field_name.p ? e->field_name.p : "", (int)e->error_message.n, e->error_message.p);
}
