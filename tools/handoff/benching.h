/* benching.h - what the files of handoff bench share: batches under way, and what came of them */
#ifndef HANDOFF_TOOLS_BENCHING_H
#define HANDOFF_TOOLS_BENCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handoff/handoff.h"
#include "tools/handoff/connection.h"
#include "tools/handoff/latency.h"
#include "tools/handoff/progress.h"

#define BENCH_IN_FLIGHT_MAX 1024
/* The correlation_id of every batch begins so: a target knows by it what it may end. */
#define BENCH_MARK "handoff-bench-"

/* --- benching_source.c ------------------------------------------------------------------------ */

/* A batch under way. Its place in the table stands in the last digits of its id. */
struct bench_place {
	char id[HANDOFF_ID_SIZE];
	int64_t sent_us;
	bool is_used, is_received, is_ended;
};

struct bench_source {
	struct connection connection;
	const char *to;
	uint64_t in_flight;			/* batches under way, at most */
	struct handoff_records *records;	/* owned; the same in each batch */
	char correlation_id[sizeof(BENCH_MARK) + HANDOFF_ID_SIZE];
	struct bench_place places[BENCH_IN_FLIGHT_MAX];
	size_t under_way;
	uint64_t sent, received, processed, rejected;	/* batches */
	int64_t news_us;			/* when something was processed last */
	struct latency received_us, processed_us;
	struct progress progress;
	int status;				/* to exit with, -1: all is well */
};

/* So many records of so many bytes in each batch; false after a complaint. */
bool bench_source_init(struct bench_source *s, const char *to, uint64_t in_flight,
    uint64_t records, uint64_t size);
void bench_source_finish(struct bench_source *s);
/* Sends as many as may be under way, `most` in all at most (0: no limit). */
void bench_source_send(struct bench_source *s, uint64_t most);
void bench_source_on_event(struct bench_source *s, const struct handoff_event *e);

/* --- benching_target.c ------------------------------------------------------------------------ */

struct bench_target {
	struct connection connection;
	const char *correlation_id;	/* of the source beside it; NULL: there is none */
	uint64_t processed, records, bytes;	/* the latter two: in those batches */
	int64_t first_us, last_us;	/* when the first and the last of them came */
	uint64_t left_behind;		/* of them: by an earlier run */
	bool has_foreign;		/* a batch came that is not of a bench */
};

void bench_target_on_event(struct bench_target *t, const struct handoff_event *e);

/* --- benching_report.c ------------------------------------------------------------------------ */

struct bench_report {
	double seconds;
	uint64_t batches, records, bytes;
	const struct latency *received_us, *processed_us;	/* NULL: not known on this side */
};

/* To standard output: lines for people, or one JSON document. */
void bench_report_print(const struct bench_report *r, bool as_json);

#endif
