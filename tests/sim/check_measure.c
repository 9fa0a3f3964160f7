/* check_measure.c - what metrics are made of adds up */
#include "core/measure.h"
#include "sim.h"

/* What metrics are made of, since this core began: in its memory alone. */
void check_measures(struct world *w)
{
	int64_t since_us[REASON_COUNT];
	uint64_t ended = 0, arrows = 0;
	uint64_t queued = 0, depths = 0;
	struct queue_view q;
	struct route_view v;

	for (int from = 0; from < BATCH_STATE_COUNT; from++)
		arrows += core_arrow_count(w->core, (enum batch_state)from, CAUSE_PROCESSED);
	for (size_t r = 0; r < core_route_count(w->core); r++) {
		bool any = false;

		core_view_route(w->core, core_route(w->core, r), &v);
		ended += v.measures->batches;
		depths += v.depth;
		if (histogram_count(&v.measures->latency) != v.measures->batches ||
		    histogram_count(&v.measures->recovery) > v.measures->batches)
			broke(w, "route %s has measured other batches than it counted",
			    v.settings->name);
		core_oldest_by_reason(w->core, core_route(w->core, r), since_us);
		for (int reason = 0; reason < REASON_COUNT; reason++)
			any |= since_us[reason] != 0;
		if (any != (counters_queued(v.counters) + v.counters->dead +
			v.counters->derived_dead > 0))
			broke(w, "route %s has an oldest batch and none, or the reverse",
			    v.settings->name);
	}
	for (size_t m = 0; m < core_queue_count(w->core); m++) {
		core_view_queue(w->core, m, &q);
		queued += q.queued;
	}
	if (queued != depths)
		broke(w, "queues to modules and routes differ");
	if (core_has_room(w->core) &&
	    store_free_bytes(w->store) <= core_store_reserve_bytes(w->core))
		broke(w, "there would be room in the reserve");
	if (core_retention_ms(w->core) > w->plan.core.outcome_retention_ms ||
	    core_history_size(w->core) != w->plan.core.history_size)
		broke(w, "history is kept for longer than it was to be");
	if (ended != arrows)
		broke(w, "%llu batches were PROCESSED, and %llu were measured",
		    (unsigned long long)arrows, (unsigned long long)ended);
}
