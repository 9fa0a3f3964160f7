/* messages.c - a frame's body, decoded on both sides and written again */
#include "messages.h"

#include <string.h>

#include "base/log.h"
#include "fuzz.h"
#include "wire/encode.h"
#include "wire/frame.h"

#define IDS_MAX 16
#define COMPLETES_MAX 64
#define MEMORY_TIMES 16
#define MEMORY_BESIDE (64 * 1024)

static struct decoder *decoders[2];

void messages_begin(void)
{
	decoders[DECODE_AT_BROKER] = decoder_create(DECODE_AT_BROKER);
	decoders[DECODE_AT_CLIENT] = decoder_create(DECODE_AT_CLIENT);
}

/* --- writing it again ------------------------------------------------------------------------- */

/* The errors as they came, one after the other in `to`. */
static struct ack_out ack_again(const struct message_ack *a, struct buf *to)
{
	const size_t start = to->len;

	for (size_t n = 0; n < a->error_count; n++)
		buf_put(to, a->errors[n].raw.p, a->errors[n].raw.n);
	return (struct ack_out){
		.batch_id = a->batch_id,
		.status = a->status,
		.records_accepted = a->records_accepted,
		.records_rejected = a->records_rejected,
		.processing_duration_ms = a->processing_duration_ms,
		.lease = a->lease,
		.duplicate = a->duplicate,
		.route = a->route,
		.more_errors = { (const char *)to->data + start, to->len - start },
		.more_error_count = a->error_count,
	};
}

/* Room for all errors at once, so that the spans into it stay. */
static bool reserve_errors(struct buf *to, size_t n)
{
	return buf_reserve(to, n + 1) != NULL;
}

static bool batch_again(struct buf *out, const struct envelope *e, const struct message_batch *b,
    struct buf *errors)
{
	struct ack_out completes[COMPLETES_MAX];

	if (b->complete_count > COMPLETES_MAX)
		return false;
	for (size_t n = 0; n < b->complete_count; n++)
		completes[n] = ack_again(&b->completes[n], errors);
	encode_batch(out, e, &(struct batch_out){
		.batch_id = b->batch_id,
		.sequence_number = b->sequence_number,
		.record_count = b->record_count,
		.created_at_us = b->created_at_us,
		.records = b->records,
		.priority = b->priority,
		.with_validation_summary = b->has_validation_summary,
		.with_transformation_summaries = b->has_quality_summary,
		.completes = completes,
		.complete_count = b->complete_count,
		.checksum = { 0 },
	});
	return true;
}

static bool goodbye_again(struct buf *out, const struct envelope *e,
    const struct message_goodbye *g)
{
	char words[512];

	if (g->message.n >= sizeof words || memchr(g->message.p, '\0', g->message.n) != NULL)
		return false;
	memcpy(words, g->message.p, g->message.n);
	words[g->message.n] = '\0';
	encode_goodbye(out, e, &(struct goodbye_out){ g->reason, g->reconnect_delay_ms, words });
	return true;
}

static void hello_again(struct buf *out, const struct envelope *e, const struct message_hello *h)
{
	encode_hello(out, e, &(struct hello_out){
		.instance_id = h->instance_id,
		.max_in_flight = h->max_in_flight,
		.mailbox = h->mailbox,
		.broker_id = h->has_broker_id ? &h->broker_id : NULL,
		.holds = h->holds,
		.hold_count = h->hold_count,
		.client = h->client,
	});
}

/* False where the encoder has no form for it. */
static bool write_again(struct buf *out, const struct message *m, enum decode_side side,
    struct buf *errors)
{
	const struct envelope e = {
		.message_id = m->header.message_id,
		.correlation_id = m->header.correlation_id,
		.source_module = m->header.source_module,
		.target_module = m->header.target_module,
		.timestamp_us = m->header.timestamp_us,
		.in_reply_to = m->has_in_reply_to ? &m->in_reply_to : NULL,
		.notice = m->notice,
		.has_seen = m->has_seen,
		.seen = m->seen,
	};

	switch (m->header.type) {
	case MESSAGE_HELLO:
		if (side == DECODE_AT_BROKER)
			hello_again(out, &e, &m->hello);
		return side == DECODE_AT_BROKER;
	case MESSAGE_WELCOME:
		if (side == DECODE_AT_CLIENT)
			encode_welcome(out, &e, &m->welcome);
		return side == DECODE_AT_CLIENT;
	case MESSAGE_GOODBYE:
		return m->goodbye.message.p != NULL && goodbye_again(out, &e, &m->goodbye);
	case MESSAGE_BATCH_TRANSFER:
		return batch_again(out, &e, &m->batch, errors);
	case MESSAGE_ACKNOWLEDGMENT: {
		const struct ack_out a = ack_again(&m->ack, errors);

		if (m->ack.has_lease && m->ack.lease == 0)	/* our own begin with 1 */
			return false;
		encode_ack(out, &e, &a);
		return true;
	}
	case MESSAGE_BACKPRESSURE:
		encode_backpressure(out, &e, &m->backpressure);
		return true;
	case MESSAGE_DELIVERY_CONFIRMATION:
		encode_confirmation(out, &e, &m->confirmation);
		return true;
	default:
		return false;
	}
}

/* --- what is done with it --------------------------------------------------------------------- */

static bool read_sound(const uint8_t *body, size_t n, enum decode_side side, struct message *m)
{
	struct fault f = { .code = INT_NONE };
	int rc;

	memset(m, 0x5a, sizeof *m);
	memory_count();
	rc = message_decode(decoders[side], body, n, m, &f);
	must(memory_peak() <= MEMORY_TIMES * n + MEMORY_BESIDE);
	must((rc == 0) == (f.code == INT_NONE));
	/* What a refusal shows of a stranger goes into the log and to people. */
	must(rc == 0 || strnlen(f.actual, sizeof f.actual) < sizeof f.actual);
	if (rc != 0)
		(void)log_quote(f.field_name, strlen(f.field_name));
	return rc == 0;
}

static void write_and_read(const struct message *m, enum decode_side side, size_t n)
{
	const uint32_t sum = message_fold(m, side);
	struct buf out, errors;
	struct message again;

	buf_init(&out, 0);
	buf_init(&errors, 0);
	must(reserve_errors(&errors, n));
	if (write_again(&out, m, side, &errors)) {
		const uint8_t *frame = buf_bytes(&out);

		must(!out.failed && frame_length(frame) == out.len - FRAME_LENGTH_BYTES);
		must(read_sound(frame + FRAME_LENGTH_BYTES, out.len - FRAME_LENGTH_BYTES, side,
		    &again));
		if (m->header.type == MESSAGE_BATCH_TRANSFER)	/* not what is compared here */
			memcpy(again.batch.checksum, m->batch.checksum, sizeof m->batch.checksum);
		must(message_fold(&again, side) == sum);
	}
	buf_finish(&out);
	buf_finish(&errors);
}

/* As the broker hands it on: the client reads what the source wrote. */
static void deliver(const struct message *m, const uint8_t *body, size_t n)
{
	const struct delivery_out d = { .route = span_of("alpha-beta"), .attempt = 2,
		.redelivered = true, .lease = 7, .received_at_us = 1700000000000000 };
	const uint32_t sum = message_fold(m, DECODE_AT_BROKER);
	struct buf head, tail;
	struct message got;
	size_t skip;

	buf_init(&head, 0);
	buf_init(&tail, 0);
	encode_delivery(&head, &tail, body, n, &skip, &d);
	buf_put(&head, body + skip, n - skip);
	buf_put(&head, buf_bytes(&tail), tail.len);
	must(!head.failed && frame_length(buf_bytes(&head)) == head.len - FRAME_LENGTH_BYTES);
	must(read_sound(buf_bytes(&head) + FRAME_LENGTH_BYTES, head.len - FRAME_LENGTH_BYTES,
	    DECODE_AT_CLIENT, &got));
	must(got.batch.has_delivery && got.batch.delivery_lease == d.lease);
	must(message_fold(&got, DECODE_AT_CLIENT) == sum);
	buf_finish(&head);
	buf_finish(&tail);
}

/* The rejected records are taken out of it: a batch again, of so many records. */
static void take_out(const struct message *m, const uint8_t *body, size_t n,
    const struct span *ids, size_t count)
{
	const struct uuid other = { { 1 } };
	struct rejects_made made;
	struct message got;
	struct buf out;
	int64_t found;

	buf_init(&out, 0);
	if (encode_rejects(&out, body, n, m->batch.records, ids, count, &other, &made) == 0) {
		must(read_sound(buf_bytes(&out), out.len, DECODE_AT_BROKER, &got));
		must(got.batch.record_count == made.record_count && made.record_count > 0);
		must(got.batch.records.n == made.records_len);
		must(got.batch.records.p == (const char *)buf_bytes(&out) + made.records_at);
		must(records_check(got.batch.records, made.record_count, &found));
		must(memcmp(got.batch.checksum, made.checksum, sizeof made.checksum) == 0);
	}
	buf_finish(&out);
}

static void try_batch(const struct message *m, const uint8_t *body, size_t n)
{
	struct span ids[IDS_MAX], named[IDS_MAX];
	size_t at = 0, count, named_count = 0, missing;
	uint64_t index;
	int64_t found;

	deliver(m, body, n);
	if (!records_check(m->batch.records, m->batch.record_count, &found))
		return;
	must(found == (int64_t)m->batch.record_count);
	count = records_ids(m->batch.records, &at, ids, IDS_MAX);
	for (size_t k = 0; k < count; k++)
		if (ids[k].p != NULL)
			named[named_count++] = ids[k];
	if (named_count == 0)
		return;
	must(records_have_ids(m->batch.records, named, named_count, &missing));
	must(records_find(m->batch.records, named[0], &index) && index < m->batch.record_count);
	take_out(m, body, n, named, named_count);
}

/* A stored body is shown, and passed on, whatever it holds. */
static void try_stored(const struct message *m, bool is_sound, const uint8_t *body, size_t n)
{
	struct header_ids ids;
	struct stored_error e;
	struct buf out;
	size_t at = 0;

	must(frame_header_ids(body, n, &ids) || !is_sound);
	must(!is_sound || uuid_equal(&ids.message_id, &m->header.message_id));
	while (stored_error_next(body, n, &at, &e))
		must(at <= n);
	if (!is_sound)
		return;
	buf_init(&out, 0);
	must(message_strip(&out, body, n) == 0 && out.len <= n);
	buf_finish(&out);
}

void messages_try(const uint8_t *body, size_t n)
{
	struct message m;
	bool is_sound = read_sound(body, n, DECODE_AT_CLIENT, &m);

	if (is_sound)
		write_and_read(&m, DECODE_AT_CLIENT, n);
	is_sound = read_sound(body, n, DECODE_AT_BROKER, &m);
	if (is_sound) {
		write_and_read(&m, DECODE_AT_BROKER, n);
		/* its lists were the decoder's */
		must(read_sound(body, n, DECODE_AT_BROKER, &m));
	}
	try_stored(&m, is_sound, body, n);
	if (is_sound && m.header.type == MESSAGE_BATCH_TRANSFER)
		try_batch(&m, body, n);
}
