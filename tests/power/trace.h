/* trace.h - what recorder.c writes down and replay.c reads: records, each with its bytes */
#ifndef HANDOFF_POWER_TRACE_H
#define HANDOFF_POWER_TRACE_H

#include <stdint.h>

/*
 * A record stands behind what it tells of, which has succeeded. The order of the records is the
 * order of the calls, but for a write to the redo log by the broker's second thread: it stands where
 * it has returned, and its images are made there, with all that was promised by then. A place in the
 * trace is a record's first byte, counted from the trace's beginning: workloads.py keeps what was
 * promised by such places.
 */
enum trace_kind {
	TRACE_START,		/* a process begins; what it has opened is no more */
	TRACE_MKDIR,		/* the store's directory */
	TRACE_CREATE,		/* bytes: a name in the store's directory that was not there */
	TRACE_UNLINK,		/* bytes: a name */
	TRACE_RENAME,		/* bytes: two names, a NUL between them */
	TRACE_WRITE,		/* at; bytes: what was written */
	TRACE_WRITE_SYNCED,	/* the same, through a descriptor with O_DSYNC or O_SYNC */
	TRACE_RESIZE,		/* at: the file's size from now on */
	TRACE_SYNC,		/* of a file, whole */
	TRACE_SYNC_DIR,		/* of the store's directory */
	TRACE_SYNC_PARENT,	/* of the directory that the store's directory is in */
	TRACE_ACCEPT,		/* file: the connection's descriptor; at: the peer's port */
	TRACE_SEND,		/* file: the connection's descriptor; at: so many bytes left */
	TRACE_KIND_COUNT,
};

struct trace_record {
	uint32_t kind;
	uint32_t file;		/* its inode, but for ACCEPT and SEND */
	uint64_t at;
	uint64_t n;		/* bytes that follow */
};

#endif
