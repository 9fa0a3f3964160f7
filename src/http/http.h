/* http.h - metrics, health and readiness over plain HTTP/1.1, for this machine alone */
#ifndef HANDOFF_HTTP_HTTP_H
#define HANDOFF_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limit.h"
#include "base/metric.h"

/*
 * A turn as this room sees it: http_set_time(), http_receive() (requests are taken in and answered
 * from the open transaction, one a turn), http_expire(); then, after the commit, http_settle()
 * (answers go to the sockets) and http_reap(). No answer leaves before what it tells of is durable.
 *
 * GET and HEAD of the paths in answer.c, one request a connection, then it is closed.
 */
struct http;
struct core;
struct ev_loop;
struct store;

#define HTTP_CONNECTIONS_MAX 8
#define HTTP_CONNECTIONS_PER_SECOND 100
#define HTTP_TIMEOUT_MS 5000		/* for the request, and again for the answer to be taken */
#define HTTP_ANSWER_BYTES_MAX (8 * 1024 * 1024)	/* 256 routes make three */

/* What the turn measures of itself, in microseconds; filled by server/turn.c. */
struct turn_measures {
	struct histogram turn;		/* from waking up to being done, turns that changed something */
	struct histogram late;		/* how much too late the one timer woke the loop */
	struct histogram commit;	/* the flush */
	struct histogram changes;	/* of batches' states, in one commit */
};
void turn_measures_init(struct turn_measures *m);

/* Why a connection never became a session. */
enum refusal {
	REFUSAL_ADDRESS_RATE,		/* too many a second from one address */
	REFUSAL_TOTAL_RATE,		/* from all together */
	REFUSAL_TLS,			/* the handshake failed: certificate, version, not TLS at all */
	REFUSAL_TIMEOUT,		/* it was not done in time */
	REFUSAL_CROWDED,		/* too many at a time: the oldest gave way */
	REFUSAL_RESOURCES,
	REFUSAL_IDENTITY,		/* a sound certificate that names no module here */
	REFUSAL_COUNT,
};

/* What only the server knows, at the time of a look. */
struct broker_facts {
	bool stopping;
	size_t connections;		/* sessions, those that have said no HELLO yet among them */
	uint64_t refused[REFUSAL_COUNT];
	int64_t certificate_expiry_us, authority_expiry_us;	/* wall clock */
	int64_t started_us;
};

struct http_settings {
	const char *host;		/* a loopback address; borrowed during http_create() */
	uint16_t port;			/* 0: any */
	const struct turn_measures *turn;	/* borrowed */
	void (*look)(void *arg, struct broker_facts *out);
	void *arg;
};

/* Listens. NULL when it cannot; why[size] then has a sentence for people. */
struct http *http_create(struct ev_loop *loop, struct core *core, struct store *store,
    const struct http_settings *settings, uint64_t now_ms, char *why, size_t size);
/* Ends all connections without a word. NULL is fine. */
void http_destroy(struct http *h);
unsigned http_port(const struct http *h);

void http_set_time(struct http *h, uint64_t now_ms);
void http_receive(struct http *h);
void http_expire(struct http *h);
void http_settle(struct http *h);
void http_reap(struct http *h);
/* A page, or a part of one, is to be sent by http_settle(). */
bool http_has_answers(const struct http *h);
/* A request waits that no descriptor will tell of: do not sleep. */
bool http_have_pending(const struct http *h);
/* When http_expire() has something to do: custody clock, UINT64_MAX never. */
uint64_t http_next_deadline_ms(const struct http *h);

/* This room's limits. */
extern const struct limit http_limits[];
extern const size_t http_limit_count;

#endif
