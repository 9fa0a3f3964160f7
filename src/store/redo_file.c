/* redo_file.c - the redo log's file: made, opened, and done again behind the latest commit */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "store/internal.h"
#include "store/redo_row.h"

/* Of a log: the longest turn is a quarter of it, a checkpoint's wait is not felt behind all of it. */
#define REDO_SHARE 64			/* of the store */
#define REDO_LEAST (256u << 10)
#define REDO_MOST (4u << 20)
#define TURNS_LEAST 4

uint64_t redo_size(uint64_t store_bytes)
{
	uint64_t n = store_bytes / REDO_SHARE / REDO_PAGE * REDO_PAGE;

	return n < REDO_LEAST ? REDO_LEAST : n > REDO_MOST ? REDO_MOST : n;
}

/* --- making ---------------------------------------------------------------------------------- */

/*
 * Its blocks are written, not only reserved: a first write to a reserved block changes the file
 * system too, and costs a flush more.
 */
static int fill(int fd, uint64_t bytes)
{
	static const uint8_t zeros[64 * 1024];

	for (uint64_t at = 0; at < bytes;) {
		uint64_t left = bytes - at;
		ssize_t n = pwrite(fd, zeros, left < sizeof zeros ? left : sizeof zeros,
		    (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		at += (uint64_t)n;
	}
	return fsync(fd) == 0 ? 0 : errno;
}

int redo_make(const char *file, uint64_t bytes)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? errno : fill(fd, bytes);

	if (fd >= 0)
		close(fd);
	if (rc == 0 && store_sync_parent(file) != 0)
		rc = errno;
	FAILPOINT("create.redo");
	return rc;
}

/* --- doing again ----------------------------------------------------------------------------- */

static int read_all(int fd, uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t got = pread(fd, p + at, n - at, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? errno : EIO;
		at += (size_t)got;
	}
	return 0;
}

static int do_again(struct store *s, const struct redo_change *c, const uint8_t *p)
{
	MDB_val key = { c->key_bytes, (void *)(uintptr_t)p };
	MDB_val value = { c->value_bytes, (void *)(uintptr_t)(p + c->key_bytes) };

	if (c->table >= TABLE_COUNT)
		return EINVAL;
	switch (c->kind) {
	case REDO_PUT:
		return mdb_put(s->turn, s->tables[c->table], &key, &value, 0);
	case REDO_DEL:
		return mdb_del(s->turn, s->tables[c->table], &key, NULL);
	}
	return EINVAL;
}

static int do_turn_again(struct store *s, const uint8_t *p, size_t n)
{
	struct redo_change c;

	while (n > 0) {
		if (!redo_change_decode(p, n, &c))
			return EINVAL;
		int rc = do_again(s, &c, p + REDO_CHANGE_BYTES);
		if (rc != 0)
			return rc;
		size_t change = REDO_CHANGE_BYTES + c.key_bytes + c.value_bytes;
		p += change;
		n -= change;
	}
	return 0;
}

/* From `at` on: the turns that follow each other. Returns where they end; *rc how it went. */
static size_t do_turns_again(struct store *s, const uint8_t *log, uint64_t commit, uint32_t *turns,
    int *rc)
{
	struct redo_turn t;
	size_t at = 0, size = (size_t)s->redo.size;

	*rc = 0;
	while (*rc == 0 && at < size &&
	    redo_turn_decode(log + at, size - at, s->meta.redo_key, &t) && t.commit == commit &&
	    t.number == *turns) {
		FAILPOINT("redo.again");
		*rc = do_turn_again(s, log + at + REDO_TURN_BYTES, t.bytes);
		at += (REDO_TURN_BYTES + (size_t)t.bytes + REDO_PAGE - 1) / REDO_PAGE * REDO_PAGE;
		++*turns;
	}
	return at;
}

/* What no log has behind its end: a later turn, or one of a later commit. */
static int check_rest(struct store *s, const char *file, const uint8_t *log, size_t at,
    uint64_t commit, uint32_t turns, char *why, size_t size)
{
	struct redo_turn t;

	for (; at < s->redo.size; at += REDO_PAGE) {
		if (!redo_turn_decode(log + at, s->redo.size - at, s->meta.redo_key, &t))
			continue;
		if (t.commit == commit && t.number > turns)
			return store_refuse(ERR_CORRUPT, why, size,
			    "%s is damaged: turn %u of commit %llu is not whole, turn %u is; "
			    "restore a backup", file, (unsigned)turns, (unsigned long long)commit,
			    (unsigned)t.number);
		if (t.commit > commit)
			return store_refuse(ERR_CORRUPT, why, size,
			    "%s is of commit %llu, the store's file of %llu: they do not belong "
			    "together; restore both, or empty %s to go on without it", file,
			    (unsigned long long)t.commit, (unsigned long long)commit - 1, file);
	}
	return 0;
}

static int follow(struct store *s, const char *file, bool *any, char *why, size_t size)
{
	uint64_t commit = mdb_txn_id(s->turn);
	uint8_t *log = malloc(s->redo.size);
	uint32_t turns = 0;
	int rc = log ? read_all(s->redo.fd, log, s->redo.size) : ENOMEM;

	if (rc != 0) {
		free(log);
		return store_refuse(ERR_IO, why, size, "%s cannot be read: %s", file,
		    strerror(rc));
	}
	size_t at = do_turns_again(s, log, commit, &turns, &rc);
	if (rc != 0)
		rc = store_refuse(ERR_CORRUPT, why, size, "%s: turn %u cannot be done again: %s; "
		    "restore a backup", file, (unsigned)turns - 1, mdb_strerror(rc));
	else
		rc = check_rest(s, file, log, at, commit, turns, why, size);
	free(log);
	*any = turns > 0;
	return rc;
}

/* --- opening --------------------------------------------------------------------------------- */

/* So is one that a start was filling when it was cut, or the disk was full. */
static bool has_only_zeros(int fd, size_t n)
{
	uint8_t part[REDO_PAGE];

	for (size_t at = 0; at < n; at += sizeof part) {
		ssize_t got = pread(fd, part, sizeof part, (off_t)at);

		if (got <= 0)
			return false;
		for (ssize_t i = 0; i < got; i++)
			if (part[i] != 0)
				return false;
	}
	return true;
}

/*
 * An empty one was emptied, or put there, by a person: there is nothing to be done again. Its name
 * may not be durable yet, and what is written to it must not vanish with that.
 */
static int check_length(struct redo *r, const char *file, char *why, size_t size)
{
	struct stat st;

	if (fstat(r->fd, &st) != 0 || (uint64_t)st.st_size == r->size)
		return 0;
	if ((uint64_t)st.st_size > r->size || !has_only_zeros(r->fd, (size_t)st.st_size))
		return store_refuse(ERR_CORRUPT, why, size,
		    "%s has %lld bytes and not %llu: it was cut, or is another store's; restore it "
		    "from a backup", file, (long long)st.st_size, (unsigned long long)r->size);
	int rc = fill(r->fd, r->size);
	if (rc == 0 && store_sync_parent(file) != 0)
		rc = errno;
	return rc == 0 ? 0
	    : store_refuse(ERR_IO, why, size, "%s cannot be made %llu bytes large: %s", file,
		  (unsigned long long)r->size, strerror(rc));
}

/*
 * Past the page cache, where the file system and its disk let pages of ours through: a fifth of the
 * time, and a third of the processor's, is spent there otherwise. Only a start reads the log.
 */
static void write_directly(struct redo *r)
{
	int flags = fcntl(r->fd, F_GETFL);

	if (flags < 0 || fcntl(r->fd, F_SETFL, flags | O_DIRECT) != 0)
		return;
	if (pread(r->fd, r->bytes, REDO_PAGE, 0) != REDO_PAGE)
		(void)fcntl(r->fd, F_SETFL, flags);
}

int redo_open(struct store *s, const char *file, bool *any, char *why, size_t size)
{
	struct redo *r = &s->redo;

	r->size = s->meta.redo_bytes;
	r->fd = open(file, O_RDWR | O_DSYNC | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0)
		return store_refuse(errno == ENOENT ? ERR_CORRUPT : ERR_IO, why, size,
		    "%s cannot be opened: %s; what was taken in last is in it: restore it, or put "
		    "an empty file there to go on without it", file, strerror(errno));
	int rc = check_length(r, file, why, size);
	if (rc == 0)
		rc = follow(s, file, any, why, size);
	r->most = (size_t)r->size / TURNS_LEAST / REDO_PAGE * REDO_PAGE;	/* written in pages */
	r->bytes = xaligned(REDO_PAGE, r->most);
	r->under_way = xaligned(REDO_PAGE, r->most);
	write_directly(r);
	redo_restart(r);
	return rc;
}

void redo_close(struct redo *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	free(r->bytes);
	free(r->under_way);
	r->bytes = r->under_way = NULL;
}
