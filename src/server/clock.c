/* clock.c - the custody clock */
#include "server/clock.h"

#include "base/datetime.h"

void clock_start(struct custody_clock *c, uint64_t saved_ms, int64_t wall_ms)
{
	uint64_t wall = wall_ms > 0 ? (uint64_t)wall_ms : 0;

	c->base_ms = saved_ms > wall ? saved_ms : wall;
	c->now_ms = c->base_ms;
	c->monotonic_ms = clock_monotonic_ms();
}

void clock_read(struct custody_clock *c)
{
	int64_t passed_ms = clock_monotonic_ms() - c->monotonic_ms;
	uint64_t now_ms = c->base_ms + (passed_ms > 0 ? (uint64_t)passed_ms : 0);

	if (now_ms > c->now_ms)
		c->now_ms = now_ms;
}

void clock_stalled(struct custody_clock *c, int64_t stall_ms)
{
	if (stall_ms > CLOCK_STALL_MS)
		c->monotonic_ms += stall_ms;
}
