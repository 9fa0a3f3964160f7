/*
 * sandbox.c - capabilities, Landlock and seccomp: this file knows Linux, and no other has to
 *
 * The lists were taken from what strace saw of brokers under the system tests, then widened by what
 * other versions of glibc, LMDB and libev use for the same. A call that only asks, and that a
 * library makes somewhere without need, is refused instead of killing: an upgrade of a library must
 * not end a broker.
 */
#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A sanitizer reads /proc, makes a thread that traces us, and starts a program for its report. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

__attribute__((format(printf, 2, 3)))
static void miss(struct sandbox *out, const char *fmt, ...)
{
	const size_t used = strlen(out->missing);
	va_list args;

	va_start(args, fmt);
	vsnprintf(out->missing + used, sizeof(out->missing) - used, fmt, args);
	va_end(args);
}

/* --- capabilities ----------------------------------------------------------------------------- */

/*
 * Root keeps the one without which it could not read another user's certificates again, nor remove
 * its socket from another user's directory. The rest may go wrong unnoticed: what would have been
 * allowed by them, seccomp forbids.
 */
static void drop_capabilities(void)
{
	const uint32_t kept = 1U << CAP_DAC_OVERRIDE;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, sets) != 0)
		return;
	sets[0].effective &= kept;
	sets[0].permitted &= kept;
	sets[0].inheritable = 0;
	sets[1] = (struct __user_cap_data_struct){ 0 };
	(void)syscall(SYS_capset, &header, sets);
}

/* --- Landlock --------------------------------------------------------------------------------- */

/* What Debian 12's header does not know yet. A kernel takes the struct when what it does not know
 * is zero. */
struct ruleset {
	uint64_t files;
	uint64_t net;			/* from ABI 4 on */
	uint64_t scoped;		/* from ABI 6 on */
};

#define NET_BIND_TCP (1U << 0)
#define NET_CONNECT_TCP (1U << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1U << 0)
#define SCOPE_SIGNAL (1U << 1)

/* All that the ABI knows is handled, and so forbidden where no rule allows it. */
static struct ruleset ruleset_of(int abi)
{
	/* ABI 1 has 13 rights of files; 2 adds REFER, 3 TRUNCATE, 5 IOCTL_DEV. */
	const int rights = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;

	return (struct ruleset){
		.files = (1U << rights) - 1,
		.net = abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0,
		.scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0,
	};
}

static bool allow_beneath(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	bool done;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return false;
	done = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return done;
}

/* The directory, not the file: who replaces a file gives the name to another one. */
static bool allow_beside(int ruleset, const char *file, uint64_t rights)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", file) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	return allow_beneath(ruleset, dirname(path), rights);
}

/* A certificate may be a link into a directory where the next one will be put. */
static bool allow_reading(int ruleset, const char *file)
{
	char real[PATH_MAX];

	return allow_beside(ruleset, file, LANDLOCK_ACCESS_FS_READ_FILE) &&
	       realpath(file, real) != NULL &&
	       allow_beside(ruleset, real, LANDLOCK_ACCESS_FS_READ_FILE);
}

static bool allow_paths(int ruleset, const struct sandbox_paths *paths)
{
	/* Descriptors are kept in reserve with it. */
	bool done = allow_beneath(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE);

	for (size_t i = 0; i < paths->readable_count && done; i++)
		if (paths->readable[i] != NULL)
			done = allow_reading(ruleset, paths->readable[i]);
	if (done && paths->socket != NULL)
		done = allow_beside(ruleset, paths->socket, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	return done;
}

static void enter_landlock(const struct sandbox_paths *paths, struct sandbox *out)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset attributes;
	int ruleset;

	if (abi <= 0) {
		miss(out, "Landlock: the kernel has none, or it is switched off; ");
		return;
	}
	attributes = ruleset_of((int)abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (ruleset >= 0 && allow_paths(ruleset, paths) &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
		out->landlock = (int)abi;
	else
		miss(out, "Landlock: %s; ", strerror(errno));
	if (ruleset >= 0)
		close(ruleset);
}

/* --- seccomp ---------------------------------------------------------------------------------- */

/* A rule without arguments costs nothing where the kernel keeps a map of them (5.11 and later). */
static const int allowed[] = {
	/* peers */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(recvfrom),
	SCMP_SYS(sendto), SCMP_SYS(accept4), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(shutdown), SCMP_SYS(close),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(getrandom),
	/* the store, the log, the loop's eventfd */
	SCMP_SYS(pwrite64), SCMP_SYS(writev), SCMP_SYS(pwritev), SCMP_SYS(lseek),
	SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(pread64), SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(futex), SCMP_SYS(geteuid), SCMP_SYS(getpid), SCMP_SYS(gettid),
	/* libev makes its epoll anew when it sees an event of a descriptor it does not know */
	SCMP_SYS(epoll_create1),
	/* files of the configuration, the socket's removal */
	SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* time */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(restart_syscall),
	/* signals and the end */
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
	SCMP_SYS(exit_group), SCMP_SYS(exit),
};

/*
 * Only asks. Nothing of ours may be here: it would go on with a wrong answer, and no test would see
 * a kill.
 */
static const struct {
	int call;
	uint16_t error;
} refused[] = {
	{ SCMP_SYS(wait4), ECHILD },		/* libev, when somebody sends SIGCHLD */
	{ SCMP_SYS(access), EACCES }, { SCMP_SYS(faccessat), EACCES },
	{ SCMP_SYS(faccessat2), EACCES }, { SCMP_SYS(readlink), EACCES },
	{ SCMP_SYS(readlinkat), EACCES }, { SCMP_SYS(getcwd), EACCES },
	{ SCMP_SYS(prlimit64), EPERM }, { SCMP_SYS(sched_getaffinity), EPERM },
	{ SCMP_SYS(sysinfo), EPERM }, { SCMP_SYS(uname), EPERM },
};

/* Where an argument decides: its bits under the mask. A call may stand here more than once. */
static const struct {
	int call;
	unsigned argument;
	uint64_t mask, bits;
	uint16_t error;			/* 0: allowed */
} judged[] = {
	/* No new code. */
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0, 0 },
	/* To read, never to write or to make: this holds without Landlock, too. */
	{ SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY, 0 },
	{ SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT, O_CREAT, EACCES },
	{ SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_TRUNC, EACCES },
	{ SCMP_SYS(openat), 2, O_ACCMODE, O_WRONLY, EACCES },
	{ SCMP_SYS(openat), 2, O_ACCMODE, O_RDWR, EACCES },
	/* What a peer has not read yet. */
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCOUTQ, 0 },
	/* LMDB's locks; descriptors that do not block. */
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETFL, 0 },
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_SETFL, 0 },
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETLK, 0 },
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_SETLK, 0 },
};

static int add_rules(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp ourselves = SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX,
						      (scmp_datum_t)getpid());
	int rc = 0;

	for (size_t i = 0; i < COUNT(allowed) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < COUNT(refused) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(refused[i].error), refused[i].call, 0);
	for (size_t i = 0; i < COUNT(judged) && rc == 0; i++)
		rc = seccomp_rule_add(filter,
		    judged[i].error ? SCMP_ACT_ERRNO(judged[i].error) : SCMP_ACT_ALLOW,
		    judged[i].call, 1,
		    SCMP_CMP(judged[i].argument, SCMP_CMP_MASKED_EQ, judged[i].mask,
			judged[i].bits));
	/* abort(), and nobody else's end. */
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, ourselves);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, ourselves);
	return rc;
}

static void enter_seccomp(struct sandbox *out)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = filter == NULL ? -ENOMEM : add_rules(filter);

	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* Of the threads that there are, too. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A tree instead of a list: some calls are compared instead of all. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	out->seccomp = rc == 0;
	if (rc != 0)
		miss(out, "seccomp: %s; ", strerror(-rc));
}

/* --- both ------------------------------------------------------------------------------------- */

static void put_words(struct sandbox *out)
{
	if (out->landlock > 0)
		snprintf(out->words, sizeof(out->words), "%sLandlock %d",
			 out->seccomp ? "seccomp, " : "", out->landlock);
	else
		snprintf(out->words, sizeof(out->words), "%s", out->seccomp ? "seccomp" : "none");
}

static void enter_files(const struct sandbox_paths *paths, struct sandbox *out)
{
	if (SANITIZED) {
		miss(out, "all: this is a build with sanitizers; ");
		return;
	}
	drop_capabilities();
	/* Both demand it; nothing is executed any more, with other rights or without. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		miss(out, "all: %s; ", strerror(errno));
	else
		enter_landlock(paths, out);
}

void sandbox_enter(const struct sandbox_paths *paths, void (*start_threads)(void *arg), void *arg,
    struct sandbox *out)
{
	*out = (struct sandbox){ .words = "none" };
	enter_files(paths, out);
	if (start_threads != NULL)
		start_threads(arg);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && !SANITIZED)
		enter_seccomp(out);
	if (*out->missing != '\0')
		out->missing[strlen(out->missing) - strlen("; ")] = '\0';
	put_words(out);
}
