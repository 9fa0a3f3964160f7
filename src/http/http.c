/* http.c - the door for those who look: who comes in, who is answered in this turn, who is freed */
#include "http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/internal.h"

#define ADDRESSES_REMEMBERED 1		/* all are loopback, of which none is known apart */

const struct limit http_limits[] = {
	{ "http connections", LIMIT_COUNT, HTTP_CONNECTIONS_MAX },
	{ "http connections a second", LIMIT_COUNT, HTTP_CONNECTIONS_PER_SECOND },
	{ "http request", LIMIT_BYTES, HTTP_REQUEST_BYTES_MAX },
	{ "http request target", LIMIT_BYTES, HTTP_TARGET_BYTES_MAX },
	{ "http request timeout", LIMIT_MS, HTTP_TIMEOUT_MS },
	{ "http answer", LIMIT_BYTES, HTTP_ANSWER_BYTES_MAX },
};

const size_t http_limit_count = sizeof(http_limits) / sizeof(http_limits[0]);

void turn_measures_init(struct turn_measures *m)
{
	histogram_init(&m->turn, &scale_work);
	histogram_init(&m->late, &scale_work);
	histogram_init(&m->commit, &scale_work);
	histogram_init(&m->changes, &scale_count);
}

/* Before the turn, and before the commit: a constant sentence tells of nothing that is in the open
 * transaction. */
static void turn_away(int fd)
{
	static const char sentence[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n";

	(void)!send(fd, sentence, sizeof(sentence) - 1, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	close(fd);
}

/* Of those whose request is not there yet, the one that came first gives way. */
static bool make_room(struct http *h)
{
	struct http_connection *c, *first = NULL;

	LIST_FOREACH(c, &h->connections, entry)
		if (!c->dead && !c->is_new && !c->answered)
			first = c;	/* new ones are put in front */
	if (first == NULL)
		return false;
	connection_drop(first);
	return true;
}

static void on_accepted(void *arg, int fd, const char *address)
{
	struct http *h = arg;

	(void)address;
	if (h->count >= HTTP_CONNECTIONS_MAX && !make_room(h))
		turn_away(fd);
	else
		connection_create(h, fd);
}

struct http *http_create(struct ev_loop *loop, struct core *core, struct store *store,
    const struct http_settings *settings, uint64_t now_ms, char *why, size_t size)
{
	struct http *h = xcalloc(1, sizeof(*h));
	char port[16];
	const struct listener_settings door = {
		.host = settings->host,
		.port = port,
		.per_address = HTTP_CONNECTIONS_PER_SECOND,
		.total = HTTP_CONNECTIONS_PER_SECOND,
		.addresses = ADDRESSES_REMEMBERED,
	};

	h->loop = loop;
	h->core = core;
	h->store = store;
	h->settings = *settings;
	h->settings.host = NULL;
	h->now_ms = now_ms;
	LIST_INIT(&h->connections);
	snprintf(port, sizeof(port), "%u", settings->port);
	h->door = listener_create(loop, &door, on_accepted, h, why, size);
	if (h->door == NULL) {
		free(h);
		return NULL;
	}
	h->memory_fd = memory_open();
	return h;
}

static void reap(struct http *h, bool all)
{
	struct http_connection *c, *next;

	for (c = LIST_FIRST(&h->connections); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (all || c->dead)
			connection_destroy(c);
	}
}

void http_destroy(struct http *h)
{
	if (h == NULL)
		return;
	reap(h, true);
	listener_destroy(h->door);
	if (h->memory_fd >= 0)
		close(h->memory_fd);
	free(h);
}

unsigned http_port(const struct http *h)
{
	return listener_port(h->door);
}

void http_set_time(struct http *h, uint64_t now_ms)
{
	struct http_connection *c;

	h->now_ms = now_ms;
	LIST_FOREACH(c, &h->connections, entry)
		connection_begin_time(c);
}

/* One answer a turn: a page takes milliseconds where there are hundreds of routes. */
void http_receive(struct http *h)
{
	struct http_connection *c, *asks = NULL;

	LIST_FOREACH(c, &h->connections, entry) {
		if (!c->dead)
			connection_receive(c);
		if (connection_is_asking(c))
			asks = c;	/* the first that came */
	}
	if (asks != NULL)
		connection_answer(asks);
}

void http_expire(struct http *h)
{
	struct http_connection *c;

	LIST_FOREACH(c, &h->connections, entry)
		connection_expire(c);
}

void http_settle(struct http *h)
{
	struct http_connection *c;

	LIST_FOREACH(c, &h->connections, entry)
		connection_settle(c);
}

void http_reap(struct http *h)
{
	reap(h, false);
}

bool http_has_answers(const struct http *h)
{
	const struct http_connection *c;

	LIST_FOREACH(c, &h->connections, entry)
		if (!c->dead && c->out.len > 0)
			return true;
	return false;
}

bool http_have_pending(const struct http *h)
{
	struct http_connection *c;

	LIST_FOREACH(c, &h->connections, entry)
		if (connection_is_asking(c))
			return true;
	return false;
}

uint64_t http_next_deadline_ms(const struct http *h)
{
	const struct http_connection *c;
	uint64_t earliest_ms = UINT64_MAX;

	LIST_FOREACH(c, &h->connections, entry)
		if (!c->dead && c->due_ms < earliest_ms)
			earliest_ms = c->due_ms;
	return earliest_ms;
}
