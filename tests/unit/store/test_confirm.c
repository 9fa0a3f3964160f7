/* test_confirm.c - confirmations: due while they are awaited, gone with the end they belong to */
#include "fixture.h"

/* A batch that was PROCESSED on a route with confirm. */
static struct ended add_confirming(struct store *s, struct confirmation *c, uint64_t due_ms)
{
	struct batch b = add_batch(s);
	struct ended e = end_of(s, &b);

	e.confirming = true;
	store_batch_end(s, &b, &e);
	*c = (struct confirmation){ .state = CONFIRM_AWAITED, .route = ROUTE, .id = b.id,
		.source = e.source, .notice = e.notice, .due_ms = due_ms, .record_count = 3,
		.batch_id = b.batch_id };
	store_confirm_put(s, NULL, c);
	return e;
}

static void what_is_awaited_is_due(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct confirmation a, b, found;
	uint64_t next_ms;

	assert_int_equal(store_confirm_due_first(s, 1, &found, &next_ms), ERR_NOTFOUND);
	assert_true(next_ms == UINT64_MAX);
	add_confirming(s, &a, 50);
	add_confirming(s, &b, 40);
	assert_int_equal(committed(s).confirm_due, 2);
	assert_int_equal(store_confirm_due_first(s, 39, &found, &next_ms), ERR_NOTFOUND);
	assert_int_equal(next_ms, 40);
	assert_int_equal(store_confirm_due_first(s, 60, &found, &next_ms), 0);
	assert_true(found.id == b.id && found.record_count == 3);

	struct confirmation late = b;
	late.state = CONFIRM_AMBIGUOUS;
	store_confirm_put(s, &b, &late);
	struct store_tally t = committed(s);
	assert_true(t.confirm_due == 1 && t.confirmations == 2);
	assert_int_equal(store_confirm_due_first(s, 60, &found, &next_ms), 0);
	assert_int_equal(found.id, a.id);
	assert_int_equal(store_confirm_get(s, ROUTE, b.id, &found), 0);
	assert_int_equal(found.state, CONFIRM_AMBIGUOUS);
	assert_int_equal(store_confirm_get(s, ROUTE, 1000, &found), ERR_NOTFOUND);
	assert_int_equal(store_confirm_next(s, ROUTE, a.id, &found), 0);
	assert_int_equal(found.id, b.id);
	assert_int_equal(store_confirm_next(s, ROUTE, b.id, &found), ERR_NOTFOUND);
}

static void a_part_that_comes_early_waits_for_its_batch(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_batch(s);
	struct confirmation was = { .state = CONFIRM_EARLY, .route = ROUTE, .id = b.id }, c = was;
	uint64_t next_ms;

	store_confirm_put(s, NULL, &was);
	assert_int_equal(committed(s).confirm_due, 0);
	struct ended e = end_of(s, &b);
	e.confirming = true;
	store_batch_end(s, &b, &e);
	c.state = CONFIRM_AWAITED;
	c.source = e.source;
	c.notice = e.notice;
	c.due_ms = 7;
	store_confirm_put(s, &was, &c);
	assert_int_equal(committed(s).confirm_due, 1);
	was = c;
	c.delivered = 1;		/* the same time: the row in confirm_due stays */
	store_confirm_put(s, &was, &c);
	assert_int_equal(committed(s).confirm_due, 1);
	assert_int_equal(store_confirm_due_first(s, 7, &c, &next_ms), 0);
	assert_int_equal(c.delivered, 1);
}

static void records_go_with_their_confirmation(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct confirmation c, other;
	uint8_t status = 0;

	add_confirming(s, &c, 5);
	add_confirming(s, &other, 5);
	committed(s);
	uint64_t bytes = store_history_bytes(s);
	assert_false(store_confirm_record_get(s, c.id, 9, &status));
	for (uint64_t n = 0; n < 1000; n++)
		store_confirm_record_put(s, c.id, n << 50, 1);
	store_confirm_record_put(s, c.id, 0, 2);
	store_confirm_record_put(s, other.id, 0, 3);
	committed(s);
	assert_true(store_confirm_record_get(s, c.id, 0, &status) && status == 2);
	assert_true(store_confirm_record_get(s, c.id, 5ull << 50, &status) && status == 1);
	store_confirm_del(s, &c);
	struct store_tally t = committed(s);
	assert_true(t.confirmations == 1 && t.confirm_due == 1);
	assert_false(store_confirm_record_get(s, c.id, 0, &status));
	assert_true(store_confirm_record_get(s, other.id, 0, &status) && status == 3);
	store_confirm_del(s, &other);
	committed(s);
	assert_true(store_history_bytes(s) < bytes);
}

static void a_confirmation_goes_with_its_end(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct confirmation c, found;
	struct ended e = add_confirming(s, &c, 5);

	store_confirm_record_put(s, c.id, 1, 1);
	add_line(s, c.id, JOURNAL_AMBIGUOUS);	/* after the end: its row says nothing of it */
	committed(s);
	uint64_t notice = store_next_notice(s);
	store_ended_move(s, &e, SOURCE + 1, notice);
	committed(s);
	assert_int_equal(store_confirm_get(s, ROUTE, c.id, &found), 0);
	assert_true(found.source == SOURCE + 1 && found.notice == notice);
	assert_int_equal(store_ended_get(s, SOURCE + 1, notice, &e), 0);
	store_ended_del(s, &e);
	struct store_tally t = committed(s);
	assert_int_equal(t.confirmations + t.confirm_due + t.lines + t.ended, 0);
	assert_int_equal(store_history_bytes(s), 0);
}

static void a_letter_that_goes_takes_what_came_early(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_batch(s);
	struct confirmation c = { .state = CONFIRM_EARLY, .route = ROUTE, .id = b.id };

	store_confirm_put(s, NULL, &c);
	store_confirm_record_put(s, b.id, 1, 1);
	struct ended e = bury(s, &b);
	assert_int_equal(committed(s).confirmations, 1);
	store_dead_purge(s, &b);
	store_ended_del(s, &e);
	assert_int_equal(committed(s).confirmations, 0);
	assert_int_equal(store_history_bytes(s), 0);
}

static void a_damaged_confirmation_is_forgotten_when_due(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct confirmation c, found;
	uint64_t next_ms;

	add_confirming(s, &c, 5);
	struct key k = key_route_id(ROUTE, c.id);
	uint8_t bytes[CONFIRMATION_RECORD_MAX];
	size_t n = confirmation_encode(&c, bytes);
	bytes[n / 2] ^= 1;
	table_put(s, TABLE_CONFIRM, &k, bytes, n);
	assert_int_equal(store_confirm_get(s, ROUTE, c.id, &found), ERR_CORRUPT);
	assert_int_equal(store_confirm_next(s, ROUTE, 0, &found), ERR_NOTFOUND);
	assert_int_equal(store_confirm_due_first(s, 5, &found, &next_ms), ERR_CORRUPT);
	assert_true(found.route == ROUTE && found.id == c.id);
	struct store_tally t = committed(s);
	assert_int_equal(t.confirmations + t.confirm_due, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(what_is_awaited_is_due),
		STORE_TEST(a_part_that_comes_early_waits_for_its_batch),
		STORE_TEST(records_go_with_their_confirmation),
		STORE_TEST(a_confirmation_goes_with_its_end),
		STORE_TEST(a_letter_that_goes_takes_what_came_early),
		STORE_TEST(a_damaged_confirmation_is_forgotten_when_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
