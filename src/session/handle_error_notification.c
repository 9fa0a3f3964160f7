/* handle_error_notification.c - a module tells of its own errors: they go into the log */
#include "base/log.h"
#include "session/internal.h"

void handle_error_notification(struct session *s, const struct message *m, struct frame *frame)
{
	const struct message_error_notification *n = &m->error_notification;

	(void)frame;
	core_errors_heard(s->all->core, s->instance, n->errors, n->error_count);
	for (size_t k = 0; k < n->error_count; k++)
		if (log_allow("module told an error", 10))
			log_warning("module told an error",
			    "session=%u module=%s code=%s message=%s", s->id, s->module,
			    log_quote(n->errors[k].error_code.p, n->errors[k].error_code.n),
			    log_quote(n->errors[k].error_message.p, n->errors[k].error_message.n));
}
