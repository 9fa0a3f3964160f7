/* component.c - ComponentHealth in and out of messages */
#include "core/component.h"

#include <string.h>

/* Well-formed UTF-8, as the decoder has seen: a character is never cut in two. */
static void copy_text(char *to, size_t size, struct span from)
{
	size_t n = from.n < size ? from.n : size - 1;

	while (n < from.n && n > 0 && ((unsigned char)from.p[n] & 0xc0) == 0x80)
		n--;
	memcpy(to, from.p, n);
	to[n] = '\0';
}

void component_copy(struct component *to, const struct component_health *from)
{
	copy_text(to->name, sizeof to->name, from->name);
	copy_text(to->message, sizeof to->message, from->message);
	to->status = from->status;
	to->checked_at_us = from->checked_at_us;
}

struct component_health component_said(const struct component *c)
{
	return (struct component_health){
		.name = span_of(c->name),
		.status = c->status,
		.message = span_of(c->message),
		.checked_at_us = c->checked_at_us,
	};
}
