/* peers_say.c - what modules say: frames by the real encoder */
#include <string.h>

#include "base/digest.h"
#include "fuzz.h"
#include "peers.h"
#include "wire/encode.h"
#include "wire/frame.h"

struct uuid batch_id_of(unsigned batch)
{
	return (struct uuid){ { 0xba, (uint8_t)batch, [6] = 0x40, [8] = 0x80 } };
}

/* A message's id says which variant of which batch it is. */
static struct envelope envelope(struct world *w, const struct peer *p, const char *to,
    unsigned batch, int variant)
{
	struct envelope e = {
		.message_id = { { 0xe0, (uint8_t)batch, (uint8_t)variant } },
		.source_module = span_of(p->module),
		.target_module = span_of(to),
		.timestamp_us = (int64_t)w->house.now_ms * 1000,
		.has_seen = p->seen > 0,
		.seen = p->seen,
	};

	w->messages++;
	memcpy(e.message_id.b + 12, &w->messages, sizeof w->messages);
	return e;
}

static bool say(struct peer *p, struct buf *b)
{
	must(!b->failed);
	wire_say(p->wire, buf_bytes(b), b->len);
	buf_finish(b);
	return true;
}

static bool is_on(const struct peer *p)
{
	return p->wire != NULL && !wire_is_over(p->wire);
}

bool peer_connect(struct world *w, struct peer *p)
{
	if (p->wire != NULL)
		return false;
	p->wire = wire_create(p->module);
	if (p->wire == NULL)
		return false;
	p->is_welcome = p->said_hello = false;
	sessions_add(w->house.sessions, p->wire, "127.0.0.1:1");
	return true;
}

bool peer_hello(struct world *w, struct peer *p, bool mailbox, bool holds)
{
	const struct envelope e = envelope(w, p, "BROKER", 0, 0);
	struct hello_out h = { .instance_id = span_of(p->instance), .max_in_flight = MAX_IN_FLIGHT,
		.mailbox = mailbox, .broker_id = store_broker_id(w->house.store) };
	uint64_t leases[HELD_MAX];
	struct buf b;

	if (!is_on(p))
		return false;
	for (unsigned n = 0; holds && n < p->held_count; n++)
		leases[h.hold_count++] = p->held[n].lease;
	h.holds = leases;
	if (!holds)
		p->held_count = 0;
	p->said_hello = true;
	buf_init(&b, 0);
	encode_hello(&b, &e, &h);
	return say(p, &b);
}

/* --- batches ---------------------------------------------------------------------------------- */

static const char *const targets[] = { "BETA", "GAMMA" };

static void put_records(struct buf *b, unsigned batch, unsigned count, int variant)
{
	buf_put(b, (uint8_t[]){ (uint8_t)(0x90 + count) }, 1);
	for (unsigned n = 0; n < count; n++) {
		const uint8_t record[] = { 0x82, 0xa9, 'r', 'e', 'c', 'o', 'r', 'd', '_', 'i', 'd',
			0xa3, 'r', (uint8_t)('0' + batch), (uint8_t)('0' + n), 0xa1, 'v',
			(uint8_t)variant };

		buf_put(b, record, sizeof record);
	}
}

static bool send_batch(struct world *w, struct peer *p, unsigned batch, int variant)
{
	const struct sent *s = &w->sent[batch];
	const struct envelope e = envelope(w, p, targets[s->route], batch, variant);
	struct ack_out completes[COMPLETES_MAX];
	struct batch_out out = {
		.batch_id = batch_id_of(batch),
		.sequence_number = w->sequence[p - w->peers]++,
		.record_count = s->count,
		.created_at_us = e.timestamp_us,
		.priority = batch % 5 == 4 ? PRIORITY_CRITICAL : PRIORITY_NORMAL,
		.with_validation_summary = true,
		.with_transformation_summaries = true,
		.completes = completes,
		.complete_count = s->complete_count,
	};
	struct buf records, b;

	for (unsigned n = 0; n < s->complete_count; n++)
		completes[n] = (struct ack_out){ .batch_id = batch_id_of((unsigned)s->completed[n]),
			.status = ACK_PROCESSED, .lease = s->completes[n],
			.records_accepted = w->sent[s->completed[n]].count };
	buf_init(&records, 0);
	buf_init(&b, 0);
	put_records(&records, batch, s->count, variant);
	out.records = (struct span){ (const char *)buf_bytes(&records), records.len };
	sha256(out.records.p, out.records.n, out.checksum);
	encode_batch(&b, &e, &out);
	buf_finish(&records);
	return say(p, &b);
}

static int route_of(const struct peer *p)
{
	return strcmp(p->module, "ALPHA") == 0 ? 0 : strcmp(p->module, "BETA") == 0 ? 1 : -1;
}

static bool make_batch(struct world *w, struct peer *p, unsigned count)
{
	if (!is_on(p) || route_of(p) < 0 || w->sent_count == SENT_MAX)
		return false;
	w->sent[w->sent_count++] = (struct sent){ .route = (unsigned)route_of(p),
		.count = 1 + count % 4, .taken = -1, .delivered = -1 };
	return true;
}

bool peer_send(struct world *w, struct peer *p, unsigned count)
{
	return make_batch(w, p, count) && send_batch(w, p, w->sent_count - 1, 0);
}

bool peer_repeat(struct world *w, struct peer *p, unsigned batch, int variant)
{
	if (!is_on(p) || w->sent_count == 0)
		return false;
	batch %= w->sent_count;
	return (int)w->sent[batch].route == route_of(p) && send_batch(w, p, batch, variant);
}

bool peer_stage(struct world *w, struct peer *p, unsigned completes)
{
	struct sent *s;

	if (p->held_count == 0 || route_of(p) != 1 || !make_batch(w, p, 0))
		return false;
	s = &w->sent[w->sent_count - 1];
	for (unsigned n = 0; n < COMPLETES_MAX && n <= completes && n < p->held_count; n++) {
		s->completed[n] = p->held[n].batch;
		s->completes[n] = p->held[n].lease;
		s->complete_count++;
	}
	return send_batch(w, p, w->sent_count - 1, 0);
}

/* --- answers ---------------------------------------------------------------------------------- */

static struct error_out error_of(bool permanent, enum scope scope, struct span record)
{
	return (struct error_out){ .code = permanent ? INT_BATCH_001 : INT_ROUTE_002,
		.scope = scope, .correlation_id = span_of("fuzz"), .source_module = span_of("BETA"),
		.record_id = record };
}

bool peer_answer(struct world *w, struct peer *p, unsigned held, enum ack_status status,
    bool permanent, unsigned rejected)
{
	const struct envelope e = envelope(w, p, "BROKER", 0, 0);
	struct error_out error = error_of(permanent, SCOPE_BATCH, (struct span){ 0 });
	char record[4] = "r00";
	struct buf b;

	if (!is_on(p) || p->held_count == 0)
		return false;
	held %= p->held_count;
	unsigned batch = (unsigned)p->held[held].batch, count = w->sent[batch].count;
	struct ack_out a = { .batch_id = batch_id_of(batch), .status = status,
		.lease = p->held[held].lease, .errors = &error };

	rejected = status == ACK_PROCESSED ? rejected % (count + 1) : 0;
	a.records_accepted = status == ACK_PROCESSED ? count - rejected : 0;
	a.records_rejected = status == ACK_REJECTED ? count : rejected;
	a.error_count = status == ACK_REJECTED || rejected == 1;
	if (rejected == 1) {		/* it is named: it gets a letter of its own */
		record[1] = (char)('0' + batch);
		error = error_of(true, SCOPE_RECORD, span_of(record));
	}
	buf_init(&b, 0);
	encode_ack(&b, &e, &a);
	return say(p, &b);
}

bool peer_confirm(struct world *w, struct peer *p, unsigned batch, unsigned status)
{
	const struct envelope e = envelope(w, p, "BROKER", 0, 0);
	char record[4] = "r00";
	struct message_record_delivery result = { .destination_id = span_of("lake"),
		.status = (enum record_delivery)(status % 3) };
	struct buf b;

	if (!is_on(p) || w->sent_count == 0)
		return false;
	batch %= w->sent_count;
	record[1] = (char)('0' + batch);
	record[2] = (char)('0' + status / 3 % w->sent[batch].count);
	result.record_id = span_of(record);
	buf_init(&b, 0);
	encode_confirmation(&b, &e, &(struct message_confirmation){ batch_id_of(batch), true,
		&result, 1 });
	return say(p, &b);
}

bool peer_press(struct world *w, struct peer *p, bool on)
{
	const struct envelope e = envelope(w, p, "BROKER", 0, 0);
	struct buf b;

	if (!is_on(p))
		return false;
	buf_init(&b, 0);
	encode_backpressure(&b, &e, &(struct message_backpressure){
		on ? SIGNAL_ACTIVATE : SIGNAL_DEACTIVATE, 3, 10, { 0 } });
	return say(p, &b);
}

bool peer_goodbye(struct world *w, struct peer *p, bool draining)
{
	const struct envelope e = envelope(w, p, "BROKER", 0, 0);
	struct buf b;

	if (!is_on(p))
		return false;
	buf_init(&b, 0);
	encode_goodbye(&b, &e, &(struct goodbye_out){
		draining ? GOODBYE_DRAINING : GOODBYE_DONE, 0, NULL });
	return say(p, &b);
}

void peer_leave(struct peer *p, bool broken)
{
	if (p->wire == NULL)
		return;
	wire_hang_up(p->wire, broken);
	wire_let_go(p->wire);
	p->wire = NULL;
}
