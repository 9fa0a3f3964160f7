/* test_err.c - every error has a text of its own */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void each_error_has_its_own_text(void **state)
{
	(void)state;
	for (int a = 0; a >= ERR_INVALID; a--) {
		assert_string_not_equal(err_text(a), "unknown error");
		for (int b = 0; b > a; b--)
			assert_string_not_equal(err_text(a), err_text(b));
	}
}

static void a_number_that_is_no_error_is_unknown(void **state)
{
	static const int numbers[] = { 1, INT_MAX, INT_MIN, ERR_INVALID - 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_string_equal(err_text(numbers[i]), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_has_its_own_text),
		cmocka_unit_test(a_number_that_is_no_error_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
