/* check.c - does the store agree with itself? One walk over every table: custody, dead letters */
#include "store/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/check_internal.h"

/*
 * What is checked is what queue.c promises (its invariants), that identities and history point at
 * each other, that a journal or a confirmation has something to belong to, and that the counters
 * and the meta record say what a recount says. The walk reads one snapshot, or the open turn with
 * all its changes so far.
 */
int store_disagree(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, c->size, fmt, ap);
	va_end(ap);
	return ERR_CORRUPT;
}

static bool is_rising(const MDB_val *before, const MDB_val *k)
{
	size_t n = before->mv_size < k->mv_size ? before->mv_size : k->mv_size;
	int rc = n > 0 ? memcmp(before->mv_data, k->mv_data, n) : 0;

	return rc < 0 || (rc == 0 && before->mv_size < k->mv_size);
}

static int check_row_count(struct check *c, enum table t, size_t rows)
{
	MDB_stat stat;

	if (mdb_stat(c->txn, c->store->tables[t], &stat) != 0)
		return store_disagree(c, "a table cannot be read");
	return rows == stat.ms_entries ? 0
	    : store_disagree(c, "table %d has %zu rows, and not %zu", t, rows,
		  stat.ms_entries);
}

/* Calls f for each row of a table until it returns other than 0. None may be lost or misplaced. */
int store_walk(struct check *c, enum table t,
    int (*f)(struct check *c, const uint8_t *key, const MDB_val *v))
{
	MDB_val k, v, before = { 0, "" };	/* nothing comes before that */
	struct key first = { .n = 0 };
	struct table_walk walk;
	size_t rows = 0;
	int rc = 0;

	if (!table_walk_begin(c->store, t, &first, &walk))
		return store_disagree(c, "a table cannot be read");
	c->latest = 0;
	for (; rc == 0 && table_walk_next(&walk, &k, &v); rows++, before = k) {
		if (!is_rising(&before, &k))
			rc = store_disagree(c, "the keys of table %d do not rise", t);
		c->key_size = k.mv_size;
		if (rc == 0)
			rc = f(c, k.mv_data, &v);
	}
	table_walk_end(&walk);
	return rc == 0 ? check_row_count(c, t, rows) : rc;
}

void store_ids_add(struct id_set *set, uint64_t id)
{
	if (set->count == set->capacity) {
		set->capacity = set->capacity ? 2 * set->capacity : 256;
		set->ids = xrealloc(set->ids, set->capacity * sizeof *set->ids);
	}
	set->ids[set->count++] = id;
	set->sorted = false;
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

bool store_ids_has(struct id_set *set, uint64_t id)
{
	if (set->count == 0)
		return false;
	if (!set->sorted)
		qsort(set->ids, set->count, sizeof *set->ids, compare_ids);
	set->sorted = true;
	return bsearch(&id, set->ids, set->count, sizeof *set->ids, compare_ids);
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

bool store_has_row(struct check *c, enum table t, struct key k)
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

/* --- custody --------------------------------------------------------------------------------- */

static bool is_of_class(const struct batch *b, uint8_t class)
{
	static const enum queue_class ready[] = {
		[CLASS_CRITICAL] = QUEUE_READY_CRITICAL,
		[CLASS_NORMAL] = QUEUE_READY_NORMAL,
		[CLASS_SUSPECT] = QUEUE_READY_SUSPECT,
		[CLASS_HELD] = QUEUE_READY_HELD,
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
		[QUEUE_READY_HELD] = &n->ready_held,
		[QUEUE_ASSIGNED] = &n->assigned,
		[QUEUE_WAITING] = &n->waiting,
	};

	++*by_class[class];
	n->derived_queued += b->derived;
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
		return store_disagree(c, "batch %llu has an unreadable record", id);
	if (b.id != id || b.route != key_get32(key) || !is_of_class(&b, key[4]))
		return store_disagree(c, "batch %llu stands in the queue's class %u as %s", id,
				      key[4], batch_state_name(b.state));
	if (!has_payload(c, b.id, b.payload_bytes))
		return store_disagree(c, "batch %llu has no payload of %u bytes", id,
				      b.payload_bytes);
	if (b.state == BATCH_WAITING &&
	    !store_has_row(c, TABLE_DUE, key_due(b.due_ms, b.route, b.id)))
		return store_disagree(c, "batch %llu waits and is never due", id);
	if (b.ordered && !store_has_row(c, TABLE_SERIES, key_series(b.route, b.series, b.id)))
		return store_disagree(c, "batch %llu is ordered and in no series", id);
	store_identity_get(c->store, b.route, &b.batch_id, &where);
	if (where.kind != IDENTITY_LIVE || where.id != b.id)
		return store_disagree(c, "the identity of batch %llu leads elsewhere", id);
	count_queued(n, &b, key[4]);
	c->ordered += b.ordered;
	if (b.journalled)
		store_ids_add(&c->journalled, b.id);
	return 0;
}

static int check_due(struct check *c, const uint8_t *key, const MDB_val *v)
{
	c->tally->due++;
	if (v->mv_size == 0 && store_has_row(c, TABLE_QUEUE,
	    key_queue(key_get32(key + 8), QUEUE_WAITING, key_get64(key + 12))))
		return 0;
	return store_disagree(c, "batch %llu is due and does not wait",
	    (unsigned long long)key_get64(key + 12));
}

static int check_series(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long id = key_get64(key + 8);
	struct batch b;

	c->tally->series++;
	if (v->mv_size == 0 && store_batch_find(c->store, key_get32(key), id, &b) == 0 && b.ordered &&
	    b.series == key_get32(key + 4))
		return 0;
	return store_disagree(c, "batch %llu stands in a series that is not its", id);
}

/* --- dead letters ---------------------------------------------------------------------------- */

/* Its record was lost (store_batch_set_aside()): only its payload says how large it is. */
static void count_bare(struct check *c, struct route_counters *n, uint64_t id)
{
	const uint8_t *p;
	size_t bytes = 0;

	c->bare[n - c->counted]++;
	if (store_payload_get(c->store, id, false, &p, &bytes) != 0)
		c->without_payload++;
	n->dead++;
	n->dead_bytes += bytes;
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
	store_ids_add(&c->journalled, id);
	if (!n || store_dead_get(c->store, key_get32(key), id, &b, &e) != 0)
		return store_disagree(c, "dead letter %llu has an unreadable record", id);
	if (b.id != id || b.state != BATCH_DEAD)
		return store_disagree(c, "dead letter %llu is recorded as %s", id,
		    batch_state_name(b.state));
	if (b.payload_bytes == 0) {
		count_bare(c, n, id);
		return 0;
	}
	++*(b.derived ? &n->derived_dead : &n->dead);
	n->dead_bytes += b.payload_bytes;
	if (!has_payload(c, id, b.payload_bytes))
		return store_disagree(c, "dead letter %llu has no payload", id);
	if (e.partial)			/* the identity is the end's */
		return b.derived ? 0 : store_disagree(c, "partial letter %llu is not derived", id);
	store_identity_get(c->store, b.route, &b.batch_id, &where);
	if (where.kind != IDENTITY_DEAD || where.id != id)
		return store_disagree(c, "the identity of dead letter %llu leads elsewhere", id);
	return 0;
}

static int check_payload(struct check *c, const uint8_t *key, const MDB_val *v)
{
	(void)key;
	(void)v;
	c->tally->payloads++;
	return 0;
}

/* A row that something else looks at: here it only counts. */
static int check_nothing(struct check *c, const uint8_t *key, const MDB_val *v)
{
	(void)c;
	(void)key;
	(void)v;
	return 0;
}

/* --- the numbers that are kept --------------------------------------------------------------- */

static uint64_t queued(const struct route_counters *n)
{
	return n->ready_critical + n->ready_normal + n->ready_suspect + n->ready_held +
	    n->assigned + n->waiting;
}

/* Whether a batch whose record was lost was a derived one, nobody knows any more. */
static bool is_recount(const struct route_counters *kept, const struct route_counters *n,
    uint64_t bare)
{
	return kept->ready_critical == n->ready_critical && kept->ready_normal == n->ready_normal &&
	    kept->ready_suspect == n->ready_suspect && kept->ready_held == n->ready_held &&
	    kept->assigned == n->assigned && kept->waiting == n->waiting && kept->dead == n->dead &&
	    kept->bytes == n->bytes && kept->dead_bytes == n->dead_bytes &&
	    kept->derived_dead == n->derived_dead && kept->derived_queued >= n->derived_queued &&
	    kept->derived_queued <= n->derived_queued + bare;
}

static bool check_balance(struct check *c, const char *name, const struct route_counters *n)
{
	uint64_t came = n->received_total + n->imported_total;
	uint64_t went = n->processed_total + n->dead + n->purged_total + queued(n) -
	    n->derived_queued;
	uint64_t accounted = n->derived_ended_total + n->derived_dead + n->derived_purged_total +
	    n->derived_queued;

	if (came != went)
		store_disagree(c, "on route %s %llu batches came and %llu are accounted for", name,
		    (unsigned long long)came, (unsigned long long)went);
	else if (n->derived_total != accounted)
		store_disagree(
			c, "on route %s %llu letters were derived and %llu are accounted for", name,
			(unsigned long long)n->derived_total, (unsigned long long)accounted);
	return c->why[0] == '\0';
}

static bool check_counters(void *arg, uint32_t number, const char *name,
    const struct route_counters *kept)
{
	struct check *c = arg;
	struct route_counters *n = counters_of(c, number);

	if (n && is_recount(kept, n, c->bare[n - c->counted]))
		return check_balance(c, name, kept);
	store_disagree(c, "the counters of route %s are not what a recount gives", name);
	return false;
}

static int check_equal(struct check *c, const char *what, uint64_t found, uint64_t expected)
{
	return found == expected ? 0
	    : store_disagree(c, "%s: %llu, and not %llu", what, (unsigned long long)found,
		  (unsigned long long)expected);
}

static int check_totals(struct check *c)
{
	const struct store_tally *t = c->tally;
	const struct meta *m = &c->store->meta;
	uint64_t waiting = 0;
	int rc;

	for (size_t n = 0; n < c->route_count; n++)
		waiting += c->counted[n].waiting;
	if ((rc = check_equal(c, "batches that are due, or wait", t->due, waiting)) != 0 ||
	    (rc = check_equal(c, "batches in a series, or ordered", t->series, c->ordered)) != 0 ||
	    (rc = check_equal(c, "payloads of batches and dead letters", t->payloads,
	         t->queued + t->dead - c->without_payload)) != 0 ||
	    (rc = check_equal(c, "confirmations that are due, or awaited", t->confirm_due,
	         c->awaited)) != 0 ||
	    (rc = check_equal(c, "rows in the indexes of errors", c->error_index_rows,
	         c->error_rows)) != 0 ||
	    (rc = check_equal(c, "errors", t->errors, store_error_count(c->store))) != 0 ||
	    (rc = check_equal(c, "alerts", t->alerts, store_alert_count(c->store))) != 0 ||
	    (rc = check_equal(c, "bytes of history", t->history_bytes, m->history_bytes)) != 0 ||
	    (rc = check_equal(c, "bytes of aliases", c->alias_bytes, m->alias_bytes)) != 0)
		return rc;
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
	if ((rc = store_walk(&c, TABLE_QUEUE, check_queued)) == 0 &&
	    (rc = store_walk(&c, TABLE_DUE, check_due)) == 0 &&
	    (rc = store_walk(&c, TABLE_SERIES, check_series)) == 0 &&
	    (rc = store_walk(&c, TABLE_DEAD, check_dead)) == 0 &&
	    (rc = store_walk(&c, TABLE_PAYLOAD, check_payload)) == 0 &&
	    (rc = store_walk(&c, TABLE_META, check_nothing)) == 0 &&
	    (rc = store_walk(&c, TABLE_ROUTE, check_nothing)) == 0 &&
	    (rc = store_check_history(&c)) == 0)
		rc = check_totals(&c);
	free(c.journalled.ids);
	free(c.confirmed.ids);
	return rc;
}
