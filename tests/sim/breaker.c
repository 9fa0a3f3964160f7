/* breaker.c - the model's circuits, and its count of dead letters (protocol.md section 11) */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

static struct breaker *of_route(struct world *w, int route)
{
	return &w->model.breakers[route];
}

static bool is_shared(int n)
{
	return n == BREAKER_SHARED;
}

static const char *name_of(const struct world *w, int n)
{
	return is_shared(n) ? w->plan.shared.name : w->plan.routes[n].name;
}

static bool is_there(const struct world *w, int n)
{
	return is_shared(n) ? w->plan.core.circuit_count > 0 : n < (int)w->plan.core.route_count;
}

/* --- how they change -------------------------------------------------------------------------- */

static void change(struct world *w, int n, enum circuit_state to)
{
	struct breaker *k = &w->model.breakers[n];

	trace(w, "  circuit %s is %s", name_of(w, n), circuit_state_name(to));
	k->state = to;
	if (to == CIRCUIT_CLOSED)
		*k = (struct breaker){ .state = to, .trips = k->trips };
	k->probe = 0;
	k->next_ms = w->now_ms + w->plan.core.circuit_reset_timeout_ms;
	if (k->forced || to == CIRCUIT_CLOSED || (to == CIRCUIT_HALF_OPEN && !is_shared(n)))
		k->next_ms = 0;
}

static void fail(struct world *w, int n, uint64_t id, bool several)
{
	struct breaker *k = &w->model.breakers[n];

	k->failures++;
	k->several |= several || is_shared(n) || (k->first != 0 && k->first != id);
	if (k->first == 0)
		k->first = id;
	if (k->state == CIRCUIT_OPEN || (k->state == CIRCUIT_CLOSED &&
	    !(k->several && k->failures >= w->plan.core.circuit_failure_threshold)))
		return;
	k->trips++;
	change(w, n, CIRCUIT_OPEN);
}

static void succeed(struct world *w, int n)
{
	struct breaker *k = &w->model.breakers[n];

	if (k->state == CIRCUIT_CLOSED)
		*k = (struct breaker){ .trips = k->trips };
	else if (!k->forced)
		change(w, n, CIRCUIT_CLOSED);
}

void breaker_fail(struct world *w, int parcel)
{
	fail(w, w->parcels[parcel].route, w->model.fates[parcel].id, false);
}

void breaker_succeed(struct world *w, int parcel)
{
	succeed(w, w->parcels[parcel].route);
}

/* One failure on each route, however many batches the connection held. */
void breaker_blame(struct world *w, int party)
{
	for (int r = 0; r < (int)w->plan.core.route_count; r++) {
		uint64_t id = 0;
		int begun = 0;

		for (int p = 0; p < w->parcel_count; p++) {
			const struct fate *f = &w->model.fates[p];

			if (w->parcels[p].route != r || f->state != BATCH_ASSIGNED ||
			    f->holder != party || !f->begun)
				continue;
			id = f->id;
			begun++;
		}
		if (begun > 0)
			fail(w, r, id, begun > 1);
	}
}

void breaker_expire(struct world *w)
{
	for (int n = 0; n <= BREAKER_SHARED; n++) {
		const struct breaker *k = &w->model.breakers[n];

		if (k->next_ms && k->next_ms <= w->now_ms)
			change(w, n, k->state == CIRCUIT_OPEN ? CIRCUIT_HALF_OPEN : CIRCUIT_CLOSED);
	}
}

uint64_t breaker_due_ms(const struct world *w)
{
	uint64_t due_ms = UINT64_MAX;

	for (int n = 0; n <= BREAKER_SHARED; n++)
		if (w->model.breakers[n].next_ms && w->model.breakers[n].next_ms < due_ms)
			due_ms = w->model.breakers[n].next_ms;
	return due_ms;
}

/* --- deliveries ------------------------------------------------------------------------------- */

bool breaker_is_closed(const struct world *w, int route)
{
	return w->model.breakers[route].state == CIRCUIT_CLOSED;
}

static bool is_probe_out(const struct world *w, int route)
{
	const struct breaker *k = &w->model.breakers[route];

	for (int p = 0; k->probe && p < w->parcel_count; p++)
		if (w->model.fates[p].state == BATCH_ASSIGNED && w->model.fates[p].lease == k->probe)
			return true;
	return false;
}

bool breaker_lets_through(const struct world *w, int route)
{
	switch (w->model.breakers[route].state) {
	case CIRCUIT_CLOSED:
		return true;
	case CIRCUIT_HALF_OPEN:
		return !is_probe_out(w, route);
	default:
		return false;
	}
}

/* On an ordered route the others may stand behind it. */
static bool has_others(const struct world *w, int parcel)
{
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (p != parcel && f->known && f->state == BATCH_READY && !f->held &&
		    !w->parcels[p].corrupt && w->parcels[p].route == w->parcels[parcel].route &&
		    (!f->suspect || w->model.fates[parcel].suspect))
			return !route_of(w, parcel)->ordered;
	}
	return false;
}

/* It is about to be delivered. A probe that was lost has become a suspect: that is another. */
void breaker_probe(struct world *w, int parcel, uint64_t lease)
{
	struct breaker *k = of_route(w, w->parcels[parcel].route);
	const struct fate *f = &w->model.fates[parcel];
	uint64_t probed = f->id << 1 | f->suspect;

	if (k->state != CIRCUIT_HALF_OPEN)
		return;
	if (k->probed == probed && has_others(w, parcel))
		broke(w, "batch %d is the probe again, and there are others", parcel);
	k->probed = probed;
	k->probe = lease;
}

/* What was the latest probe is in memory only; one that is out has the highest lease. */
void breaker_recover(struct world *w)
{
	for (int n = 0; n <= BREAKER_SHARED; n++)
		w->model.breakers[n].probe = w->model.breakers[n].probed = 0;
	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];
		struct breaker *k = of_route(w, w->parcels[p].route);

		if (f->state == BATCH_ASSIGNED && k->state == CIRCUIT_HALF_OPEN &&
		    f->lease > k->probe)
			k->probe = f->lease;
	}
	memset(w->model.floods, 0, sizeof w->model.floods);
}

/* --- one that modules share ------------------------------------------------------------------- */

static bool shares(const struct world *w, int module)
{
	for (size_t n = 0; is_there(w, BREAKER_SHARED) && n < w->plan.shared.module_count; n++)
		if (strcmp(w->plan.shared.modules[n], w->plan.modules[module].name) == 0)
			return true;
	return false;
}

static bool is_declared(struct span word, const char *const *list, size_t n)
{
	while (n > 0)
		if (span_is(word, list[--n]))
			return true;
	return false;
}

void breaker_heard(struct world *w, int module, const struct message_error *errors, size_t n)
{
	for (size_t k = 0; shares(w, module) && k < n; k++)
		if (is_declared(errors[k].error_code, w->plan.shared.error_codes,
		        w->plan.shared.error_code_count) &&
		    errors[k].recoverability == RECOVERABILITY_TRANSIENT) {
			fail(w, BREAKER_SHARED, 0, true);
			return;
		}
}

void breaker_confirmed(struct world *w, int module, const struct message_record_delivery *d,
    size_t n)
{
	bool good = false, bad = false;

	for (size_t k = 0; shares(w, module) && k < n; k++) {
		if (!is_declared(d[k].destination_id, w->plan.shared.destinations,
		        w->plan.shared.destination_count))
			continue;
		good |= d[k].status == RECORD_DELIVERED;
		bad |= d[k].status == RECORD_FAILED;
	}
	if (good)
		succeed(w, BREAKER_SHARED);
	else if (bad)
		fail(w, BREAKER_SHARED, 0, true);
}

/* --- a person --------------------------------------------------------------------------------- */

static void force(struct world *w, int n, bool open, const struct hand *hand)
{
	struct breaker *k = &w->model.breakers[n];
	bool may = open ? !k->forced : k->state != CIRCUIT_CLOSED;
	size_t at = is_shared(n) ? w->plan.core.route_count : (size_t)n;

	broker_begin(w);
	trace(w, "operator: circuit %s is %s", name_of(w, n), open ? "opened" : "closed");
	if (core_circuit_force(w->core, at, open, hand) != may)
		broke(w, "circuit %s is %sforced", name_of(w, n), may ? "not " : "");
	if (!may)
		return;
	if (open) {
		k->trips += k->state == CIRCUIT_CLOSED;
		k->forced = true;
		k->next_ms = 0;
	}
	if (!open || k->state != CIRCUIT_OPEN)
		change(w, n, open ? CIRCUIT_OPEN : CIRCUIT_CLOSED);
	breaker_check(w);
}

bool breaker_force(struct world *w)
{
	int n = chance(w, 6) ? BREAKER_SHARED : (int)between(w, 0, w->plan.core.route_count - 1);

	if (!has_trouble(w, TROUBLE_CIRCUIT) || !is_there(w, n))
		return false;
	force(w, n, chance(w, 4), &(struct hand){ "sim (uid 0)", "because" });
	return true;
}

void breaker_mend(struct world *w)
{
	for (int n = 0; n <= BREAKER_SHARED; n++)
		if (w->model.breakers[n].forced)
			force(w, n, false, &(struct hand){ "sim (uid 0)", "" });
}

/* --- what peers and persons are told ---------------------------------------------------------- */

static bool is_affected(const struct world *w, int n, int module)
{
	const struct route_settings *r = &w->plan.routes[n];

	if (is_shared(n))
		return shares(w, module);
	return module_of(w, r->source) == module || module_of(w, r->target) == module;
}

void breaker_on_told(struct world *w, struct connection *c, const struct message_circuit_change *m)
{
	for (int n = 0; n <= BREAKER_SHARED; n++) {
		if (!is_there(w, n) || !span_is(m->circuit_id, name_of(w, n)))
			continue;
		if (!is_affected(w, n, c->actor->module) || m->affected_count < 1)
			broke(w, "party %d is told of circuit %s of others", c->party, name_of(w, n));
		if (m->previous_state != c->circuits[n] || m->new_state == m->previous_state)
			broke(w, "party %d is told that circuit %s goes from %s to %s", c->party,
			    name_of(w, n), circuit_state_name(m->previous_state),
			    circuit_state_name(m->new_state));
		c->circuits[n] = m->new_state;
		return;
	}
	broke(w, "party %d is told of no circuit", c->party);
}

static void check_view(const struct world *w, int n, size_t at)
{
	const struct breaker *k = &w->model.breakers[n];
	struct circuit_view v;

	core_view_circuit(w->core, at, &v);
	if (strcmp(v.id, name_of(w, n)) != 0 || v.shared != is_shared(n) || v.state != k->state ||
	    v.failures != k->failures || v.trips_total != k->trips || v.forced != k->forced ||
	    v.next_attempt_ms != k->next_ms ||
	    v.probing != (k->state == CIRCUIT_HALF_OPEN && !is_shared(n) && is_probe_out(w, n)))
		broke(w, "circuit %s is %s after %u failures, %llu trips, next %llu, probing=%d; not "
		    "%s, %u, %llu, %llu", v.id, circuit_state_name(v.state), v.failures,
		    (unsigned long long)v.trips_total, (unsigned long long)v.next_attempt_ms,
		    v.probing, circuit_state_name(k->state), k->failures,
		    (unsigned long long)k->trips, (unsigned long long)k->next_ms);
}

size_t breaker_count_open(const struct world *w)
{
	size_t open = 0;

	for (int n = 0; n <= BREAKER_SHARED; n++)
		open += is_there(w, n) && w->model.breakers[n].state != CIRCUIT_CLOSED;
	return open;
}

/* After each event: they stand as they must, and who has to do with them knows. */
void breaker_check(struct world *w)
{
	const struct connection *c;
	size_t at = 0;

	for (int n = 0; n <= BREAKER_SHARED; n++) {
		if (!is_there(w, n))
			continue;
		check_view(w, n, at++);
		TAILQ_FOREACH(c, &w->connections, next)
			if (is_affected(w, n, c->actor->module) &&
			    c->circuits[n] != w->model.breakers[n].state)
				broke(w, "party %d believes that circuit %s is %s", c->party,
				    name_of(w, n), circuit_state_name(c->circuits[n]));
	}
	if (core_circuit_count(w->core) != at || core_circuits_open(w->core) != breaker_count_open(w))
		broke(w, "%zu circuits are said to be open", core_circuits_open(w->core));
	for (int r = 0; r < (int)w->plan.core.route_count; r++) {
		struct route_view v;

		core_view_route(w->core, core_route(w->core, (size_t)r), &v);
		if (v.control->paused != w->model.paused[r] ||
		    v.control->halted != w->model.halted[r] ||
		    (strncmp(v.control->who, "module ", 7) == 0) != w->model.halted[r])
			broke(w, "route %s is %spaused, %shalted, by %s", name_of(w, r),
			    v.control->paused ? "" : "not ", v.control->halted ? "" : "not ",
			    v.control->who);
	}
}

/* --- the flood of dead letters ---------------------------------------------------------------- */

static struct flood_count *count_of(struct flood_count *all, uint32_t crc)
{
	struct flood_count *oldest = &all[0];

	for (int n = 0; n < FLOOD_COUNTS; n++) {
		if (all[n].letters > 0 && all[n].crc == crc)
			return &all[n];
		if (oldest->letters > 0 &&
		    (all[n].letters == 0 || all[n].begun_ms < oldest->begun_ms))
			oldest = &all[n];
	}
	*oldest = (struct flood_count){ 0 };
	return oldest;
}

void breaker_letter(struct world *w, int parcel, struct span code)
{
	int route = w->parcels[parcel].route;
	struct flood_count *k;

	if (w->plan.core.flood_threshold == 0 || w->model.paused[route])
		return;
	k = count_of(w->model.floods[route], crc32c(0, code.p, code.n));
	if (k->letters == 0 || w->now_ms - k->begun_ms >= w->plan.core.flood_window_ms)
		*k = (struct flood_count){ .crc = crc32c(0, code.p, code.n), .begun_ms = w->now_ms };
	if (++k->letters < w->plan.core.flood_threshold)
		return;
	trace(w, "  route %s pauses itself", name_of(w, route));
	w->model.paused[route] = true;
	memset(w->model.floods[route], 0, sizeof w->model.floods[route]);
}
