/* progress.c - how far a command has got: a line on the terminal, and one at the end */
#include "tools/handoff/progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/datetime.h"
#include "handoff/handoff.h"
#include "tools/handoff/report.h"

#define SHOW_EACH_MS 200
/* How much of the rate shown is the latest measurement. */
#define RATE_WEIGHT 0.3

void progress_init(struct progress *p)
{
	*p = (struct progress){
		.begun_at_ms = clock_monotonic_ms(),
		.shown_at_ms = clock_monotonic_ms(),
		.is_shown = report_is_terminal() && !report_is_quiet(),
	};
}

void progress_on_backpressure(struct progress *p, const struct handoff_event *e)
{
	const int64_t now = clock_monotonic_ms();

	if (p->is_slowed)
		p->slowed_ms += now - p->slowed_at_ms;
	p->is_slowed = e->backpressure.active;
	p->delay_ms = e->backpressure.delay_ms;
	p->slowed_at_ms = now;
	if (p->is_slowed)
		detail("back-pressure on %s: %" PRIu64 " batches wait there, one leaves each %" PRIu64
		       " ms", e->route, e->backpressure.queue_depth, p->delay_ms);
	else
		detail("no more back-pressure on %s", e->route);
}

/* Why it goes slowly, or not at all; "" when it goes. */
static const char *holdup(const struct progress *p, char *text, size_t size)
{
	text[0] = '\0';
	if (p->reason[0] != '\0')
		snprintf(text, size, ", waiting: %s", p->reason);
	else if (p->is_slowed)
		snprintf(text, size, ", back-pressure: a batch each %" PRIu64 " ms", p->delay_ms);
	return text;
}

int progress_show(struct progress *p)
{
	const int64_t now = clock_monotonic_ms(), passed = now - p->shown_at_ms;
	char line[256], text[128];
	double rate;

	if (!p->is_shown)
		return -1;
	if (passed < SHOW_EACH_MS)
		return (int)(SHOW_EACH_MS - passed);
	rate = (double)(p->bytes - p->shown_bytes) * 1000.0 / (double)passed;
	p->rate = p->rate > 0 ? p->rate + (rate - p->rate) * RATE_WEIGHT : rate;
	p->shown_bytes = p->bytes;
	p->shown_at_ms = now;
	snprintf(line, sizeof(line),
		 "%" PRIu64 " records, %" PRIu64 " batches, %.1f MB/s, %" PRIu64 " under way%s",
		 p->records, p->batches, p->rate / 1e6, p->waiting,
		 holdup(p, text, sizeof(text)));
	report_progress(line);
	return SHOW_EACH_MS;
}

void progress_tell(struct progress *p, const char *verb)
{
	const int64_t now = clock_monotonic_ms();
	const double seconds = (double)(now - p->begun_at_ms) / 1000.0;
	const int64_t slowed_ms = p->slowed_ms + (p->is_slowed ? now - p->slowed_at_ms : 0);
	char held_back[64] = "";

	if (p->is_slowed || slowed_ms > 0)
		snprintf(held_back, sizeof(held_back), "; held back for %.1f s of it",
			 (double)slowed_ms / 1000.0);
	tell("%s %" PRIu64 " records in %" PRIu64 " batches, %.1f MB in %.1f s%s", verb, p->records,
	     p->batches, (double)p->bytes / 1e6, seconds, held_back);
}
