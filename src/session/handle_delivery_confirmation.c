/* handle_delivery_confirmation.c - a target tells what became of a batch's records */
#include "session/internal.h"

void handle_delivery_confirmation(struct session *s, const struct message *m, struct frame *frame)
{
	struct fault f;

	if (!core_confirm(s->all->core, s->instance, m, frame, &f))
		session_refuse(s, m, &f, NULL);
}
