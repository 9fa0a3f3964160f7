/* flusher.c - a thread that does nothing but write to a file and wait for the disk */
#include "store/flusher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define STACK_BYTES (128 * 1024)

enum state { STARTING, IDLE, SUBMITTED, WRITTEN, ENDING };

struct flusher {
	pthread_t thread;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t changed;		/* state has */
	enum state state;
	int fd, rc;
	uint64_t took_us;
	const uint8_t *p;
	size_t n;
	uint64_t at;
	void (*done)(void *arg);
	void *arg;
};

int flush_now(int fd, const uint8_t *p, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t written = pwrite(fd, p, n, (off_t)at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? errno : EIO;
		p += written;
		n -= (size_t)written;
		at += (uint64_t)written;
	}
	return 0;
}

static void change(struct flusher *f, enum state state)
{
	pthread_mutex_lock(&f->lock);
	f->state = state;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static enum state wait_for(struct flusher *f, enum state one, enum state other)
{
	pthread_mutex_lock(&f->lock);
	while (f->state != one && f->state != other)
		pthread_cond_wait(&f->changed, &f->lock);
	enum state state = f->state;
	pthread_mutex_unlock(&f->lock);
	return state;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void *run(void *arg)
{
	struct flusher *f = arg;

	change(f, IDLE);
	while (wait_for(f, SUBMITTED, ENDING) == SUBMITTED) {
		uint64_t began_us = now_us();
		f->rc = flush_now(f->fd, f->p, f->n, f->at);
		f->took_us = now_us() - began_us;
		change(f, WRITTEN);
		f->done(f->arg);
	}
	return NULL;
}

/* Signals are the loop's. */
static int start(struct flusher *f)
{
	sigset_t all, before;
	pthread_attr_t attributes;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&f->thread, &attributes, run, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return rc;
}

struct flusher *flusher_create(void (*done)(void *arg), void *arg)
{
	struct flusher *f = xcalloc(1, sizeof *f);

	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->done = done;
	f->arg = arg;
	if (start(f) == 0) {
		wait_for(f, IDLE, IDLE);	/* from now on it makes no calls but a writer's */
		return f;
	}
	free(f);
	return NULL;
}

void flusher_destroy(struct flusher *f)
{
	if (!f)
		return;
	wait_for(f, IDLE, WRITTEN);
	change(f, ENDING);
	pthread_join(f->thread, NULL);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void flusher_submit(struct flusher *f, int fd, const uint8_t *p, size_t n, uint64_t at)
{
	f->fd = fd;
	f->p = p;
	f->n = n;
	f->at = at;
	change(f, SUBMITTED);
}

bool flusher_is_done(struct flusher *f)
{
	pthread_mutex_lock(&f->lock);
	bool done = f->state != SUBMITTED;
	pthread_mutex_unlock(&f->lock);
	return done;
}

int flusher_wait(struct flusher *f, uint64_t *took_us)
{
	wait_for(f, IDLE, WRITTEN);
	*took_us = f->took_us;
	return f->rc;
}
