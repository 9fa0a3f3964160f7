/* mem.h - memory of ours, which cannot be refused, and memory sized by a peer, which can */
#ifndef HANDOFF_BASE_MEM_H
#define HANDOFF_BASE_MEM_H

#include <stddef.h>

/* Ours: boot, tables, one object. Ends the process when there is none. Zeroed where it says c. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
/* At a multiple of `alignment`, a power of two of at least the size of a pointer. */
void *xaligned(size_t alignment, size_t size);

#endif
