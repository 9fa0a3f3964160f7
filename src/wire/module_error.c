/* module_error.c - an IntegrationError, of a module's own code or of the broker's */
#include "wire/module_error.h"

#include "wire/names.h"
#include "wire/pack.h"

static void pack_context(struct packer *p, const struct module_error_out *e)
{
	const struct {
		const char *key;
		struct span value;
	} pairs[] = {
		{ "record_id", e->record_id },
		{ "batch_id", e->batch_id },
		{ "field_name", e->field_name },
		{ "expected_value", e->expected_value },
		{ "actual_value", e->actual_value },
	};
	const size_t count = sizeof(pairs) / sizeof(pairs[0]);
	size_t present = e->upstream_count > 0;

	for (size_t i = 0; i < count; i++)
		present += pairs[i].value.p != NULL;
	pack_key_map(p, "context", present);
	for (size_t i = 0; i < count; i++)
		if (pairs[i].value.p != NULL)
			pack_key_span(p, pairs[i].key, pairs[i].value);
	if (e->upstream_count == 0)
		return;
	pack_text(p, "upstream_errors");
	pack_list(p, e->upstream_count);
	for (size_t i = 0; i < e->upstream_count; i++) {
		char id[UUID_TEXT_LEN + 1];

		uuid_format(&e->upstream[i], id);
		pack_text(p, id);
	}
}

void pack_module_error(struct packer *p, const struct module_error_out *e)
{
	pack_map(p, 11);
	pack_key_uuid(p, "error_id", &e->error_id);
	pack_key_span(p, "correlation_id", e->correlation_id);
	pack_key_datetime(p, "timestamp", e->timestamp_us);
	pack_key_span(p, "source_module", e->source_module);
	pack_key_span(p, "severity", severity_names[e->severity]);
	pack_key_span(p, "recoverability", recoverability_names[e->recoverability]);
	pack_key_span(p, "scope", scope_names[e->scope]);
	pack_key_span(p, "error_code", e->code);
	pack_key_span(p, "error_message", e->message);
	pack_context(p, e);
	pack_key_boolean(p, "retry_eligible", e->recoverability != RECOVERABILITY_PERMANENT);
}

void encode_module_error(struct buf *out, const struct module_error_out *e)
{
	struct packer p;

	pack_init(&p, out);
	pack_module_error(&p, e);
}
