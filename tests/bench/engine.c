/*
 * engine.c - keeps the window full, and notes how long each batch took
 *
 * The window is what has been sent and not acknowledged; so that a slow target throttles the source
 * and does not make a backlog, what has been sent and not completed has a limit of its own. A ring,
 * in which each batch that is under way has its place, keeps when it was sent.
 */
#include <stdlib.h>

#include "base/datetime.h"
#include "base/mem.h"
#include "bench.h"

struct engine {
	const struct load *load;
	struct figures *figures;
	int64_t begun_us;
	uint64_t ring;			/* places */
	int64_t *sent_us;		/* owned; by number modulo ring */
};

static int64_t age_us(const struct engine *e, uint64_t number)
{
	return clock_monotonic_us() - e->sent_us[number % e->ring];
}

void engine_on_received(struct engine *e, uint64_t number)
{
	samples_add(e->figures->received_us, age_us(e, number));
	e->figures->received++;
}

void engine_on_delivery(struct engine *e)
{
	if (e->figures->first_us == 0)
		e->figures->first_us = clock_monotonic_us();
}

void engine_on_completed(struct engine *e, uint64_t number)
{
	if (e->load->phase == PHASE_FLOW)
		samples_add(e->figures->completed_us, age_us(e, number));
	e->figures->completed++;
}

static bool may_begin(const struct engine *e)
{
	const struct load *l = e->load;

	return l->phase != PHASE_DRAIN && (l->handoffs == 0 || e->figures->sent < l->handoffs) &&
	       (l->seconds == 0 || clock_monotonic_us() - e->begun_us < l->seconds * 1000000);
}

static bool has_room(const struct engine *e)
{
	const struct figures *f = e->figures;

	return f->sent - f->received < e->load->window &&
	       (e->load->phase == PHASE_PUBLISH || f->sent - f->completed < e->load->in_flight);
}

static bool is_done(const struct engine *e)
{
	const struct figures *f = e->figures;

	switch (e->load->phase) {
	case PHASE_PUBLISH: return f->received == f->sent;
	case PHASE_DRAIN: return f->completed >= e->load->handoffs;
	default: return f->received == f->sent && f->completed == f->sent;
	}
}

void engine_run(const struct load *l, const struct contender *c, struct figures *f)
{
	struct engine e = { .load = l, .figures = f };
	bool more = true;

	/* Answers come in another order than that of sending, if only a little. */
	e.ring = 4 * (l->window > l->in_flight ? l->window : l->in_flight);
	e.sent_us = xcalloc(e.ring, sizeof(*e.sent_us));
	e.begun_us = clock_monotonic_us();
	for (;;) {
		more = more && may_begin(&e);
		while (more && has_room(&e)) {
			e.sent_us[f->sent % e.ring] = clock_monotonic_us();
			c->send(&e, f->sent++);
			more = may_begin(&e);
		}
		if (!more && is_done(&e))
			break;
		c->exchange(&e);
	}
	f->us = clock_monotonic_us() - e.begun_us;
	free(e.sent_us);
}
