/*
 * bench.c - handoff bench: how fast this broker hands over batches, measured from outside
 *
 *	look (is the route free?) ─► send, while it is time ─► wait for what is under way ─► drain
 *
 * It works on somebody's broker, which has other things to do: it sends only on the route that it
 * was given, takes only what a bench has sent, does not begin where other batches wait, and ends
 * when all of its own have ended, also after a signal.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "net/tls.h"
#include "tools/handoff/benching.h"
#include "tools/handoff/command.h"
#include "tools/handoff/options.h"
#include "tools/handoff/report.h"
#include "tools/handoff/signals.h"

#define LOOK_US 300000			/* batches of others would have come by then */
#define SECOND_US 1000000
#define BATCH_BYTES_MAX (64 * 1024 * 1024)	/* the broker's own limit is usually less */

enum stage { STAGE_LOOKING, STAGE_RUNNING, STAGE_ENDING, STAGE_DRAINING };

struct bench {
	struct bench_source source;
	struct bench_target target;
	bool is_source, is_target;
	enum stage stage;
	int64_t stage_us;		/* when it began */
	int64_t begun_us, ended_us;	/* of what is measured */
	bool is_robbed, is_given_up;
	int status;
};

static struct common common;
static struct {
	const char *to, *role, *target_cert, *target_key;
	uint64_t size, records, batches, seconds, in_flight, patience;
	bool as_json;
} options = { .role = "both", .size = 256, .records = 100, .in_flight = 64, .patience = 10 };

static const struct option bench_options[] = {
	{ "to", 't', OPTION_TEXT, &options.to, "NAME", "the module that takes the batches", 0, 0 },
	{ "role", 0, OPTION_TEXT, &options.role, "ROLE",
	  "source, target, or both (default), which needs a certificate of each", 0, 0 },
	{ "target-cert", 0, OPTION_TEXT, &options.target_cert, "FILE",
	  "the target's certificate; default: in --certs DIR", 0, 0 },
	{ "target-key", 0, OPTION_TEXT, &options.target_key, "FILE", "its private key", 0, 0 },
	{ "size", 's', OPTION_NUMBER, &options.size, "BYTES", "of a record's data; default 256", 1,
	  8 * 1024 * 1024 },
	{ "records", 'r', OPTION_NUMBER, &options.records, "N", "in a batch; default 100", 1, 65535 },
	{ "batches", 'n', OPTION_NUMBER, &options.batches, "N", "end after so many", 1, UINT32_MAX },
	{ "seconds", 0, OPTION_NUMBER, &options.seconds, "N",
	  "begin none after so long; default 10, of a target: until a signal", 1, 86400 },
	{ "in-flight", 0, OPTION_NUMBER, &options.in_flight, "N",
	  "batches under way at a time; default 64", 1, BENCH_IN_FLIGHT_MAX },
	{ "patience", 0, OPTION_NUMBER, &options.patience, "N",
	  "give up when nothing was processed for so many seconds; default 10", 1, 86400 },
	{ "json", 0, OPTION_FLAG, &options.as_json, NULL, "print one JSON document", 0, 0 },
	{ 0 },
};

static const struct usage usage = {
	.synopsis = "handoff bench --module NAME --to NAME [OPTION]...",
	.about = "Measures how fast the broker hands over batches, with batches of its own, from one\n"
		 "module to another. No other consumer of the target may be connected: it would get\n"
		 "them. SIGINT ends it when what is under way has ended.\n",
	.options = bench_options,
	.common = &common,
};

/* --- stages ----------------------------------------------------------------------------------- */

static void enter(struct bench *b, enum stage stage)
{
	b->stage = stage;
	b->stage_us = clock_monotonic_us();
}

static void fail(struct bench *b, int status)
{
	if (b->status == STATUS_OK)
		b->status = status;
}

static void tell_what_stays(const struct bench *b)
{
	if (b->is_source && b->source.under_way > 0)
		complain("%zu batches may still be in custody for %s; handoff bench --role target "
			 "takes them", b->source.under_way, options.to);
}

static bool is_connected(const struct bench *b)
{
	return (!b->is_source || b->source.connection.was_connected) &&
	       (!b->is_target || b->target.connection.was_connected);
}

/* Nothing of ours has been sent: the only moment at which to find out is for free. */
static void look(struct bench *b)
{
	if (!is_connected(b)) {
		b->stage_us = clock_monotonic_us();
		return;
	}
	if (b->is_source &&
	    handoff_route_between(b->source.connection.client, NULL, options.to) == NULL) {
		complain("the broker has no route from %s to %s", common.module, options.to);
		fail(b, STATUS_CONFIG);
		enter(b, STAGE_ENDING);
	} else if (b->target.has_foreign) {
		fail(b, STATUS_FAILED);
		enter(b, STAGE_ENDING);
	} else if (!b->is_source || !b->is_target ||
		   clock_monotonic_us() - b->stage_us >= LOOK_US) {
		progress_init(&b->source.progress);
		enter(b, STAGE_RUNNING);
		b->begun_us = b->stage_us;
	}
}

static bool is_time_over(const struct bench *b)
{
	return options.seconds > 0 &&
	       clock_monotonic_us() - b->begun_us >= (int64_t)options.seconds * SECOND_US;
}

static bool has_all(const struct bench *b)
{
	return options.batches > 0 &&
	       (b->is_source ? b->source.sent : b->target.processed) >= options.batches;
}

/* A first batch goes alone: where nobody takes it, or somebody else does, it is the only one. */
static void run_on(struct bench *b)
{
	if (b->target.has_foreign)
		fail(b, STATUS_FAILED);
	if (b->status != STATUS_OK || b->source.status >= 0 || signals_stop_count() > 0 ||
	    is_time_over(b) || has_all(b))
		enter(b, STAGE_ENDING);
	else if (b->is_source)
		bench_source_send(&b->source, b->source.processed == 0 ? 1 : options.batches);
}

/* A bench that has a target of its own, and its batches are processed elsewhere. */
static void watch_for_others(struct bench *b)
{
	if (b->is_robbed || !b->is_source || !b->is_target ||
	    b->source.processed <= b->target.processed - b->target.left_behind)
		return;
	complain("another consumer of %s takes batches of this bench: none may be connected "
		 "meanwhile", options.to);
	b->is_robbed = true;
	fail(b, STATUS_FAILED);
}

static void watch_for_standstill(struct bench *b)
{
	if (b->stage == STAGE_DRAINING || !b->is_source || b->source.under_way == 0 ||
	    clock_monotonic_us() - b->source.news_us < (int64_t)options.patience * SECOND_US)
		return;
	complain("nothing was processed for %" PRIu64 " s: %s", options.patience, b->is_target ?
		 "the broker does not deliver, or cannot be reached" :
		 "is there a consumer? handoff bench --role target is one");
	fail(b, STATUS_UNAVAILABLE);
	b->is_given_up = true;
	b->ended_us = clock_monotonic_us();
}

static void proceed(struct bench *b)
{
	if (b->source.status >= 0)
		fail(b, b->source.status);
	watch_for_others(b);
	if (b->stage == STAGE_LOOKING)
		look(b);
	if (b->stage == STAGE_RUNNING)
		run_on(b);
	watch_for_standstill(b);
	if (b->stage == STAGE_LOOKING && signals_stop_count() > 0)
		enter(b, STAGE_ENDING);
	if (b->stage == STAGE_ENDING && b->source.under_way == 0)
		enter(b, STAGE_DRAINING);
	if (b->stage != STAGE_DRAINING || b->ended_us > 0)
		return;
	b->ended_us = clock_monotonic_us();
	if (b->is_source)
		connection_drain(&b->source.connection);
	if (b->is_target)
		connection_drain(&b->target.connection);
}

/* --- the loop --------------------------------------------------------------------------------- */

static bool take_events(struct bench *b)
{
	const struct handoff_event *e;
	bool any = false;

	while (b->is_source && (e = handoff_take_event(b->source.connection.client)) != NULL) {
		bench_source_on_event(&b->source, e);
		any = true;
	}
	while (b->is_target && (e = handoff_take_event(b->target.connection.client)) != NULL) {
		bench_target_on_event(&b->target, e);
		any = true;
	}
	return any;
}

static int shorter(int a, int b)
{
	return b >= 0 && (a < 0 || b < a) ? b : a;
}

/* Until something has to be looked at that no client tells. */
static int until_due_ms(struct bench *b)
{
	int ms = 1000;

	b->source.progress.waiting = b->source.under_way;
	if (b->stage == STAGE_LOOKING)
		ms = LOOK_US / 1000 / 10;
	if (b->stage == STAGE_RUNNING && options.seconds > 0)
		ms = shorter(ms, (int)((b->begun_us + (int64_t)options.seconds * SECOND_US -
					clock_monotonic_us()) / 1000) + 1);
	return b->is_source && b->stage >= STAGE_RUNNING ?
	    shorter(ms, progress_show(&b->source.progress)) : ms;
}

static void wait_for_news(struct bench *b)
{
	struct handoff_client *t = b->is_target ? b->target.connection.client : NULL;
	struct connection *first = b->is_source ? &b->source.connection : &b->target.connection;
	const bool has_second = b->is_source && b->is_target;
	const unsigned wants = has_second ? handoff_wants(t) : 0;
	struct pollfd second = { .fd = wants != 0 ? handoff_fd(t) : -1 };
	int timeout_ms = until_due_ms(b);

	if ((wants & HANDOFF_READABLE) != 0)
		second.events |= POLLIN;
	if ((wants & HANDOFF_WRITABLE) != 0)
		second.events |= POLLOUT;
	if (has_second)
		timeout_ms = shorter(timeout_ms, handoff_next_timeout_ms(t));
	connection_wait(first, &second, has_second, timeout_ms, signals_mask());
	if (has_second)
		handoff_ready(t, ((second.revents & (POLLIN | POLLHUP | POLLERR)) != 0 ?
				  HANDOFF_READABLE : 0) |
				 ((second.revents & POLLOUT) != 0 ? HANDOFF_WRITABLE : 0));
}

/* -1: go on; STATUS_OK: all connections have been drained. */
static int connections_status(const struct bench *b)
{
	const int source = b->is_source ? connection_status(&b->source.connection) : STATUS_OK;
	const int target = b->is_target ? connection_status(&b->target.connection) : STATUS_OK;

	if (source > STATUS_OK)
		return source;
	if (target > STATUS_OK)
		return target;
	return source < 0 || target < 0 ? -1 : STATUS_OK;
}

static int run(struct bench *b)
{
	for (;;) {
		const bool any = take_events(b);
		const int status = connections_status(b);

		if (status >= 0)
			return b->status != STATUS_OK ? b->status : status;
		if (signals_stop_count() > 1)
			return STATUS_FAILED;
		proceed(b);
		if (b->is_given_up)
			return b->status;
		/* What was done may have events of its own: none may be left while we wait. */
		if (!any && !take_events(b))
			wait_for_news(b);
	}
}

/* --- the command ------------------------------------------------------------------------------ */

static int check_options(struct bench *b)
{
	b->is_source = strcmp(options.role, "target") != 0;
	b->is_target = strcmp(options.role, "source") != 0;
	if (strcmp(options.role, "both") != 0 && b->is_source && b->is_target) {
		complain("--role is source, target or both, not \"%s\"", options.role);
		return STATUS_USAGE;
	}
	if (b->is_source && (common.module == NULL || options.to == NULL)) {
		complain("--module and --to are needed: who sends, and to whom");
		return STATUS_USAGE;
	}
	if (options.records * options.size > BATCH_BYTES_MAX) {
		complain("--records of --size are more than %d MiB, which no frame may have",
			 BATCH_BYTES_MAX / 1024 / 1024);
		return STATUS_USAGE;
	}
	if (b->is_source && b->is_target && common.certs == NULL &&
	    (options.target_cert == NULL || options.target_key == NULL)) {
		complain("the target's certificate is missing: give --certs DIR, or --target-cert and "
			 "--target-key, or measure with --role source and --role target");
		return STATUS_USAGE;
	}
	if (b->is_source && options.seconds == 0 && options.batches == 0)
		options.seconds = 10;
	return -1;
}

static int open_target(struct bench *b)
{
	const struct connection_wishes wishes = {
		.max_in_flight = (unsigned)options.in_flight,
	};
	struct common as_target = common;

	if (b->is_source) {
		as_target.module = options.to;
		as_target.cert = options.target_cert;
		as_target.key = options.target_key;
		as_target.instance = NULL;
		b->target.correlation_id = b->source.correlation_id;
	}
	return connection_open(&b->target.connection, &as_target, &wishes);
}

static int open_source(struct bench *b)
{
	const struct connection_wishes wishes = {
		.mailbox = true,
		.window = (unsigned)options.in_flight,
	};

	tell("sending batches of %" PRIu64 " records of %" PRIu64 " bytes, %" PRIu64 " at a time, "
	     "from %s to %s", options.records, options.size, options.in_flight, common.module,
	     options.to);
	return connection_open(&b->source.connection, &common, &wishes);
}

static void print_report(const struct bench *b)
{
	struct bench_report r = {
		.seconds = (double)(b->ended_us - b->begun_us) / SECOND_US,
		.batches = b->target.processed,
		.records = b->target.records,
		.bytes = b->target.bytes,
	};

	if (b->is_source) {
		r.batches = b->source.progress.batches;
		r.records = b->source.progress.records;
		r.bytes = b->source.progress.bytes;
		r.received_us = &b->source.received_us;
		r.processed_us = &b->source.processed_us;
	}
	if (!b->is_source)
		r.seconds = (double)(b->target.last_us - b->target.first_us) / SECOND_US;
	if (b->ended_us > 0 && r.batches > 0)
		bench_report_print(&r, options.as_json);
	if (b->target.left_behind > 0)
		tell("processed %" PRIu64 " batches that an earlier bench had left behind",
		     b->target.left_behind);
}

static int measure(struct bench *b)
{
	int status = -1;

	if (b->is_source && !bench_source_init(&b->source, options.to, options.in_flight,
					       options.records, options.size))
		return STATUS_SYSTEM;
	if (b->is_target)
		status = open_target(b);
	if (status < 0 && b->is_source)
		status = open_source(b);
	if (status >= 0)
		return status;
	enter(b, STAGE_LOOKING);
	status = run(b);
	report_progress("");
	print_report(b);
	tell_what_stays(b);
	return status;
}

int cmd_bench(int argc, char **argv)
{
	struct bench *b = calloc(1, sizeof(*b));
	int status;

	if (b == NULL)
		return STATUS_SYSTEM;
	b->source.status = -1;
	status = options_read(&usage, argc, argv, NULL, NULL);
	if (status < 0)
		status = check_options(b);
	if (status < 0) {
		tls_init();
		signals_catch();
		status = measure(b);
	}
	connection_close(&b->source.connection);
	connection_close(&b->target.connection);
	bench_source_finish(&b->source);
	free(b);
	return status;
}
