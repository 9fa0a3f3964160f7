/* custody.c - the model's batches and dead letters: one struct each, wherever they queue */
#include <string.h>

#include "model.h"

/* --- finding --------------------------------------------------------------------------------- */

struct kept_batch *model_batch(struct model *m, uint32_t route, uint64_t id)
{
	struct kept_batch *k;

	KEPT_EACH(k, m, KEPT_BATCHES)
		if (k->b.route == route && k->b.id == id)
			return k;
	return NULL;
}

struct kept_letter *model_letter(struct model *m, uint32_t route, uint64_t id)
{
	struct kept_letter *k;

	KEPT_EACH(k, m, KEPT_LETTERS)
		if (k->b.route == route && k->b.id == id)
			return k;
	return NULL;
}

struct kept_payload *model_payload(struct model *m, uint64_t id)
{
	struct kept_payload *k;

	KEPT_EACH(k, m, KEPT_PAYLOADS)
		if (k->id == id)
			return k;
	return NULL;
}

struct kept_identity *model_identity(struct model *m, uint32_t route, const struct uuid *batch_id)
{
	struct kept_identity *k;

	KEPT_EACH(k, m, KEPT_IDENTITIES)
		if (k->route == route && uuid_equal(&k->batch_id, batch_id))
			return k;
	return NULL;
}

static bool is_earlier(const struct kept_batch *k, const struct kept_batch *than)
{
	return !than || k->b.id < than->b.id;
}

struct kept_batch *model_ready_first(struct model *m, uint32_t route, enum ready_class class)
{
	struct kept_batch *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_BATCHES)
		if (k->b.route == route && k->b.state == BATCH_READY &&
		    batch_ready_class(&k->b) == class && is_earlier(k, first))
			first = k;
	return first;
}

/* By time, then by route, then by id. */
static bool is_due_before(const struct batch *a, const struct batch *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms;
	return a->route != b->route ? a->route < b->route : a->id < b->id;
}

struct kept_batch *model_due_first(struct model *m, uint64_t now_ms, uint64_t *next_ms)
{
	struct kept_batch *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_BATCHES)
		if (k->b.state == BATCH_WAITING && (!first || is_due_before(&k->b, &first->b)))
			first = k;
	*next_ms = first && first->b.due_ms > now_ms ? first->b.due_ms : UINT64_MAX;
	return first && first->b.due_ms <= now_ms ? first : NULL;
}

struct kept_batch *model_assigned_next(struct model *m, uint32_t route, uint64_t after)
{
	struct kept_batch *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_BATCHES)
		if (k->b.route == route && k->b.state == BATCH_ASSIGNED && k->b.id > after &&
		    is_earlier(k, first))
			first = k;
	return first;
}

/* READY by class, ASSIGNED, WAITING. */
static int place_of(const struct batch *b)
{
	if (b->state == BATCH_READY)
		return (int)batch_ready_class(b);
	return b->state == BATCH_NEW ? -1 : b->state == BATCH_ASSIGNED ? 100 : 101;
}

static bool queues_before(const struct batch *a, const struct batch *b)
{
	int x = place_of(a), y = place_of(b);

	return x != y ? x < y : a->id < b->id;
}

struct kept_batch *model_queue_next(struct model *m, uint32_t route, const struct batch *at)
{
	struct kept_batch *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_BATCHES)
		if (k->b.route == route && queues_before(at, &k->b) &&
		    (!first || queues_before(&k->b, &first->b)))
			first = k;
	return first;
}

struct kept_batch *model_series_first(struct model *m, uint32_t route, uint32_t series)
{
	struct kept_batch *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_BATCHES)
		if (k->b.route == route && k->b.ordered && k->b.series == series &&
		    is_earlier(k, first))
			first = k;
	return first;
}

uint32_t model_series_next(struct model *m, uint32_t route, uint32_t after)
{
	struct kept_batch *k;
	uint32_t next = 0;

	KEPT_EACH(k, m, KEPT_BATCHES)
		if (k->b.route == route && k->b.ordered && k->b.series > after &&
		    (next == 0 || k->b.series < next))
			next = k->b.series;
	return next;
}

struct kept_letter *model_dead_next(struct model *m, uint32_t route, uint64_t after)
{
	struct kept_letter *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_LETTERS)
		if (k->b.route == route && k->b.id > after && (!first || k->b.id < first->b.id))
			first = k;
	return first;
}

struct kept_identity *model_identity_next(struct model *m, uint32_t route, const struct uuid *from)
{
	struct kept_identity *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_IDENTITIES)
		if (k->route == route && memcmp(k->batch_id.b, from->b, sizeof from->b) >= 0 &&
		    (!first || memcmp(k->batch_id.b, first->batch_id.b, sizeof from->b) < 0))
			first = k;
	return first;
}

/* --- changes --------------------------------------------------------------------------------- */

static void point(struct model *m, uint32_t route, const struct uuid *batch_id,
    struct identity where)
{
	struct kept_identity *k = model_identity(m, route, batch_id);

	if (!k)
		k = model_add(m, KEPT_IDENTITIES, &(struct kept_identity){
			.route = route, .batch_id = *batch_id });
	k->where = where;
}

static void point_at_id(struct model *m, const struct batch *b, enum identity_kind kind)
{
	point(m, b->route, &b->batch_id, (struct identity){ .kind = kind, .id = b->id });
}

static void point_at_end(struct model *m, const struct ended *e)
{
	point(m, e->route, &e->batch_id, (struct identity){ .kind = IDENTITY_ENDED,
	    .source = e->source, .notice = e->notice });
}

void model_batch_insert(struct model *m, const struct batch *b, struct bytes payload)
{
	model_add(m, KEPT_BATCHES, &(struct kept_batch){ .b = *b });
	model_add(m, KEPT_PAYLOADS, &(struct kept_payload){ .id = b->id, .bytes = payload });
	point_at_id(m, b, IDENTITY_LIVE);
}

void model_batch_move(struct model *m, const struct batch *b)
{
	struct kept_batch *k = model_batch(m, b->route, b->id);

	k->b = *b;
	k->damaged = false;
}

static void leave(struct model *m, const struct batch *b)
{
	model_remove(m, KEPT_BATCHES, model_batch(m, b->route, b->id));
}

static void forget_payload(struct model *m, uint64_t id)
{
	struct kept_payload *k = model_payload(m, id);

	if (k)
		model_remove(m, KEPT_PAYLOADS, k);
}

static void keep_letter(struct model *m, const struct batch *from, const struct ended *e)
{
	struct kept_letter k = { .b = *from, .end = kept_end_of(e) };

	k.b.state = BATCH_DEAD;
	k.b.derived |= e->partial;
	model_add(m, KEPT_LETTERS, &k);
}

void model_batch_end(struct model *m, const struct batch *from, const struct ended *e)
{
	leave(m, from);
	forget_payload(m, from->id);
	model_end_add(m, e);
	point_at_end(m, e);
}

void model_batch_bury(struct model *m, const struct batch *from, const struct ended *e)
{
	leave(m, from);
	keep_letter(m, from, e);
	model_end_add(m, e);
	point_at_id(m, from, IDENTITY_DEAD);
}

void model_batch_end_partly(struct model *m, const struct batch *from, const struct ended *e)
{
	leave(m, from);
	keep_letter(m, from, e);
	model_end_add(m, e);
	point_at_end(m, e);
}

void model_batch_set_aside(struct model *m, const struct batch *b)
{
	leave(m, b);
	keep_letter(m, b, &(struct ended){ .route = b->route, .id = b->id, .dead = true });
}

void model_dead_insert(struct model *m, const struct batch *b, const struct ended *e,
    struct bytes payload)
{
	keep_letter(m, b, e);
	model_add(m, KEPT_PAYLOADS, &(struct kept_payload){ .id = b->id, .bytes = payload });
	point_at_id(m, b, IDENTITY_DEAD);
}

static void move_to(struct model *m, uint64_t from, uint64_t to)
{
	struct kept_line *line;

	model_payload(m, from)->id = to;
	KEPT_EACH(line, m, KEPT_LINES)
		if (line->id == from)
			line->id = to;
}

void model_dead_redrive(struct model *m, const struct batch *dead, const struct batch *b)
{
	model_remove(m, KEPT_LETTERS, model_letter(m, dead->route, dead->id));
	if (b->id != dead->id) {
		move_to(m, dead->id, b->id);
		model_confirm_forget_early(m, dead->route, dead->id);
	}
	model_add(m, KEPT_BATCHES, &(struct kept_batch){ .b = *b });
	point_at_id(m, b, IDENTITY_LIVE);
}

/* Of one whose record was lost, what is known is the id that something points at. */
static bool is_its_own(const struct kept_identity *k, const struct batch *dead)
{
	if (k->route != dead->route || k->where.id != dead->id)
		return false;
	if (dead->payload_bytes == 0)
		return k->where.kind == IDENTITY_LIVE || k->where.kind == IDENTITY_DEAD;
	return k->where.kind == IDENTITY_DEAD && uuid_equal(&k->batch_id, &dead->batch_id);
}

void model_dead_purge(struct model *m, const struct batch *dead)
{
	struct kept_identity *k, *own = NULL;

	model_remove(m, KEPT_LETTERS, model_letter(m, dead->route, dead->id));
	forget_payload(m, dead->id);
	model_journal_del(m, dead->id);
	model_confirm_forget_early(m, dead->route, dead->id);
	KEPT_EACH(k, m, KEPT_IDENTITIES)
		if (is_its_own(k, dead))
			own = k;
	if (own)
		model_remove(m, KEPT_IDENTITIES, own);
}
