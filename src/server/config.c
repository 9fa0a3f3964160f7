/* config.c - a configuration's life: load, free, and how its faults are told */
#include "server/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/config_internal.h"

void config_fault(struct loader *l, struct place where, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (where.variable != NULL)
		fprintf(stderr, "handoffd: environment: %s: %s\n", where.variable, text);
	else if (where.line > 0)
		fprintf(stderr, "handoffd: %s:%d: %s\n", l->path, where.line, text);
	else
		fprintf(stderr, "handoffd: %s: %s\n", l->path, text);
	l->faults++;
}

static void loader_free(struct loader *l)
{
	for (size_t i = 0; i < CONFIG_ROUTES_MAX; i++) {
		free(l->routes[i].source);
		free(l->routes[i].target);
	}
	free(l);
}

int config_load(const char *path, struct config **out)
{
	struct loader *l = xcalloc(1, sizeof(*l));
	unsigned faults;

	l->path = path;
	l->config = xcalloc(1, sizeof(*l->config));
	l->config->path = path;
	settings_reset("", l->config);
	config_names_init(l->config);

	config_file_read(l);
	if (l->faults == 0) {
		config_routes_connect(l);
		config_circuits_check(l);
		config_env_read(l);
	}
	if (l->faults == 0) {
		config_derive(l);
		config_check(l);
	}
	faults = l->faults;
	if (faults == 0)
		*out = l->config;
	else
		config_free(l->config);
	loader_free(l);
	return faults == 0 ? 0 : ERR_CONFIG;
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < setting_count; i++)
		if (settings[i].kind == SETTING_TEXT)
			free(*(char **)setting_value(&settings[i], c));
	for (size_t i = 0; i < c->module_count; i++) {
		for (size_t j = 0; j < c->modules[i].identity_count; j++)
			free(c->modules[i].identities[j]);
		free(c->modules[i].identities);
	}
	config_circuits_free(c);
	free(c);
}
