/* circuit.c - what has failed, and whether it is tried again */
#include "core/circuit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/internal.h"
#include "core/operate.h"

/*
 *	            threshold reached             reset timeout
 *	CLOSED ───────────────────────► OPEN ─────────────────────► HALF_OPEN
 *	   ▲                             │ ▲          a failure         │
 *	   │  any success                │ └────────────────────────────┤
 *	   └─────────────────────────────┴──────────────────────────────┘
 *	            (a shared one: also another reset timeout without either)
 *
 * Failures count in a row; any success ends the row. On a route one batch alone, however often it
 * fails, opens nothing: it is the batch that is bad then. While a route's circuit is not CLOSED a
 * failure costs its batch no attempt (retry.c), save that of a suspect whose connection is lost.
 * Everything here is durable but the probe; what is told to modules is not: who comes later is told
 * then.
 */

enum circuit_state circuit_state(const struct circuit *k)
{
	return (enum circuit_state)k->record.state;
}

uint64_t circuit_next_ms(const struct circuit *k)
{
	const struct circuit_record *r = &k->record;
	bool changes = r->state == CIRCUIT_OPEN || (k->shared && r->state == CIRCUIT_HALF_OPEN);

	return changes && !r->forced ? r->next_attempt_ms : 0;
}

static void save(struct core *c, const struct circuit *k)
{
	store_circuit_put(c->store, k->number, &k->record);
}

static void note_next(struct core *c, const struct circuit *k)
{
	uint64_t next_ms = circuit_next_ms(k);

	if (next_ms && next_ms < c->next_circuit_ms)
		c->next_circuit_ms = next_ms;
}

/* --- all of them ------------------------------------------------------------------------------ */

size_t circuit_count(const struct core *c)
{
	return c->settings.route_count + c->settings.circuit_count;
}

struct circuit *circuit_at(const struct core *c, size_t n)
{
	return n < c->settings.route_count ? &c->routes[n].circuit
	                                   : &c->shared[n - c->settings.route_count];
}

static void recover_one(struct core *c, struct circuit *k, const char *id, size_t modules_max)
{
	k->id = id;
	k->number = store_circuit_number(c->store, id);
	store_circuit_get(c->store, k->number, &k->record);
	k->modules = xcalloc(modules_max, sizeof(struct module *));
	note_next(c, k);
}

static void recover_route(struct core *c, struct route *r)
{
	struct circuit *k = &r->circuit;

	recover_one(c, k, r->settings.name, 2);
	k->modules[k->module_count++] = r->source;
	if (r->target != r->source)
		k->modules[k->module_count++] = r->target;
}

static void recover_shared(struct core *c, struct circuit *k, const struct circuit_settings *s)
{
	k->shared = s;
	recover_one(c, k, s->name, s->module_count);
	for (size_t n = 0; n < s->module_count; n++)
		k->modules[k->module_count++] = module_by_name(c, span_of(s->modules[n]));
}

void circuit_recover(struct core *c)
{
	c->next_circuit_ms = UINT64_MAX;
	for (size_t n = 0; n < c->settings.route_count; n++)
		recover_route(c, &c->routes[n]);
	c->shared = xcalloc(c->settings.circuit_count + 1, sizeof *c->shared);
	for (size_t n = 0; n < c->settings.circuit_count; n++)
		recover_shared(c, &c->shared[n], &c->settings.circuits[n]);
}

void circuit_finish(struct core *c)
{
	for (size_t n = 0; n < circuit_count(c); n++)
		free(circuit_at(c, n)->modules);
	free(c->shared);
}

/* --- telling --------------------------------------------------------------------------------- */

static void tell(struct core *c, const struct circuit *k, const struct instance *to,
    enum circuit_state before)
{
	struct span names[CIRCUIT_MODULES_MAX];

	for (size_t n = 0; n < k->module_count; n++)
		names[n] = span_of(k->modules[n]->settings.name);
	c->ops->circuit(to->peer, &(struct message_circuit_change){
		.circuit_id = span_of(k->id),
		.previous_state = before,
		.new_state = circuit_state(k),
		.affected_modules = names,
		.affected_count = k->module_count,
	});
}

static void tell_all(struct core *c, const struct circuit *k, enum circuit_state before)
{
	const struct instance *i;

	for (size_t n = 0; n < k->module_count; n++)
		TAILQ_FOREACH(i, &k->modules[n]->connected, connected)
			tell(c, k, i, before);
}

void core_welcomed(struct core *c, struct instance *i)
{
	for (size_t n = 0; n < circuit_count(c); n++) {
		const struct circuit *k = circuit_at(c, n);

		for (size_t m = 0; i->peer && m < k->module_count; m++)
			if (k->modules[m] == i->module && circuit_state(k) != CIRCUIT_CLOSED)
				tell(c, k, i, CIRCUIT_CLOSED);
	}
}

/* --- changing -------------------------------------------------------------------------------- */

static void forget_failures(struct circuit_record *r)
{
	r->failures = 0;
	r->first_failed = 0;
	r->several = false;
}

static void change(struct core *c, struct circuit *k, enum circuit_state to)
{
	struct circuit_record *r = &k->record;
	enum circuit_state before = circuit_state(k);

	r->state = (uint8_t)to;
	r->at_us = c->wall_us;
	if (to == CIRCUIT_CLOSED) {
		forget_failures(r);
		r->forced = false;
		*r->who = *r->reason = '\0';
	}
	r->next_attempt_ms = r->forced || to == CIRCUIT_CLOSED
	    ? 0 : c->now_ms + c->settings.circuit_reset_timeout_ms;
	k->probe = 0;
	if (to == CIRCUIT_CLOSED) {
		k->probed = k->probed_suspect = 0;
		k->probed_normal = false;
	}
	log_warning("circuit changed", "circuit=%s from=%s to=%s failures=%u", k->id,
	    circuit_state_name(before), circuit_state_name(to), r->failures);
	tell_all(c, k, before);
	note_next(c, k);
}

static bool is_reached(const struct core *c, const struct circuit *k)
{
	const struct circuit_record *r = &k->record;

	return r->failures >= c->settings.circuit_failure_threshold && (r->several || k->shared);
}

void circuit_failed(struct core *c, struct circuit *k, uint64_t id, bool several)
{
	struct circuit_record *r = &k->record;

	r->failures++;
	r->several |= several || (r->first_failed != 0 && r->first_failed != id);
	if (r->first_failed == 0)
		r->first_failed = id;
	r->last_failure_us = c->wall_us;
	if (r->state == CIRCUIT_HALF_OPEN || (r->state == CIRCUIT_CLOSED && is_reached(c, k))) {
		r->trips_total++;
		change(c, k, CIRCUIT_OPEN);
	}
	save(c, k);
}

void circuit_succeeded(struct core *c, struct circuit *k)
{
	struct circuit_record *r = &k->record;

	if (r->forced || (r->state == CIRCUIT_CLOSED && r->failures == 0))
		return;
	if (r->state == CIRCUIT_CLOSED)
		forget_failures(r);
	else
		change(c, k, CIRCUIT_CLOSED);
	save(c, k);
}

static void expire(struct core *c, struct circuit *k)
{
	uint64_t next_ms = circuit_next_ms(k);

	if (next_ms && next_ms <= c->now_ms) {
		change(c, k, k->record.state == CIRCUIT_OPEN ? CIRCUIT_HALF_OPEN : CIRCUIT_CLOSED);
		save(c, k);
	}
}

void circuit_expire(struct core *c)
{
	if (c->now_ms < c->next_circuit_ms)
		return;
	c->next_circuit_ms = UINT64_MAX;
	for (size_t n = 0; n < circuit_count(c); n++) {
		expire(c, circuit_at(c, n));
		note_next(c, circuit_at(c, n));
	}
}

/* --- a route's probes ------------------------------------------------------------------------- */

bool circuit_lets_through(const struct route *r)
{
	switch (circuit_state(&r->circuit)) {
	case CIRCUIT_CLOSED:
		return true;
	case CIRCUIT_HALF_OPEN:
		return r->circuit.probe == 0;
	default:
		return false;
	}
}

/* At the start the highest lease that is out is the probe's, if it is out. */
void circuit_delivered(struct route *r, const struct batch *b)
{
	struct circuit *k = &r->circuit;

	if (circuit_state(k) != CIRCUIT_HALF_OPEN || b->lease < k->probe)
		return;
	k->probe = b->lease;
	k->probed_suspect = b->suspect ? b->id : 0;
	if (b->suspect)
		return;
	k->probed = b->id;
	k->probed_normal = !b->critical;
}

void circuit_returned(struct route *r, uint64_t lease)
{
	if (r->circuit.probe == lease)
		r->circuit.probe = 0;
}

bool circuit_wants_others(const struct route *r)
{
	if (!r->circuit.probed_suspect)
		return false;
	return r->counters.ready_critical + r->counters.ready_normal > 0 &&
	    (!r->settings.ordered || r->ready_series);
}

/* --- by hand --------------------------------------------------------------------------------- */

bool core_circuit_force(struct core *c, size_t n, bool open, const struct hand *h)
{
	struct circuit *k = circuit_at(c, n);
	struct circuit_record *r = &k->record;
	const struct route *route = k->shared ? NULL : &c->routes[n];

	if (open ? r->forced : r->state == CIRCUIT_CLOSED)
		return false;
	if (open) {
		r->forced = true;
		r->trips_total += r->state == CIRCUIT_CLOSED;
		r->next_attempt_ms = 0;
		snprintf(r->who, sizeof r->who, "%s", h->who);
		snprintf(r->reason, sizeof r->reason, "%s", h->reason);
	}
	if (!open || r->state != CIRCUIT_OPEN)
		change(c, k, open ? CIRCUIT_OPEN : CIRCUIT_CLOSED);
	save(c, k);
	core_note_action(c, open ? JOURNAL_CIRCUIT_OPENED : JOURNAL_CIRCUIT_CLOSED, route, NULL, h,
	    k->id);
	return true;
}
