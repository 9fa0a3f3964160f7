/* test_health.c - the verdicts as a table, and the minute that the error rate is taken from */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/health.h"
#include "core/rates.h"

#define H HEALTH_HEALTHY
#define D HEALTH_DEGRADED
#define U HEALTH_UNHEALTHY

static void an_instance_is_judged_by_its_signs(void **state)
{
	static const struct {
		struct instance_signs signs;	/* overdue, silent, stuck, reported */
		enum health_status status;
		const char *why;
	} rows[] = {
		{ { false, false, false, H }, H, "" },
		{ { false, true, false, H }, H, "" },	/* nobody has asked it in vain */
		{ { true, false, false, H }, D, "does not answer health checks" },
		{ { true, true, false, H }, U, "does not answer" },
		{ { true, true, true, U }, U, "does not answer" },
		{ { false, false, false, D }, D, "says so itself" },
		{ { false, false, false, U }, U, "says so itself" },
		{ { true, false, false, U }, U, "says so itself" },
		{ { false, false, true, H }, D, "holds batches and ends none" },
		{ { true, false, true, D }, D, "holds batches and ends none" },
	};
	const char *why;

	(void)state;
	for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
		assert_int_equal(health_of_instance(&rows[n].signs, &why), rows[n].status);
		assert_string_equal(why, rows[n].why);
		assert_int_equal(health_of_instance(&rows[n].signs, NULL), rows[n].status);
	}
}

static void a_module_is_judged_by_its_instances_and_its_work(void **state)
{
	static const struct {
		struct module_signs signs;	/* connected, { H, D, U }, takers, waiting */
		bool judged;
		enum health_status status;
	} rows[] = {
		{ { 0, { 0, 0, 0 }, 0, 0 }, false, H },	/* away with nothing to do */
		{ { 0, { 0, 0, 0 }, 0, 1 }, true, D },
		{ { 1, { 1, 0, 0 }, 1, 0 }, true, H },
		{ { 1, { 1, 0, 0 }, 1, 9 }, true, H },
		{ { 1, { 1, 0, 0 }, 0, 9 }, true, D },	/* it is there and takes nothing */
		{ { 1, { 1, 0, 0 }, 0, 0 }, true, H },	/* a source */
		{ { 2, { 1, 1, 0 }, 2, 0 }, true, D },
		{ { 2, { 1, 0, 1 }, 2, 0 }, true, D },	/* another one does its work */
		{ { 2, { 0, 1, 1 }, 2, 0 }, true, D },
		{ { 2, { 0, 0, 2 }, 2, 0 }, true, U },
		{ { 1, { 0, 0, 1 }, 0, 5 }, true, U },
	};
	enum health_status status;
	const char *why;

	(void)state;
	for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
		assert_int_equal(health_of_module(&rows[n].signs, &status, &why), rows[n].judged);
		assert_int_equal(status, rows[n].status);
		assert_int_equal(*why != '\0', rows[n].status != H);
	}
}

static void the_pipeline_is_judged_by_modules_circuits_and_errors(void **state)
{
	static const struct {
		struct pipeline_signs signs;	/* modules, circuits, error rate, threshold */
		enum health_status status;
	} rows[] = {
		{ { H, 0, 0, 0.01 }, H },
		{ { H, 0, 0.009, 0.01 }, H },
		{ { H, 0, 0.01, 0.01 }, D },
		{ { H, 0, 0.5, 0.01 }, D },
		{ { H, 0, 1, 0.01 }, D },	/* errors alone make it no worse */
		{ { H, 0, 0, 0 }, H },
		{ { H, 0, 0.001, 0 }, D },
		{ { D, 0, 0, 0.01 }, D },
		{ { H, 1, 0, 0.01 }, D },
		{ { D, 1, 1, 0.01 }, D },	/* nor does one of each */
		{ { H, 2, 0, 0.01 }, U },
		{ { H, 7, 0, 0.01 }, U },
		{ { U, 0, 0, 0.01 }, U },
		{ { U, 1, 0.5, 0.01 }, U },
	};
	const char *why;

	(void)state;
	for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
		assert_int_equal(health_of_pipeline(&rows[n].signs, &why), rows[n].status);
		assert_int_equal(*why != '\0', rows[n].status != H);
	}
}

/* --- the minute ------------------------------------------------------------------------------ */

#define BEGIN_MS UINT64_C(1700000000123)

static void a_minute_counts_and_no_more(void **state)
{
	struct rates r = { 0 };

	(void)state;
	rates_note(&r, BEGIN_MS, &(struct tally){ .ended = 3, .records = 30 });
	rates_note(&r, BEGIN_MS + 30000, &(struct tally){ .failed = 1 });
	struct tally t = rates_sum(&r, BEGIN_MS + 59000);
	assert_int_equal(t.ended, 3);
	assert_int_equal(t.records, 30);
	assert_int_equal(t.failed, 1);
	assert_true(tally_error_rate(&t) == 0.25);
	t = rates_sum(&r, BEGIN_MS + 60000);
	assert_int_equal(t.ended, 0);
	assert_int_equal(t.failed, 1);
	assert_true(tally_error_rate(&t) == 1);
	t = rates_sum(&r, BEGIN_MS + 90000);
	assert_int_equal(t.failed, 0);
	assert_true(tally_error_rate(&t) == 0);
}

/* Against a list of all that was noted. */
static void the_ring_agrees_with_a_list(void **state)
{
	static const uint64_t steps_ms[] = { 0, 1, 400, 999, 1000, 1001, 7000, 59000, 61000, 200 };
	uint64_t at_ms[400], now_ms = BEGIN_MS;
	struct rates r = { 0 };

	(void)state;
	for (size_t n = 0; n < 400; n++) {
		uint64_t expected = 0;

		now_ms += steps_ms[n * n % 10];
		at_ms[n] = now_ms;
		rates_note(&r, now_ms, &(struct tally){ .ended = n + 1 });
		for (size_t k = 0; k <= n; k++)
			expected += now_ms / 1000 - at_ms[k] / 1000 < RATES_SECONDS ? k + 1 : 0;
		assert_int_equal(rates_sum(&r, now_ms).ended, expected);
	}
}

static void the_first_minute_of_a_clock_that_begins_at_nothing(void **state)
{
	struct rates r = { 0 };

	(void)state;
	rates_note(&r, 5, &(struct tally){ .ended = 1 });
	assert_int_equal(rates_sum(&r, 5).ended, 1);
	assert_int_equal(rates_sum(&r, 59999).ended, 1);
	assert_int_equal(rates_sum(&r, 60000).ended, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_is_judged_by_its_signs),
		cmocka_unit_test(a_module_is_judged_by_its_instances_and_its_work),
		cmocka_unit_test(the_pipeline_is_judged_by_modules_circuits_and_errors),
		cmocka_unit_test(a_minute_counts_and_no_more),
		cmocka_unit_test(the_ring_agrees_with_a_list),
		cmocka_unit_test(the_first_minute_of_a_clock_that_begins_at_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
