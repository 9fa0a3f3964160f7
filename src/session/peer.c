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

static void notice(struct peer *p, uint64_t number, const uint8_t *body, size_t n)
{
	send_notice(session_of(p), number, body, n);
}

static void backpressure(struct peer *p, const struct message_backpressure *b)
{
	send_backpressure(session_of(p), b);
}

static void warn(struct peer *p, const struct batch_warning *w)
{
	send_warning(session_of(p), w);
}

static void circuit(struct peer *p, const struct message_circuit_change *change)
{
	send_circuit_change(session_of(p), change);
}

static void ask_health(struct peer *p)
{
	send_health_request(session_of(p));
}

static void dismiss(struct peer *p, enum goodbye_reason reason, const char *why)
{
	struct session *s = session_of(p);

	s->instance = NULL;		/* the core has let go of it */
	session_goodbye(s, reason, LEAVE_EXPECTED, 0, why);
}

const struct peer_ops session_peer_ops = {
	.deliver = deliver,
	.outcome = outcome,
	.has_room = has_room,
	.notice = notice,
	.backpressure = backpressure,
	.warn = warn,
	.circuit = circuit,
	.ask_health = ask_health,
	.dismiss = dismiss,
};
