/* steps_letter.c - operations on dead letters; damage; and everything goes */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run.h"
#include "store/internal.h"

/* --- letters --------------------------------------------------------------------------------- */

static struct kept_letter *draw_letter(struct run *r)
{
	struct kept_letter *k = pick(r, KEPT_LETTERS);

	return k && !k->damaged && k->b.payload_bytes > 0 ? k : NULL;
}

bool step_letter_insert(struct run *r)
{
	struct span payload = draw_payload(r);
	struct batch b;
	struct ended e;

	if (model_count(&r->model, KEPT_LETTERS) >= LETTERS_MAX ||
	    !store_has_room(r->store, payload.n, STORE_BYTES / 16))
		return false;
	begin_intake(r, STORE_INTAKE_CHILD);
	b = draw_batch(r, payload);
	trace(r, "letter %llu comes", (unsigned long long)b.id);
	b.state = BATCH_DEAD;
	b.ordered = false;
	b.derived = chance(r, 2);
	e = draw_end(r, &b);
	e.dead = true;
	store_dead_insert(r->store, &b, &e, (const uint8_t *)payload.p, payload.n);
	model_dead_insert(&r->model, &b, &e, bytes_of(payload.p, payload.n));
	add_alias(r, &b);
	end_intake(r, false);
	return true;
}

/* The caller of store_dead_redrive() has seen that the identity is the letter's or nobody's. */
static bool may_redrive(struct run *r, const struct kept_letter *k)
{
	const struct kept_identity *i = model_identity(&r->model, k->b.route, &k->b.batch_id);

	return !i || (i->where.kind == IDENTITY_DEAD && i->where.id == k->b.id) ||
	    (i->where.kind == IDENTITY_ENDED && i->where.source == k->end.e.source &&
	        i->where.notice == k->end.e.notice);
}

bool step_redrive(struct run *r)
{
	const struct kept_letter *k = draw_letter(r);
	struct batch dead, b;
	bool moves;

	if (!k || !may_redrive(r, k) || model_count(&r->model, KEPT_BATCHES) >= BATCHES_MAX)
		return false;
	dead = b = k->b;
	b.state = chance(r, 3) ? BATCH_WAITING : BATCH_READY;
	b.due_ms = b.state == BATCH_WAITING ? r->now_ms : 0;
	b.redrives++;
	b.ordered = r->ordered[b.route - FIRST_ROUTE];
	b.journalled = true;
	add_line(r, b.id);
	moves = b.ordered && store_has_room(r->store, b.payload_bytes, 0);
	trace(r, "letter %llu is redriven", (unsigned long long)b.id);
	if (moves) {
		begin_intake(r, STORE_INTAKE_CHILD);
		b.id = take_id(r);
	}
	store_dead_redrive(r->store, &dead, &b);
	model_dead_redrive(&r->model, &dead, &b);
	if (moves)
		end_intake(r, r->full);
	return true;
}

bool step_purge(struct run *r)
{
	const struct kept_letter *k = pick(r, KEPT_LETTERS);
	struct batch dead;

	if (!k)
		return false;
	dead = k->b;
	if (k->damaged)
		dead = (struct batch){ .state = BATCH_DEAD, .id = k->b.id, .route = k->b.route };
	trace(r, "letter %llu is purged", (unsigned long long)dead.id);
	store_dead_purge(r->store, &dead);
	model_dead_purge(&r->model, &dead);
	return true;
}

/* --- damage ---------------------------------------------------------------------------------- */

static void flip(struct run *r, enum table t, struct key k, size_t from)
{
	MDB_val v;

	if (!table_get(r->store, t, &k, &v))
		differ(r, "a row of table %d is not where its key says", t);
	uint8_t *copy = xmalloc(v.mv_size);
	memcpy(copy, v.mv_data, v.mv_size);
	copy[between(r, from, v.mv_size - 1)] ^= (uint8_t)(1u << between(r, 0, 7));
	table_put(r->store, t, &k, copy, v.mv_size);
	free(copy);
}

static enum queue_class class_of(const struct batch *b)
{
	static const enum queue_class ready[] = { [CLASS_CRITICAL] = QUEUE_READY_CRITICAL,
		[CLASS_NORMAL] = QUEUE_READY_NORMAL, [CLASS_SUSPECT] = QUEUE_READY_SUSPECT,
		[CLASS_HELD] = QUEUE_READY_HELD };

	return b->state == BATCH_ASSIGNED ? QUEUE_ASSIGNED
	    : b->state == BATCH_WAITING ? QUEUE_WAITING : ready[batch_ready_class(b)];
}

bool step_damage(struct run *r)
{
	struct kept_batch *k = pick(r, KEPT_BATCHES);
	struct kept_payload *payload = pick(r, KEPT_PAYLOADS);
	struct kept_letter *letter = draw_letter(r);

	if (!chance(r, 4))
		return false;
	if (k && !k->damaged && chance(r, 2)) {
		trace(r, "the record of batch %llu is damaged", (unsigned long long)k->b.id);
		flip(r, TABLE_QUEUE, key_queue(k->b.route, class_of(&k->b), k->b.id), 0);
		k->damaged = true;
	} else if (payload && !payload->damaged && chance(r, 2)) {
		trace(r, "payload %llu is damaged", (unsigned long long)payload->id);
		flip(r, TABLE_PAYLOAD, key_id(payload->id), 0);
		payload->damaged = true;
	} else if (letter) {	/* its record, behind the length of it */
		trace(r, "letter %llu is damaged", (unsigned long long)letter->b.id);
		flip(r, TABLE_DEAD, key_route_id(letter->b.route, letter->b.id), 2);
		letter->damaged = true;
	}
	return true;
}

/* As the core finds it: with what its key says. */
bool step_set_aside(struct run *r)
{
	struct kept_batch *k, *damaged = NULL;
	struct batch b;
	int rc;

	KEPT_EACH(k, &r->model, KEPT_BATCHES)
		if (k->damaged)
			damaged = k;
	if (!damaged)
		return false;
	rc = store_batch_find(r->store, damaged->b.route, damaged->b.id, &b);
	same_batch(r, "store_batch_find", rc, &b, damaged);
	if (b.state == BATCH_WAITING && chance(r, 2))
		b.due_ms = damaged->b.due_ms;
	trace(r, "batch %llu is set aside", (unsigned long long)b.id);
	store_batch_set_aside(r->store, &b);
	model_batch_set_aside(&r->model, &b);
	return true;
}

void step_drain(struct run *r)
{
	while (step_set_aside(r))
		;
	while (model_count(&r->model, KEPT_BATCHES) > 0) {
		step_end(r);
		if (store_turn_has_used(r->store, STORE_INTAKE_PERCENT))
			step_commit(r);
	}
	while (step_purge(r))
		if (store_turn_has_used(r->store, STORE_INTAKE_PERCENT))
			step_commit(r);
	for (int n = 0; n < 4; n++) {
		store_nudge(r->store);
		step_commit(r);
	}
}
