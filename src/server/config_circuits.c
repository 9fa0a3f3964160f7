/* config_circuits.c - circuits that modules share: their modules, and by which words they fail */
#include "server/config_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

int config_circuit_declare(struct loader *l, const char *name, int line)
{
	const struct place where = { .line = line };
	struct config *c = l->config;

	for (size_t i = 0; i < c->circuit_count; i++)
		if (strcmp(c->circuits[i].name, name) == 0)
			return (int)i;
	if (!config_is_low_name(name, CONFIG_ROUTE_NAME_MAX)) {
		config_fault(l, where, "circuit %s: a circuit's name begins with a to z and goes on "
			     "with a to z, 0 to 9 and -, at most %d bytes",
			     log_quote(name, strlen(name)), CONFIG_ROUTE_NAME_MAX);
		return -1;
	}
	if (c->circuit_count == CONFIG_CIRCUITS_MAX) {
		config_fault(l, where, "circuit \"%s\": there are %d circuits already, more cannot "
			     "be declared", name, CONFIG_CIRCUITS_MAX);
		return -1;
	}
	memcpy(c->circuits[c->circuit_count].name, name, strlen(name) + 1);
	return (int)c->circuit_count++;
}

static struct config_words *list_of(struct config_circuit *k, const char *name)
{
	if (strcmp(name, "modules") == 0)
		return &k->modules;
	return strcmp(name, "error_codes") == 0 ? &k->error_codes : &k->destinations;
}

void config_circuit_add(struct loader *l, struct config_circuit *k, const char *list,
			const char *word, int line)
{
	const struct place where = { .line = line };
	struct config_words *words = list_of(k, list);
	const char *shown = log_quote(word, strlen(word));

	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->words[i], word) == 0) {
			config_fault(l, where, "circuit \"%s\": %s stands in %s already, remove it",
				     k->name, shown, list);
			return;
		}
	}
	if (*word == '\0' || strlen(word) > CONFIG_WORD_MAX) {
		config_fault(l, where, "circuit \"%s\": %s in %s must have 1 to %d bytes", k->name,
			     shown, list, CONFIG_WORD_MAX);
	} else if (words->count == CONFIG_WORDS_MAX) {
		config_fault(l, where, "circuit \"%s\": %s has %d words already, more cannot be "
			     "given", k->name, list, CONFIG_WORDS_MAX);
	} else {
		words->words = xrealloc(words->words,
					(words->count + 1) * sizeof(*words->words));
		words->words[words->count++] = xstrdup(word);
	}
}

static void check_modules(struct loader *l, const struct config_circuit *k, struct place where)
{
	if (k->modules.count == 0)
		config_fault(l, where, "circuit \"%s\" has no modules: add modules = { \"MODULE\" }",
			     k->name);
	for (size_t i = 0; i < k->modules.count; i++)
		if (config_module_find(l->config, k->modules.words[i]) < 0)
			config_fault(l, where, "circuit \"%s\": module %s is not declared, add: "
				     "module \"NAME\" { }", k->name,
				     log_quote(k->modules.words[i], strlen(k->modules.words[i])));
}

void config_circuits_check(struct loader *l)
{
	const struct config *c = l->config;

	for (size_t i = 0; i < c->circuit_count; i++) {
		const struct config_circuit *k = &c->circuits[i];
		const struct place where = { .line = l->circuit_lines[i] };

		check_modules(l, k, where);
		if (k->error_codes.count + k->destinations.count == 0)
			config_fault(l, where, "circuit \"%s\" would never open: add error_codes or "
				     "destinations", k->name);
		for (size_t j = 0; j < c->route_count; j++)
			if (strcmp(c->routes[j].name, k->name) == 0)
				config_fault(l, where, "circuit \"%s\" has the name of a route, "
					     "which has a circuit of its own: choose another",
					     k->name);
	}
}

static void words_free(struct config_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->words[i]);
	free(words->words);
}

void config_circuits_free(struct config *c)
{
	for (size_t i = 0; i < c->circuit_count; i++) {
		words_free(&c->circuits[i].modules);
		words_free(&c->circuits[i].error_codes);
		words_free(&c->circuits[i].destinations);
	}
}
