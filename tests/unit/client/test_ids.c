/* test_ids.c - new ids differ and sort; derived ones are always the same */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"
#include "handoff/client.h"

#define PARENT "0190a1b2-c3d4-4e5f-8a6b-0123456789ab"

static void new_ids_differ(void **state)
{
	char one[HANDOFF_ID_SIZE], two[HANDOFF_ID_SIZE];
	struct uuid u;

	(void)state;
	handoff_make_id(one);
	handoff_make_id(two);
	assert_true(uuid_parse(one, strlen(one), &u));
	assert_string_not_equal(one, two);
	assert_int_equal(one[14], '4');
}

static void derived_ids_never_change(void **state)
{
	char id[HANDOFF_ID_SIZE];

	(void)state;
	assert_int_equal(handoff_derive_id(PARENT, 0, id), 0);
	assert_string_equal(id, "0190a1b2-c3d4-4121-8db4-adc86e0d00b4");
	assert_int_equal(handoff_derive_id("0190A1B2-C3D4-4E5F-8A6B-0123456789AB", 1, id), 0);
	assert_string_equal(id, "0190a1b2-c3d4-4662-9b04-5b298185d3da");
}

static void derived_ids_begin_with_the_time_of_what_they_come_from(void **state)
{
	char one[HANDOFF_ID_SIZE], two[HANDOFF_ID_SIZE];

	(void)state;
	assert_int_equal(handoff_derive_id(PARENT, 0, one), 0);
	assert_int_equal(handoff_derive_id(PARENT, UINT64_MAX, two), 0);
	assert_memory_equal(one, PARENT, 13);
	assert_memory_equal(two, PARENT, 13);
	assert_string_not_equal(one, two);
	assert_string_not_equal(one, PARENT);
}

static void what_is_no_id_has_none_derived(void **state)
{
	char id[HANDOFF_ID_SIZE] = "before";

	(void)state;
	assert_int_equal(handoff_derive_id("", 0, id), HANDOFF_INVALID);
	assert_int_equal(handoff_derive_id(PARENT "0", 0, id), HANDOFF_INVALID);
	assert_string_equal(id, "before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ids_differ),
		cmocka_unit_test(derived_ids_never_change),
		cmocka_unit_test(derived_ids_begin_with_the_time_of_what_they_come_from),
		cmocka_unit_test(what_is_no_id_has_none_derived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
