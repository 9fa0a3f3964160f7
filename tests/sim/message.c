/* message.c - the modules' frames: real bytes, by the real encoder, through the real decoder */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "sim.h"
#include "wire/pack.h"

/* --- records: a MessagePack list of maps {record_id, mark, data} ------------------------------ */

static void put_string(struct buf *b, const char *text)
{
	uint8_t n = (uint8_t)strlen(text);

	buf_put(b, (uint8_t[]){ 0xd9, n }, 2);
	buf_put(b, text, n);
}

void message_record_id(int mark, uint32_t n, char out[32])
{
	snprintf(out, 32, "r%d-%u", mark, n);
}

void message_correlation(int correlation, char out[32])
{
	snprintf(out, 32, "day %d of the year", correlation);
}

void message_mark(const struct world *w, int parcel, char out[32])
{
	snprintf(out, 32, "mark %llu %d.", (unsigned long long)w->seed, parcel);
}

/* The first record carries what makes the batch large. */
static void put_padding(struct buf *b, int parcel, uint32_t n)
{
	uint8_t head[5] = { 0xc6 };
	uint8_t *at;

	frame_length_put(head + 1, n);
	put_string(b, "data");
	buf_put(b, head, sizeof head);
	if (n > 0 && (at = buf_reserve(b, n))) {
		memset(at, 'a' + parcel % 26, n);
		buf_grow(b, n);
	}
}

static void put_records(struct buf *b, const struct world *w, int parcel, bool other)
{
	const struct parcel *p = &w->parcels[parcel];
	char text[32];

	buf_put(b, (uint8_t[]){ 0xdc, (uint8_t)(p->records >> 8), (uint8_t)p->records }, 3);
	for (uint32_t n = 0; n < p->records; n++) {
		buf_put(b, (uint8_t[]){ n == 0 ? 0x83 : 0x82 }, 1);
		put_string(b, "record_id");
		message_record_id(parcel, n, text);
		put_string(b, text);
		put_string(b, "mark");
		message_mark(w, parcel, text);
		put_string(b, other ? "other" : text);
		if (n == 0)
			put_padding(b, parcel, p->padding);
	}
}

/* --- frames ---------------------------------------------------------------------------------- */

static struct envelope envelope_of(struct world *w, const char *source, const char *target)
{
	struct envelope e = {
		.source_module = span_of(source),
		.target_module = span_of(target),
		.timestamp_us = (int64_t)w->now_ms * 1000,
	};

	rng_bytes(&w->rng, e.message_id.b, sizeof e.message_id.b);
	return e;
}

static struct frame *to_frame(struct world *w, struct buf *b)
{
	struct frame *f;
	size_t n;

	if (b->failed || b->len < FRAME_LENGTH_BYTES)
		broke(w, "a frame of the simulator could not be encoded");
	n = b->len - FRAME_LENGTH_BYTES;
	f = frame_create(n);
	memcpy(f->data, buf_bytes(b) + FRAME_LENGTH_BYTES, n);
	f->len = n;
	buf_finish(b);
	return f;
}

static size_t put_completes(const struct world *w, const struct parcel *p, enum flaw flaw,
    struct ack_out out[COMPLETES_MAX + 1])
{
	size_t n = 0;

	for (int k = 0; k < p->complete_count; k++) {
		const struct completion *c = &p->completes[k];

		out[n++] = (struct ack_out){
			.batch_id = w->parcels[c->parcel].batch_id,
			.status = ACK_PROCESSED,
			.records_accepted = w->parcels[c->parcel].records - c->rejected + c->unsound,
			.records_rejected = c->rejected,
			.lease = c->lease,
		};
	}
	if (flaw == FLAW_OTHER_COMPLETES)
		out[n++] = (struct ack_out){ .batch_id = p->batch_id, .status = ACK_PROCESSED,
			.records_accepted = 1, .lease = w->top_lease + 1000 };
	return n;
}

/* A frame's map gets one pair more, `error_summary`: its source knows of some. */
static void put_summary(struct buf *frame, int parcel)
{
	uint8_t *head = (uint8_t *)(uintptr_t)buf_bytes(frame);
	char id[32];
	struct error_summary_out s = { .count = 2,
		.breakdown = &(struct error_breakdown){ span_of("SIM_LEFT_OUT"), 2 },
		.breakdown_count = 1, .record_id_count = 1 };
	struct packer p;

	message_record_id(parcel, RECORDS_MAX, id);
	s.record_ids = &(struct span){ id, strlen(id) };
	head[FRAME_LENGTH_BYTES]++;	/* it has few pairs: a fixmap */
	pack_init(&p, frame);
	pack_text(&p, "error_summary");
	encode_error_summary(frame, &s);
}

struct frame *message_batch(struct world *w, int parcel, enum flaw flaw)
{
	const struct parcel *p = &w->parcels[parcel];
	const struct route_settings *r = &w->plan.routes[p->route];
	struct ack_out completes[COMPLETES_MAX + 1];
	struct envelope e = envelope_of(w, r->source, flaw == FLAW_NO_ROUTE ? "DELTA" : r->target);
	char correlation[32];
	struct buf records, frame;
	struct batch_out b = {
		.batch_id = p->batch_id,
		.sequence_number = p->sequence_number,
		.record_count = p->records + (flaw == FLAW_COUNT),
		.created_at_us = e.timestamp_us,
		.priority = p->critical ? PRIORITY_CRITICAL : PRIORITY_NORMAL,
		.with_validation_summary = flaw != FLAW_NO_SUMMARY,
		.with_transformation_summaries = flaw != FLAW_NO_SUMMARY,
		.completes = completes,
		.complete_count = put_completes(w, p, flaw, completes),
	};

	message_correlation(p->correlation, correlation);
	e.correlation_id = span_of(correlation);
	buf_init(&records, 0);
	buf_init(&frame, 0);
	if (flaw == FLAW_NO_LIST)
		buf_put(&records, (uint8_t[]){ 0xc0 }, 1);
	else
		put_records(&records, w, parcel, flaw == FLAW_OTHER_CONTENT);
	b.records = (struct span){ (const char *)buf_bytes(&records), records.len };
	sha256(b.records.p, b.records.n, b.checksum);
	if (flaw == FLAW_CHECKSUM)
		b.checksum[7] ^= 1;
	encode_batch(&frame, &e, &b);
	if (p->has_summary)
		put_summary(&frame, parcel);
	buf_finish(&records);
	return to_frame(w, &frame);
}

void message_read(struct world *w, const struct frame *f, struct message *m)
{
	struct fault fault;

	if (message_decode(w->decoder, f->data, f->len, m, &fault) != 0)
		broke(w,
		    "a frame of the simulator is refused by the decoder: %s, expected %s, found %s",
		    fault.field_name, fault.expected, fault.actual);
}

/* --- a target's answer ------------------------------------------------------------------------ */

#define REPLY_ERRORS_MAX 16

static size_t put_errors(struct world *w, const struct reply *r, struct error_out out[REPLY_ERRORS_MAX],
    char ids[REPLY_ERRORS_MAX][32])
{
	static char text[RECORD_ERRORS_MAX / 2 - 1000];	/* the third of them is one too many */
	size_t n = 0;

	if (r->has_transient)
		out[n++] = (struct error_out){ .code = INT_ROUTE_002, .scope = SCOPE_BATCH };
	if (r->has_unknown)
		out[n++] = (struct error_out){ .code = INT_NONE, .scope = SCOPE_BATCH };
	if (r->has_permanent)
		out[n++] = (struct error_out){ .code = INT_BATCH_001, .scope = SCOPE_BATCH };
	for (int k = 0; k < r->record_errors && n < REPLY_ERRORS_MAX; k++) {
		message_record_id(w->parcels[r->parcel].mark,
		    r->names_twice ? 0 : (uint32_t)k, ids[n]);
		if (r->names_stranger && k == 0)
			snprintf(ids[n], 32, "nobody");
		out[n] = (struct error_out){ .code = INT_BATCH_002, .scope = SCOPE_RECORD,
			.record_id = r->names_none ? (struct span){ NULL, 0 } : span_of(ids[n]) };
		n++;
	}
	memset(text, 'x', sizeof text);
	for (size_t k = 0; k < n; k++) {
		if (r->long_errors)
			out[k].message = (struct span){ text, sizeof text };
		if (r->has_field)
			out[k].field_name = span_of("data");
		rng_bytes(&w->rng, out[k].error_id.b, sizeof out[k].error_id.b);
		out[k].correlation_id = span_of("simulated");
		out[k].source_module = span_of(route_of(w, r->parcel)->target);
		out[k].timestamp_us = (int64_t)w->now_ms * 1000;
	}
	return n;
}

struct frame *message_confirmation(struct world *w, int parcel,
    const struct message_record_delivery *results, size_t n)
{
	struct envelope e = envelope_of(w, route_of(w, parcel)->target, "BROKER");
	struct message_confirmation c = { .batch_id = w->parcels[parcel].batch_id,
		.results = results, .result_count = n };
	struct buf frame;

	buf_init(&frame, 0);
	encode_confirmation(&frame, &e, &c);
	return to_frame(w, &frame);
}

struct frame *message_notification(struct world *w, const struct actor *a, const struct tale *t)
{
	struct envelope e = envelope_of(w, w->plan.modules[a->module].name, "BROKER");
	struct buf frame;
	struct packer p;

	e.has_seen = t->has_seen;
	e.seen = a->seen;
	buf_init(&frame, 0);
	frame_begin(&p, &frame);
	pack_envelope(&p, MESSAGE_ERROR_NOTIFICATION, &e, 2);
	pack_text(&p, "errors");
	pack_list(&p, t->count);
	for (size_t n = 0; n < t->count; n++)
		pack_module_error(&p, &t->errors[n]);
	pack_key_text(&p, "action_required", action_required_name(t->action));
	frame_end(&p);
	return to_frame(w, &frame);
}

struct frame *message_reply(struct world *w, const struct reply *r)
{
	char ids[REPLY_ERRORS_MAX][32];
	struct error_out errors[REPLY_ERRORS_MAX];
	struct envelope e = envelope_of(w, route_of(w, r->parcel)->target, "BROKER");
	struct ack_out a = {
		.batch_id = r->batch_id,
		.status = r->status,
		.records_accepted = r->accepted,
		.records_rejected = r->rejected,
		.processing_duration_ms = 7,
		.lease = r->lease,
		.errors = errors,
		.error_count = put_errors(w, r, errors, ids),
	};
	struct buf frame;

	buf_init(&frame, 0);
	encode_ack(&frame, &e, &a);
	return to_frame(w, &frame);
}

uint32_t errors_crc(const struct message_ack *a, uint32_t *count)
{
	uint32_t crc = 0;
	size_t bytes = 0;

	*count = 0;
	for (size_t n = 0; n < a->error_count; n++) {
		bytes += a->errors[n].raw.n;
		if (bytes > RECORD_ERRORS_MAX)
			break;
		crc = crc32c(crc, a->errors[n].raw.p, a->errors[n].raw.n);
		++*count;
	}
	return crc;
}
