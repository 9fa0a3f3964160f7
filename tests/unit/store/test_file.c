/* test_file.c - the store's files: made whole or not at all */
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

static void makes_a_store_where_an_empty_file_is(void **state)
{
	struct fixture *f = *state;

	forget(f);
	leave(f, "custody.mdb", 0);
	fixture_open(f);
	add_batch(f->store);
	assert_int_equal(committed(f->store).queued, 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(makes_again_what_a_start_that_was_cut_left_behind),
		STORE_TEST(makes_a_store_where_an_empty_file_is),
		STORE_TEST(has_its_whole_size_as_soon_as_it_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
