/* measure.c - what metrics are made of */
#include <string.h>

#include "core/reason.h"

/* A wall clock that was set back makes no time negative. */
static uint64_t since(const struct core *c, int64_t then_us)
{
	return c->wall_us > then_us ? (uint64_t)(c->wall_us - then_us) : 0;
}

static bool is_failure(enum journal_event event)
{
	switch (event) {
	case JOURNAL_REJECTED:
	case JOURNAL_ACK_TIMEOUT:
	case JOURNAL_PROCESS_TIMEOUT:
	case JOURNAL_LOST:
	case JOURNAL_CIRCUIT:
	case JOURNAL_DEAD:
		return true;
	default:
		return false;
	}
}

/* The journal keeps a batch's first line whatever follows. 0: it never failed. */
static int64_t first_failure_us(struct core *c, uint64_t id)
{
	struct journal_line line;
	uint32_t number = 0;

	while (store_journal_next(c->store, id, &number, &line) == 0)
		if (is_failure(line.event))
			return line.at_us;
	return 0;
}

void measure_init(struct route_measures *m)
{
	*m = (struct route_measures){ .batches = 0 };
	histogram_init(&m->latency, &scale_wait);
	histogram_init(&m->recovery, &scale_wait);
}

void measure_processed(struct core *c, struct route *r, const struct batch *b,
    const struct ended *e)
{
	struct route_measures *m = &r->measures;
	int64_t failed_us = b->journalled ? first_failure_us(c, b->id) : 0;

	m->batches++;
	m->records += e->accepted;
	histogram_add(&m->latency, since(c, b->received_at_us));
	if (failed_us != 0)
		histogram_add(&m->recovery, since(c, failed_us));
}

/* --- what waits ------------------------------------------------------------------------------- */

size_t core_queue_count(const struct core *c)
{
	return c->settings.module_count;
}

void core_view_queue(const struct core *c, size_t n, struct queue_view *out)
{
	const struct module *m = &c->modules[n];
	const struct route *r;

	*out = (struct queue_view){ .name = m->settings.name, .connected = module_connected(m) };
	TAILQ_FOREACH(r, &m->targeted, of_target) {
		out->queued += route_depth(r);
		out->assigned += r->counters.assigned;
	}
}

static void note_oldest(struct core *c, const struct route *r, const struct batch *b,
    int64_t since_us[REASON_COUNT])
{
	uint64_t until_ms;
	enum reason reason = reason_of(c, r, b, &until_ms);

	if (since_us[reason] == 0 || b->received_at_us < since_us[reason])
		since_us[reason] = b->received_at_us;
}

void core_oldest_by_reason(struct core *c, const struct route *r, int64_t since_us[REASON_COUNT])
{
	struct batch b;

	memset(since_us, 0, REASON_COUNT * sizeof *since_us);
	for (int class = CLASS_CRITICAL; class <= CLASS_HELD; class++)
		if (store_ready_first(c->store, r->number, (enum ready_class)class, &b) == 0)
			note_oldest(c, r, &b, since_us);
	if (store_assigned_next(c->store, r->number, 0, &b) == 0)
		note_oldest(c, r, &b, since_us);
	b = (struct batch){ .state = BATCH_WAITING };
	if (store_queue_next(c->store, r->number, &b) == 0)	/* they come last */
		note_oldest(c, r, &b, since_us);
	if (store_dead_next(c->store, r->number, 0, &b, &(struct ended){ 0 }) == 0)
		note_oldest(c, r, &b, since_us);
}

/* --- what there is room for ------------------------------------------------------------------- */

uint64_t core_retention_ms(const struct core *c)
{
	uint64_t known = c->now_ms > c->forgotten_ms ? c->now_ms - c->forgotten_ms : 0;

	if (c->forgotten_ms == 0 || known > c->settings.outcome_retention_ms)
		return c->settings.outcome_retention_ms;
	return known;
}

uint64_t core_store_reserve_bytes(const struct core *c)
{
	return store_reserve_bytes(c->store) + c->settings.stage_reserve;
}

bool core_has_room(const struct core *c)
{
	return store_has_room(c->store, USUAL_BATCH_BYTES, c->settings.stage_reserve);
}

uint64_t core_history_size(const struct core *c)
{
	return c->settings.history_size;
}
