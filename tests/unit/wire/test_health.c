/* test_health.c - CIRCUIT_STATE_CHANGE and health checks, written and read */
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
static struct fault f;
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
		.source_module = span_of("BROKER"), .target_module = span_of("ALPHA"),
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

static int decode(enum decode_side side)
{
	return message_decode(decoders[side], buf_bytes(&body), body.len, &m, &f);
}

static void encode_text(const char *text)
{
	buf_clear(&body);
	notation_encode(&body, text);
}

/* What was written, read by the other side. */
static void read_written(void)
{
	assert_false(out.failed);
	buf_clear(&body);
	buf_put(&body, buf_bytes(&out) + FRAME_LENGTH_BYTES, out.len - FRAME_LENGTH_BYTES);
	assert_int_equal(decode(DECODE_AT_CLIENT), 0);
}

static void assert_refused(enum decode_side side, const char *field_name)
{
	assert_int_equal(decode(side), ERR_PROTO);
	assert_int_equal(f.code, INT_PROTOCOL_005);
	assert_string_equal(f.field_name, field_name);
}

static void a_change_of_state_names_its_modules(void **state)
{
	const struct span modules[] = { span_of("ALPHA"), span_of("BETA") };

	(void)state;
	encode_circuit_change(&out, &envelope, &(struct message_circuit_change){
		.circuit_id = span_of("alpha-beta"), .previous_state = CIRCUIT_OPEN,
		.new_state = CIRCUIT_HALF_OPEN, .affected_modules = modules, .affected_count = 2,
	});
	read_written();
	assert_int_equal(m.header.type, MESSAGE_CIRCUIT_STATE_CHANGE);
	assert_true(span_is(m.circuit_change.circuit_id, "alpha-beta"));
	assert_int_equal(m.circuit_change.previous_state, CIRCUIT_OPEN);
	assert_int_equal(m.circuit_change.new_state, CIRCUIT_HALF_OPEN);
	assert_int_equal(m.circuit_change.affected_count, 2);
	assert_true(span_is(m.circuit_change.affected_modules[1], "BETA"));
}

static void a_change_of_state_is_judged(void **state)
{
	(void)state;
	encode_text(circuit_text);
	assert_int_equal(decode(DECODE_AT_CLIENT), 0);
	notation_replace(&body, "affected_modules.1", "7");
	assert_refused(DECODE_AT_CLIENT, "affected_modules.1");
	encode_text(circuit_text);
	notation_replace(&body, "new_state", "'AJAR'");
	assert_refused(DECODE_AT_CLIENT, "new_state");
}

static void a_request_says_what_is_checked(void **state)
{
	(void)state;
	encode_health_request(&out, &envelope, CHECK_DETAILED);
	read_written();
	assert_int_equal(m.header.type, MESSAGE_HEALTH_CHECK_REQUEST);
	assert_int_equal(m.health_request.check_type, CHECK_DETAILED);
	encode_text(health_text);
	assert_int_equal(decode(DECODE_AT_BROKER), 0);
	assert_int_equal(m.health_request.check_type, CHECK_LIVENESS);
	notation_replace(&body, "check_type", "'SHALLOW'");
	assert_refused(DECODE_AT_BROKER, "check_type");
}

static void a_modules_response_is_read(void **state)
{
	const struct component_health *c;

	(void)state;
	encode_text(health_response_text);
	assert_int_equal(decode(DECODE_AT_BROKER), 0);
	assert_int_equal(m.health_response.status, HEALTH_DEGRADED);
	assert_int_equal(m.health_response.uptime_seconds, 77);
	assert_int_equal(m.health_response.check_count, 2);
	c = m.health_response.checks;
	assert_true(span_is(c[0].name, "output_buffer") && span_is(c[0].message, "12"));
	assert_int_equal(c[1].status, HEALTH_UNHEALTHY);
	assert_true(c[1].checked_at_us == DATETIME_US);
	notation_replace(&body, "checks.1.status", "'ILL'");
	assert_refused(DECODE_AT_BROKER, "checks.1.status");
}

static void the_brokers_response_has_the_pipeline(void **state)
{
	const struct component_health store = {
		span_of("store"), HEALTH_HEALTHY, span_of("12 % used"), DATETIME_US,
	};
	const struct module_health_out modules[] = {
		{ .name = span_of("ALPHA"), .status = HEALTH_HEALTHY, .was_seen = true,
		  .last_seen_us = DATETIME_US, .connected_instances = 2 },
		{ .name = span_of("BETA"), .status = HEALTH_UNHEALTHY, .checks = &store,
		  .check_count = 1 },
	};
	const struct pipeline_health_out pipeline = {
		.overall_status = HEALTH_UNHEALTHY, .modules = modules, .module_count = 2,
		.circuits_open = 1, .error_rate_1m = 0.25, .records_per_second = 12.5,
	};

	(void)state;
	encode_health_response(&out, &envelope, &(struct health_response_out){
		.status = HEALTH_UNHEALTHY, .checks = &store, .check_count = 1,
		.uptime_seconds = 9, .pipeline = &pipeline,
	});
	read_written();
	assert_int_equal(m.health_response.check_count, 1);
	assert_non_null(m.health_response.pipeline.p);
	encode_text("{'overall_status': 'UNHEALTHY', 'module_statuses': {"
		    "'ALPHA': {'status': 'HEALTHY', 'checks': [], 'last_seen': '" DATETIME "',"
		    " 'connected_instances': 2},"
		    "'BETA': {'status': 'UNHEALTHY', 'checks': [{'component_name': 'store',"
		    " 'status': 'HEALTHY', 'message': '12 % used', 'last_check': '" DATETIME "'}],"
		    " 'last_seen': nil, 'connected_instances': 0}},"
		    " 'active_circuits_open': 1, 'error_rate_1m': 0.25,"
		    " 'throughput_records_per_second': 12.5}");
	assert_int_equal(m.health_response.pipeline.n, body.len);
	buf_clear(&out);
	encode_health_response(&out, &envelope, &(struct health_response_out){
		.status = HEALTH_HEALTHY });
	read_written();
	assert_null(m.health_response.pipeline.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_change_of_state_names_its_modules, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(a_change_of_state_is_judged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_request_says_what_is_checked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_modules_response_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_brokers_response_has_the_pipeline, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
