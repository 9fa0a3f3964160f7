/* test_records.c - looking into the content of `records` */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "notation.h"
#include "wire/decode.h"

static struct span encoded(struct buf *b, const char *text)
{
	buf_clear(b);
	notation_encode(b, text);
	return (struct span){ (const char *)buf_bytes(b), b->len };
}

static void a_list_of_the_right_length_passes(void **state)
{
	struct buf b;
	int64_t found;

	(void)state;
	buf_init(&b, 0);
	assert_true(records_check(encoded(&b, "[{'record_id': 'a'}, {}]"), 2, &found));
	assert_int_equal(found, 2);
	assert_true(records_check(encoded(&b, "[]"), 0, &found));
	assert_int_equal(found, 0);
	assert_true(records_check(encoded(&b, "[1, nil, 'they are not looked into']"), 3, &found));
	buf_finish(&b);
}

static void anything_else_is_refused_and_counted(void **state)
{
	static const struct {
		const char *text;
		int64_t found;
	} cases[] = {
		{ "[{}]", 1 },			/* fewer than announced */
		{ "[{}, {}, {}]", 3 },
		{ "{'a': 1, 'b': 2}", -1 },
		{ "'two'", -1 },
		{ "nil", -1 },
		{ "~92c0~", 2 },		/* cut short */
		{ "~92c0c0c0~", 2 },		/* something after it */
		{ "~92c0c1~", 2 },
		{ "~c1~", -1 },
		{ "~dd10000000~", 0x10000000 },
	};
	struct buf b;
	int64_t found;

	(void)state;
	buf_init(&b, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_false(records_check(encoded(&b, cases[i].text), 2, &found));
		assert_int_equal(found, cases[i].found);
	}
	assert_false(records_check((struct span){ "", 0 }, 2, &found));
	assert_int_equal(found, -1);
	buf_finish(&b);
}

static void nesting_counts_from_the_list(void **state)
{
	char bytes[66];
	int64_t found;

	(void)state;
	memset(bytes, 0x91, sizeof(bytes));
	bytes[63] = (char)0xc0;
	assert_true(records_check((struct span){ bytes, 64 }, 1, &found));
	bytes[63] = (char)0x91;
	bytes[64] = (char)0xc0;
	assert_true(records_check((struct span){ bytes, 65 }, 1, &found));
	bytes[64] = (char)0x91;
	bytes[65] = (char)0xc0;
	assert_false(records_check((struct span){ bytes, 66 }, 1, &found));
	assert_int_equal(found, 1);
}

static const char records_text[] =
	"[{'record_id': 'r-1', 'x': [1, {'record_id': 'inner'}]}, 'r-2', {'record_id': 3},"
	" {'other': 'r-4'}, {'x': 'record_id', 'record_id': 'r-5'}, {1: 2, 'record_id': ''}, {}]";

static void ids_are_found_in_the_records(void **state)
{
	static const struct span ids[] = { { "r-5", 3 }, { "", 0 }, { "r-1", 3 }, { "r-5", 3 } };
	struct span records;
	struct buf b;
	size_t missing;

	(void)state;
	buf_init(&b, 0);
	records = encoded(&b, records_text);
	assert_true(records_have_ids(records, ids, 4, &missing));
	assert_true(records_have_ids(records, NULL, 0, &missing));
	buf_finish(&b);
}

static void the_first_that_is_missing_is_named(void **state)
{
	static const char *const absent[] = { "r-2", "3", "r-4", "inner", "x", "record_id", "r-" };
	struct span ids[] = { { "r-1", 3 }, { NULL, 0 }, { "r-0", 3 } };
	struct span records;
	struct buf b;
	size_t missing;

	(void)state;
	buf_init(&b, 0);
	records = encoded(&b, records_text);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		ids[1] = span_of(absent[i]);
		assert_false(records_have_ids(records, ids, 3, &missing));
		assert_int_equal(missing, 1);
	}
	assert_false(records_have_ids(encoded(&b, "{'record_id': 'r-1'}"), ids, 1, &missing));
	assert_int_equal(missing, 0);
	/* Bytes that nobody has checked do no harm. */
	assert_false(records_have_ids(encoded(&b, "~dd10000000~"), ids, 1, &missing));
	assert_false(records_have_ids(encoded(&b, "~918fa9~"), ids, 1, &missing));
	buf_finish(&b);
}

static void many_ids_are_found_too(void **state)
{
	enum { MANY = 5000 };
	static char names[MANY][24];
	static struct span ids[MANY];
	struct span records;
	char record[64];
	struct buf b;
	size_t missing;

	(void)state;
	buf_init(&b, 0);
	notation_encode(&b, "~dc1388~");	/* the head of a list of 5000 */
	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "record-%zu", i);
		ids[MANY - 1 - i] = span_of(names[i]);
		snprintf(record, sizeof(record), "{'record_id': 'record-%zu'}", i);
		notation_encode(&b, record);
	}
	records = (struct span){ (const char *)buf_bytes(&b), b.len };
	assert_true(records_have_ids(records, ids, MANY, &missing));
	names[0][0] = 'R';
	assert_false(records_have_ids(records, ids, MANY, &missing));
	assert_int_equal(missing, MANY - 1);
	buf_finish(&b);
}

static void ids_come_in_their_order_a_piece_at_a_time(void **state)
{
	static const char *const expected[] = { "a", NULL, "c", NULL, "e" };
	struct span records, ids[2];
	size_t at = 0, count = 0, n;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	records = encoded(&b, "[{'record_id': 'a'}, {'x': 'record_id'}, {'y': 1, 'record_id': 'c'},"
	    " 'd', {'record_id': 'e'}]");
	while ((n = records_ids(records, &at, ids, 2)) > 0) {
		for (size_t i = 0; i < n; i++, count++) {
			assert_int_equal(ids[i].p != NULL, expected[count] != NULL);
			if (ids[i].p != NULL)
				assert_true(span_is(ids[i], expected[count]));
		}
	}
	assert_int_equal(count, 5);
	assert_int_equal(at, records.n);
	at = 0;
	assert_int_equal(records_ids(encoded(&b, "[]"), &at, ids, 2), 0);
	buf_finish(&b);
}

static void a_record_is_found_with_its_position(void **state)
{
	static const char *const absent[] = { "r-2", "3", "r-4", "inner", "x", "record_id", "r-" };
	struct span records;
	uint64_t index;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	records = encoded(&b, records_text);
	assert_true(records_find(records, span_of("r-1"), &index));
	assert_int_equal(index, 0);
	assert_true(records_find(records, span_of("r-5"), &index));
	assert_int_equal(index, 4);
	assert_true(records_find(records, span_of(""), &index));
	assert_int_equal(index, 5);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_false(records_find(records, span_of(absent[i]), &index));
	records = encoded(&b, "[{'record_id': 'a'}, {'record_id': 'b', 'c': 'a'},"
	    " {'record_id': 'b'}]");
	assert_true(records_find(records, span_of("b"), &index));
	assert_int_equal(index, 1);
	assert_false(records_find(encoded(&b, "{'record_id': 'r-1'}"), span_of("r-1"), &index));
	/* Bytes that nobody has checked do no harm. */
	assert_false(records_find(encoded(&b, "~dd10000000~"), span_of(""), &index));
	assert_false(records_find(encoded(&b, "~918fa9~"), span_of(""), &index));
	assert_false(records_find((struct span){ "", 0 }, span_of(""), &index));
	buf_finish(&b);
}

static void records_are_picked_in_their_order(void **state)
{
	static const struct span ids[] = { { "r-5", 3 }, { "no", 2 }, { "r-1", 3 }, { "r-5", 3 } };
	struct buf b, picked, expected;
	struct span records;
	uint64_t count;

	(void)state;
	buf_init(&b, 0);
	buf_init(&picked, 0);
	buf_init(&expected, 0);
	records = encoded(&b, records_text);
	buf_put(&picked, "x", 1);
	assert_int_equal(records_pick(records, ids, 4, &picked, &count), 0);
	assert_int_equal(count, 2);
	notation_encode(&expected, "{'record_id': 'r-1', 'x': [1, {'record_id': 'inner'}]}");
	notation_encode(&expected, "{'x': 'record_id', 'record_id': 'r-5'}");
	assert_int_equal(picked.len, 1 + expected.len);
	assert_memory_equal(buf_bytes(&picked) + 1, buf_bytes(&expected), expected.len);
	assert_int_equal(records_pick(records, ids, 0, &picked, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(picked.len, 1 + expected.len);
	picked.max = picked.len + 1;
	assert_int_equal(records_pick(records, ids, 4, &picked, &count), ERR_NOMEM);
	buf_finish(&b);
	buf_finish(&picked);
	buf_finish(&expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_the_right_length_passes),
		cmocka_unit_test(anything_else_is_refused_and_counted),
		cmocka_unit_test(nesting_counts_from_the_list),
		cmocka_unit_test(ids_are_found_in_the_records),
		cmocka_unit_test(the_first_that_is_missing_is_named),
		cmocka_unit_test(many_ids_are_found_too),
		cmocka_unit_test(a_record_is_found_with_its_position),
		cmocka_unit_test(ids_come_in_their_order_a_piece_at_a_time),
		cmocka_unit_test(records_are_picked_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
