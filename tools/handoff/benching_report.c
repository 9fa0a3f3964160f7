/* benching_report.c - what handoff bench has measured */
#include <inttypes.h>
#include <stdio.h>

#include "tools/handoff/benching.h"

static const unsigned permille[] = { 500, 900, 990, 999, 1000 };
static const char *const names[] = { "p50", "p90", "p99", "p99.9", "max" };
#define PERCENTILES (sizeof(permille) / sizeof(permille[0]))

static double each_second(const struct bench_report *r, uint64_t n)
{
	return r->seconds > 0 ? (double)n / r->seconds : 0;
}

static void print_latency_line(const char *what, const struct latency *l)
{
	if (l == NULL || l->count == 0)
		return;
	printf("%-10s", what);
	for (size_t i = 0; i < PERCENTILES; i++)
		printf(" %s %.2f ms%s", names[i], (double)latency_permille(l, permille[i]) / 1000,
		       i + 1 < PERCENTILES ? "," : "\n");
}

static void print_lines(const struct bench_report *r)
{
	printf("%" PRIu64 " batches with %" PRIu64 " records, %.1f MB, in %.1f s\n", r->batches,
	       r->records, (double)r->bytes / 1e6, r->seconds);
	printf("%.0f batches/s, %.0f records/s, %.1f MB/s\n", each_second(r, r->batches),
	       each_second(r, r->records), each_second(r, r->bytes) / 1e6);
	print_latency_line("RECEIVED", r->received_us);
	print_latency_line("PROCESSED", r->processed_us);
}

static void print_latency_json(const char *name, const struct latency *l)
{
	if (l == NULL)
		return;
	printf(",\"%s\":{\"count\":%" PRIu64, name, l->count);
	for (size_t i = 0; i < PERCENTILES; i++)
		printf(",\"%s\":%" PRId64, names[i], latency_permille(l, permille[i]));
	printf("}");
}

static void print_json(const struct bench_report *r)
{
	printf("{\"seconds\":%.3f,\"batches\":%" PRIu64 ",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64,
	       r->seconds, r->batches, r->records, r->bytes);
	printf(",\"batches_per_second\":%.1f,\"records_per_second\":%.1f,\"mb_per_second\":%.3f",
	       each_second(r, r->batches), each_second(r, r->records),
	       each_second(r, r->bytes) / 1e6);
	print_latency_json("received_us", r->received_us);
	print_latency_json("processed_us", r->processed_us);
	printf("}\n");
}

void bench_report_print(const struct bench_report *r, bool as_json)
{
	if (as_json)
		print_json(r);
	else
		print_lines(r);
}
