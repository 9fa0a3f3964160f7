/* ledger.h - a file of lines, each with a checksum, that is appended to and survives a crash */
#ifndef HANDOFF_TOOLS_LEDGER_H
#define HANDOFF_TOOLS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Each line is a text, a blank, and the CRC-32C of the text in eight hex digits. A crash can leave
 * a last line that was not written whole: it is cut off when the file is opened. A bad line with a
 * good one behind it is damage, and the file is refused; so is one that does not begin with a good
 * line: the first ones are written with ledger_replace().
 *
 * The file is locked: a second program that opens it is refused. All functions complain themselves;
 * after a failure nothing more should be written.
 */
struct ledger {
	const char *path;	/* the caller's */
	int fd;
	struct buf pending;	/* lines not yet written */
};

/* A line that was read, without its checksum; false ends the reading, after a complaint. */
typedef bool ledger_line_fn(void *context, char *text);

/*
 * Opens or creates the file and gives every line to `on_line`. False after a complaint. `path` must
 * outlive the ledger. *status gets the exit status that the failure stands for.
 */
bool ledger_open(struct ledger *l, const char *path, ledger_line_fn *on_line, void *context,
    int *status);
void ledger_close(struct ledger *l);

/* Adds a line; it is in the file after ledger_write(), and on the disk after ledger_sync(). */
__attribute__((format(printf, 2, 3)))
void ledger_add(struct ledger *l, const char *fmt, ...);
bool ledger_write(struct ledger *l);
bool ledger_sync(struct ledger *l);

/* Replaces all that is in the file by the lines added since, in one step, and on the disk. */
bool ledger_replace(struct ledger *l);

/* Makes a new file's name durable. False after a complaint. */
bool sync_directory_of(const char *path);
/* All n bytes, whatever interrupts; false with errno. */
bool write_all(int fd, const void *p, size_t n);

#endif
