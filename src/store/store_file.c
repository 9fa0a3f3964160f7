/* store_file.c - the store's files: lock, preallocation, damage seen at once, free pages */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "store/internal.h"

/*
 * In the store's directory stand `lock` (ours: one broker a store), `custody.mdb`, LMDB's own
 * `custody.mdb-lock`, and the redo log `custody.redo`, which redo_file.c opens. Opening goes: lock;
 * make the file when it is not there; check its length; grow it when it is to be larger; open it for
 * good; format record; redo log.
 *
 * It is made as `custody.mdb.new`, preallocated to its whole size (so that a full disk is met now
 * and not in a commit, reliability.md B2), synced, and only then gets its name: a power loss leaves
 * it whole or not there. Until then LMDB's first pages are not synced, and a file of their size
 * without them would be refused by every later start. What a start that was cut left behind, the
 * next one does again.
 *
 * The flags are these and no others: nothing that delays or leaves out a sync may come in (A3).
 */
#define ENV_FLAGS (MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD)
#define ENV_FLAGS_FORBIDDEN (MDB_NOSYNC | MDB_NOMETASYNC | MDB_WRITEMAP | MDB_MAPASYNC | MDB_NOLOCK)

int store_refuse(int err, char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return err;
}

/* Flushes are honoured on local file systems only: say so before anybody relies on it (A4). */
static bool is_remote(int fd)
{
	static const unsigned long remote[] = { 0x6969UL /* NFS */, 0xff534d42UL /* CIFS */,
		0xfe534d42UL /* SMB2 */, 0x65735546UL /* FUSE */ };
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
		if ((unsigned long)fs.f_type == remote[i])
			return true;
	return false;
}

/* fsync, or syncfs: the whole file system. 0, or -1 with errno. */
static int sync_directory(const char *path, int (*sync)(int fd))
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	int rc = sync(fd);
	close(fd);
	return rc;
}

int store_sync_parent(const char *path)
{
	char parent[4096];

	snprintf(parent, sizeof parent, "%s", path);
	return sync_directory(dirname(parent), fsync);
}

/*
 * Synced even if it is there already: a start that made it may have been cut before it could. Where
 * its parent may not be read, everything is synced instead.
 */
static int directory_make(const char *dir)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return -1;
	if (store_sync_parent(dir) == 0)
		return 0;
	return errno == EACCES ? sync_directory(dir, syncfs) : -1;
}

/* Who may write in it could put another store in the place of ours. */
static bool is_others_to_write(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static int lock_take(struct store *s, const char *dir, char *why, size_t size)
{
	char path[4096];

	if (directory_make(dir) != 0)
		return store_refuse(ERR_IO, why, size, "store directory %s cannot be made: %s", dir,
		    strerror(errno));
	if (is_others_to_write(dir))
		return store_refuse(ERR_INVALID, why, size,
		    "others than its owner may write in the store directory %s: chmod go-w %s", dir,
		    dir);
	snprintf(path, sizeof path, "%s/lock", dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return store_refuse(ERR_IO, why, size, "%s cannot be opened: %s", path,
		    strerror(errno));
	if (is_remote(s->lock_fd))
		return store_refuse(ERR_INVALID, why, size,
		    "store directory %s is on a network or FUSE file "
		    "system, where a flush is not a promise: use a local ext4 or XFS",
		    dir);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return store_refuse(ERR_BUSY, why, size,
		    "another broker serves the store %s (its lock is held): "
		    "stop it first, or name another store.path",
		    dir);
	return 0;
}

/* A disk can get well by itself; a file of something else needs a person. */
static int refuse_file(int rc, const char *file, char *why, size_t size)
{
	if (rc == MDB_VERSION_MISMATCH)
		return store_refuse(ERR_VERSION, why, size,
		    "%s was written with another version of LMDB: use the broker that wrote it",
		    file);
	if (rc == MDB_INVALID)
		return store_refuse(ERR_CORRUPT, why, size,
		    "%s is not a store: move it away, or name another store.path", file);
	return store_refuse(ERR_IO, why, size, "%s cannot be opened as a store: %s", file,
	    mdb_strerror(rc));
}

static int env_open(struct store *s, const char *file, char *why, size_t size)
{
	unsigned flags = 0;
	int rc = mdb_env_create(&s->env);

	if (rc == 0)
		rc = mdb_env_set_maxdbs(s->env, TABLE_COUNT);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, s->size);
	if (rc == 0)
		rc = mdb_env_open(s->env, file, ENV_FLAGS, 0600);
	if (rc == 0)
		rc = mdb_env_get_flags(s->env, &flags);
	if (rc != 0)
		return refuse_file(rc, file, why, size);
	if (flags & ENV_FLAGS_FORBIDDEN)
		return store_refuse(ERR_IO, why, size,
		    "%s: the store was opened with flags that weaken a sync", file);
	return 0;
}

static void env_close(struct store *s)
{
	if (s->env)
		mdb_env_close(s->env);
	s->env = NULL;
}

/* 0, or an errno. A disk without the room is not even begun to be filled. */
static int allocate(int fd, uint64_t want)
{
	struct statvfs fs;
	struct stat st;

	if (fstat(fd, &st) != 0 || fstatvfs(fd, &fs) != 0)
		return errno;
	uint64_t there = (uint64_t)st.st_blocks * 512;
	if (there + (uint64_t)fs.f_bavail * fs.f_frsize < want)
		return ENOSPC;
	int rc = posix_fallocate(fd, 0, (off_t)want);
	FAILPOINT("create.allocated");
	if (rc == 0 && fsync(fd) != 0)
		rc = errno;
	return rc;
}

/* Makes the file whole before it is used, or grows it; a larger file than asked for stays. */
static int preallocate(const char *file, uint64_t want, char *why, size_t size)
{
	int fd = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd < 0 ? errno : allocate(fd, want);

	if (fd >= 0)
		close(fd);
	if (rc != 0)
		return store_refuse(ERR_IO, why, size,
		    "%s cannot be made %llu bytes large: %s; free room on that "
		    "file system or lower store.size",
		    file, (unsigned long long)want, strerror(rc));
	return 0;
}

/* An empty store under a name of its own, whole and durable before it gets the file's. */
static int make(struct store *s, const char *file, char *why, size_t size)
{
	char fresh[4096 + 16], lock[4096 + 32];

	snprintf(fresh, sizeof fresh, "%s.new", file);
	snprintf(lock, sizeof lock, "%s-lock", fresh);
	unlink(fresh);			/* of a start that was cut */
	int rc = env_open(s, fresh, why, size);
	FAILPOINT("create.opened");
	env_close(s);
	unlink(lock);
	if (rc == 0)
		rc = preallocate(fresh, s->size, why, size);
	if (rc == 0 && (rename(fresh, file) != 0 || store_sync_parent(file) != 0))
		rc = store_refuse(ERR_IO, why, size, "%s cannot be made: %s", file,
		    strerror(errno));
	if (rc != 0)
		unlink(fresh);
	return rc;
}

/*
 * A cut file would kill us by SIGBUS in the middle of service: refuse it now (reliability.md A6).
 */
static int check_length(struct store *s, const char *file, uint64_t length, char *why, size_t size)
{
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &stat);
	s->page_size = stat.ms_psize;
	if (length < (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize)
		return store_refuse(ERR_CORRUPT, why, size,
		    "%s is cut short: %llu bytes, its last page ends at %llu; "
		    "restore it from a backup",
		    file, (unsigned long long)length,
		    (unsigned long long)((info.me_last_pgno + 1) * (uint64_t)stat.ms_psize));
	return 0;
}

/*
 * LMDB writes its two first pages in turn, each with the number of its commit, and believes the
 * higher one; they have no checksum. Numbers that do not follow each other have rotted, and LMDB
 * would go back to an earlier commit, or on from one that never was. (The place of the number: a
 * page's head, and 128 bytes of struct MDB_meta, in all files of LMDB 0.9.)
 */
static int check_commits(const char *file, size_t page_size, char *why, size_t size)
{
	const off_t place = 16 + 128;
	uint64_t n[2] = { 0, 0 };
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool read = fd >= 0 && pread(fd, &n[0], sizeof n[0], place) == sizeof n[0] &&
	    pread(fd, &n[1], sizeof n[1], (off_t)page_size + place) == sizeof n[1];

	if (fd >= 0)
		close(fd);
	if (read && (n[0] + 1 == n[1] || n[1] + 1 == n[0] || (n[0] == 0 && n[1] == 0)) &&
	    (n[0] & 1) == 0)
		return 0;
	return store_refuse(ERR_CORRUPT, why, size,
	    "%s is damaged: its two latest commits are %llu and %llu; restore it from a backup",
	    file, (unsigned long long)n[0], (unsigned long long)n[1]);
}

/* Opens the file that is there; grows it when it is smaller than it is to be. */
static int open_there(struct store *s, const char *file, char *why, size_t size)
{
	struct stat st = { .st_size = 0 };

	if (stat(file, &st) != 0)
		return store_refuse(ERR_IO, why, size, "%s cannot be read: %s", file,
		    strerror(errno));
	if ((uint64_t)st.st_size > s->size)
		s->size = (uint64_t)st.st_size;	/* a store grows, it does not shrink */
	int rc = env_open(s, file, why, size);
	if (rc == 0)
		rc = check_length(s, file, (uint64_t)st.st_size, why, size);
	if (rc == 0)
		rc = check_commits(file, s->page_size, why, size);
	if (rc == 0 && (uint64_t)st.st_size < s->size) {
		env_close(s);
		rc = preallocate(file, s->size, why, size);
		if (rc == 0)
			rc = env_open(s, file, why, size);
	}
	return rc;
}

int store_file_open(struct store *s, const struct store_options *o, char *why, size_t size)
{
	char file[4096];
	struct stat st;
	int rc = lock_take(s, o->path, why, size);

	if (rc != 0)
		return rc;
	s->size = o->size;
	snprintf(file, sizeof file, "%s/custody.mdb", o->path);
	FAILPOINT("create.locked");
	if (stat(file, &st) != 0)
		rc = make(s, file, why, size);
	else if (st.st_size == 0)	/* never was: it had its size before it had its name */
		rc = store_refuse(ERR_CORRUPT, why, size,
		    "%s is cut short: it is empty; restore it from a backup, or remove it to begin "
		    "with nothing", file);
	return rc != 0 ? rc : open_there(s, file, why, size);
}

void store_file_close(struct store *s)
{
	env_close(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = -1;
}

/* --- free pages ----------------------------------------------------------------------------- */

/*
 * LMDB keeps the pages that a transaction freed under that transaction's number, and gives them out
 * again from the second transaction after it on (there is no older reader: none outlives a turn).
 * The list is walked only when the part of the file that was never used no longer says enough; LMDB
 * shows it to a reader alone.
 */
static uint64_t pages_reusable(struct store *s, uint64_t enough)
{
	MDB_txn *txn = store_reader(s);
	uint64_t pages = 0;
	MDB_cursor *c;
	MDB_val k, v;

	if (!txn || mdb_cursor_open(txn, 0, &c) != 0)
		return 0;
	size_t next_txn = mdb_txn_id(txn) + 1;
	while (pages < enough && mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		size_t freed_by, count;

		memcpy(&freed_by, k.mv_data, sizeof freed_by);
		if (freed_by + 1 >= next_txn)
			break;
		memcpy(&count, v.mv_data, sizeof count);
		pages += count;
	}
	mdb_cursor_close(c);
	return pages;
}

void store_count_pages(struct store *s)
{
	uint64_t all = s->size / s->page_size;
	MDB_envinfo info;

	mdb_env_info(s->env, &info);
	s->pages_free = s->pages_never_used = all - info.me_last_pgno - 1;
	if (s->pages_free < all / 2)
		s->pages_free += pages_reusable(s, all / 2);
	s->pages_used = 0;
}
