/* tell.c - modules tell of errors: who must hear of it, and what comes of it (protocol.md section 4) */
#include <string.h>

#include "sim.h"

bool tell_is_throttled(const struct world *w, int route)
{
	return w->now_ms < w->model.throttled_until_ms[module_of(w, w->plan.routes[route].target)];
}

void tell_recover(struct world *w)
{
	memset(w->model.throttled_until_ms, 0, sizeof w->model.throttled_until_ms);
	memset(w->model.throttles, 0, sizeof w->model.throttles);
}

/* --- whose batch it is ------------------------------------------------------------------------ */

/* It is the same instance still. */
static int party_if(struct world *w, int party, uint32_t number)
{
	return w->model.parties[party].known && party_number(w, party) == number ? party : NOBODY;
}

/* Who is told how it ends, or was. */
static int source_of(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];
	const struct row *r = f->row == NOBODY ? NULL : &w->model.rows[f->row];

	if (f->state != BATCH_ENDED)
		return party_if(w, f->source, f->source_number);
	return r && r->there && w->model.parties[r->source].known ? r->source : NOBODY;
}

static int by_batch(struct world *w, int module, const struct message_error *e)
{
	struct uuid id;
	int root = NOBODY, known;

	if (e->batch_id.p && uuid_parse(e->batch_id.p, e->batch_id.n, &id))
		root = parcel_by_batch(w, &id, NULL);
	known = root == NOBODY ? NOBODY : w->model.owner[root];
	if (known == NOBODY || module_of(w, route_of(w, known)->target) != module)
		return NOBODY;
	return source_of(w, known);
}

void tell_note_batch(struct world *w, int parcel, int party)
{
	struct model *m = &w->model;

	if (m->recent_count == RECENT_MAX)
		broke(w, "the simulator has no room for another batch that was taken");
	m->recents[m->recent_count++] = (struct recent){
		.correlation = w->parcels[parcel].correlation,
		.route = w->parcels[parcel].route,
		.party = party,
		.number = party_number(w, party),
	};
}

/* Who has sent of late, to this module, what comes from the same. */
static int by_correlation(struct world *w, int module, const struct message_error *e)
{
	char text[32];

	for (int n = w->model.recent_count - 1; n >= 0; n--) {
		const struct recent *r = &w->model.recents[n];

		message_correlation(r->correlation, text);
		if (span_is(e->correlation_id, text) &&
		    module_of(w, w->plan.routes[r->route].target) == module)
			return party_if(w, r->party, r->number);
	}
	return NOBODY;
}

/* --- who hears ------------------------------------------------------------------------------- */

struct hearing {
	struct world *w;
	const struct actor *from;
	int parcel;
	uint32_t crc;
	bool told[PARTIES_MAX];
};

static void owe(struct hearing *k, int party, bool for_any)
{
	struct world *w = k->w;
	const struct party *y = &w->model.parties[party < 0 ? 0 : party];
	struct notice *o;

	if (party == NOBODY || party == k->from->party || k->told[party] || y->is_broker ||
	    (!y->connected && !y->mailbox))
		return;
	k->told[party] = true;
	o = notice_add(w, party, k->parcel, true, k->crc);
	if (!o)
		return;
	o->for_any = for_any;
	o->doubtful = w->plan.troubles[TROUBLE_FULL_STORE];
}

static void owe_one(struct hearing *k, int module)
{
	owe(k, successor_any_of(k->w, module), true);
}

static bool is_anybody_there(const struct world *w, int module)
{
	bool any = false;

	for (int n = 0; n < w->party_count; n++)
		any |= w->model.parties[n].connected && w->model.parties[n].module == module;
	return any;
}

/* One, or all that are there: then none has to hear it later. */
static void owe_sources(struct hearing *k, bool all)
{
	const struct plan *p = &k->w->plan;

	for (size_t r = 0; r < p->core.route_count; r++) {
		int source = module_of(k->w, p->routes[r].source);

		if (module_of(k->w, p->routes[r].target) != k->from->module)
			continue;
		for (int n = 0; all && n < k->w->party_count; n++)
			if (k->w->model.parties[n].connected &&
			    k->w->model.parties[n].module == source)
				owe(k, n, false);
		if (!all || !is_anybody_there(k->w, source))
			owe_one(k, source);
	}
}

static void owe_targets(struct hearing *k)
{
	const struct plan *p = &k->w->plan;

	for (size_t r = 0; r < p->core.route_count; r++)
		if (module_of(k->w, p->routes[r].source) == k->from->module)
			owe_one(k, module_of(k->w, p->routes[r].target));
}

#define LOOKED_AT_MAX 64		/* errors of one message whose source is looked for */

static void expect_notices(struct world *w, const struct actor *a, int parcel,
    const struct message_error_notification *n, const struct frame *f)
{
	struct hearing k = { .w = w, .from = a, .parcel = parcel < 0 ? 0 : parcel };
	bool found = false, wide = false;

	if (!errors_may_be_told(w, a->module))
		return;
	k.crc = stripped_crc(w, f);
	for (size_t e = 0; e < n->error_count; e++) {
		int source = NOBODY;

		if (e < LOOKED_AT_MAX)
			source = by_batch(w, a->module, &n->errors[e]);
		if (e < LOOKED_AT_MAX && source == NOBODY)
			source = by_correlation(w, a->module, &n->errors[e]);
		found |= source != NOBODY;
		wide |= n->errors[e].scope >= SCOPE_MODULE;
		owe(&k, source, false);
	}
	if (!found || n->action_required == ACTION_HALT)
		owe_sources(&k, n->action_required == ACTION_HALT);
	if (wide)
		owe_targets(&k);
}

/* --- what comes of it ------------------------------------------------------------------------ */

/* An error of the whole pipeline among them halts every route. */
static void halt(struct world *w, int module, const struct message_error_notification *n)
{
	bool all = false;

	for (size_t e = 0; e < n->error_count; e++)
		all |= n->errors[e].scope == SCOPE_PIPELINE;
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		if (all || module_of(w, w->plan.routes[r].target) == module)
			w->model.paused[r] = w->model.halted[r] = true;
}

/* Until when the instances of the module that are still known have asked to be spared. */
static uint64_t latest_throttle_ms(struct world *w, int module)
{
	uint64_t latest_ms = 0;

	for (int n = 0; n < w->party_count; n++) {
		const struct throttle *t = &w->model.throttles[n];

		if (w->model.parties[n].known && w->model.parties[n].module == module &&
		    t->number == party_number(w, n) && t->until_ms > w->now_ms &&
		    t->until_ms > latest_ms)
			latest_ms = t->until_ms;
	}
	return latest_ms;
}

static void expect_throttle(struct world *w, const struct actor *a, bool on)
{
	struct throttle *t = &w->model.throttles[a->party];
	uint64_t *until_ms = &w->model.throttled_until_ms[a->module];

	if (on) {
		*until_ms = w->now_ms + w->plan.core.throttle_timeout_ms;
		*t = (struct throttle){ *until_ms, party_number(w, a->party) };
	} else if (t->until_ms && t->number == party_number(w, a->party)) {
		t->until_ms = 0;
		*until_ms = latest_throttle_ms(w, a->module);
	}
}

static void expect_action(struct world *w, const struct actor *a,
    const struct message_error_notification *n)
{
	const enum action_required action = n->action_required;

	if (action == ACTION_HALT)
		halt(w, a->module, n);
	if (action == ACTION_THROTTLE || action == ACTION_NONE)
		expect_throttle(w, a, action == ACTION_THROTTLE);
}

static void expect(struct world *w, const struct actor *a, int parcel,
    const struct message_error_notification *n, const struct frame *f)
{
	if (n->error_count == 0 && n->action_required == ACTION_NONE)
		return;
	for (size_t e = 0; e < n->error_count; e++)
		errors_hear(w, a->module, a->party, &n->errors[e], n->action_required);
	if (n->error_count == 0 && n->action_required == ACTION_INVESTIGATE)
		errors_hear_none(w, a->module, a->party);
	expect_notices(w, a, parcel, n, f);
}

static void tell(struct world *w, struct actor *a, const struct tale *t)
{
	static struct model before;
	struct fault fault = { .code = INT_NONE };
	struct frame *f = message_notification(w, a, t);
	struct message m;

	message_read(w, f, &m);
	trace(w, "party %d tells of %zu errors, the first of batch %d, action %s", a->party,
	    t->count, t->parcel, action_required_name(t->action));
	breaker_heard(w, a->module, m.error_notification.errors, t->count);
	core_errors_heard(w->core, a->connection->instance, m.error_notification.errors, t->count);
	if (t->count > 0 || t->action != ACTION_NONE || !t->has_seen)
		expect_action(w, a, &m.error_notification);
	before = w->model;
	expect(w, a, t->parcel, &m.error_notification, f);
	if (!core_error_notification(w->core, a->connection->instance, &m, f, &fault)) {
		if (fault.code != INT_STORE_001 || !w->plan.troubles[TROUBLE_FULL_STORE])
			broke(w, "an error notification meets error %d", fault.code);
		w->model = before;	/* what it asks for is done all the same */
		errors_refuse(w, fault.code);
	}
	frame_unref(f);
	check_touched(w);
}

static bool may_tell(const struct world *w, const struct actor *a)
{
	return has_trouble(w, TROUBLE_TELL) && a->connection && !errors_are_many(w);
}

static void tell_one(struct world *w, struct actor *a)
{
	static struct tale t;

	broker_begin(w);
	row_check_all(w);
	tale_draw(w, a, &t);
	tell(w, a, &t);
}

/* At times more than the broker passes on of one module in a second: that takes some turns. */
bool module_tell(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	uint64_t left = chance(w, 500) ? between(w, 80, 200) : 1;

	if (!may_tell(w, a))
		return false;
	for (; left > 0 && may_tell(w, a); left--) {
		tell_one(w, a);
		if (left > 1 && store_turn_has_used(w->store, STORE_INTAKE_PERCENT / 2))
			broker_turn(w);
	}
	return true;
}
