/* failpoint.h - places at which a build for the crash test kills itself; nothing in any other */
#ifndef HANDOFF_BASE_FAILPOINT_H
#define HANDOFF_BASE_FAILPOINT_H

/*
 * FAILPOINT("commit.before"): built with -DHANDOFF_FAILPOINTS, and with
 * HANDOFF_FAILPOINT=commit.before:3 in its environment, the process dies of SIGKILL at the third
 * passage, having said so on standard error. Each name stands in one place; tests/crash/points.py
 * lists them and says what each cuts in two.
 */
#ifdef HANDOFF_FAILPOINTS

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void failpoint_pass(const char *name, unsigned long *passages)
{
	const char *wanted = getenv("HANDOFF_FAILPOINT");
	size_t n = strlen(name);

	if (!wanted || strncmp(wanted, name, n) != 0 || wanted[n] != ':' ||
	    ++*passages != strtoul(wanted + n + 1, NULL, 10))
		return;
	dprintf(STDERR_FILENO, "failpoint %s\n", wanted);
	raise(SIGKILL);
}

#define FAILPOINT(name) \
	do { \
		static unsigned long passages_; \
		failpoint_pass((name), &passages_); \
	} while (0)

#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
