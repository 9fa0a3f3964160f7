/* house.h - a whole broker in this process: the real store, core and sessions, without sockets */
#ifndef HANDOFF_FUZZ_HOUSE_H
#define HANDOFF_FUZZ_HOUSE_H

#include "admin/admin.h"
#include "core/inspect.h"
#include "core/operate.h"
#include "session/session.h"
#include "store/check.h"

#define FRAME_BYTES_MAX (64 * 1024)
#define ROUTE_COUNT 2
#define MAX_IN_FLIGHT 4

struct house {
	struct store *store;
	struct core *core;
	struct sessions *sessions;
	struct admin *admin;		/* NULL: no operators' door */
	uint64_t now_ms;
	unsigned starts;
	uint32_t routes[ROUTE_COUNT];	/* the store's numbers: alpha-beta, beta-gamma */
};

/* Where in a turn the broker dies. */
enum death {
	DEATH_NONE,
	DEATH_BEFORE_COMMIT,		/* nothing of the turn has been */
	DEATH_AFTER_COMMIT,		/* all of it has been, and nobody was told */
};

/* An empty store, quickly, and a broker on it. */
void house_open(struct house *h);
/* What the store has now is what house_open() gives from here on; the broker starts anew. */
void house_keep(struct house *h);
void house_close(struct house *h);
/* A turn as server/turn.c has it, and those that it asks for. Every promise about the store's own
 * agreement is checked in it. */
void house_turn(struct house *h, enum death death);
void house_crash(struct house *h);
/* SIGTERM, and a new start. */
void house_restart(struct house *h);
const struct route *house_route(const struct house *h, unsigned n);
/* The store agrees with itself. */
void house_check(struct house *h);

#endif
