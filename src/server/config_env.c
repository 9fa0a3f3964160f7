/*
 * config_env.c - environment variables, which win over the file
 *
 * Only names that belong to a setting are looked at: no variable of somebody else's can be wrong.
 */
#include "server/config_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A variable, its setting, and the index of its route, -1: none. */
struct variable {
	char name[VARIABLE_BYTES];
	const struct setting *setting;
	int route;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

/*
 * X_MAX_RETRY_DELAY_MS is max_retry_delay_ms of route x, and retry_delay_ms of route x-max: were
 * both there, nobody could say which is meant.
 */
static void check_collisions(struct loader *l, struct variable *variables, size_t count)
{
	qsort(variables, count, sizeof(*variables), by_name);
	for (size_t i = 1; i < count; i++) {
		const struct variable *a = &variables[i - 1], *b = &variables[i];
		const struct variable *later = a->route > b->route ? a : b;
		const struct variable *earlier = later == a ? b : a;

		if (strcmp(a->name, b->name) != 0)
			continue;
		config_fault(l, (struct place){ .line = l->routes[later->route].end_line },
			     "route \"%s\": the environment variable %s would be its %s, and it is "
			     "%s of %s%s already: choose another name",
			     l->config->routes[later->route].name, a->name, later->setting->name,
			     earlier->setting->name, earlier->route < 0 ? "the top level" : "route ",
			     earlier->route < 0 ? "" : l->config->routes[earlier->route].name);
	}
}

/* All variables that are looked at; returns how many. */
static size_t list_variables(const struct config *c, struct variable *out)
{
	size_t count = 0;

	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *s = &settings[i];
		const bool route = strcmp(s->section, "route") == 0;

		for (size_t j = 0; j < (route ? c->route_count : 1); j++) {
			struct variable *v = &out[count++];

			v->route = route ? (int)j : -1;
			v->setting = s;
			setting_variable(s, route ? c->routes[j].name : NULL, v->name);
		}
	}
	return count;
}

void config_env_read(struct loader *l)
{
	struct config *c = l->config;
	struct variable *variables = xcalloc(setting_count * c->route_count, sizeof(*variables));
	size_t count = list_variables(c, variables);

	check_collisions(l, variables, count);
	for (size_t i = 0; i < count; i++) {
		const struct variable *v = &variables[i];
		const char *value = getenv(v->name);
		const struct place where = { .variable = v->name };

		if (value != NULL)
			setting_assign(l, v->setting,
				       v->route < 0 ? (void *)c : &c->routes[v->route], value, where);
	}
	free(variables);
}
