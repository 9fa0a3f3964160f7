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

	store_intake_begin(s, STORE_INTAKE_CHILD);
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

static const struct alias_query everything = { .all = true };

static unsigned count_found(struct store *s, const struct alias_query *q)
{
	struct seen seen = { 0 };
	uint64_t after = 0;

	while (store_alias_scan(s, q, &after, 2, see, &seen))
		;
	return seen.count;
}

static unsigned count_aliases(struct store *s)
{
	return count_found(s, &everything);
}

/* In how many rows of one alias each. */
static unsigned count_rows(struct store *s, const char *text, bool beginnings)
{
	const struct alias_query q = alias_query_of(text, beginnings);

	return count_found(s, &q);
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
	assert_false(store_alias_scan(s, &everything, &after, 1, see, &seen));
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
	store_intake_begin(s, STORE_INTAKE_CHILD);
	add_alias(s, store_next_id(s), "gone");
	store_intake_abort(s);
	take(s, "kept as well");
	committed(s);
	assert_int_equal(count_aliases(s), 2);
	store_intake_begin(s, STORE_INTAKE_CHILD);
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
	store_intake_begin(s, STORE_INTAKE_CHILD);
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
	assert_true(store_alias_scan(s, &everything, &after, 10, see, &seen));
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

static void damage(struct store *s, enum table t, uint64_t id)
{
	struct key k = key_id(id);
	uint8_t bytes[ALIAS_FILTER_BYTES];
	MDB_val v;

	assert_true(table_get(s, t, &k, &v));
	memcpy(bytes, v.mv_data, v.mv_size);
	bytes[v.mv_size / 2] ^= 1;
	table_put(s, t, &k, bytes, v.mv_size);
}

static void a_damaged_row_is_skipped_and_trimmed(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = take(s, "x");

	committed(s);
	damage(s, TABLE_ALIAS_NEW, b.id);
	assert_int_equal(count_aliases(s), 0);
	assert_false(store_alias_trim(s, b.id, 10));
	assert_false(store_alias_trim(s, b.id + 1, 10));
	assert_int_equal(committed(s).aliases, 0);
	assert_int_equal(store_alias_bytes(s), 0);
}

static unsigned count_table(struct store *s, enum table t)
{
	struct key k = key_id(0);
	struct table_walk walk;
	MDB_val key, v;
	unsigned n = 0;

	assert_true(table_walk_begin(s, t, &k, &walk));
	while (table_walk_next(&walk, &key, &v))
		n++;
	table_walk_end(&walk);
	store_read_end(s);
	return n;
}

/* A row for each of many lone batches: they wait where a turn writes anyway, and go together. */
static void rows_of_lone_batches_wait_for_each_other(void **state)
{
	struct fixture *f = *state;
	unsigned moves = 0, waited = 0;

	for (unsigned n = 1; n <= 40; n++) {
		take(f->store, "x");
		assert_int_equal(committed(f->store).aliases, n);
		unsigned waits = count_table(f->store, TABLE_ALIAS_NEW);
		moves += waits < waited;
		waited = waits;
		assert_int_equal(count_table(f->store, TABLE_ALIAS), n - waits);
		assert_int_equal(count_aliases(f->store), n);
		if (n % 7 == 0) {
			store_close(f->store);
			fixture_open(f);
		}
	}
	assert_true(moves >= 3 && moves <= 6);
}

static void a_long_row_comes_behind_those_that_wait(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = take(s, "x");

	committed(s);
	damage(s, TABLE_ALIAS_NEW, b.id);
	assert_int_equal(store_commit(s), 0);
	for (unsigned n = 0; n < 10; n++)
		take(s, "y");
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(count_table(s, TABLE_ALIAS_NEW), 0);
	assert_int_equal(count_table(s, TABLE_ALIAS), 2);
	assert_int_equal(count_aliases(s), 10);		/* damage stays damage */
	assert_int_equal(store_alias_first(s), b.id);
}

/* id_of() differs in the last bytes: these do in the first. */
static void take_named(struct store *s, uint8_t first, const char *correlation)
{
	struct batch b = add_batch(s);
	struct uuid message_id = { { first, 0xbc, 0xde, 0xf0, 0x12 } };

	store_alias_add(s, b.id, ROUTE, &b.batch_id, &message_id, correlation,
	    strlen(correlation));
	committed(s);
}

static void a_search_reads_only_rows_that_may_match(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	take_named(s, 0x0a, "invoice 7");
	take_named(s, 0x1a, "invoice 8");
	take_named(s, 0x1a, "delivery");
	assert_int_equal(count_rows(s, "invoice 7", false), 1);
	assert_int_equal(count_rows(s, "invoice 7", true), 2);
	assert_int_equal(count_rows(s, "invoice", false), 3);	/* in no filter */
	assert_int_equal(count_rows(s, "delivery", false), 1);
	assert_int_equal(count_rows(s, "deliver ", false), 0);
	assert_int_equal(count_rows(s, "0abcdef0", false), 1);
	assert_int_equal(count_rows(s, "1ABCDEF0-12", false), 2);
	assert_int_equal(count_rows(s, "1abcdef1-12", false), 0);
	assert_int_equal(count_rows(s, "1abcdef0-12", true), 0);
	assert_int_equal(count_rows(s, "1abcdef of something longer than an id", false), 0);
}

static void eight_bytes_are_a_beginning(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	take_named(s, 0x0a, "invoice 7");
	take_named(s, 0x1a, "something");
	assert_int_equal(count_rows(s, "invoice ", false), 1);
}

/* Until a row of the filter is written: the key of it. */
static uint64_t fill_filter(struct store *s)
{
	struct key begin = key_id(0);
	uint64_t last = 0;
	MDB_val found, v;

	while (!table_seek(s, TABLE_ALIAS_FILTER, &begin, &found, &v)) {
		char text[32];
		struct batch b = add_batch(s);

		snprintf(text, sizeof text, "batch number %llu", (unsigned long long)b.id);
		add_alias(s, b.id, text);
		assert_int_equal(store_commit(s), 0);
		last = b.id;
	}
	assert_int_equal(key_get64(found.mv_data), last - 1);
	store_read_end(s);
	return last - 1;
}

static void many_rows_share_a_filter(void **state)
{
	struct fixture *f = *state;
	uint64_t last = fill_filter(f->store);
	char text[32];

	assert_true(last > 400);
	assert_int_equal(committed(f->store).alias_filters, 1);
	for (uint64_t id = 1; id <= last + 1; id++) {
		snprintf(text, sizeof text, "batch number %llu", (unsigned long long)id);
		assert_in_range(count_rows(f->store, text, false), 1, 2);
	}
	assert_in_range(count_rows(f->store, "batch number 0", false), 0, 1);
	assert_int_equal(count_aliases(f->store), last + 1);
}

/* What no row of the filter has yet is found, and written in its turn. */
static void a_restart_keeps_what_is_not_written(void **state)
{
	struct fixture *f = *state;

	take_named(f->store, 0x0a, "invoice 7");
	store_close(f->store);
	fixture_open(f);
	assert_false(store_is_in_turn(f->store));
	assert_int_equal(count_rows(f->store, "invoice 7", false), 1);
	assert_int_equal(count_rows(f->store, "invoice 8", false), 0);
	uint64_t last = fill_filter(f->store);
	store_close(f->store);
	fixture_open(f);
	assert_int_equal(count_rows(f->store, "invoice 7", false), 1);
	assert_int_equal(committed(f->store).alias_filters, 1);
	assert_int_equal(count_aliases(f->store), last + 1);
}

static void a_store_without_a_filter_gets_it(void **state)
{
	struct fixture *f = *state;
	uint64_t last = fill_filter(f->store);
	struct key k = key_id(last);
	MDB_val v;

	assert_true(table_get(f->store, TABLE_ALIAS_FILTER, &k, &v));
	f->store->meta.alias_bytes -= row_cost(k.n, v.mv_size);
	table_del(f->store, TABLE_ALIAS_FILTER, &k);
	assert_int_equal(store_commit(f->store), 0);
	store_close(f->store);
	fixture_open(f);
	assert_int_equal(committed(f->store).alias_filters, 1);
}

static void a_filter_goes_with_its_last_row(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t last = fill_filter(s);

	assert_false(store_alias_trim(s, last, 1000));
	assert_int_equal(committed(s).alias_filters, 1);
	assert_int_equal(count_aliases(s), 2);
	assert_int_equal(store_alias_first(s), last);
	assert_false(store_alias_trim(s, last + 1, 1000));
	assert_int_equal(committed(s).alias_filters, 0);
	assert_int_equal(count_aliases(s), 1);
	assert_false(store_alias_trim(s, last + 2, 1000));
	assert_int_equal(store_alias_bytes(s), 0);
	/* What was only in memory does not come back. */
	fill_filter(s);
	assert_int_equal(committed(s).alias_filters, 1);
	assert_false(store_alias_trim(s, UINT64_MAX, 2000));
	assert_int_equal(committed(s).alias_filters, 0);
	assert_int_equal(store_alias_bytes(s), 0);
}

static void a_damaged_filter_filters_nothing(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t last = fill_filter(s);
	char why[256] = "";
	struct store_tally t;

	assert_int_equal(count_rows(s, "nothing is called so", true), 0);
	damage(s, TABLE_ALIAS_FILTER, last);
	assert_int_equal(count_rows(s, "nothing is called so", true), last);
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_true(strstr(why, "is unreadable") != NULL);
	store_alias_trim(s, UINT64_MAX, 1000);
	assert_int_equal(committed(s).alias_filters, 0);
	assert_int_equal(store_alias_bytes(s), 0);
}

static void the_check_misses_what_no_filter_has(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t last = fill_filter(s);
	struct key k = key_id(last);
	char why[256] = "";
	struct store_tally t;

	table_del(s, TABLE_ALIAS_FILTER, &k);
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_string_equal(why, "no filter has the aliases from batch 1 on");
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
		STORE_TEST(rows_of_lone_batches_wait_for_each_other),
		STORE_TEST(a_long_row_comes_behind_those_that_wait),
		STORE_TEST(a_search_reads_only_rows_that_may_match),
		STORE_TEST(eight_bytes_are_a_beginning),
		STORE_TEST(many_rows_share_a_filter),
		STORE_TEST(a_restart_keeps_what_is_not_written),
		STORE_TEST(a_store_without_a_filter_gets_it),
		STORE_TEST(a_filter_goes_with_its_last_row),
		STORE_TEST(a_damaged_filter_filters_nothing),
		STORE_TEST(the_check_misses_what_no_filter_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
