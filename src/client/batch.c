/* batch.c - a finished batch of the caller's, and the deliveries it completes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "wire/mpcheck.h"
#include "wire/text.h"

/* The list's length; 0 when the bytes are not exactly one list. */
static uint64_t count_records(const struct handoff_batch *b)
{
	struct mp_head head;

	if (b->records == NULL || mp_head_read(b->records, b->records_bytes, &head) != MP_OK ||
	    head.type != MP_ARRAY || !mp_is_whole(b->records, b->records_bytes))
		return 0;
	return head.count;
}

static bool is_correlation_id(const char *text)
{
	const size_t n = strlen(text);

	return n >= 1 && n <= CORRELATION_ID_MAX && text_is_utf8(text, n);
}

/* While draining: a batch can still be a part of what is made of it. */
static bool has_open_delivery(const struct handoff_client *c)
{
	const struct handoff_delivery *d;

	TAILQ_FOREACH(d, &c->deliveries, link)
		if (d->state == DELIVERY_OPEN)
			return true;
	return false;
}

static int check(const struct handoff_client *c, const struct handoff_batch *b)
{
	if (c->state == HANDOFF_ENDED || c->state == HANDOFF_CLOSING ||
	    (c->is_draining && b->complete_count == 0 && !has_open_delivery(c)))
		return HANDOFF_CLOSED;
	if (b->target_module == NULL || count_records(b) == 0 ||
	    b->sequence_number > INT64_MAX ||
	    (b->correlation_id != NULL && !is_correlation_id(b->correlation_id)))
		return HANDOFF_INVALID;
	if (c->max_frame_bytes == 0)
		return HANDOFF_NOT_CONNECTED;
	if (route_to(c, b->target_module) == NULL)
		return HANDOFF_NO_ROUTE;
	if (b->complete_count == 0 && !outbox_has_room(c, b->records_bytes))
		return HANDOFF_AGAIN;
	return 0;
}

static bool is_named_before(const struct handoff_batch *b, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (b->completes[k].delivery == b->completes[i].delivery)
			return true;
	return false;
}

/* PROCESSED for each of them, ready to be said; *bytes gets what they take in the frame. */
static int prepare_completes(const struct handoff_client *c, const struct handoff_batch *b,
    size_t *bytes)
{
	*bytes = 0;
	for (size_t i = 0; i < b->complete_count; i++) {
		const struct handoff_completion *done = &b->completes[i];
		int result;

		if (done->delivery->client != c || is_named_before(b, i))
			return HANDOFF_INVALID;
		result = ending_prepare(done->delivery, done->records_rejected, done->errors,
					done->error_count);
		if (result != 0)
			return result;
		*bytes += COMPLETION_BYTES + done->delivery->errors.len;
	}
	return 0;
}

static void copy_summary(struct outgoing *o, const struct handoff_summary *s)
{
	o->summaries = (struct summaries_out){
		.total_records_validated = s->total_records_validated,
		.records_passed = s->records_passed,
		.records_failed = s->records_failed,
		.total_records_transformed = s->total_records_transformed,
		.transformations_applied = s->transformations_applied,
		.enrichment_cache_hit_rate = s->enrichment_cache_hit_rate,
		.average_quality_score = s->average_quality_score,
		.min_quality_score = s->min_quality_score,
		.max_quality_score = s->max_quality_score,
		.records_below_threshold = s->records_below_threshold,
	};
	o->out.summaries = &o->summaries;
}

static void copy_id(char to[CORRELATION_ID_MAX + 1], const char *from)
{
	snprintf(to, CORRELATION_ID_MAX + 1, "%s", from);
}

/* Copies what the caller gave; NULL when memory is refused. */
static struct outgoing *make_outgoing(const struct handoff_batch *b)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->storage = malloc(b->records_bytes);
	o->completes = calloc(b->complete_count + 1, sizeof(*o->completes));
	if (o->storage == NULL || o->completes == NULL) {
		outgoing_destroy(o);
		return NULL;
	}
	memcpy(o->storage, b->records, b->records_bytes);
	o->out.records = (struct span){ o->storage, b->records_bytes };
	o->out.record_count = count_records(b);
	o->out.sequence_number = b->sequence_number;
	o->out.priority = b->critical ? PRIORITY_CRITICAL : PRIORITY_NORMAL;
	if (b->summary != NULL)
		copy_summary(o, b->summary);
	o->user = b->user;
	o->complete_count = b->complete_count;
	for (size_t i = 0; i < b->complete_count; i++)
		o->completes[i] = b->completes[i].delivery;
	if (b->correlation_id != NULL)
		copy_id(o->correlation_id, b->correlation_id);
	else if (b->complete_count > 0)
		copy_id(o->correlation_id, o->completes[0]->correlation_id);
	return o;
}

/* The deliveries are the batch's, and no longer the caller's. */
static void take_deliveries(struct handoff_client *c, const struct outgoing *o)
{
	for (size_t i = 0; i < o->complete_count; i++) {
		o->completes[i]->state = DELIVERY_COMPLETED;
		events_forget_delivery(c, o->completes[i]);
	}
}

int handoff_send_batch(struct handoff_client *c, const struct handoff_batch *b,
    char id[HANDOFF_ID_SIZE])
{
	struct uuid batch_id = { 0 };
	struct outgoing *o;
	size_t completes_bytes;
	int result = check(c, b);

	if (result != 0)
		return result;
	if (b->batch_id != NULL && !uuid_parse(b->batch_id, strlen(b->batch_id), &batch_id))
		return HANDOFF_INVALID;
	client_read_clock(c);
	result = prepare_completes(c, b, &completes_bytes);
	if (result != 0)
		return result;
	if (b->records_bytes > handoff_max_records_bytes(c) ||
	    completes_bytes > handoff_max_records_bytes(c) - b->records_bytes)
		return HANDOFF_TOO_LARGE;
	o = make_outgoing(b);
	if (o == NULL)
		return HANDOFF_NO_MEMORY;
	o->out.batch_id = batch_id;
	outbox_add(c, route_to(c, b->target_module), o);
	take_deliveries(c, o);
	if (id != NULL)
		uuid_format(&o->out.batch_id, id);
	client_push(c);
	return 0;
}
