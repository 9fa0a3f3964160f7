/*
 * fold.c - what a message says, folded into one number, so that two of them can be compared
 *
 * What our encoder has no form for (keys it does not know, errors of a module in a notification,
 * the numbers in summaries) is not in it.
 */
#include "messages.h"

#include "base/digest.h"

static uint32_t number(uint32_t sum, uint64_t n)
{
	return crc32c(sum, &n, sizeof n);
}

/* A text that is absent is another than an empty one. */
static uint32_t text(uint32_t sum, struct span s)
{
	sum = number(sum, s.p != NULL ? s.n : UINT64_MAX);
	return s.p != NULL ? crc32c(sum, s.p, s.n) : sum;
}

static uint32_t uuid(uint32_t sum, const struct uuid *u)
{
	return crc32c(sum, u->b, sizeof u->b);
}

static uint32_t fold_ack(uint32_t sum, const struct message_ack *a)
{
	sum = number(uuid(sum, &a->batch_id), a->status);
	sum = number(number(sum, a->records_accepted), a->records_rejected);
	sum = number(number(sum, a->processing_duration_ms), a->lease);
	sum = number(text(sum, a->route), a->duplicate);
	for (size_t n = 0; n < a->error_count; n++)
		sum = text(sum, a->errors[n].raw);
	return sum;
}

static uint32_t fold_batch(uint32_t sum, const struct message_batch *b)
{
	sum = number(uuid(sum, &b->batch_id), b->sequence_number);
	sum = number(crc32c(sum, b->checksum, sizeof b->checksum), b->record_count);
	sum = number(text(sum, b->records), (uint64_t)b->created_at_us);
	sum = number(sum, b->priority);
	sum = number(sum, b->has_validation_summary);
	for (size_t n = 0; n < b->complete_count; n++)
		sum = fold_ack(sum, &b->completes[n]);
	return sum;
}

static uint32_t fold_hello(uint32_t sum, const struct message_hello *h)
{
	sum = number(text(sum, h->instance_id), h->max_in_flight);
	sum = number(number(sum, h->mailbox), h->has_broker_id);
	sum = h->has_broker_id ? uuid(sum, &h->broker_id) : sum;
	for (size_t n = 0; n < h->hold_count; n++)
		sum = number(sum, h->holds[n]);
	return text(sum, h->client);
}

static uint32_t fold_route(uint32_t sum, const struct welcome_route *r)
{
	sum = text(text(text(sum, r->name), r->source_module), r->target_module);
	sum = number(number(sum, r->batch_size), r->flush_timeout_ms);
	sum = number(number(sum, r->ack_timeout_ms), r->process_timeout_ms);
	sum = number(number(sum, r->retry_delay_ms), r->max_retries);
	sum = crc32c(sum, &r->backoff_multiplier, sizeof r->backoff_multiplier);
	return number(number(sum, r->backpressure_active), r->last_sequence_number);
}

static uint32_t fold_welcome(uint32_t sum, const struct message_welcome *w)
{
	sum = text(uuid(text(sum, w->broker), &w->broker_id), w->instance_id);
	sum = number(number(sum, w->max_in_flight), w->max_frame_bytes);
	for (size_t n = 0; n < w->route_count; n++)
		sum = fold_route(sum, &w->routes[n]);
	return sum;
}

static uint32_t fold_confirmation(uint32_t sum, const struct message_confirmation *c)
{
	sum = uuid(sum, &c->batch_id);
	for (size_t n = 0; n < c->result_count; n++) {
		const struct message_record_delivery *r = &c->results[n];

		sum = text(text(sum, r->record_id), r->destination_id);
		sum = number(number(sum, r->status), (uint64_t)r->delivered_at_us);
	}
	return sum;
}

static uint32_t fold_backpressure(uint32_t sum, const struct message_backpressure *b)
{
	sum = number(number(sum, b->signal_type), b->current_queue_depth);
	return text(number(sum, b->recommended_delay_ms), b->route);
}

static uint32_t fold_rest(uint32_t sum, const struct message *m, enum decode_side side)
{
	switch (m->header.type) {
	case MESSAGE_HELLO:
		return side == DECODE_AT_BROKER ? fold_hello(sum, &m->hello) : sum;
	case MESSAGE_WELCOME:
		return side == DECODE_AT_CLIENT ? fold_welcome(sum, &m->welcome) : sum;
	case MESSAGE_GOODBYE:
		sum = number(number(sum, m->goodbye.reason), m->goodbye.reconnect_delay_ms);
		return text(sum, m->goodbye.message);
	case MESSAGE_BATCH_TRANSFER:
		return fold_batch(sum, &m->batch);
	case MESSAGE_ACKNOWLEDGMENT:
		return fold_ack(sum, &m->ack);
	case MESSAGE_BACKPRESSURE:
		return fold_backpressure(sum, &m->backpressure);
	case MESSAGE_DELIVERY_CONFIRMATION:
		return fold_confirmation(sum, &m->confirmation);
	default:
		return sum;
	}
}

uint32_t message_fold(const struct message *m, enum decode_side side)
{
	const struct message_header *h = &m->header;
	uint32_t sum = text(uuid(0, &h->message_id), h->correlation_id);

	sum = text(text(sum, h->source_module), h->target_module);
	sum = number(number(sum, h->type), (uint64_t)h->timestamp_us);
	sum = number(number(sum, m->notice), m->has_seen ? m->seen : 0);
	sum = m->has_in_reply_to ? uuid(sum, &m->in_reply_to) : sum;
	return fold_rest(sum, m, side);
}
