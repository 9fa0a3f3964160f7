/*
 * ending.c - what the caller said of a delivery, until the broker has answered
 *
 * PROCESSED and REJECTED are echoed once they are durable. Until then the delivery stays here, and
 * what was said is said again on the next connection: the lease may still be current (protocol
 * section 6). The answer is known by the message it answers.
 */
#include <string.h>

#include "client/internal.h"

/* --- what is said ---------------------------------------------------------------------------- */

static bool is_open(const struct handoff_delivery *d)
{
	return d->state == DELIVERY_OPEN;
}

/* What is said about the delivery must fit into one frame. */
static bool fits(const struct handoff_delivery *d)
{
	return d->errors.len + FRAME_OVERHEAD_BYTES <= d->client->max_frame_bytes;
}

static void set_said(struct handoff_delivery *d, enum ack_status status, uint64_t rejected,
    size_t error_count)
{
	d->said = (struct ack_out){
		.batch_id = d->batch_id,
		.status = status,
		.records_accepted = d->record_count - rejected,
		.records_rejected = rejected,
		.processing_duration_ms = (uint64_t)(d->client->now_ms - d->begun_at_ms),
		.lease = d->lease,
		.more_errors = { (const char *)buf_bytes(&d->errors), d->errors.len },
		.more_error_count = error_count,
	};
}

/* Encodes one more error into d->errors; 0 or a result. */
static int put_error(struct handoff_delivery *d, const struct handoff_error *error,
    enum scope scope)
{
	if (error_encode(d->client, &d->errors, error, scope, d->batch_id_text, d->correlation_id))
		return 0;
	return d->errors.failed ? HANDOFF_NO_MEMORY : HANDOFF_INVALID;
}

int ending_prepare(struct handoff_delivery *d, uint64_t records_rejected,
    const struct handoff_error *errors, size_t error_count)
{
	int result = 0;

	if (!is_open(d) || records_rejected > d->record_count || error_count > records_rejected ||
	    error_count > HANDOFF_RECORD_ERRORS_MAX)
		return HANDOFF_INVALID;
	if (d->is_superseded)
		return HANDOFF_STALE;
	buf_clear(&d->errors);
	for (size_t i = 0; i < error_count && result == 0; i++)
		result = errors[i].record_id != NULL ? put_error(d, &errors[i], SCOPE_RECORD)
						     : HANDOFF_INVALID;
	if (result == 0 && !fits(d))
		result = HANDOFF_TOO_LARGE;
	if (result == 0)
		set_said(d, ACK_PROCESSED, records_rejected, error_count);
	return result;
}

void ending_say(struct handoff_delivery *d)
{
	if (d->client->state == HANDOFF_CONNECTED)
		receiver_acknowledge(d, &d->said, &d->said_id);
}

/* From now on the delivery is not the caller's. */
static void say(struct handoff_delivery *d)
{
	d->state = DELIVERY_SAID;
	events_forget_delivery(d->client, d);
	ending_say(d);
	client_push(d->client);
}

int handoff_processed(struct handoff_delivery *d, uint64_t records_rejected,
    const struct handoff_error *errors, size_t error_count)
{
	int result;

	client_read_clock(d->client);
	result = ending_prepare(d, records_rejected, errors, error_count);
	if (result == 0)
		say(d);
	else if (result == HANDOFF_STALE)
		delivery_destroy(d);
	return result;
}

static enum scope wider_than_record(enum handoff_scope scope)
{
	switch (scope) {
	case HANDOFF_MODULE: return SCOPE_MODULE;
	case HANDOFF_PIPELINE: return SCOPE_PIPELINE;
	default: return SCOPE_BATCH;
	}
}

int handoff_rejected(struct handoff_delivery *d, const struct handoff_error *error)
{
	int result;

	client_read_clock(d->client);
	if (!is_open(d))
		return HANDOFF_INVALID;
	if (d->is_superseded) {
		delivery_destroy(d);
		return HANDOFF_STALE;
	}
	buf_clear(&d->errors);
	result = put_error(d, error, wider_than_record(error->scope));
	if (result != 0)
		return result;
	set_said(d, ACK_REJECTED, d->record_count, 1);
	say(d);
	return 0;
}

void handoff_drop(struct handoff_delivery *d)
{
	struct handoff_client *c = d->client;

	if (!is_open(d))
		return;
	delivery_destroy(d);
	client_settle(c);
}

/* --- what is answered ------------------------------------------------------------------------ */

void ending_finish(struct handoff_delivery *d, struct event *done)
{
	if (done != NULL) {
		event_set_batch(done, &d->batch_id, d->route);
		done->shown.lease = d->lease;
		done->shown.processed = d->said.status == ACK_PROCESSED;
		done->shown.user = d->user;
		event_post(d->client, done);
	}
	delivery_destroy(d);
}

static struct handoff_delivery *find_said(struct handoff_client *c, const struct uuid *message_id)
{
	struct handoff_delivery *d;

	TAILQ_FOREACH(d, &c->deliveries, link)
		if (d->state == DELIVERY_SAID && uuid_equal(&d->said_id, message_id))
			return d;
	return NULL;
}

static bool has_code(const struct message_error_notification *n, const char *code)
{
	for (size_t i = 0; i < n->error_count; i++)
		if (span_is(n->errors[i].error_code, code))
			return true;
	return false;
}

/* What was said changed nothing: too late, or wrong and the caller's again. */
static void refused(struct handoff_delivery *d, const struct message_error_notification *n)
{
	struct handoff_client *c = d->client;
	const bool is_stale = has_code(n, "INT_DELIVERY_005");
	struct event *e = event_create(c, is_stale ? HANDOFF_EVENT_STALE : HANDOFF_EVENT_NOT_DONE);

	if (e == NULL || !event_set_errors(c, e, n->errors, n->error_count)) {
		event_destroy(e);
		return;
	}
	event_set_batch(e, &d->batch_id, d->route);
	e->shown.lease = d->lease;
	e->shown.user = d->user;
	if (is_stale) {
		delivery_destroy(d);
	} else {
		d->state = DELIVERY_OPEN;
		c->repeat_at_ms = c->now_ms;
		e->shown.delivery = d;
	}
	event_post(c, e);
}

bool ending_on_answer(struct handoff_client *c, const struct message *m)
{
	struct handoff_delivery *d = m->has_in_reply_to ? find_said(c, &m->in_reply_to) : NULL;
	struct event *done;

	if (d == NULL)
		return false;
	if (m->header.type == MESSAGE_ERROR_NOTIFICATION) {
		refused(d, &m->error_notification);
		return true;
	}
	done = event_create(c, HANDOFF_EVENT_DONE);
	if (done != NULL)
		ending_finish(d, done);
	return true;
}
