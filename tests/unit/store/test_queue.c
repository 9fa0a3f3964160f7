/* test_queue.c - where a batch queues, and the order of an ordered route */
#include "fixture.h"

static void a_held_batch_is_of_a_class_of_its_own(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = add_batch(s), held = b, found;

	held.held = held.suspect = true;
	assert_int_equal(batch_ready_class(&held), CLASS_HELD);
	store_batch_move(s, &b, &held);
	committed(s);
	assert_int_equal(store_ready_first(s, ROUTE, CLASS_NORMAL, &found), ERR_NOTFOUND);
	assert_int_equal(store_ready_first(s, ROUTE, CLASS_SUSPECT, &found), ERR_NOTFOUND);
	assert_int_equal(store_ready_first(s, ROUTE, CLASS_HELD, &found), 0);
	assert_true(found.id == b.id && found.held && found.suspect);
	assert_int_equal(store_batch_find(s, ROUTE, b.id, &found), 0);

	struct batch waiting = held;
	waiting.state = BATCH_WAITING;
	waiting.due_ms = 5;
	store_batch_move(s, &held, &waiting);
	committed(s);
	assert_int_equal(store_ready_first(s, ROUTE, CLASS_HELD, &found), ERR_NOTFOUND);
	assert_int_equal(store_batch_find(s, ROUTE, b.id, &found), 0);
	assert_int_equal(found.state, BATCH_WAITING);
}

static void the_queue_is_read_class_by_class(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b[6], at = { .state = BATCH_NEW };

	for (int n = 0; n < 6; n++)
		b[n] = new_batch(s);
	b[0].state = BATCH_WAITING;
	b[0].due_ms = 9;
	b[1].state = BATCH_ASSIGNED;
	b[2].held = true;
	b[3].suspect = true;
	b[5].critical = true;
	for (int n = 0; n < 6; n++)
		insert(s, &b[n]);
	struct batch elsewhere = new_batch(s);
	elsewhere.route = ROUTE + 1;
	insert(s, &elsewhere);
	committed(s);
	for (int n = 5; n >= 0; n--) {
		assert_int_equal(store_queue_next(s, ROUTE, &at), 0);
		assert_int_equal(at.id, b[n].id);
	}
	assert_int_equal(store_queue_next(s, ROUTE, &at), ERR_NOTFOUND);
}

static void a_route_s_identities_are_read_in_order(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_batch(s), b = add_batch(s);
	struct uuid at = { { 0 } };
	struct identity i;

	assert_int_equal(store_identity_next(s, ROUTE, &at, &i), 0);
	assert_true(uuid_equal(&at, &a.batch_id) && i.kind == IDENTITY_LIVE && i.id == a.id);
	at.b[15]++;
	assert_int_equal(store_identity_next(s, ROUTE, &at, &i), 0);
	assert_true(uuid_equal(&at, &b.batch_id));
	at.b[15]++;
	assert_int_equal(store_identity_next(s, ROUTE, &at, &i), ERR_NOTFOUND);
}

/* A payload that is larger than the store: it is refused before a byte of it is read. */
static void an_intake_that_finds_no_room_takes_none(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch b = new_batch(s);
	uint64_t free_bytes = store_free_bytes(s);

	store_intake_begin(s, STORE_INTAKE_CHILD);
	store_batch_insert(s, &b, (const uint8_t *)&b, 65u << 20);
	assert_int_equal(store_intake_end(s), ERR_FULL);
	assert_int_equal(store_free_bytes(s), free_bytes);
	assert_true(store_has_room(s, 1u << 20, 0));
	committed(s);
}

/* --- series ---------------------------------------------------------------------------------- */

static struct batch add_ordered(struct store *s, uint32_t series)
{
	struct batch b = new_batch(s);

	b.ordered = true;
	b.series = series;
	insert(s, &b);
	return b;
}

static uint64_t first_of(struct store *s, uint32_t series)
{
	struct batch b;

	return store_series_first(s, ROUTE, series, &b) == 0 ? b.id : 0;
}

static void a_series_has_what_is_in_custody(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_ordered(s, 3), b = add_ordered(s, 5), c = add_ordered(s, 3);
	struct ended e;

	add_batch(s);
	assert_int_equal(committed(s).series, 3);
	assert_int_equal(store_series_next(s, ROUTE, 0), 3);
	assert_int_equal(store_series_next(s, ROUTE, 3), 5);
	assert_int_equal(store_series_next(s, ROUTE, 5), 0);
	assert_int_equal(store_series_next(s, ROUTE, UINT32_MAX), 0);
	assert_int_equal(store_series_next(s, ROUTE + 1, 0), 0);

	struct batch waiting = a;
	waiting.state = BATCH_WAITING;
	waiting.due_ms = 4;
	store_batch_move(s, &a, &waiting);
	assert_int_equal(first_of(s, 3), a.id);
	e = end_of(s, &waiting);
	store_batch_end(s, &waiting, &e);
	assert_int_equal(first_of(s, 3), c.id);
	bury(s, &c);
	assert_int_equal(first_of(s, 3), 0);
	assert_int_equal(store_series_next(s, ROUTE, 0), 5);
	e = end_of(s, &b);
	e.partial = true;
	store_batch_end_partly(s, &b, &e);
	assert_int_equal(committed(s).series, 0);
}

static void a_batch_changes_its_series(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch a = add_ordered(s, 3), b = a;

	b.series = 4;
	store_batch_move(s, &a, &b);
	assert_int_equal(committed(s).series, 1);
	assert_int_equal(first_of(s, 3), 0);
	assert_int_equal(first_of(s, 4), a.id);
	a = b;
	a.ordered = false;
	store_batch_move(s, &b, &a);
	assert_int_equal(committed(s).series, 0);
	store_batch_move(s, &a, &b);
	assert_int_equal(committed(s).series, 1);
}

/* --- a damaged record ------------------------------------------------------------------------ */

static void damage(struct store *s, struct key k)
{
	table_put(s, TABLE_QUEUE, &k, "damaged", 7);
}

static void a_damaged_batch_leaves_nothing_behind(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch held = new_batch(s), waiting = new_batch(s), found;
	uint64_t next_ms;

	held.held = held.ordered = true;
	held.series = 3;
	insert(s, &held);
	waiting.state = BATCH_WAITING;
	waiting.due_ms = 99;
	waiting.ordered = true;
	waiting.series = 4;
	insert(s, &waiting);
	damage(s, key_queue(ROUTE, QUEUE_READY_HELD, held.id));
	damage(s, key_queue(ROUTE, QUEUE_WAITING, waiting.id));

	assert_int_equal(store_series_first(s, ROUTE, 3, &found), ERR_CORRUPT);
	assert_true(found.id == held.id && found.held && found.state == BATCH_READY);
	store_batch_set_aside(s, &found);
	found = (struct batch){ .state = BATCH_NEW };
	assert_int_equal(store_queue_next(s, ROUTE, &found), ERR_CORRUPT);
	assert_true(found.id == waiting.id && found.state == BATCH_WAITING);
	store_batch_set_aside(s, &found);

	struct store_tally t = committed(s);
	assert_int_equal(t.series, 0);
	assert_int_equal(t.due, 0);
	assert_int_equal(t.dead, 2);
	assert_int_equal(t.payloads, 2);
	assert_int_equal(store_due_first(s, 1000, &found, &next_ms), ERR_NOTFOUND);

	struct ended e;
	assert_int_equal(store_dead_next(s, ROUTE, held.id, &found, &e), 0);
	store_dead_purge(s, &found);
	t = committed(s);
	assert_int_equal(t.dead, 1);
	assert_int_equal(t.payloads, 1);
	assert_int_equal(t.identities, 1);
}

static void a_series_without_its_batch_is_repaired(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct batch lost = { .id = 40, .route = ROUTE, .series = 3 }, found;

	series_put(s, &lost);
	assert_int_equal(store_series_first(s, ROUTE, 3, &found), ERR_CORRUPT);
	assert_int_equal(found.state, BATCH_NEW);
	store_batch_set_aside(s, &found);
	assert_int_equal(store_series_first(s, ROUTE, 3, &found), ERR_NOTFOUND);
	assert_int_equal(committed(s).series, 0);
}

/* --- counters -------------------------------------------------------------------------------- */

static void counters_are_recounted_and_balance(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct route_counters n = { .ready_held = 1, .derived_queued = 1, .derived_total = 1 };
	struct batch b = new_batch(s);
	struct store_tally t;
	char why[256];

	b.route = store_route_number(s, "a-b");
	b.held = b.derived = true;
	insert(s, &b);
	n.bytes = b.payload_bytes;
	store_counters_put(s, b.route, &n);
	committed(s);

	n.derived_queued = n.derived_total = 0;
	n.received_total = 1;
	store_counters_put(s, b.route, &n);
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_string_equal(why, "the counters of route a-b are not what a recount gives");

	n.derived_queued = n.derived_total = 1;
	store_counters_put(s, b.route, &n);
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_string_equal(why, "on route a-b 1 batches came and 0 are accounted for");

	n.received_total = 0;
	n.derived_total = 2;
	store_counters_put(s, b.route, &n);
	assert_int_equal(store_check(s, &t, why, sizeof why), ERR_CORRUPT);
	assert_string_equal(why, "on route a-b 2 letters were derived and 1 are accounted for");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_held_batch_is_of_a_class_of_its_own),
		STORE_TEST(the_queue_is_read_class_by_class),
		STORE_TEST(a_route_s_identities_are_read_in_order),
		STORE_TEST(an_intake_that_finds_no_room_takes_none),
		STORE_TEST(a_series_has_what_is_in_custody),
		STORE_TEST(a_batch_changes_its_series),
		STORE_TEST(a_damaged_batch_leaves_nothing_behind),
		STORE_TEST(a_series_without_its_batch_is_repaired),
		STORE_TEST(counters_are_recounted_and_balance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
