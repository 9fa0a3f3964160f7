/* redo_fixture.h - a store's redo log and file, taken and put back; turns, and how they end */
#ifndef HANDOFF_TESTS_UNIT_STORE_REDO_FIXTURE_H
#define HANDOFF_TESTS_UNIT_STORE_REDO_FIXTURE_H

#include <fcntl.h>
#include <sys/stat.h>

#include "fixture.h"
#include "store/redo_row.h"

/* --- what a store holds, and its files ------------------------------------------------------- */

/* All rows of all tables: two stores of one digest hold the same. */
static inline uint64_t digest_of(struct store *s)
{
	uint64_t sum = 0;

	for (enum table t = 0; t < TABLE_COUNT; t++) {
		struct key k = { .n = 0 };
		struct table_walk w;
		MDB_val key, v;

		assert_true(table_walk_begin(s, t, &k, &w));
		while (table_walk_next(&w, &key, &v)) {
			sum = redo_sum_bytes(sum, key.mv_data, key.mv_size);
			sum = redo_sum_bytes(sum, v.mv_data, v.mv_size);
		}
		table_walk_end(&w);
	}
	store_read_end(s);
	return sum;
}

/* A copy of a file of the store, or of its beginning. */
struct image {
	char path[128];
	uint8_t bytes[4 << 20];
	size_t n;
};

static inline void take(const struct fixture *f, const char *name, struct image *i)
{
	snprintf(i->path, sizeof i->path, "%s/%s", f->dir, name);
	int fd = open(i->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t n = read(fd, i->bytes, sizeof i->bytes);
	assert_true(n > 0);
	i->n = (size_t)n;
	close(fd);
}

static inline void put_back(const struct image *i)
{
	int fd = open(i->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, i->bytes, i->n, 0), i->n);
	close(fd);
}

static inline void cut(const struct fixture *f, size_t length)
{
	char path[128];

	snprintf(path, sizeof path, "%s/custody.redo", f->dir);
	assert_int_equal(truncate(path, (off_t)length), 0);
}

static inline size_t log_length(const struct fixture *f)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof path, "%s/custody.redo", f->dir);
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

/* --- starts and turns ------------------------------------------------------------------------ */

static inline void stop(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static inline void start_again(struct fixture *f)
{
	stop(f);
	fixture_open(f);
}

static inline void assert_refused(struct fixture *f, const char *words)
{
	struct store_options o = { .path = f->dir, .size = 64u << 20 };
	char why[512] = "";

	assert_int_equal(store_open(&o, &f->store, why, sizeof why), ERR_CORRUPT);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not say \"%s\"", why, words);
}

/* Of LMDB: it grows with a checkpoint. */
static inline size_t commits_of_lmdb(const struct store *s)
{
	MDB_envinfo info;

	assert_int_equal(mdb_env_info(s->env, &info), 0);
	return info.me_last_txnid;
}

static inline void end_turn(struct store *s)
{
	assert_int_equal(store_commit(s), 0);
}

/* The turn that comes is for the log alone. */
static inline void end_turn_in_log(struct store *s)
{
	size_t before = commits_of_lmdb(s);
	uint64_t at = s->redo.at;

	end_turn(s);
	assert_int_equal(commits_of_lmdb(s), before);
	assert_true(s->redo.at > at);
}

static inline bool ends_with_a_checkpoint(struct store *s)
{
	size_t before = commits_of_lmdb(s);

	end_turn(s);
	return commits_of_lmdb(s) > before;
}

static inline void insert_bytes(struct store *s, struct batch *b, const uint8_t *p, size_t n)
{
	b->payload_bytes = (uint32_t)n;
	store_intake_begin(s, STORE_INTAKE_CHILD);
	store_batch_insert(s, b, p, n);
	assert_int_equal(store_intake_end(s), 0);
}

static inline void add_large(struct store *s, size_t n)
{
	struct batch b = new_batch(s);
	uint8_t *p = malloc(n);

	assert_non_null(p);
	memset(p, 'x', n);
	insert_bytes(s, &b, p, n);
	free(p);
}

#endif
