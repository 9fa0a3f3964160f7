/* store_file.c - the store's files: lock, format, preallocation, and how much of it is free */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/failpoint.h"
#include "base/rng.h"
#include "store/internal.h"

/*
 * In the store's directory stand `lock` (ours: one broker a store), `custody.mdb` and LMDB's own
 * `custody.mdb-lock`. Opening goes: lock; make the file when it is not there, preallocate it to its
 * whole size (so that a full disk is met now and not in a commit, reliability.md B2) and sync it
 * and the directory; check its length; open it for good; format record.
 *
 * The flags are these and no others: nothing that delays or leaves out a sync may come in (A3).
 */
#define ENV_FLAGS (MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD)
#define ENV_FLAGS_FORBIDDEN (MDB_NOSYNC | MDB_NOMETASYNC | MDB_WRITEMAP | MDB_MAPASYNC | MDB_NOLOCK)

#define STORE_FORMAT 2
#define STORE_MAGIC "handoff\n"

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_META] = "meta",
	[TABLE_NAME] = "name",
	[TABLE_ROUTE] = "route",
	[TABLE_INSTANCE] = "instance",
	[TABLE_SEQUENCE] = "sequence",
	[TABLE_PAYLOAD] = "payload",
	[TABLE_QUEUE] = "queue",
	[TABLE_DUE] = "due",
	[TABLE_DEAD] = "dead",
	[TABLE_ENDED] = "ended",
	[TABLE_IDENTITY] = "identity",
	[TABLE_SERIES] = "series",
	[TABLE_NOTICE] = "notice",
	[TABLE_JOURNAL] = "journal",
	[TABLE_CONFIRM] = "confirm",
	[TABLE_CONFIRM_DUE] = "confirm_due",
	[TABLE_CONFIRM_RECORD] = "confirm_record",
	[TABLE_ALIAS] = "alias",
	[TABLE_ALIAS_FILTER] = "alias_filter",
	[TABLE_ERROR] = "error",
	[TABLE_ERROR_BY] = "error_by",
	[TABLE_ALERT] = "alert",
	[TABLE_ACTION] = "action",
	[TABLE_CONTROL] = "control",
};

__attribute__((format(printf, 4, 5)))
static int refuse(int err, char *why, size_t size, const char *fmt, ...)
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

/* Who may write in it could put another store in the place of ours. */
static bool is_others_to_write(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static int lock_take(struct store *s, const char *dir, char *why, size_t size)
{
	char path[4096];

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return refuse(ERR_IO, why, size, "store directory %s cannot be made: %s", dir,
		    strerror(errno));
	if (is_others_to_write(dir))
		return refuse(ERR_INVALID, why, size,
		    "others than its owner may write in the store directory %s: chmod go-w %s", dir,
		    dir);
	snprintf(path, sizeof path, "%s/lock", dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return refuse(ERR_IO, why, size, "%s cannot be opened: %s", path, strerror(errno));
	if (is_remote(s->lock_fd))
		return refuse(ERR_INVALID, why, size,
		    "store directory %s is on a network or FUSE file "
		    "system, where a flush is not a promise: use a local ext4 or XFS",
		    dir);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return refuse(ERR_BUSY, why, size,
		    "another broker serves the store %s (its lock is held): "
		    "stop it first, or name another store.path",
		    dir);
	return 0;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	close(fd);
	return rc;
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
		return refuse(ERR_IO, why, size, "%s cannot be opened as a store: %s", file,
		    mdb_strerror(rc));
	if (flags & ENV_FLAGS_FORBIDDEN)
		return refuse(ERR_IO, why, size,
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
static int allocate(const char *dir, int fd, uint64_t want)
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
	if (rc == 0 && (fsync(fd) != 0 || sync_path(dir, O_RDONLY | O_DIRECTORY) != 0))
		rc = errno;
	return rc;
}

/* Makes the file whole before it is used, or grows it; a larger file than asked for stays. */
static int preallocate(const char *dir, const char *file, uint64_t want, char *why, size_t size)
{
	int fd = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd < 0 ? errno : allocate(dir, fd, want);

	if (fd >= 0)
		close(fd);
	if (rc != 0)
		return refuse(ERR_IO, why, size,
		    "%s cannot be made %llu bytes large: %s; free room on that "
		    "file system or lower store.size",
		    file, (unsigned long long)want, strerror(rc));
	return 0;
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
		return refuse(ERR_CORRUPT, why, size,
		    "%s is cut short: %llu bytes, its last page ends at %llu; "
		    "restore it from a backup",
		    file, (unsigned long long)length,
		    (unsigned long long)((info.me_last_pgno + 1) * (uint64_t)stat.ms_psize));
	return 0;
}

int store_file_open(struct store *s, const struct store_options *o, char *why, size_t size)
{
	char file[4096];
	struct stat st = { .st_size = 0 };
	int rc = lock_take(s, o->path, why, size);

	if (rc != 0)
		return rc;
	s->size = o->size;
	snprintf(file, sizeof file, "%s/custody.mdb", o->path);
	FAILPOINT("create.locked");
	bool fresh = stat(file, &st) != 0 || st.st_size == 0;
	if (!fresh && (uint64_t)st.st_size > s->size)
		s->size = (uint64_t)st.st_size;	/* a store grows, it does not shrink */
	rc = env_open(s, file, why, size);
	if (rc != 0)
		return rc;
	FAILPOINT("create.opened");
	if (!fresh)
		rc = check_length(s, file, (uint64_t)st.st_size, why, size);
	if (rc == 0 && (uint64_t)st.st_size < s->size) {
		env_close(s);
		rc = preallocate(o->path, file, s->size, why, size);
		if (rc == 0)
			rc = env_open(s, file, why, size);
	}
	if (rc == 0 && s->page_size == 0) {
		MDB_stat stat;

		mdb_env_stat(s->env, &stat);
		s->page_size = stat.ms_psize;
	}
	return rc;
}

void store_file_close(struct store *s)
{
	env_close(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = -1;
}

/* --- the format record ---------------------------------------------------------------------- */

/*
 *	magic(8) format(4) broker_id(16) numbers(8 each) crc(4)
 */
#define META_NUMBERS 10
_Static_assert(sizeof(struct meta) == META_NUMBERS * 8, "meta is a row of numbers");
#define META_BYTES (8 + 4 + 16 + META_NUMBERS * 8 + 4)

static const struct key meta_key = { .b = "store", .n = 5 };

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

void store_meta_save(struct store *s)
{
	uint8_t b[META_BYTES];
	uint64_t numbers[META_NUMBERS];

	memcpy(b, STORE_MAGIC, 8);
	put_le(b + 8, STORE_FORMAT, 4);
	memcpy(b + 12, s->broker_id.b, 16);
	memcpy(numbers, &s->meta, sizeof numbers);
	for (size_t i = 0; i < META_NUMBERS; i++)
		put_le(b + 28 + 8 * i, numbers[i], 8);
	put_le(b + META_BYTES - 4, crc32c(0, b, META_BYTES - 4), 4);
	table_put(s, TABLE_META, &meta_key, b, sizeof b);
}

static int meta_read(struct store *s, const uint8_t *b, size_t n, char *why, size_t size)
{
	uint64_t numbers[META_NUMBERS];

	if (n < 12 || memcmp(b, STORE_MAGIC, 8) != 0)
		return refuse(ERR_CORRUPT, why, size,
		    "store.path holds an LMDB file that is no handoff store");
	if (get_le(b + 8, 4) != STORE_FORMAT)
		return refuse(ERR_VERSION, why, size,
		    "the store has format %u, this broker knows format %u: "
		    "use the broker that wrote it, or a newer one",
		    (unsigned)get_le(b + 8, 4), STORE_FORMAT);
	if (n != META_BYTES || get_le(b + n - 4, 4) != crc32c(0, b, n - 4))
		return refuse(ERR_CORRUPT, why, size,
		    "the store's format record is damaged: restore a backup");
	memcpy(s->broker_id.b, b + 12, 16);
	for (size_t i = 0; i < META_NUMBERS; i++)
		numbers[i] = get_le(b + 28 + 8 * i, 8);
	memcpy(&s->meta, numbers, sizeof numbers);
	s->saved = s->meta;
	return 0;
}

static void meta_make(struct store *s)
{
	uint8_t random[16];

	rng_system(random, sizeof random);
	uuid_make(&s->broker_id, 0, random);
	memcpy(s->broker_id.b, random,
	    6); /* all of it random: it names a store, nothing sorts by it */
	store_meta_save(s);
}

int store_meta_load(struct store *s, char *why, size_t size)
{
	MDB_val v;
	MDB_txn *txn = store_writer(s);

	for (enum table t = 0; txn && t < TABLE_COUNT; t++) {
		int rc = mdb_dbi_open(txn, table_names[t], MDB_CREATE, &s->tables[t]);
		if (rc != 0)
			return refuse(ERR_IO, why, size,
			    "the store's table %s cannot be opened: %s", table_names[t],
			    mdb_strerror(rc));
	}
	if (txn && table_get(s, TABLE_META, &meta_key, &v)) {
		int rc = meta_read(s, v.mv_data, v.mv_size, why, size);
		if (rc != 0)
			return rc;
	} else if (txn) {
		meta_make(s);
	}
	FAILPOINT("create.format");
	if (store_commit(s) != 0)
		return refuse(ERR_IO, why, size, "the store's first commit failed: %s",
		    mdb_strerror(s->failure));
	FAILPOINT("create.done");
	return 0;
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
