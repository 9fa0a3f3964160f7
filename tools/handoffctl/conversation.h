/* conversation.h - one connection to the operator's socket: a request line out, an answer in */
#ifndef HANDOFFCTL_CONVERSATION_H
#define HANDOFFCTL_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The answer that was read: its code, or -1 when there was none. */
struct answer {
	int code;
	bool wants_yes;		/* only the word yes was missing */
	struct buf body;	/* what was not handed to standard output yet */
	bool at_once;
	bool streamed;		/* it was long, so that its beginning went to standard output */
};

/* A connected socket; -1 after saying on standard error what to do. */
int conversation_open(const char *path);
/* Appends one word to a request line, quoted where it has to be. */
void conversation_add(struct buf *line, const char *word);
/*
 * Sends the line and reads its answer; answer->body is the caller's to finish. With `at_once` each
 * line goes to standard output when it comes, for somebody who watches long work.
 */
void conversation_ask(int fd, const struct buf *line, bool at_once, struct answer *answer);

#endif
