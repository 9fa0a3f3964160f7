/* capture.c - what LMDB writes to an image is told; syncs do nothing */
#include "capture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* These come before those of the C library also for LMDB, which is a shared library. */
static void (*told)(void *arg, uint32_t inode, uint64_t at, size_t n);
static void *told_arg;

void capture_writes(void (*f)(void *arg, uint32_t inode, uint64_t at, size_t n), void *arg)
{
	told = f;
	told_arg = arg;
}

static void wrote(int fd, off_t at, size_t n)
{
	struct stat st;

	if (told && fstat(fd, &st) == 0)
		told(told_arg, (uint32_t)st.st_ino, (uint64_t)at, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	static __typeof__(&pwrite) real;

	if (!real)
		real = (__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "pwrite");
	wrote(fd, at, n);
	return real(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	static __typeof__(&writev) real;
	size_t n = 0;

	if (!real)
		real = (__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "writev");
	for (int i = 0; i < count; i++)
		n += parts[i].iov_len;
	wrote(fd, lseek(fd, 0, SEEK_CUR), n);
	return real(fd, parts, count);
}

/* An image is in memory: its blocks are not asked for. */
int posix_fallocate(int fd, off_t at, off_t n)
{
	struct stat st;

	return fstat(fd, &st) != 0 || (st.st_size < at + n && ftruncate(fd, at + n) != 0) ? EIO : 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

int fsync(int fd)
{
	(void)fd;
	return 0;
}
