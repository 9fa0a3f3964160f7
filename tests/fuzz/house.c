/* house.c - a whole broker in this process: the real store, core and sessions, without sockets */
#include "house.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "wires.h"

#define STORE_BYTES (UINT64_C(64) << 20)
#define PRISTINE_BYTES (256 * 1024)	/* all that a new store has used */
#define KEPT_BYTES (2 * 1024 * 1024)	/* and one with a few batches */
#define TURNS_MAX 64

static const struct module_settings modules[] = { { "ALPHA" }, { "BETA" }, { "GAMMA" } };

#define ROUTE(...)                                                                                 \
	{ .batch_size = 100, .flush_timeout_ms = 100, .ack_timeout_ms = 200,                       \
	  .process_timeout_ms = 1000, .retry_delay_ms = 50, .max_retries = 2,                      \
	  .backoff_multiplier = 2, .max_retry_delay_ms = 500, .queue_capacity = 24,                \
	  .queue_capacity_bytes = STORE_BYTES / 2, .stage_margin = 4,                              \
	  .dead_letter_capacity = 16, .dead_letter_capacity_bytes = STORE_BYTES / 4,               \
	  .confirm_timeout_ms = 2000, __VA_ARGS__ }
static const struct route_settings routes[ROUTE_COUNT] = {
	ROUTE(.name = "alpha-beta", .source = "ALPHA", .target = "BETA"),
	ROUTE(.name = "beta-gamma", .source = "BETA", .target = "GAMMA", .confirm = true),
};

static const struct core_settings settings = {
	.modules = modules,
	.module_count = sizeof modules / sizeof modules[0],
	.routes = routes,
	.route_count = ROUTE_COUNT,
	.max_in_flight_limit = MAX_IN_FLIGHT,
	.instances_per_module = 8,
	.reclaim_ms = 300,
	.outcome_retention_ms = 86400000,
	.dedupe_minimum_ms = 3600000,
	.history_size = STORE_BYTES / 4,
	.stage_reserve = STORE_BYTES / 16,
	.max_frame_bytes = FRAME_BYTES_MAX,
	.backpressure_high_watermark = 0.8,
	.backpressure_low_watermark = 0.3,
};

static const struct sessions_settings session_settings = {
	.max_frame_bytes = FRAME_BYTES_MAX,
	.max_assembly_bytes = 4 * FRAME_BYTES_MAX,
	.max_connections = WIRES_MAX,
	.max_module_connections = 6,
	.hello_timeout_ms = 1000,
	.write_timeout_ms = 3000,
	.rekey_records = 500,
	.rekey_bytes = 1 << 20,
};

/* --- the store -------------------------------------------------------------------------------- */

static const char *store_directory(void)
{
	static char path[320];

	snprintf(path, sizeof path, "%s/store", fuzz_directory());
	return path;
}

static void open_store(struct house *h)
{
	const struct store_options o = { .path = store_directory(), .size = STORE_BYTES };
	char why[512];

	must(store_open(&o, &h->store, why, sizeof why) == 0);
}

/* A preallocated store takes longer to make than an input to run: its first pages are put back. */
static uint8_t *pages;
static size_t pages_len;

static int open_pages(int flags)
{
	char path[400];
	int fd;

	snprintf(path, sizeof path, "%s/custody.mdb", store_directory());
	fd = open(path, flags | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

static void keep_pages(size_t n)
{
	int fd = open_pages(O_RDONLY);

	free(pages);
	pages = malloc(n);
	pages_len = n;
	must(pages != NULL && pread(fd, pages, n, 0) == (ssize_t)n);
	close(fd);
}

static void put_pages(void)
{
	int fd = open_pages(O_RDWR);

	char log[400];

	must(pwrite(fd, pages, pages_len, 0) == (ssize_t)pages_len);
	close(fd);
	snprintf(log, sizeof log, "%s/custody.redo", store_directory());
	must(truncate(log, 0) == 0);	/* an empty redo log is as a new one */
}

/* --- start and end ---------------------------------------------------------------------------- */

static void start(struct house *h)
{
	char why[512];

	open_store(h);
	if (h->now_ms < store_clock_ms(h->store))
		h->now_ms = store_clock_ms(h->store);
	h->core = core_create(h->store, &session_peer_ops, &settings, h->now_ms, ++h->starts, why,
	    sizeof why);
	must(h->core != NULL);
	h->sessions = sessions_create(NULL, h->core, h->store, &session_settings, h->starts);
	for (unsigned n = 0; n < ROUTE_COUNT; n++)
		h->routes[n] = store_route_number(h->store, routes[n].name);
	house_turn(h, DEATH_NONE);
}

void house_open(struct house *h)
{
	*h = (struct house){ .now_ms = 1000000 };
	if (pages == NULL) {
		open_store(h);
		store_close(h->store);
		keep_pages(PRISTINE_BYTES);
	}
	put_pages();
	start(h);
}

void house_keep(struct house *h)
{
	house_close(h);
	keep_pages(KEPT_BYTES);
	start(h);
}

void house_close(struct house *h)
{
	sessions_destroy(h->sessions);
	core_destroy(h->core);
	store_close(h->store);
}

void house_crash(struct house *h)
{
	house_close(h);
	start(h);
}

void house_restart(struct house *h)
{
	core_set_time(h->core, h->now_ms, h->now_ms, (int64_t)h->now_ms * 1000);
	sessions_set_time(h->sessions, h->now_ms);
	sessions_shut_down(h->sessions);
	house_turn(h, DEATH_NONE);
	house_crash(h);
}

const struct route *house_route(const struct house *h, unsigned n)
{
	return core_route(h->core, n);
}

/* --- the turn --------------------------------------------------------------------------------- */

void house_check(struct house *h)
{
	struct store_tally tally;
	char why[512] = "";

	core_check(h->core);
	if (store_check(h->store, &tally, why, sizeof why) != 0)
		broken(__FILE__, __LINE__, why);
	store_read_end(h->store);
}

static void take_operators(struct admin *a, uint64_t now_ms)
{
	admin_set_time(a, now_ms);
	admin_receive(a);
	admin_expire(a);
}

/* False: the broker is dead. */
static bool take_turn(struct house *h, enum death death, bool *more)
{
	wires_notify();
	core_set_time(h->core, h->now_ms, h->now_ms, (int64_t)h->now_ms * 1000);
	sessions_set_time(h->sessions, h->now_ms);
	if (h->admin != NULL)
		take_operators(h->admin, h->now_ms);
	sessions_receive(h->sessions);
	sessions_expire(h->sessions);
	*more = core_turn_close(h->core);
	if (death == DEATH_BEFORE_COMMIT)
		return false;
	must(!store_has_failed(h->store) && store_commit(h->store) == 0);
	if (death == DEATH_AFTER_COMMIT)
		return false;
	core_time_passed(h->core, h->now_ms, h->now_ms);
	wires_allow(true);
	sessions_settle(h->sessions);
	if (h->admin != NULL)
		admin_settle(h->admin);
	wires_allow(false);
	store_read_end(h->store);
	sessions_reap(h->sessions);
	if (h->admin != NULL)
		admin_reap(h->admin);
	must(!store_is_in_turn(h->store));
	*more |= sessions_have_pending(h->sessions) || core_has_pending(h->core);
	return true;
}

void house_turn(struct house *h, enum death death)
{
	bool more = true;

	for (unsigned n = 0; more; n++) {
		must(n < TURNS_MAX);	/* or it would never sleep again */
		if (take_turn(h, n == 0 ? death : DEATH_NONE, &more))
			continue;
		house_crash(h);
		return;
	}
	house_check(h);
}
