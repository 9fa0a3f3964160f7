/* test_alias.c - one row a turn, an append; nothing of an intake that was aborted */
#include "base/digest.h"
#include "fixture.h"

static void add_alias(struct store *s, uint64_t id, const char *correlation)
{
	struct uuid batch_id = id_of(id), message_id = id_of(id + 1000000);

	store_alias_add(s, id, ROUTE, &batch_id, &message_id, correlation, strlen(correlation));
}

/* A batch taken with its alias: as core does it. */
static struct batch take(struct store *s, const char *correlation)
{
	struct batch b = new_batch(s);
	size_t n;

	store_intake_begin(s);
	const uint8_t *p = payload_of(b.id, &n);
	store_batch_insert(s, &b, p, n);
	add_alias(s, b.id, correlation);
	assert_int_equal(store_intake_end(s), 0);
	return b;
}

struct seen {
	unsigned count, most;
	struct alias last;
};

static bool see(void *arg, const struct alias *a)
{
	struct seen *seen = arg;

	seen->last = *a;
	return ++seen->count != seen->most;
}

static unsigned count_aliases(struct store *s)
{
	struct seen seen = { 0 };
	uint64_t after = 0;

	while (store_alias_scan(s, &after, 2, see, &seen))
		;
	return seen.count;
}

static void a_turn_s_aliases_are_one_row(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct seen seen = { 0 };
	uint64_t after = 0;

	take(s, "first");
	struct batch b = take(s, "a correlation_id");
	struct store_tally t = committed(s);
	assert_int_equal(t.aliases, 1);
	assert_true(store_alias_bytes(s) > 0);
	assert_int_equal(store_history_bytes(s), store_alias_bytes(s));
	assert_true(store_alias_scan(s, &after, 1, see, &seen));
	assert_false(store_alias_scan(s, &after, 1, see, &seen));
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.last.route, ROUTE);
	assert_true(uuid_equal(&seen.last.batch_id, &b.batch_id));
	struct uuid message_id = id_of(b.id + 1000000);
	assert_true(uuid_equal(&seen.last.message_id, &message_id));
	assert_int_equal(seen.last.correlation_hash, crc32c(0, "a correlation_id", 16));
	assert_memory_equal(seen.last.correlation, "a correl", 8);
}

static void a_batch_without_correlation_has_an_alias(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = new_batch(s);

	insert(s, &b);
	store_alias_add(s, b.id, ROUTE, &b.batch_id, &b.batch_id, NULL, 0);
	committed(s);
	assert_int_equal(count_aliases(s), 1);
}

static void the_taking_costs_memory_alone(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	take(s, "x");
	uint64_t before = store_operations(s);
	for (uint64_t n = 0; n < 100; n++)
		add_alias(s, store_next_id(s), "x");
	assert_int_equal(store_operations(s), before);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_operations(s), before + 2);	/* the row, and meta */
	assert_int_equal(count_aliases(s), 101);
}

static void an_aborted_intake_leaves_no_alias(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	take(s, "kept");
	store_intake_begin(s);
	add_alias(s, store_next_id(s), "gone");
	store_intake_abort(s);
	take(s, "kept as well");
	committed(s);
	assert_int_equal(count_aliases(s), 2);
	store_intake_begin(s);
	add_alias(s, store_next_id(s), "gone");
	store_intake_abort(s);
	assert_int_equal(committed(s).aliases, 1);
}

static void a_full_buffer_is_written_at_once(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	/* Without an intake, as one by one, and inside a single one that is aborted. */
	for (unsigned n = 0; n < 700; n++)
		add_alias(s, store_next_id(s), "x");
	for (unsigned n = 0; n < 700; n++)
		take(s, "y");
	store_intake_begin(s);
	for (unsigned n = 0; n < 700; n++)
		add_alias(s, store_next_id(s), "z");
	store_intake_abort(s);
	take(s, "last");
	struct store_tally t = committed(s);
	assert_true(t.aliases >= 4 && t.aliases <= 6);
	assert_int_equal(count_aliases(s), 1401);
}

static void rows_of_a_turn_may_meet_in_one_id(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	add_batch(s);
	for (unsigned n = 0; n < 700; n++)
		add_alias(s, 1, "x");
	committed(s);
	assert_int_equal(count_aliases(s), 700);
}

static void a_scan_stops_where_it_is_told(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct seen seen = { .most = 2 };
	uint64_t after = 0;

	for (unsigned n = 0; n < 5; n++)
		take(s, "x");
	committed(s);
	assert_true(store_alias_scan(s, &after, 10, see, &seen));
	assert_int_equal(seen.count, 2);
}

static void the_oldest_rows_are_trimmed(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;
	struct batch b[6];

	for (unsigned n = 0; n < 6; n++) {
		b[n] = take(s, "x");
		if (n % 2)
			committed(s);
	}
	assert_false(store_alias_trim(s, b[1].id, 10));	/* its newest is not below */
	assert_int_equal(committed(s).aliases, 3);
	assert_true(store_alias_trim(s, UINT64_MAX, 1));
	assert_int_equal(committed(s).aliases, 2);
	assert_false(store_alias_trim(s, b[4].id, 10));
	assert_int_equal(committed(s).aliases, 1);
	assert_int_equal(count_aliases(s), 2);
	store_close(s);
	fixture_open(f);
	assert_int_equal(count_aliases(f->store), 2);
	take(f->store, "after a restart");
	committed(f->store);
	assert_int_equal(count_aliases(f->store), 3);
	assert_false(store_alias_trim(f->store, UINT64_MAX, 10));
	committed(f->store);
	assert_int_equal(store_history_bytes(f->store), 0);
}

static void a_damaged_row_is_skipped_and_trimmed(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = take(s, "x");
	struct key k = key_id(b.id);
	uint8_t bytes[256];
	MDB_val v;

	committed(s);
	assert_true(table_get(s, TABLE_ALIAS, &k, &v));
	memcpy(bytes, v.mv_data, v.mv_size);
	bytes[20] ^= 1;
	table_put(s, TABLE_ALIAS, &k, bytes, v.mv_size);
	assert_int_equal(count_aliases(s), 0);
	assert_false(store_alias_trim(s, b.id, 10));
	assert_false(store_alias_trim(s, b.id + 1, 10));
	assert_int_equal(committed(s).aliases, 0);
	assert_int_equal(store_alias_bytes(s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_turn_s_aliases_are_one_row),
		STORE_TEST(a_batch_without_correlation_has_an_alias),
		STORE_TEST(the_taking_costs_memory_alone),
		STORE_TEST(an_aborted_intake_leaves_no_alias),
		STORE_TEST(a_full_buffer_is_written_at_once),
		STORE_TEST(rows_of_a_turn_may_meet_in_one_id),
		STORE_TEST(a_scan_stops_where_it_is_told),
		STORE_TEST(the_oldest_rows_are_trimmed),
		STORE_TEST(a_damaged_row_is_skipped_and_trimmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
