/* mutate.h - bytes that are nearly right, for parsers of a stranger's bytes */
#ifndef HANDOFF_TESTS_WIRE_MUTATE_H
#define HANDOFF_TESTS_WIRE_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

/* Changes, drops or repeats a few of the n bytes at p, at least 1, which has room for more. */
size_t mutate(struct rng *r, uint8_t *p, size_t n, size_t room);

#endif
