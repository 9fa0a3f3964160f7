/*
 * faults.h - calls that fail when a test says so: LD_PRELOAD=faults.so FAULTS=FILE PROGRAM
 *
 * FILE is a struct plan, shared with the test, which may change it at any time: while it is armed,
 * each call of a kind is counted, and from the `first` on `most` of them fail. What the program's
 * libraries call is counted too; what glibc does inside itself is not, save for memory.
 */
#ifndef HANDOFF_TESTS_FAULTS_H
#define HANDOFF_TESTS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The kinds, in the order of plan.calls; plan.py reads their names from here. `read` is one of
 * a file, `dsync` a pwrite to a descriptor with O_DSYNC (of the redo log: `redo`), `log` a write to
 * standard error, `memory` any allocation, `clock` a reading of the wall clock, `monotonic` one of
 * the other two.
 */
#define KINDS(X)                                                                                   \
	X(open) X(fopen) X(read) X(pread) X(mmap) X(ftruncate) X(posix_fallocate) X(fcntl) X(flock)         \
	X(pwrite) X(dsync) X(redo) X(writev) X(write) X(log) X(fsync) X(fdatasync)                         \
	X(socket) X(accept4) X(recv) X(send) X(epoll_wait) X(epoll_ctl)                            \
	X(memory) X(getrandom) X(clock) X(monotonic)

#define KIND(name) KIND_##name,
enum kind { KINDS(KIND) KIND_COUNT };
#undef KIND

/* Beside errnos: half of the bytes go through, or one; the clock is elsewhere, or stands. */
enum { FAULT_SHORT = -1, FAULT_ONE_BYTE = -2, FAULT_AHEAD = -3, FAULT_BEHIND = -4,
	FAULT_FROZEN = -5 };

#define STACK_DEPTH 24

struct plan {
	int64_t armed;			/* calls are counted, and may fail; AT_LOCK: from flock() on */
	int64_t kind;			/* -1: none fails */
	int64_t first, most;		/* counted from 1, since the test set calls[] to 0 */
	int64_t error;			/* an errno, or one of the above */
	int64_t delay_ms;		/* each flush takes so much longer, armed or not */
	/* What the test reads: */
	int64_t fired;			/* so many have failed */
	int64_t fired_ms;		/* when the first did, by CLOCK_MONOTONIC */
	int64_t sent_after;		/* bytes that left by send() since then */
	int64_t blocks;			/* of memory, taken and not given back */
	char caller[32];		/* whose call was the first to fail: a library's, the program's */
	int64_t stack[STACK_DEPTH];	/* the places in the program on the way there, innermost first */
	int64_t calls[KIND_COUNT];
};
#define AT_LOCK 2			/* the store's lock: all that is read before is read */

/* This call is one that has to fail: by which error; 0: it is to be made. */
int64_t fault(enum kind kind);
/* The call fails: errno is set where it is one, and -1 returned. */
int fail(int64_t error);
extern volatile struct plan *plan;
/* Fills in plan's caller and stack. */
void note_stack(void);

#endif
