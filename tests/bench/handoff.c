/* handoff.c - the broker as a contender: a connection each for source and target */
#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "net/tls.h"

static struct {
	const struct load *load;
	struct tls_context *source_tls, *target_tls;	/* owned */
	struct peer source, target;
	struct payload payload;
	bool has_source, has_target;
} h;

static void open_peers(const struct load *l)
{
	char instance[32];

	/* Not that of another run, whose last outcomes may still wait in its mailbox. */
	snprintf(instance, sizeof(instance), "bench-%d", (int)getpid());
	h.load = l;
	h.has_source = l->phase != PHASE_DRAIN;
	h.has_target = l->phase != PHASE_PUBLISH;
	if (h.has_target) {
		h.target_tls = load_credentials(l->target, l->credentials);
		peer_open(&h.target, l->target, instance, l->address, h.target_tls, l->in_flight);
		if (h.target.credit < l->in_flight)
			die("the broker delivers at most %lu batches at a time",
			    (unsigned long)h.target.credit);
	}
	if (h.has_source) {
		payload_init(&h.payload, l->records, l->batch_bytes);
		h.source_tls = load_credentials(l->source, l->credentials);
		peer_open(&h.source, l->source, instance, l->address, h.source_tls, 0);
	}
}

static void close_peers(void)
{
	if (h.has_source) {
		peer_close(&h.source);
		payload_finish(&h.payload);
	}
	if (h.has_target)
		peer_close(&h.target);
	tls_destroy(h.source_tls);
	tls_destroy(h.target_tls);
}

static void send_batch(struct engine *e, uint64_t number)
{
	(void)e;
	peer_send(&h.source, h.load->target, &h.payload, number);
}

static void handle_ack(struct engine *e, const struct message *m)
{
	if (m->ack.status == ACK_REJECTED)
		die("a batch was refused: %.*s", (int)m->ack.errors[0].error_message.n,
		    m->ack.errors[0].error_message.p);
	if (m->ack.status == ACK_RECEIVED)
		engine_on_received(e, batch_number(&m->ack.batch_id));
	else
		engine_on_completed(e, batch_number(&m->ack.batch_id));
	if (m->has_notice && m->notice > h.source.seen)
		h.source.seen = m->notice;
}

static void exchange(struct engine *e)
{
	struct awaited ends[2];
	struct message m;
	size_t n = 0;

	if (h.has_source) {
		peer_flush(&h.source);
		ends[n++] = await_link(h.source.link);
	}
	if (h.has_target) {
		peer_flush(&h.target);
		ends[n++] = await_link(h.target.link);
	}
	wait_for(ends, n);
	while (h.has_source && peer_receive(&h.source, &m))
		if (m.header.type == MESSAGE_ACKNOWLEDGMENT)
			handle_ack(e, &m);
		else if (m.header.type != MESSAGE_BACKPRESSURE)
			die_of(&h.source, &m);
	if (h.has_target)
		peer_process(&h.target, e, !h.has_source);
}

const struct contender contender_handoff = {
	.name = "handoff", .open = open_peers, .send = send_batch, .exchange = exchange,
	.close = close_peers,
};
