/* test_client.c - a client without a broker: options, states, and what is said before WELCOME */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/options.h"
#include "handoff/handoff.h"

static struct handoff_options *full_options(void)
{
	struct handoff_options *o = handoff_options_create();

	handoff_options_set_module(o, "ALPHA");
	handoff_options_set_ca(o, "/nonexistent/ca.crt");
	handoff_options_set_certificate(o, "/nonexistent/alpha.crt", "/nonexistent/alpha.key");
	return o;
}

/* The client that these options make has ended, and says why. */
static void assert_ends(struct handoff_options *o, const char *why)
{
	struct handoff_client *c = handoff_open(o);
	const struct handoff_event *event;

	assert_non_null(c);
	assert_int_equal(handoff_state(c), HANDOFF_ENDED);
	assert_non_null(strstr(handoff_why(c), why));
	assert_int_equal(handoff_fd(c), -1);
	assert_int_equal(handoff_wants(c), 0);
	assert_int_equal(handoff_next_timeout_ms(c), -1);
	assert_int_equal(handoff_next(c, -1, &event), 0);
	assert_int_equal(event->type, HANDOFF_EVENT_STATE);
	assert_int_equal(event->state, HANDOFF_ENDED);
	assert_string_equal(event->text, handoff_why(c));
	assert_int_equal(handoff_next(c, -1, &event), HANDOFF_CLOSED);
	handoff_close(c);
	handoff_options_destroy(o);
}

static void a_client_ends_at_once_when_an_option_is_missing(void **state)
{
	struct handoff_options *o;

	(void)state;
	assert_ends(handoff_options_create(), "module");
	o = full_options();
	handoff_options_set_ca(o, NULL);
	assert_ends(o, "HANDOFF_CA");
	o = full_options();
	handoff_options_set_certificate(o, NULL, NULL);
	assert_ends(o, "HANDOFF_CERT");
}

static void a_client_ends_at_once_when_an_option_is_wrong(void **state)
{
	static const char long_id[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX";
	struct handoff_options *o;

	(void)state;
	o = full_options();
	handoff_options_set_module(o, "alpha");
	assert_ends(o, "module");
	o = full_options();
	handoff_options_set_instance(o, long_id);
	assert_ends(o, "instance");
	o = full_options();
	handoff_options_set_instance(o, "");
	assert_ends(o, "instance");
	o = full_options();
	handoff_options_set_max_in_flight(o, 1025);
	assert_ends(o, "max_in_flight");
	o = full_options();
	handoff_options_set_window(o, 0, 1);
	handoff_options_set_max_in_flight(o, 1025);
	assert_ends(o, "window");
}

static void a_client_ends_at_once_when_a_file_cannot_be_read(void **state)
{
	(void)state;
	assert_ends(full_options(), "/nonexistent/");
}

static void the_environment_fills_options_and_setters_win(void **state)
{
	struct handoff_options *o = handoff_options_create();

	(void)state;
	setenv("HANDOFF_BROKER", "broker.example:1", 1);
	setenv("HANDOFF_CA", "ca", 1);
	setenv("HANDOFF_CERT", "cert", 1);
	setenv("HANDOFF_KEY", "", 1);
	setenv("HANDOFF_INSTANCE", "one", 1);
	handoff_options_from_environment(o);
	handoff_options_set_ca(o, "another");
	assert_string_equal(o->address, "broker.example:1");
	assert_string_equal(o->ca, "another");
	assert_string_equal(o->certificate, "cert");
	assert_null(o->key);
	assert_string_equal(o->instance_id, "one");
	handoff_options_destroy(o);
}

static void words_name_everything(void **state)
{
	(void)state;
	assert_string_equal(handoff_event_name(HANDOFF_EVENT_NOT_DONE), "NOT_DONE");
	assert_string_equal(handoff_circuit_name(HANDOFF_CIRCUIT_HALF_OPEN), "HALF_OPEN");
	assert_string_equal(handoff_state_name(HANDOFF_WAITING), "waiting");
	for (int r = HANDOFF_STALE; r <= 0; r++)
		assert_string_not_equal(handoff_result_text(r), "unknown result");
	assert_string_equal(handoff_result_text(HANDOFF_STALE - 1), "unknown result");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_ends_at_once_when_an_option_is_missing),
		cmocka_unit_test(a_client_ends_at_once_when_an_option_is_wrong),
		cmocka_unit_test(a_client_ends_at_once_when_a_file_cannot_be_read),
		cmocka_unit_test(the_environment_fills_options_and_setters_win),
		cmocka_unit_test(words_name_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
