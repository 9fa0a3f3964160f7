/* handle_hello.c - an instance introduces itself and gets its settings (protocol.md section 3) */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "session/internal.h"

void handle_hello(struct session *s, const struct message *m, struct frame *frame)
{
	const struct message_hello *h = &m->hello;
	struct sessions *ss = s->all;
	struct hello hello = {
		.module = s->module,
		.instance_id = h->instance_id,
		.max_in_flight = h->max_in_flight < UINT32_MAX ? (uint32_t)h->max_in_flight
		                                               : UINT32_MAX,
		.mailbox = h->mailbox,
		.has_seen = m->has_seen && h->has_broker_id &&
		    uuid_equal(&h->broker_id, store_broker_id(ss->store)),
		.seen = m->seen,
		.holds = h->holds,
		.hold_count = h->hold_count,
	};

	(void)frame;
	s->instance = core_join(ss->core, &hello, (struct peer *)s);
	if (!s->instance) {
		session_goodbye(s, GOODBYE_KICKED, LEAVE_LOST, 60000,
		    "too many instance ids of this module are remembered; keep instance_id over a "
		    "restart");
		return;
	}
	snprintf(s->instance_id, sizeof s->instance_id, "%.*s", (int)h->instance_id.n,
	    h->instance_id.p);
	s->state = SESSION_OPEN;
	session_set_deadline(s, ss->settings.rekey_age_ms ? s->opened_ms + ss->settings.rekey_age_ms
							  : UINT64_MAX);
	log_info("session opened",
	    "session=%u module=%s instance=%s address=%s max_in_flight=%u client=%s", s->id,
	    s->module, log_quote(h->instance_id.p, h->instance_id.n), s->address,
	    instance_max_in_flight(s->instance),
	    log_quote(h->client.p ? h->client.p : "", h->client.n));
	send_welcome(s, m);
	if (s->instance)	/* there was memory for it */
		core_welcomed(ss->core, s->instance);
}
