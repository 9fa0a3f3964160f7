/* route.c - routes NAME: one route with all its settings and counters */
#include "admin/look.h"
#include "admin/selection.h"

#define BACKOFF_SHOWN 24		/* waits that are written out */

/* The wait after so many failures, without the tenth that chance adds. */
static uint64_t wait_ms(const struct route_settings *s, uint32_t failures)
{
	double wait = s->retry_delay_ms;

	for (uint32_t n = 1; n < failures && wait < s->max_retry_delay_ms &&
	     s->backoff_multiplier > 1; n++)
		wait *= s->backoff_multiplier;
	return wait < s->max_retry_delay_ms ? (uint64_t)wait : s->max_retry_delay_ms;
}

/* The schedule written out, until it stays the same. */
static void put_backoff(struct report *r, const struct route_settings *s)
{
	uint64_t last = UINT64_MAX;
	uint32_t n = 0;

	report_list(r, "backoff_ms");
	for (; n < s->max_retries && n < BACKOFF_SHOWN && wait_ms(s, n + 1) != last; n++) {
		last = wait_ms(s, n + 1);
		report_duration(r, NULL, (int64_t)last);
	}
	if (n < s->max_retries)
		report_sentence(r, "  and so on");
	report_close(r);
}

static void put_settings(struct report *r, const struct route_settings *s)
{
	report_object(r, "settings");
	report_number(r, "batch_size", s->batch_size);
	report_duration(r, "flush_timeout_ms", s->flush_timeout_ms);
	report_duration(r, "ack_timeout_ms", s->ack_timeout_ms);
	report_duration(r, "process_timeout_ms", s->process_timeout_ms);
	report_number(r, "max_retries", s->max_retries);
	report_duration(r, "retry_delay_ms", s->retry_delay_ms);
	report_real(r, "backoff_multiplier", s->backoff_multiplier);
	report_duration(r, "max_retry_delay_ms", s->max_retry_delay_ms);
	put_backoff(r, s);
	report_number(r, "queue_capacity", (int64_t)s->queue_capacity);
	report_size(r, "queue_capacity_bytes", (int64_t)s->queue_capacity_bytes);
	report_number(r, "stage_margin", (int64_t)s->stage_margin);
	report_number(r, "dead_letter_capacity", (int64_t)s->dead_letter_capacity);
	report_size(r, "dead_letter_capacity_bytes", (int64_t)s->dead_letter_capacity_bytes);
	report_bool(r, "ordered", s->ordered);
	report_bool(r, "confirm", s->confirm);
	report_duration(r, "confirm_timeout_ms", s->confirm_timeout_ms);
	report_close(r);
}

static void put_counters(struct report *r, const struct route_counters *n)
{
	const struct { const char *name; uint64_t value; } all[] = {
		{ "ready_critical", n->ready_critical }, { "ready_normal", n->ready_normal },
		{ "ready_suspect", n->ready_suspect }, { "ready_held", n->ready_held },
		{ "assigned", n->assigned }, { "waiting", n->waiting }, { "dead", n->dead },
		{ "derived_dead", n->derived_dead }, { "derived_queued", n->derived_queued },
		{ "received_total", n->received_total }, { "imported_total", n->imported_total },
		{ "processed_total", n->processed_total }, { "partial_total", n->partial_total },
		{ "dead_total", n->dead_total }, { "retries_total", n->retries_total },
		{ "redriven_total", n->redriven_total }, { "purged_total", n->purged_total },
		{ "derived_total", n->derived_total },
		{ "derived_ended_total", n->derived_ended_total },
		{ "derived_purged_total", n->derived_purged_total },
	};

	report_object(r, "counters");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		report_number(r, all[i].name, (int64_t)all[i].value);
	report_size(r, "bytes", (int64_t)n->bytes);
	report_size(r, "dead_bytes", (int64_t)n->dead_bytes);
	report_close(r);
}

static void put_pause(struct report *r, const struct route_control *k)
{
	report_object(r, "paused");
	look_time(r, "since", k->at_us);
	report_text(r, "by", k->who);
	report_text(r, "reason", k->reason[0] != '\0' ? k->reason : NULL);
	report_close(r);
}

bool route_describe(struct admin_job *job, const char *name)
{
	struct core *core = job->admin->core;
	const struct route *route = selection_route(job, name);
	struct report *r = &job->report;
	struct route_view v;

	if (route == NULL)
		return false;
	core_view_route(core, route, &v);
	report_text(r, "name", v.settings->name);
	report_text(r, "source", v.settings->source);
	report_text(r, "target", v.settings->target);
	report_text(r, "state", route_state_name(&v));
	if (v.control->paused)
		put_pause(r, v.control);
	report_number(r, "depth", (int64_t)v.depth);
	report_real(r, "drain_per_s", v.drain_rate);
	route_put_age(r, "oldest_age_ms", core, &v);
	report_number(r, "sources", (int64_t)v.sources);
	report_number(r, "targets", (int64_t)v.targets);
	report_bool(r, "target_asked_for_pause", v.target_paused);
	put_settings(r, v.settings);
	put_counters(r, v.counters);
	return false;
}
