/* limit.h - a limit with its name, so that an operator can see all that there are */
#ifndef HANDOFF_BASE_LIMIT_H
#define HANDOFF_BASE_LIMIT_H

#include <stdint.h>

enum limit_unit { LIMIT_COUNT, LIMIT_BYTES, LIMIT_MS };

struct limit {
	const char *name;	/* as the manual calls it */
	enum limit_unit unit;
	int64_t value;
};

#endif
