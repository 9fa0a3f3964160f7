/* test_page.c - the text format of Prometheus: names, labels, numbers, buckets */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/page.h"

static struct buf out;
static struct page page = { .out = &out };

static int begin(void **state)
{
	(void)state;
	buf_init(&out, 4096);
	return 0;
}

static int end(void **state)
{
	(void)state;
	buf_finish(&out);
	return 0;
}

static void assert_page(const char *expected)
{
	buf_put(&out, "", 1);
	assert_false(out.failed);
	assert_string_equal((const char *)buf_bytes(&out), expected);
}

static void a_family_has_help_and_type_before_its_samples(void **state)
{
	(void)state;
	page_family(&page, "", "a_total", METRIC_COUNTER, "What it is.");
	page_sample(&page, NULL, 3);
	assert_page("# HELP a_total What it is.\n# TYPE a_total counter\na_total 3\n");
}

static void a_name_may_begin_with_a_routes_or_a_modules(void **state)
{
	(void)state;
	page_family(&page, "alpha-beta-2", "_x", METRIC_GAUGE, "h");
	page_sample(&page, NULL, 0);
	page_family(&page, "SIGMA_2", "_x", METRIC_GAUGE, "h");
	page_sample(&page, NULL, 0);
	assert_page("# HELP alpha_beta_2_x h\n# TYPE alpha_beta_2_x gauge\nalpha_beta_2_x 0\n"
		    "# HELP sigma_2_x h\n# TYPE sigma_2_x gauge\nsigma_2_x 0\n");
}

static void labels_are_escaped(void **state)
{
	(void)state;
	page_family(&page, "", "a", METRIC_GAUGE, "h");
	buf_clear(&out);
	page_sample(&page, (struct label[PAGE_LABELS_MAX]){
		{ "one", "\"\\\n" }, { "two", "plain" } }, 1);
	assert_page("a{one=\"\\\"\\\\\\n\",two=\"plain\"} 1\n");
}

static void numbers_are_whole_or_have_fifteen_digits(void **state)
{
	(void)state;
	page_family(&page, "", "a", METRIC_GAUGE, "h");
	buf_clear(&out);
	page_sample(&page, NULL, 1795000000);
	page_sample(&page, NULL, 1795996956.25);
	page_sample(&page, NULL, 0.1 + 0.2);
	page_sample(&page, NULL, 0.00025);
	page_sample(&page, NULL, 1e18);
	page_sample(&page, NULL, -2.5);
	assert_page("a 1795000000\na 1795996956.25\na 0.3\na 0.00025\na 1e+18\na -2.5\n");
}

static void buckets_are_cumulative(void **state)
{
	static const struct histogram_scale scale = { .count = 2, .bounds = { 500, 2000 },
		.unit = 1e-3 };
	struct histogram h;

	(void)state;
	histogram_init(&h, &scale);
	histogram_add(&h, 1);
	histogram_add(&h, 500);
	histogram_add(&h, 501);
	histogram_add(&h, 3000);
	page_family(&page, "", "a_seconds", METRIC_HISTOGRAM, "h");
	page_histogram(&page, (struct label[PAGE_LABELS_MAX]){ { "r", "x" } }, &h);
	assert_page("# HELP a_seconds h\n# TYPE a_seconds histogram\n"
		    "a_seconds_bucket{r=\"x\",le=\"0.5\"} 2\n"
		    "a_seconds_bucket{r=\"x\",le=\"2\"} 3\n"
		    "a_seconds_bucket{r=\"x\",le=\"+Inf\"} 4\n"
		    "a_seconds_sum{r=\"x\"} 4.002\n"
		    "a_seconds_count{r=\"x\"} 4\n");
}

static void a_histogram_without_labels_has_le_alone(void **state)
{
	static const struct histogram_scale scale = { .count = 1, .bounds = { 1 }, .unit = 1 };
	struct histogram h;

	(void)state;
	histogram_init(&h, &scale);
	page_family(&page, "", "a", METRIC_HISTOGRAM, "h");
	buf_clear(&out);
	page_histogram(&page, NULL, &h);
	assert_page("a_bucket{le=\"1\"} 0\na_bucket{le=\"+Inf\"} 0\na_sum 0\na_count 0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_family_has_help_and_type_before_its_samples,
						begin, end),
		cmocka_unit_test_setup_teardown(a_name_may_begin_with_a_routes_or_a_modules, begin,
						end),
		cmocka_unit_test_setup_teardown(labels_are_escaped, begin, end),
		cmocka_unit_test_setup_teardown(numbers_are_whole_or_have_fifteen_digits, begin, end),
		cmocka_unit_test_setup_teardown(buckets_are_cumulative, begin, end),
		cmocka_unit_test_setup_teardown(a_histogram_without_labels_has_le_alone, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
