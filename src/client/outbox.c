/*
 * outbox.c - batches until they are RECEIVED
 *
 *	outbox_add ─► waiting ── outbox_send ─► sent ── RECEIVED ─► told, forgotten
 *	                 ▲                       │ └── refused for good ─► told, forgotten
 *	                 └─ connection lost ─────┤
 *	                 └─ refused, TRANSIENT ──┘   (its route pauses)
 *
 * Under back-pressure those that complete nothing leave their route one at a time (flow.c).
 *
 * A batch keeps its id, its number and its records from the first to the last sending, so that the
 * broker recognises a repeat.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/digest.h"
#include "client/ids.h"
#include "client/internal.h"

void outbox_init(struct outbox *x)
{
	TAILQ_INIT(&x->waiting);
	TAILQ_INIT(&x->sent);
}

void outgoing_destroy(struct outgoing *o)
{
	free(o->completes);
	free(o->storage);
	free(o);
}

void outbox_destroy(struct handoff_client *c)
{
	struct outgoing *o;

	outbox_on_lost(c);
	while ((o = TAILQ_FIRST(&c->outbox.waiting)) != NULL) {
		TAILQ_REMOVE(&c->outbox.waiting, o, link);
		outgoing_destroy(o);
	}
}

bool outbox_has_room(const struct handoff_client *c, size_t bytes)
{
	const struct outbox *x = &c->outbox;

	if (x->count == 0)
		return true;
	return x->count < c->options->window_batches && x->bytes < c->options->window_bytes &&
	    bytes <= c->options->window_bytes - x->bytes;
}

size_t handoff_unacknowledged(const struct handoff_client *c)
{
	return c->outbox.count;
}

void outbox_add(struct handoff_client *c, struct route *r, struct outgoing *o)
{
	static const struct uuid none;
	struct handoff_route *shown = &r->shown;

	if (uuid_equal(&o->out.batch_id, &none))
		id_make(&o->out.batch_id);
	if (o->out.sequence_number == 0)
		o->out.sequence_number = shown->last_sequence_number + 1;
	if (o->out.sequence_number > shown->last_sequence_number)
		shown->last_sequence_number = o->out.sequence_number;
	sha256(o->out.records.p, o->out.records.n, o->out.checksum);
	o->out.created_at_us = datetime_now_us();
	o->out.with_validation_summary = strcmp(r->name, "alpha-beta") == 0;
	o->out.with_transformation_summaries = strcmp(r->name, "beta-gamma") == 0;
	if (o->correlation_id[0] == '\0')
		uuid_format(&o->out.batch_id, o->correlation_id);
	snprintf(o->route, sizeof(o->route), "%s", r->name);
	snprintf(o->target, sizeof(o->target), "%s", r->target);
	TAILQ_INSERT_TAIL(&c->outbox.waiting, o, link);
	c->outbox.count++;
	c->outbox.bytes += o->out.records.n;
	if (o->complete_count == 0)
		c->outbox.plain_count++;
	c->has_work = true;
}

/* --- sending --------------------------------------------------------------------------------- */

static int64_t may_go_at(const struct handoff_client *c, const struct outgoing *o)
{
	const struct route *r = route_find(c, o->route);

	/* A full route still takes what empties another (protocol section 7). */
	if (r == NULL || o->complete_count > 0)
		return o->retry_at_ms;
	/* Of those that were refused together, one asks for all whether there is room again. */
	if (r->is_asking)
		return INT64_MAX;
	return r->pause_until_ms > flow_may_go_at(r) ? r->pause_until_ms : flow_may_go_at(r);
}

/* Takes it out of the outbox; it is the caller's. */
static void take_out(struct handoff_client *c, struct outgoing_list *from, struct outgoing *o)
{
	TAILQ_REMOVE(from, o, link);
	c->outbox.count--;
	c->outbox.bytes -= o->out.records.n;
	if (o->complete_count == 0)
		c->outbox.plain_count--;
}

static bool encode(struct handoff_client *c, struct outgoing *o)
{
	struct envelope e = session_envelope(c, o->correlation_id);
	struct ack_out *completes = NULL;

	if (o->complete_count > 0) {
		completes = calloc(o->complete_count, sizeof(*completes));
		if (completes == NULL)
			return false;
		for (size_t i = 0; i < o->complete_count; i++)
			completes[i] = o->completes[i]->said;
	}
	e.target_module = span_of(o->target);
	o->message_id = e.message_id;
	o->out.completes = completes;
	o->out.complete_count = o->complete_count;
	encode_batch(link_out(c->link), &e, &o->out);
	o->out.completes = NULL;
	free(completes);
	return !link_out(c->link)->failed;
}

/* The deliveries it would have completed are the caller's again. */
static void give_back_deliveries(struct handoff_client *c, struct outgoing *o)
{
	for (size_t i = 0; i < o->complete_count; i++)
		o->completes[i]->state = DELIVERY_OPEN;
	c->repeat_at_ms = c->now_ms;
}

/* The broker's limit has fallen below what was right when the batch was taken over. */
static bool refuse_too_large(struct handoff_client *c, struct outgoing *o)
{
	struct event *e = event_create(c, HANDOFF_EVENT_REFUSED);

	if (e == NULL)
		return false;
	e->errors = calloc(1, sizeof(*e->errors));
	if (e->errors != NULL) {
		*e->errors = (struct handoff_error){
			.recoverability = HANDOFF_PERMANENT,
			.scope = HANDOFF_BATCH,
			.code = "INT_PROTOCOL_002",
			.message = "longer than max_frame_bytes, which the broker has lowered",
		};
		e->shown.errors = e->errors;
		e->shown.error_count = 1;
	}
	event_set_batch(e, &o->out.batch_id, o->route);
	e->shown.user = o->user;
	event_post(c, e);
	take_out(c, &c->outbox.waiting, o);
	give_back_deliveries(c, o);
	outgoing_destroy(o);
	return true;
}

static bool send_one(struct handoff_client *c, struct outgoing *o)
{
	struct route *r = route_find(c, o->route);
	struct buf *out = link_out(c->link);
	const size_t before = out->len;

	if (!encode(c, o)) {
		client_lose(c, "out of memory: a batch of %zu bytes", o->out.records.n);
		return false;
	}
	if (out->len - before - FRAME_LENGTH_BYTES > c->max_frame_bytes) {
		out->len = before;
		return refuse_too_large(c, o);
	}
	TAILQ_REMOVE(&c->outbox.waiting, o, link);
	TAILQ_INSERT_TAIL(&c->outbox.sent, o, link);
	if (r != NULL && o->complete_count == 0) {
		r->is_asking = r->refusals > 0;
		r->left_at_ms = c->now_ms;
	}
	return true;
}

void outbox_send(struct handoff_client *c)
{
	struct outgoing *o, *next;

	for (o = TAILQ_FIRST(&c->outbox.waiting); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (link_out(c->link)->len >= WRITE_AHEAD_BYTES)
			return;
		if (c->now_ms >= may_go_at(c, o) && !send_one(c, o))
			return;
	}
}

int64_t outbox_due_ms(const struct handoff_client *c)
{
	const struct outgoing *o;
	int64_t due = INT64_MAX, at;

	if (c->state != HANDOFF_CONNECTED || link_out(c->link)->len >= WRITE_AHEAD_BYTES)
		return due;
	TAILQ_FOREACH(o, &c->outbox.waiting, link) {
		at = may_go_at(c, o);
		if (at < due)
			due = at;
		if (due <= c->now_ms)
			break;
	}
	return due;
}

void outbox_on_lost(struct handoff_client *c)
{
	for (size_t i = 0; i < c->route_count; i++)
		c->routes[i].is_asking = false;
	TAILQ_CONCAT(&c->outbox.sent, &c->outbox.waiting, link);
	TAILQ_CONCAT(&c->outbox.waiting, &c->outbox.sent, link);
}

/* --- answers --------------------------------------------------------------------------------- */

static struct outgoing *find_sent(struct handoff_client *c, const struct uuid *message_id)
{
	struct outgoing *o;

	TAILQ_FOREACH(o, &c->outbox.sent, link)
		if (uuid_equal(&o->message_id, message_id))
			return o;
	return NULL;
}

static bool begins_with(struct span text, const char *start)
{
	const size_t n = strlen(start);

	return text.n >= n && memcmp(text.p, start, n) == 0;
}

/* REJECTED that speaks of the batch, which is a dead letter, not of this message (section 6). */
static bool is_dead_letter(const struct message_ack *a)
{
	return a->status == ACK_REJECTED && a->error_count > 0 &&
	    (begins_with(a->errors[0].error_code, "INT_DELIVERY_") ||
	     span_is(a->errors[0].error_code, "INT_STORE_002"));
}

static bool is_worth_a_retry(const struct message_error *errors, size_t n)
{
	bool may_pass = false;

	for (size_t i = 0; i < n; i++) {
		if (errors[i].recoverability == RECOVERABILITY_PERMANENT)
			return false;
		may_pass = may_pass || errors[i].retry_eligible;
	}
	return may_pass;
}

/* The route takes nothing for a while. What was sent before it paused is counted once. */
static void pause_route(struct handoff_client *c, struct route *r)
{
	int64_t delay;

	if (!r->is_asking && c->now_ms < r->pause_until_ms)
		return;
	r->is_asking = false;
	r->refusals++;
	delay = route_retry_delay_ms(r, r->refusals);
	if (r->pressure.active && delay < (int64_t)r->pressure.delay_ms)
		delay = (int64_t)r->pressure.delay_ms;
	r->pause_until_ms = c->now_ms + delay;
}

/* Back among those that wait, in its old place. */
static void postpone(struct handoff_client *c, struct outgoing *o)
{
	struct route *r = route_find(c, o->route);
	struct outgoing *later;

	if (r != NULL && o->complete_count == 0) {
		pause_route(c, r);
	} else {
		o->refusals++;
		o->retry_at_ms = c->now_ms + route_retry_delay_ms(r, o->refusals);
	}
	TAILQ_REMOVE(&c->outbox.sent, o, link);
	TAILQ_FOREACH(later, &c->outbox.waiting, link)
		if (later->out.sequence_number > o->out.sequence_number)
			break;
	if (later != NULL)
		TAILQ_INSERT_BEFORE(later, o, link);
	else
		TAILQ_INSERT_TAIL(&c->outbox.waiting, o, link);
}

static void refuse(struct handoff_client *c, struct outgoing *o, const struct message_error *errors,
    size_t n)
{
	struct event *e;

	if (is_worth_a_retry(errors, n)) {
		postpone(c, o);
		return;
	}
	if (o->complete_count == 0 && route_find(c, o->route) != NULL)
		route_find(c, o->route)->is_asking = false;
	e = event_create(c, HANDOFF_EVENT_REFUSED);
	if (e == NULL || !event_set_errors(c, e, errors, n)) {
		event_destroy(e);
		return;
	}
	event_set_batch(e, &o->out.batch_id, o->route);
	e->shown.user = o->user;
	event_post(c, e);
	take_out(c, &c->outbox.sent, o);
	give_back_deliveries(c, o);
	outgoing_destroy(o);
}

/* A repeat's answer can be the outcome itself. */
static void tell_outcome(struct handoff_client *c, const struct outgoing *o,
    const struct message_ack *a)
{
	struct event *e = event_create(c, a->status == ACK_PROCESSED ?
				       HANDOFF_EVENT_PROCESSED : HANDOFF_EVENT_REJECTED);

	if (e == NULL || !event_set_errors(c, e, a->errors, a->error_count)) {
		event_destroy(e);
		return;
	}
	event_set_batch(e, &o->out.batch_id, o->route);
	e->shown.records_accepted = a->records_accepted;
	e->shown.records_rejected = a->records_rejected;
	event_post(c, e);
}

static void resume_route(struct route *r)
{
	r->refusals = 0;
	r->pause_until_ms = 0;
	r->is_asking = false;
}

/* The batch is in custody, or was. */
static void taken(struct handoff_client *c, struct outgoing *o, const struct message_ack *a)
{
	struct event *e = event_create(c, HANDOFF_EVENT_RECEIVED);
	struct route *r = route_find(c, o->route);

	if (e == NULL || (a->status == ACK_RECEIVED &&
			  !event_set_errors(c, e, a->errors, a->error_count))) {
		event_destroy(e);
		return;
	}
	if (r != NULL && o->complete_count == 0)
		resume_route(r);
	event_set_batch(e, &o->out.batch_id, o->route);
	e->shown.duplicate = a->duplicate;
	e->shown.user = o->user;
	event_post(c, e);
	if (a->status != ACK_RECEIVED)
		tell_outcome(c, o, a);
	take_out(c, &c->outbox.sent, o);
	for (size_t i = 0; i < o->complete_count; i++)
		ending_finish(o->completes[i], event_create(c, HANDOFF_EVENT_DONE));
	outgoing_destroy(o);
}

bool outbox_on_answer(struct handoff_client *c, const struct message *m)
{
	struct outgoing *o = m->has_in_reply_to ? find_sent(c, &m->in_reply_to) : NULL;

	if (o == NULL)
		return false;
	if (m->header.type == MESSAGE_ERROR_NOTIFICATION &&
	    m->error_notification.action_required == ACTION_THROTTLE)
		return false;		/* the refusal itself follows (section 7) */
	if (m->header.type == MESSAGE_ERROR_NOTIFICATION)
		refuse(c, o, m->error_notification.errors, m->error_notification.error_count);
	else if (m->ack.status == ACK_REJECTED && !is_dead_letter(&m->ack))
		refuse(c, o, m->ack.errors, m->ack.error_count);
	else
		taken(c, o, &m->ack);
	c->has_work = true;
	return true;
}
