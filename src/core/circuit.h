/* circuit.h - what fails is left alone for a while (protocol.md section 11) */
#ifndef HANDOFF_CORE_CIRCUIT_H
#define HANDOFF_CORE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/settings.h"
#include "store/record.h"
#include "wire/message.h"

struct core;
struct module;
struct route;
struct instance;

/*
 * One that belongs to a route (its id is the route's name) stops the route's deliveries while its
 * target fails. One that modules share (its id is declared in the configuration) stops nothing
 * here: it tells its modules of each other's failures.
 */
struct circuit {
	const char *id;
	uint32_t number;		/* the store's */
	struct circuit_record record;	/* as it will be committed */
	struct module **modules;	/* those that are told */
	size_t module_count;
	const struct circuit_settings *shared;	/* NULL: a route's */
	/* of a route's, in memory only: */
	uint64_t probe;			/* lease of the delivery that is to tell, 0: none is out */
	uint64_t probed;		/* id of the latest probe that was no suspect, 0 none */
	bool probed_normal;		/* and that it was no CRITICAL one */
	uint64_t probed_suspect;	/* the latest probe was the suspect of that id, 0: none */
};

/* All of them, as the store has them, at the start: when the routes are there. */
void circuit_recover(struct core *c);
void circuit_finish(struct core *c);
/* Those of the routes first, in their order, then those that are shared. */
size_t circuit_count(const struct core *c);
struct circuit *circuit_at(const struct core *c, size_t n);

enum circuit_state circuit_state(const struct circuit *k);
/* When it changes by itself (custody clock), 0: it does not. */
uint64_t circuit_next_ms(const struct circuit *k);
/*
 * It has failed with the batch of that id, or with several of them. While it is a route's, one
 * batch alone opens nothing.
 */
void circuit_failed(struct core *c, struct circuit *k, uint64_t id, bool several);
void circuit_succeeded(struct core *c, struct circuit *k);
/* Those whose time has come change by themselves. */
void circuit_expire(struct core *c);

/* --- a route's: it fails by a deadline, a TRANSIENT rejection, a lost connection ---------------- */

/* Whether a delivery may be made now: CLOSED, or HALF_OPEN and no probe is out. */
bool circuit_lets_through(const struct route *r);
/* A delivery has been made, or was found at the start: when HALF_OPEN it is the probe. */
void circuit_delivered(struct route *r, const struct batch *b);
/* It is not out any more, whatever came of it. */
void circuit_returned(struct route *r, uint64_t lease);
/* The latest probe was a suspect: others, where there are any, go before the next suspect. */
bool circuit_wants_others(const struct route *r);

/* --- circuit_shared.c: one that modules share (see also core_errors_heard()) -------------------- */

/* A module has told what became of records: DELIVERED and FAILED say something of where they went. */
void circuit_confirmed(struct core *c, const struct instance *i,
    const struct message_confirmation *m);

#endif
