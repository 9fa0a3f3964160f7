/* test_decode.c - good messages, and what they become */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "messages.h"
#include "notation.h"
#include "wire/decode.h"
#include "wire/mpcheck.h"

struct fixture {
	struct decoder *broker;
	struct decoder *client;
	struct buf body;
	struct message m;
	struct fault f;
};

static int set_up(void **state)
{
	static struct fixture fx;

	fx.broker = decoder_create(DECODE_AT_BROKER);
	fx.client = decoder_create(DECODE_AT_CLIENT);
	buf_init(&fx.body, 0);
	*state = &fx;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fx = *state;

	decoder_destroy(fx->broker);
	decoder_destroy(fx->client);
	decoder_destroy(NULL);
	buf_finish(&fx->body);
	return 0;
}

static void decode_body(struct fixture *fx, struct decoder *d)
{
	int rc = message_decode(d, buf_bytes(&fx->body), fx->body.len, &fx->m, &fx->f);

	if (rc != 0)
		fail_msg("%s: expected %s, found %s", fx->f.field_name, fx->f.expected,
		    fx->f.actual);
	assert_int_equal(fx->f.code, INT_NONE);
}

static void decode_text(struct fixture *fx, struct decoder *d, const char *text)
{
	buf_clear(&fx->body);
	notation_encode(&fx->body, text);
	decode_body(fx, d);
}

static void assert_uuid(const struct uuid *u, const char *text)
{
	char found[UUID_TEXT_LEN + 1];

	uuid_format(u, found);
	assert_string_equal(found, text);
}

static void assert_span(struct span s, const char *text)
{
	assert_non_null(s.p);
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

/* The bytes of the item at a path of the body. */
static void assert_raw(const struct fixture *fx, struct span raw, const char *path)
{
	struct notation_place place = notation_find(&fx->body, path);

	assert_ptr_equal(raw.p, buf_bytes(&fx->body) + place.value);
	assert_int_equal(raw.n, place.end - place.value);
}

static void hello_is_read(void **state)
{
	struct fixture *fx = *state;
	const struct message *m = &fx->m;

	decode_text(fx, fx->broker, hello_text);
	assert_int_equal(m->header.type, MESSAGE_HELLO);
	assert_true(m->header.has_message_id);
	assert_uuid(&m->header.message_id, MESSAGE_ID);
	assert_true(m->header.has_correlation_id);
	assert_span(m->header.correlation_id, "c-1");
	assert_span(m->header.source_module, "ALPHA");
	assert_span(m->header.target_module, "BROKER");
	assert_span(m->header.type_text, "HELLO");
	assert_true(m->header.timestamp_us == DATETIME_US);
	assert_int_equal(m->header.major, 1);
	assert_false(m->has_in_reply_to);
	assert_false(m->has_notice);
	assert_true(m->has_seen);
	assert_int_equal(m->seen, 41);
	assert_span(m->hello.instance_id, "alpha-1");
	assert_int_equal(m->hello.max_in_flight, 16);
	assert_false(m->hello.mailbox);
	assert_true(m->hello.has_broker_id);
	assert_uuid(&m->hello.broker_id, OTHER_ID);
	assert_int_equal(m->hello.hold_count, 2);
	assert_int_equal(m->hello.holds[0], 5);
	assert_int_equal(m->hello.holds[1], 7);
	assert_span(m->hello.client, "test 1.0");
}

static void what_hello_leaves_out_has_its_default(void **state)
{
	struct fixture *fx = *state;
	const struct message_hello *h = &fx->m.hello;

	decode_text(fx, fx->broker, "{" HEADER("ALPHA", "BROKER", "HELLO")
	    ", 'instance_id': 'a', 'max_in_flight': 0, 'mailbox': nil, 'holds': []}");
	assert_true(h->mailbox);
	assert_false(h->has_broker_id);
	assert_int_equal(h->max_in_flight, 0);
	assert_int_equal(h->hold_count, 0);
	assert_null(h->client.p);
	assert_false(fx->m.has_seen);
}

static void welcome_is_read_by_a_client(void **state)
{
	struct fixture *fx = *state;
	const struct message_welcome *w = &fx->m.welcome;
	const struct welcome_route *r;

	decode_text(fx, fx->client, welcome_text);
	assert_int_equal(fx->m.header.type, MESSAGE_WELCOME);
	assert_true(fx->m.has_in_reply_to);
	assert_uuid(&fx->m.in_reply_to, OTHER_ID);
	assert_span(w->broker, "handoffd 0.1");
	assert_uuid(&w->broker_id, OTHER_ID);
	assert_span(w->instance_id, "alpha-1");
	assert_int_equal(w->max_in_flight, 16);
	assert_int_equal(w->max_frame_bytes, 8388608);
	assert_int_equal(w->route_count, 1);
	r = &w->routes[0];
	assert_span(r->name, "alpha-beta");
	assert_span(r->source_module, "ALPHA");
	assert_span(r->target_module, "BETA");
	assert_int_equal(r->batch_size, 1000);
	assert_int_equal(r->flush_timeout_ms, 5000);
	assert_int_equal(r->ack_timeout_ms, 30000);
	assert_int_equal(r->process_timeout_ms, 300000);
	assert_int_equal(r->retry_delay_ms, 1000);
	assert_int_equal(r->max_retries, 5);
	assert_true(r->backoff_multiplier == 2.0);
	assert_true(r->backpressure_active);
	assert_int_equal(r->last_sequence_number, 12);
	/* The broker knows the type, and leaves its body alone. */
	decode_text(fx, fx->broker, "{" HEADER("ALPHA", "BROKER", "WELCOME") ", 'routes': 5}");
	assert_int_equal(fx->m.header.type, MESSAGE_WELCOME);
}

static void goodbye_is_read(void **state)
{
	struct fixture *fx = *state;

	decode_text(fx, fx->broker, goodbye_text);
	assert_int_equal(fx->m.header.type, MESSAGE_GOODBYE);
	assert_int_equal(fx->m.goodbye.reason, GOODBYE_DRAINING);
	assert_int_equal(fx->m.goodbye.reconnect_delay_ms, 250);
	assert_span(fx->m.goodbye.message, "see you");
}

static void assert_error(const struct fixture *fx, const struct message_error *e, const char *path)
{
	assert_uuid(&e->error_id, OTHER_ID);
	assert_int_equal(e->severity, SEVERITY_ERROR);
	assert_int_equal(e->recoverability, RECOVERABILITY_TRANSIENT);
	assert_int_equal(e->scope, SCOPE_RECORD);
	assert_true(e->retry_eligible);
	assert_span(e->error_code, "INT_BETA_001");
	assert_span(e->error_message, "no luck");
	assert_span(e->correlation_id, "c-1");
	assert_span(e->record_id, "r-1");
	assert_span(e->field_name, "data.x");
	assert_span(e->expected_value, "a");
	assert_span(e->actual_value, "b");
	assert_raw(fx, e->raw, path);
}

static void batch_is_read(void **state)
{
	struct fixture *fx = *state;
	const struct message_batch *b = &fx->m.batch;
	char checksum[SHA256_HEX_LEN + 1];

	decode_text(fx, fx->broker, batch_text);
	assert_int_equal(fx->m.header.type, MESSAGE_BATCH_TRANSFER);
	assert_true(b->has_batch_id);
	assert_uuid(&b->batch_id, BATCH_ID);
	assert_int_equal(b->sequence_number, 9);
	assert_int_equal(b->record_count, 3);
	hex_format(b->checksum, sizeof(b->checksum), checksum);
	assert_string_equal(checksum, CHECKSUM);
	assert_true(b->created_at_us == DATETIME_US);
	assert_int_equal(b->records.n, 4);
	assert_memory_equal(b->records.p, "\x93\xc0\xc0\xc0", 4);
	/* Not copied. */
	assert_ptr_equal(b->records.p, buf_bytes(&fx->body) + fx->body.len - 4);
	assert_int_equal(b->priority, PRIORITY_CRITICAL);
	assert_true(b->has_validation_summary);
	assert_true(b->has_transformation_summary);
	assert_true(b->has_quality_summary);
	assert_raw(fx, b->error_summary, "error_summary");
	assert_int_equal(b->complete_count, 2);
	assert_uuid(&b->completes[0].batch_id, BATCH_ID);
	assert_int_equal(b->completes[0].status, ACK_PROCESSED);
	assert_int_equal(b->completes[0].records_accepted, 2);
	assert_int_equal(b->completes[0].records_rejected, 1);
	assert_int_equal(b->completes[0].processing_duration_ms, 17);
	assert_int_equal(b->completes[0].lease, 5);
	assert_int_equal(b->completes[0].error_count, 1);
	assert_raw(fx, b->completes[0].errors_raw, "completes.0.errors");
	assert_error(fx, &b->completes[0].errors[0], "completes.0.errors.0");
	assert_int_equal(b->completes[1].lease, 4);
	assert_int_equal(b->completes[1].error_count, 0);
	assert_null(b->completes[1].errors_raw.p);
	assert_false(b->has_delivery);
}

static void what_a_batch_leaves_out_has_its_default(void **state)
{
	struct fixture *fx = *state;
	const struct message_batch *b = &fx->m.batch;

	decode_text(fx, fx->broker, "{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") ","
	    " 'records': <>, 'priority': nil, 'validation_summary': nil, 'completes': [],"
	    " 'metadata': {'record_count': 1, 'sequence_number': 0, 'created_at':"
	    " '2024-02-29T23:59:59Z', 'checksum': '" CHECKSUM "', 'batch_id':"
	    " 'AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE'}}");
	assert_uuid(&b->batch_id, BATCH_ID);
	assert_int_equal(b->priority, PRIORITY_NORMAL);
	assert_false(b->has_validation_summary);
	assert_false(b->has_transformation_summary);
	assert_false(b->has_quality_summary);
	assert_null(b->error_summary.p);
	assert_int_equal(b->complete_count, 0);
	assert_int_equal(b->records.n, 0);
	assert_non_null(b->records.p);
}

static void a_delivery_is_read_by_a_client(void **state)
{
	struct fixture *fx = *state;
	const struct message_batch *b = &fx->m.batch;

	decode_text(fx, fx->client, delivery_text);
	assert_true(b->has_delivery);
	assert_uuid(&b->batch_id, BATCH_ID);
	assert_span(b->delivery_route, "alpha-beta");
	assert_int_equal(b->delivery_attempt, 2);
	assert_true(b->delivery_redelivered);
	assert_int_equal(b->delivery_lease, 77);
	assert_true(b->delivery_received_at_us == DATETIME_US);
}

static void acknowledgments_are_read_on_both_sides(void **state)
{
	struct fixture *fx = *state;
	const struct message_ack *a = &fx->m.ack;

	decode_text(fx, fx->broker, ack_text);
	assert_int_equal(fx->m.header.type, MESSAGE_ACKNOWLEDGMENT);
	assert_true(a->has_batch_id);
	assert_uuid(&a->batch_id, BATCH_ID);
	assert_int_equal(a->status, ACK_REJECTED);
	assert_int_equal(a->records_accepted, 2);
	assert_int_equal(a->records_rejected, 1);
	assert_int_equal(a->processing_duration_ms, 17);
	assert_true(a->has_lease);
	assert_int_equal(a->lease, 5);
	assert_int_equal(a->error_count, 1);
	assert_raw(fx, a->errors_raw, "errors");
	assert_error(fx, &a->errors[0], "errors.0");

	decode_text(fx, fx->client, ack_from_broker_text);
	assert_int_equal(a->status, ACK_RECEIVED);
	assert_true(fx->m.has_notice);
	assert_int_equal(fx->m.notice, 8);
	assert_true(a->duplicate);
	assert_span(a->route, "alpha-beta");
	assert_true(a->has_lease);
	assert_int_equal(a->error_count, 1);

	notation_remove(&fx->body, "lease");
	notation_remove(&fx->body, "duplicate");
	notation_remove(&fx->body, "route");
	notation_remove(&fx->body, "errors");
	decode_body(fx, fx->client);
	assert_false(a->has_lease);
	assert_false(a->duplicate);
	assert_null(a->route.p);
	assert_null(a->errors_raw.p);
}

static void error_notification_is_read(void **state)
{
	struct fixture *fx = *state;

	decode_text(fx, fx->broker, error_notification_text);
	assert_int_equal(fx->m.header.type, MESSAGE_ERROR_NOTIFICATION);
	assert_int_equal(fx->m.error_notification.action_required, ACTION_THROTTLE);
	assert_int_equal(fx->m.error_notification.error_count, 1);
	assert_error(fx, &fx->m.error_notification.errors[0], "errors.0");
	notation_replace(&fx->body, "errors", "[]");
	decode_body(fx, fx->broker);
	assert_int_equal(fx->m.error_notification.error_count, 0);
	notation_replace(&fx->body, "errors", "[" ERROR_MAP ", " ERROR_MAP ", " ERROR_MAP ", "
	    ERROR_MAP ", " ERROR_MAP ", " ERROR_MAP "]");
	notation_replace(&fx->body, "errors.5.context", "{}");
	decode_body(fx, fx->broker);
	assert_int_equal(fx->m.error_notification.error_count, 6);
	assert_error(fx, &fx->m.error_notification.errors[0], "errors.0");
	assert_error(fx, &fx->m.error_notification.errors[4], "errors.4");
	assert_null(fx->m.error_notification.errors[5].record_id.p);
}

static void other_types_have_their_common_keys_read(void **state)
{
	struct fixture *fx = *state;

	decode_text(fx, fx->broker, health_text);
	assert_int_equal(fx->m.header.type, MESSAGE_HEALTH_CHECK_REQUEST);
	assert_true(fx->m.has_in_reply_to);
	assert_uuid(&fx->m.in_reply_to, OTHER_ID);
	assert_int_equal(fx->m.notice, 3);
	assert_int_equal(fx->m.seen, 2);
}

/* What is unknown may be anything well formed, in every map of the page. */
static void unknown_keys_are_walked_not_judged(void **state)
{
	static const char *const maps[] = {
		"header", "header.message_id", "metadata.batch_id",
		"validation_summary.records_failed",
		"error_summary.upstream_errors", "completes.0.lease", "completes.0.errors.0.scope",
		"completes.0.errors.0.context.record_id",
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		buf_clear(&fx->body);
		notation_encode(&fx->body, batch_text);
		notation_insert(&fx->body, maps[i], 3,
		    "'x': ~a1ff~, ~a1ff~: {1: 2, nil: [], 1: 3}, '': ~d40000~");
		decode_body(fx, fx->broker);
		assert_int_equal(fx->m.batch.complete_count, 2);
	}
}

static void known_names_may_be_unknown_keys_elsewhere(void **state)
{
	struct fixture *fx = *state;

	decode_text(fx, fx->broker, hello_text);
	notation_insert(&fx->body, "header.timestamp", 2, "'header': 1, 'seen': 'x'");
	notation_insert(&fx->body, "client", 2, "'metadata': 7, 'message_id': nil");
	decode_body(fx, fx->broker);
	assert_int_equal(fx->m.seen, 41);
}

/* Levels 2 to 64 under a key, deeper than msgpack-c itself would go. */
static void sixty_four_levels_pass_under_any_key(void **state)
{
	static const char *const maps[] = { "header", "header.message_id", "metadata.batch_id" };
	static const unsigned level_of_value[] = { 2, 3, 3 };
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		char text[256];

		notation_nest(text, sizeof(text), "'deep': ",
		    MP_NESTING_MAX - level_of_value[i] + 1, "");
		buf_clear(&fx->body);
		notation_encode(&fx->body, batch_text);
		notation_insert(&fx->body, maps[i], 1, text);
		decode_body(fx, fx->broker);
	}
}

static void values_at_the_edges_pass(void **state)
{
	static const struct {
		const char *path;
		const char *text;
	} cases[] = {
		{ "metadata.sequence_number", "~cf7fffffffffffffff~" },
		{ "metadata.record_count", "1" },
		{ "metadata.sequence_number", "~d005~" },
		{ "metadata.sequence_number", "~d10005~" },
		{ "metadata.sequence_number", "~d300000000000000ff~" },
		{ "metadata.created_at", "'2026-11-20T08:15:30.123456789Z'" },
		{ "validation_summary.average_quality_score", "~ca3f800000~" },
		{ "validation_summary.average_quality_score", "-3" },
		{ "validation_summary.average_quality_score", "~cfffffffffffffffff~" },
		{ "validation_summary.average_quality_score", "7" },
		{ "header.source_module", "'A'" },
		{ "header.source_module", "'A234567890_234567890123456789012'" },
		{ "header.target_module", "'ALL'" },
		{ "header.correlation_id", "'\xe2\x82\xac'" },
		{ "header.protocol_version", "'1.0.0-rc.1+build.7'" },
		{ "header.protocol_version", "'1.22.333'" },
		{ "header.protocol_version", "'1.0.0+a-b'" },
		{ "header.message_id", "'AAAAAAAA-0000-0000-0000-00000000000F'" },
		{ "error_summary.error_breakdown", "{}" },
		{ "error_summary.affected_record_ids", "[]" },
		{ "records", "~c50001c0~" },
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&fx->body);
		notation_encode(&fx->body, batch_text);
		notation_replace(&fx->body, cases[i].path, cases[i].text);
		decode_body(fx, fx->broker);
	}
	decode_text(fx, fx->broker, batch_text);
	notation_replace(&fx->body, "metadata.sequence_number", "~d37fffffffffffffff~");
	decode_body(fx, fx->broker);
	assert_true(fx->m.batch.sequence_number == INT64_MAX);
}

static void any_form_of_a_maps_head_is_read(void **state)
{
	static const char *const heads[] = { "\xde\x00\x09", "\xdf\x00\x00\x00\x09" };
	static const size_t sizes[] = { 3, 5 };
	struct fixture *fx = *state;

	for (size_t i = 0; i < 2; i++) {
		struct buf body;

		buf_clear(&fx->body);
		notation_encode(&fx->body, batch_text);
		assert_int_equal(buf_bytes(&fx->body)[0], 0x89);
		buf_init(&body, 0);
		buf_put(&body, heads[i], sizes[i]);
		buf_put(&body, buf_bytes(&fx->body) + 1, fx->body.len - 1);
		buf_finish(&fx->body);
		fx->body = body;
		decode_body(fx, fx->broker);
		assert_int_equal(fx->m.batch.complete_count, 2);
	}
}

static void an_empty_text_is_not_an_absent_one(void **state)
{
	struct fixture *fx = *state;
	const struct message_error *e;

	decode_text(fx, fx->broker, error_notification_text);
	notation_replace(&fx->body, "errors.0.context.record_id", "''");
	notation_replace(&fx->body, "errors.0.context.field_name", "~d900~");
	notation_replace(&fx->body, "errors.0.context.actual_value", "nil");
	decode_body(fx, fx->broker);
	e = &fx->m.error_notification.errors[0];
	assert_span(e->record_id, "");
	assert_span(e->field_name, "");
	assert_null(e->actual_value.p);
}

static void one_message_leaves_nothing_to_the_next(void **state)
{
	struct fixture *fx = *state;

	decode_text(fx, fx->broker, batch_text);
	decode_text(fx, fx->broker, "{" HEADER("BETA", "BROKER", "ACKNOWLEDGMENT") ", 'lease': 1,"
	    " 'payload': {" ACK_PAYLOAD("PROCESSED") "}}");
	assert_int_equal(fx->m.ack.error_count, 0);
	assert_null(fx->m.ack.errors);
	assert_null(fx->m.ack.errors_raw.p);
	assert_false(fx->m.has_seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_is_read),
		cmocka_unit_test(what_hello_leaves_out_has_its_default),
		cmocka_unit_test(welcome_is_read_by_a_client),
		cmocka_unit_test(goodbye_is_read),
		cmocka_unit_test(batch_is_read),
		cmocka_unit_test(what_a_batch_leaves_out_has_its_default),
		cmocka_unit_test(a_delivery_is_read_by_a_client),
		cmocka_unit_test(acknowledgments_are_read_on_both_sides),
		cmocka_unit_test(error_notification_is_read),
		cmocka_unit_test(other_types_have_their_common_keys_read),
		cmocka_unit_test(unknown_keys_are_walked_not_judged),
		cmocka_unit_test(known_names_may_be_unknown_keys_elsewhere),
		cmocka_unit_test(sixty_four_levels_pass_under_any_key),
		cmocka_unit_test(values_at_the_edges_pass),
		cmocka_unit_test(any_form_of_a_maps_head_is_read),
		cmocka_unit_test(an_empty_text_is_not_an_absent_one),
		cmocka_unit_test(one_message_leaves_nothing_to_the_next),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
