/* listener.c - a peer that hears everything and does nothing */
#include "sim.h"

static void on_deliver(struct peer *peer, const struct delivery *d)
{
	(void)peer;
	(void)d;
}

static void on_outcome(struct peer *peer, const struct ended *e, const struct route *route)
{
	(void)peer;
	(void)e;
	(void)route;
}

static bool on_has_room(const struct peer *peer)
{
	(void)peer;
	return true;
}

static void on_notice(struct peer *peer, uint64_t number, const uint8_t *body, size_t n)
{
	(void)peer;
	(void)number;
	(void)body;
	(void)n;
}

static void on_backpressure(struct peer *peer, const struct message_backpressure *b)
{
	(void)peer;
	(void)b;
}

static void on_warn(struct peer *peer, const struct batch_warning *warning)
{
	(void)peer;
	(void)warning;
}

static void on_circuit(struct peer *peer, const struct message_circuit_change *change)
{
	(void)peer;
	(void)change;
}

static void on_ask_health(struct peer *peer)
{
	(void)peer;
}

static void on_dismiss(struct peer *peer, enum goodbye_reason reason, const char *why)
{
	(void)peer;
	(void)reason;
	(void)why;
}

const struct peer_ops listener_ops = {
	.deliver = on_deliver,
	.outcome = on_outcome,
	.has_room = on_has_room,
	.notice = on_notice,
	.backpressure = on_backpressure,
	.warn = on_warn,
	.ask_health = on_ask_health,
	.circuit = on_circuit,
	.dismiss = on_dismiss,
};
