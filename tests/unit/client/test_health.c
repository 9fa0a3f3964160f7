/* test_health.c - what a module says of its parts: kept, bounded, forgotten; without a connection */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/internal.h"

static int set_up(void **state)
{
	struct handoff_options *o = handoff_options_create();

	*state = handoff_open(o);	/* has ended: it has no module */
	handoff_options_destroy(o);
	return 0;
}

static int tear_down(void **state)
{
	handoff_close(*state);
	return 0;
}

static void the_latest_word_counts(void **state)
{
	struct handoff_client *c = *state;

	assert_int_equal(handoff_health_component(c, "disk", HANDOFF_HEALTHY, "fine"), 0);
	assert_int_equal(handoff_health_component(c, "cache", HANDOFF_DEGRADED, NULL), 0);
	assert_int_equal(handoff_health_component(c, "disk", HANDOFF_UNHEALTHY, "gone"), 0);
	assert_int_equal(c->component_count, 2);
	assert_string_equal(c->components[0].message, "gone");
	assert_int_equal(c->components[0].status, HEALTH_UNHEALTHY);
	assert_string_equal(c->components[1].message, "");
	handoff_health_forget(c, "disk");
	handoff_health_forget(c, "nothing of this name");
	assert_int_equal(c->component_count, 1);
	assert_string_equal(c->components[0].name, "cache");
}

static void what_is_wrong_is_refused_and_changes_nothing(void **state)
{
	static const char *const names[] = {
		NULL, "", "output_buffer", "no \xff UTF-8",
		"a name that is longer by one byte than the sixty-four bytes it has",
	};
	struct handoff_client *c = *state;

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		assert_int_equal(handoff_health_component(c, names[n], HANDOFF_HEALTHY, ""),
				 HANDOFF_INVALID);
	assert_int_equal(handoff_health_component(c, "x", HANDOFF_HEALTHY, "\xc3"),
			 HANDOFF_INVALID);
	assert_int_equal(handoff_health_component(c, "x", (enum handoff_health)3, ""),
			 HANDOFF_INVALID);
	assert_int_equal(c->component_count, 0);
}

static void a_long_message_is_cut_between_characters(void **state)
{
	struct handoff_client *c = *state;
	char text[600];

	for (size_t n = 0; n < 299; n++)
		memcpy(&text[2 * n], "\xc3\xa4", 3);
	assert_int_equal(handoff_health_component(c, "x", HANDOFF_HEALTHY, text), 0);
	assert_int_equal(strlen(c->components[0].message), HANDOFF_COMPONENT_MESSAGE_MAX - 1);
}

static void there_is_a_ceiling(void **state)
{
	struct handoff_client *c = *state;
	char name[32];

	for (int n = 0; n < HANDOFF_COMPONENTS_MAX; n++) {
		snprintf(name, sizeof(name), "part %d", n);
		assert_int_equal(handoff_health_component(c, name, HANDOFF_HEALTHY, ""), 0);
	}
	assert_int_equal(handoff_health_component(c, "one more", HANDOFF_HEALTHY, ""),
			 HANDOFF_AGAIN);
	assert_int_equal(handoff_health_component(c, "part 7", HANDOFF_DEGRADED, ""), 0);
	assert_int_equal(c->component_count, HANDOFF_COMPONENTS_MAX);
}

static void without_a_connection_nobody_is_asked(void **state)
{
	assert_int_equal(handoff_health_ask(*state, HANDOFF_DETAILED), HANDOFF_CLOSED);
	assert_int_equal(handoff_health_ask(*state, (enum handoff_check)3), HANDOFF_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_latest_word_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_and_changes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_long_message_is_cut_between_characters, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(there_is_a_ceiling, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_connection_nobody_is_asked, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
