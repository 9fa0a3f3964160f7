/* circuit.h - a route whose target fails is left alone for a while (protocol.md section 11) */
#ifndef HANDOFF_CORE_CIRCUIT_H
#define HANDOFF_CORE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"
#include "wire/message.h"

struct core;
struct route;
struct assignment;
struct instance;

/* One that belongs to a route; its id is the route's name. */
struct circuit {
	uint32_t number;		/* the store's */
	struct circuit_record record;	/* as it will be committed */
	uint64_t probe;			/* lease of the delivery that is to tell, 0: none is out */
	uint64_t probed;		/* id of the batch that was the latest probe */
};

/* As the store has it, at the start. */
void circuit_recover(struct core *c, struct route *r);
enum circuit_state circuit_state(const struct route *r);
/* Whether a delivery may be made now: CLOSED, or HALF_OPEN and no probe is out. */
bool circuit_lets_through(const struct route *r);
/* A delivery has been made: when HALF_OPEN it is the probe. */
void circuit_delivered(struct core *c, struct route *r, const struct batch *b);
/* It is not out any more, whatever came of it. */
void circuit_returned(struct route *r, uint64_t lease);
/*
 * The target has failed with that batch: a deadline, a TRANSIENT rejection, a lost connection,
 * which counts once however many batches it held (`several`: more than one of this route).
 */
void circuit_failed(struct core *c, struct route *r, uint64_t id, bool several);
/* The target has processed a batch. */
void circuit_succeeded(struct core *c, struct route *r);
/* Those whose time has come let a probe through. */
void circuit_expire(struct core *c);

#endif
