/* send.h - what the files send_*.c share */
#ifndef HANDOFF_SESSION_SEND_H
#define HANDOFF_SESSION_SEND_H

#include "session/internal.h"

struct uuid send_new_id(struct session *s);

/* Texts that an error points to: they live as long as it does. */
struct error_texts {
	char own_id[UUID_TEXT_LEN + 1];		/* the answer's own message_id */
	char batch_id[UUID_TEXT_LEN + 1];	/* "" when there is none */
};
void send_texts(struct error_texts *t, const struct envelope *e, const struct uuid *batch_id);
/* A fault as an IntegrationError of ours; points into *f and *texts. */
struct error_out send_error(struct session *s, const struct envelope *e, const struct fault *f,
    const struct error_texts *texts);

#endif
