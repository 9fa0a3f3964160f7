/* faults.c - the plan, and the calls for files, flushes, sockets, waiting and randomness */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS 65536
#define YEARS_S (10 * 365 * 86400LL)

static struct plan none = { .kind = -1 };
volatile struct plan *plan = &none;
static enum opened { NOT, FILE_OPENED, FILE_DSYNC, FILE_REDO } opened[DESCRIPTORS];

__attribute__((constructor))
static void open_shared(void)
{
	const char *path = getenv("FAULTS");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	void *place = MAP_FAILED;

	if (fd >= 0) {
		place = (void *)syscall(SYS_mmap, NULL, sizeof *plan, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
		close(fd);
	}
	if (place == MAP_FAILED) {
		fprintf(stderr, "faults: FAULTS names no file that can be shared\n");
		_exit(1);
	}
	((struct plan *)place)->blocks = plan->blocks;
	plan = place;
}

/* What open() made of this descriptor: sockets and the like are not. */
static enum opened opened_as(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS ? opened[fd] : NOT;
}

static int64_t monotonic_ms(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t fault(enum kind kind)
{
	if (plan->armed == AT_LOCK && kind == KIND_flock)
		plan->armed = true;
	if (plan->armed != true)
		return 0;
	int64_t n = ++plan->calls[kind];
	if ((int64_t)kind != plan->kind || n < plan->first || n - plan->first >= plan->most)
		return 0;
	if (plan->fired++ == 0) {
		plan->fired_ms = monotonic_ms();
		note_stack();
	}
	return plan->error;
}

int fail(int64_t error)
{
	errno = (int)error;
	return -1;
}

/* How much of n bytes may go through; 0: none, the call fails. */
static size_t part(int64_t error, size_t n)
{
	if (error == FAULT_SHORT)
		return n / 2 ? n / 2 : n;
	return error == FAULT_ONE_BYTE ? 1 : error == 0 ? n : 0;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool is_redo(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && strcmp(name, "/custody.redo") == 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
	va_end(args);
	int64_t error = fault(KIND_open);
	int fd = error ? fail(error)
	               : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);

	if (fd >= 0 && fd < DESCRIPTORS)
		opened[fd] = !(flags & O_DSYNC) ? FILE_OPENED
		    : is_redo(path)		? FILE_REDO
						: FILE_DSYNC;
	return fd;
}

int close(int fd)
{
	if (opened_as(fd) != NOT)
		opened[fd] = NOT;
	return (int)syscall(SYS_close, fd);
}

FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*real)(const char *, const char *);
	int64_t error = fault(KIND_fopen);

	if (error) {
		fail(error);
		return NULL;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fopen");
	return real(path, mode);
}

ssize_t read(int fd, void *p, size_t n)
{
	int64_t error = opened_as(fd) == NOT ? 0 : fault(KIND_read);

	if (part(error, n) == 0 && n > 0)
		return fail(error);
	return syscall(SYS_read, fd, p, part(error, n));
}

ssize_t pread(int fd, void *p, size_t n, off_t offset)
{
	int64_t error = fault(KIND_pread);

	if (part(error, n) == 0 && n > 0)
		return fail(error);
	return syscall(SYS_pread64, fd, p, part(error, n), offset);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	int64_t error = fault(KIND_mmap);

	if (error) {
		fail(error);
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

int ftruncate(int fd, off_t n)
{
	int64_t error = fault(KIND_ftruncate);

	return error ? fail(error) : (int)syscall(SYS_ftruncate, fd, n);
}

int posix_fallocate(int fd, off_t from, off_t n)
{
	int64_t error = fault(KIND_posix_fallocate);

	if (error)
		return (int)error;
	return syscall(SYS_fallocate, fd, 0, from, n) == 0 ? 0 : errno;
}

/* The third argument, where there is one, is as wide as a register. */
int fcntl(int fd, int command, ...)
{
	va_list args;
	int64_t error = fault(KIND_fcntl);

	va_start(args, command);
	long argument = va_arg(args, long);
	va_end(args);
	return error ? fail(error) : (int)syscall(SYS_fcntl, fd, command, argument);
}

int flock(int fd, int operation)
{
	int64_t error = fault(KIND_flock);

	return error ? fail(error) : (int)syscall(SYS_flock, fd, operation);
}

/* --- writes and flushes ----------------------------------------------------------------------- */

static void delay_flush(void)
{
	struct timespec t = { plan->delay_ms / 1000, plan->delay_ms % 1000 * 1000000 };

	while (t.tv_sec + t.tv_nsec > 0 && nanosleep(&t, &t) != 0)
		;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t offset)
{
	enum opened as = opened_as(fd);
	int64_t error = fault(as == FILE_REDO ? KIND_redo : as == FILE_DSYNC ? KIND_dsync
									     : KIND_pwrite);

	if (as == FILE_REDO)
		delay_flush();
	if (part(error, n) == 0 && n > 0)
		return fail(error);
	return syscall(SYS_pwrite64, fd, p, part(error, n), offset);
}

/* A part of it is the first piece alone, or a part of that. */
ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	int64_t error = fault(KIND_writev);

	if (error == 0)
		return syscall(SYS_writev, fd, pieces, count);
	if (part(error, pieces[0].iov_len) == 0)
		return fail(error);
	return syscall(SYS_write, fd, pieces[0].iov_base, part(error, pieces[0].iov_len));
}

ssize_t write(int fd, const void *p, size_t n)
{
	int64_t error = fault(fd == STDERR_FILENO ? KIND_log : KIND_write);

	if (part(error, n) == 0 && n > 0)
		return fail(error);
	return syscall(SYS_write, fd, p, part(error, n));
}

int fsync(int fd)
{
	int64_t error = fault(KIND_fsync);

	return error ? fail(error) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	int64_t error = fault(KIND_fdatasync);

	delay_flush();
	return error ? fail(error) : (int)syscall(SYS_fdatasync, fd);
}

/* --- sockets and waiting ---------------------------------------------------------------------- */

int socket(int domain, int type, int protocol)
{
	int64_t error = fault(KIND_socket);

	return error ? fail(error) : (int)syscall(SYS_socket, domain, type, protocol);
}

int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict size, int flags)
{
	int64_t error = fault(KIND_accept4);

	return error ? fail(error) : (int)syscall(SYS_accept4, fd, from, size, flags);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	int64_t error = fault(KIND_recv);

	if (part(error, n) == 0 && n > 0)
		return fail(error);
	return syscall(SYS_recvfrom, fd, p, part(error, n), flags, NULL, NULL);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	int64_t error = fault(KIND_send);

	if (part(error, n) == 0 && n > 0)
		return fail(error);
	ssize_t sent = syscall(SYS_sendto, fd, p, part(error, n), flags, NULL, 0);
	if (plan->fired > 0 && sent > 0)
		plan->sent_after += sent;
	return sent;
}

int epoll_wait(int fd, struct epoll_event *events, int most, int wait_ms)
{
	int64_t error = fault(KIND_epoll_wait);

	return error ? fail(error) : (int)syscall(SYS_epoll_wait, fd, events, most, wait_ms);
}

int epoll_ctl(int fd, int operation, int of, struct epoll_event *event)
{
	int64_t error = fault(KIND_epoll_ctl);

	return error ? fail(error) : (int)syscall(SYS_epoll_ctl, fd, operation, of, event);
}

/* --- randomness and time ---------------------------------------------------------------------- */

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	int64_t error = fault(KIND_getrandom);

	if (part(error, n) == 0 && n > 0)
		return fail(error);
	return syscall(SYS_getrandom, p, part(error, n), flags);
}

static bool is_wall(clockid_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	static struct timespec latest[2];
	int64_t error = fault(is_wall(clock) ? KIND_clock : KIND_monotonic);

	if (syscall(SYS_clock_gettime, clock, t) != 0)
		return -1;
	if (error == FAULT_FROZEN)
		*t = latest[is_wall(clock)];
	else if (error == FAULT_AHEAD)
		t->tv_sec += is_wall(clock) ? YEARS_S : 3600;
	else if (error == FAULT_BEHIND)
		t->tv_sec -= YEARS_S;
	else
		latest[is_wall(clock)] = *t;
	return 0;
}

time_t time(time_t *seconds)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_REALTIME, &t);
	if (seconds)
		*seconds = t.tv_sec;
	return t.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t = { 0 };

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = (suseconds_t)(t.tv_nsec / 1000);
	return 0;
}

/* --- what a program calls that was compiled for large files; here all are large --------------- */

#define SAME_AS(name) __attribute__((alias(name)))

int open64(const char *path, int flags, ...) SAME_AS("open");
void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset) SAME_AS("mmap");
int ftruncate64(int fd, off64_t n) SAME_AS("ftruncate");
int posix_fallocate64(int fd, off64_t from, off64_t n) SAME_AS("posix_fallocate");
int fcntl64(int fd, int command, ...) SAME_AS("fcntl");
ssize_t pread64(int fd, void *p, size_t n, off64_t offset) SAME_AS("pread");
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t offset) SAME_AS("pwrite");
