/* test_errors.c - IntegrationErrors from the caller, over the wire, and to the caller */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/internal.h"

#define BATCH_ID "0190a1b2-c3d4-4e5f-8a6b-0123456789ab"

struct trip {
	struct handoff_options options;
	struct handoff_client client;
	struct decoder *decoder;
	struct buf encoded, frame;
	struct handoff_error *errors;
	char *texts;
};

static int set_up(void **state)
{
	struct trip *t = calloc(1, sizeof(*t));
	static char module[] = "BETA";

	t->options.module = module;
	t->client.options = &t->options;
	t->decoder = decoder_create(DECODE_AT_BROKER);
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct trip *t = *state;

	decoder_destroy(t->decoder);
	buf_finish(&t->encoded);
	buf_finish(&t->frame);
	free(t->errors);
	free(t->texts);
	free(t);
	return 0;
}

/* What the broker reads in an acknowledgment with this error, shown to a caller again. */
static const struct handoff_error *send_around(struct trip *t, const struct handoff_error *error,
    enum scope scope)
{
	struct envelope e = {
		.source_module = span_of("BETA"),
		.target_module = span_of("BROKER"),
	};
	struct ack_out a = { .status = ACK_REJECTED, .lease = 1, .more_error_count = 1 };
	struct fault fault;
	struct message m;

	assert_true(error_encode(&t->client, &t->encoded, error, scope, BATCH_ID, "c"));
	a.more_errors = (struct span){ (char *)buf_bytes(&t->encoded), t->encoded.len };
	encode_ack(&t->frame, &e, &a);
	assert_int_equal(message_decode(t->decoder, buf_bytes(&t->frame) + FRAME_LENGTH_BYTES,
					t->frame.len - FRAME_LENGTH_BYTES, &m, &fault), 0);
	assert_int_equal(m.ack.error_count, 1);
	assert_int_equal(m.ack.errors[0].scope, scope);
	assert_true(span_is(m.ack.errors[0].batch_id, BATCH_ID));
	assert_true(errors_copy(m.ack.errors, 1, &t->errors, &t->texts));
	return t->errors;
}

static void an_error_keeps_what_the_caller_said(void **state)
{
	const struct handoff_error error = {
		.severity = HANDOFF_WARNING,
		.recoverability = HANDOFF_PERMANENT,
		.code = "BETA_1",
		.message = "n\xc3\xb6",
		.record_id = "r",
		.field_name = "f",
		.expected_value = "e",
		.actual_value = "a",
	};
	const struct handoff_error *got = send_around(*state, &error, SCOPE_RECORD);

	assert_int_equal(got->severity, HANDOFF_WARNING);
	assert_int_equal(got->recoverability, HANDOFF_PERMANENT);
	assert_int_equal(got->scope, HANDOFF_RECORD);
	assert_false(got->retry_eligible);
	assert_string_equal(got->code, "BETA_1");
	assert_string_equal(got->message, "n\xc3\xb6");
	assert_string_equal(got->record_id, "r");
	assert_string_equal(got->field_name, "f");
	assert_string_equal(got->expected_value, "e");
	assert_string_equal(got->actual_value, "a");
}

static void what_was_left_out_is_absent_or_said_in_general(void **state)
{
	const struct handoff_error error = { .code = NULL };
	const struct handoff_error *got = send_around(*state, &error, SCOPE_BATCH);

	assert_int_equal(got->severity, HANDOFF_ERROR);
	assert_int_equal(got->recoverability, HANDOFF_TRANSIENT);
	assert_true(got->retry_eligible);
	assert_true(strlen(got->code) > 0);
	assert_true(strlen(got->message) > 0);
	assert_null(got->record_id);
	assert_null(got->actual_value);
}

static void a_long_text_is_cut_between_characters(void **state)
{
	char message[1500];
	const struct handoff_error error = { .code = "C", .message = message };
	const struct handoff_error *got;

	memset(message, 'x', 1023);
	memcpy(message + 1023, "\xc3\xb6", 2);
	memset(message + 1025, 'y', sizeof(message) - 1025);
	message[sizeof(message) - 1] = '\0';
	got = send_around(*state, &error, SCOPE_BATCH);
	assert_int_equal(strlen(got->message), 1023);
}

static void what_is_no_utf8_is_escaped(void **state)
{
	const struct handoff_error error = { .code = "C", .actual_value = "a\xff" };

	assert_string_equal(send_around(*state, &error, SCOPE_BATCH)->actual_value, "a\\xff");
}

static void a_record_id_that_is_no_utf8_is_refused(void **state)
{
	struct trip *t = *state;
	const struct handoff_error error = { .code = "C", .record_id = "\xff" };

	assert_false(error_encode(&t->client, &t->encoded, &error, SCOPE_RECORD, BATCH_ID, "c"));
	assert_int_equal(t->encoded.len, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_error_keeps_what_the_caller_said),
		TEST(what_was_left_out_is_absent_or_said_in_general),
		TEST(a_long_text_is_cut_between_characters),
		TEST(what_is_no_utf8_is_escaped),
		TEST(a_record_id_that_is_no_utf8_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
