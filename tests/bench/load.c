/*
 * load.c - a source that keeps so many batches in flight, a target that processes at once
 *
 * All batches have the same records, so that making them costs little beside what is measured: the
 * broker. The number of a batch stands in the last bytes of its id; a ring, in which each batch in
 * flight has its place, keeps when it was sent.
 */
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/digest.h"
#include "base/mem.h"
#include "bench.h"

struct source {
	struct peer *peer;
	struct buf records;		/* the content of `records` */
	uint8_t checksum[SHA256_BYTES];
	uint64_t in_flight;		/* most batches at a time */
	uint64_t sent, processed;
	int64_t *sent_us;		/* owned; by number modulo in_flight */
	uint64_t seen;			/* highest notice */
	struct figures *figures;
};

/* --- batches --------------------------------------------------------------------------------- */

static void put_text(struct buf *b, const char *text)
{
	const size_t n = strlen(text);

	buf_put(b, &(uint8_t){ (uint8_t)(0xa0 | n) }, 1);		/* fixstr */
	buf_put(b, text, n);
}

/* A list of one record, {record_id, data}, of exactly so many bytes. */
static void make_records(struct buf *b, size_t bytes)
{
	uint8_t head[5] = { 0xc6 };					/* bin 32 */
	uint8_t *data;
	size_t n;

	buf_init(b, 0);
	buf_put(b, (const uint8_t[]){ 0x91, 0x82 }, 2);	/* list of 1, map of 2 */
	put_text(b, "record_id");
	put_text(b, "1");
	put_text(b, "data");
	if (bytes < b->len + sizeof(head))
		die("a batch has at least %zu bytes", b->len + sizeof(head));
	n = bytes - b->len - sizeof(head);
	frame_length_put(head + 1, (uint32_t)n);
	buf_put(b, head, sizeof(head));
	data = buf_reserve(b, n);
	if (data == NULL)
		die("no memory for a batch of %zu bytes", bytes);
	memset(data, 'x', n);
	buf_grow(b, n);
}

static void put_number(struct uuid *id, uint64_t number)
{
	frame_length_put(id->b + 12, (uint32_t)number);
}

static uint64_t get_number(const struct uuid *id)
{
	return frame_length(id->b + 12);
}

static void send_batch(struct source *s)
{
	struct envelope e = peer_envelope(s->peer, "BETA");
	struct batch_out b = {
		.batch_id = peer_envelope(s->peer, "BETA").message_id,
		.sequence_number = s->sent + 1,
		.record_count = 1,
		.created_at_us = e.timestamp_us,
		.records = { (const char *)buf_bytes(&s->records), s->records.len },
		.with_validation_summary = true,
	};

	put_number(&b.batch_id, s->sent);
	memcpy(b.checksum, s->checksum, sizeof(b.checksum));
	e.has_seen = true;
	e.seen = s->seen;
	encode_batch(link_out(s->peer->link), &e, &b);
	s->sent_us[s->sent % s->in_flight] = clock_monotonic_us();
	s->sent++;
}

/* Nothing that a healthy broker says here. */
__attribute__((noreturn))
static void die_of(const struct peer *p, const struct message *m)
{
	if (m->header.type == MESSAGE_GOODBYE)
		die("%s: the broker said GOODBYE %s: %.*s", p->module,
		    goodbye_reason_name(m->goodbye.reason), (int)m->goodbye.message.n,
		    m->goodbye.message.n > 0 ? m->goodbye.message.p : "");
	die("%s: the broker said %s", p->module, message_type_name(m->header.type));
}

/* --- what comes back ------------------------------------------------------------------------- */

static void handle_ack(struct source *s, const struct message *m)
{
	const uint64_t number = get_number(&m->ack.batch_id);
	const int64_t us = clock_monotonic_us() - s->sent_us[number % s->in_flight];

	if (m->ack.status == ACK_REJECTED)
		die("a batch was refused: %.*s", (int)m->ack.errors[0].error_message.n,
		    m->ack.errors[0].error_message.p);
	if (m->ack.status == ACK_RECEIVED) {
		samples_add(s->figures->received, us);
		return;
	}
	samples_add(s->figures->processed, us);
	s->processed++;
	if (m->has_notice && m->notice > s->seen)
		s->seen = m->notice;
}

static void source_receive(struct source *s)
{
	struct message m;

	while (peer_receive(s->peer, &m))
		if (m.header.type == MESSAGE_ACKNOWLEDGMENT)
			handle_ack(s, &m);
		else if (m.header.type != MESSAGE_BACKPRESSURE)
			die_of(s->peer, &m);
}

static void send_ack(struct peer *target, const struct message *m, enum ack_status status)
{
	struct envelope e = peer_envelope(target, "BROKER");
	const struct ack_out a = {
		.batch_id = m->batch.batch_id,
		.status = status,
		.records_accepted = m->batch.record_count,
		.lease = m->batch.delivery_lease,
	};

	e.correlation_id = m->header.correlation_id;
	e.in_reply_to = &m->header.message_id;
	encode_ack(link_out(target->link), &e, &a);
}

static void target_receive(struct peer *target)
{
	struct message m;

	while (peer_receive(target, &m))
		if (m.header.type == MESSAGE_BATCH_TRANSFER) {
			send_ack(target, &m, ACK_RECEIVED);
			send_ack(target, &m, ACK_PROCESSED);
		} else if (m.header.type != MESSAGE_ACKNOWLEDGMENT ||
			   m.ack.status != ACK_PROCESSED) {
			die_of(target, &m);
		}
}

/* --- the run --------------------------------------------------------------------------------- */

static bool may_send(const struct load *l, const struct source *s, int64_t began_us)
{
	return (l->handoffs == 0 || s->sent < l->handoffs) &&
	       (l->seconds == 0 || clock_monotonic_us() - began_us < l->seconds * 1000000);
}

void load_run(const struct load *l, struct peer *source, struct peer *target, struct figures *f)
{
	struct source s = { .peer = source, .in_flight = l->in_flight, .figures = f };
	const int64_t began_us = clock_monotonic_us();
	bool more = true;

	make_records(&s.records, l->batch_bytes);
	sha256(buf_bytes(&s.records), s.records.len, s.checksum);
	s.sent_us = xcalloc(l->in_flight, sizeof(*s.sent_us));
	*f = (struct figures){ .received = samples_create(), .processed = samples_create() };
	for (;;) {
		more = more && may_send(l, &s, began_us);
		while (more && s.sent - s.processed < l->in_flight) {
			send_batch(&s);
			more = may_send(l, &s, began_us);
		}
		if (!more && s.processed == s.sent)
			break;
		peer_flush(source);
		peer_flush(target);
		peer_wait(source, target);
		source_receive(&s);
		target_receive(target);
	}
	f->handoffs = s.processed;
	f->us = clock_monotonic_us() - began_us;
	buf_finish(&s.records);
	free(s.sent_us);
}
