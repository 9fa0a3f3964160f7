/* queue.c - a batch in custody: the arrows of its life, each in the turn's transaction */
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "store/internal.h"

/*
 * Invariants, kept by these functions and by nothing else:
 *
 *  1. A batch that has not ended has exactly one row: in `queue` under the class that its state and
 *     flags say, or in `dead`.
 *  2. It has a row in `due` exactly while it is WAITING.
 *  3. It has a payload and an identity from its insertion until its end; a dead letter keeps both.
 */

enum ready_class batch_ready_class(const struct batch *b)
{
	if (b->suspect)
		return CLASS_SUSPECT;
	return b->critical ? CLASS_CRITICAL : CLASS_NORMAL;
}

static const enum queue_class ready_classes[] = {
	[CLASS_CRITICAL] = QUEUE_READY_CRITICAL,
	[CLASS_NORMAL] = QUEUE_READY_NORMAL,
	[CLASS_SUSPECT] = QUEUE_READY_SUSPECT,
};

static enum queue_class class_of(const struct batch *b)
{
	if (b->state == BATCH_ASSIGNED)
		return QUEUE_ASSIGNED;
	if (b->state == BATCH_WAITING)
		return QUEUE_WAITING;
	return ready_classes[batch_ready_class(b)];
}

static struct key queue_key(const struct batch *b)
{
	return key_queue(b->route, class_of(b), b->id);
}

static void queue_put(struct store *s, const struct batch *b)
{
	uint8_t bytes[BATCH_RECORD_MAX];
	struct key k = queue_key(b);

	table_put(s, TABLE_QUEUE, &k, bytes, batch_encode(b, bytes));
}

/* --- payload: crc(4) in front of the frame's body ------------------------------------------- */

#define PAYLOAD_HEAD 4

static void payload_put(struct store *s, uint64_t id, const uint8_t *p, size_t n)
{
	MDB_txn *txn = store_writer(s);
	struct key k = key_id(id);
	MDB_val key = { k.n, k.b }, value = { PAYLOAD_HEAD + n, NULL };

	if (!txn)
		return;
	s->operations++;
	s->pages_used += n / s->page_size + 4;
	int rc = mdb_put(txn, s->tables[TABLE_PAYLOAD], &key, &value, MDB_RESERVE | MDB_APPEND);
	if (rc != 0) {
		store_failed(s, rc, "put payload");
		return;
	}
	uint32_t crc = crc32c(0, p, n);
	memcpy(value.mv_data, &crc, PAYLOAD_HEAD);
	memcpy((uint8_t *)value.mv_data + PAYLOAD_HEAD, p, n);
	s->payload_copies++;
}

int store_payload_get(struct store *s, uint64_t id, bool verify, const uint8_t **p, size_t *n)
{
	struct key k = key_id(id);
	uint32_t crc;
	MDB_val v;

	if (!table_get(s, TABLE_PAYLOAD, &k, &v))
		return ERR_NOTFOUND;
	if (v.mv_size <= PAYLOAD_HEAD)
		return ERR_CORRUPT;
	*p = (const uint8_t *)v.mv_data + PAYLOAD_HEAD;
	*n = v.mv_size - PAYLOAD_HEAD;
	memcpy(&crc, v.mv_data, PAYLOAD_HEAD);
	return verify && crc != crc32c(0, *p, *n) ? ERR_CORRUPT : 0;
}

/* --- identity: kind(1), then id(8), or source(4) notice(8) ---------------------------------- */

#define IDENTITY_BYTES 13

static void identity_put(struct store *s, uint32_t route, const struct uuid *batch_id,
    const struct identity *i)
{
	struct key k = key_identity(route, batch_id);
	struct key value = i->kind == IDENTITY_ENDED ? key_ended(i->source, i->notice)
	                                             : key_id(i->id);
	uint8_t bytes[IDENTITY_BYTES];

	bytes[0] = (uint8_t)i->kind;
	memcpy(bytes + 1, value.b, value.n);
	table_put(s, TABLE_IDENTITY, &k, bytes, 1u + value.n);
}

void store_identity_get(struct store *s, uint32_t route, const struct uuid *batch_id,
    struct identity *out)
{
	struct key k = key_identity(route, batch_id);
	MDB_val v;

	*out = (struct identity){ .kind = IDENTITY_NONE };
	if (!table_get(s, TABLE_IDENTITY, &k, &v))
		return;
	const uint8_t *p = v.mv_data;
	if (v.mv_size == 9 && (p[0] == IDENTITY_LIVE || p[0] == IDENTITY_DEAD)) {
		out->kind = (enum identity_kind)p[0];
		out->id = key_get64(p + 1);
	} else if (v.mv_size == IDENTITY_BYTES && p[0] == IDENTITY_ENDED) {
		out->kind = IDENTITY_ENDED;
		out->source = key_get32(p + 1);
		out->notice = key_get64(p + 5);
	} else {
		store_failed(s, MDB_CORRUPTED, "read identity");
	}
}

/* --- dead letters --------------------------------------------------------------------------- */

/* A dead letter's row: the batch's record behind its length, then the end it was told with. */
static void dead_put(struct store *s, const struct batch *from, const struct ended *e)
{
	uint8_t bytes[2 + BATCH_RECORD_MAX + ENDED_RECORD_MAX];
	struct key k = key_route_id(from->route, from->id);
	struct batch b = *from;

	b.state = BATCH_DEAD;
	size_t n = batch_encode(&b, bytes + 2);
	bytes[0] = (uint8_t)(n >> 8);
	bytes[1] = (uint8_t)n;
	n += 2 + ended_encode(e, bytes + 2 + n);
	table_put(s, TABLE_DEAD, &k, bytes, n);
}

/* The end that a dead letter was told with is another row now. */
static void dead_retell(struct store *s, const struct ended *e)
{
	struct batch b;
	struct ended told;

	if (store_dead_get(s, e->route, e->id, &b, &told) == 0)
		dead_put(s, &b, e);
}

/* --- history's rows, which are written once ------------------------------------------------- */

uint64_t history_cost(size_t row)
{
	return (row + 12 + 33 + 48) * 3 / 2;
}

static size_t ended_put(struct store *s, const struct ended *e)
{
	struct key k = key_ended(e->source, e->notice);
	size_t n = ended_encode(e, s->scratch);

	table_put(s, TABLE_ENDED, &k, s->scratch, n);
	s->meta.history_bytes += history_cost(n);
	return n;
}

int store_ended_next(struct store *s, uint32_t source, uint64_t after, struct ended *e)
{
	struct key k = key_ended(source, after + 1);
	MDB_val found, v;

	while (table_seek(s, TABLE_ENDED, &k, &found, &v) && key_get32(found.mv_data) == source) {
		uint64_t notice = key_get64((const uint8_t *)found.mv_data + 4);
		if (ended_decode(v.mv_data, v.mv_size, e) == 0)
			return 0;
		log_error("history row does not match its checksum", "notice=%llu",
		    (unsigned long long)notice);
		k = key_ended(source, notice + 1);
	}
	return ERR_NOTFOUND;
}

int store_ended_get(struct store *s, uint32_t source, uint64_t notice, struct ended *e)
{
	struct key k = key_ended(source, notice);
	MDB_val v;

	if (!table_get(s, TABLE_ENDED, &k, &v))
		return ERR_NOTFOUND;
	return ended_decode(v.mv_data, v.mv_size, e);
}

static void ended_forget(struct store *s, const struct ended *e)
{
	struct key k = key_ended(e->source, e->notice);
	size_t n = ended_encode(e, s->scratch);
	uint64_t cost = history_cost(n);

	table_del(s, TABLE_ENDED, &k);
	s->meta.history_bytes -= cost < s->meta.history_bytes ? cost : s->meta.history_bytes;
}

static void identity_point_at(struct store *s, const struct ended *e)
{
	identity_put(s, e->route, &e->batch_id, &(struct identity){
	    .kind = IDENTITY_ENDED, .source = e->source, .notice = e->notice });
}

void store_ended_move(struct store *s, const struct ended *from, uint32_t source, uint64_t notice)
{
	uint8_t errors[RECORD_ERRORS_MAX];
	struct ended e = *from;

	if (e.errors_len) {	/* they stand in a page that the changes below may take away */
		memcpy(errors, e.errors, e.errors_len);
		e.errors = errors;
	}
	ended_forget(s, &e);
	e.source = source;
	e.notice = notice;
	ended_put(s, &e);
	if (e.dead || e.partial)
		dead_retell(s, &e);
	if (!e.dead)
		identity_point_at(s, &e);
}

void store_ended_del(struct store *s, const struct ended *e)
{
	struct ended copy = *e;

	if (!e->dead) {
		struct key k = key_identity(e->route, &e->batch_id);
		table_del(s, TABLE_IDENTITY, &k);
	}
	ended_forget(s, &copy);
}

/* --- the arrows ----------------------------------------------------------------------------- */

void store_batch_insert(struct store *s, const struct batch *b, const uint8_t *payload, size_t n)
{
	payload_put(s, b->id, payload, n);
	queue_put(s, b);
	identity_put(s, b->route, &b->batch_id,
	    &(struct identity){ .kind = IDENTITY_LIVE, .id = b->id });
}

static void leave_queue(struct store *s, const struct batch *b)
{
	struct key k = queue_key(b);

	table_del(s, TABLE_QUEUE, &k);
	if (b->state == BATCH_WAITING) {
		struct key due = key_due(b->due_ms, b->route, b->id);
		table_del(s, TABLE_DUE, &due);
	}
}

void store_batch_move(struct store *s, const struct batch *from, const struct batch *b)
{
	struct key was = queue_key(from), is = queue_key(b);

	if (memcmp(was.b, is.b, is.n) != 0 || b->state == BATCH_WAITING)
		leave_queue(s, from);
	queue_put(s, b);
	if (b->state == BATCH_WAITING) {
		struct key due = key_due(b->due_ms, b->route, b->id);
		table_put(s, TABLE_DUE, &due, NULL, 0);
	}
}

void store_batch_end(struct store *s, const struct batch *from, const struct ended *e)
{
	struct key k = key_id(from->id);

	leave_queue(s, from);
	table_del(s, TABLE_PAYLOAD, &k);
	ended_put(s, e);
	identity_point_at(s, e);
}

void store_batch_bury(struct store *s, const struct batch *from, const struct ended *e)
{
	leave_queue(s, from);
	dead_put(s, from, e);
	ended_put(s, e);
	identity_put(s, from->route, &from->batch_id,
	    &(struct identity){ .kind = IDENTITY_DEAD, .id = from->id });
}

void store_batch_end_partly(struct store *s, const struct batch *from, const struct ended *e)
{
	leave_queue(s, from);
	dead_put(s, from, e);
	ended_put(s, e);
	identity_point_at(s, e);
}

void store_batch_set_aside(struct store *s, const struct batch *b)
{
	struct key k = queue_key(b);
	struct ended e = { .route = b->route, .id = b->id, .dead = true };
	MDB_val v;

	if (table_get(s, TABLE_QUEUE, &k, &v))
		leave_queue(s, b);
	dead_put(s, b, &e);
}

int store_dead_get(struct store *s, uint32_t route, uint64_t id, struct batch *b, struct ended *e)
{
	struct key k = key_route_id(route, id);
	MDB_val v;

	if (!table_get(s, TABLE_DEAD, &k, &v))
		return ERR_NOTFOUND;
	const uint8_t *p = v.mv_data;
	size_t n = v.mv_size < 2 ? SIZE_MAX : (size_t)p[0] << 8 | p[1];
	if (n > v.mv_size - 2)
		return ERR_CORRUPT;
	int rc = batch_decode(p + 2, n, b);
	return rc != 0 ? rc : ended_decode(p + 2 + n, v.mv_size - 2 - n, e);
}

/* --- finding -------------------------------------------------------------------------------- */

int store_batch_find(struct store *s, uint32_t route, uint64_t id, struct batch *b)
{
	MDB_val v;

	for (int class = 0; class < QUEUE_CLASS_COUNT; class++) {
		struct key k = key_queue(route, (enum queue_class)class, id);
		if (table_get(s, TABLE_QUEUE, &k, &v))
			return batch_decode(v.mv_data, v.mv_size, b);
	}
	return ERR_NOTFOUND;
}

/* A row of the queue; of a damaged one what its key says. */
static int queue_read(const MDB_val *v, uint32_t route, enum queue_class class, uint64_t id,
    struct batch *b)
{
	int rc = batch_decode(v->mv_data, v->mv_size, b);

	if (rc != 0)
		*b = (struct batch){
			.state = class == QUEUE_ASSIGNED ? BATCH_ASSIGNED
			    : class == QUEUE_WAITING	 ? BATCH_WAITING
							 : BATCH_READY,
			.id = id,
			.route = route,
			.critical = class == QUEUE_READY_CRITICAL,
			.suspect = class == QUEUE_READY_SUSPECT,
		};
	return rc;
}

/* The first row of a route's class with an id of at least `id`. */
static int queue_first(struct store *s, uint32_t route, enum queue_class class, uint64_t id,
    struct batch *b)
{
	struct key k = key_queue(route, class, id);
	MDB_val found, v;

	if (!table_seek(s, TABLE_QUEUE, &k, &found, &v) || memcmp(found.mv_data, k.b, 5) != 0)
		return ERR_NOTFOUND;
	return queue_read(&v, route, class, key_get64((const uint8_t *)found.mv_data + 5), b);
}

int store_ready_first(struct store *s, uint32_t route, enum ready_class class, struct batch *b)
{
	return queue_first(s, route, ready_classes[class], 0, b);
}

int store_assigned_next(struct store *s, uint32_t route, uint64_t after, struct batch *b)
{
	return queue_first(s, route, QUEUE_ASSIGNED, after + 1, b);
}

int store_due_first(struct store *s, uint64_t now_ms, struct batch *b, uint64_t *next_ms)
{
	struct key k = key_due(0, 0, 0);
	MDB_val found, v;

	*next_ms = UINT64_MAX;
	if (!table_seek(s, TABLE_DUE, &k, &found, &v))
		return ERR_NOTFOUND;
	const uint8_t *p = found.mv_data;
	uint64_t due_ms = key_get64(p);
	uint32_t route = key_get32(p + 8);
	uint64_t id = key_get64(p + 12);
	if (due_ms > now_ms) {
		*next_ms = due_ms;
		return ERR_NOTFOUND;
	}
	struct key at = key_queue(route, QUEUE_WAITING, id);
	if (!table_get(s, TABLE_QUEUE, &at, &v))
		v = (MDB_val){ 0, NULL };
	int rc = queue_read(&v, route, QUEUE_WAITING, id, b);
	b->due_ms = due_ms;
	return rc;
}
