/* flusher.h - a thread that does nothing but write to a file and wait for the disk */
#ifndef HANDOFF_STORE_FLUSHER_H
#define HANDOFF_STORE_FLUSHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * One write at a time: flusher_submit(), then flusher_wait(), which says how it went. Between the
 * two the bytes are the thread's. It knows nothing of the store, and allocates nothing.
 */
struct flusher;

/* `done` is called by the thread, behind each write. NULL: the system has no thread for us. */
struct flusher *flusher_create(void (*done)(void *arg), void *arg);
/* Waits for what was submitted. NULL is fine. */
void flusher_destroy(struct flusher *f);
/*
 * Writes n bytes at `at` of a file that is O_DSYNC. Nothing is under way. Where it is O_DIRECT, too,
 * `p`, n and `at` are multiples of a page.
 */
void flusher_submit(struct flusher *f, int fd, const uint8_t *p, size_t n, uint64_t at);
/* flusher_wait() will not have to wait. */
bool flusher_is_done(struct flusher *f);
/* 0 when all is durable, or an errno; *took_us: so long the latest write took. */
int flusher_wait(struct flusher *f, uint64_t *took_us) MUST_CHECK;

/* What the thread does: on the caller's. 0, or an errno. */
int flush_now(int fd, const uint8_t *p, size_t n, uint64_t at) MUST_CHECK;

#endif
