/* encode_flow.c - BACKPRESSURE before a batch, DELIVERY_CONFIRMATION after it */
#include "wire/encode.h"

#include "wire/names.h"
#include "wire/pack.h"

void encode_backpressure(struct buf *out, const struct envelope *e,
    const struct message_backpressure *b)
{
	const bool has_route = b->route.p != NULL;
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_BACKPRESSURE, e, 3 + (size_t)has_route);
	pack_key_span(&p, "signal_type", signal_type_names[b->signal_type]);
	pack_key_integer(&p, "current_queue_depth", b->current_queue_depth);
	pack_key_integer(&p, "recommended_delay_ms", b->recommended_delay_ms);
	if (has_route)
		pack_key_span(&p, "route", b->route);
	frame_end(&p);
}

static void pack_result(struct packer *p, const struct message_record_delivery *r)
{
	pack_map(p, 4);
	pack_key_span(p, "record_id", r->record_id);
	pack_key_span(p, "destination_id", r->destination_id);
	pack_key_span(p, "status", record_delivery_names[r->status]);
	pack_key_datetime(p, "delivery_timestamp", r->delivered_at_us);
}

void encode_confirmation(struct buf *out, const struct envelope *e,
    const struct message_confirmation *c)
{
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_DELIVERY_CONFIRMATION, e, 2);
	pack_key_uuid(&p, "batch_id", &c->batch_id);
	pack_text(&p, "delivery_results");
	pack_list(&p, c->result_count);
	for (size_t i = 0; i < c->result_count; i++)
		pack_result(&p, &c->results[i]);
	frame_end(&p);
}
