/*
 * benching_target.c - a target that processes at once, and only what a bench has sent
 *
 * A batch of somebody else's must not be lost to a measurement: no word is said about it, and it
 * goes back to the broker when the target ends, at no cost of an attempt.
 */
#include <string.h>

#include "base/datetime.h"
#include "tools/handoff/benching.h"
#include "tools/handoff/report.h"

static void on_delivery(struct bench_target *t, struct handoff_delivery *d)
{
	const char *correlation_id = handoff_delivery_correlation_id(d);
	const uint64_t records = handoff_delivery_record_count(d);
	const bool is_earlier = t->correlation_id != NULL &&
				strcmp(correlation_id, t->correlation_id) != 0;
	size_t bytes;

	if (strncmp(correlation_id, BENCH_MARK, strlen(BENCH_MARK)) != 0) {
		if (!t->has_foreign)
			complain("batch %s of %s is not a bench's: it goes back, untouched",
				 handoff_delivery_batch_id(d), handoff_delivery_route(d));
		t->has_foreign = true;
		handoff_drop(d);
		return;
	}
	handoff_delivery_records(d, &bytes);
	if (handoff_processed(d, 0, NULL, 0) != 0)
		return;
	t->last_us = clock_monotonic_us();
	if (t->processed++ == 0)
		t->first_us = t->last_us;
	t->left_behind += is_earlier;
	t->records += records;
	t->bytes += bytes;
}

void bench_target_on_event(struct bench_target *t, const struct handoff_event *e)
{
	if (e->type == HANDOFF_EVENT_DELIVERY)
		on_delivery(t, e->delivery);
	else if (e->type == HANDOFF_EVENT_NOT_DONE)
		handoff_drop(e->delivery);
	else
		connection_on_event(&t->connection, e);
}
