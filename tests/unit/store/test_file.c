/* test_file.c - the store's file: made whole or not at all, and what rots in it */
#include <fcntl.h>
#include <sys/stat.h>

#include "fixture.h"

static void path_in(const struct fixture *f, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", f->dir, name);
}

static bool is_there(const struct fixture *f, const char *name)
{
	char path[128];

	path_in(f, name, path);
	return access(path, F_OK) == 0;
}

static void leave(const struct fixture *f, const char *name, size_t zeros)
{
	char path[128];

	path_in(f, name, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)zeros), 0);
	close(fd);
}

static void forget(struct fixture *f)
{
	char path[128];

	store_close(f->store);
	path_in(f, "custody.mdb", path);
	assert_int_equal(unlink(path), 0);
}

/* LMDB's first pages were not written when the power went: zeros, which it refuses to open. */
static void makes_again_what_a_start_that_was_cut_left_behind(void **state)
{
	struct fixture *f = *state;

	forget(f);
	leave(f, "custody.mdb.new", 8192);
	fixture_open(f);
	assert_false(is_there(f, "custody.mdb.new"));
	add_batch(f->store);
	assert_int_equal(committed(f->store).queued, 1);
}

static void assert_refused(struct fixture *f, const char *words)
{
	struct store_options o = { .path = f->dir, .size = 64u << 20 };
	char why[256] = "";

	f->store = NULL;
	assert_int_equal(store_open(&o, &f->store, why, sizeof why), ERR_CORRUPT);
	assert_non_null(strstr(why, words));
}

/* A disk or a person has emptied it: to begin with nothing would lose what was in custody. */
static void refuses_an_empty_file(void **state)
{
	struct fixture *f = *state;

	forget(f);
	leave(f, "custody.mdb", 0);
	assert_refused(f, "is cut short: it is empty");
}

/* Its batches would be nobody's, and what is repeated would be new. */
static void refuses_damaged_names(void **state)
{
	struct fixture *f = *state;
	struct key k = key_id(1);
	MDB_val key = { 4, "rone" }, v = { k.n, k.b };

	assert_true(store_route_number(f->store, "another") > 0);
	assert_int_equal(mdb_put(store_writer(f->store), f->store->tables[TABLE_NAME], &key, &v, 0),
	    0);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_checkpoint(f->store), 0);
	store_close(f->store);
	assert_refused(f, "names of routes and modules");
}

static void has_its_whole_size_as_soon_as_it_has_its_name(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	path_in(f, "custody.mdb", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true((uint64_t)st.st_blocks * 512 >= 64u << 20);
	assert_false(is_there(f, "custody.mdb.new"));
	assert_false(is_there(f, "custody.mdb.new-lock"));
}

/* LMDB would make it again, empty, and nobody would miss what was in it. */
static void refuses_a_store_that_misses_a_table(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mdb_drop(store_writer(f->store), f->store->tables[TABLE_ENDED], 1), 0);
	store_nudge(f->store);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_checkpoint(f->store), 0);
	store_close(f->store);
	assert_refused(f, "the store's table ended cannot be opened");
}

/* A look at how much room there is begins a write transaction, and writes nothing. */
static void a_turn_that_has_only_looked_is_no_commit(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	MDB_envinfo before, after;

	assert_int_equal(mdb_env_info(s->env, &before), 0);
	assert_true(store_free_bytes(s) > 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(mdb_env_info(s->env, &after), 0);
	assert_int_equal(store_commits(s), 0);
	assert_int_equal(after.me_last_txnid, before.me_last_txnid);
}

/* LMDB would go back to the commit before, and what was taken since would be gone. */
static void refuses_commits_that_do_not_follow_each_other(void **state)
{
	struct fixture *f = *state;
	char path[128];
	uint64_t n[2];

	add_batch(f->store);
	assert_int_equal(store_commit(f->store), 0);
	store_close(f->store);
	path_in(f, "custody.mdb", path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &n[0], 8, 144), 8);
	assert_int_equal(pread(fd, &n[1], 8, 4096 + 144), 8);
	assert_int_equal(n[0] > n[1] ? n[0] - n[1] : n[1] - n[0], 1);
	n[n[1] > n[0]] ^= 4;
	assert_int_equal(pwrite(fd, &n[0], 8, 144), 8);
	assert_int_equal(pwrite(fd, &n[1], 8, 4096 + 144), 8);
	close(fd);
	assert_refused(f, "its two latest commits are");
}

/* --- rows that rot: the key, or where the value stands --------------------------------------- */

/* The row of one key, as LMDB has it, under another as well. */
static void misplace(struct store *s, enum table t, struct key from, struct key to)
{
	uint8_t bytes[2048];
	MDB_val v;

	assert_true(table_get(s, t, &from, &v));
	assert_true(v.mv_size <= sizeof bytes);
	memcpy(bytes, v.mv_data, v.mv_size);
	table_del(s, t, &from);
	table_put(s, t, &to, bytes, v.mv_size);
}

static void another_s_payload_is_damage(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_batch(s), b = add_batch(s);
	const uint8_t *p;
	size_t n;

	misplace(s, TABLE_PAYLOAD, key_id(a.id), key_id(b.id));
	assert_int_equal(store_payload_get(s, b.id, true, &p, &n), ERR_CORRUPT);
}

static void another_s_record_is_damage(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_batch(s), b;

	misplace(s, TABLE_QUEUE, key_queue(ROUTE, QUEUE_READY_NORMAL, a.id),
	    key_queue(ROUTE, QUEUE_READY_NORMAL, a.id + 8));
	assert_int_equal(store_ready_first(s, ROUTE, CLASS_NORMAL, &b), ERR_CORRUPT);
	assert_int_equal(b.id, a.id + 8);
}

static void another_s_letter_is_damage_and_is_passed(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_batch(s), b;
	struct ended e;

	bury(s, &a);
	misplace(s, TABLE_DEAD, key_route_id(ROUTE, a.id), key_route_id(ROUTE, a.id + 8));
	assert_int_equal(store_dead_get(s, ROUTE, a.id + 8, &b, &e), ERR_CORRUPT);
	assert_int_equal(store_dead_next(s, ROUTE, 0, &b, &e), ERR_CORRUPT);
	assert_int_equal(store_dead_next(s, ROUTE, b.id, &b, &e), ERR_NOTFOUND);
}

static void another_s_end_is_passed(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_batch(s), b = add_batch(s);
	struct ended e = bury(s, &a), next = bury(s, &b);

	misplace(s, TABLE_ENDED, key_ended(SOURCE, next.notice),
	    key_ended(SOURCE, next.notice + 8));
	assert_int_equal(store_ended_next(s, SOURCE, e.notice, &e), ERR_NOTFOUND);
}

/* What is redriven on an ordered route gets another id; what was damaged does not become whole. */
static void a_payload_that_moves_stays_whole_or_damaged(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_batch(s), b = add_batch(s);
	struct key k = key_id(b.id);
	uint8_t row[64] = { 0 };
	const uint8_t *p;
	size_t n;

	table_put(s, TABLE_PAYLOAD, &k, row, sizeof row);
	payload_move(s, a.id, 100);
	payload_move(s, b.id, 101);
	assert_payload(s, 100, a.id);
	assert_int_equal(store_payload_get(s, 101, true, &p, &n), ERR_CORRUPT);
}

static void the_audit_counts_rows_and_reads_the_small_ones(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct instance_record i = { .number = store_instance_create(s), .module = 1 };
	struct store_tally t;
	char why[256] = "";

	struct route_control paused = { .paused = true };

	store_control_put(s, ROUTE, &paused);
	store_instance_put(s, &i);
	store_sequence_put(s, ROUTE, i.number, 7);
	assert_int_equal(store_sequence_get(s, ROUTE, i.number), 7);
	committed(s);
	misplace(s, TABLE_SEQUENCE, key_pair(ROUTE, i.number), key_pair(ROUTE, i.number + 1));
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_int_equal(store_sequence_get(s, ROUTE, i.number + 1), 0);
	store_sequence_del(s, ROUTE, i.number + 1);
	committed(s);
	misplace(s, TABLE_INSTANCE, key_number(i.number), key_number(i.number + 1));
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	store_instance_del(s, i.number + 1);
	committed(s);
	misplace(s, TABLE_CONTROL, key_number(ROUTE), key_number(ROUTE + 1));
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(makes_again_what_a_start_that_was_cut_left_behind),
		STORE_TEST(refuses_an_empty_file),
		STORE_TEST(refuses_damaged_names),
		STORE_TEST(has_its_whole_size_as_soon_as_it_has_its_name),
		STORE_TEST(refuses_a_store_that_misses_a_table),
		STORE_TEST(a_turn_that_has_only_looked_is_no_commit),
		STORE_TEST(refuses_commits_that_do_not_follow_each_other),
		STORE_TEST(another_s_payload_is_damage),
		STORE_TEST(another_s_record_is_damage),
		STORE_TEST(another_s_letter_is_damage_and_is_passed),
		STORE_TEST(another_s_end_is_passed),
		STORE_TEST(a_payload_that_moves_stays_whole_or_damaged),
		STORE_TEST(the_audit_counts_rows_and_reads_the_small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
