/* options.h - the command line of handoffd */
#ifndef HANDOFF_SERVER_OPTIONS_H
#define HANDOFF_SERVER_OPTIONS_H

#include <stdbool.h>

#include "base/log.h"

#define OPTIONS_GO_ON (-1)
#define EXIT_USAGE 2
#define EXIT_CONFIG 78

struct options {
	const char *config_path;	/* borrowed from argv */
	bool check;			/* say whether the configuration is valid, and end */
	enum log_level log_level;
	enum log_format log_format;
};

/*
 * Reads the command line into *o. OPTIONS_GO_ON, or the status to exit with: 0 after --help or
 * --version was printed, EXIT_USAGE after the fault was told on standard error.
 */
int options_parse(int argc, char *argv[], struct options *o);

#endif
