/* rewrite.h - a map copied byte for byte, save for a few of its keys */
#ifndef HANDOFF_WIRE_REWRITE_H
#define HANDOFF_WIRE_REWRITE_H

#include "base/buf.h"
#include "wire/mpcheck.h"
#include "wire/pack.h"

/* Packs a new value for the one that stands at `old`; returns 0 or an error. */
typedef int rewrite_value(struct packer *p, void *arg, const uint8_t *old, size_t n);

struct replacement {
	const char *key;		/* NULL ends a list of them */
	rewrite_value *value;
	bool must;			/* a map without this key is refused */
};

struct rewrite {
	const char *const *dropped;		/* keys, NULL ends them; NULL: none */
	const struct replacement *replaced;	/* at most 32; NULL: none */
	void *arg;				/* for the values */
};

/*
 * Appends the map at `map`, n bytes, so changed; the order stays. Returns 0; ERR_NOMEM; ERR_PROTO
 * when it is no map, or one without a key that must be there; or what a value's function returned.
 * `out` is as it was then, save for out->failed.
 */
int map_rewrite(struct buf *out, const uint8_t *map, size_t n, const struct rewrite *r) MUST_CHECK;

#endif
