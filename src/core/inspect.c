/* inspect.c - routes, instances and single batches as a person sees them */
#include "core/inspect.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/reason.h"

#define COUNTED_AHEAD_MAX 1000

size_t core_route_count(const struct core *c)
{
	return c->settings.route_count;
}

const struct route *core_route(const struct core *c, size_t n)
{
	return &c->routes[n];
}

const struct route *core_route_by_name(struct core *c, struct span name)
{
	return route_by_name(c, name);
}

const struct route *core_route_by_number(struct core *c, uint32_t number)
{
	return route_by_number(c, number);
}

uint32_t core_route_number(const struct route *r)
{
	return r->number;
}

bool core_is_draining(const struct core *c)
{
	return c->draining;
}

uint64_t core_assigned(const struct core *c)
{
	return HASH_COUNT(c->assigned);
}

uint64_t core_now_ms(const struct core *c)
{
	return c->now_ms;
}

int64_t core_wall_of(const struct core *c, uint64_t custody_ms)
{
	return c->wall_us + ((int64_t)custody_ms - (int64_t)c->now_ms) * 1000;
}

uint32_t core_max_frame_bytes(const struct core *c)
{
	return c->settings.max_frame_bytes;
}

struct store *core_store(struct core *c)
{
	return c->store;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

uint64_t counters_unaccounted(const struct route_counters *n)
{
	return difference(n->received_total + n->imported_total, n->processed_total + n->dead +
	        n->purged_total + counters_queued(n) - n->derived_queued) +
	    difference(n->derived_total, n->derived_ended_total + n->derived_dead +
	        n->derived_purged_total + n->derived_queued);
}

bool counters_balance(const struct route_counters *n)
{
	return counters_unaccounted(n) == 0;
}

/* --- routes ---------------------------------------------------------------------------------- */

size_t module_connected(const struct module *m)
{
	const struct instance *i;
	size_t n = 0;

	TAILQ_FOREACH(i, &m->connected, connected)
		n++;
	return n;
}

static uint64_t oldest_ready_us(struct core *c, const struct route *r)
{
	uint64_t oldest = 0;
	struct batch b;

	for (int class = CLASS_CRITICAL; class <= CLASS_HELD; class++)
		if (store_ready_first(c->store, r->number, (enum ready_class)class, &b) == 0 &&
		    (oldest == 0 || (uint64_t)b.received_at_us < oldest))
			oldest = (uint64_t)b.received_at_us;
	return oldest;
}

void core_view_route(struct core *c, const struct route *r, struct route_view *out)
{
	*out = (struct route_view){
		.settings = &r->settings,
		.counters = &r->counters,
		.changes = r->changes,
		.control = &r->control,
		.measures = &r->measures,
		.depth = route_depth(r),
		.pressed = r->flow.pressed,
		.target_paused = r->flow.target_paused,
		.throttled_until_ms = flow_throttled_until_ms(c, r),
		.drain_rate = flow_drain_rate(c, r),
		.sources = module_connected(r->source),
		.targets = module_connected(r->target),
		.oldest_ready_us = oldest_ready_us(c, r),
	};
}

/* --- circuits -------------------------------------------------------------------------------- */

size_t core_circuit_count(const struct core *c)
{
	return circuit_count(c);
}

void core_view_circuit(const struct core *c, size_t n, struct circuit_view *out)
{
	const struct circuit *of = circuit_at(c, n);
	const struct circuit_record *k = &of->record;

	*out = (struct circuit_view){
		.id = of->id,
		.shared = of->shared != NULL,
		.state = circuit_state(of),
		.failures = k->failures,
		.last_failure_us = k->last_failure_us,
		.next_attempt_ms = circuit_next_ms(of),
		.trips_total = k->trips_total,
		.forced = k->forced,
		.who = k->who,
		.reason = k->reason,
		.at_us = k->at_us,
		.probing = of->probe != 0,
	};
}

size_t core_circuits_open(const struct core *c)
{
	size_t n = 0;

	for (size_t k = 0; k < circuit_count(c); k++)
		n += circuit_state(circuit_at(c, k)) != CIRCUIT_CLOSED;
	return n;
}

/* --- instances ------------------------------------------------------------------------------- */

size_t core_connected(const struct core *c, size_t *known)
{
	size_t n = 0;

	for (size_t k = 0; k < c->settings.module_count; k++)
		n += module_connected(&c->modules[k]);
	*known = HASH_CNT(by_number, c->instances);
	return n;
}

/* The instance with the least number above `after`; the table of them is in no order. */
static struct instance *instance_above(const struct core *c, uint32_t after)
{
	struct instance *i, *next, *found = NULL;

	HASH_ITER(by_number, c->instances, i, next)
		if (i->record.number > after &&
		    (!found || i->record.number < found->record.number))
			found = i;
	return found;
}

bool core_instance_next(struct core *c, uint32_t *number, struct instance_view *out)
{
	const struct instance *i = instance_above(c, *number);
	const struct assignment *oldest;

	if (!i)
		return false;
	oldest = TAILQ_FIRST(&i->held);
	*number = i->record.number;
	*out = (struct instance_view){
		.module = i->module->settings.name,
		.id = { i->record.id_len ? i->record.id : NULL, i->record.id_len },
		.number = i->record.number,
		.connected = i->peer != NULL,
		.draining = i->draining,
		.paused = i->paused,
		.max_in_flight = i->peer ? i->max_in_flight : 0,
		.held = i->held_count,
		.oldest = oldest ? &oldest->batch : NULL,
		.oldest_since_us = oldest ? oldest->since_us : 0,
		.live = i->record.live,
		.seen = i->record.seen,
		.owed = i->newest_notice > i->record.seen ? i->newest_notice : 0,
		.last_used_ms = i->record.last_used_ms,
	};
	if (i->peer)
		checkup_instance(c, i, &out->health);
	return true;
}

void core_instance_name(struct core *c, uint32_t number, char *out, size_t size)
{
	const struct instance *i = number ? instance_by_number(c, number) : NULL;

	if (number == 0)
		snprintf(out, size, "-");
	else if (!i)
		snprintf(out, size, "#%u", number);
	else if (i->record.id_len == 0)
		snprintf(out, size, "BROKER");
	else
		snprintf(out, size, "%s/%.*s", i->module->settings.name, (int)i->record.id_len,
		    i->record.id);
}

/* --- a batch --------------------------------------------------------------------------------- */

static uint64_t count_ahead(struct core *c, const struct route *r, const struct batch *b)
{
	struct batch at = { .state = BATCH_NEW };
	uint64_t n = 0;

	while (n < COUNTED_AHEAD_MAX && store_queue_next(c->store, r->number, &at) == 0 &&
	    at.state == BATCH_READY && (at.critical == b->critical ? at.id < b->id : at.critical))
		n++;
	return n;
}

void inspect_live(struct core *c, const struct route *r, const struct batch *b,
    struct batch_view *v)
{
	const struct assignment *a = assignment_by_lease(c, b->lease);

	*v = (struct batch_view){ .route = r, .state = b->state, .batch = b };
	v->reason = reason_of(c, r, b, &v->until_ms);
	v->received = b->state == BATCH_ASSIGNED && a && a->received;
	v->assigned_at_us = b->state == BATCH_ASSIGNED && a ? a->since_us : 0;
}

static bool view_live(struct core *c, const struct route *r, uint64_t id, struct batch_view *v,
    struct batch *b)
{
	if (store_batch_find(c->store, r->number, id, b) != 0)
		return false;
	inspect_live(c, r, b, v);
	if (v->reason == REASON_QUEUED)
		v->ahead = count_ahead(c, r, b);
	return true;
}

static bool view_dead(struct core *c, const struct route *r, uint64_t id, struct batch_view *v,
    struct batch *b, struct ended *e)
{
	if (store_dead_get(c->store, r->number, id, b, e) != 0)
		return false;
	*v = (struct batch_view){ .route = r, .state = BATCH_DEAD, .batch = b, .end = e,
		.reason = REASON_DEAD };
	return true;
}

/* It has ended; what was kept of it whole, or of its rejected records, is a letter of its own. */
static bool view_ended(struct core *c, const struct route *r, const struct identity *where,
    struct batch_view *v, struct ended *e)
{
	if (store_ended_get(c->store, where->source, where->notice, e) != 0)
		return false;
	*v = (struct batch_view){ .route = r, .state = BATCH_ENDED, .end = e };
	return true;
}

bool core_view_batch(struct core *c, const struct route *r, const struct uuid *batch_id,
    bool (*visit)(void *arg, const struct batch_view *v), void *arg)
{
	struct confirmation k;
	struct identity where;
	struct batch_view v;
	struct batch b;
	struct ended e;
	bool found = false;

	store_identity_get(c->store, r->number, batch_id, &where);
	if (where.kind == IDENTITY_LIVE)
		found = view_live(c, r, where.id, &v, &b);
	else if (where.kind == IDENTITY_DEAD)
		found = view_dead(c, r, where.id, &v, &b, &e);
	else if (where.kind == IDENTITY_ENDED)
		found = view_ended(c, r, &where, &v, &e);
	if (!found)
		return false;
	if (store_confirm_get(c->store, r->number, v.batch ? v.batch->id : v.end->id, &k) == 0)
		v.confirmation = &k;
	visit(arg, &v);
	return true;
}
