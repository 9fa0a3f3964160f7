/* core.c - the core's beginning and end, and the end of each turn */
#include "core/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/internal.h"

static void make_modules(struct core *c)
{
	c->modules = xcalloc(c->settings.module_count, sizeof *c->modules);
	for (size_t n = 0; n < c->settings.module_count; n++) {
		struct module *m = &c->modules[n];

		m->settings = c->settings.modules[n];
		m->number = store_module_number(c->store, m->settings.name);
		TAILQ_INIT(&m->targeted);
		TAILQ_INIT(&m->connected);
		TAILQ_INIT(&m->left);
	}
}

static void make_routes(struct core *c)
{
	c->routes = xcalloc(c->settings.route_count, sizeof *c->routes);
	for (size_t n = 0; n < c->settings.route_count; n++) {
		struct route *r = &c->routes[n];

		r->settings = c->settings.routes[n];
		measure_init(&r->measures);
		r->number = store_route_number(c->store, r->settings.name);
		r->source = module_by_name(c, span_of(r->settings.source));
		r->target = module_by_name(c, span_of(r->settings.target));
		store_counters_get(c->store, r->number, &r->counters);
		store_control_get(c->store, r->number, &r->control);
		r->flow.sampled_ms = c->now_ms;
		r->flow.recounted = true;
		c->queued += counters_queued(&r->counters);
		TAILQ_INSERT_TAIL(&r->target->targeted, r, of_target);
	}
}

struct stranded {
	struct core *core;
	char *why;
	size_t size;
	bool found;
};

/* A route that still has batches cannot just vanish from the configuration. */
static bool check_stranded(void *arg, uint32_t number, const char *name,
    const struct route_counters *n)
{
	struct stranded *s = arg;
	uint64_t held = counters_queued(n);

	if (held == 0 || route_by_number(s->core, number))
		return true;
	snprintf(s->why, s->size, "the store has %llu batches in custody on route %s, which the "
	    "configuration does not declare: declare it until they are processed",
	    (unsigned long long)held, name);
	s->found = true;
	return false;
}

/* What is queued was taken in another order than the configuration says now. */
static bool has_other_order(struct core *c, const struct route *r, char *why, size_t size)
{
	struct batch b = { .state = BATCH_NEW };

	if (store_queue_next(c->store, r->number, &b) != 0 || b.ordered == r->settings.ordered)
		return false;
	snprintf(why, size, "route %s has batches in custody that were taken %s: set ordered = %s "
	    "until they are processed", r->settings.name, b.ordered ? "in order" : "without order",
	    b.ordered ? "true" : "false");
	return true;
}

static bool recover_order(struct core *c, char *why, size_t size)
{
	for (size_t n = 0; n < c->settings.route_count; n++) {
		if (has_other_order(c, &c->routes[n], why, size))
			return false;
		ordered_recover(c, &c->routes[n]);
	}
	return true;
}

static void save_routes(struct core *c)
{
	for (size_t n = 0; n < c->settings.route_count; n++) {
		struct route *r = &c->routes[n];

		if (r->dirty)
			store_counters_put(c->store, r->number, &r->counters);
		r->dirty = false;
	}
}

struct core *core_create(struct store *store, const struct peer_ops *ops,
    const struct core_settings *settings, uint64_t now_ms, uint64_t seed, char *why, size_t size)
{
	struct core *c = xcalloc(1, sizeof *c);
	struct stranded stranded = { c, why, size, false };

	c->store = store;
	c->ops = ops;
	c->settings = *settings;
	c->created_ms = c->now_ms = c->peer_ms = now_ms;
	rng_seed(&c->rng, seed);
	TAILQ_INIT(&c->reclaiming);
	TAILQ_INIT(&c->watched);
	TAILQ_INIT(&c->behind);
	TAILQ_INIT(&c->changed);
	c->next_throttle_ms = UINT64_MAX;
	error_init(c);
	make_modules(c);
	make_routes(c);
	circuit_recover(c);
	store_route_walk(store, check_stranded, &stranded);
	if (stranded.found || !recover_order(c, why, size)) {
		core_destroy(c);
		return NULL;
	}
	instance_recover(c);
	confirm_recover(c);
	flow_update(c);
	save_routes(c);
	return c;
}

void core_destroy(struct core *c)
{
	if (!c)
		return;
	instance_destroy_all(c);
	heap_finish(&c->confirmed);
	heap_finish(&c->unconfirmed);
	heap_finish(&c->deadlines);
	free(c->completed);
	free(c->recent);
	for (size_t n = 0; n < c->settings.route_count; n++)
		ordered_finish(&c->routes[n]);
	circuit_finish(c);
	free(c->routes);
	free(c->modules);
	free(c);
}

void core_set_time(struct core *c, uint64_t now_ms, uint64_t peer_ms, int64_t wall_us)
{
	assert(now_ms >= c->now_ms && peer_ms >= c->peer_ms);
	c->now_ms = now_ms;
	c->peer_ms = peer_ms;
	c->wall_us = wall_us;
	c->turn_changes = 0;
}

void core_time_passed(struct core *c, uint64_t now_ms, uint64_t peer_ms)
{
	assert(now_ms >= c->now_ms && peer_ms >= c->peer_ms);
	c->now_ms = now_ms;
	c->peer_ms = peer_ms;
}

void core_make_uuid(struct core *c, struct uuid *u)
{
	uint8_t random[16];

	rng_bytes(&c->rng, random, sizeof random);
	uuid_make(u, c->wall_us > 0 ? (uint64_t)c->wall_us / 1000 : 0, random);
}

unsigned core_turn_changes(const struct core *c)
{
	return c->turn_changes;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t core_from_peer_time(const struct core *c, uint64_t ms)
{
	if (ms == UINT64_MAX)
		return ms;
	return ms > c->peer_ms ? c->now_ms + (ms - c->peer_ms) : c->now_ms;
}

uint64_t core_next_due_ms(const struct core *c)
{
	const struct instance *i = TAILQ_FIRST(&c->reclaiming);
	uint64_t due_ms = least(least(c->next_due_ms, c->next_prune_ms),
	    least(c->next_confirm_ms, c->next_circuit_ms));
	due_ms = least(due_ms, c->next_throttle_ms);
	uint64_t late_ms = least(deadline_next_ms(c), i ? i->reclaim_until_ms : UINT64_MAX);

	late_ms = least(late_ms, vitals_next_ms(c));
	return c->stopping ? UINT64_MAX : least(due_ms, core_from_peer_time(c, late_ms));
}

static bool proceed(struct core *c)
{
	bool more = deadline_expire(c);

	more |= retry_release_due(c);
	instance_expire_reclaims(c);
	more |= confirm_expire(c);
	circuit_expire(c);
	more |= dispatch(c);
	flow_update(c);
	more |= heir_proceed(c);
	more |= mailbox_feed(c);
	more |= history_prune(c);
	vitals_ask(c);
	return more;
}

bool core_turn_close(struct core *c)
{
	bool more = !c->stopping && proceed(c);

	save_routes(c);
	instance_save(c);
	store_set_clock_ms(c->store, c->now_ms);
	return more;
}

void core_check(const struct core *c)
{
	size_t assigned = 0, held = 0;
	uint64_t counted = 0;

	for (const struct instance *i = c->instances; i; i = i->by_number.next) {
		size_t n = 0;
		const struct assignment *a;

		TAILQ_FOREACH(a, &i->held, of_holder) {
			assert(a->holder == i && a->batch.state == BATCH_ASSIGNED);
			assert(!a->batch.suspect || a->route->target->suspect == a);
			assert(!a->deadline.at || i->peer || c->stopping);
			n++;
		}
		assert(n == i->held_count);
		assert(!i->is_left || !i->peer);
		assert(n == 0 || i->peer || i->reclaim_until_ms || c->stopping);
		held += n;
	}
	assigned = HASH_COUNT(c->assigned);
	assert(assigned == held);
	for (size_t n = 0; n < c->settings.route_count; n++)
		counted += c->routes[n].counters.assigned;
	assert(counted == assigned);
	for (size_t n = 0; n < c->settings.module_count; n++) {
		const struct module *m = &c->modules[n];
		assert(!m->suspect || m->suspect->holder->held_count == 1);
	}
}
