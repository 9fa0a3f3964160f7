/* test_ratelimit.c - who may begin, and who is forgotten */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "net/ratelimit.h"

static struct ratelimit_address address(unsigned i)
{
	struct ratelimit_address a = { .b = { [10] = 0xff, [11] = 0xff } };

	memcpy(a.b + 12, &i, sizeof(i));
	return a;
}

static struct ratelimit *create(unsigned per_address, unsigned total, unsigned addresses)
{
	return ratelimit_create(&(struct ratelimit_settings){ per_address, total, addresses, 42 });
}

/* How many of n one after the other pass. */
static unsigned passing(struct ratelimit *r, const struct ratelimit_address *a, unsigned n,
			int64_t now_ms)
{
	unsigned passed = 0;

	while (n-- > 0) {
		if (ratelimit_take(r, a, now_ms) == RATELIMIT_PASS)
			passed++;
	}
	return passed;
}

static void an_address_has_a_seconds_worth_and_gains_it_again(void **state)
{
	struct ratelimit *r = create(10, 1000, 8);
	const struct ratelimit_address a = address(1), b = address(2);

	(void)state;
	assert_int_equal(passing(r, &a, 100, 5000), 10);
	assert_int_equal(ratelimit_take(r, &a, 5000), RATELIMIT_ADDRESS);
	assert_int_equal(ratelimit_take(r, &a, 5099), RATELIMIT_ADDRESS);
	assert_int_equal(passing(r, &a, 100, 5100), 1);
	assert_int_equal(passing(r, &a, 100, 5550), 4);
	/* Half a token was left over; nobody gains more than a second's worth. */
	assert_int_equal(passing(r, &a, 100, 5600), 1);
	assert_int_equal(passing(r, &a, 100, 100000), 10);
	/* The other one never noticed. */
	assert_int_equal(passing(r, &b, 100, 100000), 10);
	ratelimit_destroy(r);
}

static void all_together_have_their_own_limit(void **state)
{
	struct ratelimit *r = create(10, 25, 8);
	unsigned passed = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		const struct ratelimit_address a = address(i);

		passed += passing(r, &a, 10, 0);
	}
	assert_int_equal(passed, 25);
	{
		const struct ratelimit_address fresh = address(9);

		assert_int_equal(ratelimit_take(r, &fresh, 0), RATELIMIT_TOTAL);
		assert_int_equal(passing(r, &fresh, 100, 40), 1);
	}
	ratelimit_destroy(r);
}

static void what_an_address_is_refused_costs_the_others_nothing(void **state)
{
	struct ratelimit *r = create(5, 20, 8);
	const struct ratelimit_address flood = address(1), quiet = address(2);

	(void)state;
	assert_int_equal(passing(r, &flood, 10000, 0), 5);
	assert_int_equal(passing(r, &quiet, 5, 0), 5);
	assert_int_equal(passing(r, NULL, 100, 0), 10);
	ratelimit_destroy(r);
}

static void loopback_counts_in_the_total_alone(void **state)
{
	struct ratelimit *r = create(1, 50, 8);

	(void)state;
	assert_int_equal(passing(r, NULL, 100, 0), 50);
	assert_int_equal(ratelimit_take(r, NULL, 0), RATELIMIT_TOTAL);
	assert_int_equal(ratelimit_known(r), 0);
	ratelimit_destroy(r);
}

static void the_address_not_seen_for_longest_is_forgotten(void **state)
{
	struct ratelimit *r = create(1, 1000000, 3);
	struct ratelimit_address a[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		a[i] = address(i);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(passing(r, &a[i], 2, 0), 1);
	assert_int_equal(ratelimit_known(r), 3);
	assert_int_equal(ratelimit_take(r, &a[0], 0), RATELIMIT_ADDRESS);	/* seen again */
	assert_int_equal(ratelimit_take(r, &a[3], 0), RATELIMIT_PASS);		/* in place of 1 */
	assert_int_equal(ratelimit_known(r), 3);
	assert_int_equal(ratelimit_take(r, &a[0], 0), RATELIMIT_ADDRESS);
	assert_int_equal(ratelimit_take(r, &a[2], 0), RATELIMIT_ADDRESS);
	assert_int_equal(ratelimit_take(r, &a[3], 0), RATELIMIT_ADDRESS);
	assert_int_equal(ratelimit_take(r, &a[1], 0), RATELIMIT_PASS);		/* forgotten */
	ratelimit_destroy(r);
}

/* The same answers as a table that is searched from end to end. */
static void random_events_agree_with_a_plain_table(void **state)
{
	enum { ADDRESSES = 40, PLACES = 16, PER_ADDRESS = 3, TOTAL = 20 };
	struct ratelimit *r = create(PER_ADDRESS, TOTAL, PLACES);
	struct { bool used; int64_t level, filled, seen; } plain[ADDRESSES];
	int64_t total = TOTAL * 1000, total_filled = 0, now = 0;
	unsigned i, oldest, used, verdicts[3] = { 0 };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	memset(plain, 0, sizeof(plain));
	for (int64_t step = 1; step < 200000; step++) {
		enum ratelimit_verdict expected = RATELIMIT_PASS, got;
		struct ratelimit_address a;

		now += (int64_t)rng_below(&rng, 60);
		i = (unsigned)rng_below(&rng, rng_below(&rng, 2) == 0 ? 4 : ADDRESSES);
		a = address(i);
		for (used = 0, oldest = ADDRESSES; !plain[i].used && used < ADDRESSES; used++) {
			if (plain[used].used &&
			    (oldest == ADDRESSES || plain[used].seen < plain[oldest].seen))
				oldest = used;
		}
		if (!plain[i].used) {
			if (ratelimit_known(r) == PLACES)
				plain[oldest].used = false;
			plain[i].used = true;
			plain[i].level = PER_ADDRESS * 1000;
			plain[i].filled = now;
		}
		plain[i].seen = step;
		plain[i].level += (now - plain[i].filled) * PER_ADDRESS;
		if (plain[i].level > PER_ADDRESS * 1000)
			plain[i].level = PER_ADDRESS * 1000;
		plain[i].filled = now;
		if (plain[i].level < 1000) {
			expected = RATELIMIT_ADDRESS;
		} else {
			total += (now - total_filled) * TOTAL;
			total = total > TOTAL * 1000 ? TOTAL * 1000 : total;
			total_filled = now;
			if (total < 1000) {
				expected = RATELIMIT_TOTAL;
			} else {
				total -= 1000;
				plain[i].level -= 1000;
			}
		}
		got = ratelimit_take(r, &a, now);
		assert_int_equal(got, expected);
		verdicts[got]++;
	}
	assert_int_equal(ratelimit_known(r), PLACES);
	for (i = 0; i < 3; i++)
		assert_true(verdicts[i] > 100);
	ratelimit_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_a_seconds_worth_and_gains_it_again),
		cmocka_unit_test(all_together_have_their_own_limit),
		cmocka_unit_test(what_an_address_is_refused_costs_the_others_nothing),
		cmocka_unit_test(loopback_counts_in_the_total_alone),
		cmocka_unit_test(the_address_not_seen_for_longest_is_forgotten),
		cmocka_unit_test(random_events_agree_with_a_plain_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
