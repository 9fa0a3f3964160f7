/* handle_backpressure.c - a target asks for a pause, or for more */
#include "session/internal.h"

void handle_backpressure(struct session *s, const struct message *m, struct frame *frame)
{
	struct fault f;

	(void)frame;
	if (!core_target_pressure(s->all->core, s->instance, &m->backpressure, &f))
		session_refuse(s, m, &f, NULL);
}
