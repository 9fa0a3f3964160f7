/* component.h - a part of something, and how it does: ComponentHealth with its text kept */
#ifndef HANDOFF_CORE_COMPONENT_H
#define HANDOFF_CORE_COMPONENT_H

#include <stdint.h>

#include "wire/message.h"

#define COMPONENT_NAME_BYTES 80	/* "module " or "route " and a name at least */
#define COMPONENT_MESSAGE_BYTES 256

struct component {
	char name[COMPONENT_NAME_BYTES];
	enum health_status status;
	char message[COMPONENT_MESSAGE_BYTES];
	int64_t checked_at_us;
};

/* A copy of what a message says; texts are cut at a character's end. */
void component_copy(struct component *to, const struct component_health *from);
/* The same the other way: borrowed. */
struct component_health component_said(const struct component *c);

#endif
