/* test_journal.c - lines of a batch, actions of persons, settings of routes, notices, the boot */
#include "fixture.h"

static struct batch add_journalled(struct store *s)
{
	struct batch b = new_batch(s);

	b.journalled = true;
	insert(s, &b);
	return b;
}

static void lines_come_back_in_order(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_journalled(s), b = add_journalled(s);
	struct journal_line line = { .at_us = -7, .event = JOURNAL_LOST, .instance = 3,
		.attempt = 2, .lease = 9, .delay_ms = 100, .code = 4, .text_len = 5,
		.text = "hello" }, found;
	uint32_t number = 0;

	store_journal_add(s, a.id, &line);
	add_line(s, b.id, JOURNAL_HELD);
	add_line(s, a.id, JOURNAL_RELEASED);
	assert_int_equal(committed(s).lines, 3);
	assert_int_equal(store_journal_next(s, a.id, &number, &found), 0);
	assert_int_equal(number, 1);
	assert_true(found.at_us == -7 && found.event == JOURNAL_LOST && found.instance == 3);
	assert_true(found.attempt == 2 && found.lease == 9 && found.delay_ms == 100);
	assert_true(found.code == 4 && found.text_len == 5);
	assert_memory_equal(found.text, "hello", 5);
	assert_int_equal(store_journal_next(s, a.id, &number, &found), 0);
	assert_true(number == 2 && found.event == JOURNAL_RELEASED);
	assert_int_equal(store_journal_next(s, a.id, &number, &found), ERR_NOTFOUND);
}

static void a_long_journal_loses_its_second_oldest(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_journalled(s);
	struct journal_line line = { .event = JOURNAL_REJECTED }, found;
	uint32_t number = 0;
	uint64_t bytes = 0;

	for (uint64_t n = 1; n <= JOURNAL_LINES_MAX + 10; n++) {
		line.lease = n;
		store_journal_add(s, b.id, &line);
		if (n == JOURNAL_LINES_MAX)
			bytes = store_history_bytes(s);
	}
	assert_int_equal(committed(s).lines, JOURNAL_LINES_MAX);
	assert_int_equal(store_history_bytes(s), bytes);
	for (uint64_t n = 0; n < JOURNAL_LINES_MAX; n++) {
		assert_int_equal(store_journal_next(s, b.id, &number, &found), 0);
		assert_int_equal(found.lease, n == 0 ? 1 : n + 11);
	}
}

static void a_line_s_text_is_cut(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_journalled(s);
	struct journal_line line = { .event = JOURNAL_REJECTED, .text_len = 60000 }, found;
	uint32_t number = 0;

	store_journal_add(s, b.id, &line);
	committed(s);
	assert_int_equal(store_journal_next(s, b.id, &number, &found), 0);
	assert_int_equal(found.text_len, JOURNAL_TEXT_MAX);
}

static void a_damaged_line_is_skipped(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_journalled(s);
	struct key k = key_line(b.id, 1);
	struct journal_line found;
	uint32_t number = 0;

	add_line(s, b.id, JOURNAL_LOST);
	add_line(s, b.id, JOURNAL_DEAD);
	table_put(s, TABLE_JOURNAL, &k, "damaged", 7);
	assert_int_equal(store_journal_next(s, b.id, &number, &found), 0);
	assert_true(number == 2 && found.event == JOURNAL_DEAD);
}

static void a_journal_of_nothing_is_a_disagreement(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct store_tally t;
	char why[256];

	add_line(s, 77, JOURNAL_LOST);
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_string_equal(why, "nothing that there is has the journal of batch 77");
}

/* --- persons and routes ---------------------------------------------------------------------- */

static void actions_are_read_from_the_newest(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct action a = { .event = JOURNAL_PAUSED, .route = 4, .at_us = 8, .who = "ana",
		.text = "why not" }, found;

	assert_int_equal(store_action_previous(s, UINT64_MAX, &found), ERR_NOTFOUND);
	store_action_add(s, &a);
	a.event = JOURNAL_RESUMED;
	store_action_add(s, &a);
	committed(s);
	assert_int_equal(store_action_previous(s, UINT64_MAX, &found), 0);
	assert_true(found.number == 2 && found.event == JOURNAL_RESUMED);
	assert_int_equal(store_action_previous(s, found.number, &found), 0);
	assert_true(found.number == 1 && found.event == JOURNAL_PAUSED && found.route == 4);
	assert_string_equal(found.who, "ana");
	assert_string_equal(found.text, "why not");
	assert_int_equal(store_action_previous(s, 1, &found), ERR_NOTFOUND);
}

static void the_oldest_actions_go(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct action a = { .event = JOURNAL_KICKED };

	for (int n = 0; n < ACTIONS_MAX + 3; n++)
		store_action_add(s, &a);
	committed(s);
	assert_int_equal(store_action_previous(s, 5, &a), 0);
	assert_int_equal(a.number, 4);
	assert_int_equal(store_action_previous(s, 4, &a), ERR_NOTFOUND);
}

static void a_route_stays_as_it_was_set(void **state)
{
	struct fixture *f = *state;
	struct route_control c = { .paused = true, .at_us = 5, .who = "ana", .reason = "late" };
	struct key k = key_number(4);

	store_control_put(f->store, 4, &c);
	committed(f->store);
	store_close(f->store);
	fixture_open(f);
	memset(&c, 0, sizeof c);
	store_control_get(f->store, 4, &c);
	assert_true(c.paused && c.at_us == 5);
	assert_string_equal(c.who, "ana");
	assert_string_equal(c.reason, "late");
	store_control_get(f->store, 5, &c);
	assert_false(c.paused);
	table_put(f->store, TABLE_CONTROL, &k, "damaged", 7);
	store_control_get(f->store, 4, &c);
	assert_true(c.paused);
}

/* --- notices --------------------------------------------------------------------------------- */

static void notices_are_told_in_order_and_trimmed(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t first = store_notice_add(s, 3, false, (const uint8_t *)"one", 3);
	uint64_t other = store_notice_add(s, 4, false, (const uint8_t *)"other", 5);
	uint64_t last = store_notice_add(s, 3, true, (const uint8_t *)"two", 3);
	struct notice_row row;

	assert_true(first < other && other < last && last == store_last_notice(s));
	assert_int_equal(committed(s).notices, 3);
	assert_int_equal(store_notice_next(s, 3, 0, &row), 0);
	assert_true(row.number == first && !row.for_any);
	assert_true(row.n == 3 && memcmp(row.body, "one", 3) == 0);
	assert_int_equal(store_notice_next(s, 3, first, &row), 0);
	assert_true(row.number == last && row.for_any);
	assert_true(row.n == 3 && memcmp(row.body, "two", 3) == 0);
	assert_int_equal(store_notice_next(s, 3, last, &row), ERR_NOTFOUND);
	assert_int_equal(store_notice_trim(s, 3, first, 10), 1);
	assert_int_equal(store_notice_trim(s, 3, UINT64_MAX, 0), 0);
	assert_int_equal(store_notice_trim(s, 3, UINT64_MAX, 10), 1);
	assert_int_equal(committed(s).notices, 1);
	assert_int_equal(store_notice_trim(s, 4, UINT64_MAX, 10), 1);
	committed(s);
	assert_int_equal(store_history_bytes(s), 0);
}

static void a_notice_moves_whole_and_under_a_new_number(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t was = store_notice_add(s, 3, true, (const uint8_t *)"one", 3), now;
	uint64_t bytes = store_history_bytes(s);
	struct notice_row row;

	assert_int_equal(store_notice_next(s, 3, 0, &row), 0);
	now = store_notice_move(s, 3, &row, 4);
	assert_true(now > was && now == store_last_notice(s));
	assert_int_equal(store_notice_next(s, 3, 0, &row), ERR_NOTFOUND);
	assert_int_equal(store_notice_next(s, 4, 0, &row), 0);
	assert_true(row.number == now && row.for_any);
	assert_true(row.n == 3 && memcmp(row.body, "one", 3) == 0);
	assert_int_equal(committed(s).notices, 1);
	assert_int_equal(store_history_bytes(s), bytes);
}

static void a_damaged_notice_is_skipped_and_trimmed(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct key k = key_ended(3, store_notice_add(s, 3, false, (const uint8_t *)"one", 3));
	struct notice_row row;

	table_put(s, TABLE_NOTICE, &k, "abcd\0xyz", 8);
	assert_int_equal(store_notice_next(s, 3, 0, &row), ERR_NOTFOUND);
	assert_int_equal(store_notice_trim(s, 3, UINT64_MAX, 10), 1);
	assert_int_equal(committed(s).notices, 0);
}

/* --- the boot -------------------------------------------------------------------------------- */

static void the_boot_is_remembered(void **state)
{
	struct fixture *f = *state;
	struct store_boot b = store_boot(f->store);
	const struct uuid none = { { 0 } };

	assert_true(uuid_equal(&b.boot_id, &none));
	b = (struct store_boot){ .boot_id = id_of(9), .offset_ms = -12 };
	store_set_boot(f->store, &b);
	committed(f->store);
	store_close(f->store);
	fixture_open(f);
	struct store_boot found = store_boot(f->store);
	assert_true(uuid_equal(&found.boot_id, &b.boot_id) && found.offset_ms == -12);
}

/* Formats below 4 had their record where it is now, and 4 in a tree that it shared with others. */
static void assert_refused(struct fixture *f, const char *table, MDB_val key, const char *record,
    const char *words)
{
	struct store_options o = { .path = f->dir, .size = 64u << 20 };
	MDB_txn *txn = store_writer(f->store);
	MDB_val v = { 12, (void *)(uintptr_t)record };
	struct store *s;
	char why[256];
	MDB_dbi older;

	assert_int_equal(mdb_drop(txn, f->store->tables[TABLE_META], 1), 0);
	assert_int_equal(mdb_dbi_open(txn, table, MDB_CREATE, &older), 0);
	assert_int_equal(mdb_put(txn, older, &key, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	f->store->turn = NULL;
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(store_open(&o, &s, why, sizeof why), ERR_VERSION);
	assert_non_null(strstr(why, words));
}

static void format_3_is_refused_in_words(void **state)
{
	assert_refused(*state, "meta", (MDB_val){ 5, "store" }, "handoff\n\3\0\0\0",
	    "the store has format 3, this broker knows format 5");
}

static void format_4_is_refused_in_words(void **state)
{
	assert_refused(*state, "custody", (MDB_val){ 6, "\1store" }, "handoff\n\4\0\0\0",
	    "the store has format 4, this broker knows format 5");
}

/* LMDB led to where the record's tree began a commit ago: it is whole, and what it says is old. */
static void a_record_of_an_earlier_commit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_options o = { .path = f->dir, .size = 64u << 20 };
	struct key k = key_id(1);
	struct store *s;
	char why[256];

	table_put(f->store, TABLE_ACTION, &k, "of a turn that saved no meta", 28);
	assert_int_equal(mdb_txn_commit(f->store->turn), 0);
	f->store->turn = NULL;
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(store_open(&o, &s, why, sizeof why), ERR_CORRUPT);
	assert_non_null(strstr(why, "its record is of commit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(lines_come_back_in_order),
		STORE_TEST(a_long_journal_loses_its_second_oldest),
		STORE_TEST(a_line_s_text_is_cut),
		STORE_TEST(a_damaged_line_is_skipped),
		STORE_TEST(a_journal_of_nothing_is_a_disagreement),
		STORE_TEST(actions_are_read_from_the_newest),
		STORE_TEST(the_oldest_actions_go),
		STORE_TEST(a_route_stays_as_it_was_set),
		STORE_TEST(notices_are_told_in_order_and_trimmed),
		STORE_TEST(a_notice_moves_whole_and_under_a_new_number),
		STORE_TEST(a_damaged_notice_is_skipped_and_trimmed),
		STORE_TEST(the_boot_is_remembered),
		STORE_TEST(format_3_is_refused_in_words),
		STORE_TEST(format_4_is_refused_in_words),
		STORE_TEST(a_record_of_an_earlier_commit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
