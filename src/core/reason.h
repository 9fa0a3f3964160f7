/* reason.h - why a batch does not move */
#ifndef HANDOFF_CORE_REASON_H
#define HANDOFF_CORE_REASON_H

#include "core/inspect.h"
#include "core/internal.h"

/* Of a batch in custody or dead. *until_ms: when it changes by itself, custody clock; 0 unknown. */
enum reason reason_of(struct core *c, const struct route *r, const struct batch *b,
    uint64_t *until_ms);

/* inspect.c: instances of it that are connected. */
size_t module_connected(const struct module *m);
/* inspect.c: the view of a batch in custody. */
void inspect_live(struct core *c, const struct route *r, const struct batch *b,
    struct batch_view *v);

#endif
