/* test_latency.c - percentiles of times that are counted in steps */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/handoff/latency.h"

static struct latency l;

static int clear(void **state)
{
	(void)state;
	l = (struct latency){ 0 };
	return 0;
}

static void test_nothing_is_0(void **state)
{
	(void)state;
	assert_int_equal(latency_permille(&l, 500), 0);
	assert_int_equal(latency_permille(&l, 1000), 0);
}

static void test_small_times_are_exact(void **state)
{
	(void)state;
	for (int64_t us = 1; us <= 100; us++)
		latency_add(&l, us);
	assert_int_equal(latency_permille(&l, 500), 50);
	assert_int_equal(latency_permille(&l, 990), 99);
	assert_int_equal(latency_permille(&l, 1000), 100);
}

/* Alone in a step, each must be found again: not below it, and above it by a step at most. */
static void test_every_time_is_right_to_its_step(void **state)
{
	(void)state;
	for (int64_t us = 1; us < (int64_t)1 << 36; us += us / 7 + 1) {
		l = (struct latency){ 0 };
		latency_add(&l, us);
		latency_add(&l, (int64_t)1 << 37);
		assert_true(latency_permille(&l, 500) >= us);
		assert_true(latency_permille(&l, 500) <= us + us / LATENCY_STEPS);
	}
}

static void test_the_greatest_is_exact_and_none_is_too_great(void **state)
{
	(void)state;
	latency_add(&l, 1000003);
	latency_add(&l, INT64_MAX);
	latency_add(&l, -1);
	assert_int_equal(latency_permille(&l, 1000), INT64_MAX);
	assert_int_equal(latency_permille(&l, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_is_0, clear),
		cmocka_unit_test_setup(test_small_times_are_exact, clear),
		cmocka_unit_test_setup(test_every_time_is_right_to_its_step, clear),
		cmocka_unit_test_setup(test_the_greatest_is_exact_and_none_is_too_great, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
