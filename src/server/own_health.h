/* own_health.h - how the process does: what the core tells whoever asks for the broker's health */
#ifndef HANDOFF_SERVER_OWN_HEALTH_H
#define HANDOFF_SERVER_OWN_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "server/config.h"

/* The slowest of the last minute, or nearly: of this half minute and the one before. */
struct slowest {
	int64_t began_ms;		/* this half minute */
	int64_t now_us, before_us;
};

struct own_health {
	int64_t expires_us;		/* the earlier end of the two certificates, wall clock */
	int64_t warn_us;		/* from then on that is near */
	const char *expires_what;	/* "tls.ca", "tls.certificate" */
	struct slowest commit, turn;
	int64_t told_ms;		/* clock_monotonic_ms(): so often the core is told */
};

/* Reads how long the certificates that were loaded are good; they are known to be readable. */
void own_health_init(struct own_health *h, const struct config *c);
/* A commit took so long, whoever waited for it; and a turn beside its commit. */
void own_health_note_commit(struct own_health *h, int64_t us);
void own_health_note_turn(struct own_health *h, int64_t us);
/* Tells the core, at most once a second. */
void own_health_tell(struct own_health *h, struct core *core);

#endif
