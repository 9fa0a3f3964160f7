/* check.c - does the store agree with itself? One walk over every table */
#include "store/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

/*
 * What is checked is what queue.c promises (its three invariants), that identities and history
 * point at each other, and that the counters and the meta record say what a recount says. The walk
 * reads one snapshot, or the open turn with all its changes so far.
 */
struct check {
	struct store *store;
	MDB_txn *txn;
	struct store_tally *tally;
	struct route_counters *counted;		/* of the routes so far; numbers beside */
	uint32_t numbers[CHECK_ROUTES_MAX];
	size_t route_count;
	char *why;
	size_t size;
};

__attribute__((format(printf, 2, 3)))
static int disagree(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, c->size, fmt, ap);
	va_end(ap);
	return ERR_CORRUPT;
}

/* Calls f for each row of a table until it returns other than 0. */
static int walk(struct check *c, enum table t,
    int (*f)(struct check *c, const uint8_t *key, const MDB_val *v))
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = 0;

	if (mdb_cursor_open(c->txn, c->store->tables[t], &cursor) != 0)
		return disagree(c, "a table cannot be read");
	while (rc == 0 && mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
		rc = f(c, k.mv_data, &v);
	mdb_cursor_close(cursor);
	return rc;
}

static struct route_counters *counters_of(struct check *c, uint32_t route)
{
	for (size_t n = 0; n < c->route_count; n++)
		if (c->numbers[n] == route)
			return &c->counted[n];
	if (c->route_count == CHECK_ROUTES_MAX)
		return NULL;
	c->numbers[c->route_count] = route;
	return &c->counted[c->route_count++];
}

static bool has_row(struct check *c, enum table t, struct key k)
{
	MDB_val v;

	return table_get(c->store, t, &k, &v);
}

static bool has_payload(struct check *c, uint64_t id, uint32_t bytes)
{
	const uint8_t *p;
	size_t n;

	return store_payload_get(c->store, id, false, &p, &n) == 0 && n == bytes;
}

/* --- queue and due --------------------------------------------------------------------------- */

static bool is_of_class(const struct batch *b, uint8_t class)
{
	static const enum queue_class ready[] = {
		[CLASS_CRITICAL] = QUEUE_READY_CRITICAL,
		[CLASS_NORMAL] = QUEUE_READY_NORMAL,
		[CLASS_SUSPECT] = QUEUE_READY_SUSPECT,
	};

	switch (b->state) {
	case BATCH_READY:
		return class == ready[batch_ready_class(b)];
	case BATCH_ASSIGNED:
		return class == QUEUE_ASSIGNED;
	case BATCH_WAITING:
		return class == QUEUE_WAITING;
	default:
		return false;
	}
}

static void count_queued(struct route_counters *n, const struct batch *b, uint8_t class)
{
	uint64_t *by_class[QUEUE_CLASS_COUNT] = {
		[QUEUE_READY_CRITICAL] = &n->ready_critical,
		[QUEUE_READY_NORMAL] = &n->ready_normal,
		[QUEUE_READY_SUSPECT] = &n->ready_suspect,
		[QUEUE_ASSIGNED] = &n->assigned,
		[QUEUE_WAITING] = &n->waiting,
	};

	++*by_class[class];
	n->bytes += b->payload_bytes;
}

static int check_queued(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long id = key_get64(key + 5);
	struct route_counters *n = counters_of(c, key_get32(key));
	struct identity where;
	struct batch b;

	c->tally->queued++;
	if (!n || key[4] >= QUEUE_CLASS_COUNT || batch_decode(v->mv_data, v->mv_size, &b) != 0)
		return disagree(c, "batch %llu has an unreadable record", id);
	if (b.id != id || b.route != key_get32(key) || !is_of_class(&b, key[4]))
		return disagree(c, "batch %llu stands in the queue's class %u as %s", id, key[4],
		    batch_state_name(b.state));
	if (!has_payload(c, b.id, b.payload_bytes))
		return disagree(c, "batch %llu has no payload of %u bytes", id, b.payload_bytes);
	if (b.state == BATCH_WAITING && !has_row(c, TABLE_DUE, key_due(b.due_ms, b.route, b.id)))
		return disagree(c, "batch %llu waits and is never due", id);
	store_identity_get(c->store, b.route, &b.batch_id, &where);
	if (where.kind != IDENTITY_LIVE || where.id != b.id)
		return disagree(c, "the identity of batch %llu leads elsewhere", id);
	count_queued(n, &b, key[4]);
	return 0;
}

static int check_due(struct check *c, const uint8_t *key, const MDB_val *v)
{
	(void)v;
	c->tally->due++;
	if (has_row(c, TABLE_QUEUE,
	    key_queue(key_get32(key + 8), QUEUE_WAITING, key_get64(key + 12))))
		return 0;
	return disagree(c, "batch %llu is due and does not wait",
	    (unsigned long long)key_get64(key + 12));
}

/* --- dead letters ---------------------------------------------------------------------------- */

static bool is_bare(const struct batch *b)
{
	return b->payload_bytes == 0;	/* its record was lost: store_batch_set_aside() */
}

static int check_dead(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long id = key_get64(key + 4);
	struct route_counters *n = counters_of(c, key_get32(key));
	struct identity where;
	struct batch b;
	struct ended e;

	(void)v;
	c->tally->dead++;
	if (!n || store_dead_get(c->store, key_get32(key), id, &b, &e) != 0)
		return disagree(c, "dead letter %llu has an unreadable record", id);
	if (b.id != id || b.state != BATCH_DEAD)
		return disagree(c, "dead letter %llu is recorded as %s", id,
		    batch_state_name(b.state));
	if (!e.dead) {
		n->partial_total++;
		return has_payload(c, id, b.payload_bytes) ? 0
		    : disagree(c, "partial dead letter %llu has no payload", id);
	}
	n->dead++;
	n->dead_bytes += b.payload_bytes;
	if (is_bare(&b))
		return 0;
	if (!has_payload(c, id, b.payload_bytes))
		return disagree(c, "dead letter %llu has no payload", id);
	store_identity_get(c->store, b.route, &b.batch_id, &where);
	if (where.kind != IDENTITY_DEAD || where.id != id)
		return disagree(c, "the identity of dead letter %llu leads elsewhere", id);
	return 0;
}

static int check_payload(struct check *c, const uint8_t *key, const MDB_val *v)
{
	(void)key;
	(void)v;
	c->tally->payloads++;
	return 0;
}

/* --- history --------------------------------------------------------------------------------- */

static int check_ended(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long notice = key_get64(key + 4);
	struct identity where;
	struct ended e;

	c->tally->ended++;
	if (ended_decode(v->mv_data, v->mv_size, &e) != 0)
		return disagree(c, "history row %llu is unreadable", notice);
	if (e.source != key_get32(key) || e.notice != notice || notice > c->store->meta.last_notice)
		return disagree(c, "history row %llu says it is %llu of instance %u", notice,
		    (unsigned long long)e.notice, e.source);
	store_identity_get(c->store, e.route, &e.batch_id, &where);
	if (e.dead ? where.kind != IDENTITY_DEAD || where.id != e.id
	    : where.kind != IDENTITY_ENDED || where.source != e.source || where.notice != notice)
		return disagree(c, "the identity of history row %llu leads elsewhere", notice);
	c->tally->history_bytes += history_cost(v->mv_size);
	return 0;
}

static int check_identity(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct uuid batch_id;
	struct identity where;
	struct batch b;

	(void)v;
	c->tally->identities++;
	memcpy(batch_id.b, key + 4, sizeof batch_id.b);
	store_identity_get(c->store, key_get32(key), &batch_id, &where);
	if (where.kind == IDENTITY_LIVE &&
	    store_batch_find(c->store, key_get32(key), where.id, &b) == 0)
		return 0;
	if (where.kind == IDENTITY_DEAD &&
	    has_row(c, TABLE_DEAD, key_route_id(key_get32(key), where.id)))
		return 0;
	if (where.kind == IDENTITY_ENDED &&
	    has_row(c, TABLE_ENDED, key_ended(where.source, where.notice)))
		return 0;
	return disagree(c, "an identity of kind %d leads nowhere", where.kind);
}

/* --- the numbers that are kept --------------------------------------------------------------- */

static bool is_recount(const struct route_counters *kept, const struct route_counters *n)
{
	return kept->ready_critical == n->ready_critical && kept->ready_normal == n->ready_normal &&
	    kept->ready_suspect == n->ready_suspect && kept->assigned == n->assigned &&
	    kept->waiting == n->waiting && kept->dead == n->dead && kept->bytes == n->bytes &&
	    kept->dead_bytes == n->dead_bytes && kept->partial_total == n->partial_total;
}

static bool check_counters(void *arg, uint32_t number, const char *name,
    const struct route_counters *kept)
{
	struct check *c = arg;
	struct route_counters *n = counters_of(c, number);
	uint64_t held = kept->ready_critical + kept->ready_normal + kept->ready_suspect +
			kept->assigned + kept->waiting;

	if (!n || !is_recount(kept, n))
		disagree(c, "the counters of route %s are not what a recount gives", name);
	else if (kept->received_total != held + kept->processed_total + kept->dead_total)
		disagree(c,
		    "on route %s %llu were received, %llu processed, %llu are dead, %llu held",
		    name, (unsigned long long)kept->received_total,
		    (unsigned long long)kept->processed_total,
		    (unsigned long long)kept->dead_total, (unsigned long long)held);
	return c->why[0] == '\0';
}

static int check_totals(struct check *c)
{
	const struct store_tally *t = c->tally;
	uint64_t waiting = 0;

	for (size_t n = 0; n < c->route_count; n++)
		waiting += c->counted[n].waiting;
	if (t->due != waiting)
		return disagree(c, "%llu batches are due, %llu wait", (unsigned long long)t->due,
		    (unsigned long long)waiting);
	if (t->payloads != t->queued + t->dead)
		return disagree(c, "%llu payloads, %llu batches, %llu dead letters",
		    (unsigned long long)t->payloads, (unsigned long long)t->queued,
		    (unsigned long long)t->dead);
	if (t->history_bytes != c->store->meta.history_bytes)
		return disagree(c, "history is %llu bytes, the store says %llu",
		    (unsigned long long)t->history_bytes,
		    (unsigned long long)c->store->meta.history_bytes);
	store_route_walk(c->store, check_counters, c);
	return c->why[0] ? ERR_CORRUPT : 0;
}

int store_check(struct store *s, struct store_tally *tally, char *why, size_t size)
{
	struct route_counters counted[CHECK_ROUTES_MAX] = { 0 };
	struct check c = { .store = s, .txn = store_reader(s), .tally = tally, .counted = counted,
		.why = why, .size = size };
	int rc;

	*tally = (struct store_tally){ 0 };
	why[0] = '\0';
	if (!c.txn)
		return ERR_IO;
	if ((rc = walk(&c, TABLE_QUEUE, check_queued)) == 0 &&
	    (rc = walk(&c, TABLE_DUE, check_due)) == 0 &&
	    (rc = walk(&c, TABLE_DEAD, check_dead)) == 0 &&
	    (rc = walk(&c, TABLE_PAYLOAD, check_payload)) == 0 &&
	    (rc = walk(&c, TABLE_ENDED, check_ended)) == 0 &&
	    (rc = walk(&c, TABLE_IDENTITY, check_identity)) == 0)
		rc = check_totals(&c);
	return rc;
}
