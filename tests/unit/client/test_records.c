/* test_records.c - what a record is; lists of them are as MessagePack says, and can be walked */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/internal.h"

/* A literal as bytes and their number. */
#define BYTES(text) (text), sizeof(text) - 1
#define RECORD "\x81\xa9record_id\xa1x"

static void a_record_is_one_map_with_a_string_record_id(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool is_record;
	} cases[] = {
		{ BYTES(RECORD), true },
		{ BYTES("\x82\xa1z\x93\x01\x02\x03\xa9record_id\xa0"), true },
		{ BYTES("\xde\x00\x01\xa9record_id\xd9\x01x"), true },
		{ BYTES(""), false },
		{ BYTES("\x80"), false },
		{ BYTES("\x81\xa9record_id\x05"), false },
		{ BYTES("\x81\xa8recordid\xa1x"), false },
		{ BYTES("\x92\xa9record_id\xa1x"), false },
		{ BYTES(RECORD "\xc0"), false },
		{ BYTES("\x81\xa9record_id\xa2x"), false },
		{ BYTES("\x82\xa9record_id\xa1x"), false },
		{ BYTES("\x82\xa9record_id\xa1x\xa1z\xc1"), false },
		{ BYTES("\xdf\xff\xff\xff\xff\xa9record_id\xa1x"), false },
	};
	bool is_critical;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(record_check(cases[i].bytes, cases[i].n, &is_critical),
				 cases[i].is_record);
}

static void only_the_priority_critical_is_critical(void **state)
{
	bool is_critical;

	(void)state;
	assert_true(record_check(BYTES("\x82\xa9record_id\xa1x\xa8priority\xa8""CRITICAL"),
				 &is_critical));
	assert_true(is_critical);
	assert_true(record_check(BYTES("\x82\xa9record_id\xa1x\xa8priority\xa6NORMAL"),
				 &is_critical));
	assert_false(is_critical);
	assert_true(record_check(BYTES("\x82\xa9record_id\xa1x\xa1p\x81\xa8priority\xa8""CRITICAL"),
				 &is_critical));
	assert_false(is_critical);
}

static void a_list_has_its_shortest_head(void **state)
{
	static const struct {
		size_t count, head;
		uint8_t first;
	} cases[] = {
		{ 1, 1, 0x91 }, { 15, 1, 0x9f }, { 16, 3, 0xdc }, { 65535, 3, 0xdc },
		{ 65536, 5, 0xdd },
	};
	const size_t size = sizeof(RECORD) - 1;
	int64_t found;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct handoff_records *r = handoff_records_create();
		struct span list;

		for (size_t k = 0; k < cases[i].count; k++)
			assert_int_equal(handoff_records_add(r, BYTES(RECORD)), 0);
		assert_int_equal(handoff_records_count(r), cases[i].count);
		list.p = handoff_records_bytes(r, &list.n);
		assert_int_equal(list.n, cases[i].head + cases[i].count * size);
		assert_int_equal((uint8_t)list.p[0], cases[i].first);
		assert_true(records_check(list, cases[i].count, &found));
		assert_true(list.n <= records_size_with(r, 0));
		handoff_records_destroy(r);
	}
}

static void a_cleared_list_is_empty_and_can_be_filled_again(void **state)
{
	struct handoff_records *r = handoff_records_create();
	const char *list;
	size_t n;

	(void)state;
	list = handoff_records_bytes(r, &n);
	assert_int_equal(n, 1);
	assert_int_equal((uint8_t)list[0], 0x90);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(handoff_records_add(r, BYTES("\x80")), HANDOFF_INVALID);
		assert_int_equal(handoff_records_count(r), 0);
		assert_int_equal(handoff_records_add(r, BYTES(RECORD)), 0);
		list = handoff_records_bytes(r, &n);
		assert_int_equal(n, 1 + sizeof(RECORD) - 1);
		assert_memory_equal(list + 1, RECORD, sizeof(RECORD) - 1);
		handoff_records_clear(r);
	}
	handoff_records_destroy(r);
}

static void a_delivery_gives_its_records_one_by_one(void **state)
{
	static const char list[] = "\x93" RECORD "\x82\xa1z\x92\x01\x02\xa9record_id\xa2yy" "\x05";
	struct handoff_delivery d = { .records = { list, sizeof(list) - 1 } };
	struct handoff_record record;

	(void)state;
	for (int round = 0; round < 2; round++) {
		handoff_delivery_rewind(&d);
		assert_true(handoff_delivery_next_record(&d, &record));
		assert_memory_equal(record.bytes, RECORD, sizeof(RECORD) - 1);
		assert_int_equal(record.len, sizeof(RECORD) - 1);
		assert_int_equal(record.id_len, 1);
		assert_memory_equal(record.id, "x", 1);
		assert_true(handoff_delivery_next_record(&d, &record));
		assert_int_equal(record.id_len, 2);
		assert_memory_equal(record.id, "yy", 2);
		assert_true(handoff_delivery_next_record(&d, &record));
		assert_int_equal(record.len, 1);
		assert_null(record.id);
		assert_false(handoff_delivery_next_record(&d, &record));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_one_map_with_a_string_record_id),
		cmocka_unit_test(only_the_priority_critical_is_critical),
		cmocka_unit_test(a_list_has_its_shortest_head),
		cmocka_unit_test(a_cleared_list_is_empty_and_can_be_filled_again),
		cmocka_unit_test(a_delivery_gives_its_records_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
