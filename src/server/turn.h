/* turn.h - one turn of the broker */
#ifndef HANDOFF_SERVER_TURN_H
#define HANDOFF_SERVER_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/admin.h"
#include "core/core.h"
#include "http/http.h"
#include "net/watcher.h"
#include "server/clock.h"
#include "server/own_health.h"
#include "session/session.h"
#include "store/store.h"

struct turn {
	struct ev_loop *loop;
	struct store *store;
	struct core *core;
	struct sessions *sessions;
	struct admin *admin;		/* NULL: no operator's socket */
	struct http *http;		/* NULL: nobody may look by HTTP */
	struct turn_measures measures;
	struct waker *waker;		/* what another thread wrote is durable */
	struct timeout *timeout;	/* wakes the loop; the turn does the rest */
	struct custody_clock clock;
	int64_t awake_ms;		/* clock_monotonic_ms(): until then all time is accounted */
	struct own_health own_health;
	struct {			/* a turn that is being written while the next goes on */
		uint64_t turn;		/* 0: none */
		int64_t since_us;
	} written;
	bool more;			/* the latest turn left work: do not sleep */
	bool lines_held_back;		/* of the log: to be told of when their second is over */
};

/*
 * Sleeps until something is to be done, then does it. False when the commit failed: nothing is sure
 * then, nothing was let out, and the process has to end (design.md section 2).
 */
bool turn_run(struct turn *t);

#endif
