/* health.c - /health: PipelineHealthStatus (protocol.md section 11) as JSON, and its verdict */
#include <stdio.h>

#include "base/datetime.h"
#include "core/checkup.h"
#include "http/internal.h"

/* Our own words: none has a quote or a backslash in it. */
static void put_module(struct buf *body, const struct module_checkup *m, const char *before)
{
	char text[512], seen[DATETIME_TEXT_LEN + 3] = "null";
	int n;

	if (m->last_seen_us != 0) {
		char time[DATETIME_TEXT_LEN + 1];

		datetime_format(m->last_seen_us, time);
		snprintf(seen, sizeof(seen), "\"%s\"", time);
	}
	n = snprintf(text, sizeof(text), "%s\"%s\":{\"status\":\"%s\",\"why\":\"%s\","
		     "\"last_seen\":%s,\"connected_instances\":%zu}", before, m->name,
		     health_status_name(m->status), m->why, seen, m->connected);

	buf_put(body, text, (size_t)n);
}

enum http_status health_put(const struct look *l, struct buf *body)
{
	struct pipeline_checkup p;
	struct module_checkup m;
	const char *before = "";
	char text[512];
	int n;

	core_view_pipeline(l->core, &p);
	n = snprintf(text, sizeof(text), "{\"overall_status\":\"%s\",\"why\":\"%s\","
		     "\"active_circuits_open\":%llu,\"error_rate_1m\":%.9g,"
		     "\"throughput_records_per_second\":%.9g,\"module_statuses\":{",
		     health_status_name(p.status), p.why, (unsigned long long)p.circuits_open,
		     p.error_rate_1m, p.records_per_second);
	buf_put(body, text, (size_t)n);
	for (size_t i = 0; i < core_module_count(l->core); i++) {
		core_view_module(l->core, i, &m);
		if (!m.is_judged)
			continue;
		put_module(body, &m, before);
		before = ",";
	}
	buf_put(body, "}}\n", 3);
	return p.status == HEALTH_UNHEALTHY ? HTTP_UNAVAILABLE : HTTP_OK;
}
