/* handle_batch.c - a batch is offered: custody decides, the answer says what came of it */
#include <string.h>

#include "base/log.h"
#include "session/internal.h"

void handle_batch(struct session *s, const struct message *m, struct frame *frame)
{
	struct offer_answer answer;

	core_offer(s->all->core, s->instance, m, frame, &answer);
	const struct fault *f = &answer.fault;
	if (f->code != INT_NONE)
		core_note_refusal(s->all->core, f->code);
	else if (answer.warning.code != INT_NONE)
		core_note_error(s->all->core, answer.warning.code);
	if (f->code != INT_NONE && log_allow("batch refused", 10))
		log_warning("batch refused", "session=%u module=%s code=%s field=%s", s->id,
		    s->module, error_code_info(f->code)->name,
		    log_quote(f->field_name, strlen(f->field_name)));
	send_offer_answer(s, m, &answer);
}
