/* flood.h - a route that would bury everything pauses instead */
#ifndef HANDOFF_CORE_FLOOD_H
#define HANDOFF_CORE_FLOOD_H

#include <stdint.h>

struct core;
struct route;
struct ended;

#define FLOOD_CODES_MAX 4
#define FLOOD_CODE_BYTES 48

/* The latest dead letters of a route, by error code; in memory only. */
struct flood {
	struct flood_code {
		char code[FLOOD_CODE_BYTES];
		uint64_t begun_ms;	/* custody clock, of the first in the window */
		uint32_t letters;	/* in it; 0: the slot is free */
	} codes[FLOOD_CODES_MAX];
};

/*
 * Another batch of the route has become a dead letter. When there are settings.flood_threshold of them
 * with one code within flood_window_ms, the route is paused until a person resumes it.
 */
void flood_note(struct core *c, struct route *r, const struct ended *e);

#endif
