/* handle_health.c - a module asks how the broker does, or says how it does itself */
#include "session/internal.h"

void handle_health_request(struct session *s, const struct message *m, struct frame *frame)
{
	(void)frame;
	send_health_response(s, m);
}

void handle_health_response(struct session *s, const struct message *m, struct frame *frame)
{
	(void)frame;
	core_health_told(s->all->core, s->instance, &m->health_response);
}
