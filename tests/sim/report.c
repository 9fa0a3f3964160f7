/* report.c - how a broken invariant is told, so that one command replays it */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "sim.h"

static int story_fd = STDERR_FILENO;

void report_to(int fd)
{
	story_fd = fd;
}

void broke(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dprintf(story_fd, "\nseed %llu broke in step %u: ", (unsigned long long)w->seed, w->step);
	vdprintf(story_fd, fmt, ap);
	dprintf(story_fd, "\nreplay it with: sim --seed %llu --trace\n",
	    (unsigned long long)w->seed);
	va_end(ap);
	_exit(1);
}

void trace(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->trace)
		return;
	va_start(ap, fmt);
	dprintf(story_fd, "%4u %8llu ms  ", w->step, (unsigned long long)w->now_ms);
	vdprintf(story_fd, fmt, ap);
	dprintf(story_fd, "\n");
	va_end(ap);
}
