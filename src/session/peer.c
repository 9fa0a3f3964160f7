/* peer.c - how the core reaches a session */
#include "session/internal.h"

static struct session *session_of(struct peer *p)
{
	return (struct session *)p;
}

static void deliver(struct peer *p, const struct delivery *d)
{
	output_delivery(session_of(p), d);
}

static void outcome(struct peer *p, const struct ended *e, const struct route *route)
{
	send_outcome(session_of(p), e, route);
}

static bool has_room(const struct peer *p)
{
	const struct session *s = (const struct session *)p;

	return s->out_bytes < NOTICE_BYTES_MAX;
}

static void dismiss(struct peer *p, enum goodbye_reason reason)
{
	struct session *s = session_of(p);

	s->instance = NULL;		/* the core has let go of it */
	session_goodbye(s, reason, LEAVE_EXPECTED, 0,
	    "another connection has the same instance_id");
}

const struct peer_ops session_peer_ops = {
	.deliver = deliver,
	.outcome = outcome,
	.has_room = has_room,
	.dismiss = dismiss,
};
