/* progress.c - how far a command has got: a line on the terminal, and one at the end */
#include "tools/handoff/progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/datetime.h"
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

int progress_show(struct progress *p)
{
	const int64_t now = clock_monotonic_ms(), passed = now - p->shown_at_ms;
	char line[256];
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
		 "%" PRIu64 " records, %" PRIu64 " batches, %.1f MB/s, %" PRIu64 " under way%s%s",
		 p->records, p->batches, p->rate / 1e6, p->waiting,
		 p->reason[0] != '\0' ? ", waiting: " : "", p->reason);
	report_progress(line);
	return SHOW_EACH_MS;
}

void progress_tell(struct progress *p, const char *verb)
{
	const double seconds = (double)(clock_monotonic_ms() - p->begun_at_ms) / 1000.0;

	tell("%s %" PRIu64 " records in %" PRIu64 " batches, %.1f MB in %.1f s", verb, p->records,
	     p->batches, (double)p->bytes / 1e6, seconds);
}
