/* notify.h - telling systemd how we are, in its sd_notify protocol */
#ifndef HANDOFF_SERVER_NOTIFY_H
#define HANDOFF_SERVER_NOTIFY_H

#include <stdbool.h>

/*
 * NOTIFY_SOCKET names the socket: a path, or with a leading @ a name of Linux's own. It is opened
 * once, at the start: later the process cannot (sandbox.h). Where the variable is not set nobody
 * asked, and nothing is sent.
 */

/* False, after a warning in the log, when it was set and cannot be reached: nothing is told then. */
bool notify_open(void);
void notify_close(void);

/* Each sends one datagram and never blocks. False, after a warning, when it did not go. */

/* Connections are accepted from now on; `status` is a short sentence, no line feed. */
bool notify_ready(const char *status);
/* The end has begun. */
bool notify_stopping(const char *status);
bool notify_status(const char *status);

#endif
