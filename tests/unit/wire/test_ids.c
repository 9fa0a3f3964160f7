/* test_ids.c - the names of a stored body, from whatever bytes it has */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "messages.h"
#include "mutate.h"
#include "notation.h"
#include "wire/decode.h"

static struct buf body;
static struct header_ids ids;

static int set_up(void **state)
{
	(void)state;
	buf_init(&body, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_finish(&body);
	return 0;
}

static bool read_text(const char *text)
{
	buf_clear(&body);
	notation_encode(&body, text);
	return frame_header_ids(buf_bytes(&body), body.len, &ids);
}

static void assert_message_id(void)
{
	char text[UUID_TEXT_LEN + 1];

	assert_true(ids.has_message_id);
	uuid_format(&ids.message_id, text);
	assert_string_equal(text, MESSAGE_ID);
}

static void a_batchs_names_are_read(void **state)
{
	(void)state;
	assert_true(read_text(batch_text));
	assert_message_id();
	assert_true(span_is(ids.correlation_id, "c-1"));
	assert_true(ids.has_timestamp);
	assert_true(ids.timestamp_us == DATETIME_US);
	assert_true(ids.has_created_at);
	assert_true(ids.created_at_us == DATETIME_US);
}

static void other_messages_have_no_created_at(void **state)
{
	(void)state;
	assert_true(read_text(confirmation_text));
	assert_message_id();
	assert_false(ids.has_created_at);
}

static void what_is_wrong_is_left_out(void **state)
{
	(void)state;
	assert_true(read_text("{'header': {'message_id': '" MESSAGE_ID "', 'timestamp': 'now'},"
	    " 'metadata': {'created_at': 5}}"));
	assert_message_id();
	assert_null(ids.correlation_id.p);
	assert_false(ids.has_timestamp);
	assert_false(ids.has_created_at);
	assert_false(read_text("{'header': {'message_id': 'x'}, 'metadata': {'created_at': '"
	    DATETIME "'}}"));
	assert_true(ids.has_created_at);
	assert_false(read_text("{'header': 5}"));
	assert_false(read_text("[]"));
	assert_false(read_text("~c1~"));
	assert_false(frame_header_ids((const uint8_t *)"", 0, &ids));
	assert_false(ids.has_created_at);
}

static void damaged_bytes_do_no_harm(void **state)
{
	unsigned readable = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 11);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t changed[2048], *exact;
		size_t n;

		buf_clear(&body);
		notation_encode(&body, i % 2 == 0 ? batch_text : confirmation_text);
		memcpy(changed, buf_bytes(&body), body.len);
		n = mutate(&r, changed, body.len, sizeof(changed));
		exact = malloc(n);
		memcpy(exact, changed, n);
		if (frame_header_ids(exact, n, &ids))
			readable++;
		assert_int_equal(ids.has_message_id, frame_header_ids(exact, n, &ids));
		free(exact);
	}
	assert_true(readable > 1000 && readable < 20000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_batchs_names_are_read),
		TEST(other_messages_have_no_created_at),
		TEST(what_is_wrong_is_left_out),
		TEST(damaged_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
