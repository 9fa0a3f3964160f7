/* queue.c - a batch in custody: the arrows of its life, each in the turn's transaction */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/failpoint.h"
#include "store/internal.h"

/*
 * Invariants, kept by these functions and those of letter.c:
 *
 *  1. A batch that has not ended has exactly one row: in `queue` under the class that its state and
 *     flags say, or in `dead`.
 *  2. It has a row in `due` exactly while it is WAITING.
 *  3. It has a row in `series` exactly while it is in `queue` and `ordered`.
 *  4. It has a payload and an identity from its insertion until its end; a dead letter keeps both.
 */

enum ready_class batch_ready_class(const struct batch *b)
{
	if (b->held)
		return CLASS_HELD;
	if (b->suspect)
		return CLASS_SUSPECT;
	return b->critical ? CLASS_CRITICAL : CLASS_NORMAL;
}

static const enum queue_class ready_classes[] = {
	[CLASS_CRITICAL] = QUEUE_READY_CRITICAL,
	[CLASS_NORMAL] = QUEUE_READY_NORMAL,
	[CLASS_SUSPECT] = QUEUE_READY_SUSPECT,
	[CLASS_HELD] = QUEUE_READY_HELD,
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

/* Over the id as well: LMDB keeps large rows by the number of a page, which may rot. */
#define PAYLOAD_HEAD 4

static uint32_t payload_crc(uint64_t id, const uint8_t *p, size_t n)
{
	struct key k = key_id(id);

	return crc32c(crc32c(0, k.b, k.n), p, n);
}

/* In pieces that are still in the processor's cache when they are read again. Returns the crc. */
static uint32_t payload_copy(uint8_t *to, uint64_t id, const uint8_t *p, size_t n)
{
	enum { PIECE = 32 * 1024 };
	uint32_t crc = payload_crc(id, p, 0);

	for (size_t at = 0; at < n; at += PIECE) {
		size_t piece = n - at < PIECE ? n - at : PIECE;
		memcpy(to + at, p + at, piece);
		crc = crc32c(crc, p + at, piece);
	}
	return crc;
}

void payload_put(struct store *s, uint64_t id, const uint8_t *p, size_t n)
{
	struct key k = key_id(id);
	uint8_t *row = table_reserve(s, TABLE_PAYLOAD, &k, PAYLOAD_HEAD + n, MDB_APPEND);

	if (!row)
		return;
	uint32_t crc = payload_copy(row + PAYLOAD_HEAD, id, p, n);
	memcpy(row, &crc, PAYLOAD_HEAD);
	s->payload_copies++;
}

/*
 * A row that shares its page is deleted in a copy of it, in memory until the checkpoint. What came
 * since the last one is there anyhow, and leaves its room to what comes next.
 */
void payload_del(struct store *s, const struct key *k, size_t n)
{
	table_del(s, TABLE_PAYLOAD, k);
	s->bytes_freed += n;
	if (n < s->page_size / 2 && key_get64(k->b) <= s->checkpoint_id)
		s->bytes_touched += n;
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
	return verify && crc != payload_crc(id, *p, *n) ? ERR_CORRUPT : 0;
}

static void payload_reseal(uint8_t *row, size_t n, uint64_t from, uint64_t to)
{
	uint32_t crc;

	if (n < PAYLOAD_HEAD)
		return;
	memcpy(&crc, row, PAYLOAD_HEAD);
	bool whole = crc == payload_crc(from, row + PAYLOAD_HEAD, n - PAYLOAD_HEAD);
	crc = payload_crc(to, row + PAYLOAD_HEAD, n - PAYLOAD_HEAD);
	if (!whole)
		crc = ~crc;
	memcpy(row, &crc, PAYLOAD_HEAD);
}

/* The copy is made first: a put may move the page that it is read from. */
void payload_move(struct store *s, uint64_t from, uint64_t to)
{
	struct key was = key_id(from), is = key_id(to);
	uint8_t *copy, *p;
	MDB_val v;

	if (!table_get(s, TABLE_PAYLOAD, &was, &v))
		return;
	if (!(copy = malloc(v.mv_size))) {
		store_failed(s, MDB_MAP_FULL, "copy payload");
		return;
	}
	size_t n = v.mv_size;
	memcpy(copy, v.mv_data, n);
	payload_reseal(copy, n, from, to);
	payload_del(s, &was, n);
	if ((p = table_reserve(s, TABLE_PAYLOAD, &is, n, MDB_APPEND)))
		memcpy(p, copy, n);
	s->payload_copies++;
	free(copy);
}

/* --- the arrows ----------------------------------------------------------------------------- */

static void due_put(struct store *s, const struct batch *b)
{
	if (b->state != BATCH_WAITING)
		return;
	struct key due = key_due(b->due_ms, b->route, b->id);
	table_put(s, TABLE_DUE, &due, NULL, 0);
}

void queue_enter(struct store *s, const struct batch *b)
{
	queue_put(s, b);
	due_put(s, b);
	if (b->ordered)
		series_put(s, b);
}

void store_batch_insert(struct store *s, const struct batch *b, const uint8_t *payload, size_t n)
{
	payload_put(s, b->id, payload, n);
	FAILPOINT("insert.middle");
	queue_enter(s, b);
	identity_put(s, b, IDENTITY_LIVE);
}

static void leave_class(struct store *s, const struct batch *b)
{
	struct key k = queue_key(b);

	table_del(s, TABLE_QUEUE, &k);
	if (b->state == BATCH_WAITING) {
		struct key due = key_due(b->due_ms, b->route, b->id);
		table_del(s, TABLE_DUE, &due);
	}
}

static void leave_queue(struct store *s, const struct batch *b)
{
	leave_class(s, b);
	if (b->ordered)
		series_del(s, b);
}

void store_batch_move(struct store *s, const struct batch *from, const struct batch *b)
{
	struct key was = queue_key(from), is = queue_key(b);

	if (memcmp(was.b, is.b, is.n) != 0 || b->state == BATCH_WAITING)
		leave_class(s, from);
	queue_put(s, b);
	due_put(s, b);
	if (from->ordered != b->ordered || from->series != b->series) {
		if (from->ordered)
			series_del(s, from);
		if (b->ordered)
			series_put(s, b);
	}
}

void store_batch_end(struct store *s, const struct batch *from, const struct ended *e)
{
	struct key k = key_id(from->id);

	leave_queue(s, from);
	payload_del(s, &k, from->payload_bytes);
	FAILPOINT("end.middle");
	ended_put(s, e);
	identity_end(s, from, e);
}

void store_batch_bury(struct store *s, const struct batch *from, const struct ended *e)
{
	leave_queue(s, from);
	FAILPOINT("bury.middle");
	letter_put(s, from, e);
	FAILPOINT("bury.letter");
	ended_put(s, e);
	identity_put(s, from, IDENTITY_DEAD);
}

void store_batch_end_partly(struct store *s, const struct batch *from, const struct ended *e)
{
	leave_queue(s, from);
	letter_put(s, from, e);
	FAILPOINT("partly.middle");
	ended_put(s, e);
	identity_end(s, from, e);
}

/* The row of `due` of a batch whose record, and with it the time, is lost. */
static void due_del_lost(struct store *s, const struct batch *b)
{
	struct key k = key_due(b->due_ms, b->route, b->id);
	MDB_val found, v;

	if (table_get(s, TABLE_DUE, &k, &v)) {
		table_del(s, TABLE_DUE, &k);
		return;
	}
	k = key_due(0, 0, 0);
	while (table_seek(s, TABLE_DUE, &k, &found, &v)) {
		uint64_t due_ms = key_get64(found.mv_data);
		uint32_t route = key_get32((const uint8_t *)found.mv_data + 8);
		uint64_t id = key_get64((const uint8_t *)found.mv_data + 12);

		k = key_due(due_ms, route, id);
		if (route == b->route && id == b->id) {
			table_del(s, TABLE_DUE, &k);
			return;
		}
		k = key_due(due_ms, route, id + 1);
	}
}

void store_batch_set_aside(struct store *s, const struct batch *b)
{
	struct key k = queue_key(b), dead = key_route_id(b->route, b->id);
	struct ended e = { .route = b->route, .id = b->id, .dead = true };
	MDB_val v;

	if (table_get(s, TABLE_QUEUE, &k, &v))
		table_del(s, TABLE_QUEUE, &k);
	if (b->state == BATCH_WAITING)
		due_del_lost(s, b);
	series_del_lost(s, b->route, b->id);
	if (!table_get(s, TABLE_DEAD, &dead, &v))
		letter_put(s, b, &e);
}

/* --- finding -------------------------------------------------------------------------------- */

/* A row of the queue; of a damaged one, or one under another's key, what its key says. */
static int queue_read(const MDB_val *v, uint32_t route, enum queue_class class, uint64_t id,
    struct batch *b)
{
	int rc = batch_decode(v->mv_data, v->mv_size, b);

	if (rc == 0 && (b->id != id || b->route != route || class_of(b) != class))
		rc = ERR_CORRUPT;
	if (rc != 0)
		*b = (struct batch){
			.state = class == QUEUE_ASSIGNED ? BATCH_ASSIGNED
			    : class == QUEUE_WAITING	 ? BATCH_WAITING
							 : BATCH_READY,
			.id = id,
			.route = route,
			.critical = class == QUEUE_READY_CRITICAL,
			.suspect = class == QUEUE_READY_SUSPECT,
			.held = class == QUEUE_READY_HELD,
		};
	return rc;
}

int store_batch_find(struct store *s, uint32_t route, uint64_t id, struct batch *b)
{
	static const enum queue_class rarest_last[QUEUE_CLASS_COUNT] = { QUEUE_READY_CRITICAL,
		QUEUE_READY_NORMAL, QUEUE_READY_SUSPECT, QUEUE_ASSIGNED, QUEUE_WAITING,
		QUEUE_READY_HELD };
	MDB_val v;

	for (int n = 0; n < QUEUE_CLASS_COUNT; n++) {
		struct key k = key_queue(route, rarest_last[n], id);
		if (table_get(s, TABLE_QUEUE, &k, &v))
			return queue_read(&v, route, rarest_last[n], id, b);
	}
	return ERR_NOTFOUND;
}

int store_queue_next(struct store *s, uint32_t route, struct batch *b)
{
	struct key k = b->state == BATCH_NEW ? key_queue(route, QUEUE_READY_CRITICAL, 0)
					     : key_queue(route, class_of(b), b->id + 1);
	MDB_val found, v;

	if (!table_seek(s, TABLE_QUEUE, &k, &found, &v) || memcmp(found.mv_data, k.b, 4) != 0)
		return ERR_NOTFOUND;
	const uint8_t *p = found.mv_data;
	return queue_read(&v, route, (enum queue_class)p[4], key_get64(p + 5), b);
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

int store_ready_next(struct store *s, uint32_t route, enum ready_class class, uint64_t after,
    struct batch *b)
{
	return queue_first(s, route, ready_classes[class], after + 1, b);
}

int store_assigned_next(struct store *s, uint32_t route, uint64_t after, struct batch *b)
{
	return queue_first(s, route, QUEUE_ASSIGNED, after + 1, b);
}

int store_due_first(struct store *s, uint64_t now_ms, struct batch *b, uint64_t *next_ms)
{
	struct due due;
	MDB_val v;

	if (!due_first(s, TABLE_DUE, now_ms, &due, next_ms))
		return ERR_NOTFOUND;
	struct key at = key_queue(due.route, QUEUE_WAITING, due.id);
	if (!table_get(s, TABLE_QUEUE, &at, &v))
		v = (MDB_val){ 0, NULL };
	int rc = queue_read(&v, due.route, QUEUE_WAITING, due.id, b);
	b->due_ms = due.time_ms;
	return rc;
}
