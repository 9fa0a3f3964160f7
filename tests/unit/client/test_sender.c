/* test_sender.c - when records become batches, and what the window holds back */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "client/internal.h"

#define RECORD "\x81\xa9record_id\xa1x"
#define CRITICAL_RECORD "\x82\xa9record_id\xa1x\xa8priority\xa8""CRITICAL"
#define BATCH_SIZE 3
#define FLUSH_TIMEOUT_MS 5000
#define WINDOW_BATCHES 2

/* A client that has been welcomed once, and has no connection now. */
static int set_up(void **state)
{
	struct handoff_options *o = handoff_options_create();
	struct handoff_client *c = calloc(1, sizeof(*c));
	struct welcome_route route = {
		.name = span_of("alpha-beta"),
		.source_module = span_of("ALPHA"),
		.target_module = span_of("BETA"),
		.batch_size = BATCH_SIZE,
		.flush_timeout_ms = FLUSH_TIMEOUT_MS,
		.retry_delay_ms = 100,
		.backoff_multiplier = 2,
		.last_sequence_number = 7,
	};
	const struct message_welcome welcome = { .routes = &route, .route_count = 1 };

	digest_init();
	handoff_options_set_module(o, "ALPHA");
	handoff_options_set_window(o, WINDOW_BATCHES, 1 << 20);
	c->options = o;
	c->state = HANDOFF_WAITING;
	c->max_frame_bytes = 8192;
	TAILQ_INIT(&c->senders);
	TAILQ_INIT(&c->deliveries);
	TAILQ_INIT(&c->events);
	outbox_init(&c->outbox);
	assert_true(routes_take(c, &welcome));
	*state = c;
	return 0;
}

static int tear_down(void **state)
{
	handoff_close(*state);
	return 0;
}

static struct handoff_sender *open_sender(struct handoff_client *c)
{
	struct handoff_sender *s, *again;

	assert_int_equal(handoff_sender_open(c, "GAMMA", &s), HANDOFF_NO_ROUTE);
	assert_int_equal(handoff_sender_open(c, "BETA", &s), 0);
	assert_int_equal(handoff_sender_open(c, "BETA", &again), 0);
	assert_ptr_equal(s, again);
	return s;
}

static int add(struct handoff_sender *s)
{
	return handoff_sender_add(s, RECORD, sizeof(RECORD) - 1);
}

static void a_batch_goes_when_it_is_full(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_sender *s = open_sender(c);
	const struct outgoing *o;

	for (int i = 0; i < BATCH_SIZE - 1; i++)
		assert_int_equal(add(s), 0);
	assert_int_equal(handoff_unacknowledged(c), 0);
	assert_int_equal(handoff_gathered(c), BATCH_SIZE - 1);
	assert_int_equal(add(s), 0);
	assert_int_equal(handoff_unacknowledged(c), 1);
	assert_int_equal(handoff_gathered(c), 0);
	o = TAILQ_FIRST(&c->outbox.waiting);
	assert_int_equal(o->out.record_count, BATCH_SIZE);
	assert_int_equal(o->out.sequence_number, 8);
	assert_int_equal(o->out.priority, PRIORITY_NORMAL);
	assert_true(o->out.with_validation_summary);
	assert_int_equal(handoff_route_by_name(c, "alpha-beta")->last_sequence_number, 8);
}

static void a_critical_record_goes_at_once(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_sender *s = open_sender(c);

	assert_int_equal(add(s), 0);
	assert_int_equal(handoff_sender_add(s, CRITICAL_RECORD, sizeof(CRITICAL_RECORD) - 1), 0);
	assert_int_equal(handoff_unacknowledged(c), 1);
	assert_int_equal(TAILQ_FIRST(&c->outbox.waiting)->out.priority, PRIORITY_CRITICAL);
	for (int i = 0; i < BATCH_SIZE; i++)
		assert_int_equal(add(s), 0);
	assert_int_equal(TAILQ_LAST(&c->outbox.waiting, outgoing_list)->out.priority,
			 PRIORITY_NORMAL);
}

static void a_batch_goes_when_its_first_record_has_waited_long_enough(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_sender *s = open_sender(c);

	assert_int_equal(senders_due_ms(c), INT64_MAX);
	assert_int_equal(add(s), 0);
	assert_int_equal(senders_due_ms(c), c->now_ms + FLUSH_TIMEOUT_MS);
	c->now_ms += FLUSH_TIMEOUT_MS - 1;
	senders_proceed(c);
	assert_int_equal(handoff_unacknowledged(c), 0);
	c->now_ms++;
	senders_proceed(c);
	assert_int_equal(handoff_unacknowledged(c), 1);
	assert_int_equal(senders_due_ms(c), INT64_MAX);
}

static void a_full_window_holds_records_back(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_sender *s = open_sender(c);

	/* The window, and one batch more that waits for it. */
	for (int i = 0; i < (WINDOW_BATCHES + 1) * BATCH_SIZE; i++)
		assert_int_equal(add(s), 0);
	assert_int_equal(add(s), HANDOFF_AGAIN);
	assert_int_equal(handoff_unacknowledged(c), WINDOW_BATCHES);
	assert_int_equal(handoff_gathered(c), BATCH_SIZE);
	assert_int_equal(handoff_sender_flush(s), HANDOFF_AGAIN);
}

static void a_batch_never_exceeds_the_brokers_frame(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_sender *s = open_sender(c);
	char record[8192] = "\x82\xa9record_id\xa1x\xa1z\xda\x0c\x00";
	const size_t head = 18, len = head + 0x0c00;

	assert_int_equal(handoff_sender_add(s, record, len), 0);
	assert_int_equal(handoff_sender_add(s, record, len), 0);
	assert_int_equal(handoff_unacknowledged(c), 1);
	assert_int_equal(handoff_gathered(c), 1);
	record[16] = 0x10;
	assert_int_equal(handoff_sender_add(s, record, head + 0x1000), HANDOFF_TOO_LARGE);
	assert_int_equal(handoff_gathered(c), 1);
}

static void a_finished_batch_keeps_the_callers_id_and_number(void **state)
{
	struct handoff_client *c = *state;
	char id[HANDOFF_ID_SIZE];
	const struct handoff_batch batch = {
		.target_module = "BETA",
		.batch_id = "0190A1B2-c3d4-4e5f-8a6b-0123456789ab",
		.sequence_number = 5,
		.records = "\x91" RECORD,
		.records_bytes = sizeof(RECORD),
	};

	assert_int_equal(handoff_send_batch(c, &batch, id), 0);
	assert_string_equal(id, "0190a1b2-c3d4-4e5f-8a6b-0123456789ab");
	assert_int_equal(TAILQ_FIRST(&c->outbox.waiting)->out.sequence_number, 5);
	assert_int_equal(handoff_route_by_name(c, "alpha-beta")->last_sequence_number, 7);
}

static void what_is_no_batch_is_refused(void **state)
{
	struct handoff_client *c = *state;
	const struct handoff_batch wrong[] = {
		{ .target_module = NULL, .records = "\x91\x80", .records_bytes = 2 },
		{ .target_module = "BETA", .records = NULL },
		{ .target_module = "BETA", .records = "\x90", .records_bytes = 1 },
		{ .target_module = "BETA", .records = "\x91", .records_bytes = 1 },
		{ .target_module = "BETA", .records = "\x91\x80\x80", .records_bytes = 3 },
		{ .target_module = "BETA", .records = "\x81\x01\x02", .records_bytes = 3 },
		{ .target_module = "BETA", .records = "\x91\x80", .records_bytes = 2,
		  .batch_id = "1" },
		{ .target_module = "BETA", .records = "\x91\x80", .records_bytes = 2,
		  .correlation_id = "" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(handoff_send_batch(c, &wrong[i], NULL), HANDOFF_INVALID);
	assert_int_equal(handoff_unacknowledged(c), 0);
}

static void a_draining_client_takes_nothing_new(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_sender *s = open_sender(c);

	assert_int_equal(add(s), 0);
	handoff_drain(c);
	assert_int_equal(handoff_unacknowledged(c), 1);
	assert_int_equal(add(s), HANDOFF_CLOSED);
	assert_int_equal(handoff_sender_open(c, "BETA", &s), HANDOFF_CLOSED);
}

static void retry_delays_grow_to_a_limit(void **state)
{
	struct handoff_client *c = *state;
	const struct route *r = route_find(c, "alpha-beta");

	for (unsigned n = 1; n <= 100; n++) {
		const int64_t delay = route_retry_delay_ms(r, n);
		const int64_t least = n <= 6 ? 100 << (n - 1) : 5000;

		assert_in_range(delay, least, least + least / 10);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_batch_goes_when_it_is_full),
		TEST(a_critical_record_goes_at_once),
		TEST(a_batch_goes_when_its_first_record_has_waited_long_enough),
		TEST(a_full_window_holds_records_back),
		TEST(a_batch_never_exceeds_the_brokers_frame),
		TEST(a_finished_batch_keeps_the_callers_id_and_number),
		TEST(what_is_no_batch_is_refused),
		TEST(a_draining_client_takes_nothing_new),
		TEST(retry_delays_grow_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
