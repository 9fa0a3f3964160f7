/* signals.h - SIGTERM and SIGINT, which ask the broker to stop */
#ifndef HANDOFF_SERVER_SIGNALS_H
#define HANDOFF_SERVER_SIGNALS_H

#include <ev.h>

/*
 * They are read from a descriptor of ours and not left to libev: where the system refuses to watch
 * its pipe, libev says nothing, and a broker that cannot be stopped would go on. Ours ends then.
 */
struct signals {
	ev_io io;
	int fd;
	int latest;			/* the signal that came last, 0: none; its reader sets it */
};

/* Ends the process, in words, when they cannot be watched: at once or in the first turn. */
void signals_open(struct signals *s, struct ev_loop *loop);

#endif
