/*
 * wall_clock.c - a wall clock that a test moves: LD_PRELOAD=wall_clock.so WALL_CLOCK=FILE PROGRAM
 *
 * FILE is a struct wall_clock, shared with the test, which may change `shift` at any time. Only the
 * wall clock moves; a file in memory, because a program may be forbidden to open any later.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct wall_clock {
	int64_t shift;		/* seconds to add, or to take away */
	uint64_t readings;	/* so often it was asked for: shows that nobody goes round us */
};

static volatile struct wall_clock *shared;

__attribute__((constructor))
static void open_shared(void)
{
	const char *path = getenv("WALL_CLOCK");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *place = MAP_FAILED;

	if (fd >= 0) {
		place = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (place == MAP_FAILED) {
		fprintf(stderr, "wall_clock: WALL_CLOCK names no file that can be shared\n");
		_exit(1);
	}
	shared = place;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, clock, ts) != 0)
		return -1;
	if (shared != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
			       clock == CLOCK_TAI)) {
		shared->readings++;
		ts->tv_sec += (time_t)shared->shift;
	}
	return 0;
}

time_t time(time_t *seconds)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_REALTIME, &ts);
	if (seconds != NULL)
		*seconds = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts = { 0 };

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = (suseconds_t)(ts.tv_nsec / 1000);
	return 0;
}

int timespec_get(struct timespec *ts, int base)
{
	return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, ts) == 0 ? base : 0;
}
