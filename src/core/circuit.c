/* circuit.c - whether deliveries go on to a target that has failed */
#include "core/circuit.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"
#include "core/operate.h"

/*
 *	            threshold reached,            reset timeout
 *	            over two batches
 *	CLOSED ───────────────────────► OPEN ─────────────────────► HALF_OPEN
 *	   ▲                             │ ▲      the probe failed      │
 *	   │  any success                │ └────────────────────────────┤
 *	   └─────────────────────────────┴──────────────────────────────┘
 *
 * Only failures of the target count, in a row; any success ends the row. One batch alone, however
 * often it fails, opens nothing: it is the batch that is bad then. While a circuit is not CLOSED a
 * failure costs its batch no attempt (retry.c), save that of a suspect whose connection is lost.
 * Everything here is durable; what is told to modules is not: who comes later is told then.
 */

enum circuit_state circuit_state(const struct route *r)
{
	return (enum circuit_state)r->circuit.record.state;
}

bool circuit_lets_through(const struct route *r)
{
	switch (circuit_state(r)) {
	case CIRCUIT_CLOSED:
		return true;
	case CIRCUIT_HALF_OPEN:
		return r->circuit.probe == 0;
	default:
		return false;
	}
}

static void save(struct core *c, const struct route *r)
{
	store_circuit_put(c->store, r->circuit.number, &r->circuit.record);
}

static void note_next(struct core *c, const struct circuit_record *k)
{
	if (k->state == CIRCUIT_OPEN && !k->forced && k->next_attempt_ms < c->next_circuit_ms)
		c->next_circuit_ms = k->next_attempt_ms;
}

void circuit_recover(struct core *c, struct route *r)
{
	r->circuit.number = store_circuit_number(c->store, r->settings.name);
	store_circuit_get(c->store, r->circuit.number, &r->circuit.record);
	note_next(c, &r->circuit.record);
}

/* --- telling --------------------------------------------------------------------------------- */

static void tell(struct core *c, const struct route *r, const struct instance *to,
    enum circuit_state before)
{
	const struct span modules[] = { span_of(r->settings.source), span_of(r->settings.target) };

	c->ops->circuit(to->peer, &(struct message_circuit_change){
		.circuit_id = span_of(r->settings.name),
		.previous_state = before,
		.new_state = circuit_state(r),
		.affected_modules = modules,
		.affected_count = r->source == r->target ? 1 : 2,
	});
}

static void tell_all(struct core *c, const struct route *r, enum circuit_state before)
{
	const struct instance *i;

	TAILQ_FOREACH(i, &r->source->connected, connected)
		tell(c, r, i, before);
	if (r->target == r->source)
		return;
	TAILQ_FOREACH(i, &r->target->connected, connected)
		tell(c, r, i, before);
}

void core_welcomed(struct core *c, struct instance *i)
{
	for (size_t n = 0; n < c->settings.route_count; n++) {
		const struct route *r = &c->routes[n];

		if ((r->source == i->module || r->target == i->module) &&
		    circuit_state(r) != CIRCUIT_CLOSED)
			tell(c, r, i, CIRCUIT_CLOSED);
	}
}

/* --- changing -------------------------------------------------------------------------------- */

static void change(struct core *c, struct route *r, enum circuit_state to)
{
	struct circuit_record *k = &r->circuit.record;
	enum circuit_state before = circuit_state(r);

	k->state = (uint8_t)to;
	k->at_us = c->wall_us;
	if (to == CIRCUIT_CLOSED) {
		k->failures = 0;
		k->first_failed = 0;
		k->several = k->forced = false;
		*k->who = *k->reason = '\0';
	}
	r->circuit.probe = 0;
	r->dirty = true;
	log_warning("circuit changed", "circuit=%s from=%s to=%s failures=%u", r->settings.name,
	    circuit_state_name(before), circuit_state_name(to), k->failures);
	tell_all(c, r, before);
}

static void trip(struct core *c, struct route *r)
{
	struct circuit_record *k = &r->circuit.record;

	k->trips_total++;
	k->next_attempt_ms = c->now_ms + c->settings.circuit_reset_timeout_ms;
	change(c, r, CIRCUIT_OPEN);
	note_next(c, k);
}

void circuit_delivered(struct core *c, struct route *r, const struct batch *b)
{
	(void)c;
	if (circuit_state(r) != CIRCUIT_HALF_OPEN)
		return;
	r->circuit.probe = b->lease;
	r->circuit.probed = b->id;
}

void circuit_returned(struct route *r, uint64_t lease)
{
	if (r->circuit.probe == lease)
		r->circuit.probe = 0;
}

void circuit_failed(struct core *c, struct route *r, uint64_t id, bool several)
{
	struct circuit_record *k = &r->circuit.record;

	k->failures++;
	k->several |= several || (k->first_failed != 0 && k->first_failed != id);
	if (k->first_failed == 0)
		k->first_failed = id;
	k->last_failure_us = c->wall_us;
	if (k->state == CIRCUIT_HALF_OPEN ||
	    (k->state == CIRCUIT_CLOSED && k->several &&
	    k->failures >= c->settings.circuit_failure_threshold))
		trip(c, r);
	save(c, r);
}

void circuit_succeeded(struct core *c, struct route *r)
{
	struct circuit_record *k = &r->circuit.record;

	if (k->forced || (k->state == CIRCUIT_CLOSED && k->failures == 0))
		return;
	if (k->state != CIRCUIT_CLOSED) {
		change(c, r, CIRCUIT_CLOSED);
	} else {
		k->failures = 0;
		k->first_failed = 0;
		k->several = false;
	}
	save(c, r);
}

void circuit_expire(struct core *c)
{
	if (c->now_ms < c->next_circuit_ms)
		return;
	c->next_circuit_ms = UINT64_MAX;
	for (size_t n = 0; n < c->settings.route_count; n++) {
		struct route *r = &c->routes[n];
		struct circuit_record *k = &r->circuit.record;

		if (k->state != CIRCUIT_OPEN || k->forced)
			continue;
		if (k->next_attempt_ms <= c->now_ms) {
			change(c, r, CIRCUIT_HALF_OPEN);
			save(c, r);
		}
		note_next(c, k);
	}
}

/* --- by hand --------------------------------------------------------------------------------- */

bool core_circuit_force(struct core *c, const struct route *r, bool open, const struct hand *h)
{
	struct route *mine = route_by_number(c, core_route_number(r));
	struct circuit_record *k = &mine->circuit.record;

	if (open ? k->forced : k->state == CIRCUIT_CLOSED)
		return false;
	if (open) {
		k->forced = true;
		k->next_attempt_ms = 0;
		k->trips_total += k->state == CIRCUIT_CLOSED;
		snprintf(k->who, sizeof k->who, "%s", h->who);
		snprintf(k->reason, sizeof k->reason, "%s", h->reason);
	}
	if (!open || k->state != CIRCUIT_OPEN)
		change(c, mine, open ? CIRCUIT_OPEN : CIRCUIT_CLOSED);
	save(c, mine);
	core_note_action(c, open ? JOURNAL_CIRCUIT_OPENED : JOURNAL_CIRCUIT_CLOSED, mine, NULL, h,
	    mine->settings.name);
	return true;
}
