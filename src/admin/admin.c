/* admin.c - all operators: who comes in, who is served in this turn, who is freed */
#include "admin/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "admin/internal.h"
#include "base/log.h"
#include "base/mem.h"

const struct limit admin_limits[] = {
	{ "admin connections", LIMIT_COUNT, ADMIN_CONNECTIONS_MAX },
	{ "admin request", LIMIT_BYTES, ADMIN_REQUEST_BYTES_MAX },
	{ "admin words of a request", LIMIT_COUNT, ADMIN_WORDS_MAX },
	{ "admin reason", LIMIT_BYTES, ADMIN_REASON_BYTES_MAX },
	{ "admin request timeout", LIMIT_MS, ADMIN_REQUEST_TIMEOUT_MS },
	{ "admin idle timeout", LIMIT_MS, ADMIN_IDLE_TIMEOUT_MS },
	{ "admin output", LIMIT_BYTES, ADMIN_OUTPUT_BYTES_MAX },
	{ "admin write timeout", LIMIT_MS, ADMIN_WRITE_TIMEOUT_MS },
	{ "admin answer of a turn", LIMIT_BYTES, ADMIN_STEP_BYTES_MAX },
};

const size_t admin_limit_count = sizeof(admin_limits) / sizeof(admin_limits[0]);

/*
 * Before the turn, and before the commit: a constant sentence tells of nothing that is in the open
 * transaction. What the socket does not take at once is lost with the connection.
 */
static void turn_away(struct admin *a, int fd, const char *sentence)
{
	(void)!send(fd, sentence, strlen(sentence), MSG_NOSIGNAL);
	local_close(a->door, fd);
}

/* Makes room for an operator: of those who may only look, the one that is silent for longest. */
static bool make_room(struct admin *a)
{
	struct admin_client *c, *longest = NULL;

	LIST_FOREACH(c, &a->clients, entry)
		if (!c->dead && c->role < ROLE_CHANGE &&
		    (longest == NULL || c->since_ms <= longest->since_ms))
			longest = c;
	if (longest == NULL)
		return false;
	operator_drop(longest, "an operator needs the place");
	return true;
}

static void on_accepted(void *arg, int fd, const struct local_peer *peer)
{
	struct admin *a = arg;
	enum admin_role role = users_role(a, (uint32_t)peer->uid);

	if (role == ROLE_NONE) {
		if (log_allow("operator refused", 1))
			log_warning("operator refused", "uid=%u pid=%ld command=\"\"",
				    (unsigned)peer->uid, (long)peer->pid);
		turn_away(a, fd, "this user may not look: name him in admin.readers of the "
			  "configuration\n.77\n");
	} else if (a->count >= ADMIN_CONNECTIONS_MAX && !(role == ROLE_CHANGE && make_room(a))) {
		turn_away(a, fd, "there are 8 connections to the operator's socket already: try "
			  "again when one has ended\n.75\n");
	} else {
		operator_create(a, fd, peer, role);
	}
}

struct admin *admin_create(struct ev_loop *loop, struct core *core, struct store *store,
    const struct admin_settings *settings, uint64_t now_ms, char *why, size_t size)
{
	struct admin *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->core = core;
	a->store = store;
	a->settings = *settings;
	a->commands = &admin_commands;
	a->now_ms = now_ms;
	LIST_INIT(&a->clients);
	buf_init(&a->piece, ADMIN_STEP_BYTES_MAX);
	/* One more than there may be, so that the ninth can be told. */
	a->door = local_door_create(loop, settings->socket, ADMIN_CONNECTIONS_MAX + 1, on_accepted,
				    a, why, size);
	if (a->door == NULL) {
		free(a);
		return NULL;
	}
	users_init(a);
	return a;
}

static void reap(struct admin *a, bool all)
{
	struct admin_client *c, *next;

	for (c = LIST_FIRST(&a->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (all || c->dead)
			operator_destroy(c);
	}
}

void admin_destroy(struct admin *a)
{
	if (a == NULL)
		return;
	reap(a, true);
	local_door_destroy(a->door);
	users_finish(a);
	buf_finish(&a->piece);
	free(a);
}

void admin_set_time(struct admin *a, uint64_t now_ms)
{
	struct admin_client *c;

	a->now_ms = now_ms;
	LIST_FOREACH(c, &a->clients, entry)
		client_begin_time(c);
}

void admin_receive(struct admin *a)
{
	struct admin_client *c;

	LIST_FOREACH(c, &a->clients, entry)
		if (!c->dead)
			operator_receive(c);
}

void admin_expire(struct admin *a)
{
	struct admin_client *c;

	LIST_FOREACH(c, &a->clients, entry)
		operator_expire(c);
}

void admin_settle(struct admin *a)
{
	struct admin_client *c;

	LIST_FOREACH(c, &a->clients, entry)
		if (!c->dead)
			operator_settle(c);
}

void admin_reap(struct admin *a)
{
	reap(a, false);
}

bool admin_has_answers(const struct admin *a)
{
	const struct admin_client *c;

	LIST_FOREACH(c, &a->clients, entry)
		if (!c->dead && (c->out.len > 0 || c->closing))
			return true;
	return false;
}

bool admin_have_pending(const struct admin *a)
{
	const struct admin_client *c;

	LIST_FOREACH(c, &a->clients, entry)
		if (operator_is_pending(c))
			return true;
	return false;
}

uint64_t admin_next_deadline_ms(const struct admin *a)
{
	const struct admin_client *c;
	uint64_t earliest_ms = UINT64_MAX;

	LIST_FOREACH(c, &a->clients, entry) {
		uint64_t due_ms = operator_deadline_ms(c);

		if (due_ms < earliest_ms)
			earliest_ms = due_ms;
	}
	return earliest_ms;
}
