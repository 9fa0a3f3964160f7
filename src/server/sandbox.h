/* sandbox.h - what the process gives up once all that it needs is open */
#ifndef HANDOFF_SERVER_SANDBOX_H
#define HANDOFF_SERVER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/*
 * For the moment between recovery and the first connection: the store, the sockets and the log are
 * open, and nothing that a peer can cause opens, makes, runs or dials anything. From here on
 *
 *	capabilities  none but the right to read what others own, and that for root alone
 *	Landlock      files: read beside the configuration and the certificates, remove beside the
 *	              operator's socket, nothing else; TCP: neither bind nor connect
 *	seccomp       the system calls of a broker that serves; any other kills the process (SIGSYS)
 *
 * Threads have the first two from who starts them, so they are started then, and the third is of all.
 *
 * There is no way back. What this kernel does not know is left out and told. Descriptors that are
 * open stay what they are: the store is written through its own.
 */
struct sandbox_paths {
	const char *const *readable;	/* files that a reload reads again; NULLs are skipped */
	size_t readable_count;
	const char *socket;		/* the operator's, removed at the end; NULL: none */
};

struct sandbox {
	bool seccomp;
	int landlock;			/* the kernel's ABI of it; 0: not in force */
	char words[64];			/* for people: "seccomp, Landlock 7", "none" */
	char missing[192];		/* what is not in force and why; "" when all is */
};

/*
 * Once in a process's life. Never fails: what was reached is in *out. `start_threads` is called when
 * threads may be started, in any case; NULL: there are none.
 */
void sandbox_enter(const struct sandbox_paths *paths, void (*start_threads)(void *arg), void *arg,
    struct sandbox *out);

#endif
