/* test_config.c - configurations that are taken, and hostile ones with what they are told */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/nearest.h"
#include "server/config.h"
#include "server/config_internal.h"

#define OUTPUT_BYTES 65536
#define MiB INT64_C(1048576)

static char directory[] = "/tmp/handoff-config-XXXXXX";
static char path[sizeof(directory) + 32];	/* of the configuration file */
static char output[OUTPUT_BYTES];		/* what the last load said on standard error */

static void write_file(const char *name, const void *text, size_t len, mode_t mode)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(name, mode), 0);
}

/* Standard error of config_load(), or of config_check_files() when `checked` is given. */
static int run_captured(struct config **c, const struct config *checked)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;
	int err;

	assert_non_null(file);
	assert_true(saved >= 0);
	fflush(stderr);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	err = checked != NULL ? config_check_files(checked) : config_load(path, c);
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(file);
	n = fread(output, 1, sizeof(output) - 1, file);
	output[n] = '\0';
	fclose(file);
	return err;
}

static struct config *load(const char *text)
{
	struct config *c = NULL;

	write_file(path, text, strlen(text), 0600);
	if (run_captured(&c, NULL) != 0)
		fail_msg("refused: %s\n%s", text, output);
	assert_string_equal(output, "");
	return c;
}

static void assert_refused_bytes(const char *text, size_t len, int line, const char *fragment)
{
	struct config *c = NULL;
	char expected[256];

	write_file(path, text, len, 0600);
	if (run_captured(&c, NULL) != ERR_CONFIG)
		fail_msg("taken: %s", text);
	assert_null(c);
	if (line > 0)
		snprintf(expected, sizeof(expected), "handoffd: %s:%d: ", path, line);
	else
		snprintf(expected, sizeof(expected), "handoffd: ");
	if (strstr(output, expected) == NULL || strstr(output, fragment) == NULL)
		fail_msg("%s\nsaid: %sexpected: %s… %s", text, output, expected, fragment);
}

static void assert_refused(const char *text, int line, const char *fragment)
{
	assert_refused_bytes(text, strlen(text), line, fragment);
}

static const struct config_route *route(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (strcmp(c->routes[i].name, name) == 0)
			return &c->routes[i];
	fail_msg("no route %s", name);
	return NULL;
}

static void an_empty_file_gives_the_defaults(void **state)
{
	struct config *c = load("");
	const struct config_route *ab = route(c, "alpha-beta"), *bg = route(c, "beta-gamma");
	char expected[64];

	(void)state;
	assert_string_equal(c->listen.host, "127.0.0.1");
	assert_int_equal(c->listen.port, 7420);
	snprintf(expected, sizeof(expected), "%s/broker.key", directory);
	assert_string_equal(c->tls_key, expected);
	snprintf(expected, sizeof(expected), "%s/data", directory);
	assert_string_equal(c->store_path, expected);
	assert_int_equal(c->store_size, 1024 * MiB);
	assert_int_equal(c->history_size, 256 * MiB);
	assert_int_equal(c->stage_reserve, 64 * MiB);
	assert_int_equal(c->max_frame_bytes, 8 * MiB);
	assert_int_equal(c->outcome_retention_ms, 86400000);
	assert_int_equal(c->dedupe_minimum_ms, 900000);
	assert_int_equal(c->rekey_bytes, 102400 * MiB);
	assert_true(c->backpressure_high_watermark > 0.79 && c->backpressure_high_watermark < 0.81);
	assert_null(c->admin_socket);
	assert_string_equal(c->http_listen.host, "");

	assert_int_equal(c->module_count, 5);
	assert_int_equal(c->route_count, 2);
	assert_string_equal(c->modules[ab->source].name, "ALPHA");
	assert_string_equal(c->modules[ab->target].name, "BETA");
	assert_string_equal(c->modules[bg->source].name, "BETA");
	assert_string_equal(c->modules[bg->target].name, "GAMMA");
	assert_int_equal(ab->batch_size, 1000);
	assert_int_equal(bg->batch_size, 500);
	assert_false(ab->confirm);
	assert_true(bg->confirm);
	assert_int_equal(bg->max_retries, 5);
	assert_int_equal(ab->queue_capacity_bytes, 512 * MiB);
	assert_true(ab->backoff_multiplier > 1.99 && ab->backoff_multiplier < 2.01);
	config_free(c);
}

static void the_protocols_example_is_taken(void **state)
{
	struct config *c = load(
		"listen = \"[::1]:0\"\n"
		"tls { ca = \"/etc/ca.crt\" certificate = 'my.crt' key = my.key }\n"
		"store { path = \"data\" size = \"64M\" }\n"
		"admin { socket = \"admin.sock\" }\n"
		"http { listen = \"127.0.0.1:7421\" }\n"
		"module \"ALPHA\" { identity = { \"URI:spiffe://other/x\", \"DNS:alpha.example\","
		" \"CN:alpha\" } }\n"
		"/* a new\n one */ module SENSOR_1 { }\n"
		"route \"alpha-beta\" { source = \"ALPHA\" target = \"BETA\" batch_size = 7 }\n"
		"route \"sensor\" { target = BETA source = SENSOR_1 confirm = true\n"
		"	retry_delay_ms = 2s max_retry_delay_ms = 1h backoff_multiplier = 1.5 }\n"
		"outcome_retention = 2d // comment\n"
		"dedupe_minimum = 500ms # comment\n"
		"history_size = 1048576\n");
	const struct config_route *r = route(c, "sensor");
	char expected[64];

	(void)state;
	assert_string_equal(c->listen.host, "::1");
	assert_int_equal(c->listen.port, 0);
	assert_string_equal(c->tls_ca, "/etc/ca.crt");
	snprintf(expected, sizeof(expected), "%s/my.crt", directory);
	assert_string_equal(c->tls_certificate, expected);
	snprintf(expected, sizeof(expected), "%s/admin.sock", directory);
	assert_string_equal(c->admin_socket, expected);
	assert_int_equal(c->http_listen.port, 7421);
	assert_int_equal(c->modules[0].identity_count, 3);
	assert_string_equal(c->modules[0].identities[1], "DNS:alpha.example");
	assert_int_equal(c->module_count, 6);
	assert_int_equal(route(c, "alpha-beta")->batch_size, 7);
	assert_string_equal(c->modules[r->source].name, "SENSOR_1");
	assert_string_equal(c->modules[r->target].name, "BETA");
	assert_true(r->confirm);
	assert_int_equal(r->retry_delay_ms, 2000);
	assert_int_equal(r->max_retry_delay_ms, 3600000);
	assert_int_equal(c->outcome_retention_ms, 172800000);
	assert_int_equal(c->dedupe_minimum_ms, 500);
	assert_int_equal(c->history_size, MiB);
	/* A sixteenth of 64M would not hold two frames. */
	assert_int_equal(c->stage_reserve, 16 * MiB);
	config_free(c);
}

static void circuits_are_declared(void **state)
{
	struct config *c = load(
		"circuit \"geo-api\" { modules = {\"BETA\", \"SENSOR\"}\n"
		"	error_codes = {\"INT_BETA_010\"} }\n"
		"circuit lake { modules = GAMMA destinations = {lake, \"lake 2\"} }\n"
		"module SENSOR { }\n"
		"flood_threshold = 0 flood_window_ms = 1min\n");

	(void)state;
	assert_int_equal(c->circuit_count, 2);
	assert_string_equal(c->circuits[0].name, "geo-api");
	assert_string_equal(c->circuits[0].modules.words[1], "SENSOR");
	assert_string_equal(c->circuits[0].error_codes.words[0], "INT_BETA_010");
	assert_int_equal(c->circuits[0].destinations.count, 0);
	assert_int_equal(c->circuits[1].destinations.count, 2);
	assert_string_equal(c->circuits[1].destinations.words[1], "lake 2");
	assert_int_equal(c->flood_threshold, 0);
	assert_int_equal(c->flood_window_ms, 60000);
	config_free(c);
}

static void users_are_found_by_name_and_number(void **state)
{
	struct config *c = load("admin { operators = { root, 4711 } readers = { } }\n");

	(void)state;
	assert_int_equal(c->admin_operators.count, 2);
	assert_int_equal(c->admin_operators.uids[0], 0);
	assert_int_equal(c->admin_operators.uids[1], 4711);
	assert_true(c->admin_operators.given);
	/* An empty list lets nobody in; none at all is something else. */
	assert_int_equal(c->admin_readers.count, 0);
	assert_true(c->admin_readers.given);
	config_free(c);
	c = load("admin { }\n");
	assert_false(c->admin_readers.given);
	config_free(c);
}

static void more_users_than_there_is_room_for_are_refused(void **state)
{
	char text[1024] = "admin { readers = { 0";

	(void)state;
	for (int i = 1; i < CONFIG_OPERATORS_MAX; i++)
		strcat(text, ", 7");
	strcat(text, " } }");
	config_free(load(text));
	text[strlen(text) - 4] = '\0';
	strcat(text, ", 8 } }");
	assert_refused(text, 1, "admin.readers: \"8\" is one too many, the list has room for 64");
}

struct hostile {
	const char *text;
	int line;	/* 0: the message names none */
	const char *fragment;
};

static const struct hostile hostile[] = {
	/* Unknown names. */
	{ "\nroute \"alpha-beta\" {\n batchsize = 5\n}\n", 3,
	  "unknown option 'batchsize' in route, did you mean 'batch_size'?" },
	{ "rotue \"x\" { }", 1, "unknown option 'rotue' at the top level, did you mean 'route'?" },
	{ "\n\nmax_conections = 5", 3, "did you mean 'max_connections'?" },
	{ "store { sise = 1G }", 1, "unknown option 'sise' in store, did you mean 'size'?" },
	{ "batch_size = 5", 1, "it belongs into section route" },
	{ "route x { listen = \"127.0.0.1:1\" }", 1, "it belongs to the top level" },
	{ "colour = red", 1, "handoffd.conf(5)" },
	{ "tls|ca = x", 1, "belongs into the braces" },
	{ "include(\"other.conf\")", 1, "unknown option 'include'" },
	/* Values. */
	{ "\nmax_connections = 0\n", 2,
	  "max_connections = \"0\" must be a whole number from 1 to 1000000 (default 4096)" },
	{ "max_connections = -1", 1, "a whole number" },
	{ "max_connections = 1e3", 1, "a whole number" },
	{ "max_connections = 0x10", 1, "a whole number" },
	{ "max_connections = \"5 \"", 1, "a whole number" },
	{ "max_connections = \"\"", 1, "a whole number" },
	{ "max_connections = 99999999999999999999999999", 1, "a whole number" },
	{ "max_connections = 9223372036854775807", 1, "a whole number" },
	{ "store {\n size = 63M\n}", 2, "size = \"63M\" must be a size from 64M to 16T" },
	{ "store { size = 1GB }", 1, "a size from" },
	{ "store { size = 9999999999T }", 1, "a size from" },
	{ "store { size = 64m }", 1, "such as 67108864, 64M or 1G (default 1G)" },
	{ "outcome_retention = 24hours", 1, "such as 500ms, 30s, 15min or 24h (default 24h)" },
	{ "reclaim_ms = 1.5s", 1, "a time from 0 to 1h" },
	{ "route \"alpha-beta\" { backoff_multiplier = 0.5 }", 1, "a number from 1 to 100" },
	{ "route \"alpha-beta\" { backoff_multiplier = nan }", 1, "a number from 1 to 100" },
	{ "route \"alpha-beta\" { backoff_multiplier = 1e1 }", 1, "a number from 1 to 100" },
	{ "route \"alpha-beta\" { backoff_multiplier = .5. }", 1, "a number from 1 to 100" },
	{ "route \"alpha-beta\" {\n\n confirm = maybe }", 3, "true or false (default false)" },
	{ "listen = \"localhost:7420\"", 1, "a numeric address and a port" },
	{ "listen = \"127.0.0.1\"", 1, "a numeric address" },
	{ "listen = \"127.0.0.1:65536\"", 1, "a numeric address" },
	{ "listen = \"::1:7420\"", 1, "a numeric address" },
	{ "listen = \"[127.0.0.1]:7420\"", 1, "a numeric address" },
	{ "listen = \"[::1:7420\"", 1, "a numeric address" },
	{ "listen = \"[:7420\"", 1, "a numeric address" },
	{ "listen = \":7420\"", 1, "a numeric address" },
	{ "tls { key = \"\" }", 1, "a text of 1 to 4095 bytes" },
	{ "history_size = 1", 1, "a size from 64K to 16T" },
	{ "max_connections = 5\nmax_connections = 6", 2, "a second time, the first is in line 1" },
	{ "route \"alpha-beta\" { source = ALPHA\n source = ALPHA }", 2, "a second time" },
	{ "tls { ca = a }\ntls { ca = b }", 2, "a second time" },
	/* What cannot stand together. */
	{ "\nbackpressure_low_watermark = 0.9", 2, "must be below backpressure_high_watermark" },
	{ "dedupe_minimum = 25h", 1, "longer than outcome_retention" },
	{ "max_frame_bytes = 256M", 1, "more than an eighth of store.size = 1G" },
	{ "stage_reserve = 15M", 1, "two frames of max_frame_bytes = 8M" },
	{ "history_size = 800M", 1, "three quarters" },
	{ "history_size = 16T", 1, "three quarters" },
	{ "max_assembly_bytes = 1M", 1, "must hold one frame" },
	{ "http { listen = \"0.0.0.0:80\" }", 1, "plain HTTP is served on 127.0.0.1" },
	/* Names. */
	{ "module \"BROKER\" { }", 1, "the protocol uses this name itself" },
	{ "module ALL { identity = \"CN:x\" }", 1, "the protocol uses this name itself" },
	{ "module \"alpha\" { }", 1, "a module's name begins with A to Z" },
	{ "module \"\" { }", 1, "a module's name" },
	{ "module \"_A\" { }", 1, "a module's name" },
	{ "module \"A-B\" { identity = \"CN:x\" }", 1, "a module's name" },
	{ "module \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" { }", 1, "at most 32 bytes" },
	{ "module { }", 1, "missing title for section 'module'" },
	{ "module X { }\nmodule X { }", 2, "'X' has a section already" },
	{ "route \"Alpha\" { }", 1, "a route's name begins with a to z" },
	{ "route \"a_b\" { batch_size = 1 }", 1, "a route's name" },
	{ "route \"1a\" { }", 1, "a route's name" },
	{ "route \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" { }", 1,
	  "at most 63 bytes" },
	{ "route \"alpha-beta\" { }\nroute \"alpha-beta\" { }", 2, "has a section already" },
	/* Identities. */
	{ "module ALPHA { identity = \"alpha\" }", 1, "must be \"URI:…\", \"DNS:…\" or \"CN:…\"" },
	{ "module ALPHA { identity = \"URI:\" }", 1, "must be" },
	{ "module ALPHA { identity = \"uri:x\" }", 1, "must be" },
	{ "module ALPHA { identity = {\n\"CN:a\",\n\"CN:a\" } }", 3, "is that of module ALPHA" },
	{ "module ALPHA { identity = \"DNS:a.example\" }\nmodule BETA { identity = "
	  "\"DNS:A.Example\" }", 2, "is that of module ALPHA already" },
	{ "module ALPHA { identity = \"URI:spiffe://x/module/beta\" }", 1,
	  "names another module than ALPHA by itself" },
	/* Circuits. */
	{ "circuit Geo { modules = BETA error_codes = X }", 1, "a circuit's name begins with" },
	{ "circuit geo {\n modules = BETA\n}", 3, "would never open: add error_codes or" },
	{ "circuit geo {\n error_codes = X }", 2, "circuit \"geo\" has no modules" },
	{ "circuit geo { }", 1, "circuit \"geo\" has no modules" },
	{ "circuit geo { modules = BATA error_codes = X }", 1, "module \"BATA\" is not declared" },
	{ "circuit geo { modules = {BETA,\n BETA} error_codes = X }", 2,
	  "\"BETA\" stands in modules already" },
	{ "circuit geo { modules = BETA error_codes = \"\" }", 1, "must have 1 to 128 bytes" },
	{ "circuit \"beta-gamma\" { modules = BETA error_codes = X }", 1,
	  "has the name of a route" },
	{ "circuit geo { module = BETA }", 1, "did you mean 'modules'?" },
	{ "circuit geo { modules = BETA error_codes = X }\ncircuit geo { }", 2,
	  "'geo' has a section already" },
	/* Users. */
	{ "admin {\n operators = { root,\n \"no such user\" } }", 3,
	  "admin.operators: there is no user \"no such user\"" },
	{ "admin { readers = { 4294967295 } }", 1, "admin.readers: there is no user" },
	{ "admin { readers = { 65534 } }", 1, "is what strangers look like" },
	{ "admin { operater = { root } }", 1, "did you mean 'operators'?" },
	/* Ends of routes. */
	{ "route x { source = ALPHA\n}", 2, "route \"x\" has no target: add target = \"MODULE\"" },
	{ "route x { }", 1, "route \"x\" has no source" },
	{ "route x { source = ALPHA\ntarget = GAMA }", 2,
	  "target \"GAMA\" is not declared, did you mean 'GAMMA'?" },
	{ "route x { source = WEATHER\ntarget = BETA }", 1, "add: module \"NAME\" { }" },
	{ "route x { source = ALPHA target = BETA }", 1, "as route \"alpha-beta\" does" },
	{ "route x { source = PHI target = BETA }\nroute y { source = PHI\n target = BETA }", 3,
	  "as route \"x\" does" },
	{ "route \"alpha-beta\" { target = GAMMA }", 1, "leads from ALPHA to BETA" },
	{ "route x { source = PHI target = ALPHA }\nroute \"x-max\" { source = ALPHA target = PHI }",
	  2, "the environment variable X_MAX_RETRY_DELAY_MS" },
	/* Form. */
	{ "\nmax_connections 5", 2, "missing equal sign after option 'max_connections'" },
	{ "max_connections =", 1, "premature end of file" },
	{ "max_connections = }", 1, "unexpected token '}'" },
	{ "max_connections = { 5, 6 }", 1, "unexpected token '{'" },
	{ "max_connections += 5", 1, "attempt to append" },
	{ "}", 1, "unexpected closing brace" },
	{ "\nroute \"alpha-beta\" {\n batch_size = 5\n", 2, "is not closed: a } is missing" },
	{ "route \"alpha-beta\" {\nroute \"beta-gamma\" { }\n", 1, "is not closed" },
	{ "\n\"unfinished\nstring", 2, "the string that begins here is not closed: a \" is missing" },
	{ "tls { ca = 'x }", 1, "a ' is missing" },
	{ "tls { ca = \"x\\\" }", 1, "a \" is missing" },
	{ "\n\n/* unfinished", 3, "the comment that begins here is not closed" },
	{ "tls {\n ca = \"\\400\" }", 2, "write the character itself" },
	{ "tls { ca = \"\\x00\" }", 1, "write the character itself" },
	{ "tls \"x\" { }", 1, "missing opening brace for section 'tls'" },
};

static void hostile_configurations_are_refused_with_line_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		assert_refused(hostile[i].text, hostile[i].line, hostile[i].fragment);
}

/* libConfuse's scanner is the process's: what one file left open must not reach the next. */
static void a_good_file_is_taken_after_each_bad_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct config *c;

		assert_refused(hostile[i].text, hostile[i].line, hostile[i].fragment);
		c = load("max_connections = 17\n");
		assert_int_equal(c->max_connections, 17);
		config_free(c);
	}
}

static void all_faults_of_value_are_told_at_once(void **state)
{
	(void)state;
	assert_refused("max_connections = 0\nreclaim_ms = x\n", 1, "max_connections");
	assert_non_null(strstr(output, ":2: reclaim_ms = \"x\""));
}

static void what_is_no_text_file_is_refused(void **state)
{
	struct config *c = NULL;

	(void)state;
	assert_refused_bytes("max_connections\0= 5", 19, 0, "this is no text file");
	assert_refused_bytes("\xff\xfe\x80 = 5", 7, 1, "unknown option");
	unlink(path);
	assert_int_equal(run_captured(&c, NULL), ERR_CONFIG);
	assert_non_null(strstr(output, "cannot be opened: No such file"));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(run_captured(&c, NULL), ERR_CONFIG);
	assert_non_null(strstr(output, "is not a regular file"));
	rmdir(path);
	write_file(path, "", 0, 0600);
	assert_int_equal(truncate(path, 2 * MiB), 0);
	assert_int_equal(run_captured(&c, NULL), ERR_CONFIG);
	assert_non_null(strstr(output, "has more than 1048576 bytes"));
}

static void braces_and_quotes_in_values_and_comments_open_nothing(void **state)
{
	struct config *c = load("# { ' \" /*\n"
				"// { '\n"
				"tls { ca = \"/a{b\\\"c\" certificate = '/d}\"e\\'' key = /f//g }\n"
				"store { path = \"${HANDOFF_TEST_NOT_SET:-/x\"y}\" }\n"
				"/* } { */ max_connections = 3\r\n");

	(void)state;
	assert_string_equal(c->tls_ca, "/a{b\"c");
	assert_string_equal(c->tls_certificate, "/d}\"e'");
	assert_string_equal(c->tls_key, "/f//g");
	assert_string_equal(c->store_path, "/x\"y");
	assert_int_equal(c->max_connections, 3);
	config_free(c);
}

/* `count` sections of the form, numbered. */
static char *many(const char *form, size_t count)
{
	char *text = calloc(count + 1, 128);

	assert_non_null(text);
	for (size_t i = 0; i < count; i++) {
		char number[24], line[128];
		const char *at = form;
		size_t n = 0;

		snprintf(number, sizeof(number), "%zu", i);
		for (; *at != '\0'; at++) {
			if (*at == '#')
				n += (size_t)snprintf(line + n, sizeof(line) - n, "%s", number);
			else
				line[n++] = *at;
		}
		line[n] = '\0';
		strcat(text, line);
	}
	return text;
}

static void modules_routes_and_identities_have_ceilings(void **state)
{
	char *text = many("module M# { }\n", CONFIG_MODULES_MAX - 5);
	struct config *c = load(text);

	(void)state;
	assert_int_equal(c->module_count, CONFIG_MODULES_MAX);
	config_free(c);
	free(text);
	text = many("module M# { }\n", CONFIG_MODULES_MAX - 4);
	assert_refused(text, CONFIG_MODULES_MAX - 4, "there are 64 modules already");
	free(text);
	text = many("route r# { }\n", CONFIG_ROUTES_MAX - 1);
	assert_refused(text, CONFIG_ROUTES_MAX - 1, "there are 256 routes already");
	free(text);
	text = many("module ALPHA { identity += \"CN:#\" }\n", 1);
	c = load(text);
	config_free(c);
	free(text);
	text = many("\"CN:#\",", CONFIG_IDENTITIES_MAX + 1);
	text[strlen(text) - 1] = '}';
	memmove(text + strlen("module PHI { identity = {"), text, strlen(text) + 1);
	memcpy(text, "module PHI { identity = {", strlen("module PHI { identity = {"));
	strcat(text, "}");
	assert_refused(text, 1, "module PHI has 64 identities already");
	free(text);
}

static void the_environment_wins_over_the_file(void **state)
{
	struct config *c;

	(void)state;
	setenv("ALPHA_BETA_ACK_TIMEOUT_MS", "200", 1);
	setenv("MY_ROUTE_CONFIRM", "true", 1);
	setenv("BACKPRESSURE_HIGH_WATERMARK", "0.75", 1);
	setenv("STORE_SIZE", "128M", 1);
	setenv("BETA_GAMMA_NO_SUCH_SETTING", "x", 1);
	setenv("GAMMA_PHI_BATCH_SIZE", "x", 1);
	c = load("route \"alpha-beta\" { ack_timeout_ms = 9 flush_timeout_ms = 8 }\n"
		 "route \"my-route\" { source = PHI target = ALPHA }\n");
	unsetenv("ALPHA_BETA_ACK_TIMEOUT_MS");
	unsetenv("MY_ROUTE_CONFIRM");
	unsetenv("BACKPRESSURE_HIGH_WATERMARK");
	unsetenv("STORE_SIZE");
	unsetenv("BETA_GAMMA_NO_SUCH_SETTING");
	unsetenv("GAMMA_PHI_BATCH_SIZE");
	assert_int_equal(route(c, "alpha-beta")->ack_timeout_ms, 200);
	assert_int_equal(route(c, "alpha-beta")->flush_timeout_ms, 8);
	assert_int_equal(route(c, "beta-gamma")->ack_timeout_ms, 30000);
	assert_true(route(c, "my-route")->confirm);
	assert_true(c->backpressure_high_watermark < 0.76);
	assert_int_equal(c->store_size, 128 * MiB);
	assert_int_equal(c->history_size, 32 * MiB);
	config_free(c);
}

static void assert_variable_refused(const char *name, const char *value, const char *fragment)
{
	setenv(name, value, 1);
	assert_refused("", 0, fragment);
	unsetenv(name);
}

static void a_malformed_variable_is_refused_by_name(void **state)
{
	(void)state;
	assert_variable_refused("ALPHA_BETA_BATCH_SIZE", "many",
				"environment: ALPHA_BETA_BATCH_SIZE: batch_size = \"many\" must be "
				"a whole number from 1 to 1000000 (default 1000)");
	assert_variable_refused("BETA_GAMMA_MAX_RETRIES", "", "BETA_GAMMA_MAX_RETRIES: ");
	assert_variable_refused("CIRCUIT_RESET_TIMEOUT_MS", "2d", "a time from 1ms to 1d");
	assert_variable_refused("HEALTH_CHECK_INTERVAL_MS", "0", "HEALTH_CHECK_INTERVAL_MS: ");
	assert_variable_refused("ALPHA_BETA_ORDERED", "maybe", "true or false");
	assert_variable_refused("BACKPRESSURE_LOW_WATERMARK", "0.8", "must be below");
}

/* Every parameter of the specification's tables, under exactly its name. */
static void the_specifications_variables_are_known(void **state)
{
	static const char *const names[] = {
		"ALPHA_BETA_BATCH_SIZE", "ALPHA_BETA_FLUSH_TIMEOUT_MS", "ALPHA_BETA_ACK_TIMEOUT_MS",
		"ALPHA_BETA_RETRY_DELAY_MS", "ALPHA_BETA_MAX_RETRIES",
		"ALPHA_BETA_BACKOFF_MULTIPLIER", "BETA_GAMMA_BATCH_SIZE",
		"BETA_GAMMA_FLUSH_TIMEOUT_MS", "BETA_GAMMA_ACK_TIMEOUT_MS",
		"BETA_GAMMA_RETRY_DELAY_MS", "BETA_GAMMA_MAX_RETRIES",
		"BETA_GAMMA_BACKOFF_MULTIPLIER", "BETA_GAMMA_MAX_RETRY_DELAY_MS",
		"BETA_GAMMA_PROCESS_TIMEOUT_MS", "BETA_GAMMA_CONFIRM_TIMEOUT_MS",
		"BETA_GAMMA_QUEUE_CAPACITY", "BACKPRESSURE_HIGH_WATERMARK",
		"BACKPRESSURE_LOW_WATERMARK", "CIRCUIT_FAILURE_THRESHOLD",
		"CIRCUIT_RESET_TIMEOUT_MS", "HEALTH_CHECK_INTERVAL_MS", "HEALTH_CHECK_TIMEOUT_MS",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_variable_refused(names[i], "wrong", names[i]);
}

static void files_of_tls_must_be_readable_and_the_key_private(void **state)
{
	struct config *c = load("tls { ca = a.crt certificate = b.crt key = b.key }");
	char name[3][64];

	(void)state;
	snprintf(name[0], sizeof(name[0]), "%s/a.crt", directory);
	snprintf(name[1], sizeof(name[1]), "%s/b.crt", directory);
	snprintf(name[2], sizeof(name[2]), "%s/b.key", directory);
	assert_int_equal(run_captured(NULL, c), ERR_CONFIG);
	assert_non_null(strstr(output, "tls.ca: "));
	assert_non_null(strstr(output, "tls.key: "));
	assert_non_null(strstr(output, "b.crt cannot be read: No such file"));
	write_file(name[0], "x", 1, 0644);
	write_file(name[1], "x", 1, 0644);
	for (mode_t others = 0040; others != 0; others >>= 1) {
		write_file(name[2], "x", 1, 0600 | others);
		assert_int_equal(run_captured(NULL, c), ERR_CONFIG);
		assert_non_null(strstr(output, "chmod 600 "));
		assert_null(strstr(output, "tls.ca"));
	}
	write_file(name[2], "x", 1, 0400);
	assert_int_equal(run_captured(NULL, c), 0);
	assert_string_equal(output, "");
	for (size_t i = 0; i < 3; i++)
		unlink(name[i]);
	assert_int_equal(mkdir(name[0], 0700), 0);
	assert_int_equal(run_captured(NULL, c), ERR_CONFIG);
	assert_non_null(strstr(output, "a.crt is not a regular file"));
	rmdir(name[0]);
	config_free(c);
}

static void sizes_and_times_are_written_as_they_are_read(void **state)
{
	static const struct {
		int64_t value;
		const char *size, *duration;
	} pairs[] = {
		{ 0, "0", "0" },
		{ 1, "1", "1ms" },
		{ 1000, "1000", "1s" },
		{ 1024, "1K", "1024ms" },
		{ 900000, "900000", "15min" },
		{ 86400000, "84375K", "1d" },
		{ INT64_C(3) << 40, "3T", "3298534883328ms" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char text[VALUE_TEXT_BYTES];
		int64_t back;

		value_size_text(pairs[i].value, text);
		assert_string_equal(text, pairs[i].size);
		assert_true(value_size(text, &back) && back == pairs[i].value);
		value_duration_text(pairs[i].value, text);
		assert_string_equal(text, pairs[i].duration);
		assert_true(value_duration(text, &back) && back == pairs[i].value);
	}
}

static void the_nearest_name_is_near(void **state)
{
	static const char *const names[] = { "batch_size", "size", "max_retries" };
	char word[100];

	(void)state;
	assert_string_equal(nearest_word("BatchSize", names, 3), "batch_size");
	assert_string_equal(nearest_word("max_retires", names, 3), "max_retries");
	assert_string_equal(nearest_word("siez", names, 3), "size");
	assert_null(nearest_word("ordered", names, 3));
	assert_null(nearest_word("x", names, 0));
	memset(word, 'x', sizeof(word));
	word[99] = '\0';
	assert_null(nearest_word(word, names, 3));
}

/* The text of conf/handoffd.conf, where the tests are run from the top of the tree. */
static char *default_file(void)
{
	FILE *f = fopen("conf/handoffd.conf", "r");
	char *text = calloc(1, OUTPUT_BYTES);

	assert_non_null(text);
	if (f == NULL)
		fail_msg("conf/handoffd.conf is not here: run from the top of the tree");
	assert_true(fread(text, 1, OUTPUT_BYTES - 1, f) > 0);
	fclose(f);
	return text;
}

static void the_default_file_changes_nothing(void **state)
{
	char *text = default_file();
	struct config *from_file = load(text), *from_nothing = load("");

	(void)state;
	assert_int_equal(from_file->route_count, from_nothing->route_count);
	assert_memory_equal(from_file->routes, from_nothing->routes, sizeof(from_file->routes));
	config_free(from_file);
	config_free(from_nothing);
	free(text);
}

/*
 * Takes the # from every line that shows a setting: the file is still valid, says the same as no
 * file at all, and shows every setting there is.
 */
static void the_default_file_shows_every_setting_with_its_default(void **state)
{
	char *text = default_file(), *line, *rest = text;
	char *open = calloc(1, OUTPUT_BYTES);
	struct config *from_file, *from_nothing;

	(void)state;
	assert_non_null(open);
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t indent = strspn(line, "\t");
		const char *name = line + indent + 2;
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

		if (strncmp(line + indent, "# ", 2) == 0 && len > 0 &&
		    strncmp(name + len, " = ", 3) == 0)
			line += indent + 2;
		strcat(open, line);
		strcat(open, "\n");
	}
	from_file = load(open);
	from_nothing = load("");
	assert_string_equal(from_file->tls_key, from_nothing->tls_key);
	assert_int_equal(from_file->http_listen.port, 7421);
	assert_memory_equal(from_file->routes, from_nothing->routes, sizeof(from_file->routes));
	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *s = &settings[i];
		char shown[64];

		snprintf(shown, sizeof(shown), "%s = ", s->name);
		if (strstr(open, shown) == NULL)
			fail_msg("conf/handoffd.conf does not show %s", s->name);
		if (s->kind == SETTING_COUNT || s->kind == SETTING_SIZE ||
		    s->kind == SETTING_DURATION || s->kind == SETTING_FRACTION) {
			if (strcmp(s->section, "route") != 0 &&
			    memcmp(setting_value(s, from_file), setting_value(s, from_nothing),
				   sizeof(int64_t)) != 0)
				fail_msg("conf/handoffd.conf shows another default of %s", s->name);
		}
	}
	config_free(from_file);
	config_free(from_nothing);
	free(open);
	free(text);
}

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/handoffd.conf", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(the_protocols_example_is_taken),
		cmocka_unit_test(circuits_are_declared),
		cmocka_unit_test(users_are_found_by_name_and_number),
		cmocka_unit_test(more_users_than_there_is_room_for_are_refused),
		cmocka_unit_test(hostile_configurations_are_refused_with_line_and_remedy),
		cmocka_unit_test(a_good_file_is_taken_after_each_bad_one),
		cmocka_unit_test(all_faults_of_value_are_told_at_once),
		cmocka_unit_test(what_is_no_text_file_is_refused),
		cmocka_unit_test(braces_and_quotes_in_values_and_comments_open_nothing),
		cmocka_unit_test(modules_routes_and_identities_have_ceilings),
		cmocka_unit_test(the_environment_wins_over_the_file),
		cmocka_unit_test(a_malformed_variable_is_refused_by_name),
		cmocka_unit_test(the_specifications_variables_are_known),
		cmocka_unit_test(files_of_tls_must_be_readable_and_the_key_private),
		cmocka_unit_test(sizes_and_times_are_written_as_they_are_read),
		cmocka_unit_test(the_nearest_name_is_near),
		cmocka_unit_test(the_default_file_changes_nothing),
		cmocka_unit_test(the_default_file_shows_every_setting_with_its_default),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
