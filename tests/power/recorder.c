/*
 * recorder.c - writes down what a broker does to its store, and what leaves it:
 * LD_PRELOAD=recorder.so POWER_STORE=DIR POWER_TRACE=FILE handoffd …
 *
 * DIR is the store's directory, which need not exist yet, FILE the trace (trace.h); a second
 * process goes on in it. All calls of reliability.md 3.5 that change something in DIR are noted,
 * and with them what a descriptor's O_DSYNC implies. LMDB is a shared library: its calls come by
 * here, too.
 *
 * POWER_PLANT makes the broker lie, so that those who judge the trace can be judged:
 *
 *	nosync		LMDB's flags of these names, unseen by the broker
 *	nometasync
 *	early		a commit is said to be done, and is done as the next transaction begins; the
 *			same of a write to the redo log, done as the next one comes
 *	unflushed	the redo log is written without O_DSYNC
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "trace.h"

#define DESCRIPTORS_MAX 4096

enum what { NOTHING, STORE_FILE, STORE_DIR, STORE_PARENT, CONNECTION };
static struct {
	enum what what;
	bool synced;		/* each write is durable when it returns */
	bool redo;		/* it is the redo log */
	uint32_t inode;
} known[DESCRIPTORS_MAX];

static int trace_fd = -1;
static char store[PATH_MAX], parent[PATH_MAX];
static const char *plant = "";

#define REAL(name, ...) \
	static __typeof__(&name) real; \
	if (!real) \
		real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name); \
	__VA_ARGS__

/* --- the trace ------------------------------------------------------------------------------- */

static void put(const struct iovec *parts, int count)
{
	static ssize_t (*real)(int, const struct iovec *, int);
	ssize_t n = 0;

	if (!real)
		real = (__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "writev");
	for (int i = 0; i < count; i++)
		n += (ssize_t)parts[i].iov_len;
	if (real(trace_fd, parts, count) != n) {
		fprintf(stderr, "recorder: the trace cannot be written\n");
		_exit(1);
	}
}

static void note(enum trace_kind kind, uint32_t file, uint64_t at, const void *bytes, size_t n)
{
	int error = errno;
	struct trace_record r = { (uint32_t)kind, file, at, n };
	struct iovec parts[] = { { &r, sizeof r }, { (void *)(uintptr_t)bytes, n } };

	put(parts, n > 0 ? 2 : 1);
	errno = error;
}

__attribute__((constructor))
static void begin(void)
{
	const char *path = getenv("POWER_TRACE"), *dir = getenv("POWER_STORE");

	plant = getenv("POWER_PLANT") ? getenv("POWER_PLANT") : "";
	if (path)
		trace_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (trace_fd < 0 || !dir || strlen(dir) >= sizeof store) {
		fprintf(stderr, "recorder: POWER_TRACE and POWER_STORE are needed\n");
		_exit(1);
	}
	strcpy(store, dir);
	strcpy(parent, dir);
	*strrchr(parent, '/') = '\0';
	note(TRACE_START, 0, 0, NULL, 0);
}

/* --- names ----------------------------------------------------------------------------------- */

/* The name within the store's directory; NULL: somewhere else. */
static const char *name_of(const char *path)
{
	size_t n = strlen(store);

	return n > 0 && strncmp(path, store, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static bool is_redo(const char *name)
{
	return name && strcmp(name, "custody.redo") == 0;
}

static uint32_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

static void learn(int fd, const char *path, int flags, bool fresh)
{
	const char *name = name_of(path);

	if (fd < 0 || fd >= DESCRIPTORS_MAX)
		return;
	known[fd].what = name ? STORE_FILE
	    : strcmp(path, store) == 0	 ? STORE_DIR
	    : strcmp(path, parent) == 0 ? STORE_PARENT
					 : NOTHING;
	known[fd].synced = flags & O_DSYNC;
	known[fd].redo = is_redo(name);
	known[fd].inode = name ? inode_of(fd) : 0;
	if (name && fresh)
		note(TRACE_CREATE, known[fd].inode, 0, name, strlen(name));
	if (name && flags & O_TRUNC)
		note(TRACE_RESIZE, known[fd].inode, 0, NULL, 0);
}

int open(const char *path, int flags, ...)
{
	REAL(open, mode_t mode = 0; va_list ap);

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(ap, int);
	va_end(ap);
	bool fresh = flags & O_CREAT && access(path, F_OK) != 0;
	if (strcmp(plant, "unflushed") == 0 && is_redo(name_of(path)))
		flags &= ~O_DSYNC;
	int fd = real(path, flags, mode);
	learn(fd, path, flags, fresh);
	return fd;
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

static void pay_turn(int fd);

int close(int fd)
{
	REAL(close, pay_turn(fd); if (fd >= 0 && fd < DESCRIPTORS_MAX) known[fd].what = NOTHING);

	return real(fd);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir, int rc = real(path, mode));

	if (rc == 0 && strcmp(path, store) == 0)
		note(TRACE_MKDIR, 0, 0, NULL, 0);
	return rc;
}

int unlink(const char *path)
{
	REAL(unlink, int rc = real(path));

	if (rc == 0 && name_of(path))
		note(TRACE_UNLINK, 0, 0, name_of(path), strlen(name_of(path)));
	return rc;
}

int rename(const char *from, const char *to)
{
	REAL(rename, char both[2 * PATH_MAX]);

	int rc = real(from, to);
	if (rc == 0 && name_of(from) && name_of(to)) {
		int n = snprintf(both, sizeof both, "%s%c%s", name_of(from), 0, name_of(to));
		note(TRACE_RENAME, 0, 0, both, (size_t)n);
	}
	return rc;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static bool is_file(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS_MAX && known[fd].what == STORE_FILE;
}

static void note_write(int fd, uint64_t at, const void *p, ssize_t n)
{
	if (n > 0 && is_file(fd))
		note(known[fd].synced ? TRACE_WRITE_SYNCED : TRACE_WRITE, known[fd].inode, at, p,
		    (size_t)n);
}

static ssize_t pwrite_now(int fd, const void *p, size_t n, off_t at)
{
	static __typeof__(&pwrite) real;

	if (!real)
		real = (__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "pwrite");
	ssize_t done = real(fd, p, n, at);
	note_write(fd, (uint64_t)at, p, done);
	return done;
}

/* The latest write to the redo log, said to be done ("early"). */
static struct {
	void *bytes;		/* NULL: nothing is owed */
	size_t n;
	off_t at;
} owed_turn;

static void pay_turn(int fd)
{
	if (!owed_turn.bytes || !is_file(fd) || !known[fd].redo)
		return;
	pwrite_now(fd, owed_turn.bytes, owed_turn.n, owed_turn.at);
	free(owed_turn.bytes);
	owed_turn.bytes = NULL;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (strcmp(plant, "early") != 0 || !is_file(fd) || !known[fd].redo)
		return pwrite_now(fd, p, n, at);
	pay_turn(fd);
	owed_turn.bytes = malloc(n);
	if (!owed_turn.bytes)
		return pwrite_now(fd, p, n, at);
	memcpy(owed_turn.bytes, p, n);
	owed_turn.n = n;
	owed_turn.at = at;
	return (ssize_t)n;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) __attribute__((alias("pwrite")));

ssize_t write(int fd, const void *p, size_t n)
{
	REAL(write, off_t at = is_file(fd) ? lseek(fd, 0, SEEK_CUR) : 0);
	ssize_t done = real(fd, p, n);

	note_write(fd, (uint64_t)at, p, done);
	return done;
}

static void note_parts(int fd, uint64_t at, const struct iovec *parts, int count, ssize_t done)
{
	for (int i = 0; i < count && done > 0; i++) {
		ssize_t n = (ssize_t)parts[i].iov_len < done ? (ssize_t)parts[i].iov_len : done;

		note_write(fd, at, parts[i].iov_base, n);
		at += (uint64_t)n;
		done -= n;
	}
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	REAL(writev, off_t at = is_file(fd) ? lseek(fd, 0, SEEK_CUR) : 0);
	ssize_t done = real(fd, parts, count);

	note_parts(fd, (uint64_t)at, parts, count, done);
	return done;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
	REAL(pwritev, ssize_t done = real(fd, parts, count, at));

	note_parts(fd, (uint64_t)at, parts, count, done);
	return done;
}

/* --- sizes ----------------------------------------------------------------------------------- */

static int note_size(int fd, int rc)
{
	struct stat st;

	if (rc == 0 && is_file(fd) && fstat(fd, &st) == 0)
		note(TRACE_RESIZE, known[fd].inode, (uint64_t)st.st_size, NULL, 0);
	return rc;
}

int ftruncate(int fd, off_t size)
{
	REAL(ftruncate, int rc = real(fd, size));

	return note_size(fd, rc);
}

int posix_fallocate(int fd, off_t at, off_t n)
{
	REAL(posix_fallocate, int rc = real(fd, at, n));

	return note_size(fd, rc);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
	REAL(fallocate, int rc = real(fd, mode, at, n));

	return note_size(fd, rc);
}

/* --- syncs ----------------------------------------------------------------------------------- */

static int note_sync(int fd, int rc)
{
	static const enum trace_kind kinds[] = { [STORE_FILE] = TRACE_SYNC,
		[STORE_DIR] = TRACE_SYNC_DIR, [STORE_PARENT] = TRACE_SYNC_PARENT };

	if (rc == 0 && fd >= 0 && fd < DESCRIPTORS_MAX && known[fd].what != NOTHING &&
	    known[fd].what != CONNECTION)
		note(kinds[known[fd].what], known[fd].inode, 0, NULL, 0);
	return rc;
}

int fsync(int fd)
{
	REAL(fsync, int rc = real(fd));

	return note_sync(fd, rc);
}

int fdatasync(int fd)
{
	REAL(fdatasync, int rc = real(fd));

	return note_sync(fd, rc);
}

/* LMDB calls it for a map that can be written, which ours never is (store_file.c). */
int msync(void *p, size_t n, int flags)
{
	(void)p;
	(void)n;
	(void)flags;
	fprintf(stderr, "recorder: msync() has no place in the trace\n");
	abort();
}

/* --- what leaves ----------------------------------------------------------------------------- */

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict n, int flags)
{
	REAL(accept4, struct sockaddr_in peer; socklen_t size = sizeof peer);
	int one = real(fd, address, n, flags);

	if (one < 0 || one >= DESCRIPTORS_MAX)
		return one;
	known[one].what = CONNECTION;
	if (getpeername(one, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET)
		note(TRACE_ACCEPT, (uint32_t)one, ntohs(peer.sin_port), NULL, 0);
	return one;
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	REAL(send, ssize_t done = real(fd, p, n, flags));

	if (done > 0 && fd < DESCRIPTORS_MAX && known[fd].what == CONNECTION)
		note(TRACE_SEND, (uint32_t)fd, (uint64_t)done, NULL, 0);
	return done;
}

/* --- lies ------------------------------------------------------------------------------------ */

int mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	REAL(mdb_env_open, flags |= strcmp(plant, "nosync") == 0 ? MDB_NOSYNC
	    : strcmp(plant, "nometasync") == 0			  ? MDB_NOMETASYNC
								  : 0);

	return real(env, path, flags, mode);
}

int mdb_env_get_flags(MDB_env *env, unsigned *flags)
{
	REAL(mdb_env_get_flags, int rc = real(env, flags));

	*flags &= ~(unsigned)(MDB_NOSYNC | MDB_NOMETASYNC);
	return rc;
}

/* The turn's transaction, said to be committed: children of it are committed as ever. */
static MDB_txn *owed, *outermost;

static int pay(void)
{
	static __typeof__(&mdb_txn_commit) real;
	MDB_txn *txn = owed;

	if (!real)
		real = (__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "mdb_txn_commit");
	owed = NULL;
	return txn ? real(txn) : 0;
}

int mdb_txn_begin(MDB_env *env, MDB_txn *above, unsigned flags, MDB_txn **txn)
{
	REAL(mdb_txn_begin, int rc = pay());

	if (rc == 0)
		rc = real(env, above, flags, txn);
	if (rc == 0 && !above && !(flags & MDB_RDONLY))
		outermost = *txn;
	return rc;
}

int mdb_txn_renew(MDB_txn *txn)
{
	REAL(mdb_txn_renew, int rc = pay());

	return rc != 0 ? rc : real(txn);
}

void mdb_env_close(MDB_env *env)
{
	REAL(mdb_env_close, (void)pay());

	real(env);
}

int mdb_txn_commit(MDB_txn *txn)
{
	REAL(mdb_txn_commit, bool early = strcmp(plant, "early") == 0 && txn == outermost);

	if (!early)
		return real(txn);
	owed = txn;
	return 0;
}
