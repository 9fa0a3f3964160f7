/* clock.h - the custody clock: it rises, whatever the wall clock does (design.md section 3) */
#ifndef HANDOFF_SERVER_CLOCK_H
#define HANDOFF_SERVER_CLOCK_H

#include <stdint.h>

/*
 * max(saved, wall clock at start) + monotonic time since − our own stalls, in milliseconds. Due
 * times are on it: a wall clock that jumps changes nothing, waits outlive a restart, and a slow
 * flush is held against no peer.
 */
struct custody_clock {
	uint64_t now_ms;
	uint64_t base_ms;	/* at monotonic_ms */
	int64_t monotonic_ms;
};

/* Stalls up to here are ordinary and count as time. */
#define CLOCK_STALL_MS 20

void clock_start(struct custody_clock *c, uint64_t saved_ms, int64_t wall_ms);
void clock_read(struct custody_clock *c);
/* We did nothing else for so long (a flush): it was nobody's time. */
void clock_stalled(struct custody_clock *c, int64_t stall_ms);

#endif
