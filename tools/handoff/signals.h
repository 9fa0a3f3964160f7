/* signals.h - SIGTERM, SIGINT and SIGCHLD, which come only while the loop waits */
#ifndef HANDOFF_TOOLS_SIGNALS_H
#define HANDOFF_TOOLS_SIGNALS_H

#include <signal.h>

/* Catches them, and keeps them back but where signals_mask() is in force; ignores SIGPIPE. */
void signals_catch(void);
/* The mask to wait with: ppoll(2). */
const sigset_t *signals_mask(void);
/* How many of SIGTERM and SIGINT have come. */
unsigned signals_stop_count(void);
/* In a child process, before it runs something else: as if nothing of this had been done. */
void signals_restore(void);

#endif
