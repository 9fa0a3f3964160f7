/* idset.h - which record_ids a batch has already */
#ifndef HANDOFF_TOOLS_IDSET_H
#define HANDOFF_TOOLS_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Remembers ids by 64 bits of a hash: two that share it are taken for the same, and the caller must
 * be able to live with that. */
struct idset {
	uint64_t *slots;	/* owned; 0: free */
	size_t size, count;	/* size is a power of two */
};

enum idset_result { IDSET_NEW, IDSET_KNOWN, IDSET_NO_MEMORY };

/* A set of zeros is empty. */
enum idset_result idset_add(struct idset *s, const void *id, size_t len);
/* Empties it and keeps the memory. */
void idset_clear(struct idset *s);
void idset_finish(struct idset *s);

#endif
