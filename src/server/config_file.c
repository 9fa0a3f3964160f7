/*
 * config_file.c - the file, through libConfuse
 *
 * Every setting is a string to libConfuse, so that one place reads values (config_value.c) and the
 * environment has the same forms as the file. libConfuse calls on_value() once for each value that
 * it has scanned, while it still knows the line: there the value goes into struct config, and
 * nothing is asked of libConfuse afterwards. A fault in a value is told and the reading goes on; a
 * fault of form ends it. libConfuse's callbacks take no argument of ours: `reading` is it.
 */
#include "server/config_internal.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"

#define CONFIG_FILE_MAX_BYTES (1024 * 1024)

/* libConfuse calls nothing for an empty list: only where its default went, tells that it is there.
 */
#define NO_LIST "{\"\"}"

static struct loader *reading;

static bool is_section(const cfg_t *cfg, const char *name)
{
	return strcmp(cfg->name, name) == 0;
}

/* The top level has a name of its own in libConfuse, and none in the table. */
static const char *section_name(const cfg_t *cfg)
{
	return is_section(cfg, "root") ? "" : cfg->name;
}

static struct place place_of(const cfg_t *cfg)
{
	return (struct place){ .line = cfg->line };
}

static bool is_first(struct place *given, const cfg_t *cfg, const char *name)
{
	if (given->line != 0) {
		config_fault(reading, place_of(cfg), "%s is set a second time, the first is in "
			     "line %d: remove one", name, given->line);
		return false;
	}
	given->line = cfg->line;
	return true;
}

/* `source` and `target`: kept as names until all modules are known. */
static void take_end(cfg_t *cfg, const char *name, const char *value, char **end, int *line)
{
	struct place given = { .line = *line };

	if (!is_first(&given, cfg, name))
		return;
	*end = xstrdup(value);
	*line = cfg->line;
}

/* 0 to go on, -1 to stop: the section has no usable name. */
static int take_route_value(cfg_t *cfg, const char *name, const char *value)
{
	int index = config_route_declare(reading, cfg->title, cfg->line);
	const struct setting *s = setting_find("route", name);
	struct route_loader *r;

	if (index < 0)
		return -1;
	r = &reading->routes[index];
	if (strcmp(name, "source") == 0)
		take_end(cfg, name, value, &r->source, &r->source_line);
	else if (strcmp(name, "target") == 0)
		take_end(cfg, name, value, &r->target, &r->target_line);
	else if (is_first(&r->places[s - settings], cfg, name))
		setting_assign(reading, s, &reading->config->routes[index], value, place_of(cfg));
	return 0;
}

static int take_identity(cfg_t *cfg, const char *value)
{
	int index = config_module_declare(reading, cfg->title, cfg->line);

	if (index < 0)
		return -1;
	config_identity_add(reading, &reading->config->modules[index], value, cfg->line);
	return 0;
}

static int take_circuit_word(cfg_t *cfg, const char *list, const char *value)
{
	int index = config_circuit_declare(reading, cfg->title, cfg->line);

	if (index < 0)
		return -1;
	config_circuit_add(reading, &reading->config->circuits[index], list, value, cfg->line);
	return 0;
}

static void take_user(cfg_t *cfg, const char *list, const char *value)
{
	struct config *c = reading->config;

	config_user_add(reading, strcmp(list, "operators") == 0 ? &c->admin_operators :
			&c->admin_readers, list, value, cfg->line);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct setting *s;

	*(const char **)result = value;
	if (reading == NULL)
		return 0;		/* a default of libConfuse's: NO_LIST */
	if (is_section(cfg, "route"))
		return take_route_value(cfg, opt->name, value);
	if (is_section(cfg, "module"))
		return take_identity(cfg, value);
	if (is_section(cfg, "circuit"))
		return take_circuit_word(cfg, opt->name, value);
	s = setting_find(section_name(cfg), opt->name);
	if (s == NULL && is_section(cfg, "admin")) {
		take_user(cfg, opt->name, value);
		return 0;
	}
	if (s == NULL) {
		/* libConfuse takes "tls|ca = …" at the top level for ca of tls. */
		config_fault(reading, place_of(cfg), "%s belongs into the braces of its section",
			     opt->name);
		return -1;
	}
	if (is_first(&reading->places[s - settings], cfg, opt->name))
		setting_assign(reading, s, reading->config, value, place_of(cfg));
	return 0;
}

/* At the closing brace of a section with a title: an empty one declares, too. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *title = cfg_title(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
	int index;

	if (strcmp(opt->name, "module") == 0)
		return config_module_declare(reading, title, cfg->line) < 0 ? -1 : 0;
	if (strcmp(opt->name, "circuit") == 0) {
		index = config_circuit_declare(reading, title, cfg->line);
		if (index >= 0)
			reading->circuit_lines[index] = cfg->line;
		return index < 0 ? -1 : 0;
	}
	index = config_route_declare(reading, title, cfg->line);
	if (index < 0)
		return -1;
	reading->routes[index].end_line = cfg->line;
	return 0;
}

/* What could be meant by `name`, which the section of `cfg` does not have. */
static void suggest(const cfg_t *cfg, const char *name, char *out, size_t size)
{
	const char *names[SETTINGS_MAX];
	const char *nearest;
	size_t count = 0;

	for (const cfg_opt_t *o = cfg->opts; o->name != NULL && count < SETTINGS_MAX; o++)
		names[count++] = o->name;
	nearest = nearest_word(name, names, count);
	if (nearest != NULL) {
		snprintf(out, size, "did you mean '%s'?", nearest);
		return;
	}
	for (size_t i = 0; i < setting_count; i++) {
		if (strcmp(settings[i].name, name) == 0) {
			snprintf(out, size, "it belongs %s%s", *settings[i].section != '\0' ?
				 "into section " : "to the top level", settings[i].section);
			return;
		}
	}
	snprintf(out, size, "handoffd.conf(5) lists all there are");
}

/* What stands between the quotes of a message that begins with `beginning`; NULL: another one. */
static char *quoted_name(char *message, const char *beginning)
{
	const size_t len = strlen(message);

	if (strncmp(message, beginning, strlen(beginning)) != 0 || message[len - 1] != '\'')
		return NULL;
	message[len - 1] = '\0';
	return message + strlen(beginning);
}

/* libConfuse's own messages; those that need a remedy are told in our words. */
__attribute__((format(printf, 2, 0)))
static void on_error(cfg_t *cfg, const char *fmt, va_list args)
{
	char text[512], remedy[128];
	const char *name;

	vsnprintf(text, sizeof(text), fmt, args);
	name = quoted_name(text, "no such option '");
	if (name != NULL) {
		suggest(cfg, name, remedy, sizeof(remedy));
		config_fault(reading, place_of(cfg), "unknown option '%s' %s%s, %s", name,
			     is_section(cfg, "root") ? "at the top level" : "in ",
			     section_name(cfg), remedy);
		return;
	}
	name = quoted_name(text, "found duplicate title '");
	if (name != NULL)
		config_fault(reading, place_of(cfg), "'%s' has a section already: put all its "
			     "settings into one", name);
	else
		config_fault(reading, place_of(cfg), "%s", text);
}

/* The settings of one section of the table, as libConfuse's list; `extra` more are left free. */
static size_t list_settings(const char *section, cfg_opt_t *list)
{
	size_t count = 0;

	for (size_t i = 0; i < setting_count; i++) {
		if (strcmp(settings[i].section, section) == 0) {
			cfg_opt_t opt = CFG_STR_CB(settings[i].name, NULL, CFGF_NONE, on_value);

			list[count++] = opt;
		}
	}
	return count;
}

static cfg_t *grammar_create(void)
{
	enum { LIST_MAX = SETTINGS_MAX + 8 };
	const cfg_opt_t end = CFG_END();
	cfg_opt_t tls[LIST_MAX], store[LIST_MAX], admin[LIST_MAX], http[LIST_MAX];
	cfg_opt_t route[LIST_MAX], top[LIST_MAX];
	cfg_opt_t module[] = {
		CFG_STR_LIST_CB("identity", NULL, CFGF_NONE, on_value),
		CFG_END(),
	};
	cfg_opt_t circuit[] = {
		CFG_STR_LIST_CB("modules", NULL, CFGF_NONE, on_value),
		CFG_STR_LIST_CB("error_codes", NULL, CFGF_NONE, on_value),
		CFG_STR_LIST_CB("destinations", NULL, CFGF_NONE, on_value),
		CFG_END(),
	};
	cfg_opt_t ends[] = {
		CFG_STR_CB("source", NULL, CFGF_NONE, on_value),
		CFG_STR_CB("target", NULL, CFGF_NONE, on_value),
	};
	cfg_opt_t users[] = {
		CFG_STR_LIST_CB("operators", NO_LIST, CFGF_NONE, on_value),
		CFG_STR_LIST_CB("readers", NO_LIST, CFGF_NONE, on_value),
	};
	cfg_opt_t sections[] = {
		CFG_SEC("tls", tls, CFGF_NONE),
		CFG_SEC("store", store, CFGF_NONE),
		CFG_SEC("admin", admin, CFGF_NONE),
		CFG_SEC("http", http, CFGF_NONE),
		CFG_SEC("module", module, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("route", route, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("circuit", circuit, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	};
	const size_t section_count = sizeof(sections) / sizeof(sections[0]);
	size_t n;

	tls[list_settings("tls", tls)] = end;
	store[list_settings("store", store)] = end;
	n = list_settings("admin", admin);
	memcpy(&admin[n], users, sizeof(users));
	admin[n + sizeof(users) / sizeof(users[0])] = end;
	http[list_settings("http", http)] = end;
	n = list_settings("route", route);
	memcpy(&route[n], ends, sizeof(ends));
	route[n + sizeof(ends) / sizeof(ends[0])] = end;
	sections[section_count - 3].validcb = on_section;
	sections[section_count - 2].validcb = on_section;
	sections[section_count - 1].validcb = on_section;
	n = list_settings("", top);
	memcpy(&top[n], sections, sizeof(sections));
	top[n + section_count] = end;
	/* libConfuse copies all of it. */
	return cfg_init(top, CFGF_NONE);
}

/* The whole file and a NUL; NULL after a fault. */
static char *file_text(struct loader *l, size_t *len)
{
	const struct place nowhere = { 0 };
	char *text = NULL;
	struct stat st;
	ssize_t n = 0;
	int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		config_fault(l, nowhere, "cannot be opened: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		config_fault(l, nowhere, "is not a regular file");
	} else if (st.st_size > CONFIG_FILE_MAX_BYTES) {
		config_fault(l, nowhere, "has more than %d bytes", CONFIG_FILE_MAX_BYTES);
	} else {
		text = xcalloc(1, (size_t)st.st_size + 1);
		*len = 0;
		while (*len < (size_t)st.st_size &&
		       (n = read(fd, text + *len, (size_t)st.st_size - *len)) > 0)
			*len += (size_t)n;
		if (n < 0) {
			config_fault(l, nowhere, "cannot be read: %s", strerror(errno));
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* An empty list of users lets nobody in, which is not the same as none. */
static bool list_is_given(cfg_t *cfg, const char *name)
{
	cfg_t *admin = cfg_getsec(cfg, "admin");

	return cfg_size(admin, name) != 1 || *cfg_getstr(admin, name) != '\0';
}

void config_file_read(struct loader *l)
{
	size_t len;
	char *text = file_text(l, &len);
	cfg_t *cfg;

	if (text == NULL)
		return;
	if (config_text_check(l, text, len)) {
		cfg = grammar_create();
		if (cfg == NULL)
			fatalx("out of memory: libConfuse could not begin");
		reading = l;
		cfg_set_error_function(cfg, on_error);
		if (cfg_parse_buf(cfg, text) != CFG_SUCCESS && l->faults == 0)
			config_fault(l, (struct place){ .line = cfg->line },
				     "cannot be understood");
		l->config->admin_operators.given = list_is_given(cfg, "operators");
		l->config->admin_readers.given = list_is_given(cfg, "readers");
		reading = NULL;
		cfg_free(cfg);
	}
	free(text);
}
