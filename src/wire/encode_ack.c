/* encode_ack.c - acknowledgments, and the errors they and ERROR_NOTIFICATION carry */
#include "wire/encode.h"

#include "wire/module_error.h"
#include "wire/names.h"
#include "wire/pack.h"

/* On an ordered route a sequence number that is out of turn is refused, and may be tried again. */
static struct error_code_info classify(const struct error_out *e)
{
	struct error_code_info info = *error_code_info(e->code);

	if (e->code == INT_BATCH_004 && e->transient) {
		info.severity = SEVERITY_ERROR;
		info.recoverability = RECOVERABILITY_TRANSIENT;
	}
	return info;
}

static void pack_error(struct packer *p, const struct error_out *e)
{
	const struct error_code_info info = classify(e);

	pack_module_error(p, &(struct module_error_out){
		.error_id = e->error_id,
		.correlation_id = e->correlation_id,
		.timestamp_us = e->timestamp_us,
		.source_module = e->source_module,
		.severity = info.severity,
		.recoverability = info.recoverability,
		.scope = e->scope,
		.code = span_of(info.name),
		.message = e->message.p != NULL ? e->message : span_of(info.meaning),
		.batch_id = e->batch_id,
		.record_id = e->record_id,
		.field_name = e->field_name,
		.expected_value = e->expected_value,
		.actual_value = e->actual_value,
		.upstream = e->upstream,
		.upstream_count = e->upstream_count,
	});
}

void encode_error(struct buf *out, const struct error_out *e)
{
	struct packer p;

	pack_init(&p, out);
	pack_error(&p, e);
}

void encode_error_summary(struct buf *out, const struct error_summary_out *s)
{
	struct packer p;

	pack_init(&p, out);
	pack_map(&p, 3);
	pack_key_integer(&p, "upstream_errors", s->count);
	pack_key_map(&p, "error_breakdown", s->breakdown_count);
	for (size_t i = 0; i < s->breakdown_count; i++) {
		pack_span(&p, s->breakdown[i].code);
		pack_integer(&p, s->breakdown[i].count);
	}
	pack_text(&p, "affected_record_ids");
	pack_list(&p, s->record_id_count);
	for (size_t i = 0; i < s->record_id_count; i++)
		pack_span(&p, s->record_ids[i]);
}

void pack_errors(struct packer *p, const struct error_out *errors, size_t n, struct span more,
    size_t more_count)
{
	pack_text(p, "errors");
	pack_list(p, n + more_count);
	for (size_t i = 0; i < n; i++)
		pack_error(p, &errors[i]);
	pack_raw(p, more);
}

void pack_ack_payload(struct packer *p, const struct ack_out *a)
{
	pack_key_uuid(p, "batch_id", &a->batch_id);
	pack_key_span(p, "status", ack_status_names[a->status]);
	pack_key_integer(p, "records_accepted", a->records_accepted);
	pack_key_integer(p, "records_rejected", a->records_rejected);
	pack_key_integer(p, "processing_duration_ms", a->processing_duration_ms);
}

void encode_ack(struct buf *out, const struct envelope *e, const struct ack_out *a)
{
	const bool has_lease = a->lease != 0, has_route = a->route.p != NULL;
	const bool has_errors = a->error_count + a->more_error_count > 0;
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_ACKNOWLEDGMENT, e, 1 + (size_t)has_lease + (size_t)a->duplicate +
	    (size_t)has_route + (size_t)has_errors);
	pack_key_map(&p, "payload", ACK_PAYLOAD_PAIRS);
	pack_ack_payload(&p, a);
	if (has_lease)
		pack_key_integer(&p, "lease", a->lease);
	if (a->duplicate)
		pack_key_boolean(&p, "duplicate", true);
	if (has_route)
		pack_key_span(&p, "route", a->route);
	if (has_errors)
		pack_errors(&p, a->errors, a->error_count, a->more_errors, a->more_error_count);
	frame_end(&p);
}

static void notify(struct buf *out, const struct envelope *e, const struct error_out *errors,
    size_t n, struct span more, size_t more_count, enum action_required action)
{
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_ERROR_NOTIFICATION, e, 2);
	pack_errors(&p, errors, n, more, more_count);
	pack_key_span(&p, "action_required", action_required_names[action]);
	frame_end(&p);
}

void encode_error_notification(struct buf *out, const struct envelope *e,
    const struct error_out *errors, size_t n, enum action_required action)
{
	notify(out, e, errors, n, (struct span){ 0 }, 0, action);
}

void encode_report(struct buf *out, const struct envelope *e, struct span errors, size_t n,
    enum action_required action)
{
	notify(out, e, NULL, 0, errors, n, action);
}
