/* ledger.c - a file of lines, each with a checksum, that is appended to and survives a crash */
#include "tools/handoff/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "tools/handoff/command.h"
#include "tools/handoff/report.h"

#define CRC_DIGITS 8
#define LINE_MAX_BYTES (1024 * 1024)
#define READ_BYTES ((size_t)256 * 1024)
#define PATH_SIZE 4096

/* --- files ----------------------------------------------------------------------------------- */

bool write_all(int fd, const void *p, size_t n)
{
	const char *at = p;
	ssize_t written;

	while (n > 0) {
		written = write(fd, at, n);
		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			at += written;
			n -= (size_t)written;
		}
	}
	return true;
}

bool sync_directory_of(const char *path)
{
	char copy[PATH_SIZE];
	bool is_good;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_good = fd >= 0 && fsync(fd) == 0;
	if (!is_good)
		complain_errno("%s: its directory", path);
	if (fd >= 0)
		close(fd);
	return is_good;
}

/* --- lines ----------------------------------------------------------------------------------- */

/* Ends the text before its checksum; false when they do not agree. `line` has no end of line. */
static bool line_check(char *line, size_t len)
{
	char expected[CRC_DIGITS + 1];
	size_t text_len;

	if (len < CRC_DIGITS + 2 || memchr(line, '\0', len) != NULL)
		return false;
	text_len = len - CRC_DIGITS - 1;
	snprintf(expected, sizeof(expected), "%08x", crc32c(0, line, text_len));
	if (line[text_len] != ' ' || memcmp(line + text_len + 1, expected, CRC_DIGITS) != 0)
		return false;
	line[text_len] = '\0';
	return true;
}

void ledger_add(struct ledger *l, const char *fmt, ...)
{
	char crc[CRC_DIGITS + 3];
	const size_t before = l->pending.len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || buf_reserve(&l->pending, (size_t)n + 1) == NULL)
		return;
	va_start(args, fmt);
	vsnprintf((char *)buf_bytes(&l->pending) + before, (size_t)n + 1, fmt, args);
	va_end(args);
	buf_grow(&l->pending, (size_t)n);
	snprintf(crc, sizeof(crc), " %08x\n",
		 crc32c(0, buf_bytes(&l->pending) + before, (size_t)n));
	buf_put(&l->pending, crc, strlen(crc));
}

bool ledger_write(struct ledger *l)
{
	if (l->pending.failed) {
		complain("out of memory");
		return false;
	}
	if (!write_all(l->fd, buf_bytes(&l->pending), l->pending.len)) {
		complain_errno("%s", l->path);
		return false;
	}
	buf_clear(&l->pending);
	return true;
}

bool ledger_sync(struct ledger *l)
{
	if (!ledger_write(l))
		return false;
	if (fdatasync(l->fd) != 0) {
		complain_errno("%s: writing to the disk", l->path);
		return false;
	}
	return true;
}

/* --- opening --------------------------------------------------------------------------------- */

/* What one pass over the file knows. */
struct reading {
	struct ledger *l;
	ledger_line_fn *on_line;
	void *context;
	struct buf bytes;		/* read, not yet a whole line */
	off_t good_bytes;		/* of lines that are right */
	unsigned long line;
	unsigned long bad_line;		/* the first that is wrong, 0: none */
	int status;
};

static bool read_line(struct reading *r, char *line, size_t len)
{
	const bool is_right = line_check(line, len);

	r->line++;
	if (is_right && r->bad_line != 0) {
		complain("%s: line %lu is damaged, and more follows it: restore the file, or move it away "
			 "and know what that means (see handoff(1))", r->l->path, r->bad_line);
		r->status = STATUS_DATA;
		return false;
	}
	if (!is_right) {
		if (r->bad_line == 0)
			r->bad_line = r->line;
		return true;
	}
	r->good_bytes += (off_t)len + 1;
	r->status = STATUS_DATA;	/* unless the line is fine */
	return r->on_line(r->context, line);
}

/* The whole lines among the bytes that were read. */
static bool read_lines(struct reading *r)
{
	char *start, *end;

	while (r->bytes.len > 0) {
		start = (char *)buf_bytes(&r->bytes);
		end = memchr(start, '\n', r->bytes.len);
		if (end == NULL)
			break;
		if (!read_line(r, start, (size_t)(end - start)))
			return false;
		buf_take(&r->bytes, (size_t)(end - start) + 1);
	}
	return true;
}

static bool read_all(struct reading *r)
{
	uint8_t *room;
	ssize_t n;

	for (;;) {
		room = buf_reserve(&r->bytes, READ_BYTES);
		if (room == NULL) {
			complain("%s: line %lu is too long: this is no file of mine", r->l->path,
				 r->line + 1);
			r->status = STATUS_DATA;
			return false;
		}
		n = read(r->l->fd, room, READ_BYTES);
		if (n < 0) {
			complain_errno("%s", r->l->path);
			r->status = STATUS_IO;
			return false;
		}
		if (n == 0)
			return true;
		buf_grow(&r->bytes, (size_t)n);
		if (!read_lines(r))
			return false;
	}
}

/* Cuts off the line that a crash left unfinished, and goes to the end. */
static bool cut(struct reading *r)
{
	if (r->good_bytes == 0 && (r->bad_line != 0 || r->bytes.len > 0)) {
		complain("%s exists and is no file of mine", r->l->path);
		r->status = STATUS_DATA;
		return false;
	}
	if (ftruncate(r->l->fd, r->good_bytes) != 0 ||
	    lseek(r->l->fd, r->good_bytes, SEEK_SET) < 0) {
		complain_errno("%s", r->l->path);
		r->status = STATUS_IO;
		return false;
	}
	return true;
}

/* Locks it; false when another has, or has replaced it since it was opened. */
static bool lock(int fd, const char *path)
{
	struct stat opened, named;

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &opened) == 0 &&
	    stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
	    opened.st_dev == named.st_dev;
}

static int open_locked(const char *path, int *status)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0) {
		complain_errno("%s", path);
		*status = STATUS_CANNOT_CREATE;
		return -1;
	}
	if (!lock(fd, path)) {
		complain("%s is in use by another handoff", path);
		*status = STATUS_TRY_AGAIN;
		close(fd);
		return -1;
	}
	return fd;
}

bool ledger_open(struct ledger *l, const char *path, ledger_line_fn *on_line, void *context,
    int *status)
{
	struct reading r = { .l = l, .on_line = on_line, .context = context };
	bool is_good;

	*l = (struct ledger){ .path = path, .fd = open_locked(path, status) };
	buf_init(&l->pending, 0);
	if (l->fd < 0)
		return false;
	buf_init(&r.bytes, LINE_MAX_BYTES + READ_BYTES);
	is_good = read_all(&r) && cut(&r);
	buf_finish(&r.bytes);
	if (!is_good) {
		*status = r.status;
		ledger_close(l);
	}
	return is_good;
}

void ledger_close(struct ledger *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	buf_finish(&l->pending);
}

/* --- replacing ------------------------------------------------------------------------------- */

bool ledger_replace(struct ledger *l)
{
	char path[PATH_SIZE];
	const int old = l->fd;
	bool is_good;
	int status;

	if (snprintf(path, sizeof(path), "%s.new", l->path) >= (int)sizeof(path))
		return false;
	/* The lock is on the file that will have the name, before it has it. */
	l->fd = open_locked(path, &status);
	if (l->fd < 0) {
		l->fd = old;
		return false;
	}
	is_good = ftruncate(l->fd, 0) == 0 && ledger_sync(l) && rename(path, l->path) == 0;
	if (!is_good)
		complain_errno("%s", path);
	close(old);
	return is_good && sync_directory_of(l->path);
}
