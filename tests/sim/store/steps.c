/* steps.c - operations on batches in custody, on the store and on the model */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run.h"

#define PAYLOAD_MAX (300 << 10)

/* --- numbers and contents -------------------------------------------------------------------- */

uint64_t take_id(struct run *r)
{
	uint64_t id = store_next_id(r->store);

	if (id <= r->model.now.last_id)
		differ(r, "the id %llu does not rise", (unsigned long long)id);
	return r->model.now.last_id = id;
}

static uint64_t take_lease(struct run *r)
{
	uint64_t lease = store_next_lease(r->store);

	if (lease <= r->model.now.last_lease)
		differ(r, "the lease %llu does not rise", (unsigned long long)lease);
	return r->model.now.last_lease = lease;
}

uint64_t take_notice(struct run *r)
{
	uint64_t notice = store_next_notice(r->store);

	if (notice <= r->model.now.last_notice)
		differ(r, "the notice %llu does not rise", (unsigned long long)notice);
	return r->model.now.last_notice = notice;
}

struct span draw_payload(struct run *r)
{
	static uint8_t bytes[PAYLOAD_MAX];
	size_t n = r->full ? between(r, 200 << 10, PAYLOAD_MAX)
	    : chance(r, 20) ? between(r, 3000, 20000) : between(r, 1, 300);

	memset(bytes, (int)between(r, 0, 255), n);
	rng_bytes(&r->rng, bytes, n < 16 ? n : 16);
	return (struct span){ (const char *)bytes, n };
}

static void draw_text(struct run *r, char *out, uint16_t *len, size_t most)
{
	*len = (uint16_t)between(r, 0, most);
	memset(out, 0, most);
	memset(out, (int)between(r, 'a', 'z'), *len);
}

/* What a delivery, an answer or a person changes. */
static void draw_state(struct run *r, struct batch *b)
{
	b->state = (enum batch_state)between(r, BATCH_READY, BATCH_WAITING);
	b->due_ms = b->state == BATCH_WAITING ? r->now_ms + between(r, 0, 40) - 20 : 0;
	b->suspect = chance(r, 4);
	b->held = chance(r, 6);
	b->failed = chance(r, 2);
	b->answered = chance(r, 2);
	b->redelivered = chance(r, 2);
	b->attempt += (uint32_t)between(r, 0, 1);
	b->source = draw_source(r);
	if (b->state == BATCH_ASSIGNED) {
		b->lease = take_lease(r);
		b->holder = draw_source(r);
	}
}

struct batch draw_batch(struct run *r, struct span payload)
{
	struct batch b = { .id = take_id(r), .route = draw_route(r), .record_count = 3,
		.payload_bytes = (uint32_t)payload.n, .critical = chance(r, 3),
		.sequence_number = between(r, 0, 1000), .received_at_us = (int64_t)r->now_ms,
		.series = draw_source(r), .records_len = 1, .has_parent = chance(r, 8) };

	draw_state(r, &b);
	b.ordered = r->ordered[b.route - FIRST_ROUTE];
	rng_bytes(&r->rng, b.batch_id.b, sizeof b.batch_id.b);
	rng_bytes(&r->rng, b.checksum, sizeof b.checksum);
	rng_bytes(&r->rng, b.completes, sizeof b.completes);
	if (b.has_parent)
		rng_bytes(&r->rng, b.parent.b, sizeof b.parent.b);
	draw_text(r, b.correlation, &b.correlation_len, sizeof b.correlation);
	return b;
}

struct ended draw_end(struct run *r, const struct batch *b)
{
	static uint8_t errors[RECORD_ERRORS_MAX];
	struct ended e = { .notice = take_notice(r), .source = b->source, .route = b->route,
		.holder = b->holder, .id = b->id, .lease = b->lease, .attempt = b->attempt,
		.ended_ms = r->now_ms, .received_at_us = b->received_at_us,
		.ended_at_us = (int64_t)r->now_ms, .record_count = b->record_count,
		.accepted = between(r, 0, 3), .duration_ms = between(r, 0, 99),
		.batch_id = b->batch_id, .derived = b->derived, .journalled = b->journalled,
		.error_code = (uint16_t)between(r, 0, 9), .correlation_len = b->correlation_len };

	memcpy(e.checksum, b->checksum, sizeof e.checksum);
	memcpy(e.completes, b->completes, sizeof e.completes);
	memcpy(e.correlation, b->correlation, sizeof e.correlation);
	if (chance(r, 2)) {
		e.error_count = (uint32_t)between(r, 1, 5);
		e.errors_len = (uint32_t)(chance(r, 30) ? RECORD_ERRORS_MAX : between(r, 1, 200));
		memset(errors, (int)between(r, 0, 255), e.errors_len);
		e.errors = errors;
	}
	return e;
}

/* A batch whose record is whole. */
static struct kept_batch *draw_kept(struct run *r)
{
	struct kept_batch *k = pick(r, KEPT_BATCHES);

	return k && !k->damaged ? k : NULL;
}

/* --- intake ---------------------------------------------------------------------------------- */

void begin_intake(struct run *r, size_t n)
{
	r->is_child = n == STORE_INTAKE_CHILD || chance(r, 2);
	store_intake_begin(r->store, r->is_child ? STORE_INTAKE_CHILD : n);
	model_intake_begin(&r->model);
}

bool end_intake(struct run *r, bool may_be_full)
{
	if (r->is_child && chance(r, 6)) {
		trace(r, "the intake is aborted");
		store_intake_abort(r->store);
		model_intake_abort(&r->model);
		return false;
	}
	int rc = store_intake_end(r->store);
	if (rc == 0)
		return true;
	trace(r, "the intake finds no room");
	if (rc != ERR_FULL || !may_be_full)
		differ(r, "an intake for which there was room ends with error %d", rc);
	r->refused++;
	model_intake_abort(&r->model);
	return false;
}

void add_alias(struct run *r, const struct batch *b)
{
	struct kept_alias k = { .id = b->id };
	struct uuid message_id;

	rng_bytes(&r->rng, message_id.b, sizeof message_id.b);
	k.a = (struct alias){ .route = b->route, .batch_id = b->batch_id,
		.message_id = message_id,
		.correlation_hash = bytes_of(b->correlation, b->correlation_len).crc };
	memcpy(k.a.correlation, b->correlation, b->correlation_len < sizeof k.a.correlation
	    ? b->correlation_len : sizeof k.a.correlation);
	store_alias_add(r->store, b->id, b->route, &b->batch_id, &message_id, b->correlation,
	    b->correlation_len);
	model_alias_add(&r->model, b->id, &k.a);
}

/* Larger than the store: nothing is written before that is found. */
static struct span too_large(void)
{
	static void *nothing;

	if (!nothing)
		nothing = xcalloc(1, STORE_BYTES + (1 << 20));
	return (struct span){ nothing, STORE_BYTES + (1 << 20) };
}

bool step_insert(struct run *r)
{
	struct span payload = draw_payload(r);
	bool large = chance(r, 60), room;
	struct batch b;

	room = store_has_room(r->store, payload.n, STORE_BYTES / 16);
	if (!r->full && !room)
		differ(r, "a store that is nearly empty has no room");
	if (model_count(&r->model, KEPT_BATCHES) >= (r->full ? 400 : BATCHES_MAX) ||
	    (!room && !large))
		return false;
	if (large)
		payload = too_large();
	begin_intake(r, payload.n);
	b = draw_batch(r, payload);
	trace(r, "batch %llu comes, %zu bytes, state %d", (unsigned long long)b.id, payload.n,
	    b.state);
	if (chance(r, 3)) {
		b.journalled = true;
		add_line(r, b.id);
	}
	store_batch_insert(r->store, &b, (const uint8_t *)payload.p, payload.n);
	model_batch_insert(&r->model, &b, large ? (struct bytes){ 0 }
	    : bytes_of(payload.p, payload.n));
	add_alias(r, &b);
	if (end_intake(r, large) && large)
		differ(r, "a payload larger than the store is taken");
	return true;
}

/* --- arrows ---------------------------------------------------------------------------------- */

bool step_move(struct run *r)
{
	const struct kept_batch *k = draw_kept(r);
	struct batch was, b;

	if (!k)
		return false;
	was = b = k->b;
	draw_state(r, &b);
	if (chance(r, 10)) {
		b.ordered = !b.ordered;
		b.series = draw_source(r);
	}
	if (chance(r, 4)) {
		b.journalled = true;
		add_line(r, b.id);
	}
	trace(r, "batch %llu moves from %d to %d", (unsigned long long)b.id, was.state, b.state);
	store_batch_move(r->store, &was, &b);
	model_batch_move(&r->model, &b);
	return true;
}

static void note_confirming(struct run *r, const struct batch *b, struct ended *e)
{
	const struct kept_confirmation *k = model_confirm(&r->model, b->route, b->id);
	struct confirmation was, c;

	if (k && k->c.state != CONFIRM_EARLY)
		return;
	if (!k && !chance(r, 3))
		return;
	c = (struct confirmation){ .route = b->route, .id = b->id, .record_count = 3 };
	if (k)
		c = was = k->c;
	c.state = CONFIRM_AWAITED;
	c.source = e->source;
	c.notice = e->notice;
	c.holder = b->holder;
	c.batch_id = b->batch_id;
	c.due_ms = r->now_ms + between(r, 0, 40) - 20;
	e->confirming = true;
	store_confirm_put(r->store, k ? &was : NULL, &c);
	model_confirm_put(&r->model, &c);
}

bool step_end(struct run *r)
{
	const struct kept_batch *k = draw_kept(r);
	struct batch b;
	struct ended e;

	if (!k)
		return false;
	b = k->b;
	e = draw_end(r, &b);
	note_confirming(r, &b, &e);
	trace(r, "batch %llu ends, notice %llu", (unsigned long long)b.id,
	    (unsigned long long)e.notice);
	store_batch_end(r->store, &b, &e);
	model_batch_end(&r->model, &b, &e);
	return true;
}

bool step_bury(struct run *r)
{
	const struct kept_batch *k = draw_kept(r);
	struct batch b;
	struct ended e;

	if (!k || model_count(&r->model, KEPT_LETTERS) >= LETTERS_MAX)
		return false;
	b = k->b;
	e = draw_end(r, &b);
	e.dead = true;
	trace(r, "batch %llu is buried", (unsigned long long)b.id);
	store_batch_bury(r->store, &b, &e);
	model_batch_bury(&r->model, &b, &e);
	return true;
}

bool step_end_partly(struct run *r)
{
	const struct kept_batch *k = draw_kept(r);
	struct batch b;
	struct ended e;

	if (!k || model_count(&r->model, KEPT_LETTERS) >= LETTERS_MAX)
		return false;
	b = k->b;
	b.derived = true;
	e = draw_end(r, &b);
	e.partial = true;
	note_confirming(r, &b, &e);
	trace(r, "batch %llu ends partly", (unsigned long long)b.id);
	store_batch_end_partly(r->store, &b, &e);
	model_batch_end_partly(&r->model, &b, &e);
	return true;
}
