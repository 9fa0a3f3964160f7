/* operate.h - what a person can change: each change durable with the turn, and journalled */
#ifndef HANDOFF_CORE_OPERATE_H
#define HANDOFF_CORE_OPERATE_H

#include "core/inspect.h"

/* Whose hand it is, and why: both end up in the journal. */
struct hand {
	const char *who;		/* "alice (uid 1000)" */
	const char *reason;		/* "" none given */
};

/* What is done to one batch. */
enum operation {
	OPERATION_HOLD,			/* READY, ASSIGNED, WAITING: no new delivery */
	OPERATION_RELEASE,		/* what is held */
	OPERATION_RETRY,		/* WAITING: now */
	OPERATION_REDRIVE,		/* DEAD: try again, with the retry budget afresh */
	OPERATION_PURGE,		/* DEAD: gone for ever */
	OPERATION_COUNT,
};

enum operated {
	OPERATED,
	OPERATED_NOTHING,	/* it is so already, or not in a state for this; why says which */
	OPERATED_NO_ROOM,	/* not now: the route or the store is full; why says which */
	OPERATED_NEVER,		/* cannot be (its bytes are damaged, …) */
};
/*
 * Does it to the batch of that id, which is in custody or dead on the route. `why` gets a sentence
 * unless OPERATED.
 */
enum operated core_operate(struct core *c, enum operation operation, const struct route *r,
    uint64_t id, const struct hand *h, char *why, size_t size);
/* In which states the batch has to be: bits 1 << enum batch_state. */
unsigned operation_states(enum operation operation);

/* Deliveries on a route stop, or go on; its sources are served until it is full. Durable. False: it
 * is so already. */
bool core_pause(struct core *c, const struct route *r, bool paused, const struct hand *h);
/* No deliveries at all, until told otherwise or restarted: so that what is out can be finished. */
void core_set_draining(struct core *c, bool draining, const struct hand *h);
/*
 * Opens the n-th circuit (inspect.h) until a person closes it, or closes it now, whatever has
 * opened it. Durable. False: it is so already.
 */
bool core_circuit_force(struct core *c, size_t n, bool open, const struct hand *h);
/* Ends an instance's connection (GOODBYE KICKED), at no cost to what it holds. False: it is not
 * connected. */
bool core_kick(struct core *c, const char *module, struct span instance_id, const struct hand *h);
/* An ambiguous or awaited confirmation is settled by hand: it leaves the list. */
enum operated core_settle_confirmation(struct core *c, const struct route *r, uint64_t id,
    const struct hand *h, char *why, size_t size);

/* A dead letter from elsewhere, or from an export of this broker. */
struct import {
	const struct message *message;	/* the decoded frame */
	struct frame *frame;		/* its body */
	enum error_code code;		/* the broker's error it had, INT_NONE: none */
	uint32_t attempt, redrives;
	int64_t received_at_us;
	bool derived;			/* a letter that its broker had made */
	bool has_parent;		/* of this batch's rejected records: */
	struct uuid parent;
	struct span errors;		/* the target's, encoded one after the other */
	uint32_t error_count;
};
enum operated core_import(struct core *c, const struct import *in, const struct hand *h, char *why,
    size_t size);

/* One line in the list of what persons did, for a command that changed many batches. */
void core_note_action(struct core *c, enum journal_event event, const struct route *r,
    const struct uuid *batch_id, const struct hand *h, const char *what);

#endif
