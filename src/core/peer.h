/* peer.h - how the core reaches a connection: declared here, implemented by session/ */
#ifndef HANDOFF_CORE_PEER_H
#define HANDOFF_CORE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"
#include "wire/frame.h"
#include "wire/message.h"

struct peer;		/* one connection; the core only passes it back */
struct route;

/* A delivery to be made. The peer copies it, and takes a reference of `frame` where it keeps it. */
struct delivery {
	uint64_t id;			/* the batch's, for store_payload_get() */
	uint64_t lease;
	uint32_t attempt;
	bool redelivered;
	int64_t received_at_us;
	const struct route *route;
	struct frame *frame;		/* the body, when it is still in memory; else NULL */
};

/* What an instance is told about a batch that it holds or held: an error, as a warning. */
struct batch_warning {
	enum error_code code;
	const struct route *route;
	struct uuid batch_id;
	struct span correlation;	/* borrowed */
};

/*
 * Whatever is handed over here may leave the process only after the turn has been committed.
 */
struct peer_ops {
	/*
	 * Queues a delivery. Before its first byte is handed over, core_delivery_begin() is asked.
	 */
	void (*deliver)(struct peer *p, const struct delivery *d);
	/* Queues the outcome of a batch that this instance sent. */
	void (*outcome)(struct peer *p, const struct ended *e, const struct route *route);
	/* Whether another outcome may be queued now: a peer that does not read gets no more. */
	bool (*has_room)(const struct peer *p);
	/*
	 * Queues a notice that is no outcome: the body of a message, to which its number is added.
	 */
	void (*notice)(struct peer *p, uint64_t number, const uint8_t *body, size_t n);
	/* Tells a source of back-pressure on its route. */
	void (*backpressure)(struct peer *p, const struct message_backpressure *b);
	void (*warn)(struct peer *p, const struct batch_warning *w);
	/* Tells a module of a circuit that it has to do with. */
	void (*circuit)(struct peer *p, const struct message_circuit_change *change);
	/* Says GOODBYE and ends the connection; the core has already let go of it. */
	void (*dismiss)(struct peer *p, enum goodbye_reason reason, const char *why);
	/* Queues a HEALTH_CHECK_REQUEST. */
	void (*ask_health)(struct peer *p);
};

#endif
