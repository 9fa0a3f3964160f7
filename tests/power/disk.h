/* disk.h - a store's directory as a disk may have it after a power loss */
#ifndef HANDOFF_POWER_DISK_H
#define HANDOFF_POWER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "trace.h"

/*
 * The assumptions (reliability.md 1.3): a sync that has returned is kept; a piece of 512 bytes is
 * written whole or not at all; everything else since the last sync may be there or not, each piece,
 * each size and each name for itself, in any order.
 *
 * Order of use: disk_note() with each record of the trace; where it is of interest what a power
 * loss would leave, disk_image(), look, disk_restore(), again and again; then disk_settle() with
 * the same record. Files that hold nothing a start relies on (the locks) are left out.
 */
#define PIECE_BYTES 512
#define DISK_BYTES (UINT64_C(160) << 20)	/* the largest file */

struct disk;

/* The images are laid into `dir`, which exists, and is best in memory. */
struct disk *disk_create(const char *dir);
void disk_destroy(struct disk *d);

/* It has been asked for: it may be there or not. */
void disk_note(struct disk *d, const struct trace_record *r, const uint8_t *bytes);
/* It has returned: what it makes durable is. */
void disk_settle(struct disk *d, const struct trace_record *r);
/* Nothing is in doubt. */
bool disk_is_certain(const struct disk *d);

/*
 * Images in a fixed order: nothing, all, each prefix, each piece missing, each alone; each prefix
 * of the changes of names with sizes old and new. From that number on disk_image() draws random
 * ones.
 */
uint64_t disk_choices(const struct disk *d);
/* So many differ at most; UINT64_MAX: very many. */
uint64_t disk_images(const struct disk *d);
void disk_image(struct disk *d, uint64_t number, struct rng *rng);
/* Instead: all of it, but of the latest write only the first n bytes (below a piece: outside the
 * assumptions). */
void disk_image_torn(struct disk *d, size_t n);
/* How long the latest write is. */
size_t disk_latest(const struct disk *d);
/* Takes back the image, and what was written to it since, of which disk_wrote() has been told. */
void disk_restore(struct disk *d);

/* Somebody wrote to a file of an image. */
void disk_wrote(struct disk *d, uint32_t inode, uint64_t at, size_t n);
/*
 * Whether this image may have some of these bytes of the store's file other than they are kept:
 * what the redo log has may have been done again anywhere.
 */
bool disk_has_changed(const struct disk *d, uint64_t at, size_t n);
/* What the image is, for people. */
const char *disk_story(const struct disk *d);

#endif
