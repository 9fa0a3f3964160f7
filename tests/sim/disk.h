/* disk.h - calls that fail under the store, and how large its redo log is */
#ifndef HANDOFF_SIM_DISK_H
#define HANDOFF_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* Of a checkpoint, which is LMDB's commit; and of a turn that is written to the log. */
enum disk_fault {
	DISK_SOUND,
	DISK_SYNC, DISK_WRITE, DISK_META,
	DISK_META_KEPT,			/* it fails, and is there */
	DISK_LOG,
	DISK_LOG_TORN,			/* its beginning is there */
	DISK_LOG_HEADLESS,		/* its end is */
	DISK_LOG_KEPT,			/* it fails, and is there */
	DISK_FAULT_COUNT,
};
#define DISK_CHECKPOINT_LAST DISK_META_KEPT

/* From now on calls of that kind fail. */
void disk_arm(enum disk_fault fault);
/* True: some call has failed. */
bool disk_disarm(void);
/* What has failed is there all the same: the next start finds it. */
bool disk_has_kept(enum disk_fault fault);

/* The next change in an intake finds no piece of room for it. */
void disk_lack_piece(bool lack);

/* A log of SMALL_LOG_BYTES is full after a few turns, and for many a turn too small. */
#define SMALL_LOG_BYTES (64u << 10)
/* The stores that are made from now on have such a one. */
void disk_small_log(bool small);

#endif
