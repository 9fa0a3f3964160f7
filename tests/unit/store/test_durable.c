/* test_durable.c - turns that another thread writes: when they are durable, and what waits for them */
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "base/digest.h"
#include "redo_fixture.h"

#define BUSY 20000u		/* bytes of a payload: worth that thread's time */

/* --- a disk that waits for the test: these come before the C library's ----------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t tester;
static bool is_held, fails;
static unsigned written;

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	bool failed = false;

	if (!pthread_equal(pthread_self(), tester)) {
		pthread_mutex_lock(&lock);
		while (is_held)
			pthread_cond_wait(&changed, &lock);
		failed = fails;
		pthread_mutex_unlock(&lock);
	}
	errno = EIO;
	return failed ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

static void hold(bool yes)
{
	pthread_mutex_lock(&lock);
	is_held = yes;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void on_written(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	written++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_until_written(unsigned so_many)
{
	pthread_mutex_lock(&lock);
	while (written < so_many)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static int setup(void **state)
{
	tester = pthread_self();
	is_held = fails = false;
	written = 0;
	int rc = fixture_setup(state);
	if (rc == 0 && !store_flush_aside(((struct fixture *)*state)->store, on_written, NULL))
		rc = -1;
	return rc;
}

static int teardown(void **state)
{
	hold(false);		/* a test that failed may have left it */
	return fixture_teardown(state);
}

/* A turn that is still being written. Returns its number. */
static uint64_t busy_turn(struct store *s)
{
	uint64_t turn = store_turn(s);

	hold(true);
	add_large(s, BUSY);
	assert_int_equal(store_commit_begin(s), 0);
	assert_true(store_durable_turn(s) < turn);
	return turn;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_busy_turn_is_durable_when_it_is_written(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t turn = busy_turn(s);

	assert_int_equal(store_commit_end(s), 0);
	assert_true(store_durable_turn(s) < turn);
	assert_int_equal(store_turn(s), turn + 1);
	assert_false(store_is_in_turn(s));
	hold(false);
	wait_until_written(1);
	assert_int_equal(store_commit_end(s), 0);
	assert_int_equal(store_durable_turn(s), turn);
}

/* It may answer for what the one before it took in. */
static void a_turn_without_changes_waits_for_the_one_before(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t turn = busy_turn(s);

	assert_int_equal(store_commit_begin(s), 0);
	assert_int_equal(store_turn(s), turn + 2);
	assert_true(store_durable_turn(s) < turn);
	hold(false);
	wait_until_written(1);
	assert_int_equal(store_commit_end(s), 0);
	assert_int_equal(store_durable_turn(s), turn + 1);
}

static void who_has_to_know_waits(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t turn = busy_turn(s);

	hold(false);
	assert_int_equal(store_commit(s), 0);	/* has changed nothing itself */
	assert_int_equal(store_durable_turn(s), turn + 1);
	busy_turn(s);
	hold(false);
	add_batch(s);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_durable_turn(s), turn + 3);
}

static void a_lone_batch_waits_for_no_other_thread(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t turn = store_turn(s);

	hold(true);
	add_batch(s);
	assert_int_equal(store_commit_begin(s), 0);
	assert_int_equal(store_durable_turn(s), turn);
	hold(false);
}

static void a_checkpoint_comes_behind_what_is_being_written(void **state)
{
	struct fixture *f = *state;
	uint64_t turn = busy_turn(f->store);

	hold(false);
	assert_int_equal(store_checkpoint(f->store), 0);
	assert_int_equal(store_durable_turn(f->store), turn);
	assert_int_equal(f->store->redo.at, 0);
}

static void what_was_written_aside_is_done_again(void **state)
{
	struct fixture *f = *state;

	busy_turn(f->store);
	hold(false);
	for (int n = 0; n < 3; n++) {
		add_large(f->store, BUSY + 4096u * (unsigned)n);
		assert_int_equal(store_commit_begin(f->store), 0);
	}
	uint64_t digest = digest_of(f->store);
	start_again(f);		/* waits for the last of them */
	assert_int_equal(digest_of(f->store), digest);
	assert_int_equal(committed(f->store).queued, 4);
}

static void a_write_that_fails_ends_it(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t turn = busy_turn(s);

	fails = true;
	hold(false);
	wait_until_written(1);
	assert_int_equal(store_commit_end(s), ERR_IO);
	assert_true(store_has_failed(s));
	assert_true(store_durable_turn(s) < turn);
	add_batch(s);
	assert_int_equal(store_commit_begin(s), ERR_IO);
}

static void a_write_that_fails_ends_the_next_turn(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	uint64_t turn = busy_turn(s);

	fails = true;
	hold(false);
	add_batch(s);
	assert_int_equal(store_commit_begin(s), ERR_IO);
	assert_true(store_durable_turn(s) < turn);
}

static void a_turn_is_ripe_when_there_is_much_and_nothing_else_is_written(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;

	busy_turn(s);
	assert_false(store_turn_is_ripe(s));
	for (int n = 0; n < 4; n++)
		add_large(s, BUSY);
	assert_false(store_turn_is_ripe(s));
	hold(false);
	wait_until_written(1);
	assert_true(store_turn_is_ripe(s));
	assert_int_equal(store_commit(s), 0);
	assert_false(store_turn_is_ripe(s));
	s->write_us = 10000;		/* so slow a disk has time for more */
	for (int n = 0; n < 4; n++)
		add_large(s, BUSY);
	assert_false(store_turn_is_ripe(s));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_busy_turn_is_durable_when_it_is_written),
		TEST(a_turn_without_changes_waits_for_the_one_before),
		TEST(who_has_to_know_waits),
		TEST(a_lone_batch_waits_for_no_other_thread),
		TEST(a_checkpoint_comes_behind_what_is_being_written),
		TEST(what_was_written_aside_is_done_again),
		TEST(a_write_that_fails_ends_it),
		TEST(a_write_that_fails_ends_the_next_turn),
		TEST(a_turn_is_ripe_when_there_is_much_and_nothing_else_is_written),
	};

	digest_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
