/* encode_health.c - CIRCUIT_STATE_CHANGE, and the two messages of a health check */
#include "wire/encode.h"

#include "wire/names.h"
#include "wire/pack.h"

void encode_circuit_change(struct buf *out, const struct envelope *e,
    const struct message_circuit_change *c)
{
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_CIRCUIT_STATE_CHANGE, e, 4);
	pack_key_span(&p, "circuit_id", c->circuit_id);
	pack_key_span(&p, "previous_state", circuit_state_names[c->previous_state]);
	pack_key_span(&p, "new_state", circuit_state_names[c->new_state]);
	pack_text(&p, "affected_modules");
	pack_list(&p, c->affected_count);
	for (size_t i = 0; i < c->affected_count; i++)
		pack_span(&p, c->affected_modules[i]);
	frame_end(&p);
}

void encode_health_request(struct buf *out, const struct envelope *e, enum check_type type)
{
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_HEALTH_CHECK_REQUEST, e, 1);
	pack_key_span(&p, "check_type", check_type_names[type]);
	frame_end(&p);
}

static void pack_checks(struct packer *p, const struct component_health *checks, size_t n)
{
	pack_text(p, "checks");
	pack_list(p, n);
	for (size_t i = 0; i < n; i++) {
		pack_map(p, 4);
		pack_key_span(p, "component_name", checks[i].name);
		pack_key_span(p, "status", health_status_names[checks[i].status]);
		pack_key_span(p, "message", checks[i].message);
		pack_key_datetime(p, "last_check", checks[i].checked_at_us);
	}
}

static void pack_module(struct packer *p, const struct module_health_out *m)
{
	pack_span(p, m->name);
	pack_map(p, 4);
	pack_key_span(p, "status", health_status_names[m->status]);
	pack_checks(p, m->checks, m->check_count);
	if (m->was_seen)
		pack_key_datetime(p, "last_seen", m->last_seen_us);
	else
		pack_key_nil(p, "last_seen");
	pack_key_integer(p, "connected_instances", m->connected_instances);
}

static void pack_pipeline(struct packer *p, const struct pipeline_health_out *h)
{
	pack_key_map(p, "pipeline", 5);
	pack_key_span(p, "overall_status", health_status_names[h->overall_status]);
	pack_key_map(p, "module_statuses", h->module_count);
	for (size_t i = 0; i < h->module_count; i++)
		pack_module(p, &h->modules[i]);
	pack_key_integer(p, "active_circuits_open", h->circuits_open);
	pack_key_float(p, "error_rate_1m", h->error_rate_1m);
	pack_key_float(p, "throughput_records_per_second", h->records_per_second);
}

void encode_health_response(struct buf *out, const struct envelope *e,
    const struct health_response_out *h)
{
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_HEALTH_CHECK_RESPONSE, e, 3 + (size_t)(h->pipeline != NULL));
	pack_key_span(&p, "status", health_status_names[h->status]);
	pack_checks(&p, h->checks, h->check_count);
	pack_key_integer(&p, "uptime_seconds", h->uptime_seconds);
	if (h->pipeline != NULL)
		pack_pipeline(&p, h->pipeline);
	frame_end(&p);
}
