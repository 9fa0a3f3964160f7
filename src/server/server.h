/* server.h - the broker as a process: assembled from its configuration, run, ended */
#ifndef HANDOFF_SERVER_SERVER_H
#define HANDOFF_SERVER_SERVER_H

#include "server/config.h"

/*
 * Opens the store, recovers, listens, says that it is ready, and runs until SIGTERM or SIGINT.
 * Returns the exit status: 0 after an orderly end, 78 where the configuration cannot be served, 74
 * when the store failed, 71 for the operating system.
 */
int server_run(const struct config *config);
/* What --check adds to config_load(): the certificates are loaded and fit together. 0 or 78. */
int server_check(const struct config *config);

#endif
