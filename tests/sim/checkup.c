/* checkup.c - health reports: what the broker says of itself, of routes, modules, the pipeline */
#include <stdio.h>
#include <string.h>

#include "core/measure.h"
#include "sim.h"

#define MINUTE_S 60

/* --- the last minute -------------------------------------------------------------------------- */

static struct second *second_of(struct world *w)
{
	uint64_t now_s = w->now_ms / 1000;
	struct second *s = &w->model.minute[now_s % MINUTE_S];

	if (s->number != now_s)
		*s = (struct second){ .number = now_s };
	return s;
}

void checkup_failed(struct world *w)
{
	second_of(w)->failed++;
}

void checkup_ended(struct world *w, uint64_t records)
{
	second_of(w)->ended++;
	second_of(w)->records += records;
}

static struct second sum_minute(const struct world *w)
{
	uint64_t now_s = w->now_ms / 1000;
	struct second sum = { 0 };

	for (int n = 0; n < MINUTE_S; n++) {
		const struct second *s = &w->model.minute[n];

		if (s->number + MINUTE_S <= now_s)
			continue;
		sum.ended += s->ended;
		sum.failed += s->failed;
		sum.records += s->records;
	}
	return sum;
}

void checkup_recover(struct world *w)
{
	memset(w->model.minute, 0, sizeof w->model.minute);
	memset(w->shell, 0, sizeof w->shell);
	w->started_ms = w->now_ms;
}

static enum health_status worse(enum health_status a, enum health_status b)
{
	return a == HEALTH_UNHEALTHY || b == HEALTH_UNHEALTHY ? HEALTH_UNHEALTHY
	    : a == HEALTH_DEGRADED ? a : b;
}

/* --- a module --------------------------------------------------------------------------------- */

struct module_now {
	size_t connected, verdicts[3], takers;
	uint64_t waiting, depth;
	bool tells_depth;
};

static uint64_t waiting_for(const struct world *w, int module)
{
	uint64_t n = 0;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		n += is_in_custody(f) && !(f->held && f->state == BATCH_READY) &&
		    module_of(w, route_of(w, p)->target) == module;
	}
	return n;
}

static void look_at(const struct world *w, int module, struct module_now *m)
{
	const struct connection *c;

	*m = (struct module_now){ .waiting = waiting_for(w, module) };
	TAILQ_FOREACH(c, &w->connections, next) {
		const struct party *y = &w->model.parties[c->party];

		if (c->actor->module != module)
			continue;
		m->connected++;
		m->verdicts[health_verdict(w, c)]++;
		m->takers += y->max_in_flight > 0 && !y->draining;
		m->tells_depth |= c->signs.has_depth;
		m->depth += c->signs.has_depth ? c->signs.depth : 0;
	}
}

static bool is_judged(const struct module_now *m)
{
	return m->connected > 0 || m->waiting > 0;
}

static enum health_status judge_module(const struct module_now *m)
{
	if (m->connected > 0 && m->verdicts[HEALTH_UNHEALTHY] == m->connected)
		return HEALTH_UNHEALTHY;
	if (m->waiting > 0 && m->takers == 0)
		return HEALTH_DEGRADED;
	return m->verdicts[HEALTH_HEALTHY] == m->connected ? HEALTH_HEALTHY : HEALTH_DEGRADED;
}

static void check_module(struct world *w, int module)
{
	struct module_checkup v;
	struct module_now m;

	look_at(w, module, &m);
	core_view_module(w->core, (size_t)module, &v);
	if (strcmp(v.name, w->plan.modules[module].name) != 0 || v.connected != m.connected ||
	    v.waiting != m.waiting || v.is_judged != is_judged(&m) ||
	    memcmp(v.verdicts, m.verdicts, sizeof m.verdicts) != 0)
		broke(w, "module %s is shown with %zu connected, %llu batches waiting, judged=%d; "
		    "not %zu, %llu, %d", v.name, v.connected, (unsigned long long)v.waiting,
		    v.is_judged, m.connected, (unsigned long long)m.waiting, is_judged(&m));
	if (v.status != judge_module(&m) || (v.status == HEALTH_HEALTHY) != (*v.why == '\0'))
		broke(w, "module %s is judged %s (%s), not %s", v.name,
		    health_status_name(v.status), v.why, health_status_name(judge_module(&m)));
	if (v.has_buffer_depth != m.tells_depth || (m.tells_depth && v.buffer_depth != m.depth))
		broke(w, "module %s is said to have %llu in its buffers", v.name,
		    (unsigned long long)v.buffer_depth);
	if (m.connected > 0 && v.last_seen_us == 0)
		broke(w, "module %s is there, and was never seen", v.name);
}

/* --- the pipeline ----------------------------------------------------------------------------- */

static enum health_status judge_modules(const struct world *w)
{
	enum health_status worst = HEALTH_HEALTHY;
	struct module_now m;

	for (int n = 0; n < MODULES_MAX; n++) {
		look_at(w, n, &m);
		if (is_judged(&m))
			worst = worse(worst, judge_module(&m));
	}
	return worst;
}

static enum health_status judge_pipeline(const struct world *w, double rate)
{
	size_t open = breaker_count_open(w);

	if (judge_modules(w) == HEALTH_UNHEALTHY || open > 1)
		return HEALTH_UNHEALTHY;
	return open == 1 || judge_modules(w) == HEALTH_DEGRADED ||
	    (rate > 0 && rate >= w->plan.core.error_rate_degraded) ? HEALTH_DEGRADED : HEALTH_HEALTHY;
}

static enum health_status check_pipeline(struct world *w)
{
	struct second minute = sum_minute(w);
	uint64_t all = minute.ended + minute.failed;
	double rate = all ? (double)minute.failed / (double)all : 0;
	struct pipeline_checkup v;

	core_view_pipeline(w->core, &v);
	if (v.circuits_open != breaker_count_open(w) || v.error_rate_1m != rate ||
	    v.records_per_second != (double)minute.records / MINUTE_S)
		broke(w, "the pipeline is shown with an error rate of %f, %f records a second; not "
		    "%f, %f", v.error_rate_1m, v.records_per_second, rate,
		    (double)minute.records / MINUTE_S);
	if (v.status != judge_pipeline(w, rate))
		broke(w, "the pipeline is judged %s: %s", health_status_name(v.status), v.why);
	return v.status;
}

/* --- a report --------------------------------------------------------------------------------- */

struct report {
	struct world *w;
	const struct checkup *k;
	size_t at;
	enum health_status worst;
};

static const struct component *next_part(struct report *r, const char *name)
{
	const struct component *p = &r->k->components[r->at];

	if (r->at++ >= r->k->count || strcmp(p->name, name) != 0)
		broke(r->w, "a report has %s where %s belongs",
		    r->at <= r->k->count ? p->name : "nothing", name);
	if (!*p->message)
		broke(r->w, "a report says nothing of %s", name);
	r->worst = worse(r->worst, p->status);
	return p;
}

static void check_part(struct report *r, const char *name, enum health_status status)
{
	const struct component *p = next_part(r, name);

	if (p->status != status)
		broke(r->w, "%s is reported as %s: %s", name, health_status_name(p->status),
		    p->message);
}

/* It is nearly full before it is full: a twentieth of it is left to new batches. */
static void check_store_part(struct report *r)
{
	const struct world *w = r->w;
	const struct component *p = next_part(r, "store");
	uint64_t kept = store_reserve_bytes(w->store) + w->plan.core.stage_reserve;
	enum health_status expected = HEALTH_HEALTHY;

	if (!core_has_room(w->core))
		expected = HEALTH_UNHEALTHY;
	else if (store_free_bytes(w->store) < kept + STORE_BYTES / 20)
		expected = HEALTH_DEGRADED;
	if (p->status != expected ||
	    (p->status != HEALTH_HEALTHY && !w->plan.troubles[TROUBLE_FULL_STORE]))
		broke(w, "the store is reported as %s: %s", health_status_name(p->status),
		    p->message);
}

static void check_readiness(struct report *r)
{
	check_part(r, "recovery", HEALTH_HEALTHY);
	check_store_part(r);
	check_part(r, "broker", r->w->model.draining ? HEALTH_DEGRADED : HEALTH_HEALTHY);
}

static bool refuses(const struct world *w, int route)
{
	const struct route_settings *s = &w->plan.routes[route];
	uint64_t depth = 0, bytes = 0, letters = 0, letter_bytes = 0;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];
		bool dead = f->known && f->state == BATCH_DEAD;

		if (w->parcels[p].route != route)
			continue;
		depth += is_in_custody(f);
		bytes += is_in_custody(f) ? f->frame_len : 0;
		letters += dead;
		letter_bytes += dead ? f->frame_len : 0;
	}
	return depth >= s->queue_capacity || bytes >= s->queue_capacity_bytes ||
	    letters >= s->dead_letter_capacity || letter_bytes >= s->dead_letter_capacity_bytes;
}

static void check_details(struct report *r)
{
	static const char *const shell[] = { "disk", "loop", "tls", "certificates" };
	struct world *w = r->w;
	struct module_now m;
	char name[80];

	for (int n = 0; n < SHELL_PART_COUNT; n++)
		if (w->shell[n].is_set)
			check_part(r, shell[n], w->shell[n].status);
	for (int n = 0; n < (int)w->plan.core.route_count; n++) {
		snprintf(name, sizeof name, "route %s", w->plan.routes[n].name);
		check_part(r, name, refuses(w, n) || w->model.paused[n] ? HEALTH_DEGRADED
		                                                      : HEALTH_HEALTHY);
	}
	for (int n = 0; n < MODULES_MAX; n++) {
		look_at(w, n, &m);
		snprintf(name, sizeof name, "module %s", w->plan.modules[n].name);
		check_part(r, name, is_judged(&m) ? judge_module(&m) : HEALTH_HEALTHY);
	}
	r->worst = worse(r->worst, check_pipeline(w));
}

static void check_report(struct world *w, enum check_type type)
{
	struct checkup k;
	struct report r = { .w = w, .k = &k };

	core_check_up(w->core, type, &k);
	if (type == CHECK_LIVENESS)
		check_part(&r, "broker", HEALTH_HEALTHY);
	else
		check_readiness(&r);
	if (type == CHECK_DETAILED)
		check_details(&r);
	if (r.at != k.count || k.status != r.worst ||
	    k.uptime_seconds != (w->now_ms - w->started_ms) / 1000)
		broke(w, "a report is %s of %zu parts, after %llu s", health_status_name(k.status),
		    k.count, (unsigned long long)k.uptime_seconds);
	checkup_finish(&k);
}

static bool on_first(void *arg, const struct instance_checkup *i)
{
	(void)i;
	++*(size_t *)arg;
	return false;
}

/* Who has seen enough is shown no more. */
static void check_visit(struct world *w, int module)
{
	struct module_now m;
	size_t shown = 0;

	look_at(w, module, &m);
	core_visit_instances(w->core, (size_t)module, on_first, &shown);
	if (shown != (m.connected > 0))
		broke(w, "%zu instances of module %d are shown", shown, module);
}

/* HEALTH_CHECK_REQUEST of a module, or an operator asks: nothing changes by it. */
bool checkup_ask(struct world *w)
{
	enum check_type type = (enum check_type)between(w, CHECK_LIVENESS, CHECK_DETAILED);
	unsigned changes;

	broker_begin(w);
	changes = core_turn_changes(w->core);
	trace(w, "somebody asks how the broker does, %d", type);
	health_look(w);
	check_report(w, type);
	for (int m = 0; m < MODULES_MAX; m++)
		check_module(w, m);
	check_visit(w, (int)between(w, 0, MODULES_MAX - 1));
	check_pipeline(w);
	if (core_turn_changes(w->core) != changes)
		broke(w, "a report changes the state of batches");
	check_touched(w);
	return true;
}

void checkup_end(struct world *w, const char *part)
{
	struct checkup k;
	bool found = false;

	core_check_up(w->core, CHECK_READINESS, &k);
	for (size_t n = 0; n < k.count; n++)
		found |= strcmp(k.components[n].name, part) == 0 &&
		    k.components[n].status == HEALTH_UNHEALTHY;
	if (!found || k.status != HEALTH_UNHEALTHY)
		broke(w, "the %s has its end, and is reported as %s", part,
		    health_status_name(k.status));
	checkup_finish(&k);
}

/* What only the process around the core can know. */
bool checkup_set(struct world *w)
{
	enum shell_part part = (enum shell_part)between(w, 0, SHELL_PART_COUNT - 1);
	enum health_status status = (enum health_status)between(w, 0, 2);

	broker_begin(w);
	core_set_component(w->core, part, status, "drawn in step %u", w->step);
	w->shell[part].is_set = true;
	w->shell[part].status = status;
	return true;
}
