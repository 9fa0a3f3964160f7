/* confirm.c - what became of a batch's records where the target took them (protocol.md 11) */
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "core/internal.h"
#include "wire/encode.h"

/*
 * A target tells of a batch's records in as many parts as it likes, also before it has PROCESSED
 * it. Each part that says something new is passed on to the source as the target wrote it. On a
 * route with `confirm` a batch of which not all records are told of within confirm_timeout_ms of
 * its end is ambiguous: both sides are warned, and an operator finds it in a list until the rest
 * is told or settled by hand.
 */
#define EXPIRES_PER_TURN 256

/* The batch that a confirmation names: in custody, or ended. */
struct confirmed {
	struct route *route;
	uint64_t id;
	uint32_t source;
	uint64_t record_count;
	bool has_ended;
	struct ended end;		/* where it has; errors borrowed */
	struct batch batch;		/* where it has not */
};

static bool find_in(struct core *c, struct route *r, const struct uuid *batch_id,
    struct confirmed *out)
{
	struct identity where;

	out->route = r;
	store_identity_get(c->store, r->number, batch_id, &where);
	if (where.kind == IDENTITY_LIVE &&
	    store_batch_find(c->store, r->number, where.id, &out->batch) == 0) {
		out->id = out->batch.id;
		out->source = out->batch.source;
		out->record_count = out->batch.record_count;
		return out->batch.attempt != 0;	/* it has been delivered */
	}
	if (where.kind != IDENTITY_ENDED ||
	    store_ended_get(c->store, where.source, where.notice, &out->end) != 0)
		return false;
	out->has_ended = true;
	out->id = out->end.id;
	out->source = out->end.source;
	out->record_count = out->end.record_count;
	return true;
}

static bool find(struct core *c, struct instance *i, const struct uuid *batch_id,
    struct confirmed *out)
{
	struct route *r;

	TAILQ_FOREACH(r, &i->module->targeted, of_target) {
		memset(out, 0, sizeof *out);
		if (find_in(c, r, batch_id, out))
			return true;
	}
	return false;
}

/* --- collecting ------------------------------------------------------------------------------ */

static uint64_t hash_of(struct span id)
{
	uint8_t digest[SHA256_BYTES];
	uint64_t hash;

	sha256(id.p, id.n, digest);
	memcpy(&hash, digest, sizeof hash);
	return hash;
}

static uint64_t *counter_of(struct confirmation *k, uint8_t status)
{
	switch (status) {
	case RECORD_DELIVERED:
		return &k->delivered;
	case RECORD_FAILED:
		return &k->failed;
	default:
		return &k->dlq;
	}
}

static uint64_t told_of(const struct confirmation *k)
{
	return k->delivered + k->failed + k->dlq;
}

/* One record. True when it says something new. */
static bool take_record(struct core *c, struct confirmation *k,
    const struct message_record_delivery *d)
{
	uint64_t hash = hash_of(d->record_id);
	uint8_t before;
	bool known = store_confirm_record_get(c->store, k->id, hash, &before);

	if (known ? before == d->status : told_of(k) >= k->record_count)
		return false;
	if (known)
		--*counter_of(k, before);
	++*counter_of(k, (uint8_t)d->status);
	store_confirm_record_put(c->store, k->id, hash, (uint8_t)d->status);
	return true;
}

static bool take_records(struct core *c, struct confirmation *k,
    const struct message_confirmation *m)
{
	bool news = false;

	for (size_t n = 0; n < m->result_count; n++)
		news |= take_record(c, k, &m->results[n]);
	return news;
}

static void describe(const struct confirmed *b, const struct instance *i, struct confirmation *k)
{
	*k = (struct confirmation){
		.state = CONFIRM_EARLY,
		.route = b->route->number,
		.id = b->id,
		.source = b->source,
		.holder = i->record.number,
		.record_count = b->record_count,
		.batch_id = b->batch.batch_id,
	};
}

/*
 * All of it has been told. When all was delivered, its records need not be remembered one by one:
 * of the others there may be better news, and a repeat of the bad is none.
 */
static void complete(struct core *c, const struct confirmation *was, struct confirmation *k)
{
	bool forget = was && k->failed + k->dlq == 0;

	k->state = CONFIRM_COMPLETE;
	if (forget)
		store_confirm_del(c->store, was);
	store_confirm_put(c->store, forget ? NULL : was, k);
}

/* Returns whether the part says something new. */
static bool collect(struct core *c, const struct confirmed *b, const struct instance *i,
    const struct message_confirmation *m)
{
	struct confirmation k, was;
	bool known = store_confirm_get(c->store, b->route->number, b->id, &was) == 0;

	if (known && was.state == CONFIRM_COMPLETE && was.failed + was.dlq == 0)
		return false;
	if (!known && (b->has_ended || !b->route->settings.confirm))
		return true;		/* nobody waits for it */
	if (known)
		k = was;
	else
		describe(b, i, &k);
	if (!take_records(c, &k, m))
		return false;
	if (k.state != CONFIRM_EARLY && told_of(&k) >= k.record_count)
		complete(c, &was, &k);
	else
		store_confirm_put(c->store, known ? &was : NULL, &k);
	return true;
}

static void pass_on(struct core *c, const struct confirmed *b, const struct frame *frame)
{
	struct instance *source = instance_by_number(c, b->source);
	struct buf body;

	if (!source || (!source->peer && !source->record.mailbox))
		return;
	buf_init(&body, SIZE_MAX);
	if (message_strip(&body, frame->data, frame->len) == 0)
		mailbox_add(c, source, false, buf_bytes(&body), body.len);
	buf_finish(&body);
}

static bool refuse(struct fault *f, const char *field, const char *expected,
    const struct uuid *batch_id)
{
	char id[UUID_TEXT_LEN + 1];

	uuid_format(batch_id, id);
	fault_set(f, INT_PROTOCOL_005, field, "%s", expected);
	fault_found(f, span_of(id));
	return false;
}

bool core_confirm(struct core *c, struct instance *i, const struct message *m,
    const struct frame *frame, struct fault *f)
{
	const struct message_confirmation *k = &m->confirmation;
	struct confirmed b;

	if (!find(c, i, &k->batch_id, &b))
		return refuse(f, "batch_id", "a batch that was delivered to this module",
		    &k->batch_id);
	if (k->result_count > b.record_count)
		return refuse(f, "delivery_results", "no more results than the batch has records",
		    &k->batch_id);
	/* for the message in the mailbox, and a row for each record */
	if (!store_has_room(c->store, 2 * frame->len, 0)) {
		store_nudge(c->store);
		fault_set(f, INT_STORE_001, "", "room in the store: confirm again later");
		return false;
	}
	bool news = collect(c, &b, i, k);
	FAILPOINT("confirm.middle");
	if (news) {
		pass_on(c, &b, frame);
		circuit_confirmed(c, i, k);
	}
	return true;
}

/* --- waiting --------------------------------------------------------------------------------- */

void confirm_begin(struct core *c, struct route *r, const struct batch *b, struct ended *e)
{
	struct confirmation k, was;

	if (!r->settings.confirm)
		return;
	bool early = store_confirm_get(c->store, r->number, b->id, &was) == 0;
	if (b->derived || e->accepted == 0) {	/* nobody waits for the rest */
		if (early && was.state == CONFIRM_EARLY)
			store_confirm_del(c->store, &was);
		return;
	}
	k = early ? was : (struct confirmation){ .route = r->number, .id = b->id };
	k.state = CONFIRM_AWAITED;
	k.source = b->source;
	k.holder = b->holder;
	k.notice = e->notice;
	k.due_ms = c->now_ms + r->settings.confirm_timeout_ms;
	k.record_count = e->accepted;	/* what was rejected is not delivered anywhere */
	k.batch_id = b->batch_id;
	k.correlation_len = b->correlation_len;
	memcpy(k.correlation, b->correlation, b->correlation_len);
	e->confirming = true;
	if (early && told_of(&k) >= k.record_count) {
		complete(c, &was, &k);
		return;
	}
	store_confirm_put(c->store, early ? &was : NULL, &k);
	if (k.due_ms < c->next_confirm_ms)
		c->next_confirm_ms = k.due_ms;
}

static void warn_source(struct core *c, const struct confirmation *k)
{
	struct instance *source = instance_by_number(c, k->source);
	char id[UUID_TEXT_LEN + 1];
	struct error_out error = { .code = INT_DELIVERY_006, .scope = SCOPE_BATCH,
		.timestamp_us = c->wall_us, .source_module = span_of("BROKER") };
	struct envelope e = { .timestamp_us = c->wall_us, .source_module = span_of("BROKER") };
	struct buf frame;

	if (!source || (!source->peer && !source->record.mailbox) || store_is_tight(c->store))
		return;
	uuid_format(&k->batch_id, id);
	core_make_uuid(c, &e.message_id);
	core_make_uuid(c, &error.error_id);
	e.correlation_id = error.correlation_id =
	    (struct span){ k->correlation, k->correlation_len };
	e.target_module = span_of(source->module->settings.name);
	error.batch_id = span_of(id);
	buf_init(&frame, SIZE_MAX);
	encode_error_notification(&frame, &e, &error, 1, ACTION_NONE);
	if (!frame.failed)
		mailbox_add(c, source, false, buf_bytes(&frame) + FRAME_LENGTH_BYTES,
		    frame.len - FRAME_LENGTH_BYTES);
	buf_finish(&frame);
}

static void warn_target(struct core *c, const struct confirmation *k, const struct route *r)
{
	const struct instance *holder = instance_by_number(c, k->holder);

	if (holder && holder->peer)
		c->ops->warn(holder->peer, &(struct batch_warning){
			.code = INT_DELIVERY_006,
			.route = r,
			.batch_id = k->batch_id,
			.correlation = { k->correlation, k->correlation_len },
		});
}

/* The batch has ended: the line is all that is added. */
static void note(struct core *c, const struct confirmation *k, enum journal_event event,
    enum error_code code, const char *text)
{
	struct journal_line line = { .at_us = c->wall_us, .event = event, .instance = k->holder,
		.code = (uint16_t)code };

	line.text_len = (uint16_t)strnlen(text, sizeof line.text);
	memcpy(line.text, text, line.text_len);
	if (!store_is_tight(c->store))
		store_journal_add(c->store, k->id, &line);
}

static void note_error(struct core *c, const struct confirmation *k)
{
	const struct route *r = route_by_number(c, k->route);
	struct batch b = { .route = k->route, .batch_id = k->batch_id,
		.correlation_len = k->correlation_len };

	memcpy(b.correlation, k->correlation, k->correlation_len);
	if (r)
		error_of_batch(c, r, &b, INT_DELIVERY_006);
}

static void expire(struct core *c, const struct confirmation *was)
{
	struct route *r = route_by_number(c, was->route);
	struct confirmation k = *was;

	k.state = CONFIRM_AMBIGUOUS;
	store_confirm_put(c->store, was, &k);
	note(c, &k, JOURNAL_AMBIGUOUS, INT_DELIVERY_006, "");
	note_error(c, &k);
	warn_source(c, &k);
	if (r)
		warn_target(c, &k, r);
}

void confirm_settle(struct core *c, const struct confirmation *was, const char *text)
{
	struct confirmation k = *was;

	complete(c, was, &k);
	note(c, &k, JOURNAL_CONFIRMED, INT_NONE, text);
}

void confirm_recover(struct core *c)
{
	struct confirmation k;

	for (size_t n = 0; n < c->settings.route_count; n++) {
		const struct route *r = &c->routes[n];
		uint64_t after = 0;

		while (!r->settings.confirm &&
		    store_confirm_next(c->store, r->number, after, &k) == 0) {
			after = k.id;
			if (k.state == CONFIRM_EARLY)
				store_confirm_del(c->store, &k);
		}
	}
}

bool confirm_expire(struct core *c)
{
	struct confirmation k;

	if (c->now_ms < c->next_confirm_ms)
		return false;
	for (int n = 0; n < EXPIRES_PER_TURN && !turn_is_spent(c); n++) {
		int rc = store_confirm_due_first(c->store, c->now_ms, &k, &c->next_confirm_ms);
		if (rc == ERR_NOTFOUND)
			return false;
		if (rc == 0)
			expire(c, &k);
	}
	c->next_confirm_ms = c->now_ms;
	return true;
}
