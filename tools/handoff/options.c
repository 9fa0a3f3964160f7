/* options.c - command lines: a table of options, read and explained from the same lines */
#include "tools/handoff/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "tools/handoff/command.h"
#include "tools/handoff/report.h"

static struct common from_user;

static const struct option common_options[] = {
	{ "module", 'm', OPTION_TEXT, &from_user.module, "NAME",
	  "the module to be, as its certificate has it (HANDOFF_MODULE)", 0, 0 },
	{ "broker", 'b', OPTION_TEXT, &from_user.broker, "HOST:PORT",
	  "default 127.0.0.1:7420 (HANDOFF_BROKER)", 0, 0 },
	{ "certs", 0, OPTION_TEXT, &from_user.certs, "DIR",
	  "where handoff cert put the next three (HANDOFF_CERTS)", 0, 0 },
	{ "ca", 0, OPTION_TEXT, &from_user.ca, "FILE", "the authority's certificate (HANDOFF_CA)", 0, 0 },
	{ "cert", 0, OPTION_TEXT, &from_user.cert, "FILE", "the module's certificate (HANDOFF_CERT)",
	  0, 0 },
	{ "key", 0, OPTION_TEXT, &from_user.key, "FILE", "its private key (HANDOFF_KEY)", 0, 0 },
	{ "server-name", 0, OPTION_TEXT, &from_user.server_name, "NAME",
	  "the name in the broker's certificate; default: HOST", 0, 0 },
	{ "instance", 0, OPTION_TEXT, &from_user.instance, "ID",
	  "which instance of the module this is (HANDOFF_INSTANCE)", 0, 0 },
	{ "connect-timeout", 0, OPTION_NUMBER, &from_user.connect_timeout_ms, "MS",
	  "give up after so long without a connection; default: keep trying", 1, INT32_MAX },
	{ "quiet", 'q', OPTION_FLAG, &from_user.quiet, NULL, "say only what goes wrong", 0, 0 },
	{ "verbose", 'v', OPTION_FLAG, &from_user.verbose, NULL, "say more", 0, 0 },
	{ 0 },
};

static bool wants_help, wants_version;
static const struct option always_options[] = {
	{ "help", 'h', OPTION_FLAG, &wants_help, NULL, "show this", 0, 0 },
	{ "version", 'V', OPTION_FLAG, &wants_version, NULL, "show the version", 0, 0 },
	{ 0 },
};

/* --- help ------------------------------------------------------------------------------------ */

static void print_options(const struct option *o)
{
	char left[64];

	for (; o->name != NULL; o++) {
		if (o->letter != 0)
			snprintf(left, sizeof(left), "-%c, --%s %s", o->letter, o->name,
				 o->value != NULL ? o->value : "");
		else if (o->kind == OPTION_OPTIONAL_TEXT)
			snprintf(left, sizeof(left), "    --%s[=%s]", o->name, o->value);
		else
			snprintf(left, sizeof(left), "    --%s %s", o->name,
				 o->value != NULL ? o->value : "");
		printf("  %-29s %s\n", left, o->help);
	}
}

static void print_help(const struct usage *u)
{
	printf("usage: %s\n\n%s\n", u->synopsis, u->about);
	print_options(u->options);
	if (u->common != NULL)
		print_options(common_options);
	print_options(always_options);
}

/* --- reading --------------------------------------------------------------------------------- */

static const struct option *find_in(const struct option *o, const char *name, size_t len,
    char letter)
{
	for (; o->name != NULL; o++)
		if (name != NULL ? strlen(o->name) == len && strncmp(o->name, name, len) == 0 :
				   o->letter == letter)
			return o;
	return NULL;
}

/* By name, or by letter where name is NULL. */
static const struct option *find(const struct usage *u, const char *name, size_t len, char letter)
{
	const struct option *o = find_in(u->options, name, len, letter);

	if (o == NULL && u->common != NULL)
		o = find_in(common_options, name, len, letter);
	if (o == NULL)
		o = find_in(always_options, name, len, letter);
	return o;
}

static bool set_number(const struct option *o, const char *text)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < o->min ||
	    value > o->max) {
		complain("--%s must be a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", o->name,
			 o->min, o->max, text);
		return false;
	}
	*(uint64_t *)o->to = value;
	return true;
}

static bool set(const struct option *o, const char *text)
{
	struct option_list *list = o->to;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)o->to = true;
		return true;
	case OPTION_TEXT:
	case OPTION_OPTIONAL_TEXT:
		*(const char **)o->to = text;
		return true;
	case OPTION_NUMBER:
		return set_number(o, text);
	case OPTION_LIST:
		if (list->count == OPTION_LIST_MAX) {
			complain("--%s may be given %d times", o->name, OPTION_LIST_MAX);
			return false;
		}
		list->text[list->count++] = text;
		return true;
	}
	return false;
}

/* The value of the option at argv[*i], which may be the next word; NULL when there is none. */
static const char *take_value(const struct option *o, const char *attached, int argc, char **argv,
    int *i)
{
	if (attached != NULL)
		return attached;
	if (*i + 1 < argc)
		return argv[++*i];
	complain("--%s needs a value: %s", o->name, o->value);
	return NULL;
}

/* One word that begins with a hyphen, and its value. */
static bool read_option(const struct usage *u, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *value = NULL;
	const bool is_long = word[1] == '-';
	const char *equals = is_long ? strchr(word, '=') : NULL;
	const struct option *o;

	if (is_long)
		o = find(u, word + 2, equals != NULL ? (size_t)(equals - word - 2) : strlen(word + 2), 0);
	else
		o = find(u, NULL, 0, word[1]);
	if (o == NULL) {
		complain("there is no option %s; --help lists them", word);
		return false;
	}
	if (o->kind == OPTION_FLAG) {
		if (equals != NULL || (!is_long && word[2] != '\0')) {
			complain("--%s takes no value, and letters are written one by one: %s", o->name,
				 word);
			return false;
		}
		return set(o, NULL);
	}
	if (o->kind == OPTION_OPTIONAL_TEXT)
		return set(o, equals != NULL ? equals + 1 : "");
	if (is_long)
		value = equals != NULL ? equals + 1 : NULL;
	else if (word[2] != '\0')
		value = word + 2;
	value = take_value(o, value, argc, argv, i);
	return value != NULL && set(o, value);
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

static void fall_back(const char **to, const char *name)
{
	if (*to == NULL)
		*to = environment(name);
}

/* What the command line did not say. There, --certs wins over the environment's file names. */
static void read_environment(struct common *c, bool instance)
{
	if (c->certs == NULL) {
		fall_back(&c->ca, "HANDOFF_CA");
		fall_back(&c->cert, "HANDOFF_CERT");
		fall_back(&c->key, "HANDOFF_KEY");
		fall_back(&c->certs, "HANDOFF_CERTS");
	}
	fall_back(&c->broker, "HANDOFF_BROKER");
	fall_back(&c->module, "HANDOFF_MODULE");
	if (instance)
		fall_back(&c->instance, "HANDOFF_INSTANCE");
}

int options_read(const struct usage *u, int argc, char **argv, char **words, int *word_count)
{
	bool is_over = false;

	if (word_count != NULL)
		*word_count = 0;
	for (int i = 1; i < argc; i++) {
		if (!is_over && strcmp(argv[i], "--") == 0) {
			is_over = true;
		} else if (is_over || argv[i][0] != '-' || argv[i][1] == '\0') {
			if (words == NULL || word_count == NULL) {
				complain("what is \"%s\" for? --help tells the options", argv[i]);
				return STATUS_USAGE;
			}
			words[(*word_count)++] = argv[i];
		} else if (!read_option(u, argc, argv, &i)) {
			return STATUS_USAGE;
		}
	}
	if (wants_help) {
		print_help(u);
		return STATUS_OK;
	}
	if (wants_version) {
		puts("handoff " HANDOFF_VERSION);
		return STATUS_OK;
	}
	report_set_quiet(from_user.quiet);
	report_set_verbose(from_user.verbose);
	if (u->common != NULL) {
		read_environment(&from_user, !u->no_instance);
		*u->common = from_user;
	}
	return -1;
}
