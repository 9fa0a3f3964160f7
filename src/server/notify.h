/* notify.h - telling systemd how we are, in its sd_notify protocol */
#ifndef HANDOFF_SERVER_NOTIFY_H
#define HANDOFF_SERVER_NOTIFY_H

#include <stdbool.h>

/*
 * Each sends one datagram to the socket that NOTIFY_SOCKET names: a path, or with a leading @ a
 * name of Linux's own. Where the variable is not set nobody asked, and nothing is sent. Never
 * blocks. False, after a warning in the log, when it was set and the datagram did not go.
 */

/* Connections are accepted from now on; `status` is a short sentence, no line feed. */
bool notify_ready(const char *status);
/* The end has begun. */
bool notify_stopping(const char *status);
bool notify_status(const char *status);

#endif
