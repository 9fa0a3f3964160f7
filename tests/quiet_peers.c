/* quiet_peers.c - peers that take what they are given, and forget it */
#include "quiet_peers.h"

static void on_deliver(struct peer *p, const struct delivery *d)
{
	(void)p;
	(void)d;
}

static void on_outcome(struct peer *p, const struct ended *e, const struct route *r)
{
	(void)p;
	(void)e;
	(void)r;
}

static bool has_room(const struct peer *p)
{
	(void)p;
	return true;
}

static void on_notice(struct peer *p, uint64_t number, const uint8_t *body, size_t n)
{
	(void)p;
	(void)number;
	(void)body;
	(void)n;
}

static void on_backpressure(struct peer *p, const struct message_backpressure *b)
{
	(void)p;
	(void)b;
}

static void on_warn(struct peer *p, const struct batch_warning *w)
{
	(void)p;
	(void)w;
}

static void on_circuit(struct peer *p, const struct message_circuit_change *change)
{
	(void)p;
	(void)change;
}

static void on_ask_health(struct peer *p)
{
	(void)p;
}

static void on_dismiss(struct peer *p, enum goodbye_reason reason, const char *why)
{
	(void)p;
	(void)reason;
	(void)why;
}

const struct peer_ops quiet_peers = {
	.deliver = on_deliver, .outcome = on_outcome, .has_room = has_room, .notice = on_notice,
	.backpressure = on_backpressure, .warn = on_warn, .circuit = on_circuit,
	.ask_health = on_ask_health, .dismiss = on_dismiss,
};
