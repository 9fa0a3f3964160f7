/* peer.c - one module's connection to the broker: certificates, HELLO, whole messages */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/datetime.h"
#include "bench.h"
#include "net/stream.h"

#define FRAME_BYTES_MAX (16 * 1024 * 1024)
#define REDIAL_US 500

struct tls_context *load_credentials(const char *module, const char *directory)
{
	char name[MODULE_NAME_MAX + 1], ca[512], certificate[512], key[512], why[512];
	struct tls_context *tls;
	size_t i;

	for (i = 0; module[i] != '\0' && i < MODULE_NAME_MAX; i++)
		name[i] = (char)tolower((unsigned char)module[i]);
	name[i] = '\0';
	snprintf(ca, sizeof(ca), "%s/ca.crt", directory);
	snprintf(certificate, sizeof(certificate), "%s/module-%s.crt", directory, name);
	snprintf(key, sizeof(key), "%s/module-%s.key", directory, name);
	tls = tls_client_create(ca, certificate, key, why, sizeof(why));
	if (tls == NULL)
		die("%s", why);
	return tls;
}

/* One attempt: 0, or a failure. */
static int dial(struct peer *p, const char *address, struct tls_context *tls)
{
	char why[256];
	int r;

	p->link = link_create(tls, address, NULL, clock_monotonic_ms(), why, sizeof(why));
	if (p->link == NULL)
		die("%s", why);
	while ((r = link_connect(p->link, clock_monotonic_ms())) == ERR_AGAIN) {
		const struct awaited a = await_link(p->link);

		wait_for(&a, 1);
	}
	return r;
}

/* Again and again: a broker that has just been started does not listen yet. */
static void connect_to(struct peer *p, const char *address, struct tls_context *tls)
{
	const int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (dial(p, address, tls) != 0) {
		if (clock_monotonic_ms() > until_ms)
			die("%s: %s", p->module, link_why(p->link));
		link_destroy(p->link);
		nanosleep(&(struct timespec){ .tv_nsec = REDIAL_US * 1000 }, NULL);
	}
}

struct envelope peer_envelope(struct peer *p, const char *target)
{
	struct envelope e = {
		.source_module = span_of(p->module),
		.target_module = span_of(target),
		.timestamp_us = datetime_now_us(),
	};
	uint8_t random[16];

	rng_bytes(&p->rng, random, sizeof(random));
	uuid_make(&e.message_id, (uint64_t)e.timestamp_us / 1000, random);
	return e;
}

static void greet(struct peer *p, const char *instance, uint64_t max_in_flight)
{
	const struct envelope e = peer_envelope(p, "BROKER");
	const struct hello_out hello = {
		.instance_id = span_of(instance),
		.max_in_flight = max_in_flight,
		.mailbox = true,
		.client = span_of("bench"),
	};
	struct message m;

	encode_hello(link_out(p->link), &e, &hello);
	peer_flush(p);
	while (!peer_receive(p, &m)) {
		const struct awaited a = await_link(p->link);

		wait_for(&a, 1);
	}
	if (m.header.type != MESSAGE_WELCOME)
		die_of(p, &m);
	p->credit = m.welcome.max_in_flight;
}

void peer_open(struct peer *p, const char *module, const char *instance, const char *address,
    struct tls_context *tls, uint64_t max_in_flight)
{
	*p = (struct peer){
		.module = module,
		.decoder = decoder_create(DECODE_AT_CLIENT),
	};
	rng_seed(&p->rng, (uint64_t)clock_monotonic_us());
	connect_to(p, address, tls);
	greet(p, instance, max_in_flight);
}

void peer_close(struct peer *p)
{
	while (link_end(p->link) == ERR_AGAIN) {
		const struct awaited a = await_link(p->link);

		wait_for(&a, 1);
	}
	link_destroy(p->link);
	decoder_destroy(p->decoder);
	frame_unref(p->frame);
}

static bool receive(struct peer *p, struct message *m)
{
	struct fault fault;
	int r;

	frame_unref(p->frame);
	p->frame = NULL;
	r = link_receive(p->link, FRAME_BYTES_MAX, &p->frame);
	if (r == ERR_AGAIN)
		return false;
	if (r != 0)
		die("%s: %s", p->module, link_why(p->link));
	if (message_decode(p->decoder, p->frame->data, p->frame->len, m, &fault) != 0)
		die("%s: %s: expected %s, found %s", p->module, fault.field_name, fault.expected,
		    fault.actual);
	return true;
}

static void answer_health(struct peer *p, const struct message *m)
{
	struct envelope e = peer_envelope(p, "BROKER");

	e.correlation_id = m->header.correlation_id;
	e.in_reply_to = &m->header.message_id;
	encode_health_response(link_out(p->link), &e, &(struct health_response_out){ 0 });
}

bool peer_receive(struct peer *p, struct message *m)
{
	while (receive(p, m)) {
		if (m->header.type != MESSAGE_HEALTH_CHECK_REQUEST)
			return true;
		answer_health(p, m);
	}
	return false;
}

void peer_flush(struct peer *p)
{
	const int r = link_flush(p->link);

	if (r != 0 && r != ERR_AGAIN)
		die("%s: %s", p->module, link_why(p->link));
}

void die_of(const struct peer *p, const struct message *m)
{
	if (m->header.type == MESSAGE_GOODBYE)
		die("%s: the broker said GOODBYE %s: %.*s", p->module,
		    goodbye_reason_name(m->goodbye.reason), (int)m->goodbye.message.n,
		    m->goodbye.message.n > 0 ? m->goodbye.message.p : "");
	die("%s: the broker said %s", p->module, message_type_name(m->header.type));
}

/* --- a source's, a target's part ------------------------------------------------------------- */

void peer_send(struct peer *p, const char *target, const struct payload *payload, uint64_t number)
{
	struct envelope e = peer_envelope(p, target);
	struct batch_out b = {
		.batch_id = peer_envelope(p, target).message_id,
		.sequence_number = ++p->sent,
		.record_count = payload->count,
		.created_at_us = e.timestamp_us,
		.records = { (const char *)buf_bytes(&payload->records), payload->records.len },
		.with_validation_summary = strcmp(p->module, "ALPHA") == 0,
	};

	frame_length_put(b.batch_id.b + 12, (uint32_t)number);
	memcpy(b.checksum, payload->checksum, sizeof(b.checksum));
	e.has_seen = true;
	e.seen = p->seen;
	encode_batch(link_out(p->link), &e, &b);
}

uint64_t batch_number(const struct uuid *batch_id)
{
	return frame_length(batch_id->b + 12);
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

void peer_process(struct peer *target, struct engine *e, bool is_end)
{
	struct message m;

	while (peer_receive(target, &m))
		if (m.header.type == MESSAGE_BATCH_TRANSFER) {
			if (e != NULL)
				engine_on_delivery(e);
			send_ack(target, &m, ACK_RECEIVED);
			send_ack(target, &m, ACK_PROCESSED);
		} else if (m.header.type != MESSAGE_ACKNOWLEDGMENT ||
			   m.ack.status != ACK_PROCESSED) {
			die_of(target, &m);
		} else if (is_end) {
			engine_on_completed(e, batch_number(&m.ack.batch_id));
		}
}
