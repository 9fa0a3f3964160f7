/* settings.c - the configuration in the words of the rooms below */
#include "server/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static void fill_route(struct route_settings *r, const struct config *c,
    const struct config_route *from)
{
	snprintf(r->name, sizeof r->name, "%s", from->name);
	snprintf(r->source, sizeof r->source, "%s", c->modules[from->source].name);
	snprintf(r->target, sizeof r->target, "%s", c->modules[from->target].name);
	r->batch_size = (uint32_t)from->batch_size;
	r->flush_timeout_ms = (uint32_t)from->flush_timeout_ms;
	r->ack_timeout_ms = (uint32_t)from->ack_timeout_ms;
	r->process_timeout_ms = (uint32_t)from->process_timeout_ms;
	r->retry_delay_ms = (uint32_t)from->retry_delay_ms;
	r->max_retries = (uint32_t)from->max_retries;
	r->backoff_multiplier = from->backoff_multiplier;
	r->max_retry_delay_ms = (uint32_t)from->max_retry_delay_ms;
	r->queue_capacity = (uint64_t)from->queue_capacity;
	r->queue_capacity_bytes = (uint64_t)from->queue_capacity_bytes;
	r->stage_margin = (uint64_t)from->stage_margin;
	r->dead_letter_capacity = (uint64_t)from->dead_letter_capacity;
	r->dead_letter_capacity_bytes = (uint64_t)from->dead_letter_capacity_bytes;
	r->ordered = from->ordered;
	r->confirm = from->confirm;
	r->confirm_timeout_ms = (uint32_t)from->confirm_timeout_ms;
}

/* The words are the configuration's. */
static void fill_circuit(struct circuit_settings *k, const struct config_circuit *from)
{
	snprintf(k->name, sizeof k->name, "%s", from->name);
	k->modules = (const char *const *)from->modules.words;
	k->module_count = from->modules.count;
	k->error_codes = (const char *const *)from->error_codes.words;
	k->error_code_count = from->error_codes.count;
	k->destinations = (const char *const *)from->destinations.words;
	k->destination_count = from->destinations.count;
}

static void fill_core(struct settings *s, const struct config *c)
{
	s->core = (struct core_settings){
		.modules = s->modules,
		.module_count = c->module_count,
		.routes = s->routes,
		.route_count = c->route_count,
		.max_in_flight_limit = (uint32_t)c->max_in_flight_limit,
		.instances_per_module = (uint32_t)c->max_module_instances,
		.reclaim_ms = (uint32_t)c->reclaim_ms,
		.outcome_retention_ms = (uint64_t)c->outcome_retention_ms,
		.dedupe_minimum_ms = (uint64_t)c->dedupe_minimum_ms,
		.history_size = (uint64_t)c->history_size,
		.stage_reserve = (uint64_t)c->stage_reserve,
		.max_frame_bytes = (uint32_t)c->max_frame_bytes,
		.backpressure_high_watermark = c->backpressure_high_watermark,
		.backpressure_low_watermark = c->backpressure_low_watermark,
		.circuit_failure_threshold = (uint32_t)c->circuit_failure_threshold,
		.circuit_reset_timeout_ms = (uint32_t)c->circuit_reset_timeout_ms,
		.flood_threshold = (uint32_t)c->flood_threshold,
		.flood_window_ms = (uint32_t)c->flood_window_ms,
		.circuits = s->circuits,
		.circuit_count = c->circuit_count,
		.health_check_interval_ms = (uint32_t)c->health_check_interval_ms,
		.health_check_timeout_ms = (uint32_t)c->health_check_timeout_ms,
		.error_rate_degraded = c->error_rate_degraded,
	};
	for (size_t n = 0; n < c->module_count; n++)
		snprintf(s->modules[n].name, sizeof s->modules[n].name, "%s", c->modules[n].name);
	for (size_t n = 0; n < c->route_count; n++)
		fill_route(&s->routes[n], c, &c->routes[n]);
	for (size_t n = 0; n < c->circuit_count; n++)
		fill_circuit(&s->circuits[n], &c->circuits[n]);
}

static void fill_mappings(struct settings *s, const struct config *c)
{
	size_t count = 0, at = 0;

	for (size_t n = 0; n < c->module_count; n++)
		count += c->modules[n].identity_count;
	s->mappings = xcalloc(count ? count : 1, sizeof *s->mappings);
	for (size_t n = 0; n < c->module_count; n++)
		for (size_t k = 0; k < c->modules[n].identity_count; k++)
			s->mappings[at++] = (struct identity_mapping){ c->modules[n].identities[k],
				c->modules[n].name };
	s->sessions.mappings = s->mappings;
	s->sessions.mapping_count = count;
}

struct settings *settings_create(const struct config *c)
{
	struct settings *s = xcalloc(1, sizeof *s);

	s->sessions = (struct sessions_settings){
		.max_frame_bytes = (uint32_t)c->max_frame_bytes,
		.max_assembly_bytes = (uint64_t)c->max_assembly_bytes,
		.max_connections = (uint32_t)c->max_connections,
		.max_module_connections = (uint32_t)c->max_module_connections,
		.hello_timeout_ms = (uint32_t)c->hello_timeout_ms,
		.write_timeout_ms = (uint32_t)c->write_timeout_ms,
		.rekey_records = (uint64_t)c->rekey_records,
		.rekey_bytes = (uint64_t)c->rekey_bytes,
		.rekey_age_ms = (uint64_t)c->rekey_age_ms,
	};
	fill_core(s, c);
	fill_mappings(s, c);
	return s;
}

void settings_destroy(struct settings *s)
{
	if (s)
		free(s->mappings);
	free(s);
}
