/* test_rng.c - the same seed, the same numbers, on every machine */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* The reference implementation's first numbers for the state {1, 2, 3, 4}. */
static void the_numbers_are_those_of_xoshiro256_star_star(void **state)
{
	static const uint64_t expected[] = { 11520, 0, 1509978240, 1215971899390074240 };
	struct rng r = { { 1, 2, 3, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(rng_next(&r), expected[i]);
}

static void a_seed_gives_the_same_numbers_again(void **state)
{
	struct rng a, b, c;
	uint8_t bytes[3], more[17];

	(void)state;
	rng_seed(&a, 7);
	rng_seed(&b, 7);
	rng_seed(&c, 8);
	/* splitmix64 of 0 begins so in every implementation. */
	assert_int_equal(rng_next(&a), rng_next(&b));
	assert_int_not_equal(rng_next(&a), rng_next(&c));
	rng_seed(&a, 0);
	assert_int_equal(a.s[0], UINT64_C(0xe220a8397b1dcdaf));
	rng_seed(&b, 0);
	rng_bytes(&b, bytes, sizeof(bytes));
	assert_int_equal(bytes[2], (rng_next(&a) >> 16) & 0xff);
	/* The last byte of a second word, the only one of a third. */
	rng_bytes(&b, more, sizeof(more));
	(void)rng_next(&a);
	assert_int_equal(more[15], rng_next(&a) >> 56);
	assert_int_equal(more[16], rng_next(&a) & 0xff);
}

static void below_stays_below_and_reaches_everything(void **state)
{
	unsigned seen[6] = { 0 };
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (int i = 0; i < 6000; i++) {
		uint64_t x = rng_below(&r, 6);

		assert_true(x < 6);
		seen[x]++;
	}
	for (size_t i = 0; i < 6; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_int_equal(rng_below(&r, 1), 0);
	assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

static void the_system_fills_every_byte(void **state)
{
	uint8_t seen[1024] = { 0 }, bytes[1024];

	(void)state;
	for (int round = 0; round < 20; round++) {
		memset(bytes, 0, sizeof(bytes));
		rng_system(bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++)
			seen[i] |= bytes[i];
	}
	for (size_t i = 0; i < sizeof(seen); i++)
		assert_int_not_equal(seen[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_numbers_are_those_of_xoshiro256_star_star),
		cmocka_unit_test(a_seed_gives_the_same_numbers_again),
		cmocka_unit_test(below_stays_below_and_reaches_everything),
		cmocka_unit_test(the_system_fills_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
