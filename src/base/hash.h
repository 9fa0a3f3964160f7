/* hash.h - uthash, whose tables are memory of ours: without it, it would end us without a word */
#ifndef HANDOFF_BASE_HASH_H
#define HANDOFF_BASE_HASH_H

#include "base/mem.h"

#define uthash_malloc(size) xmalloc(size)

#include <uthash.h>

#endif
