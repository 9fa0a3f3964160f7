/* test_error.c - the error queue: what comes back, by which index, what goes first, what is known */
#include "fixture.h"

static void set_text(char *out, uint16_t *n, const char *text)
{
	*n = (uint16_t)strlen(text);
	memcpy(out, text, *n);
}

static struct error_record error_of(const char *code, const char *correlation)
{
	struct error_record e = { .at_us = 5, .at_ms = 7, .module = 3, .severity = 1 };

	set_text(e.code, &e.code_len, code);
	set_text(e.correlation, &e.correlation_len, correlation);
	return e;
}

static uint64_t add(struct store *s, const char *code, const char *correlation)
{
	struct error_record e = error_of(code, correlation);

	store_error_add(s, &e);
	return e.number;
}

static uint64_t add_of_record(struct store *s, const char *correlation, const char *record_id)
{
	struct error_record e = error_of("BAD", correlation);

	e.of_record = true;
	set_text(e.record_id, &e.record_id_len, record_id);
	store_error_add(s, &e);
	return e.number;
}

static void an_error_comes_back_whole(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct error_record e = error_of("BETA_007", "day 1"), found;
	uint8_t raw[ERROR_RAW_MAX];

	memset(raw, 'x', sizeof raw);
	e.raw = raw;
	e.raw_len = sizeof raw;
	e.has_batch = true;
	e.batch_id = id_of(9);
	e.error_id = id_of(10);
	e.route = 4, e.instance = 5, e.recoverability = 2, e.scope = 3, e.action = 1;
	set_text(e.record_id, &e.record_id_len, "r-1");
	set_text(e.text, &e.text_len, "no such day");
	store_error_add(s, &e);
	assert_int_equal(committed(s).errors, 1);
	assert_int_equal(store_error_get(s, e.number, &found), 0);
	assert_int_equal(found.raw_len, sizeof raw);
	assert_memory_equal(found.raw, raw, sizeof raw);
	found.raw = e.raw;
	assert_memory_equal(found.code, "BETA_007", 8);
	assert_memory_equal(found.record_id, "r-1", 3);
	assert_memory_equal(found.text, "no such day", 11);
	assert_true(found.has_batch && uuid_equal(&found.batch_id, &e.batch_id));
	assert_true(uuid_equal(&found.error_id, &e.error_id));
	assert_true(found.at_us == 5 && found.at_ms == 7 && found.module == 3 && found.route == 4 &&
	    found.instance == 5 && found.severity == 1 && found.recoverability == 2 &&
	    found.scope == 3 && found.action == 1);
	store_read_end(s);
}

static void each_index_finds_its_own_the_newest_first(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t a = add(s, "A", "day 1"), b = add(s, "B", "day 1"), c = add(s, "A", "day 2");
	struct error_record e;

	committed(s);
	assert_int_equal(store_error_previous_by(s, ERRORS_BY_CODE, "A", 1, UINT64_MAX, &e), 0);
	assert_int_equal(e.number, c);
	assert_int_equal(store_error_previous_by(s, ERRORS_BY_CODE, "A", 1, c, &e), 0);
	assert_int_equal(e.number, a);
	assert_int_equal(store_error_previous_by(s, ERRORS_BY_CODE, "A", 1, a, &e), ERR_NOTFOUND);
	assert_int_equal(
	    store_error_previous_by(s, ERRORS_BY_CORRELATION, "day 1", 5, UINT64_MAX, &e), 0);
	assert_int_equal(e.number, b);
	assert_int_equal(store_error_previous(s, UINT64_MAX, &e), 0);
	assert_int_equal(e.number, c);
	store_read_end(s);
}

static void count_record(void *arg, const char *code, size_t code_n, const char *id, size_t id_n)
{
	unsigned *count = arg;

	assert_memory_equal(code, "BAD", code_n);
	assert_memory_equal(id, *count == 0 ? "r1" : "r2", id_n);
	++*count;
}

static void record_errors_are_known_without_a_look(void **state)
{
	struct fixture *f = *state;
	uint64_t before;
	unsigned count = 0;

	add(f->store, "A", "day 1");
	add_of_record(f->store, "day 2", "r1");
	add_of_record(f->store, "day 2", "r2");
	committed(f->store);
	store_close(f->store);
	fixture_open(f);
	before = store_operations(f->store);
	assert_false(store_error_may_have_records(f->store, "day 1", 5));
	assert_true(store_error_may_have_records(f->store, "day 2", 5));
	assert_int_equal(store_operations(f->store), before);
	store_error_walk_records(f->store, "day 2", 5, count_record, &count);
	assert_int_equal(count, 2);
	store_read_end(f->store);
	for (int n = 0; n < 3; n++)
		store_error_trim(f->store);
	assert_false(store_error_may_have_records(f->store, "day 2", 5));
}

static void what_is_forgotten_leaves_nothing_and_its_number(void **state)
{
	struct fixture *f = *state;
	uint64_t bytes = store_history_bytes(f->store), last = 0;

	for (int n = 0; n < 5; n++)
		last = add_of_record(f->store, "day 1", "r1");
	for (int n = 0; n < 5; n++)
		store_error_trim(f->store);
	assert_int_equal(committed(f->store).errors, 0);
	assert_int_equal(store_history_bytes(f->store), bytes);
	store_close(f->store);
	fixture_open(f);
	assert_int_equal(add(f->store, "A", "day 1"), last + 1);
	committed(f->store);
}

static void alerts_outlive_their_errors_up_to_a_ceiling(void **state)
{
	struct fixture *f = *state;
	struct error_record e = error_of("A", "day 1"), found;

	for (int n = 0; n < ALERTS_MAX + 3; n++) {
		store_error_add(f->store, &e);
		store_alert_add(f->store, &e);
		store_error_trim(f->store);
	}
	assert_int_equal(committed(f->store).alerts, ALERTS_MAX);
	store_close(f->store);
	fixture_open(f);
	assert_int_equal(store_alert_previous(f->store, UINT64_MAX, &found), 0);
	assert_int_equal(found.number, e.number);
	store_alert_del(f->store, e.number);
	assert_int_equal(store_alert_count(f->store), ALERTS_MAX - 1);
	committed(f->store);
}

static void the_oldest_goes_beyond_the_ceiling(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct error_record e;
	uint64_t first = add(s, "A", "day 1");

	for (int n = 0; n < ERRORS_MAX; n++)
		add(s, "A", "day 1");
	assert_int_equal(store_error_count(s), ERRORS_MAX);
	assert_int_equal(store_error_oldest(s, &e), 0);
	assert_int_equal(e.number, first + 1);
}

static void a_damaged_row_goes_with_all_that_hangs_on_it(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct key k = key_id(add(s, "A", "day 1"));

	add(s, "A", "day 1");
	table_put(s, TABLE_ERROR, &k, "damage", 6);
	store_error_trim(s);
	assert_int_equal(store_error_count(s), 1);
	assert_int_equal(store_commit(s), 0);
	struct store_tally t;
	char why[256];
	/* the six bytes cost less than what was there: only the bytes cannot be right */
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_non_null(strstr(why, "bytes of history"));
	store_read_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(an_error_comes_back_whole),
		STORE_TEST(each_index_finds_its_own_the_newest_first),
		STORE_TEST(record_errors_are_known_without_a_look),
		STORE_TEST(what_is_forgotten_leaves_nothing_and_its_number),
		STORE_TEST(alerts_outlive_their_errors_up_to_a_ceiling),
		STORE_TEST(the_oldest_goes_beyond_the_ceiling),
		STORE_TEST(a_damaged_row_goes_with_all_that_hangs_on_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
