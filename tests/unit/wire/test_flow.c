/* test_flow.c - BACKPRESSURE and DELIVERY_CONFIRMATION, read and written on both sides */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "messages.h"
#include "notation.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/frame.h"

static struct decoder *decoders[2];
static struct buf body, out;
static struct message m;
static struct envelope envelope;

static int set_up(void **state)
{
	(void)state;
	decoders[DECODE_AT_BROKER] = decoder_create(DECODE_AT_BROKER);
	decoders[DECODE_AT_CLIENT] = decoder_create(DECODE_AT_CLIENT);
	buf_init(&body, 0);
	buf_init(&out, 0);
	envelope = (struct envelope){
		.correlation_id = span_of("c-1"), .timestamp_us = DATETIME_US,
	};
	assert_true(uuid_parse(MESSAGE_ID, UUID_TEXT_LEN, &envelope.message_id));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	decoder_destroy(decoders[DECODE_AT_BROKER]);
	decoder_destroy(decoders[DECODE_AT_CLIENT]);
	buf_finish(&body);
	buf_finish(&out);
	return 0;
}

static void decode(enum decode_side side)
{
	struct fault f;

	if (message_decode(decoders[side], buf_bytes(&body), body.len, &m, &f) != 0)
		fail_msg("%s: expected %s, found %s", f.field_name, f.expected, f.actual);
}

static void decode_text(enum decode_side side, const char *text)
{
	buf_clear(&body);
	notation_encode(&body, text);
	decode(side);
}

/* What was written is the frame of this text; it is forgotten then. */
static void assert_written(const char *text)
{
	buf_clear(&body);
	notation_encode(&body, text);
	assert_false(out.failed);
	assert_int_equal(out.len, FRAME_LENGTH_BYTES + body.len);
	assert_int_equal(frame_length(buf_bytes(&out)), body.len);
	assert_memory_equal(buf_bytes(&out) + FRAME_LENGTH_BYTES, buf_bytes(&body), body.len);
	buf_clear(&out);
}

static void backpressure_is_read_on_both_sides(void **state)
{
	(void)state;
	for (int side = DECODE_AT_BROKER; side <= DECODE_AT_CLIENT; side++) {
		decode_text((enum decode_side)side, backpressure_text);
		assert_int_equal(m.header.type, MESSAGE_BACKPRESSURE);
		assert_int_equal(m.backpressure.signal_type, SIGNAL_ACTIVATE);
		assert_int_equal(m.backpressure.current_queue_depth, 8001);
		assert_int_equal(m.backpressure.recommended_delay_ms, 250);
		assert_true(span_is(m.backpressure.route, "alpha-beta"));
		notation_replace(&body, "route", "nil");
		notation_replace(&body, "signal_type", "'DEACTIVATE'");
		decode((enum decode_side)side);
		assert_int_equal(m.backpressure.signal_type, SIGNAL_DEACTIVATE);
		assert_null(m.backpressure.route.p);
	}
}

static void assert_result(const struct message_record_delivery *r, const char *record_id,
    const char *destination_id, enum record_delivery status)
{
	assert_true(span_is(r->record_id, record_id));
	assert_true(span_is(r->destination_id, destination_id));
	assert_int_equal(r->status, status);
	assert_true(r->delivered_at_us == DATETIME_US);
}

static void assert_confirmation(void)
{
	struct uuid batch_id;

	assert_true(uuid_parse(BATCH_ID, UUID_TEXT_LEN, &batch_id));
	assert_int_equal(m.header.type, MESSAGE_DELIVERY_CONFIRMATION);
	assert_true(m.confirmation.has_batch_id);
	assert_memory_equal(&m.confirmation.batch_id, &batch_id, sizeof(batch_id));
	assert_int_equal(m.confirmation.result_count, 3);
	assert_result(&m.confirmation.results[0], "r-1", "lake", RECORD_DELIVERED);
	assert_result(&m.confirmation.results[1], "r-2", "", RECORD_FAILED);
	assert_result(&m.confirmation.results[2], "r-3", "lake", RECORD_DLQ);
}

static void a_confirmation_is_read_on_both_sides(void **state)
{
	(void)state;
	for (int side = DECODE_AT_BROKER; side <= DECODE_AT_CLIENT; side++) {
		decode_text((enum decode_side)side, confirmation_text);
		assert_confirmation();
		assert_true(m.has_seen);
		/* One record is enough. */
		notation_remove(&body, "delivery_results.2");
		notation_remove(&body, "delivery_results.0");
		decode((enum decode_side)side);
		assert_int_equal(m.confirmation.result_count, 1);
		assert_result(&m.confirmation.results[0], "r-2", "", RECORD_FAILED);
	}
}

static void record_ids_are_compared_byte_for_byte(void **state)
{
	(void)state;
	decode_text(DECODE_AT_BROKER, confirmation_text);
	notation_replace(&body, "delivery_results.0.record_id", "'R-1'");
	notation_replace(&body, "delivery_results.1.record_id", "'r-1'");
	notation_replace(&body, "delivery_results.2.record_id", "'r-1 '");
	decode(DECODE_AT_BROKER);
	assert_int_equal(m.confirmation.result_count, 3);
}

static void backpressure_is_written(void **state)
{
	struct message_backpressure b = {
		SIGNAL_ACTIVATE, 8001, 250, { "alpha-beta", 10 },
	};

	(void)state;
	envelope.source_module = span_of("BROKER");
	envelope.target_module = span_of("ALPHA");
	encode_backpressure(&out, &envelope, &b);
	assert_written(backpressure_text);

	b = (struct message_backpressure){ .signal_type = SIGNAL_DEACTIVATE };
	encode_backpressure(&out, &envelope, &b);
	assert_written("{" HEADER("BROKER", "ALPHA", "BACKPRESSURE")
	    ", 'signal_type': 'DEACTIVATE', 'current_queue_depth': 0,"
	    " 'recommended_delay_ms': 0}");
	decode(DECODE_AT_BROKER);
	decode(DECODE_AT_CLIENT);
}

static void a_confirmation_is_written(void **state)
{
	static const struct message_record_delivery results[] = {
		{ { "r-1", 3 }, { "lake", 4 }, RECORD_DELIVERED, DATETIME_US },
		{ { "r-2", 3 }, { "", 0 }, RECORD_FAILED, DATETIME_US },
		{ { "r-3", 3 }, { "lake", 4 }, RECORD_DLQ, DATETIME_US },
	};
	struct message_confirmation c = { .results = results, .result_count = 3 };

	(void)state;
	assert_true(uuid_parse(BATCH_ID, UUID_TEXT_LEN, &c.batch_id));
	envelope.source_module = span_of("GAMMA");
	envelope.target_module = span_of("BROKER");
	encode_confirmation(&out, &envelope, &c);
	/* The text has `seen` at its end, the envelope beside the header. */
	buf_put(&body, buf_bytes(&out) + FRAME_LENGTH_BYTES, out.len - FRAME_LENGTH_BYTES);
	decode(DECODE_AT_BROKER);
	assert_confirmation();
	assert_false(m.has_seen);
	notation_insert(&body, "delivery_results", 1, "'seen': 12");
	buf_clear(&out);
	notation_encode(&out, confirmation_text);
	assert_int_equal(out.len, body.len);
	assert_memory_equal(buf_bytes(&out), buf_bytes(&body), body.len);
}

static void what_has_no_room_is_not_written(void **state)
{
	const struct message_record_delivery result = { .record_id = { "r", 1 } };
	const struct message_confirmation c = { .results = &result, .result_count = 1 };
	const struct message_backpressure b = { .signal_type = SIGNAL_ACTIVATE };

	(void)state;
	envelope.source_module = envelope.target_module = span_of("BROKER");
	out.max = 250;
	encode_backpressure(&out, &envelope, &b);
	assert_true(out.failed);
	assert_int_equal(out.len, 0);
	buf_clear(&out);
	encode_confirmation(&out, &envelope, &c);
	assert_true(out.failed);
	assert_int_equal(out.len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(backpressure_is_read_on_both_sides),
		TEST(a_confirmation_is_read_on_both_sides),
		TEST(record_ids_are_compared_byte_for_byte),
		TEST(backpressure_is_written),
		TEST(a_confirmation_is_written),
		TEST(what_has_no_room_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
