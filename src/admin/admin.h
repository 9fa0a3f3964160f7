/* admin.h - the operator's conversation: requests and answers over a Unix socket, handoffctl(8) */
#ifndef HANDOFF_ADMIN_ADMIN_H
#define HANDOFF_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limit.h"

/*
 * A turn as the operators see it: admin_set_time(), admin_receive() (requests are taken in, and
 * each command that runs does one bounded piece of work, in the open transaction), admin_expire();
 * then, after the commit, admin_settle() (answers go to the sockets) and admin_reap(). No answer
 * leaves before what it tells of is durable.
 *
 * Whoever the socket's mode lets in is a peer like any other: whatever it sends or does not read,
 * it cannot hold up the turn, nor grow anything beyond the limits below.
 */
struct admin;
struct core;
struct ev_loop;
struct store;

#define ADMIN_CONNECTIONS_MAX 8
#define ADMIN_REQUEST_BYTES_MAX (64 * 1024)	/* of a line, without its newline */
#define ADMIN_WORDS_MAX 64			/* in a line */
#define ADMIN_REASON_BYTES_MAX 256
#define ADMIN_REQUEST_TIMEOUT_MS 10000		/* from the first byte of a line to its end */
#define ADMIN_IDLE_TIMEOUT_MS (5 * 60 * 1000)	/* without a request */
#define ADMIN_OUTPUT_BYTES_MAX (256 * 1024)	/* of answers that are not read yet */
#define ADMIN_WRITE_TIMEOUT_MS 30000		/* a peer that reads nothing is dropped */
#define ADMIN_STEP_BYTES_MAX (64 * 1024)	/* what a command may write in one turn */

/* Users by number; root and the broker's own user may always look and change. */
struct admin_users {
	const uint32_t *uids;		/* borrowed */
	size_t count;
};

struct admin_settings {
	const char *socket;		/* path, borrowed */
	struct admin_users operators;	/* may look and change */
	struct admin_users readers;	/* may look */
	bool readers_only;		/* nobody else may, though the socket's mode lets him in */
	const struct limit *limits;	/* all of the broker's but this room's own, borrowed */
	size_t limit_count;
	const char *sandbox;		/* what is in force, in words; borrowed, and written later */
};

/* Listens. NULL when it cannot; why[size] then has a sentence for people. */
struct admin *admin_create(struct ev_loop *loop, struct core *core, struct store *store,
    const struct admin_settings *settings, uint64_t now_ms, char *why, size_t size);
/* Removes the socket and ends all connections without a word. NULL is fine. */
void admin_destroy(struct admin *a);

void admin_set_time(struct admin *a, uint64_t now_ms);
void admin_receive(struct admin *a);
void admin_expire(struct admin *a);
void admin_settle(struct admin *a);
void admin_reap(struct admin *a);
/* Something is to be told that admin_settle() would send. */
bool admin_has_answers(const struct admin *a);
/* A command goes on, or a request waits, that no descriptor will tell of: do not sleep. */
bool admin_have_pending(const struct admin *a);
/* When admin_expire() has something to do: custody clock, UINT64_MAX never. */
uint64_t admin_next_deadline_ms(const struct admin *a);

#endif
