/* test_metric.c - histograms: each value stands in one bucket, and none is lost */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"

static const struct histogram_scale *const scales[] = { &scale_work, &scale_wait, &scale_count };

static void a_value_stands_in_the_first_bucket_that_holds_it(void **state)
{
	struct histogram h;

	(void)state;
	histogram_init(&h, &scale_count);
	histogram_add(&h, 0);
	histogram_add(&h, 1);
	histogram_add(&h, 2);
	histogram_add(&h, 3);
	histogram_add(&h, 4096);
	histogram_add(&h, 4097);
	histogram_add(&h, UINT32_MAX);
	assert_int_equal(h.buckets[0], 2);
	assert_int_equal(h.buckets[1], 1);
	assert_int_equal(h.buckets[2], 1);
	assert_int_equal(h.buckets[scale_count.count - 1], 1);
	assert_int_equal(h.buckets[scale_count.count], 2);
	assert_int_equal(histogram_count(&h), 7);
	assert_true(h.sum == 0 + 1 + 2 + 3 + 4096 + 4097 + (uint64_t)UINT32_MAX);
}

static void bounds_rise(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(scales) / sizeof(scales[0]); n++) {
		const struct histogram_scale *s = scales[n];

		assert_in_range(s->count, 1, HISTOGRAM_BOUNDS_MAX);
		for (unsigned i = 1; i < s->count; i++)
			assert_true(s->bounds[i - 1] < s->bounds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_stands_in_the_first_bucket_that_holds_it),
		cmocka_unit_test(bounds_rise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
