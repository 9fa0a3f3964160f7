/*
 * slow_disk.c - flushes that take as long as a test says: LD_PRELOAD=slow_disk.so SLOW_DISK=FILE …
 *
 * FILE is an int64_t, milliseconds, shared with the test, which may change it at any time.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *delay_ms;

__attribute__((constructor))
static void open_shared(void)
{
	const char *path = getenv("SLOW_DISK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *place = MAP_FAILED;

	if (fd >= 0) {
		place = mmap(NULL, sizeof(*delay_ms), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (place == MAP_FAILED) {
		fprintf(stderr, "slow_disk: SLOW_DISK names no file that can be shared\n");
		_exit(1);
	}
	delay_ms = place;
}

static void wait_for_disk(void)
{
	struct timespec t = { *delay_ms / 1000, *delay_ms % 1000 * 1000000 };

	while (t.tv_sec + t.tv_nsec > 0 && nanosleep(&t, &t) != 0)
		;
}

/* The redo log's write; LMDB's of a meta page comes right behind a flush that was slow already. */
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (n >= 4096 && (fcntl(fd, F_GETFL) & O_DSYNC) != 0)
		wait_for_disk();
	return syscall(SYS_pwrite64, fd, p, n, at);
}

int fdatasync(int fd)
{
	wait_for_disk();
	return (int)syscall(SYS_fdatasync, fd);
}
