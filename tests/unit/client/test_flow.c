/* test_flow.c - back-pressure, pauses, confirmations and notices, without a connection */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "client/internal.h"

#define BATCH_ID "0190a1b2-c3d4-4e5f-8a6b-0123456789ab"
#define FRAME_BYTES 8192
#define WINDOW_BYTES 2048
#define DELAY_MS 250

static void welcome(struct handoff_client *c, bool is_active)
{
	struct welcome_route routes[] = {
		{ .name = span_of("alpha-beta"), .source_module = span_of("ALPHA"),
		  .target_module = span_of("BETA"), .retry_delay_ms = 100,
		  .backpressure_active = is_active },
		{ .name = span_of("beta-alpha"), .source_module = span_of("BETA"),
		  .target_module = span_of("ALPHA"), .backpressure_active = is_active },
	};
	const struct message_welcome w = { .routes = routes, .route_count = 2 };

	assert_true(routes_take(c, &w));
	flow_on_welcome(c, false);
}

/* ALPHA, that has been welcomed once, and has no connection now. */
static int set_up(void **state)
{
	struct handoff_options *o = handoff_options_create();
	struct handoff_client *c = calloc(1, sizeof(*c));

	digest_init();
	handoff_options_set_module(o, "ALPHA");
	handoff_options_set_window(o, 8, WINDOW_BYTES);
	c->options = o;
	c->state = HANDOFF_WAITING;
	c->max_frame_bytes = FRAME_BYTES;
	c->now_ms = 1000;
	TAILQ_INIT(&c->senders);
	TAILQ_INIT(&c->deliveries);
	TAILQ_INIT(&c->events);
	outbox_init(&c->outbox);
	confirmations_init(&c->confirmations);
	welcome(c, false);
	*state = c;
	return 0;
}

static int tear_down(void **state)
{
	handoff_close(*state);
	return 0;
}

static void signal_to(struct handoff_client *c, enum signal_type type, uint64_t delay_ms,
    const char *route)
{
	flow_on_signal(c, &(struct message_backpressure){
		.signal_type = type,
		.current_queue_depth = 9,
		.recommended_delay_ms = delay_ms,
		.route = span_of(route),
	});
}

/* The next event is BACKPRESSURE of alpha-beta, with this. */
static void assert_told(struct handoff_client *c, bool is_active, uint64_t delay_ms)
{
	const struct handoff_event *e = handoff_take_event(c);

	assert_non_null(e);
	assert_int_equal(e->type, HANDOFF_EVENT_BACKPRESSURE);
	assert_string_equal(e->route, "alpha-beta");
	assert_int_equal(e->backpressure.active, is_active);
	assert_int_equal(e->backpressure.delay_ms, delay_ms);
}

/* --- back-pressure --------------------------------------------------------------------------- */

static void each_change_is_told_once(void **state)
{
	struct handoff_client *c = *state;

	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "alpha-beta");
	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "alpha-beta");
	assert_told(c, true, DELAY_MS);
	assert_null(handoff_take_event(c));
	signal_to(c, SIGNAL_ACTIVATE, 2 * DELAY_MS, "alpha-beta");
	assert_told(c, true, 2 * DELAY_MS);
	signal_to(c, SIGNAL_DEACTIVATE, 0, "alpha-beta");
	signal_to(c, SIGNAL_DEACTIVATE, 0, "alpha-beta");
	assert_told(c, false, 0);
	assert_null(handoff_take_event(c));
}

static void a_route_of_others_is_not_ours_to_pace(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_backpressure b;

	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "beta-alpha");
	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "none");
	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "");
	assert_null(handoff_take_event(c));
	assert_false(handoff_route_backpressure(c, "beta-alpha", &b));
	assert_false(handoff_route_backpressure(c, "none", &b));
}

static void the_state_can_be_asked(void **state)
{
	struct handoff_client *c = *state;
	struct handoff_backpressure b;

	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "alpha-beta");
	assert_true(handoff_route_backpressure(c, "alpha-beta", &b));
	assert_true(b.active);
	assert_int_equal(b.queue_depth, 9);
	assert_int_equal(b.delay_ms, DELAY_MS);
	assert_true(handoff_route_by_name(c, "alpha-beta")->backpressure_active);
	signal_to(c, SIGNAL_DEACTIVATE, DELAY_MS, "alpha-beta");
	assert_false(handoff_route_by_name(c, "alpha-beta")->backpressure_active);
}

static void the_first_goes_at_once_and_the_next_after_the_delay(void **state)
{
	struct handoff_client *c = *state;
	struct route *r = route_find(c, "alpha-beta");

	assert_true(flow_may_go_at(r) <= c->now_ms);
	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "alpha-beta");
	assert_true(flow_may_go_at(r) <= c->now_ms);
	r->left_at_ms = c->now_ms;
	assert_int_equal(flow_may_go_at(r), c->now_ms + DELAY_MS);
	signal_to(c, SIGNAL_DEACTIVATE, 0, "alpha-beta");
	assert_true(flow_may_go_at(r) <= c->now_ms);
}

static void a_delay_has_a_limit(void **state)
{
	struct handoff_client *c = *state;

	signal_to(c, SIGNAL_ACTIVATE, INT64_MAX, "alpha-beta");
	assert_told(c, true, PACE_MAX_MS);
}

static void welcome_tells_the_state_and_keeps_the_delay(void **state)
{
	struct handoff_client *c = *state;
	struct route *r;

	signal_to(c, SIGNAL_ACTIVATE, DELAY_MS, "alpha-beta");
	assert_told(c, true, DELAY_MS);
	route_find(c, "alpha-beta")->left_at_ms = c->now_ms;
	welcome(c, true);
	assert_null(handoff_take_event(c));
	r = route_find(c, "alpha-beta");
	assert_int_equal(flow_may_go_at(r), c->now_ms + DELAY_MS);
	welcome(c, false);
	assert_told(c, false, 0);
	welcome(c, true);
	assert_non_null(handoff_take_event(c));
	assert_in_range(route_find(c, "alpha-beta")->pressure.delay_ms, 1, PACE_MAX_MS);
}

/* --- pauses ---------------------------------------------------------------------------------- */

static void only_routes_to_this_module_can_be_paused(void **state)
{
	struct handoff_client *c = *state;

	assert_int_equal(handoff_pause(c, "alpha-beta"), HANDOFF_NO_ROUTE);
	assert_int_equal(handoff_pause(c, "none"), HANDOFF_NO_ROUTE);
	assert_int_equal(handoff_resume(c, "none"), HANDOFF_NO_ROUTE);
	assert_int_equal(handoff_pause(c, "beta-alpha"), 0);
	assert_int_equal(handoff_pause(c, "beta-alpha"), 0);
	c->max_frame_bytes = 0;
	assert_int_equal(handoff_pause(c, "beta-alpha"), HANDOFF_NOT_CONNECTED);
	assert_int_equal(handoff_pause(c, NULL), 0);
	c->state = HANDOFF_ENDED;
	assert_int_equal(handoff_pause(c, NULL), HANDOFF_CLOSED);
}

static void a_pause_outlives_new_settings(void **state)
{
	struct handoff_client *c = *state;

	assert_int_equal(handoff_pause(c, "beta-alpha"), 0);
	assert_int_equal(handoff_pause(c, NULL), 0);
	assert_int_equal(handoff_resume(c, NULL), 0);
	welcome(c, false);
	assert_true(route_find(c, "beta-alpha")->is_paused);
	assert_false(c->is_paused);
	assert_int_equal(handoff_resume(c, "beta-alpha"), 0);
	assert_false(route_find(c, "beta-alpha")->is_paused);
}

/* --- confirmations --------------------------------------------------------------------------- */

static int confirm(struct handoff_client *c, const char *record_id)
{
	const struct handoff_record_result result = { .record_id = record_id,
						      .destination_id = "d" };

	return handoff_confirm(c, BATCH_ID, &result, 1);
}

static void what_is_no_confirmation_is_refused(void **state)
{
	struct handoff_client *c = *state;
	const struct handoff_record_result wrong[] = {
		{ .record_id = NULL, .destination_id = "d" },
		{ .record_id = NULL, .record_id_len = 1, .destination_id = "d" },
		{ .record_id = "", .destination_id = "d" },
		{ .record_id = "r", .destination_id = NULL },
		{ .record_id = "\xff", .destination_id = "d" },
		{ .record_id = "r", .destination_id = "\xff" },
		{ .record_id = "r", .destination_id = "d",
		  .status = (enum handoff_record_status)3 },
		{ .record_id = "r", .destination_id = "d", .time_us = -1 },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(handoff_confirm(c, BATCH_ID, &wrong[i], 1), HANDOFF_INVALID);
	assert_int_equal(handoff_confirm(c, BATCH_ID, NULL, 0), HANDOFF_INVALID);
	assert_int_equal(handoff_confirm(c, "1", &(struct handoff_record_result){
		.record_id = "r", .destination_id = "d" }, 1), HANDOFF_INVALID);
	assert_int_equal(c->confirmations.count, 0);
	assert_int_equal(c->confirmations.bytes, 0);
}

static void confirmations_wait_up_to_a_limit(void **state)
{
	struct handoff_client *c = *state;
	int count = 0;

	while (confirm(c, "r") == 0)
		assert_in_range(++count, 1, HANDOFF_CONFIRMATIONS_MAX);
	assert_int_equal(confirm(c, "r"), HANDOFF_AGAIN);
	assert_in_range(count, 2, WINDOW_BYTES);
	assert_true(c->confirmations.bytes <= WINDOW_BYTES);
	assert_int_equal(c->confirmations.count, count);
	/* None has been written: a lost connection changes nothing. */
	confirmations_on_lost(c);
	assert_int_equal(c->confirmations.count, count);
}

static void one_confirmation_may_always_wait_if_it_fits_into_a_frame(void **state)
{
	struct handoff_client *c = *state;
	char id[FRAME_BYTES];

	memset(id, 'x', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(confirm(c, id), HANDOFF_TOO_LARGE);
	id[WINDOW_BYTES + 1] = '\0';
	assert_int_equal(confirm(c, id), 0);
	assert_int_equal(confirm(c, "r"), HANDOFF_AGAIN);
}

static void a_draining_client_waits_for_its_confirmations(void **state)
{
	struct handoff_client *c = *state;

	assert_int_equal(confirm(c, "r"), 0);
	handoff_drain(c);
	assert_int_equal(handoff_state(c), HANDOFF_WAITING);
	assert_int_equal(handoff_end(c), HANDOFF_END_NONE);
	confirmations_destroy(c);
	client_settle(c);
	assert_int_equal(handoff_state(c), HANDOFF_ENDED);
	assert_int_equal(handoff_end(c), HANDOFF_END_DRAINED);
	assert_int_equal(confirm(c, "r"), HANDOFF_CLOSED);
}

/* --- notices --------------------------------------------------------------------------------- */

static void outcome(struct handoff_client *c, uint64_t notice)
{
	const struct message m = {
		.header.type = MESSAGE_ACKNOWLEDGMENT,
		.has_notice = true,
		.notice = notice,
		.ack = { .status = ACK_PROCESSED },
	};

	notice_on_outcome(c, &m);
}

static void a_notice_is_confirmed_when_the_next_event_is_asked_for(void **state)
{
	struct handoff_client *c = *state;

	outcome(c, 5);
	outcome(c, 6);
	assert_non_null(handoff_take_event(c));
	assert_int_equal(c->seen, 0);
	assert_non_null(handoff_take_event(c));
	assert_int_equal(c->seen, 5);
	assert_null(handoff_take_event(c));
	assert_int_equal(c->seen, 6);
}

static void a_notice_is_told_once(void **state)
{
	struct handoff_client *c = *state;

	outcome(c, 5);
	outcome(c, 5);
	assert_non_null(handoff_take_event(c));
	outcome(c, 5);
	assert_null(handoff_take_event(c));
	c->has_seen = false;		/* it has been said, and did not arrive */
	outcome(c, 5);
	assert_null(handoff_take_event(c));
	assert_true(c->has_seen);
}

static void a_notice_that_is_not_told_waits_for_those_before_it(void **state)
{
	struct handoff_client *c = *state;
	const struct message m = { .header.type = MESSAGE_SCHEDULE_NOTIFICATION,
				   .has_notice = true, .notice = 6 };

	outcome(c, 5);
	notice_pass_over(c, &m);
	assert_int_equal(c->seen, 0);
	assert_non_null(handoff_take_event(c));
	assert_int_equal(c->seen, 0);
	assert_null(handoff_take_event(c));
	assert_int_equal(c->seen, 6);
}

static void seen_is_due_within_a_second_of_a_connection(void **state)
{
	struct handoff_client *c = *state;

	outcome(c, 5);
	assert_non_null(handoff_take_event(c));
	assert_null(handoff_take_event(c));
	assert_int_equal(notices_due_ms(c), INT64_MAX);
	c->state = HANDOFF_CONNECTED;
	assert_in_range(notices_due_ms(c), c->now_ms, c->now_ms + 1000);
	c->has_said_draining = true;
	assert_int_equal(notices_due_ms(c), INT64_MAX);
	c->state = HANDOFF_WAITING;
}

static void results_are_held_up_to_a_limit(void **state)
{
	static char id[1 << 20];
	struct handoff_client *c = *state;
	const struct message_record_delivery result = {
		.record_id = { id, sizeof(id) }, .destination_id = span_of("d"),
	};
	const struct message m = {
		.header = { .type = MESSAGE_DELIVERY_CONFIRMATION,
			    .source_module = span_of("BETA") },
		.confirmation = { .results = &result, .result_count = 1 },
	};
	const struct handoff_event *e;
	int count = 0;

	memset(id, 'x', sizeof(id));
	for (; !events_are_full(c); count++)
		notice_on_confirmation(c, &m);
	assert_in_range(count, 2, 64);
	e = handoff_take_event(c);
	assert_false(events_are_full(c));
	assert_int_equal(e->type, HANDOFF_EVENT_CONFIRMATION);
	assert_string_equal(e->route, "alpha-beta");
	assert_int_equal(e->result_count, 1);
	assert_int_equal(e->results[0].record_id_len, sizeof(id));
	assert_int_equal(strlen(e->results[0].record_id), sizeof(id));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_change_is_told_once),
		TEST(a_route_of_others_is_not_ours_to_pace),
		TEST(the_state_can_be_asked),
		TEST(the_first_goes_at_once_and_the_next_after_the_delay),
		TEST(a_delay_has_a_limit),
		TEST(welcome_tells_the_state_and_keeps_the_delay),
		TEST(only_routes_to_this_module_can_be_paused),
		TEST(a_pause_outlives_new_settings),
		TEST(what_is_no_confirmation_is_refused),
		TEST(confirmations_wait_up_to_a_limit),
		TEST(one_confirmation_may_always_wait_if_it_fits_into_a_frame),
		TEST(a_draining_client_waits_for_its_confirmations),
		TEST(a_notice_is_confirmed_when_the_next_event_is_asked_for),
		TEST(a_notice_is_told_once),
		TEST(a_notice_that_is_not_told_waits_for_those_before_it),
		TEST(seen_is_due_within_a_second_of_a_connection),
		TEST(results_are_held_up_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
