/* handle_goodbye.c - a module leaves: at once, or when it has finished what it holds */
#include "session/internal.h"

void handle_goodbye(struct session *s, const struct message *m, struct frame *frame)
{
	(void)frame;
	if (m->goodbye.reason == GOODBYE_DRAINING) {
		s->state = SESSION_DRAINING;
		core_drain(s->all->core, s->instance);
		return;
	}
	session_close(s, LEAVE_GIVEN_BACK, "the module said GOODBYE");
}
