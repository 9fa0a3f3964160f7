/* cmd_status.c - status: one screen that says how the broker does, and what is wrong */
#include <stdio.h>

#include "admin/look.h"
#include "base/version.h"
#include "wire/text.h"

#define ROUTES_PER_STEP 64
#define INSTANCES_SHOWN 10		/* of a module; health and clients show more */
#define SHARE_WARNING_PERCENT 80	/* of a route's dead letters */

static const struct report_column route_columns[] = {
	{ .name = "name", .width = 16 },
	{ .name = "state", .width = 7 },
	{ .name = "in_custody", .width = 10, .right = true },
	{ .name = "ready", .width = 8, .right = true },
	{ .name = "assigned", .width = 8, .right = true },
	{ .name = "waiting", .width = 8, .right = true },
	{ .name = "dead", .width = 7, .right = true },
	{ .name = "drain_per_s", .width = 11, .right = true },
	{ .name = "oldest_age_ms", .width = 13, .right = true },
	{ .name = "sources", .width = 7, .right = true },
	{ .name = "targets", .width = 7, .right = true },
};

static const struct report_column problem_columns[] = {
	{ .name = "problem", .width = 12 },
	{ .name = "route", .width = 16 },
	{ .name = "text" },
};

enum status_stage { STATUS_HEAD, STATUS_ROUTES, STATUS_PROBLEMS, STATUS_INSTANCES };

struct status {
	enum status_stage stage;
	size_t at;
	uint64_t in_custody, dead, dead_bytes;
};

/* --- the broker ------------------------------------------------------------------------------- */

static void put_share(struct report *r, const char *name, uint64_t part, uint64_t whole)
{
	report_real(r, name, whole > 0 ? 100.0 * (double)part / (double)whole : 0);
}

static void put_store(struct admin_job *job)
{
	struct store *store = job->admin->store;
	const uint64_t size = store_size_bytes(store), left = store_free_bytes(store);
	struct report *r = &job->report;

	report_object(r, "store");
	report_size(r, "size_bytes", (int64_t)size);
	report_size(r, "free_bytes", (int64_t)left);
	report_size(r, "reserve_bytes", (int64_t)store_reserve_bytes(store));
	put_share(r, "used_percent", size > left ? size - left : 0, size);
	report_size(r, "history_bytes", (int64_t)store_history_bytes(store));
	put_share(r, "history_percent", store_history_bytes(store), size);
	report_close(r);
}

static void put_head(struct admin_job *job)
{
	const struct core *core = job->admin->core;
	struct report *r = &job->report;
	size_t connected, known;

	connected = core_connected(core, &known);
	report_text(r, "version", HANDOFF_VERSION);
	look_uuid(r, "broker_id", store_broker_id(job->admin->store));
	look_time(r, "now", look_now_us(core));
	report_text(r, "sandbox", job->admin->settings.sandbox);
	report_bool(r, "draining", core_is_draining(core));
	report_number(r, "clients_connected", (int64_t)connected);
	report_number(r, "clients_known", (int64_t)known);
	report_number(r, "assigned", (int64_t)core_assigned(core));
	put_store(job);
	report_table(r, "routes", route_columns, sizeof(route_columns) / sizeof(route_columns[0]));
}

/* --- routes ----------------------------------------------------------------------------------- */

static void put_route(struct admin_job *job, struct status *s, const struct route_view *v)
{
	const struct route_counters *n = v->counters;
	struct report *r = &job->report;

	s->in_custody += counters_queued(n);
	s->dead += route_letters(v);
	s->dead_bytes += n->dead_bytes;
	report_row(r);
	report_text(r, NULL, v->settings->name);
	report_text(r, NULL, route_state_name(v));
	report_number(r, NULL, (int64_t)counters_queued(n));
	report_number(r, NULL, (int64_t)(counters_queued(n) - n->assigned - n->waiting));
	report_number(r, NULL, (int64_t)n->assigned);
	report_number(r, NULL, (int64_t)n->waiting);
	report_number(r, NULL, (int64_t)route_letters(v));
	report_real(r, NULL, v->drain_rate);
	route_put_age(r, NULL, job->admin->core, v);
	report_number(r, NULL, (int64_t)v->sources);
	report_number(r, NULL, (int64_t)v->targets);
	report_close(r);
}

static void put_sums(struct admin_job *job, const struct status *s)
{
	struct report *r = &job->report;

	report_close(r);
	report_number(r, "in_custody", (int64_t)s->in_custody);
	report_number(r, "dead", (int64_t)s->dead);
	report_size(r, "dead_bytes", (int64_t)s->dead_bytes);
	put_share(r, "dead_percent_of_store", s->dead_bytes, store_size_bytes(job->admin->store));
	report_table(r, "problems", problem_columns,
		     sizeof(problem_columns) / sizeof(problem_columns[0]));
}

/* --- what is wrong ---------------------------------------------------------------------------- */

static void put_problem(struct report *r, const char *problem, const char *route, const char *text)
{
	report_row(r);
	report_text(r, NULL, problem);
	report_text(r, NULL, route);
	report_text(r, NULL, text);
	report_close(r);
}

static bool are_letters_near(const struct route_view *v)
{
	const struct route_settings *s = v->settings;

	return route_letters(v) * 100 >= s->dead_letter_capacity * SHARE_WARNING_PERCENT ||
	       v->counters->dead_bytes >=
	       s->dead_letter_capacity_bytes / 100 * SHARE_WARNING_PERCENT;
}

static void put_capacity(struct report *r, const struct route_view *v)
{
	const struct route_settings *s = v->settings;
	char text[192];

	if (v->depth >= s->queue_capacity || v->counters->bytes >= s->queue_capacity_bytes) {
		snprintf(text, sizeof(text), "new batches are refused: %llu of %llu batches, "
			 "%llu of %llu bytes", (unsigned long long)v->depth,
			 (unsigned long long)s->queue_capacity,
			 (unsigned long long)v->counters->bytes,
			 (unsigned long long)s->queue_capacity_bytes);
		put_problem(r, "FULL", s->name, text);
	}
	if (are_letters_near(v)) {
		snprintf(text, sizeof(text), "%llu of %llu dead letters, %llu of %llu bytes; "
			 "beyond, new batches are refused", (unsigned long long)route_letters(v),
			 (unsigned long long)s->dead_letter_capacity,
			 (unsigned long long)v->counters->dead_bytes,
			 (unsigned long long)s->dead_letter_capacity_bytes);
		put_problem(r, "DEAD_LETTERS", s->name, text);
	}
}

static void put_circuit(struct report *r, const struct core *core, size_t n)
{
	struct circuit_view v;
	char text[512];

	core_view_circuit(core, n, &v);
	if (v.state == CIRCUIT_CLOSED)
		return;
	if (v.forced)
		snprintf(text, sizeof(text), "opened by %s%s%s", v.who,
			 v.reason[0] != '\0' ? ": " : "", v.reason);
	else
		snprintf(text, sizeof(text), "%s after %u failures in a row: handoffctl circuits",
			 circuit_state_name(v.state), v.failures);
	put_problem(r, "CIRCUIT_OPEN", v.id, text);
}

static void put_problems_of(struct report *r, const struct route_view *v)
{
	const struct route_settings *s = v->settings;
	char text[512];

	if (v->control->paused) {
		snprintf(text, sizeof(text), "paused by %s%s%s", v->control->who,
			 v->control->reason[0] != '\0' ? ": " : "", v->control->reason);
		put_problem(r, v->control->halted ? "HALTED" : "PAUSED", s->name, text);
	}
	if (v->throttled_until_ms != 0) {
		snprintf(text, sizeof(text), "%s asked to be spared: its sources are slowed down",
			 s->target);
		put_problem(r, "THROTTLED", s->name, text);
	}
	put_capacity(r, v);
	if (v->targets == 0 && counters_queued(v->counters) > v->counters->ready_held) {
		snprintf(text, sizeof(text), "%llu batches wait, and no instance of %s is "
			 "connected", (unsigned long long)counters_queued(v->counters), s->target);
		put_problem(r, "NO_CONSUMER", s->name, text);
	}
	if (!counters_balance(v->counters))
		put_problem(r, "UNBALANCED", s->name,
			    "the counters do not balance: handoffctl audit");
}

/* The newest by name, the others by number. */
static void put_alerts(struct admin_job *job)
{
	struct core *core = job->admin->core;
	struct error_record e;
	struct errors_view v;
	char code[4 * ERROR_CODE_MAX + 1], text[512];

	core_view_errors(core, &v);
	if (v.alerts == 0 || store_alert_previous(job->admin->store, UINT64_MAX, &e) != 0)
		return;
	text_escape(code, sizeof(code), e.code, e.code_len);
	snprintf(text, sizeof(text), "%llu not acknowledged, the newest %s of %s, %s: handoffctl "
		 "errors --alerts", (unsigned long long)v.alerts, code[0] != '\0' ? code : "one",
		 core_error_module(core, &e), severity_name((enum severity)e.severity));
	put_problem(&job->report, "ALERTS", NULL, text);
}

static void put_problems_of_broker(struct admin_job *job)
{
	const struct core *core = job->admin->core;

	put_alerts(job);
	if (core_is_draining(job->admin->core))
		put_problem(&job->report, "DRAINING", NULL,
			    "nothing is delivered: the broker drains");
	for (size_t n = core_route_count(core); n < core_circuit_count(core); n++)
		put_circuit(&job->report, core, n);
	if (store_free_bytes(job->admin->store) <= store_reserve_bytes(job->admin->store))
		put_problem(&job->report, "STORE_FULL", NULL, "new batches are refused: only what "
			    "ends and retries need is left of the store");
}

struct showing {
	struct admin_job *job;
	int shown;
};

static bool put_problem_of_instance(void *arg, const struct instance_checkup *i)
{
	struct showing *s = arg;
	char name[INSTANCE_NAME_MAX], age[32], text[512];

	if (i->status == HEALTH_HEALTHY)
		return true;
	core_instance_name(s->job->admin->core, i->number, name, sizeof(name));
	snprintf(text, sizeof(text), "%s %s", name, i->why);
	if (i->stuck_ms > 0) {
		report_write_duration((int64_t)i->stuck_ms, age, sizeof(age));
		snprintf(text, sizeof(text), "%s holds %u batches and has ended none for %s", name,
			 i->held, age);
	}
	put_problem(&s->job->report, i->stuck_ms > 0 ? "STUCK" : health_status_name(i->status),
		    NULL, text);
	return ++s->shown < INSTANCES_SHOWN;
}

/* One module a step. False: it was the last. */
static bool put_instances(struct admin_job *job, struct status *s)
{
	core_visit_instances(job->admin->core, s->at++, put_problem_of_instance,
	    &(struct showing){ .job = job });
	return s->at < core_module_count(job->admin->core);
}

bool cmd_status(struct admin_job *job)
{
	struct status *s = job_state(job, sizeof(*s));
	struct core *core = job->admin->core;
	struct route_view v;

	if (s->stage == STATUS_INSTANCES)
		return put_instances(job, s);
	if (s->stage == STATUS_HEAD) {
		put_head(job);
		s->stage = STATUS_ROUTES;
	}
	for (int n = 0; n < ROUTES_PER_STEP && s->at < core_route_count(core); n++) {
		core_view_route(core, core_route(core, s->at), &v);
		if (s->stage == STATUS_ROUTES) {
			put_route(job, s, &v);
		} else {
			put_problems_of(&job->report, &v);
			put_circuit(&job->report, core, s->at);
		}
		s->at++;
	}
	if (s->at < core_route_count(core))
		return true;
	s->at = 0;
	if (s->stage == STATUS_PROBLEMS) {
		s->stage = STATUS_INSTANCES;
		return true;
	}
	put_sums(job, s);
	put_problems_of_broker(job);
	s->stage = STATUS_PROBLEMS;
	return true;
}
