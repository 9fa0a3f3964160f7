/* watcher.c - waiting for a descriptor or for time, without seeing libev */
#include "net/watcher.h"

#include <ev.h>
#include <stdlib.h>

#include "base/mem.h"

struct watcher {
	ev_io io;
	struct ev_loop *loop;	/* borrowed */
	unsigned wants;
	void (*on_ready)(void *arg, unsigned ready);
	void *arg;
};

struct timeout {
	ev_timer timer;
	struct ev_loop *loop;	/* borrowed */
	void (*on_due)(void *arg);
	void *arg;
};

/* The callback may free the watcher: nothing touches it afterwards, in libev neither. */
static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct watcher *w = io->data;
	unsigned ready = 0;

	(void)loop;
	if ((events & EV_READ) != 0)
		ready |= STREAM_READABLE;
	if ((events & EV_WRITE) != 0)
		ready |= STREAM_WRITABLE;
	if ((events & EV_ERROR) != 0)
		ready = WATCHER_LOST;
	w->on_ready(w->arg, ready);
}

struct watcher *watcher_create(struct ev_loop *loop, int fd,
    void (*on_ready)(void *arg, unsigned ready), void *arg)
{
	struct watcher *w = xcalloc(1, sizeof(*w));

	ev_io_init(&w->io, on_io, fd, 0);
	w->io.data = w;
	w->loop = loop;
	w->on_ready = on_ready;
	w->arg = arg;
	return w;
}

void watcher_destroy(struct watcher *w)
{
	if (w == NULL)
		return;
	ev_io_stop(w->loop, &w->io);
	free(w);
}

void watcher_update(struct watcher *w, unsigned wants)
{
	int events = 0;

	if (wants == w->wants)
		return;
	w->wants = wants;
	if ((wants & STREAM_READABLE) != 0)
		events |= EV_READ;
	if ((wants & STREAM_WRITABLE) != 0)
		events |= EV_WRITE;
	ev_io_stop(w->loop, &w->io);
	if (events == 0)
		return;
	ev_io_modify(&w->io, events);
	ev_io_start(w->loop, &w->io);
}

struct waker {
	ev_async async;
	struct ev_loop *loop;
};

static void on_wake(struct ev_loop *loop, ev_async *async, int events)
{
	(void)loop;
	(void)async;
	(void)events;
}

struct waker *waker_create(struct ev_loop *loop)
{
	struct waker *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	ev_async_init(&w->async, on_wake);
	ev_async_start(loop, &w->async);
	return w;
}

void waker_destroy(struct waker *w)
{
	if (w == NULL)
		return;
	ev_async_stop(w->loop, &w->async);
	free(w);
}

void waker_wake(struct waker *w)
{
	ev_async_send(w->loop, &w->async);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct timeout *t = timer->data;

	(void)loop;
	(void)events;
	t->on_due(t->arg);
}

struct timeout *timeout_create(struct ev_loop *loop, void (*on_due)(void *arg), void *arg)
{
	struct timeout *t = xcalloc(1, sizeof(*t));

	ev_timer_init(&t->timer, on_timer, 0., 0.);
	t->timer.data = t;
	t->loop = loop;
	t->on_due = on_due;
	t->arg = arg;
	return t;
}

void timeout_destroy(struct timeout *t)
{
	if (t == NULL)
		return;
	timeout_stop(t);
	free(t);
}

void timeout_start(struct timeout *t, int64_t delay_ms)
{
	timeout_stop(t);
	ev_timer_set(&t->timer, (double)(delay_ms > 0 ? delay_ms : 0) / 1000., 0.);
	ev_timer_start(t->loop, &t->timer);
}

void timeout_stop(struct timeout *t)
{
	ev_timer_stop(t->loop, &t->timer);
}
