/* plan.c - what a seed decides beforehand: modules, routes, settings, troubles */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static uint64_t draw(struct rng *rng, uint64_t least, uint64_t most)
{
	return least + rng_below(rng, most - least + 1);
}

static bool one_in(struct rng *rng, unsigned n)
{
	return rng_below(rng, n) == 0;
}

/* Some troubles take time, or leave little room for the others: they are rarer. */
static unsigned rarity(enum trouble t)
{
	switch (t) {
	case TROUBLE_FULL_STORE:
		return 24;
	case TROUBLE_ABSENT:
		return 6;
	case TROUBLE_ROT:
	case TROUBLE_CORRUPT:
	case TROUBLE_LETTERS:
	case TROUBLE_CROWD:
	case TROUBLE_HISTORY:
	case TROUBLE_FULL_ROUTE:
		return 4;
	default:
		return 2;
	}
}

static void add_route(struct plan *p, struct rng *rng, const char *name, const char *source,
    const char *target)
{
	bool small = p->troubles[TROUBLE_FULL_ROUTE];
	bool few = p->troubles[TROUBLE_LETTERS];
	bool brief = p->troubles[TROUBLE_TIMEOUT] && !one_in(rng, 3);
	struct route_settings *r = &p->routes[p->core.route_count++];

	*r = (struct route_settings){
		.batch_size = 1000,
		.flush_timeout_ms = 1000,
		.ack_timeout_ms = brief ? (uint32_t)draw(rng, 30, 2000) : 30000,
		.process_timeout_ms = brief ? (uint32_t)draw(rng, 30, 4000) : 300000,
		.retry_delay_ms = (uint32_t)draw(rng, 1, one_in(rng, 2) ? 100 : 3000),
		.max_retries = one_in(rng, 3) ? 0 : (uint32_t)draw(rng, 0, 4),
		.backoff_multiplier = (double)draw(rng, 10, 40) / 10,
		.max_retry_delay_ms = one_in(rng, 2) ? 60000 : (uint32_t)draw(rng, 50, 2000),
		.queue_capacity = small ? draw(rng, 2, 12) : 10000,
		.queue_capacity_bytes =
			small && one_in(rng, 2) ? draw(rng, 2000, 20000) : STORE_BYTES,
		.stage_margin = draw(rng, 0, 3),
		.dead_letter_capacity = few ? draw(rng, 1, 10) : 10000,
		.dead_letter_capacity_bytes =
			few && one_in(rng, 3) ? draw(rng, 500, 5000) : STORE_BYTES,
		.ordered = one_in(rng, 3),
		.confirm = one_in(rng, 2),
		.confirm_timeout_ms = (uint32_t)draw(rng, 50, 5000),
	};
	snprintf(r->name, sizeof r->name, "%s", name);
	snprintf(r->source, sizeof r->source, "%s", source);
	snprintf(r->target, sizeof r->target, "%s", target);
}

void plan_change(struct plan *p, struct rng *rng)
{
	for (size_t n = 0; n < p->core.route_count; n++) {
		struct route_settings *r = &p->routes[n];
		bool small = p->troubles[TROUBLE_FULL_ROUTE], few = p->troubles[TROUBLE_LETTERS];

		if (one_in(rng, 2))
			continue;
		r->ack_timeout_ms = (uint32_t)draw(rng, 50, 30000);
		r->process_timeout_ms = (uint32_t)draw(rng, 50, 30000);
		r->retry_delay_ms = (uint32_t)draw(rng, 1, 3000);
		r->max_retry_delay_ms = (uint32_t)draw(rng, 50, 60000);
		r->confirm = one_in(rng, 2);
		r->confirm_timeout_ms = (uint32_t)draw(rng, 50, 5000);
		r->queue_capacity = small ? draw(rng, 2, 12) : 10000;
		r->dead_letter_capacity = few ? draw(rng, 1, 10) : 10000;
	}
	p->core.reclaim_ms = (uint32_t)draw(rng, 50, 5000);
	p->core.circuit_reset_timeout_ms = (uint32_t)draw(rng, 20, 5000);
	p->core.max_in_flight_limit = (uint32_t)draw(rng, 1, 10);
}

/* The two routes of the pipeline, and at times others beside: a target of two routes, a source of
 * two. */
static void add_routes(struct plan *p, struct rng *rng)
{
	add_route(p, rng, "alpha-beta", "ALPHA", "BETA");
	add_route(p, rng, "beta-gamma", "BETA", "GAMMA");
	if (one_in(rng, 2))
		add_route(p, rng, "delta-beta", "DELTA", "BETA");
	if (one_in(rng, 3))
		add_route(p, rng, "alpha-gamma", "ALPHA", "GAMMA");
	if (one_in(rng, 3))
		add_route(p, rng, "gamma-alpha", "GAMMA", "ALPHA");	/* a ring */
}

static void add_modules(struct plan *p, struct rng *rng)
{
	static const char *const names[MODULES_MAX] = { "ALPHA", "BETA", "GAMMA", "DELTA" };

	for (int n = 0; n < MODULES_MAX; n++) {
		snprintf(p->modules[n].name, sizeof p->modules[n].name, "%s", names[n]);
		p->actors_of[n] = (int)draw(rng, 1, 3);
	}
	p->core.module_count = MODULES_MAX;
}

/* What BETA and GAMMA depend on: a code that targets say, a place where records go. */
static void share_circuit(struct plan *p, struct rng *rng)
{
	static const char *const modules[] = { "BETA", "GAMMA" };
	static const char *const codes[] = { "INT_GEO_001", "INT_ROUTE_002" };
	static const char *const places[] = { "a lake", "somewhere" };

	p->shared = (struct circuit_settings){ .name = "geo-api",
		.modules = modules, .module_count = draw(rng, 1, 2),
		.error_codes = codes, .error_code_count = 2,
		.destinations = places, .destination_count = draw(rng, 1, 2) };
	p->core.circuits = &p->shared;
	p->core.circuit_count = 1;
}

void plan_make(struct plan *p, struct rng *rng)
{
	memset(p, 0, sizeof *p);
	for (int t = 0; t < TROUBLE_COUNT; t++)
		p->troubles[t] = one_in(rng, rarity((enum trouble)t));
	if (p->troubles[TROUBLE_FULL_STORE]) {	/* nothing else may fill before it */
		p->troubles[TROUBLE_FULL_ROUTE] = p->troubles[TROUBLE_HISTORY] = false;
		p->troubles[TROUBLE_ABSENT] = !one_in(rng, 4);
		p->troubles[TROUBLE_MUTE] = p->troubles[TROUBLE_FLOOD] = false;
	}
	p->core = (struct core_settings){
		.max_in_flight_limit = one_in(rng, 4) ? 1 : (uint32_t)draw(rng, 2, 10),
		.instances_per_module = p->troubles[TROUBLE_CROWD] ? 3 : PARTIES_MAX,
		.reclaim_ms = (uint32_t)draw(rng, 50, 5000),
		.outcome_retention_ms = one_in(rng, 2) ? draw(rng, 10000, 100000) : 86400000,
		.dedupe_minimum_ms = draw(rng, 100, 9000),
		.history_size =
			p->troubles[TROUBLE_HISTORY] ? draw(rng, 1000, 12000) : STORE_BYTES / 4,
		.stage_reserve = STORE_BYTES / 16,
		.max_frame_bytes = FRAME_MAX_BYTES,
		.max_error_rate = one_in(rng, 4) ? 3 : 1000,
		.throttle_timeout_ms = (uint32_t)draw(rng, 50, 20000),
		.backpressure_high_watermark = 0.8,
		.backpressure_low_watermark = 0.3,
		.circuit_failure_threshold = p->troubles[TROUBLE_CIRCUIT]
		    ? (uint32_t)draw(rng, 1, 6) : 1000000,
		.circuit_reset_timeout_ms = (uint32_t)draw(rng, 20, 5000),
		.flood_threshold = p->troubles[TROUBLE_FLOOD] ? (uint32_t)draw(rng, 1, 8) : 0,
		.flood_window_ms = (uint32_t)draw(rng, 20, 20000),
		.health_check_interval_ms = one_in(rng, 8) ? 0 : (uint32_t)draw(rng, 2000, 20000),
		.health_check_timeout_ms = (uint32_t)draw(rng, 200, 10000),
		.error_rate_degraded = one_in(rng, 2) ? 0.01 : 0.5,
	};
	add_modules(p, rng);
	add_routes(p, rng);
	share_circuit(p, rng);
	p->core.modules = p->modules;
	p->core.routes = p->routes;
}
