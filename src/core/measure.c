/* measure.c - what a route's batches took */
#include "core/internal.h"

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
