/* exec.h - a command run by the shell: bytes to its standard input, bytes from what it prints */
#ifndef HANDOFF_TOOLS_EXEC_H
#define HANDOFF_TOOLS_EXEC_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

#define CHILD_OUTPUT_MAX_BYTES ((size_t)256 * 1024 * 1024)
#define CHILD_FDS 3

struct child {
	pid_t pid;			/* 0: reaped */
	int in, out, err;		/* our ends, -1: closed */
	struct buf input;		/* what it has not read yet */
	struct buf output;		/* what it has printed on standard output */
	char last_words[256];		/* the last line it printed on standard error */
	size_t word_count;		/* bytes of it, while it is not ended */
	bool is_word_ended;
	int wait_status;		/* of waitpid(2), once reaped */
};

struct child_variable {
	const char *name, *value;
};

/*
 * Starts /bin/sh -c COMMAND with these variables added to the environment, in a process group of
 * its own, and gives it `input` (taken over). Its standard error goes on to ours. False with errno,
 * and the input is freed, when there is no process or pipe to be had.
 */
bool child_start(struct child *c, const char *command, const struct child_variable *variables,
    size_t count, struct buf *input);
/* Kills what is left of it, and frees everything. */
void child_finish(struct child *c);

/* What to wait for, CHILD_FDS entries; then what came of it. */
void child_poll(const struct child *c, struct pollfd fds[CHILD_FDS]);
void child_proceed(struct child *c, const struct pollfd fds[CHILD_FDS]);
/*
 * True when it has ended, and all that it printed is in c->output. (What it left running in the
 * background may hold the pipe: it is not waited for.)
 */
bool child_reap(struct child *c);
/* It has printed more than CHILD_OUTPUT_MAX_BYTES, or than there is memory for. */
bool child_is_too_loud(const struct child *c);
void child_kill(const struct child *c);

#endif
