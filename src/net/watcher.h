/* watcher.h - waiting for a descriptor or for time, without seeing libev */
#ifndef HANDOFF_NET_WATCHER_H
#define HANDOFF_NET_WATCHER_H

#include <stdint.h>

#include "net/stream.h"

struct ev_loop;

/*
 * Callbacks run inside ev_run() of the loop, never inside a function of this header. A callback may
 * change or destroy its own watcher or timeout, and any other. A watcher is destroyed before its
 * descriptor is closed. All allocate ours: creating cannot fail.
 */

/* Watches one descriptor for STREAM_READABLE and STREAM_WRITABLE. */
struct watcher;

/* The system refuses to watch the descriptor (it has no memory for it): nothing more will come. */
#define WATCHER_LOST 4u

/* Begins with interest in nothing. `ready` is what may be done, one bit or more. */
struct watcher *watcher_create(struct ev_loop *loop, int fd,
    void (*on_ready)(void *arg, unsigned ready), void *arg);
void watcher_destroy(struct watcher *w);
/* What to wait for from now on; 0 waits for nothing. Costs nothing when it is no change. */
void watcher_update(struct watcher *w, unsigned wants);

/*
 * Ends the loop's sleep from another thread: waker_wake() is the only function here that one may
 * call. What was waited for, the loop finds out itself.
 */
struct waker;

struct waker *waker_create(struct ev_loop *loop);
void waker_destroy(struct waker *w);
void waker_wake(struct waker *w);

/* Calls once, a number of milliseconds after it was started. */
struct timeout;

struct timeout *timeout_create(struct ev_loop *loop, void (*on_due)(void *arg), void *arg);
void timeout_destroy(struct timeout *t);
/* Counts from the loop's present time; a timeout that runs is started anew. 0: in the next turn. */
void timeout_start(struct timeout *t, int64_t delay_ms);
void timeout_stop(struct timeout *t);

#endif
