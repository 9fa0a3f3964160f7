/* tell.c - targets that tell of errors: who must hear of it, and what comes of it */
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

/* --- who hears ------------------------------------------------------------------------------- */

/* The party that sent the batch, NOBODY where it cannot be said: then somebody else would hear. */
static int source_of(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];
	int source;

	if (is_in_custody(f))
		source = f->source;
	else if (f->state == BATCH_ENDED && f->row != NOBODY && w->model.rows[f->row].there)
		source = w->model.rows[f->row].source;
	else
		return NOBODY;
	if (!w->model.parties[source].known ||
	    (is_in_custody(f) && party_number(w, source) != f->source_number))
		return NOBODY;
	return source;
}

static void owe(struct world *w, int party, int parcel, uint32_t crc, bool told[PARTIES_MAX])
{
	const struct party *y = &w->model.parties[party];

	if (told[party] || y->is_broker || (!y->connected && !y->mailbox))
		return;
	told[party] = true;
	notice_add(w, party, parcel, true, crc);
}

/* All of the module that are there; or the latest that was. */
static void owe_module(struct world *w, int module, int parcel, uint32_t crc,
    bool told[PARTIES_MAX])
{
	int latest = NOBODY;
	bool any = false;

	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];
		const struct party *best = &w->model.parties[latest < 0 ? n : latest];

		if (!y->known || y->module != module || y->is_broker)
			continue;
		any |= y->connected;
		if (y->connected)
			owe(w, n, parcel, crc, told);
		if (y->mailbox && (latest < 0 || y->last_used_ms > best->last_used_ms ||
		    (y->last_used_ms == best->last_used_ms && y->created < best->created)))
			latest = n;
	}
	if (!any && latest != NOBODY)
		owe(w, latest, parcel, crc, told);
}

static void expect_notices(struct world *w, int module, int source, int parcel,
    const struct frame *f, enum action_required action)
{
	bool told[PARTIES_MAX] = { false };
	uint32_t crc = stripped_crc(w, f);

	owe(w, source, parcel, crc, told);
	for (size_t r = 0; action == ACTION_HALT && r < w->plan.core.route_count; r++)
		if (module_of(w, w->plan.routes[r].target) == module)
			owe_module(w, module_of(w, w->plan.routes[r].source), parcel, crc, told);
}

/* --- what comes of it ------------------------------------------------------------------------ */

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

static void expect_action(struct world *w, const struct actor *a, enum action_required action)
{
	struct model *m = &w->model;

	if (action == ACTION_THROTTLE || action == ACTION_NONE)
		expect_throttle(w, a, action == ACTION_THROTTLE);
	for (size_t r = 0; action == ACTION_HALT && r < w->plan.core.route_count; r++)
		if (module_of(w, w->plan.routes[r].target) == a->module)
			m->paused[r] = true;
}

/* It is the newest that is kept, and one look later it is an alert. */
static void check_kept(struct world *w, const struct error_out *error, enum action_required action)
{
	struct error_record e;
	bool alert = action == ACTION_INVESTIGATE || error->code == INT_STORE_002;

	if (w->plan.core.max_error_rate < 1000)
		return;
	if (store_error_previous(w->store, UINT64_MAX, &e) != 0 ||
	    !uuid_equal(&e.error_id, &error->error_id))
		broke(w, "an error that was told is not kept");
	if (!e.has_batch || e.action != action || e.of_record != (error->scope == SCOPE_RECORD))
		broke(w, "error %llu is not kept as it was told", (unsigned long long)e.number);
	if (alert && (store_alert_previous(w->store, UINT64_MAX, &e) != 0 ||
	    !uuid_equal(&e.error_id, &error->error_id)))
		broke(w, "an error is no alert");
}

static void tell(struct world *w, struct actor *a, int parcel, int source)
{
	static const enum error_code codes[] = { INT_BATCH_002, INT_ROUTE_002, INT_STORE_002 };
	enum action_required action = (enum action_required)between(w, ACTION_NONE,
	    ACTION_INVESTIGATE);
	char batch_id[UUID_TEXT_LEN + 1], correlation[32];
	struct error_out error = {
		.code = codes[between(w, 0, 2)],
		.scope = chance(w, 2) ? SCOPE_RECORD : SCOPE_BATCH,
		.source_module = span_of(w->plan.modules[a->module].name),
	};
	struct fault fault = { .code = INT_NONE };
	struct message m;
	struct frame *f;

	if (action == ACTION_HALT && !has_trouble(w, TROUBLE_HALT))
		action = ACTION_NONE;
	rng_bytes(&w->rng, error.error_id.b, sizeof error.error_id.b);
	uuid_format(&w->parcels[parcel].batch_id, batch_id);
	message_correlation(parcel, correlation);
	error.batch_id = span_of(batch_id);
	error.correlation_id = span_of(correlation);
	f = message_notification(w, parcel, &error, action);
	message_read(w, f, &m);
	trace(w, "party %d tells of an error of batch %d, action %d", a->party, parcel, action);
	expect_notices(w, a->module, source, parcel, f, action);
	expect_action(w, a, action);
	if (!core_error_notification(w->core, a->connection->instance, &m, f, &fault))
		broke(w, "an error notification meets error %d", fault.code);
	frame_unref(f);
	check_kept(w, &error, action);
	check_touched(w);
}

bool target_tell(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	struct grip g;
	int known, source;

	if (!has_trouble(w, TROUBLE_TELL) || has_trouble(w, TROUBLE_FULL_STORE) || !a->connection ||
	    (a->past_count == 0 && a->held_count == 0))
		return false;
	g = a->held_count > 0 ? a->held[0]
			      : a->past[(a->past_count - 1) % PAST_MAX];
	broker_begin(w);
	row_check_all(w);
	known = w->model.owner[w->parcels[g.parcel].root];
	if (known == NOBODY || module_of(w, route_of(w, known)->target) != a->module ||
	    (source = source_of(w, known)) == NOBODY)
		return false;
	tell(w, a, known, source);
	return true;
}
