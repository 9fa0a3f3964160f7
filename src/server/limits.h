/* limits.h - all limits of the broker, by name: settings and constants */
#ifndef HANDOFF_SERVER_LIMITS_H
#define HANDOFF_SERVER_LIMITS_H

#include <stddef.h>

#include "base/limit.h"
#include "server/config.h"

struct limits {
	struct limit *list;
	size_t count;
	char (*names)[128];	/* of settings; the list points there */
};

/* Those of the room admin are not among them: it shows its own. */
void limits_init(struct limits *l, const struct config *c);
void limits_finish(struct limits *l);

#endif
