/* test_message.c - the names and codes of the protocol page, and how a fault is told */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/message.h"

/* protocol.md section 9, once more in its own words. */
static const struct {
	const char *name;
	enum severity severity;
	enum recoverability recoverability;
	enum scope scope;
} page[] = {
#define E SEVERITY_ERROR
#define C SEVERITY_CRITICAL
#define W SEVERITY_WARNING
#define P RECOVERABILITY_PERMANENT
#define T RECOVERABILITY_TRANSIENT
	{ "INT_PROTOCOL_001", E, P, SCOPE_MODULE },
	{ "INT_PROTOCOL_002", E, P, SCOPE_MODULE },
	{ "INT_PROTOCOL_003", E, P, SCOPE_MODULE },
	{ "INT_PROTOCOL_004", E, P, SCOPE_MODULE },
	{ "INT_PROTOCOL_005", E, P, SCOPE_MODULE },
	{ "INT_AUTH_001", C, P, SCOPE_MODULE },
	{ "INT_AUTH_002", C, P, SCOPE_MODULE },
	{ "INT_AUTH_003", E, P, SCOPE_MODULE },
	{ "INT_BATCH_001", E, P, SCOPE_BATCH },
	{ "INT_BATCH_002", E, P, SCOPE_BATCH },
	{ "INT_BATCH_003", E, P, SCOPE_BATCH },
	{ "INT_BATCH_004", W, P, SCOPE_BATCH },
	{ "INT_BATCH_005", E, P, SCOPE_BATCH },
	{ "INT_ROUTE_001", E, P, SCOPE_BATCH },
	{ "INT_ROUTE_002", E, T, SCOPE_MODULE },
	{ "INT_DELIVERY_001", W, T, SCOPE_BATCH },
	{ "INT_DELIVERY_002", E, P, SCOPE_BATCH },
	{ "INT_DELIVERY_003", W, T, SCOPE_BATCH },
	{ "INT_DELIVERY_004", E, P, SCOPE_BATCH },
	{ "INT_DELIVERY_005", W, P, SCOPE_BATCH },
	{ "INT_DELIVERY_006", W, T, SCOPE_BATCH },
	{ "INT_STORE_001", C, T, SCOPE_PIPELINE },
	{ "INT_STORE_002", C, P, SCOPE_BATCH },
};

static void codes_are_those_of_the_page(void **state)
{
	const size_t n = sizeof(page) / sizeof(page[0]);

	(void)state;
	assert_int_equal(ERROR_CODE_COUNT, 1 + n);
	for (size_t i = 0; i < n; i++) {
		const struct error_code_info *info = error_code_info((enum error_code)(1 + i));

		assert_string_equal(info->name, page[i].name);
		assert_int_equal(info->severity, page[i].severity);
		assert_int_equal(info->recoverability, page[i].recoverability);
		assert_int_equal(info->scope, page[i].scope);
		assert_true(strlen(info->meaning) > 20);
		assert_int_equal(info->meaning[strlen(info->meaning) - 1], '.');
	}
}

static void names_are_those_of_the_page(void **state)
{
	(void)state;
	assert_string_equal(message_type_name(MESSAGE_UNKNOWN), "unknown");
	assert_string_equal(message_type_name(MESSAGE_HELLO), "HELLO");
	assert_string_equal(message_type_name(MESSAGE_ERROR_NOTIFICATION), "ERROR_NOTIFICATION");
	assert_string_equal(message_type_name(MESSAGE_SCHEDULE_NOTIFICATION),
	    "SCHEDULE_NOTIFICATION");
	assert_string_equal(ack_status_name(ACK_RECEIVED), "RECEIVED");
	assert_string_equal(ack_status_name(ACK_REJECTED), "REJECTED");
	assert_string_equal(goodbye_reason_name(GOODBYE_SHUTDOWN), "SHUTDOWN");
	assert_string_equal(goodbye_reason_name(GOODBYE_REKEY), "REKEY");
}

static void spans_compare_by_content(void **state)
{
	(void)state;
	assert_true(span_is(span_of("ALPHA"), "ALPHA"));
	assert_true(span_is((struct span){ "ALPHABET", 5 }, "ALPHA"));
	assert_false(span_is(span_of("ALPH"), "ALPHA"));
	assert_false(span_is(span_of("ALPHAB"), "ALPHA"));
	assert_false(span_is((struct span){ NULL, 0 }, ""));
	assert_true(span_is(span_of(""), ""));
}

static void a_fault_is_cut_to_fit(void **state)
{
	char path[400];
	struct fault f;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	fault_set(&f, INT_BATCH_001, path, "%d %s", 7, path);
	assert_int_equal(f.code, INT_BATCH_001);
	assert_int_equal(strlen(f.field_name), sizeof(f.field_name) - 1);
	assert_int_equal(strlen(f.expected), sizeof(f.expected) - 1);
	assert_memory_equal(f.expected, "7 xxx", 5);
	assert_string_equal(f.actual, "");
	fault_found(&f, (struct span){ "a\nb", 3 });
	assert_string_equal(f.actual, "a\\x0ab");
	fault_found(&f, span_of(path));
	assert_true(strlen(f.actual) < sizeof(f.actual));
	assert_string_equal(f.actual + strlen(f.actual) - strlen("x…"), "x…");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_those_of_the_page),
		cmocka_unit_test(names_are_those_of_the_page),
		cmocka_unit_test(spans_compare_by_content),
		cmocka_unit_test(a_fault_is_cut_to_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
