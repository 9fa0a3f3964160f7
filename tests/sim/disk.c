/* disk.c - calls that fail under the store when a seed says so: LMDB's own, by their names */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/digest.h"
#include "disk.h"
#include "store/redo_row.h"

/*
 * The linker takes these definitions before those of the C library and of LMDB, which are called
 * below them. LMDB commits with data writes, one fdatasync() and one write of a part of a meta page,
 * on a descriptor that is O_DSYNC; where that write fails it puts the old page back, on another. The
 * log's writes are of whole pages, on a descriptor that is O_DSYNC, too.
 */
static enum disk_fault armed;
static bool hit;
static bool no_piece;			/* the next put into an intake finds no room */
static const MDB_txn *intake;

void disk_arm(enum disk_fault fault)
{
	armed = fault;
	hit = false;
}

bool disk_disarm(void)
{
	armed = DISK_SOUND;
	return hit;
}

void disk_lack_piece(bool lack)
{
	no_piece = lack;
}

bool disk_has_kept(enum disk_fault fault)
{
	return fault == DISK_META_KEPT || fault == DISK_LOG_KEPT;
}

static int fail(int error)
{
	hit = true;
	errno = error;
	return -1;
}

int fdatasync(int fd)
{
	if (armed == DISK_SYNC)
		return fail(EIO);
	return (int)syscall(SYS_fdatasync, fd);
}

static ssize_t write_now(int fd, const void *p, size_t n, off_t at)
{
	return syscall(SYS_pwrite64, fd, p, n, at);
}

static ssize_t write_meta(int fd, const void *p, size_t n, off_t at)
{
	if (armed == DISK_META)
		return fail(EIO);
	ssize_t written = write_now(fd, p, n, at);
	return armed == DISK_META_KEPT ? fail(EIO) : written;
}

/* Some of a turn: cut in what it has to say, not in the zeros behind that, nor between pages. */
static ssize_t write_turn(int fd, const uint8_t *p, size_t n, off_t at)
{
	if (armed >= DISK_LOG)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_DIRECT);
	uint64_t changes = get_le(p + REDO_TURN_BYTES - 12, 4);
	size_t half = (REDO_TURN_BYTES + (size_t)changes) / 2;
	if (armed == DISK_LOG_TORN)
		write_now(fd, p, half, at);
	if (armed == DISK_LOG_HEADLESS)
		write_now(fd, p + half, n - half, at + (off_t)half);
	if (armed == DISK_LOG_KEPT)
		write_now(fd, p, n, at);
	return armed >= DISK_LOG ? fail(EIO) : write_now(fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (fcntl(fd, F_GETFL) & O_DSYNC)
		return n % REDO_PAGE == 0 ? write_turn(fd, p, n, at) : write_meta(fd, p, n, at);
	if (armed == DISK_META_KEPT && hit)	/* the old page is not put back */
		return fail(EIO);
	return armed == DISK_WRITE ? fail(ENOSPC) : write_now(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	if (armed == DISK_WRITE)
		return fail(ENOSPC);
	return syscall(SYS_writev, fd, parts, count);
}

/* --- a store that has room, and no piece of it that is large enough ----------------------------- */

int __real_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn);
int __wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn);
int __real_mdb_put(MDB_txn *txn, MDB_dbi table, MDB_val *k, MDB_val *v, unsigned flags);
int __wrap_mdb_put(MDB_txn *txn, MDB_dbi table, MDB_val *k, MDB_val *v, unsigned flags);
int __real_mdb_cursor_put(MDB_cursor *c, MDB_val *k, MDB_val *v, unsigned flags);
int __wrap_mdb_cursor_put(MDB_cursor *c, MDB_val *k, MDB_val *v, unsigned flags);

int __wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn)
{
	int rc = __real_mdb_txn_begin(env, parent, flags, txn);

	intake = parent && rc == 0 ? *txn : NULL;
	return rc;
}

static bool lacks_piece(const MDB_txn *txn)
{
	bool lacks = no_piece && txn == intake;

	if (lacks)
		no_piece = false;
	return lacks;
}

int __wrap_mdb_put(MDB_txn *txn, MDB_dbi table, MDB_val *k, MDB_val *v, unsigned flags)
{
	return lacks_piece(txn) ? MDB_MAP_FULL : __real_mdb_put(txn, table, k, v, flags);
}

int __wrap_mdb_cursor_put(MDB_cursor *c, MDB_val *k, MDB_val *v, unsigned flags)
{
	return lacks_piece(mdb_cursor_txn(c)) ? MDB_MAP_FULL : __real_mdb_cursor_put(c, k, v, flags);
}

/* --- a log that is soon full --------------------------------------------------------------------- */

static bool small_log;

uint64_t __real_redo_size(uint64_t store_bytes);
uint64_t __wrap_redo_size(uint64_t store_bytes);

void disk_small_log(bool small)
{
	small_log = small;
}

uint64_t __wrap_redo_size(uint64_t store_bytes)
{
	return small_log ? SMALL_LOG_BYTES : __real_redo_size(store_bytes);
}
