/* clock.h - the custody clock: it rises, whatever the wall clock does (design.md section 3) */
#ifndef HANDOFF_SERVER_CLOCK_H
#define HANDOFF_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/*
 * The saved time + what has passed since, by the system's clock since boot, in milliseconds. Due
 * times are on it: a wall clock that jumps, between runs or while we run, changes nothing, and
 * waits outlive a restart. Across a reboot nobody knows how long it took: the clock stands still
 * then.
 *
 * Beside it goes the time that is held against peers: it stands still while we do nothing for them
 * (a slow flush, a process that is stopped), so that our own stalls make nobody late.
 */
struct custody_clock {
	uint64_t now_ms;
	uint64_t peer_ms;	/* the time held against peers: behind by all our stalls */
	uint64_t base_ms;	/* at monotonic_ms */
	int64_t monotonic_ms;
	uint64_t stalled_ms;	/* in all */
};

/* Stalls up to here are ordinary: peers are read before they are judged. */
#define CLOCK_STALL_MS 200

/*
 * `saved_ms` is that of the store's latest commit, 0 for a new one (which begins at `wall_ms`);
 * `boot` says how it went with the clock since boot, if that was in this boot.
 */
void clock_start(struct custody_clock *c, uint64_t saved_ms, const struct store_boot *boot,
    int64_t wall_ms);
/*
 * We did nothing for peers between these, as clock_monotonic_ms() has them: if that was long it was
 * nobody's time, and true is returned.
 */
bool clock_stalled(struct custody_clock *c, int64_t since_ms, int64_t until_ms);
/*
 * Reads the time, and returns it as clock_monotonic_ms() has it. What has passed since *busy_since_ms
 * was our own: when it is a stall it is counted, and *busy_since_ms set to now, so that it is counted
 * once. It is one reading: no stall falls between two.
 */
int64_t clock_read(struct custody_clock *c, int64_t *busy_since_ms);
/* How the clock goes with that since boot, for the next start. */
struct store_boot clock_boot(const struct custody_clock *c);

#endif
