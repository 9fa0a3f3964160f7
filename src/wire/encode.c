/* encode.c - the messages of a session: HELLO, WELCOME, GOODBYE, and the envelope of all */
#include "wire/encode.h"

#include "wire/names.h"
#include "wire/pack.h"

static void pack_header(struct packer *p, enum message_type type, const struct envelope *e)
{
	pack_key_map(p, "header", 7);
	pack_key_uuid(p, "message_id", &e->message_id);
	if (e->correlation_id.p != NULL)
		pack_key_span(p, "correlation_id", e->correlation_id);
	else
		pack_key_uuid(p, "correlation_id", &e->message_id);
	pack_key_span(p, "source_module", e->source_module);
	pack_key_span(p, "target_module", e->target_module);
	pack_key_span(p, "message_type", message_type_names[type - MESSAGE_HELLO]);
	pack_key_datetime(p, "timestamp", e->timestamp_us);
	pack_key_text(p, "protocol_version", PROTOCOL_VERSION);
}

void pack_envelope(struct packer *p, enum message_type type, const struct envelope *e,
    size_t body_pairs)
{
	const bool has_answer = e->in_reply_to != NULL, has_notice = e->notice != 0;

	pack_map(p, 1 + (size_t)has_answer + (size_t)has_notice + (size_t)e->has_seen + body_pairs);
	pack_header(p, type, e);
	if (has_answer)
		pack_key_uuid(p, "in_reply_to", e->in_reply_to);
	if (has_notice)
		pack_key_integer(p, "notice", e->notice);
	if (e->has_seen)
		pack_key_integer(p, "seen", e->seen);
}

static void pack_welcome_route(struct packer *p, const struct welcome_route *r)
{
	pack_map(p, 12);
	pack_key_span(p, "name", r->name);
	pack_key_span(p, "source_module", r->source_module);
	pack_key_span(p, "target_module", r->target_module);
	pack_key_integer(p, "batch_size", r->batch_size);
	pack_key_integer(p, "flush_timeout_ms", r->flush_timeout_ms);
	pack_key_integer(p, "ack_timeout_ms", r->ack_timeout_ms);
	pack_key_integer(p, "process_timeout_ms", r->process_timeout_ms);
	pack_key_integer(p, "retry_delay_ms", r->retry_delay_ms);
	pack_key_integer(p, "max_retries", r->max_retries);
	pack_key_float(p, "backoff_multiplier", r->backoff_multiplier);
	pack_key_boolean(p, "backpressure_active", r->backpressure_active);
	pack_key_integer(p, "last_sequence_number", r->last_sequence_number);
}

void encode_welcome(struct buf *out, const struct envelope *e, const struct message_welcome *w)
{
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_WELCOME, e, 7);
	pack_key_span(&p, "broker", w->broker);
	pack_key_uuid(&p, "broker_id", &w->broker_id);
	pack_text(&p, "features");
	pack_list(&p, 0);
	pack_key_span(&p, "instance_id", w->instance_id);
	pack_key_integer(&p, "max_in_flight", w->max_in_flight);
	pack_key_integer(&p, "max_frame_bytes", w->max_frame_bytes);
	pack_text(&p, "routes");
	pack_list(&p, w->route_count);
	for (size_t i = 0; i < w->route_count; i++)
		pack_welcome_route(&p, &w->routes[i]);
	frame_end(&p);
}

void encode_goodbye(struct buf *out, const struct envelope *e, const struct goodbye_out *g)
{
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_GOODBYE, e, 2 + (size_t)(g->message != NULL));
	pack_key_span(&p, "reason", goodbye_reason_names[g->reason]);
	pack_key_integer(&p, "reconnect_delay_ms", g->reconnect_delay_ms);
	if (g->message != NULL)
		pack_key_text(&p, "message", g->message);
	frame_end(&p);
}

void encode_hello(struct buf *out, const struct envelope *e, const struct hello_out *h)
{
	const bool has_broker_id = h->broker_id != NULL, has_holds = h->hold_count > 0;
	const bool has_client = h->client.p != NULL;
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_HELLO, e,
	    3 + (size_t)has_broker_id + (size_t)has_holds + (size_t)has_client);
	pack_key_span(&p, "instance_id", h->instance_id);
	pack_key_integer(&p, "max_in_flight", h->max_in_flight);
	pack_key_boolean(&p, "mailbox", h->mailbox);
	if (has_broker_id)
		pack_key_uuid(&p, "broker_id", h->broker_id);
	if (has_holds) {
		pack_text(&p, "holds");
		pack_list(&p, h->hold_count);
		for (size_t i = 0; i < h->hold_count; i++)
			pack_integer(&p, h->holds[i]);
	}
	if (has_client)
		pack_key_span(&p, "client", h->client);
	frame_end(&p);
}
