/* handle_acknowledgment.c - a target answers for a delivery */
#include "session/internal.h"

void handle_acknowledgment(struct session *s, const struct message *m, struct frame *frame)
{
	struct ack_answer answer;

	(void)frame;
	core_acknowledge(s->all->core, s->instance, m, &answer);
	if (answer.fault.code != INT_NONE)
		session_refuse(s, m, &answer.fault, answer.route);
	else if (answer.echo)
		send_echo(s, m, &m->ack, answer.route, answer.duplicate);
}
