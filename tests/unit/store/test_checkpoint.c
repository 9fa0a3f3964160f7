/* test_checkpoint.c - when a turn ends with a commit of LMDB, and what that leaves */
#include <endian.h>

#include "redo_fixture.h"

/* --- checkpoints ----------------------------------------------------------------------------- */

/* What is copied then needs no log. */
static void a_checkpoint_leaves_the_store_s_file_whole_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t before = digest_of(f->store);

	for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
		add_batch(f->store);
		end_turn_in_log(f->store);
		uint64_t with = digest_of(f->store);
		if (checkpoint)
			assert_int_equal(store_checkpoint(f->store), 0);
		stop(f);
		cut(f, 0);
		fixture_open(f);
		assert_int_equal(digest_of(f->store), checkpoint ? with : before);
	}
}

/* Behind a checkpoint: what comes is in the log alone, and is done again. */
static void assert_the_log_goes_on(struct fixture *f)
{
	add_batch(f->store);
	end_turn_in_log(f->store);
	uint64_t digest = digest_of(f->store);
	start_again(f);
	assert_int_equal(digest_of(f->store), digest);
}

/* Of rows that are not too long for the log themselves: the turn has so many bytes, or some more. */
static void fill_turn(struct store *s, size_t bytes)
{
	while (s->redo.n + 101000 < bytes)
		add_large(s, 100000);
	add_large(s, bytes - s->redo.n);
}

static void a_turn_longer_than_a_quarter_of_the_log_ends_with_a_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;
	size_t most = log_length(f) / 4;

	fill_turn(s, most - REDO_PAGE);
	end_turn_in_log(s);
	fill_turn(s, most);
	assert_true(ends_with_a_checkpoint(s));
	assert_int_equal(s->redo.at, 0);
	assert_the_log_goes_on(f);
}

/* It would be written twice. */
static void a_large_payload_ends_with_a_checkpoint(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	add_large(s, 128 * 1024);
	assert_true(ends_with_a_checkpoint(s));
}

/* Its quarter is no whole page: the longest turn ends at the last that is. */
static void the_longest_turn_ends_with_a_page(void **state)
{
	struct fixture *f = *state;
	struct store_options o = { .path = f->dir, .size = 100 * 1000 * 1000 };
	char path[128], why[256];

	stop(f);
	snprintf(path, sizeof path, "%s/custody.mdb", f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_open(&o, &f->store, why, sizeof why), 0);
	size_t quarter = log_length(f) / 4;
	assert_int_not_equal(quarter % REDO_PAGE, 0);
	fill_turn(f->store, quarter - 700);
	assert_true(ends_with_a_checkpoint(f->store));
}

static void a_full_log_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;
	size_t before = commits_of_lmdb(s);
	int turns = 0;

	for (; commits_of_lmdb(s) == before && turns < 100; turns++) {
		s->pages_used = 0;	/* as in a store to which they are nothing */
		add_large(s, 60000);
		end_turn(s);
	}
	assert_int_equal(turns, log_length(f) / (15 * REDO_PAGE) + 1);
	assert_int_equal(s->redo.at, 0);
	assert_the_log_goes_on(f);
}

/* What is freed would be usable two checkpoints later. */
static void a_store_that_is_nearly_full_checkpoints_each_turn(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	while (store_has_room(s, 1 << 17, 0)) {
		add_large(s, 1 << 17);
		end_turn(s);
	}
	add_batch(s);
	assert_true(ends_with_a_checkpoint(s));
	add_batch(s);
	assert_true(ends_with_a_checkpoint(s));
}

/* Of ids that are so far from each other, by the time that they begin with. */
static void end_batches(struct store *s, uint64_t from, uint64_t n, uint64_t step)
{
	for (uint64_t i = from; i < from + n; i++) {
		struct uuid id = id_of(i);
		uint64_t ms = htobe64((i * step) << 16);
		memcpy(id.b, &ms, 6);
		struct key k = key_identity(ROUTE, &id);
		table_put(s, TABLE_IDENTITY_ENDED, &k, "row", 3);
	}
	s->pages_used = 0;	/* as in a store to which they are nothing */
}

/* Each may have a page of its own in memory. */
static void many_rows_in_no_order_end_with_a_checkpoint(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t rows = 0;

	for (bool ended = false; !ended; rows += 64) {
		assert_true(rows <= 1024);
		end_batches(s, rows, 64, UINT64_C(0x9e3779b97f4a7c15));
		ended = ends_with_a_checkpoint(s);
	}
	assert_int_equal(rows, 1024 + 64);
	add_batch(s);
	end_turn_in_log(s);
}

static void as_many_that_are_near_each_other_do_not(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	for (uint64_t rows = 0; rows < 2048; rows += 64) {
		end_batches(s, rows, 64, 100);
		end_turn_in_log(s);
	}
}

/*
 * Small ones share their pages, which are copied for it; a large one has its own, and is not. What
 * came since the latest checkpoint is in memory as it is.
 */
static void many_small_payloads_that_have_gone_end_with_a_checkpoint(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	const size_t sizes[] = { 1000, 3000, 1000 };

	for (int n = 0; n < 3; n++) {
		add_large(s, sizes[n]);
		assert_int_equal(store_commit(s), 0);
		if (n < 2)
			assert_int_equal(store_checkpoint(s), 0);
		s->bytes_touched = (4u << 20) - 500;	/* as behind some thousand others */
		struct key k = key_id(s->meta.last_id);
		payload_del(s, &k, sizes[n]);
		assert_int_equal(ends_with_a_checkpoint(s), n == 0);
	}
}

/* --- room that is there behind a checkpoint -------------------------------------------------- */

static void what_finds_no_room_is_ended_with_a_checkpoint(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t most = store_size_bytes(s);

	for (int n = 0; n < 20; n++) {
		add_batch(s);
		end_turn_in_log(s);
	}
	assert_false(store_has_room(s, most, 0));	/* whatever there is: it counts anew */
	assert_true(ends_with_a_checkpoint(s));
	assert_false(store_has_room(s, most, 0));	/* nothing is to be gained any more */
	add_batch(s);
	end_turn_in_log(s);
	store_nudge(s);
	assert_true(ends_with_a_checkpoint(s));
}

/* --- a disk that refuses --------------------------------------------------------------------- */

static void a_log_that_cannot_be_written_fails_the_commit(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;

	add_batch(s);
	end_turn_in_log(s);
	uint64_t digest = digest_of(s);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	assert_true(dup2(full, s->redo.fd) >= 0);
	close(full);
	add_batch(s);
	assert_int_equal(store_commit(s), ERR_IO);
	assert_int_equal(store_commit(s), ERR_IO);
	assert_int_equal(store_checkpoint(s), ERR_IO);	/* it would make durable what has failed */
	start_again(f);
	assert_int_equal(digest_of(f->store), digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_checkpoint_leaves_the_store_s_file_whole_alone),
		STORE_TEST(a_turn_longer_than_a_quarter_of_the_log_ends_with_a_checkpoint),
		STORE_TEST(the_longest_turn_ends_with_a_page),
		STORE_TEST(a_large_payload_ends_with_a_checkpoint),
		STORE_TEST(a_full_log_begins_anew),
		STORE_TEST(a_store_that_is_nearly_full_checkpoints_each_turn),
		STORE_TEST(many_rows_in_no_order_end_with_a_checkpoint),
		STORE_TEST(as_many_that_are_near_each_other_do_not),
		STORE_TEST(many_small_payloads_that_have_gone_end_with_a_checkpoint),
		STORE_TEST(what_finds_no_room_is_ended_with_a_checkpoint),
		STORE_TEST(a_log_that_cannot_be_written_fails_the_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
