/* internal.h - what the files of this room share: the door, a connection, a look at the broker */
#ifndef HANDOFF_HTTP_INTERNAL_H
#define HANDOFF_HTTP_INTERNAL_H

#include <sys/queue.h>

#include "base/buf.h"
#include "core/inspect.h"
#include "core/measure.h"
#include "http/http.h"
#include "http/request.h"
#include "net/listener.h"
#include "net/watcher.h"

struct http_connection {
	LIST_ENTRY(http_connection) entry;
	struct http *all;
	int fd;				/* owned */
	struct watcher *watcher;
	bool is_ready;			/* its descriptor may be read */
	bool is_new;			/* it came while the loop slept */
	enum http_status status;	/* what its bytes so far are to be answered with */
	bool answered;			/* `out` has, or had, all that it gets */
	bool dead;			/* freed at the end of the turn */
	struct buf in, out;
	uint64_t due_ms;		/* custody clock: when its time is over */
};
LIST_HEAD(http_connection_list, http_connection);

struct http {
	struct ev_loop *loop;
	struct core *core;
	struct store *store;
	struct http_settings settings;
	struct listener *door;
	struct http_connection_list connections;
	size_t count;			/* of them, without the dead */
	uint64_t now_ms;
	int memory_fd;			/* owned: what the system says of our memory; -1 */
};

/* --- connection.c ----------------------------------------------------------------------------- */
void connection_create(struct http *h, int fd);
void connection_destroy(struct http_connection *c);
/* Nothing more is taken from it or sent to it; freed at the end of the turn. */
void connection_drop(struct http_connection *c);
void connection_begin_time(struct http_connection *c);
/* Reads what is there. */
void connection_receive(struct http_connection *c);
/* Its request is whole, or refused. */
bool connection_is_asking(const struct http_connection *c);
void connection_answer(struct http_connection *c);
void connection_expire(struct http_connection *c);
void connection_settle(struct http_connection *c);

/* --- answer.c: what a request is answered ----------------------------------------------------- */
/* Appends the whole answer to `out`; `status` is what http_request_parse() said. */
void answer_put(struct http *h, enum http_status status, const struct http_request *r,
    struct buf *out);

/* --- look.c: the broker at one time, for one answer ------------------------------------------- */
struct look {
	struct http *http;
	struct core *core;
	struct store *store;
	struct broker_facts facts;
	int64_t now_us;			/* wall clock */
	uint64_t store_free;
	size_t route_count, module_count;
	struct route_view *routes;	/* owned */
	struct queue_view *modules;	/* owned */
};
void look_begin(struct look *l, struct http *h);
void look_finish(struct look *l);
/* Why the broker is not ready, a word; NULL: it is. */
const char *ready_problem(const struct look *l);

/* --- health.c --------------------------------------------------------------------------------- */
enum http_status health_put(const struct look *l, struct buf *body);

/* --- metrics.c -------------------------------------------------------------------------------- */
void metrics_put(const struct look *l, struct buf *out);

/* --- memory.c --------------------------------------------------------------------------------- */
int memory_open(void);
/* Bytes of this process that are in memory; 0 when it cannot be known. */
uint64_t memory_resident(int fd);

#endif
