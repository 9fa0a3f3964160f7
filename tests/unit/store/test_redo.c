/* test_redo.c - the redo log: what is done again, what is torn, what is refused */
#include "redo_fixture.h"

static struct image log_was, log_is, store_was;

/* --- done again ------------------------------------------------------------------------------ */

static void what_the_log_has_is_done_again(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;
	struct batch a = add_batch(s), b = add_batch(s);
	struct key k = key_pair(1, 2), other = key_pair(1, 3);

	add_line(s, a.id, JOURNAL_REJECTED);
	add_line(s, a.id, JOURNAL_LOST);
	table_put(s, TABLE_SEQUENCE, &k, "row", 3);
	table_put(s, TABLE_SEQUENCE, &other, "row", 3);
	end_turn_in_log(s);
	uint32_t number = store_route_number(s, "a route");
	uint8_t *row = table_reserve(s, TABLE_PAYLOAD, &(struct key){ .b = { 255 }, .n = 8 }, 5000,
	    MDB_APPEND);
	memset(row, 'r', 5000);
	store_notice_add(s, SOURCE, true, (const uint8_t *)"body", 4);
	end_turn_in_log(s);
	struct ended e = end_of(s, &b);
	store_batch_end(s, &b, &e);
	journal_del(s, a.id);
	assert_true(table_del_if(s, TABLE_SEQUENCE, &k, "row", 3));
	assert_false(table_del_if(s, TABLE_SEQUENCE, &other, "others", 6));
	end_turn_in_log(s);
	uint64_t digest = digest_of(s);

	start_again(f);
	assert_int_equal(digest_of(f->store), digest);
	assert_payload(f->store, a.id, a.id);
	assert_int_equal(count_lines(f->store, a.id), 0);
	assert_int_equal(store_route_number(f->store, "a route"), number);
	assert_true(store_next_id(f->store) > b.id);
	start_again(f);		/* the start before has left all in the store's file */
	assert_int_equal(digest_of(f->store), digest);
}

static void a_turn_that_was_not_committed_is_not_done_again(void **state)
{
	struct fixture *f = *state;

	add_batch(f->store);
	end_turn_in_log(f->store);
	uint64_t digest = digest_of(f->store);
	add_batch(f->store);
	start_again(f);
	assert_int_equal(digest_of(f->store), digest);
}

static bool has(const struct image *i, const char *text)
{
	return memmem(i->bytes, i->n, text, strlen(text)) != NULL;
}

static void an_intake_that_is_given_up_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;
	struct batch a = add_batch(s), gone = new_batch(s);
	uint8_t *row = table_reserve(s, TABLE_NOTICE, &(struct key){ .n = 12 }, 3, 0);

	memcpy(row, "row", 3);		/* and is still to be taken over as the intake begins */
	store_intake_begin(s, STORE_INTAKE_CHILD);
	store_intake_abort(s);
	store_intake_begin(s, STORE_INTAKE_CHILD);
	store_batch_insert(s, &gone, (const uint8_t *)"given up", 8);
	store_notice_add(s, SOURCE, true, (const uint8_t *)"given up", 8);
	store_intake_abort(s);
	struct batch b = add_batch(s);
	end_turn_in_log(s);
	uint64_t digest = digest_of(s);

	take(f, "custody.redo", &log_is);
	assert_false(has(&log_is, "given up"));
	assert_true(has(&log_is, (const char *)payload_of(b.id, &(size_t){ 0 })));
	start_again(f);
	assert_int_equal(digest_of(f->store), digest);
	assert_payload(f->store, a.id, a.id);
	assert_payload(f->store, b.id, b.id);
}

/* --- torn ------------------------------------------------------------------------------------ */

/* A turn of three pages where an earlier commit left others, behind one of a page. */
struct torn {
	size_t at, n;			/* the latest turn in the log */
	uint64_t before, with;		/* digests */
};

static struct torn tear(struct fixture *f)
{
	struct torn t;

	for (int n = 0; n < 6; n++) {
		add_batch(f->store);
		end_turn_in_log(f->store);
	}
	assert_int_equal(store_checkpoint(f->store), 0);
	add_batch(f->store);
	end_turn_in_log(f->store);
	t.before = digest_of(f->store);
	t.at = (size_t)f->store->redo.at;
	take(f, "custody.redo", &log_was);
	take(f, "custody.mdb", &store_was);
	add_large(f->store, 9000);
	end_turn_in_log(f->store);
	t.with = digest_of(f->store);
	t.n = (size_t)f->store->redo.at - t.at;
	take(f, "custody.redo", &log_is);
	stop(f);
	return t;
}

/* As if the power had gone, and this is what there is. */
static void assert_start_finds(struct fixture *f, const struct image *log, uint64_t digest)
{
	put_back(&store_was);
	put_back(log);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
	stop(f);
}

static void a_turn_that_misses_pages_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct torn t = tear(f);
	static struct image log;

	assert_int_equal(t.n, 3 * REDO_PAGE);
	for (unsigned written = 0; written < 8; written++) {
		log = log_was;
		for (size_t page = 0; page < 3; page++)
			if (written & (1u << page))
				memcpy(log.bytes + t.at + page * REDO_PAGE,
				    log_is.bytes + t.at + page * REDO_PAGE, REDO_PAGE);
		assert_start_finds(f, &log, written == 7 ? t.with : t.before);
	}
	fixture_open(f);
}

/* To the last byte of its changes, behind which are zeros that nobody misses. */
static void a_turn_that_is_cut_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct torn t = tear(f);
	static struct image log;
	size_t end = t.n;

	while (log_is.bytes[t.at + end - 1] == 0)
		end--;
	for (size_t n = 0; n < end; n += n < REDO_TURN_BYTES ? 1 : n + 173 < end ? 173 : 1) {
		log = log_was;
		memcpy(log.bytes + t.at, log_is.bytes + t.at, n);
		assert_start_finds(f, &log, t.before);
	}
	fixture_open(f);
}

/* Its rows are as long as those that it was to overwrite, and their own checksums are right. */
static void a_turn_that_ends_as_an_older_one_is_dropped(void **state)
{
	struct fixture *f = *state;
	static struct image log;

	add_batch(f->store);
	end_turn_in_log(f->store);
	size_t n = f->store->redo.at;
	take(f, "custody.redo", &log_was);
	assert_int_equal(store_checkpoint(f->store), 0);
	uint64_t digest = digest_of(f->store);
	take(f, "custody.mdb", &store_was);
	add_batch(f->store);
	end_turn_in_log(f->store);
	assert_int_equal(f->store->redo.at, n);
	take(f, "custody.redo", &log_is);
	stop(f);
	while (log_is.bytes[n - 1] == log_was.bytes[n - 1])
		n--;
	for (size_t written = n - 1; written > 0; written -= written < 8 ? 1 : 8) {
		log = log_was;
		memcpy(log.bytes, log_is.bytes, written);
		assert_start_finds(f, &log, digest);
	}
	fixture_open(f);
}

/* The checkpoint has come, and the log has not begun anew. */
static void turns_of_an_earlier_commit_are_done_with(void **state)
{
	struct fixture *f = *state;
	struct batch b = add_batch(f->store);

	end_turn_in_log(f->store);
	store_batch_end(f->store, &b, &(struct ended){ .notice = 1, .source = SOURCE,
	    .route = ROUTE, .id = b.id, .batch_id = b.batch_id });
	end_turn_in_log(f->store);
	take(f, "custody.redo", &log_was);
	assert_int_equal(store_checkpoint(f->store), 0);
	add_batch(f->store);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_checkpoint(f->store), 0);
	uint64_t digest = digest_of(f->store);
	stop(f);
	put_back(&log_was);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
}

/* --- payloads that look like turns ----------------------------------------------------------- */

/* A whole turn of a page, which puts a name. */
static void forge(const struct redo_turn *t, uint8_t page[REDO_PAGE])
{
	struct redo_change c = { REDO_PUT, TABLE_NAME, 6, 6 };
	struct redo_turn head = *t;

	memset(page, 0, REDO_PAGE);
	redo_change_encode(&c, page + REDO_TURN_BYTES);
	memcpy(page + REDO_TURN_BYTES + REDO_CHANGE_BYTES, "forgedforged", 12);
	head.bytes = REDO_CHANGE_BYTES + 12;
	redo_turn_encode(&head, page);
}

/*
 * Takes in a batch whose payload has `page` where its turn's second page begins, and loses that
 * turn's first page. Returns what the store held before it.
 */
static uint64_t take_in(struct fixture *f, const uint8_t page[REDO_PAGE])
{
	static size_t place;		/* in the payload: found with a first, which tells it */
	static uint8_t payload[3 * REDO_PAGE];

	for (int n = 0; n < 2; n++) {
		struct batch b = new_batch(f->store);
		uint8_t *turn = log_is.bytes + f->store->redo.at;
		uint64_t digest = digest_of(f->store);

		memset(payload, 'p', sizeof payload);
		memcpy(payload + place, page, n == 0 ? 0 : REDO_PAGE);
		take(f, "custody.mdb", &store_was);
		insert_bytes(f->store, &b, payload, sizeof payload);
		end_turn_in_log(f->store);
		take(f, "custody.redo", &log_is);
		if (n == 0) {
			const uint8_t *p = memmem(turn, REDO_PAGE, "pppppppp", 8);
			assert_non_null(p);
			place = (size_t)(turn + REDO_PAGE - p);
			continue;
		}
		assert_memory_equal(turn + REDO_PAGE, page, REDO_PAGE);
		memset(turn, 0, REDO_PAGE);
		stop(f);
		put_back(&log_is);
		return digest;
	}
	return 0;
}

/* The first would be believed: it is as a turn of the broker's own, so only the key is between. */
static void a_payload_that_looks_like_a_turn_is_none(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;
	struct redo_turn t = { s->meta.redo_key, mdb_txn_id(store_writer(s)), 7, 0 };
	uint8_t page[REDO_PAGE];
	uint64_t digest;

	forge(&t, page);
	take_in(f, page);
	assert_refused(f, "is damaged: turn 1");
	t.key++;
	cut(f, 0);
	fixture_open(f);
	forge(&t, page);
	digest = take_in(f, page);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
}

/* Even one that was copied from the log, key and all, once its commit has come. */
static void a_payload_that_is_a_turn_of_an_earlier_commit_is_none(void **state)
{
	struct fixture *f = *state;
	struct store *s = f->store;
	uint8_t page[REDO_PAGE];

	add_batch(s);
	end_turn_in_log(s);
	take(f, "custody.redo", &log_is);
	memcpy(page, log_is.bytes, sizeof page);
	assert_int_equal(store_checkpoint(s), 0);
	uint64_t digest = take_in(f, page);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
}

/* --- refused --------------------------------------------------------------------------------- */

static void a_turn_that_is_damaged_before_a_whole_one_is_refused(void **state)
{
	static const size_t places[] = { 0, 8, 16, 24, 28, 32, REDO_TURN_BYTES, 100 };
	struct fixture *f = *state;
	static const char *const words[] = { "is damaged: turn 0 of commit",
		"is damaged: turn 1 of commit" };

	for (int n = 0; n < 3; n++) {
		add_batch(f->store);
		end_turn_in_log(f->store);
	}
	uint64_t digest = digest_of(f->store);
	take(f, "custody.redo", &log_was);
	stop(f);
	for (size_t n = 0; n < 2 * sizeof places / sizeof places[0]; n++) {
		log_is = log_was;
		log_is.bytes[n % 2 * REDO_PAGE + places[n / 2]] ^= 4;
		put_back(&log_is);
		assert_refused(f, words[n % 2]);
	}
	memcpy(log_is.bytes, log_was.bytes, REDO_PAGE);		/* a write that went to another place */
	memcpy(log_is.bytes + REDO_PAGE, log_was.bytes + 2 * REDO_PAGE, REDO_PAGE);
	put_back(&log_is);
	assert_refused(f, words[1]);
	put_back(&log_was);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
}

static void a_log_of_a_later_commit_is_refused(void **state)
{
	struct fixture *f = *state;

	take(f, "custody.mdb", &store_was);
	uint64_t digest = digest_of(f->store);
	add_batch(f->store);
	end_turn_in_log(f->store);
	assert_int_equal(store_checkpoint(f->store), 0);
	add_batch(f->store);
	end_turn_in_log(f->store);
	stop(f);
	put_back(&store_was);
	assert_refused(f, "they do not belong together");
	cut(f, 0);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
}

/* Of the same commit, from its first turn on. */
static void another_store_s_log_holds_nothing(void **state)
{
	struct fixture *f = *state, *other;
	uint64_t digest = digest_of(f->store);
	void *another = NULL;

	assert_int_equal(fixture_setup(&another), 0);
	other = another;
	add_batch(other->store);
	end_turn_in_log(other->store);
	take(other, "custody.redo", &log_is);
	take(f, "custody.redo", &log_was);
	assert_int_equal(commits_of_lmdb(f->store), commits_of_lmdb(other->store));
	assert_int_equal(fixture_teardown(&another), 0);
	memcpy(log_is.path, log_was.path, sizeof log_is.path);
	stop(f);
	put_back(&log_is);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
}

static void a_log_that_is_missing_or_cut_is_refused(void **state)
{
	struct fixture *f = *state;
	char elsewhere[128];

	add_batch(f->store);
	end_turn_in_log(f->store);
	uint64_t digest = digest_of(f->store);
	size_t length = log_length(f);
	take(f, "custody.redo", &log_was);
	stop(f);
	cut(f, length - 1);
	assert_refused(f, "it was cut");
	cut(f, length + 1);
	assert_refused(f, "it was cut");
	cut(f, length);
	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", f->dir);
	assert_int_equal(rename(log_was.path, elsewhere), 0);
	assert_refused(f, "what was taken in last is in it");
	assert_int_equal(rename(elsewhere, log_was.path), 0);
	fixture_open(f);
	assert_int_equal(digest_of(f->store), digest);
}

/* By a person; or it was, and the start that filled it was cut. */
static void a_log_that_was_emptied_is_made_again(void **state)
{
	struct fixture *f = *state;
	uint64_t digest = digest_of(f->store);
	size_t length = log_length(f);

	for (size_t left = 0; left <= 10000; left += 10000) {
		add_batch(f->store);
		end_turn_in_log(f->store);
		stop(f);
		cut(f, 0);
		cut(f, left);
		fixture_open(f);
		assert_int_equal(digest_of(f->store), digest);
		assert_int_equal(log_length(f), length);
	}
	stop(f);
	cut(f, 0);
	cut(f, 2 * length);
	assert_refused(f, "another store's");
	cut(f, 0);
	fixture_open(f);
	add_batch(f->store);
	end_turn_in_log(f->store);
	digest = digest_of(f->store);
	start_again(f);
	assert_int_equal(digest_of(f->store), digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(what_the_log_has_is_done_again),
		STORE_TEST(a_turn_that_was_not_committed_is_not_done_again),
		STORE_TEST(an_intake_that_is_given_up_leaves_nothing),
		STORE_TEST(a_turn_that_misses_pages_is_dropped),
		STORE_TEST(a_turn_that_is_cut_is_dropped),
		STORE_TEST(a_turn_that_ends_as_an_older_one_is_dropped),
		STORE_TEST(turns_of_an_earlier_commit_are_done_with),
		STORE_TEST(a_payload_that_looks_like_a_turn_is_none),
		STORE_TEST(a_payload_that_is_a_turn_of_an_earlier_commit_is_none),
		STORE_TEST(a_turn_that_is_damaged_before_a_whole_one_is_refused),
		STORE_TEST(a_log_of_a_later_commit_is_refused),
		STORE_TEST(another_store_s_log_holds_nothing),
		STORE_TEST(a_log_that_is_missing_or_cut_is_refused),
		STORE_TEST(a_log_that_was_emptied_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
