/* dispatch.c - who gets which batch, and when (protocol.md sections 6 and 7) */
#include "base/log.h"
#include "core/internal.h"

/*
 * A module's instances share the deliveries of all routes that target it. Each gets no more than
 * its credit; the one with the most free credit comes first, and one that just failed a batch comes
 * last for that batch. On a route CRITICAL goes before NORMAL, each in the order of custody; the
 * routes of a module take turns.
 *
 * Suspects (batches whose connection was lost) are tried one at a time a module, on an instance
 * that holds nothing else: the loss of that connection then says who did it. When no instance is
 * idle, the one that holds least gets nothing new until it is.
 */
#define DELIVERIES_PER_TURN 4096

/* Whether the route delivers: no person has stopped it, and its circuit lets something through. */
static bool route_is_open(const struct core *c, const struct route *r)
{
	return !c->draining && !r->control.paused && circuit_lets_through(r);
}

static bool may_have_more(const struct core *c, const struct instance *i, const struct route *r)
{
	return i->peer && !flow_is_paused(c, i, r) && !i->draining &&
	       i->held_count < i->max_in_flight && i != i->module->host &&
	       !(i->module->suspect && i->module->suspect->holder == i);
}

/* The instance with the most free credit; `failed` (0 none) only when there is no other. */
static struct instance *pick(const struct core *c, const struct route *r, uint32_t failed)
{
	struct instance *best = NULL, *last = NULL, *i;

	TAILQ_FOREACH(i, &r->target->connected, connected) {
		if (!may_have_more(c, i, r))
			continue;
		if (i->record.number == failed)
			last = i;
		else if (!best ||
		    i->max_in_flight - i->held_count > best->max_in_flight - best->held_count)
			best = i;
	}
	return best ? best : last;
}

struct instance *dispatch_straight(struct core *c, const struct route *r, bool critical,
    uint32_t series)
{
	if (!route_is_open(c, r) || circuit_state(&r->circuit) != CIRCUIT_CLOSED)
		return NULL;
	if (r->settings.ordered)
		return ordered_is_free(c, r, series) ? pick(c, r, 0) : NULL;
	if (r->counters.ready_critical || (!critical && r->counters.ready_normal))
		return NULL;		/* others have been waiting longer */
	return pick(c, r, 0);
}

void dispatch_prepare(struct core *c, struct batch *b, const struct instance *i)
{
	if (b->failed || b->attempt == 0)
		b->attempt++;
	b->failed = false;
	b->answered = false;
	b->state = BATCH_ASSIGNED;
	b->lease = store_next_lease(c->store);
	b->holder = i->record.number;
}

void dispatch_deliver(struct core *c, struct assignment *a, struct frame *frame)
{
	c->ops->deliver(a->holder->peer, &(struct delivery){
		.id = a->batch.id,
		.lease = a->batch.lease,
		.attempt = a->batch.attempt,
		.redelivered = a->batch.redelivered,
		.received_at_us = a->batch.received_at_us,
		.route = a->route,
		.frame = frame,
	});
}

static void assign(struct core *c, struct route *r, const struct batch *was, struct instance *i)
{
	struct batch b = *was;

	dispatch_prepare(c, &b, i);
	batch_move(c, r, was, &b, CAUSE_DELIVERED);
	circuit_delivered(r, &b);
	dispatch_deliver(c, assignment_add(c, r, &b, i), NULL);
}

/* Corruption is reported and never delivered; the route goes on. */
static void bury_corrupt(struct core *c, struct route *r, const struct batch *was)
{
	struct ended e = {
		.dead = true, .rejected = was->record_count, .error_code = INT_STORE_002
	};
	struct batch b = *was;

	log_error("stored batch does not match its checksum", "route=%s batch=%llu",
	    r->settings.name, (unsigned long long)was->id);
	journal_note(c, &b, &(struct note){ JOURNAL_DEAD, 0, 0, INT_STORE_002, NULL });
	error_of_batch(c, r, &b, INT_STORE_002);
	batch_finish(c, r, &b, &e, CAUSE_CORRUPT);
}

bool dispatch_verify(struct core *c, struct route *r, const struct batch *b)
{
	const uint8_t *p;
	size_t n;

	if (store_payload_get(c->store, b->id, true, &p, &n) == 0)
		return true;
	bury_corrupt(c, r, b);
	return false;
}

/* The first batch of a class behind `after` that is whole; what is damaged on the way is buried. */
static bool next_whole(struct core *c, struct route *r, enum ready_class class, uint64_t after,
    struct batch *b)
{
	for (;;) {
		int rc = store_ready_next(c->store, r->number, class, after, b);
		if (rc == ERR_NOTFOUND)
			return false;
		if (rc != 0)
			batch_set_aside(c, r, b);
		else if (dispatch_verify(c, r, b))
			return true;
	}
}

static bool first_ready(struct core *c, struct route *r, enum ready_class class, struct batch *b)
{
	return next_whole(c, r, class, 0, b);
}

/* --- suspects -------------------------------------------------------------------------------- */

static struct instance *idle_instance(const struct core *c, const struct route *r,
    uint32_t failed)
{
	struct instance *best = NULL, *last = NULL, *i;

	TAILQ_FOREACH(i, &r->target->connected, connected) {
		if (i->draining || flow_is_paused(c, i, r) || i->max_in_flight == 0 ||
		    i->held_count > 0)
			continue;
		if (i->record.number == failed)
			last = i;
		else if (!best || i->max_in_flight > best->max_in_flight)
			best = i;
	}
	return best ? best : last;
}

static struct instance *least_busy(const struct core *c, const struct route *r)
{
	const struct module *m = r->target;
	struct instance *best = NULL, *i;

	if (m->host && m->host->peer && !m->host->draining && !flow_is_paused(c, m->host, r))
		return m->host;
	TAILQ_FOREACH(i, &m->connected, connected)
		if (!i->draining && i->max_in_flight > 0 && !flow_is_paused(c, i, r) &&
		    (!best || i->held_count < best->held_count))
			best = i;
	return best;
}

static bool has_suspects(const struct core *c, const struct route *r)
{
	return r->counters.ready_suspect && route_is_open(c, r) && !circuit_wants_others(r);
}

/* The oldest; as a probe, another than the latest, where there is one. */
static bool next_suspect(struct core *c, struct route *r, struct batch *b)
{
	if (circuit_state(&r->circuit) == CIRCUIT_HALF_OPEN && r->circuit.probed_suspect &&
	    next_whole(c, r, CLASS_SUSPECT, r->circuit.probed_suspect, b))
		return true;
	return first_ready(c, r, CLASS_SUSPECT, b);
}

/* The oldest suspect of all routes to the module for which an instance is idle. */
static struct route *oldest_suspect(struct core *c, struct module *m, struct batch *b)
{
	struct route *found = NULL, *r;
	struct batch one;

	TAILQ_FOREACH(r, &m->targeted, of_target)
		if (has_suspects(c, r) && idle_instance(c, r, 0) &&
		    next_suspect(c, r, &one) && (!found || one.id < b->id)) {
			found = r;
			*b = one;
		}
	return found;
}

/* Who is to become idle: an instance that takes deliveries of some route with suspects. */
static struct instance *choose_host(const struct core *c, const struct module *m)
{
	struct instance *host = NULL;
	const struct route *r;

	TAILQ_FOREACH(r, &m->targeted, of_target)
		if (!host && has_suspects(c, r))
			host = least_busy(c, r);
	return host;
}

static void dispatch_suspect(struct core *c, struct module *m)
{
	struct batch b;
	struct route *r = m->suspect ? NULL : oldest_suspect(c, m, &b);

	if (r)
		assign(c, r, &b, idle_instance(c, r, b.failed ? b.holder : 0));
	m->host = m->suspect ? NULL : choose_host(c, m);
}

/* --- the others ------------------------------------------------------------------------------ */

/* Another batch than the latest probe, while there are others: one after the other, and around. */
static bool next_probe(struct core *c, struct route *r, struct batch *b)
{
	const struct circuit *k = &r->circuit;

	if (!k->probed_normal)
		return next_whole(c, r, CLASS_CRITICAL, k->probed, b) ||
		    first_ready(c, r, CLASS_NORMAL, b);
	return next_whole(c, r, CLASS_NORMAL, k->probed, b);
}

static bool next_ready(struct core *c, struct route *r, struct batch *b)
{
	if (r->settings.ordered)
		return ordered_next(c, r, b);
	if (circuit_state(&r->circuit) == CIRCUIT_HALF_OPEN && next_probe(c, r, b))
		return true;
	return (r->counters.ready_critical && first_ready(c, r, CLASS_CRITICAL, b)) ||
	    (r->counters.ready_normal && first_ready(c, r, CLASS_NORMAL, b));
}

static bool dispatch_one(struct core *c, struct route *r)
{
	struct batch b;

	if (r->counters.ready_critical + r->counters.ready_normal == 0 || !route_is_open(c, r) ||
	    !pick(c, r, 0) || !next_ready(c, r, &b))
		return false;
	assign(c, r, &b, pick(c, r, b.failed ? b.holder : 0));
	return true;
}

/* The first route that has something goes to the end of the line. False when none has. */
static bool dispatch_next(struct core *c, struct module *m)
{
	struct route *r;

	TAILQ_FOREACH(r, &m->targeted, of_target)
		if (dispatch_one(c, r)) {
			TAILQ_REMOVE(&m->targeted, r, of_target);
			TAILQ_INSERT_TAIL(&m->targeted, r, of_target);
			return true;
		}
	return false;
}

/* As many as can go and as `left` allows; how many of these are then left. */
static unsigned dispatch_others(struct core *c, struct module *m, unsigned left)
{
	while (left > 0 && !turn_is_spent(c) && dispatch_next(c, m))
		left--;
	return left;
}

bool dispatch(struct core *c)
{
	unsigned left = DELIVERIES_PER_TURN;

	for (size_t n = 0; n < c->settings.module_count; n++) {
		struct module *m = &c->modules[n];

		if (TAILQ_EMPTY(&m->connected))
			continue;
		dispatch_suspect(c, m);
		left = dispatch_others(c, m, left);
		if (m->host == NULL || choose_host(c, m) == NULL) {	/* a probe went out or ended */
			dispatch_suspect(c, m);
			left = dispatch_others(c, m, left);
		}
	}
	return left == 0 || turn_is_spent(c);
}
