/* ids.h - new identifiers */
#ifndef HANDOFF_CLIENT_IDS_H
#define HANDOFF_CLIENT_IDS_H

#include "base/uuid.h"

/* A new UUID that begins with the time. */
void id_make(struct uuid *id);

#endif
