/* ordered.c - ordered routes: one batch at a time for each source instance, in its sequence */
#include <stdlib.h>

#include "base/mem.h"
#include "core/internal.h"

/*
 * protocol.md section 6. The store keeps each batch in custody of an ordered route under its series
 * (the instance that sent it first), so the first of a series is the one whose turn it is, whatever
 * its state: while it is out or waits, those behind it wait. In memory are only the series whose
 * first may be READY: each change of a batch puts its series there, and a look that finds nothing
 * to deliver takes it out again.
 */
static void add(struct route *r, uint32_t number)
{
	struct ready_series *s;

	HASH_FIND(hh, r->ready_series, &number, sizeof number, s);
	if (s)
		return;
	s = xcalloc(1, sizeof *s);
	s->number = number;
	HASH_ADD(hh, r->ready_series, number, sizeof s->number, s);
}

static void drop(struct route *r, struct ready_series *s)
{
	HASH_DELETE(hh, r->ready_series, s);
	free(s);
}

void ordered_changed(struct route *r, const struct batch *b)
{
	if (b->ordered)
		add(r, b->series);
}

void ordered_recover(struct core *c, struct route *r)
{
	uint32_t series = 0;

	if (!r->settings.ordered)
		return;
	while ((series = store_series_next(c->store, r->number, series)) != 0)
		add(r, series);
}

void ordered_finish(struct route *r)
{
	while (r->ready_series)
		drop(r, r->ready_series);
}

bool ordered_is_free(struct core *c, const struct route *r, uint32_t series)
{
	struct batch b;

	return store_series_first(c->store, r->number, series, &b) == ERR_NOTFOUND;
}

/* The batch whose turn it is in a series, when it can be delivered now. */
static bool first_of(struct core *c, struct route *r, uint32_t series, struct batch *b)
{
	for (;;) {
		int rc = store_series_first(c->store, r->number, series, b);
		if (rc == ERR_NOTFOUND)
			return false;
		if (rc != 0) {
			b->ordered = true;
			b->series = series;
			batch_set_aside(c, r, b);
			continue;
		}
		if (b->state != BATCH_READY || b->held || b->suspect)
			return false;
		if (dispatch_verify(c, r, b))
			return true;
	}
}

bool ordered_next(struct core *c, struct route *r, struct batch *b)
{
	while (r->ready_series) {
		uint32_t number = r->ready_series->number;

		drop(r, r->ready_series);
		if (first_of(c, r, number, b))
			return true;
	}
	return false;
}
