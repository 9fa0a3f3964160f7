/* elsewhere.c - a start under a configuration that declares less than the store has */
#include <stdio.h>
#include <string.h>

#include "sim.h"

struct elsewhere {
	struct world *w;
	struct core_settings settings;
};

/* peer_ops has no place for it. */
static struct elsewhere *the_place;

static bool is_declared(const struct route *route)
{
	for (size_t r = 0; r < the_place->settings.route_count; r++)
		if (strcmp(route_settings(route)->name, the_place->w->plan.routes[r].name) == 0)
			return true;
	return false;
}

static void on_deliver(struct peer *peer, const struct delivery *d)
{
	(void)peer;
	if (!is_declared(d->route))
		broke(the_place->w, "a batch is delivered on a route that is not declared");
}

/* Of a route that is not declared any more nobody is told. */
static void on_outcome(struct peer *peer, const struct ended *e, const struct route *route)
{
	(void)peer;
	if (!is_declared(route))
		broke(the_place->w, "an outcome is told of a route that is not declared, notice %llu",
		    (unsigned long long)e->notice);
}

static const struct peer_ops *elsewhere_ops(void)
{
	static struct peer_ops ops;

	ops = listener_ops;
	ops.deliver = on_deliver;
	ops.outcome = on_outcome;
	return &ops;
}

/* --- what is declared -------------------------------------------------------------------------- */

/* The last route is not; at times neither is a module that is on no other. */
static void declare_less(struct elsewhere *k)
{
	struct world *w = k->w;
	struct core_settings *s = &k->settings;

	*s = w->plan.core;
	s->route_count--;
	s->circuit_count = 0;
	for (; s->module_count > 1 && chance(w, 2); s->module_count--)
		for (size_t r = 0; r < s->route_count; r++)
			if (strcmp(s->routes[r].source, s->modules[s->module_count - 1].name) == 0 ||
			    strcmp(s->routes[r].target, s->modules[s->module_count - 1].name) == 0)
				return;
}

static bool has_stranded(const struct elsewhere *k)
{
	for (int p = 0; p < k->w->parcel_count; p++)
		if (is_in_custody(&k->w->model.fates[p]) &&
		    (size_t)k->w->parcels[p].route >= k->settings.route_count)
			return true;
	return false;
}

/* Every instance that is known comes. */
static void join_all(const struct elsewhere *k, struct core *core)
{
	static char peer;
	char id[32];

	for (int n = 0; n < k->w->party_count; n++) {
		const struct party *y = &k->w->model.parties[n];
		struct hello h = { .max_in_flight = 4, .mailbox = true };

		if (!y->known || y->is_broker || (size_t)y->module >= k->settings.module_count)
			continue;
		h.module = k->w->plan.modules[y->module].name;
		snprintf(id, sizeof id, "instance-%d", n);
		h.instance_id = span_of(id);
		core_join(core, &h, (struct peer *)(void *)&peer);
	}
}

/* A dead letter of a route that there is not here. */
static void import(const struct elsewhere *k, struct core *core)
{
	struct world *w = k->w;
	char why[256] = "";

	for (int n = 0; n < w->export_count; n++) {
		const struct export *x = &w->exports[n];
		struct import in = { .frame = x->frame, .code = x->end.code };
		struct message m;

		if ((size_t)w->parcels[x->parcel].route < k->settings.route_count)
			continue;
		message_read(w, x->frame, &m);
		in.message = &m;
		if (core_import(core, &in, &(struct hand){ "sim", "" }, why, sizeof why) !=
		    OPERATED_NEVER || !*why)
			broke(w, "a letter of a route that is not declared is imported");
	}
}

/* Errors of modules that are not declared any more are shown all the same. */
static void look_at_errors(const struct elsewhere *k, struct core *core)
{
	struct error_record e;
	uint64_t before = UINT64_MAX;

	for (int n = 0; n < 100 && store_error_previous(k->w->store, before, &e) == 0; n++) {
		if (!*core_error_module(core, &e))
			broke(k->w, "error %llu is nobody's", (unsigned long long)e.number);
		before = e.number;
	}
}

static void serve(const struct elsewhere *k, struct core *core)
{
	struct world *w = k->w;

	core_set_time(core, w->now_ms, w->now_ms, w->wall_us);
	join_all(k, core);
	import(k, core);
	look_at_errors(k, core);
	while (core_turn_close(core))
		;
	core_check(core);
	core_shut_down(core);
	if (core_turn_close(core) || core_next_due_ms(core) != UINT64_MAX)
		broke(w, "a core that was shut down goes on");
	if (store_has_failed(w->store))
		broke(w, "a change fails under fewer routes");
}

void elsewhere_run(struct world *w)
{
	struct elsewhere k = { .w = w };
	char why[256] = "";

	the_place = &k;
	declare_less(&k);
	trace(w, "a start with %zu routes, %zu modules", k.settings.route_count,
	    k.settings.module_count);
	struct core *core = core_create(w->store, elsewhere_ops(), &k.settings, w->now_ms, w->seed,
	    why, sizeof why);
	if ((core == NULL) != has_stranded(&k) || (!core && !*why))
		broke(w, "a start without route %s is %s",
		    w->plan.routes[w->plan.core.route_count - 1].name, core ? "taken" : "refused");
	if (core)
		serve(&k, core);
	core_destroy(core);
	store_close(w->store);		/* and nothing has happened */
	w->store = broker_open_store(w->path);
}
