/* test_encode.c - our messages as bytes, and read back by the decoder of the other side */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "messages.h"
#include "notation.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/frame.h"
#include "wire/mpcheck.h"

static struct uuid message_id, other_id, batch_id;
static uint8_t checksum[32];
static struct envelope from_broker, from_module;
static struct buf out, expected;

static int set_up(void **state)
{
	(void)state;
	assert_true(uuid_parse(MESSAGE_ID, UUID_TEXT_LEN, &message_id));
	assert_true(uuid_parse(OTHER_ID, UUID_TEXT_LEN, &other_id));
	assert_true(uuid_parse(BATCH_ID, UUID_TEXT_LEN, &batch_id));
	for (size_t i = 0; i < sizeof(checksum); i++)
		checksum[i] = (uint8_t)(i % 16 * 0x11);
	from_broker = (struct envelope){
		.message_id = message_id, .correlation_id = span_of("c-1"),
		.source_module = span_of("BROKER"), .target_module = span_of("ALPHA"),
		.timestamp_us = DATETIME_US,
	};
	from_module = from_broker;
	from_module.source_module = span_of("ALPHA");
	from_module.target_module = span_of("BROKER");
	buf_init(&out, 0);
	buf_init(&expected, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_finish(&out);
	buf_finish(&expected);
	return 0;
}

/* `out` is one frame with the body that the notation tells; it is forgotten then. */
static void assert_frame(const char *text)
{
	buf_clear(&expected);
	notation_encode(&expected, text);
	assert_false(out.failed);
	assert_int_equal(out.len, FRAME_LENGTH_BYTES + expected.len);
	assert_int_equal(frame_length(buf_bytes(&out)), expected.len);
	assert_memory_equal(buf_bytes(&out) + FRAME_LENGTH_BYTES, buf_bytes(&expected),
	    expected.len);
}

/* The same frame passes at the other side. */
static void assert_decodes(enum decode_side side, struct message *m)
{
	struct decoder *d = decoder_create(side);
	struct fault f;

	if (message_decode(d, buf_bytes(&out) + FRAME_LENGTH_BYTES, out.len - FRAME_LENGTH_BYTES, m,
	    &f) != 0)
		fail_msg("%s: expected %s, found %s", f.field_name, f.expected, f.actual);
	decoder_destroy(d);
	buf_clear(&out);
}

static void goodbye_is_these_bytes(void **state)
{
	static const char golden[] =
		"\x00\x00\x01\x1c"
		"\x84"
		"\xa6" "header" "\x87"
		"\xaa" "message_id" "\xd9\x24" MESSAGE_ID
		"\xae" "correlation_id" "\xd9\x24" MESSAGE_ID
		"\xad" "source_module" "\xa6" "BROKER"
		"\xad" "target_module" "\xa5" "ALPHA"
		"\xac" "message_type" "\xa7" "GOODBYE"
		"\xa9" "timestamp" "\xbb" DATETIME
		"\xb0" "protocol_version" "\xa5" "1.0.0"
		"\xa6" "reason" "\xa8" "REPLACED"
		"\xb2" "reconnect_delay_ms" "\xcd\x03\xe8"
		"\xa7" "message" "\xa3" "bye";
	const struct goodbye_out g = { GOODBYE_REPLACED, 1000, "bye" };
	struct envelope e = from_broker;
	struct message m;

	(void)state;
	e.correlation_id = (struct span){ 0 };
	encode_goodbye(&out, &e, &g);
	assert_false(out.failed);
	assert_int_equal(out.len, sizeof(golden) - 1);
	assert_memory_equal(buf_bytes(&out), golden, sizeof(golden) - 1);
	assert_decodes(DECODE_AT_CLIENT, &m);
	assert_int_equal(m.goodbye.reason, GOODBYE_REPLACED);
}

static void goodbye_without_a_message(void **state)
{
	const struct goodbye_out g = { GOODBYE_DONE, 0, NULL };
	struct message m;

	(void)state;
	encode_goodbye(&out, &from_module, &g);
	assert_frame("{" HEADER("ALPHA", "BROKER", "GOODBYE") ", 'reason': 'DONE',"
	    " 'reconnect_delay_ms': 0}");
	assert_decodes(DECODE_AT_BROKER, &m);
}

static void the_envelope_stands_beside_the_header(void **state)
{
	const struct goodbye_out g = { GOODBYE_DONE, 0, NULL };
	struct envelope e = from_broker;
	struct message m;

	(void)state;
	e.in_reply_to = &other_id;
	e.notice = 7;
	e.has_seen = true;
	e.seen = 0;
	encode_goodbye(&out, &e, &g);
	assert_frame("{" HEADER("BROKER", "ALPHA", "GOODBYE") ", 'in_reply_to': '" OTHER_ID "',"
	    " 'notice': 7, 'seen': 0, 'reason': 'DONE', 'reconnect_delay_ms': 0}");
	assert_decodes(DECODE_AT_CLIENT, &m);
	assert_true(m.has_in_reply_to && m.has_notice && m.has_seen);
}

static void hello_is_written(void **state)
{
	static const uint64_t holds[] = { 5, 7 };
	struct hello_out h = {
		.instance_id = span_of("alpha-1"), .max_in_flight = 16, .mailbox = true,
	};
	struct message m;

	(void)state;
	encode_hello(&out, &from_module, &h);
	assert_frame("{" HEADER("ALPHA", "BROKER", "HELLO") ", 'instance_id': 'alpha-1',"
	    " 'max_in_flight': 16, 'mailbox': true}");
	assert_decodes(DECODE_AT_BROKER, &m);
	assert_true(m.hello.mailbox);

	h.mailbox = false;
	h.broker_id = &other_id;
	h.holds = holds;
	h.hold_count = 2;
	h.client = span_of("test 1.0");
	from_module.has_seen = true;
	from_module.seen = 41;
	encode_hello(&out, &from_module, &h);
	assert_frame("{" HEADER("ALPHA", "BROKER", "HELLO") ", 'seen': 41,"
	    " 'instance_id': 'alpha-1', 'max_in_flight': 16, 'mailbox': false,"
	    " 'broker_id': '" OTHER_ID "', 'holds': [5, 7], 'client': 'test 1.0'}");
	assert_decodes(DECODE_AT_BROKER, &m);
	assert_int_equal(m.hello.hold_count, 2);
}

static void welcome_is_written(void **state)
{
	const struct welcome_route route = {
		.name = span_of("alpha-beta"), .source_module = span_of("ALPHA"),
		.target_module = span_of("BETA"), .batch_size = 1000, .flush_timeout_ms = 5000,
		.ack_timeout_ms = 30000, .process_timeout_ms = 300000, .retry_delay_ms = 1000,
		.max_retries = 5, .backoff_multiplier = 2.0, .backpressure_active = true,
		.last_sequence_number = 12,
	};
	const struct message_welcome w = {
		.broker = span_of("handoffd 0.1"), .broker_id = other_id,
		.instance_id = span_of("alpha-1"), .max_in_flight = 16, .max_frame_bytes = 8388608,
		.routes = &route, .route_count = 1,
	};
	struct envelope e = from_broker;
	struct message m;
	struct buf text;

	(void)state;
	e.in_reply_to = &other_id;
	encode_welcome(&out, &e, &w);
	buf_init(&text, 0);
	notation_encode(&text, welcome_text);
	notation_replace(&text, "features", "[]");
	assert_int_equal(out.len - FRAME_LENGTH_BYTES, text.len);
	assert_memory_equal(buf_bytes(&out) + FRAME_LENGTH_BYTES, buf_bytes(&text), text.len);
	buf_finish(&text);
	assert_decodes(DECODE_AT_CLIENT, &m);
	assert_int_equal(m.welcome.route_count, 1);
}

static struct error_out an_error(enum error_code code)
{
	return (struct error_out){
		.error_id = other_id, .code = code, .correlation_id = span_of("c-1"),
		.timestamp_us = DATETIME_US, .source_module = span_of("BROKER"),
		.scope = error_code_info(code)->scope,
	};
}

#define ERROR_TEXT(severity, recoverability, scope, code, message, context, eligible)              \
	"{'error_id': '" OTHER_ID "', 'correlation_id': 'c-1', 'timestamp': '" DATETIME "',"       \
	" 'source_module': 'BROKER', 'severity': '" severity "',"                                  \
	" 'recoverability': '" recoverability "', 'scope': '" scope "', 'error_code': '" code "'," \
	" 'error_message': '" message "', 'context': {" context "}, 'retry_eligible': " eligible "}"

static void an_error_says_what_its_code_says(void **state)
{
	struct error_out e = an_error(INT_BATCH_005);

	(void)state;
	encode_error(&out, &e);
	buf_clear(&expected);
	notation_encode(&expected, ERROR_TEXT("ERROR", "PERMANENT", "BATCH", "INT_BATCH_005",
	    "A lease in completes is not current: somebody else has, or had, that batch.", "",
	    "false"));
	assert_int_equal(out.len, expected.len);
	assert_memory_equal(buf_bytes(&out), buf_bytes(&expected), expected.len);

	e = an_error(INT_BATCH_004);
	e.transient = true;
	e.scope = SCOPE_MODULE;
	e.message = span_of("out of turn");
	e.record_id = span_of("r");
	e.batch_id = span_of(BATCH_ID);
	e.field_name = span_of("metadata.sequence_number");
	e.expected_value = span_of("8");
	e.actual_value = span_of("");
	buf_clear(&out);
	encode_error(&out, &e);
	buf_clear(&expected);
	notation_encode(&expected, ERROR_TEXT("ERROR", "TRANSIENT", "MODULE", "INT_BATCH_004",
	    "out of turn", "'record_id': 'r', 'batch_id': '" BATCH_ID "',"
	    " 'field_name': 'metadata.sequence_number', 'expected_value': '8', 'actual_value': ''",
	    "true"));
	assert_int_equal(out.len, expected.len);
	assert_memory_equal(buf_bytes(&out), buf_bytes(&expected), expected.len);
	buf_clear(&out);
}

static void retry_eligible_is_true_exactly_for_transient(void **state)
{
	(void)state;
	for (int code = INT_NONE + 1; code < ERROR_CODE_COUNT; code++) {
		const struct error_code_info *info = error_code_info((enum error_code)code);
		const struct error_out e = an_error((enum error_code)code);
		struct message m;

		encode_error_notification(&out, &from_broker, &e, 1, ACTION_NONE);
		assert_decodes(DECODE_AT_CLIENT, &m);
		assert_int_equal(m.error_notification.error_count, 1);
		encode_error(&out, &e);
		assert_int_equal(buf_bytes(&out)[out.len - 1],
		    info->recoverability == RECOVERABILITY_TRANSIENT ? 0xc3 : 0xc2);
		buf_clear(&out);
	}
}

static void an_error_names_those_it_comes_from(void **state)
{
	const struct uuid upstream[] = { batch_id, other_id };
	struct error_out e = an_error(INT_DELIVERY_002);
	struct span ids[2];

	(void)state;
	e.upstream = upstream;
	e.upstream_count = 2;
	encode_error(&out, &e);
	assert_int_equal(stored_error_upstream(buf_bytes(&out), out.len, ids, 2), 2);
	assert_true(span_is(ids[0], BATCH_ID) && span_is(ids[1], OTHER_ID));
	assert_int_equal(stored_error_upstream(buf_bytes(&out), out.len, ids, 1), 1);
	for (size_t n = 0; n < out.len; n++)	/* cut, it is no error: no harm */
		assert_int_equal(stored_error_upstream(buf_bytes(&out), n, ids, 2), 0);
}

static void an_error_summary_is_written(void **state)
{
	const struct error_breakdown codes[] = { { span_of("A"), 2 }, { span_of("B"), 1 } };
	const struct span ids[] = { span_of("r-1"), span_of("r-2") };

	(void)state;
	encode_error_summary(&out, &(struct error_summary_out){ .count = 3, .breakdown = codes,
	    .breakdown_count = 2, .record_ids = ids, .record_id_count = 2 });
	buf_clear(&expected);
	notation_encode(&expected, "{'upstream_errors': 3, 'error_breakdown': {'A': 2, 'B': 1},"
	    " 'affected_record_ids': ['r-1', 'r-2']}");
	assert_int_equal(out.len, expected.len);
	assert_memory_equal(buf_bytes(&out), buf_bytes(&expected), expected.len);
}

static void error_notification_is_written(void **state)
{
	const struct error_out e = an_error(INT_ROUTE_002);
	struct message m;

	(void)state;
	encode_error_notification(&out, &from_broker, &e, 1, ACTION_THROTTLE);
	assert_frame("{" HEADER("BROKER", "ALPHA", "ERROR_NOTIFICATION") ", 'errors': ["
	    ERROR_TEXT("ERROR", "TRANSIENT", "MODULE", "INT_ROUTE_002",
	    "The route holds as many batches or bytes as it may; send again later.", "", "true")
	    "], 'action_required': 'THROTTLE'}");
	assert_decodes(DECODE_AT_CLIENT, &m);
	encode_error_notification(&out, &from_broker, NULL, 0, ACTION_INVESTIGATE);
	assert_frame("{" HEADER("BROKER", "ALPHA", "ERROR_NOTIFICATION") ", 'errors': [],"
	    " 'action_required': 'INVESTIGATE'}");
	assert_decodes(DECODE_AT_CLIENT, &m);
}

static void acknowledgment_is_written(void **state)
{
	const struct error_out error = an_error(INT_DELIVERY_004);
	struct ack_out a = {
		.batch_id = batch_id, .status = ACK_RECEIVED, .records_accepted = 2,
		.records_rejected = 1, .processing_duration_ms = 17,
	};
	struct buf more;
	struct message m;

	(void)state;
	encode_ack(&out, &from_broker, &a);
	assert_frame("{" HEADER("BROKER", "ALPHA", "ACKNOWLEDGMENT") ", 'payload': {"
	    ACK_PAYLOAD("RECEIVED") "}}");
	assert_decodes(DECODE_AT_CLIENT, &m);

	buf_init(&more, 0);
	notation_encode(&more, ERROR_MAP);
	notation_encode(&more, ERROR_MAP);
	a.status = ACK_REJECTED;
	a.lease = 5;
	a.duplicate = true;
	a.route = span_of("alpha-beta");
	a.errors = &error;
	a.error_count = 1;
	a.more_errors = (struct span){ (const char *)buf_bytes(&more), more.len };
	a.more_error_count = 2;
	encode_ack(&out, &from_broker, &a);
	assert_frame("{" HEADER("BROKER", "ALPHA", "ACKNOWLEDGMENT") ", 'payload': {"
	    ACK_PAYLOAD("REJECTED") "}, 'lease': 5, 'duplicate': true, 'route': 'alpha-beta',"
	    " 'errors': ["
	    ERROR_TEXT("ERROR", "PERMANENT", "BATCH", "INT_DELIVERY_004",
	    "The target rejected the batch for good; it is a dead letter.", "", "false") ", "
	    ERROR_MAP ", " ERROR_MAP "]}");
	assert_decodes(DECODE_AT_CLIENT, &m);
	assert_int_equal(m.ack.error_count, 3);
	assert_true(m.ack.duplicate);
	buf_finish(&more);
}

static struct batch_out a_batch(void)
{
	struct batch_out b = {
		.batch_id = batch_id, .sequence_number = 9, .record_count = 3,
		.created_at_us = DATETIME_US, .records = { "\x93\xc0\xc0\xc0", 4 },
	};

	memcpy(b.checksum, checksum, sizeof(b.checksum));
	return b;
}

#define METADATA_TEXT                                                                              \
	"'metadata': {'batch_id': '" BATCH_ID "', 'sequence_number': 9, 'record_count': 3,"        \
	" 'checksum': '" CHECKSUM "', 'created_at': '" DATETIME "'}"

static void batch_is_written(void **state)
{
	const struct ack_out completes[] = {
		{ .batch_id = batch_id, .status = ACK_PROCESSED, .records_accepted = 2,
		  .records_rejected = 1, .processing_duration_ms = 17, .lease = 5 },
	};
	struct batch_out b = a_batch();
	struct message m;

	(void)state;
	from_module.target_module = span_of("BETA");
	encode_batch(&out, &from_module, &b);
	assert_frame("{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") ", " METADATA_TEXT
	    ", 'records': <93c0c0c0>}");
	assert_decodes(DECODE_AT_BROKER, &m);

	b.with_validation_summary = true;
	b.with_transformation_summaries = true;
	b.priority = PRIORITY_CRITICAL;
	b.completes = completes;
	b.complete_count = 1;
	encode_batch(&out, &from_module, &b);
	assert_frame("{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") ", " METADATA_TEXT ","
	    " 'validation_summary': {'total_records_validated': 3, 'records_passed': 3,"
	    "  'records_failed': 0, 'average_quality_score': 1.0},"
	    " 'transformation_summary': {'total_records_transformed': 3,"
	    "  'transformations_applied': 3, 'enrichment_cache_hit_rate': 0.0},"
	    " 'quality_summary': {'average_quality_score': 1.0, 'min_quality_score': 1.0,"
	    "  'max_quality_score': 1.0, 'records_below_threshold': 0},"
	    " 'priority': 'CRITICAL', 'completes': [{" ACK_PAYLOAD("PROCESSED") ", 'lease': 5}],"
	    " 'records': <93c0c0c0>}");
	assert_decodes(DECODE_AT_BROKER, &m);
	assert_int_equal(m.batch.complete_count, 1);
}

static void completes_may_have_errors(void **state)
{
	const struct error_out error = an_error(INT_DELIVERY_004);
	const struct ack_out complete = {
		.batch_id = batch_id, .status = ACK_PROCESSED, .records_accepted = 2,
		.records_rejected = 1, .processing_duration_ms = 17, .lease = 5, .errors = &error,
		.error_count = 1,
	};
	struct batch_out b = a_batch();
	struct message m;

	(void)state;
	b.completes = &complete;
	b.complete_count = 1;
	encode_batch(&out, &from_module, &b);
	assert_decodes(DECODE_AT_BROKER, &m);
	assert_int_equal(m.batch.complete_count, 1);
}

static void what_has_no_room_leaves_no_half_frame(void **state)
{
	const struct batch_out b = a_batch();
	const struct goodbye_out g = { GOODBYE_DONE, 0, NULL };
	struct buf small;
	size_t before;

	(void)state;
	for (size_t max = 300; max < 900; max += 7) {
		buf_init(&small, max);
		encode_goodbye(&small, &from_module, &g);
		assert_false(small.failed);
		before = small.len;
		encode_batch(&small, &from_module, &b);
		if (small.failed)
			assert_int_equal(small.len, before);
		else
			assert_int_equal(small.len, before + FRAME_LENGTH_BYTES +
			    frame_length(buf_bytes(&small) + before));
		buf_finish(&small);
	}
}

static void a_frame_is_found_behind_others_and_after_a_take(void **state)
{
	const struct goodbye_out g = { GOODBYE_DONE, 0, NULL };
	struct message m;
	size_t one;

	(void)state;
	encode_goodbye(&out, &from_module, &g);
	one = out.len;
	encode_goodbye(&out, &from_module, &g);
	assert_int_equal(out.len, 2 * one);
	buf_take(&out, one);
	for (int i = 0; i < 50; i++)
		encode_goodbye(&out, &from_module, &g);
	assert_int_equal(out.len, 51 * one);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(frame_length(buf_bytes(&out)), one - FRAME_LENGTH_BYTES);
		buf_take(&out, one);
	}
	assert_decodes(DECODE_AT_BROKER, &m);
}

static const struct delivery_out delivery = {
	.route = { "alpha-beta", 10 }, .attempt = 2, .redelivered = true, .lease = 77,
	.received_at_us = DATETIME_US,
};

static void a_delivery_is_the_sources_frame_with_one_key_more(void **state)
{
	struct buf body, head, tail;
	struct message m;
	size_t skip;

	(void)state;
	buf_init(&body, 0);
	buf_init(&head, 0);
	buf_init(&tail, 0);
	notation_encode(&body, "{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") ", " METADATA_TEXT
	    ", 'records': <93c0c0c0>, 'x': ~d9017a~}");
	buf_put(&head, "before", 6);
	buf_put(&tail, "before", 6);
	encode_delivery(&head, &tail, buf_bytes(&body), body.len, &skip, &delivery);
	assert_false(head.failed || tail.failed);
	assert_int_equal(skip, 1);
	buf_put(&out, buf_bytes(&head) + 6, head.len - 6);
	buf_put(&out, buf_bytes(&body) + skip, body.len - skip);
	buf_put(&out, buf_bytes(&tail) + 6, tail.len - 6);
	assert_frame("{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") ", " METADATA_TEXT
	    ", 'records': <93c0c0c0>, 'x': ~d9017a~, 'delivery': {'route': 'alpha-beta',"
	    " 'attempt': 2, 'redelivered': true, 'lease': 77, 'received_at': '" DATETIME "'}}");
	assert_decodes(DECODE_AT_CLIENT, &m);
	assert_true(m.batch.has_delivery);
	assert_int_equal(m.batch.delivery_lease, 77);
	buf_finish(&body);
	buf_finish(&head);
	buf_finish(&tail);
}

static void a_deliverys_map_head_grows_when_it_has_to(void **state)
{
	static const struct {
		const char *body;	/* its head, and bytes that are passed on */
		size_t body_len;
		size_t skip;
		const char *head;
		size_t head_len;
	} cases[] = {
		{ "\x81" "ab", 3, 1, "\x82", 1 },
		{ "\x8e" "ab", 3, 1, "\x8f", 1 },
		{ "\x8f" "ab", 3, 1, "\xde\x00\x10", 3 },
		{ "\xde\x00\x0e" "ab", 5, 3, "\x8f", 1 },
		{ "\xde\x00\x10" "ab", 5, 3, "\xde\x00\x11", 3 },
		{ "\xde\xff\xfe" "ab", 5, 3, "\xde\xff\xff", 3 },
		{ "\xde\xff\xff" "ab", 5, 3, "\xdf\x00\x01\x00\x00", 5 },
		{ "\xdf\x00\x00\x00\x02" "ab", 7, 5, "\x83", 1 },
		{ "\xdf\x00\x01\x00\x00" "ab", 7, 5, "\xdf\x00\x01\x00\x01", 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf head, tail;
		size_t skip;

		buf_init(&head, 0);
		buf_init(&tail, 0);
		encode_delivery(&head, &tail, (const uint8_t *)cases[i].body, cases[i].body_len,
		    &skip, &delivery);
		assert_int_equal(skip, cases[i].skip);
		assert_int_equal(head.len, FRAME_LENGTH_BYTES + cases[i].head_len);
		assert_memory_equal(buf_bytes(&head) + FRAME_LENGTH_BYTES, cases[i].head,
		    cases[i].head_len);
		assert_int_equal(frame_length(buf_bytes(&head)), cases[i].head_len + 2 + tail.len);
		buf_finish(&head);
		buf_finish(&tail);
	}
}

static void a_delivery_without_room_fails(void **state)
{
	struct buf head, tail;
	size_t skip;

	(void)state;
	buf_init(&head, 4);
	buf_init(&tail, 0);
	encode_delivery(&head, &tail, (const uint8_t *)"\x80", 1, &skip, &delivery);
	assert_true(head.failed);
	buf_finish(&head);
	buf_finish(&tail);
	buf_init(&head, 0);
	buf_init(&tail, 20);
	encode_delivery(&head, &tail, (const uint8_t *)"\x80", 1, &skip, &delivery);
	assert_true(head.failed);
	assert_int_equal(head.len, 0);
	buf_finish(&head);
	buf_finish(&tail);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goodbye_is_these_bytes),
		TEST(goodbye_without_a_message),
		TEST(the_envelope_stands_beside_the_header),
		TEST(hello_is_written),
		TEST(welcome_is_written),
		TEST(an_error_says_what_its_code_says),
		TEST(retry_eligible_is_true_exactly_for_transient),
		TEST(an_error_names_those_it_comes_from),
		TEST(an_error_summary_is_written),
		TEST(error_notification_is_written),
		TEST(acknowledgment_is_written),
		TEST(batch_is_written),
		TEST(completes_may_have_errors),
		TEST(what_has_no_room_leaves_no_half_frame),
		TEST(a_frame_is_found_behind_others_and_after_a_take),
		TEST(a_delivery_is_the_sources_frame_with_one_key_more),
		TEST(a_deliverys_map_head_grows_when_it_has_to),
		TEST(a_delivery_without_room_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
