/*
 * receiver.c - deliveries until the caller ends them
 *
 * RECEIVED is said when a delivery has been checked, and again after a third of the time in which
 * the broker wants to hear of it. It is also the question whether the delivery is still ours: the
 * broker answers only when it is not. After a broken connection it is asked at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "client/ids.h"
#include "client/internal.h"

/* RECEIVED is repeated so many times in process_timeout_ms, and never more often than this. */
#define REPEATS_PER_TIMEOUT 3
#define REPEAT_MIN_MS 20
#define PROCESS_TIMEOUT_DEFAULT_MS 300000

void receiver_acknowledge(struct handoff_delivery *d, const struct ack_out *a, struct uuid *id)
{
	struct handoff_client *c = d->client;
	struct envelope e = session_envelope(c, d->correlation_id);

	*id = e.message_id;
	encode_ack(link_out(c->link), &e, a);
	c->has_work = true;
}

static int64_t repeat_after_ms(const struct handoff_delivery *d)
{
	const struct route *r = route_find(d->client, d->route);
	const uint64_t timeout =
	    r != NULL ? r->shown.process_timeout_ms : PROCESS_TIMEOUT_DEFAULT_MS;
	const int64_t after = (int64_t)(timeout / REPEATS_PER_TIMEOUT);

	return after > REPEAT_MIN_MS ? after : REPEAT_MIN_MS;
}

static void say_received(struct handoff_delivery *d)
{
	struct handoff_client *c = d->client;

	receiver_acknowledge(d, &(struct ack_out){
		.batch_id = d->batch_id,
		.status = ACK_RECEIVED,
		.records_accepted = d->record_count,
		.processing_duration_ms = (uint64_t)(c->now_ms - d->begun_at_ms),
		.lease = d->lease,
	}, &d->received_id);
	d->repeat_at_ms = c->now_ms + repeat_after_ms(d);
	if (d->repeat_at_ms < c->repeat_at_ms)
		c->repeat_at_ms = d->repeat_at_ms;
}

/* The broker is to believe that we are at it. */
static bool is_held(const struct handoff_delivery *d)
{
	return d->state != DELIVERY_SAID && !d->is_lost;
}

void receiver_proceed(struct handoff_client *c)
{
	struct handoff_delivery *d;

	if (c->state != HANDOFF_CONNECTED || c->now_ms < c->repeat_at_ms)
		return;
	c->repeat_at_ms = INT64_MAX;
	TAILQ_FOREACH(d, &c->deliveries, link) {
		if (!is_held(d))
			continue;
		if (c->now_ms >= d->repeat_at_ms)
			say_received(d);
		else if (d->repeat_at_ms < c->repeat_at_ms)
			c->repeat_at_ms = d->repeat_at_ms;
	}
}

void receiver_on_welcome(struct handoff_client *c)
{
	struct handoff_delivery *d;

	TAILQ_FOREACH(d, &c->deliveries, link) {
		if (d->state == DELIVERY_SAID)
			ending_say(d);
		else if (is_held(d))
			say_received(d);
	}
}

size_t receiver_holds(const struct handoff_client *c, uint64_t holds[HOLDS_MAX])
{
	const struct handoff_delivery *d;
	size_t n = 0;

	TAILQ_FOREACH(d, &c->deliveries, link)
		if (!d->is_lost && n < HOLDS_MAX)
			holds[n++] = d->lease;
	return n;
}

/* --- a delivery is no longer ours ------------------------------------------------------------ */

void delivery_lose(struct handoff_delivery *d, const struct message_error *error)
{
	struct handoff_client *c = d->client;
	struct event *e;

	if (d->state == DELIVERY_UNTOLD) {
		delivery_destroy(d);
		return;
	}
	if (d->is_lost || d->state == DELIVERY_SAID)
		return;
	d->is_lost = true;
	if (d->state != DELIVERY_OPEN)
		return;
	e = event_create(c, HANDOFF_EVENT_LOST);
	if (e == NULL || (error != NULL && !event_set_errors(c, e, error, 1))) {
		event_destroy(e);
		return;
	}
	event_set_batch(e, &d->batch_id, d->route);
	e->shown.lease = d->lease;
	e->shown.delivery = d;
	event_post(c, e);
}

bool receiver_on_refusal(struct handoff_client *c, const struct message *m)
{
	struct handoff_delivery *d;

	if (!m->has_in_reply_to)
		return false;
	TAILQ_FOREACH(d, &c->deliveries, link) {
		if (!uuid_equal(&d->received_id, &m->in_reply_to))
			continue;
		delivery_lose(d, m->error_notification.error_count > 0 ?
			      &m->error_notification.errors[0] : NULL);
		return true;
	}
	return false;
}

bool receiver_on_deadline(struct handoff_client *c, const struct message_error *error)
{
	struct handoff_delivery *d, *next;
	bool is_ours = false;
	struct uuid id;

	if (!span_is(error->error_code, "INT_DELIVERY_001") || error->batch_id.p == NULL ||
	    !uuid_parse(error->batch_id.p, error->batch_id.n, &id))
		return false;
	for (d = TAILQ_FIRST(&c->deliveries); d != NULL; d = next) {
		next = TAILQ_NEXT(d, link);
		if (!uuid_equal(&d->batch_id, &id))
			continue;
		is_ours = true;
		delivery_lose(d, error);
	}
	return is_ours;
}

/* --- a delivery comes ------------------------------------------------------------------------ */

/* The same batch under an older lease: what is said under that one counts no more. */
static void supersede(struct handoff_client *c, const struct handoff_delivery *newer)
{
	struct handoff_delivery *d, *next;

	for (d = TAILQ_FIRST(&c->deliveries); d != NULL; d = next) {
		next = TAILQ_NEXT(d, link);
		if (d == newer || !uuid_equal(&d->batch_id, &newer->batch_id) ||
		    strcmp(d->route, newer->route) != 0)
			continue;
		d->is_superseded = true;
		delivery_lose(d, NULL);
	}
}

static void copy_text(char *to, size_t size, struct span from)
{
	snprintf(to, size, "%.*s", (int)(from.n < size ? from.n : size - 1), from.p);
}

static struct handoff_delivery *make_delivery(struct handoff_client *c, const struct message *m,
    struct frame *frame)
{
	const struct message_batch *b = &m->batch;
	struct handoff_delivery *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->client = c;
	d->frame = frame_ref(frame);
	d->records = b->records;
	d->batch_id = b->batch_id;
	uuid_format(&b->batch_id, d->batch_id_text);
	copy_text(d->correlation_id, sizeof(d->correlation_id), m->header.correlation_id);
	copy_text(d->route, sizeof(d->route), b->delivery_route);
	copy_text(d->source, sizeof(d->source), m->header.source_module);
	d->record_count = b->record_count;
	d->lease = b->delivery_lease;
	d->attempt = b->delivery_attempt;
	d->is_redelivered = b->delivery_redelivered;
	d->is_critical = b->priority == PRIORITY_CRITICAL;
	d->begun_at_ms = c->now_ms;
	buf_init(&d->errors, 0);
	handoff_delivery_rewind(d);
	TAILQ_INSERT_TAIL(&c->deliveries, d, link);
	return d;
}

/* What is wrong with the records, NULL when nothing is. */
static const char *find_damage(const struct message_batch *b)
{
	uint8_t checksum[SHA256_BYTES];
	int64_t found;

	sha256(b->records.p, b->records.n, checksum);
	if (memcmp(checksum, b->checksum, sizeof(checksum)) != 0)
		return "the records do not match their checksum";
	if (!records_check(b->records, b->record_count, &found))
		return "the records are no list of record_count records";
	return NULL;
}

/* Tells both sides, and lets go of it. */
static void refuse_damaged(struct handoff_delivery *d, const char *damage)
{
	struct handoff_client *c = d->client;
	const struct handoff_error error = {
		.scope = HANDOFF_BATCH,
		.code = "INT_BATCH_001",
		.message = damage,
	};

	if (error_encode(c, &d->errors, &error, SCOPE_BATCH, d->batch_id_text, d->correlation_id))
		receiver_acknowledge(d, &(struct ack_out){
			.batch_id = d->batch_id,
			.status = ACK_REJECTED,
			.records_rejected = d->record_count,
			.lease = d->lease,
			.more_errors = { (const char *)buf_bytes(&d->errors), d->errors.len },
			.more_error_count = 1,
		}, &d->said_id);
	event_post_error(c, &error, &d->batch_id, d->route);
	delivery_destroy(d);
}

void receiver_on_delivery(struct handoff_client *c, const struct message *m, struct frame *frame)
{
	struct handoff_delivery *d = make_delivery(c, m, frame);
	const char *damage;
	struct event *e;

	if (d == NULL) {
		client_lose(c, "out of memory: a delivery");
		return;
	}
	supersede(c, d);
	damage = find_damage(&m->batch);
	if (damage != NULL) {
		refuse_damaged(d, damage);
		return;
	}
	say_received(d);
	if (c->is_draining)
		return;			/* goes back with GOODBYE DONE */
	e = event_create(c, HANDOFF_EVENT_DELIVERY);
	if (e == NULL) {
		delivery_destroy(d);
		return;
	}
	event_set_batch(e, &d->batch_id, d->route);
	e->shown.lease = d->lease;
	e->shown.delivery = d;
	event_post(c, e);
}
