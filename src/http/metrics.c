/*
 * metrics.c - the table of metrics: to add one, add a line, and its words in handoff-metrics(7)
 *
 * A row says its name, type and help, and how it is read: of the broker once, of each route or
 * module (then with a label, or in its name), or, for what has labels of its own, by a function
 * that writes the samples. Labels are the names of declared routes and modules and words of closed
 * lists: what a stranger sends adds no series.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/version.h"
#include "core/checkup.h"
#include "http/internal.h"
#include "http/page.h"

#define US_PER_S 1e6
/* Of each route; never 0, which is: no counter. */
#define COUNTER(member) (offsetof(struct route_counters, member) + 1)

struct metric {
	const char *name;	/* with '_' before it: the route's or module's name goes there */
	enum metric_type type;
	const char *help;
	/* One of these: */
	double (*broker)(const struct look *l);
	double (*route)(const struct look *l, const struct route_view *v);
	size_t counter;
	double (*module)(const struct look *l, const struct queue_view *v);
	const struct histogram *(*histogram)(const struct look *l);
	const struct histogram *(*route_histogram)(const struct route_view *v);
	void (*samples)(struct page *p, const struct look *l);
};

/* --- of the broker ---------------------------------------------------------------------------- */

static double store_size(const struct look *l)
{
	return (double)store_size_bytes(l->store);
}

static double store_free(const struct look *l)
{
	return (double)l->store_free;
}

static double store_used(const struct look *l)
{
	return store_size(l) > store_free(l) ? store_size(l) - store_free(l) : 0;
}

static double store_reserve(const struct look *l)
{
	return (double)core_store_reserve_bytes(l->core);
}

static double history_held(const struct look *l)
{
	return (double)store_history_bytes(l->store);
}

static double history_size(const struct look *l)
{
	return (double)core_history_size(l->core);
}

static double history_retention(const struct look *l)
{
	return (double)core_retention_ms(l->core) / 1000;
}

static double commits(const struct look *l)
{
	return (double)store_commits(l->store);
}

static double connections(const struct look *l)
{
	return (double)l->facts.connections;
}

static double draining(const struct look *l)
{
	return core_is_draining(l->core);
}

static double ready(const struct look *l)
{
	return ready_problem(l) == NULL;
}

static double memory(const struct look *l)
{
	return (double)memory_resident(l->http->memory_fd);
}

static double started(const struct look *l)
{
	return (double)l->facts.started_us / US_PER_S;
}

static const struct histogram *turn(const struct look *l)
{
	return &l->http->settings.turn->turn;
}

static const struct histogram *late(const struct look *l)
{
	return &l->http->settings.turn->late;
}

static const struct histogram *commit(const struct look *l)
{
	return &l->http->settings.turn->commit;
}

static const struct histogram *changes(const struct look *l)
{
	return &l->http->settings.turn->changes;
}

static void put_refused(struct page *p, const struct look *l)
{
	static const char *const causes[REFUSAL_COUNT] = {
		[REFUSAL_ADDRESS_RATE] = "address_rate",
		[REFUSAL_TOTAL_RATE] = "total_rate",
		[REFUSAL_TLS] = "tls",
		[REFUSAL_TIMEOUT] = "timeout",
		[REFUSAL_CROWDED] = "crowded",
		[REFUSAL_RESOURCES] = "resources",
		[REFUSAL_IDENTITY] = "identity",
	};

	for (int i = 0; i < REFUSAL_COUNT; i++)
		page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "cause", causes[i] } },
			    (double)l->facts.refused[i]);
}

static void put_expiry(struct page *p, const struct look *l)
{
	page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "kind", "broker" } },
		    (double)l->facts.certificate_expiry_us / US_PER_S);
	page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "kind", "authority" } },
		    (double)l->facts.authority_expiry_us / US_PER_S);
}

static void put_build(struct page *p, const struct look *l)
{
	(void)l;
	page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "version", HANDOFF_VERSION } }, 1);
}

/* --- of a circuit ----------------------------------------------------------------------------- */

static void put_circuit_states(struct page *p, const struct look *l)
{
	static const int values[] = { [CIRCUIT_CLOSED] = 0, [CIRCUIT_HALF_OPEN] = 1,
		[CIRCUIT_OPEN] = 2 };
	struct circuit_view v;

	for (size_t n = 0; n < core_circuit_count(l->core); n++) {
		core_view_circuit(l->core, n, &v);
		page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "circuit_id", v.id } },
			    values[v.state]);
	}
}

static void put_circuit_trips(struct page *p, const struct look *l)
{
	struct circuit_view v;

	for (size_t n = 0; n < core_circuit_count(l->core); n++) {
		core_view_circuit(l->core, n, &v);
		page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "circuit_id", v.id } },
			    (double)v.trips_total);
	}
}

/* --- of a route ------------------------------------------------------------------------------- */

static double batches(const struct look *l, const struct route_view *v)
{
	(void)l;
	return (double)v->measures->batches;
}

static double records(const struct look *l, const struct route_view *v)
{
	(void)l;
	return (double)v->measures->records;
}

static double queue_capacity(const struct look *l, const struct route_view *v)
{
	(void)l;
	return (double)v->settings->queue_capacity;
}

static double queue_capacity_bytes(const struct look *l, const struct route_view *v)
{
	(void)l;
	return (double)v->settings->queue_capacity_bytes;
}

static double letters(const struct look *l, const struct route_view *v)
{
	(void)l;
	return (double)(v->counters->dead + v->counters->derived_dead);
}

static double letter_capacity(const struct look *l, const struct route_view *v)
{
	(void)l;
	return (double)v->settings->dead_letter_capacity;
}

static double paused(const struct look *l, const struct route_view *v)
{
	(void)l;
	return v->control->paused;
}

static double pressed(const struct look *l, const struct route_view *v)
{
	(void)l;
	return v->pressed;
}

static double unaccounted(const struct look *l, const struct route_view *v)
{
	(void)l;
	return (double)counters_unaccounted(v->counters);
}

static const struct histogram *latency(const struct route_view *v)
{
	return &v->measures->latency;
}

static const struct histogram *recovery(const struct route_view *v)
{
	return &v->measures->recovery;
}

static void put_custody(struct page *p, const struct look *l)
{
	for (size_t n = 0; n < l->route_count; n++) {
		const struct route_counters *c = l->routes[n].counters;
		const uint64_t counts[] = { counters_queued(c) - c->assigned - c->waiting,
			c->assigned, c->waiting };
		static const enum batch_state states[] = { BATCH_READY, BATCH_ASSIGNED,
			BATCH_WAITING };

		for (int i = 0; i < 3; i++)
			page_sample(p, (struct label[PAGE_LABELS_MAX]){
				{ "route", l->routes[n].settings->name },
				{ "state", batch_state_name(states[i]) } }, (double)counts[i]);
	}
}

/* The reasons that there are now: a series of its own for each that a route may have would be most
 * of the page. */
static void put_oldest(struct page *p, const struct look *l)
{
	int64_t since_us[REASON_COUNT];

	for (size_t n = 0; n < l->route_count; n++) {
		core_oldest_by_reason(l->core, core_route(l->core, n), since_us);
		for (int i = 0; i < REASON_COUNT; i++) {
			const int64_t age_us = l->now_us - since_us[i];

			if (since_us[i] == 0)
				continue;
			page_sample(p, (struct label[PAGE_LABELS_MAX]){
				{ "route", l->routes[n].settings->name },
				{ "reason", reason_name((enum reason)i) } },
				age_us > 0 ? (double)age_us / US_PER_S : 0);
		}
	}
}

/* --- of a module ------------------------------------------------------------------------------ */

static double instances(const struct look *l, const struct queue_view *v)
{
	(void)l;
	return (double)v->connected;
}

static double queued(const struct look *l, const struct queue_view *v)
{
	(void)l;
	return (double)v->queued;
}

/* Not a number where none of its instances tells it. */
static double buffered(const struct look *l, const struct queue_view *v)
{
	struct module_checkup m;

	core_view_module(l->core, (size_t)(v - l->modules), &m);
	return m.has_buffer_depth ? (double)m.buffer_depth : NAN;
}

/* --- errors ----------------------------------------------------------------------------------- */

/* Codes of modules are a stranger's bytes: together they are one series for each severity. */
static void put_errors(struct page *p, const struct look *l)
{
	uint64_t of_modules[SEVERITY_WARNING + 1] = { 0 };
	const struct error_count *counts;
	size_t n = core_error_counts(l->core, &counts);

	for (size_t i = 0; i < n; i++) {
		if (!counts[i].own) {
			of_modules[counts[i].severity] += counts[i].count;
			continue;
		}
		page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "code", counts[i].code },
			{ "severity", severity_name(counts[i].severity) } },
			(double)counts[i].count);
	}
	for (int i = 0; i <= SEVERITY_WARNING; i++)
		page_sample(p, (struct label[PAGE_LABELS_MAX]){ { "code", "module" },
			{ "severity", severity_name((enum severity)i) } }, (double)of_modules[i]);
}

static double error_depth(const struct look *l)
{
	struct errors_view v;

	core_view_errors(l->core, &v);
	return (double)v.depth;
}

static double alerts(const struct look *l)
{
	struct errors_view v;

	core_view_errors(l->core, &v);
	return (double)v.alerts;
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct metric metrics[] = {
	/* Names that the specification fixes. */
	{ "integration_retries_total", METRIC_COUNTER, "Deliveries that failed and will be repeated.",
	  .counter = COUNTER(retries_total) },
	{ "integration_error_recovery_duration_seconds", METRIC_HISTOGRAM,
	  "From a batch's first failure to PROCESSED.", .route_histogram = recovery },
	{ "_batches_transferred_total", METRIC_COUNTER, "Batches that the target has PROCESSED.",
	  .route = batches },
	{ "_records_transferred_total", METRIC_COUNTER, "Records that the target has accepted.",
	  .route = records },
	{ "transfer_latency_seconds", METRIC_HISTOGRAM, "From RECEIVED to PROCESSED.",
	  .route_histogram = latency },
	{ "_input_queue_depth", METRIC_GAUGE, "Batches in custody for the module.",
	  .module = queued },
	{ "integration_circuit_breaker_state", METRIC_GAUGE, "0 CLOSED, 1 HALF_OPEN, 2 OPEN.",
	  .samples = put_circuit_states },
	{ "integration_circuit_breaker_trips_total", METRIC_COUNTER,
	  "How often the circuit has opened.", .samples = put_circuit_trips },

	{ "_output_buffer_depth", METRIC_GAUGE, "Batches that the module holds back, as it tells.",
	  .module = buffered },
	{ "integration_errors_total", METRIC_COUNTER, "Errors made and heard of.",
	  .samples = put_errors },
	{ "integration_error_queue_depth", METRIC_GAUGE, "Errors that are kept.",
	  .broker = error_depth },
	{ "handoff_alerts", METRIC_GAUGE, "Errors that wait for a person.", .broker = alerts },

	/* What is in custody. */
	{ "handoff_batches_received_total", METRIC_COUNTER, "Batches taken into custody.",
	  .counter = COUNTER(received_total) },
	{ "handoff_batches_processed_total", METRIC_COUNTER, "Batches that left custody PROCESSED.",
	  .counter = COUNTER(processed_total) },
	{ "handoff_batches_partial_total", METRIC_COUNTER, "Of those, with rejected records.",
	  .counter = COUNTER(partial_total) },
	{ "handoff_custody_batches", METRIC_GAUGE, "Batches in custody that have not ended.",
	  .samples = put_custody },
	{ "handoff_custody_bytes", METRIC_GAUGE, "Their bytes.", .counter = COUNTER(bytes) },
	{ "handoff_queue_capacity_batches", METRIC_GAUGE, "queue_capacity of the route.",
	  .route = queue_capacity },
	{ "handoff_queue_capacity_bytes", METRIC_GAUGE, "queue_capacity_bytes of the route.",
	  .route = queue_capacity_bytes },
	{ "handoff_oldest_batch_age_seconds", METRIC_GAUGE,
	  "Time in custody of the oldest batch, by why it does not move.", .samples = put_oldest },
	{ "handoff_backpressure_active", METRIC_GAUGE, "1: the sources are told to slow down.",
	  .route = pressed },
	{ "handoff_route_paused", METRIC_GAUGE, "1: paused until an operator resumes it.",
	  .route = paused },
	{ "handoff_unaccounted_records", METRIC_GAUGE,
	  "Batches and letters that the counters cannot account for: anything but 0 is a fault.",
	  .route = unaccounted },

	/* Dead letters. */
	{ "handoff_dead_letters", METRIC_GAUGE, "Dead letters that are kept.", .route = letters },
	{ "handoff_dead_letters_bytes", METRIC_GAUGE, "Their bytes.",
	  .counter = COUNTER(dead_bytes) },
	{ "handoff_dead_letter_capacity", METRIC_GAUGE, "dead_letter_capacity of the route.",
	  .route = letter_capacity },
	{ "handoff_batches_dead_total", METRIC_COUNTER, "Batches that became dead letters.",
	  .counter = COUNTER(dead_total) },
	{ "handoff_batches_redriven_total", METRIC_COUNTER, "Dead letters that were redriven.",
	  .counter = COUNTER(redriven_total) },
	{ "handoff_batches_purged_total", METRIC_COUNTER, "Dead letters that were purged.",
	  .counter = COUNTER(purged_total) },

	/* The store. */
	{ "handoff_store_size_bytes", METRIC_GAUGE, "store.size.", .broker = store_size },
	{ "handoff_store_used_bytes", METRIC_GAUGE, "Of it, in use.", .broker = store_used },
	{ "handoff_store_free_bytes", METRIC_GAUGE, "Of it, not in use.", .broker = store_free },
	{ "handoff_store_reserve_bytes", METRIC_GAUGE,
	  "Of it, kept for ends, retries and stages.", .broker = store_reserve },
	{ "handoff_history_bytes", METRIC_GAUGE, "History of batches that have ended.",
	  .broker = history_held },
	{ "handoff_history_size_bytes", METRIC_GAUGE, "history_size.", .broker = history_size },
	{ "handoff_history_retention_seconds", METRIC_GAUGE,
	  "A repeat of a batch that ended so long ago is recognised.",
	  .broker = history_retention },
	{ "handoff_commits_total", METRIC_COUNTER, "Commits of the store.", .broker = commits },
	{ "handoff_commit_duration_seconds", METRIC_HISTOGRAM, "Time of a commit.",
	  .histogram = commit },
	{ "handoff_commit_changes", METRIC_HISTOGRAM, "Changes of batches' states in a commit.",
	  .histogram = changes },

	/* The process. */
	{ "handoff_turn_duration_seconds", METRIC_HISTOGRAM,
	  "Time of a turn that changed something, its commit included.", .histogram = turn },
	{ "handoff_loop_lateness_seconds", METRIC_HISTOGRAM,
	  "How much too late the loop woke up for what was due.", .histogram = late },
	{ "handoff_ready", METRIC_GAUGE, "1: /ready says 200.", .broker = ready },
	{ "handoff_draining", METRIC_GAUGE, "1: an operator has stopped all deliveries.",
	  .broker = draining },
	{ "handoff_memory_resident_bytes", METRIC_GAUGE, "Memory in use.", .broker = memory },
	{ "handoff_start_timestamp_seconds", METRIC_GAUGE, "When the broker started.",
	  .broker = started },
	{ "handoff_build_info", METRIC_GAUGE, "1, with the version.", .samples = put_build },

	/* Who is there. */
	{ "handoff_connections", METRIC_GAUGE, "Connections, those without HELLO among them.",
	  .broker = connections },
	{ "handoff_module_instances", METRIC_GAUGE, "Instances of the module that are connected.",
	  .module = instances },
	{ "handoff_handshakes_refused_total", METRIC_COUNTER,
	  "Connections that were refused before HELLO.", .samples = put_refused },
	{ "handoff_certificate_expiry_timestamp_seconds", METRIC_GAUGE,
	  "When the certificate expires.", .samples = put_expiry },
};

static bool is_named_after(const struct metric *m)
{
	return *m->name == '_';
}

static bool is_of_routes(const struct metric *m)
{
	return m->route != NULL || m->route_histogram != NULL || m->counter != 0;
}

static double route_value(const struct look *l, const struct metric *m, const struct route_view *v)
{
	uint64_t value;

	if (m->counter == 0)
		return m->route(l, v);
	memcpy(&value, (const char *)v->counters + m->counter - 1, sizeof(value));
	return (double)value;
}

static void put_routes(struct page *p, const struct look *l, const struct metric *m)
{
	for (size_t n = 0; n < l->route_count; n++) {
		const struct route_view *v = &l->routes[n];
		const struct label labels[PAGE_LABELS_MAX] = { { "route", v->settings->name } };

		if (is_named_after(m))
			page_family(p, v->settings->name, m->name, m->type, m->help);
		if (m->route_histogram != NULL)
			page_histogram(p, labels, m->route_histogram(v));
		else
			page_sample(p, is_named_after(m) ? NULL : labels, route_value(l, m, v));
	}
}

static void put_modules(struct page *p, const struct look *l, const struct metric *m)
{
	for (size_t n = 0; n < l->module_count; n++) {
		const struct queue_view *v = &l->modules[n];
		const struct label labels[PAGE_LABELS_MAX] = { { "module", v->name } };

		if (is_named_after(m))
			page_family(p, v->name, m->name, m->type, m->help);
		page_sample(p, is_named_after(m) ? NULL : labels, m->module(l, v));
	}
}

void metrics_put(const struct look *l, struct buf *out)
{
	struct page p = { .out = out };

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct metric *m = &metrics[i];

		if (!is_named_after(m))
			page_family(&p, "", m->name, m->type, m->help);
		if (is_of_routes(m))
			put_routes(&p, l, m);
		else if (m->module != NULL)
			put_modules(&p, l, m);
		else if (m->histogram != NULL)
			page_histogram(&p, NULL, m->histogram(l));
		else if (m->samples != NULL)
			m->samples(&p, l);
		else
			page_sample(&p, NULL, m->broker(l));
	}
}
