/* test_retry.c - the wait before the next attempt (protocol.md section 6) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/internal.h"

static const struct route_settings usual = {
	.retry_delay_ms = 1000, .backoff_multiplier = 2.0, .max_retry_delay_ms = 60000
};

/* Random numbers of which none is added, and of which as much as can be is. */
#define LEAST 0
#define MOST(wait_ms) ((wait_ms) / 10)

static void the_wait_grows_by_the_multiplier_up_to_the_cap(void **state)
{
	static const uint64_t waits_ms[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };

	(void)state;
	for (uint32_t n = 0; n < sizeof waits_ms / sizeof waits_ms[0]; n++) {
		assert_int_equal(retry_wait_ms(&usual, n + 1, LEAST), waits_ms[n]);
		assert_int_equal(retry_wait_ms(&usual, n + 1, MOST(waits_ms[n])),
		    waits_ms[n] + MOST(waits_ms[n]));
	}
}

static void jitter_adds_up_to_a_tenth_and_takes_nothing(void **state)
{
	struct rng rng;
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	rng_seed(&rng, 7);
	for (int n = 0; n < 10000; n++) {
		uint64_t wait_ms = retry_wait_ms(&usual, 3, rng_next(&rng));
		least = wait_ms < least ? wait_ms : least;
		most = wait_ms > most ? wait_ms : most;
	}
	assert_in_range(least, 4000, 4004);
	assert_in_range(most, 4396, 4400);
}

static void a_multiplier_of_one_never_grows(void **state)
{
	struct route_settings even = usual;

	(void)state;
	even.backoff_multiplier = 1.0;
	assert_int_equal(retry_wait_ms(&even, 1, LEAST), 1000);
	assert_int_equal(retry_wait_ms(&even, UINT32_MAX, LEAST), 1000);
}

static void nothing_overflows(void **state)
{
	struct route_settings steep = {
		.retry_delay_ms = UINT32_MAX, .backoff_multiplier = 100,
		.max_retry_delay_ms = UINT32_MAX,
	};

	(void)state;
	assert_int_equal(retry_wait_ms(&steep, UINT32_MAX, LEAST), UINT32_MAX);
	assert_in_range(retry_wait_ms(&steep, UINT32_MAX, UINT64_MAX), UINT32_MAX,
	    (uint64_t)UINT32_MAX * 11 / 10 + 1);
}

static void the_cap_is_above_the_first_wait_too(void **state)
{
	struct route_settings low = usual;

	(void)state;
	low.max_retry_delay_ms = 300;
	assert_int_equal(retry_wait_ms(&low, 1, LEAST), 300);
}

/* The default arithmetic of protocol.md section 11: a mute target is given up after 211 s. */
static void a_mute_target_is_given_up_after_211_s(void **state)
{
	uint64_t total_ms = 6 * 30000;

	(void)state;
	for (uint32_t n = 1; n <= 5; n++)
		total_ms += retry_wait_ms(&usual, n, LEAST);
	assert_int_equal(total_ms, 211000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_grows_by_the_multiplier_up_to_the_cap),
		cmocka_unit_test(jitter_adds_up_to_a_tenth_and_takes_nothing),
		cmocka_unit_test(a_multiplier_of_one_never_grows),
		cmocka_unit_test(nothing_overflows),
		cmocka_unit_test(the_cap_is_above_the_first_wait_too),
		cmocka_unit_test(a_mute_target_is_given_up_after_211_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
