/* test_letter.c - dead letters are redriven or purged; history forgets no more than it may */
#include "fixture.h"

/* A dead letter with two lines in its journal. */
static struct batch add_letter(struct store *s, struct ended *e)
{
	struct batch b = new_batch(s);

	b.journalled = true;
	insert(s, &b);
	add_line(s, b.id, JOURNAL_REJECTED);
	add_line(s, b.id, JOURNAL_DEAD);
	*e = bury(s, &b);
	return b;
}

static struct batch redrive(struct store *s, const struct batch *dead, uint64_t id)
{
	struct batch b = *dead;

	b.state = BATCH_READY;
	b.id = id;
	b.redrives++;
	store_intake_begin(s, STORE_INTAKE_CHILD);
	store_dead_redrive(s, dead, &b);
	assert_int_equal(store_intake_end(s), 0);
	return b;
}

static struct ended finish(struct store *s, const struct batch *b, bool partial)
{
	struct ended e = end_of(s, b);

	e.partial = partial;
	if (partial)
		store_batch_end_partly(s, b, &e);
	else
		store_batch_end(s, b, &e);
	return e;
}

static void a_redriven_letter_keeps_its_id(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended told, e;
	struct batch dead = add_letter(s, &told), found;

	committed(s);
	struct batch b = redrive(s, &dead, dead.id);
	assert_int_equal(committed(s).dead, 0);
	assert_int_equal(identity_of(s, &b).kind, IDENTITY_LIVE);
	assert_payload(s, b.id, b.id);
	assert_int_equal(store_batch_find(s, ROUTE, b.id, &found), 0);
	assert_int_equal(found.redrives, 1);

	/* What it was told with is history, and owns nothing any more. */
	store_ended_del(s, &told);
	committed(s);
	assert_int_equal(identity_of(s, &b).kind, IDENTITY_LIVE);
	assert_int_equal(count_lines(s, b.id), 2);

	e = finish(s, &b, false);
	committed(s);
	assert_int_equal(identity_of(s, &b).notice, e.notice);
	assert_int_equal(count_lines(s, b.id), 2);
	store_ended_del(s, &e);
	committed(s);
	assert_int_equal(identity_of(s, &b).kind, IDENTITY_NONE);
	assert_int_equal(count_lines(s, b.id), 0);
	assert_int_equal(store_history_bytes(s), 0);
}

static void a_redriven_letter_may_get_another_id(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended told, e;
	struct batch dead = add_letter(s, &told);

	committed(s);
	struct batch b = redrive(s, &dead, store_next_id(s));
	struct store_tally t = committed(s);
	assert_int_equal(t.payloads, 1);
	assert_int_equal(t.lines, 2);
	assert_payload(s, b.id, dead.id);
	assert_int_equal(count_lines(s, dead.id), 0);
	assert_int_equal(count_lines(s, b.id), 2);
	assert_int_equal(identity_of(s, &b).id, b.id);

	e = bury(s, &b);
	store_ended_del(s, &told);
	committed(s);
	assert_int_equal(identity_of(s, &b).kind, IDENTITY_DEAD);
	assert_int_equal(count_lines(s, b.id), 2);
	store_dead_purge(s, &b);
	store_ended_del(s, &e);
	t = committed(s);
	assert_int_equal(t.payloads + t.dead + t.identities + t.lines + t.ended, 0);
	assert_int_equal(store_history_bytes(s), 0);
}

static void damage_of_a_payload_is_not_copied_away(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended told;
	struct batch dead = add_letter(s, &told);
	struct key k = key_id(dead.id);
	const uint8_t *p;
	size_t n;
	MDB_val v;

	assert_true(table_get(s, TABLE_PAYLOAD, &k, &v));
	uint8_t bytes[128];
	memcpy(bytes, v.mv_data, v.mv_size);
	bytes[10] ^= 1;
	table_put(s, TABLE_PAYLOAD, &k, bytes, v.mv_size);
	struct batch b = redrive(s, &dead, store_next_id(s));
	committed(s);
	assert_int_equal(store_payload_get(s, b.id, true, &p, &n), ERR_CORRUPT);
}

static void a_letter_that_dies_again_is_told_again(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended first, second, e;
	struct batch dead = add_letter(s, &first), found;

	struct batch b = redrive(s, &dead, dead.id);
	second = bury(s, &b);
	committed(s);
	/* Moving the first row does not retell the letter, moving the second does. */
	store_ended_move(s, &first, SOURCE + 1, store_next_notice(s));
	assert_int_equal(store_dead_get(s, ROUTE, b.id, &found, &e), 0);
	assert_int_equal(e.notice, second.notice);
	uint64_t notice = store_next_notice(s);
	store_ended_move(s, &second, SOURCE + 2, notice);
	assert_int_equal(store_dead_get(s, ROUTE, b.id, &found, &e), 0);
	assert_true(e.notice == notice && e.source == SOURCE + 2);
	committed(s);
	/* The row may go, the letter and its journal stay. */
	store_ended_del(s, &e);
	committed(s);
	assert_int_equal(identity_of(s, &b).kind, IDENTITY_DEAD);
	assert_int_equal(count_lines(s, b.id), 2);
}

static void an_end_after_a_redrive_keeps_the_journal(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended told, e;
	struct batch dead = add_letter(s, &told);
	struct batch b = redrive(s, &dead, dead.id);

	e = finish(s, &b, false);
	store_ended_del(s, &told);
	committed(s);
	assert_int_equal(count_lines(s, b.id), 2);
	store_ended_move(s, &e, SOURCE + 1, store_next_notice(s));
	committed(s);
	assert_int_equal(identity_of(s, &b).source, SOURCE + 1);
}

static void a_purged_letter_leaves_its_id_to_others(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended told;
	struct batch dead = add_letter(s, &told);

	store_dead_purge(s, &dead);
	struct store_tally t = committed(s);
	assert_int_equal(t.dead + t.payloads + t.lines + t.identities, 0);
	struct batch again = new_batch(s);
	again.batch_id = dead.batch_id;
	insert(s, &again);
	store_ended_del(s, &told);
	committed(s);
	assert_int_equal(identity_of(s, &again).id, again.id);
}

/* --- partial and derived letters ------------------------------------------------------------- */

static void a_partial_letter_is_derived_and_owns_no_identity(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_batch(s), letter;
	struct ended e = finish(s, &b, true), told;

	committed(s);
	assert_int_equal(store_dead_get(s, ROUTE, b.id, &letter, &told), 0);
	assert_true(letter.derived && told.partial);
	store_dead_purge(s, &letter);
	committed(s);
	assert_int_equal(identity_of(s, &b).kind, IDENTITY_ENDED);
	store_ended_del(s, &e);
	assert_int_equal(committed(s).identities, 0);
}

static void a_partial_letter_outlives_its_row(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = new_batch(s), letter;
	struct ended told;

	b.journalled = true;
	insert(s, &b);
	add_line(s, b.id, JOURNAL_RECORDS_REJECTED);
	struct ended e = finish(s, &b, true);
	store_ended_del(s, &e);
	committed(s);
	assert_int_equal(count_lines(s, b.id), 1);
	assert_int_equal(store_dead_get(s, ROUTE, b.id, &letter, &told), 0);
	struct batch again = redrive(s, &letter, letter.id);
	committed(s);
	assert_true(again.derived);
	e = finish(s, &again, false);
	store_ended_del(s, &e);
	struct store_tally t = committed(s);
	assert_int_equal(t.lines + t.payloads + t.identities, 0);
}

static void letters_come_from_elsewhere(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch parent = add_batch(s), b = new_batch(s), found;
	struct ended told = { .route = ROUTE, .id = b.id, .dead = true, .derived = true,
		.batch_id = b.batch_id, .errors_len = 3, .errors = (const uint8_t *)"abc" }, e;
	size_t n;

	b.derived = b.has_parent = true;
	b.parent = parent.batch_id;
	store_intake_begin(s, STORE_INTAKE_CHILD);
	const uint8_t *p = payload_of(b.id, &n);
	store_dead_insert(s, &b, &told, p, n);
	assert_int_equal(store_intake_end(s), 0);
	struct store_tally t = committed(s);
	assert_true(t.dead == 1 && t.ended == 0);
	assert_int_equal(store_dead_next(s, ROUTE, 0, &found, &e), 0);
	assert_true(found.id == b.id && uuid_equal(&found.parent, &parent.batch_id));
	assert_memory_equal(e.errors, "abc", 3);
	assert_int_equal(store_dead_next(s, ROUTE, b.id, &found, &e), ERR_NOTFOUND);
	assert_int_equal(store_dead_next(s, ROUTE, UINT64_MAX, &found, &e), ERR_NOTFOUND);

	struct batch again = redrive(s, &b, b.id);
	committed(s);
	bury(s, &again);
	committed(s);
	again = redrive(s, &b, b.id);
	finish(s, &again, false);
	committed(s);
	assert_int_equal(identity_of(s, &b).kind, IDENTITY_ENDED);
}

static void a_refused_redrive_leaves_the_letter(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended told;
	struct batch dead = add_letter(s, &told), b = dead;

	committed(s);
	uint64_t bytes = store_history_bytes(s);
	store_intake_begin(s, STORE_INTAKE_CHILD);
	b.id = store_next_id(s);
	b.state = BATCH_READY;
	store_dead_redrive(s, &dead, &b);
	store_intake_abort(s);
	assert_int_equal(committed(s).dead, 1);
	assert_int_equal(store_history_bytes(s), bytes);
	assert_int_equal(count_lines(s, dead.id), 2);
}

static struct batch add_large(struct store *s, size_t n)
{
	struct batch b = new_batch(s);
	uint8_t *p = calloc(1, n);

	b.payload_bytes = (uint32_t)n;
	store_intake_begin(s, STORE_INTAKE_CHILD);
	store_batch_insert(s, &b, p, n);
	assert_int_equal(store_intake_end(s), 0);
	free(p);
	return b;
}

static void a_redrive_that_finds_no_room_is_refused(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_large(s, 24u << 20), moved = b;
	const uint8_t *p;
	size_t n;

	bury(s, &b);
	add_large(s, 24u << 20);
	committed(s);
	store_intake_begin(s, STORE_INTAKE_CHILD);
	moved.id = store_next_id(s);
	store_dead_redrive(s, &b, &moved);
	assert_int_equal(store_intake_end(s), ERR_FULL);
	assert_int_equal(committed(s).dead, 1);
	assert_int_equal(store_payload_get(s, b.id, true, &p, &n), 0);
	assert_int_equal(n, 24u << 20);
	store_read_end(s);
}

static void a_damaged_letter_is_named_and_purged(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct ended told, e;
	struct batch dead = add_letter(s, &told), found;
	struct key k = key_route_id(ROUTE, dead.id);

	table_put(s, TABLE_DEAD, &k, "x", 1);
	assert_int_equal(store_dead_next(s, ROUTE, 0, &found, &e), ERR_CORRUPT);
	assert_true(found.id == dead.id && found.route == ROUTE);
	store_dead_purge(s, &found);
	store_ended_del(s, &told);
	struct store_tally t = committed(s);
	assert_int_equal(t.dead + t.payloads + t.lines + t.identities, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_redriven_letter_keeps_its_id),
		STORE_TEST(a_redriven_letter_may_get_another_id),
		STORE_TEST(damage_of_a_payload_is_not_copied_away),
		STORE_TEST(a_letter_that_dies_again_is_told_again),
		STORE_TEST(an_end_after_a_redrive_keeps_the_journal),
		STORE_TEST(a_purged_letter_leaves_its_id_to_others),
		STORE_TEST(a_partial_letter_is_derived_and_owns_no_identity),
		STORE_TEST(a_partial_letter_outlives_its_row),
		STORE_TEST(letters_come_from_elsewhere),
		STORE_TEST(a_refused_redrive_leaves_the_letter),
		STORE_TEST(a_redrive_that_finds_no_room_is_refused),
		STORE_TEST(a_damaged_letter_is_named_and_purged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
