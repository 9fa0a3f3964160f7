/* settings.h - what the decisions depend on: filled from the configuration, handed to the core */
#ifndef HANDOFF_CORE_SETTINGS_H
#define HANDOFF_CORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

#define ROUTE_NAME_MAX 63

struct module_settings {
	char name[MODULE_NAME_MAX + 1];
};

/* A route's settings, as WELCOME names them (protocol.md section 3), and what stays with the
 * broker. */
struct route_settings {
	char name[ROUTE_NAME_MAX + 1];
	char source[MODULE_NAME_MAX + 1];
	char target[MODULE_NAME_MAX + 1];
	uint32_t batch_size;		/* records; for the source's assembly */
	uint32_t flush_timeout_ms;	/* for the source's assembly */
	uint32_t ack_timeout_ms;
	uint32_t process_timeout_ms;
	uint32_t retry_delay_ms;
	uint32_t max_retries;		/* deliveries after the first */
	double backoff_multiplier;
	uint32_t max_retry_delay_ms;
	uint64_t queue_capacity;	/* batches in custody */
	uint64_t queue_capacity_bytes;
	uint64_t stage_margin;		/* batches with `completes` beyond queue_capacity */
	uint64_t dead_letter_capacity;	/* dead letters; beyond, new batches are refused */
	uint64_t dead_letter_capacity_bytes;
	bool ordered;			/* one at a time per source instance, in sequence order */
	bool confirm;			/* waits for DELIVERY_CONFIRMATION */
	uint32_t confirm_timeout_ms;
};

/* A circuit that modules share: what they depend on together, as they tell of it. */
#define CIRCUIT_MODULES_MAX 64
struct circuit_settings {
	char name[ROUTE_NAME_MAX + 1];
	const char *const *modules;	/* declared ones, none twice, at most CIRCUIT_MODULES_MAX */
	size_t module_count;
	const char *const *error_codes;	/* a TRANSIENT error with one of them is a failure */
	size_t error_code_count;
	const char *const *destinations;	/* where records go: FAILED there is one, too */
	size_t destination_count;
};

struct core_settings {
	const struct module_settings *modules;
	size_t module_count;
	const struct route_settings *routes;
	size_t route_count;
	uint32_t max_in_flight_limit;	/* deliveries one instance may hold */
	uint32_t instances_per_module;	/* instance ids remembered */
	uint32_t reclaim_ms;		/* how long batches wait for the instance that held them */
	uint64_t outcome_retention_ms;	/* how long an end is known, as far as the budget goes */
	uint64_t
	    dedupe_minimum_ms; /* how long one that the source has not confirmed is, at least */
	uint64_t history_size;		/* bytes for all of history */
	uint64_t stage_reserve;		/* bytes that only batches with `completes` may use */
	uint32_t max_frame_bytes;
	double backpressure_high_watermark;	/* part of a route's capacity, 0 to 1 */
	double backpressure_low_watermark;
	uint32_t circuit_failure_threshold;	/* failures in a row that open a circuit */
	uint32_t circuit_reset_timeout_ms;	/* until an open one lets a probe through */
	uint32_t flood_threshold;	/* dead letters with one code that pause a route; 0: none */
	uint32_t flood_window_ms;	/* within so long */
	const struct circuit_settings *circuits;	/* those that are shared */
	size_t circuit_count;
	uint32_t health_check_interval_ms;	/* 0: nobody is asked */
	uint32_t health_check_timeout_ms;
	double error_rate_degraded;	/* part of a minute's deliveries that fail, 0 to 1 */
};

#endif
