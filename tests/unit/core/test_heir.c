/* test_heir.c - what any instance may take: more of it than a turn has rows for, and no room */
#include "../store/fixture.h"

#include "core/core.h"
#include "core/internal.h"

#define NOW_MS 1000000
#define MANY 3000
#define AT_ONCE 1024

/* What the peers have been told, whichever: each body is the number that it stands at. */
static uint32_t told;

static void on_notice(struct peer *p, uint64_t number, const uint8_t *body, size_t n)
{
	(void)p;
	(void)number;
	assert_int_equal(n, sizeof told);
	assert_memory_equal(body, &told, sizeof told);
	told++;
}

static bool on_has_room(const struct peer *p)
{
	(void)p;
	return true;
}

static const struct peer_ops ops = { .notice = on_notice, .has_room = on_has_room };

static struct core *make_core(struct store *s, uint64_t reserve)
{
	static const struct module_settings modules[] = { { .name = "ALPHA" } };
	const struct core_settings settings = { .modules = modules, .module_count = 1,
		.instances_per_module = 8, .history_size = 16 << 20, .stage_reserve = reserve };
	char why[256] = "";
	struct core *c = core_create(s, &ops, &settings, NOW_MS, 1, why, sizeof why);

	assert_non_null(c);
	core_set_time(c, NOW_MS, NOW_MS, NOW_MS * INT64_C(1000));
	return c;
}

static struct instance *join(struct core *c, const char *id)
{
	static char peer;
	const struct hello h = { .module = "ALPHA", .instance_id = span_of(id), .mailbox = true };

	return core_join(c, &h, (struct peer *)&peer);
}

/* They are told to one who is gone before it has confirmed any. */
static void leave_many(struct core *c, uint32_t count)
{
	struct instance *i = join(c, "one");

	told = 0;
	for (uint32_t n = 0; n < count; n++)
		mailbox_add(c, i, true, (const uint8_t *)&n, sizeof n);
	core_leave(c, i, LEAVE_LOST);
	told = 0;
}

static bool turn(struct core *c, struct store *s)
{
	bool more = core_turn_close(c);

	assert_int_equal(store_commit(s), 0);
	return more;
}

static void many_go_on_some_in_a_turn(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct core *c = make_core(s, 0);

	leave_many(c, MANY);
	assert_false(turn(c, s));
	join(c, "two");
	for (uint32_t n = 1; n * AT_ONCE < MANY; n++) {
		assert_true(turn(c, s));
		assert_int_equal(told, n * AT_ONCE);
	}
	while (turn(c, s))
		;
	assert_int_equal(told, MANY);
	core_destroy(c);
}

/* Who returns while they go on keeps what is left. */
static void who_returns_keeps_the_rest(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct core *c = make_core(s, 0);

	leave_many(c, MANY);
	assert_false(turn(c, s));
	join(c, "two");
	assert_true(turn(c, s));
	assert_int_equal(told, AT_ONCE);
	join(c, "one");
	while (turn(c, s))
		;
	assert_int_equal(told, MANY);
	core_destroy(c);
}

static void they_wait_for_room(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct core *c = make_core(s, UINT64_C(1) << 40);

	leave_many(c, 3);
	join(c, "two");
	assert_false(turn(c, s));
	assert_int_equal(told, 0);
	core_destroy(c);
	c = make_core(s, 0);
	join(c, "two");
	while (turn(c, s))
		;
	assert_int_equal(told, 3);
	core_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(many_go_on_some_in_a_turn),
		STORE_TEST(who_returns_keeps_the_rest),
		STORE_TEST(they_wait_for_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
