/*
 * config_names.c - modules, their identities, routes between them: what may be called how
 *
 * The modules and routes of protocol.md section 2 are there before the file is read.
 */
#include "server/config_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static const char *const known_modules[] = { "ALPHA", "BETA", "GAMMA", "EPSILON", "PHI" };
static const char *const known_routes[][3] = {
	{ "alpha-beta", "ALPHA", "BETA" },
	{ "beta-gamma", "BETA", "GAMMA" },
};

#define KNOWN_MODULES (sizeof(known_modules) / sizeof(known_modules[0]))
#define KNOWN_ROUTES (sizeof(known_routes) / sizeof(known_routes[0]))

static struct config_module *module_add(struct config *c, const char *name)
{
	struct config_module *m = &c->modules[c->module_count++];

	memcpy(m->name, name, strlen(name) + 1);
	return m;
}

static struct config_route *route_add(struct config *c, const char *name)
{
	struct config_route *r = &c->routes[c->route_count++];

	memcpy(r->name, name, strlen(name) + 1);
	settings_reset("route", r);
	return r;
}

void config_names_init(struct config *c)
{
	for (size_t i = 0; i < KNOWN_MODULES; i++)
		module_add(c, known_modules[i]);
	for (size_t i = 0; i < KNOWN_ROUTES; i++) {
		struct config_route *r = route_add(c, known_routes[i][0]);

		r->source = (size_t)config_module_find(c, known_routes[i][1]);
		r->target = (size_t)config_module_find(c, known_routes[i][2]);
	}
	/* Where the specification's table for beta-gamma differs. */
	c->routes[1].batch_size = 500;
	c->routes[1].confirm = true;
}

/* One of `first`, then only `rest`, at most `max` bytes. */
static bool is_name(const char *name, const char *first, const char *rest, size_t max)
{
	size_t len = strlen(name);

	return len >= 1 && len <= max && strchr(first, name[0]) != NULL &&
	       strspn(name, rest) == len;
}

bool config_is_low_name(const char *name, size_t max)
{
	return is_name(name, LOWER, LOWER DIGITS "-", max);
}

int config_module_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->module_count; i++)
		if (strcmp(c->modules[i].name, name) == 0)
			return (int)i;
	return -1;
}

int config_module_declare(struct loader *l, const char *name, int line)
{
	const struct place where = { .line = line };
	struct config *c = l->config;
	int index = config_module_find(c, name);

	if (index >= 0)
		return index;
	if (!is_name(name, UPPER, UPPER DIGITS "_", CONFIG_MODULE_NAME_MAX)) {
		config_fault(l, where, "module %s: a module's name begins with A to Z and goes on "
			     "with A to Z, 0 to 9 and _, at most %d bytes",
			     log_quote(name, strlen(name)), CONFIG_MODULE_NAME_MAX);
		return -1;
	}
	if (strcmp(name, "BROKER") == 0 || strcmp(name, "ALL") == 0) {
		config_fault(l, where, "module \"%s\": the protocol uses this name itself, "
			     "choose another", name);
		return -1;
	}
	if (c->module_count == CONFIG_MODULES_MAX) {
		config_fault(l, where, "module \"%s\": there are %d modules already, more cannot "
			     "be declared", name, CONFIG_MODULES_MAX);
		return -1;
	}
	module_add(c, name);
	return (int)c->module_count - 1;
}

int config_route_declare(struct loader *l, const char *name, int line)
{
	const struct place where = { .line = line };
	struct config *c = l->config;

	for (size_t i = 0; i < c->route_count; i++)
		if (strcmp(c->routes[i].name, name) == 0)
			return (int)i;
	if (!config_is_low_name(name, CONFIG_ROUTE_NAME_MAX)) {
		config_fault(l, where, "route %s: a route's name begins with a to z and goes on "
			     "with a to z, 0 to 9 and -, at most %d bytes",
			     log_quote(name, strlen(name)), CONFIG_ROUTE_NAME_MAX);
		return -1;
	}
	if (c->route_count == CONFIG_ROUTES_MAX) {
		config_fault(l, where, "route \"%s\": there are %d routes already, more cannot be "
			     "declared", name, CONFIG_ROUTES_MAX);
		return -1;
	}
	route_add(c, name);
	return (int)c->route_count - 1;
}

/* DNS names are the same in either case, all else is not. */
static bool is_same_identity(const char *a, const char *b)
{
	return strncmp(a, "DNS:", 4) == 0 ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

static const struct config_module *identity_owner(const struct config *c, const char *identity)
{
	for (size_t i = 0; i < c->module_count; i++)
		for (size_t j = 0; j < c->modules[i].identity_count; j++)
			if (is_same_identity(c->modules[i].identities[j], identity))
				return &c->modules[i];
	return NULL;
}

/* The name after spiffe://<trust-domain>/module/, NULL when the identity has another form. */
static const char *own_name(const char *identity)
{
	static const char scheme[] = "URI:spiffe://", folder[] = "/module/";
	const char *path;

	if (strncmp(identity, scheme, strlen(scheme)) != 0)
		return NULL;
	path = strchr(identity + strlen(scheme), '/');
	return path != NULL && strncmp(path, folder, strlen(folder)) == 0 ?
	       path + strlen(folder) : NULL;
}

void config_identity_add(struct loader *l, struct config_module *m, const char *identity, int line)
{
	const struct place where = { .line = line };
	const size_t len = strlen(identity);
	const char *shown = log_quote(identity, len);
	const struct config_module *owner = identity_owner(l->config, identity);
	const char *colon = strchr(identity, ':');

	if ((strncmp(identity, "URI:", 4) != 0 && strncmp(identity, "DNS:", 4) != 0 &&
	     strncmp(identity, "CN:", 3) != 0) ||
	    colon == NULL || colon[1] == '\0' || len > CONFIG_IDENTITY_MAX) {
		config_fault(l, where, "identity %s must be \"URI:…\", \"DNS:…\" or \"CN:…\", "
			     "at most %d bytes", shown, CONFIG_IDENTITY_MAX);
	} else if (own_name(identity) != NULL && strcasecmp(own_name(identity), m->name) != 0) {
		config_fault(l, where, "identity %s names another module than %s by itself, "
			     "remove it", shown, m->name);
	} else if (owner != NULL) {
		config_fault(l, where, "identity %s is that of module %s already: an identity "
			     "names one module, once", shown, owner->name);
	} else if (m->identity_count == CONFIG_IDENTITIES_MAX) {
		config_fault(l, where, "identity %s: module %s has %d identities already, more "
			     "cannot be given", shown, m->name, CONFIG_IDENTITIES_MAX);
	} else {
		m->identities = xrealloc(m->identities,
					 (m->identity_count + 1) * sizeof(*m->identities));
		m->identities[m->identity_count++] = xstrdup(identity);
	}
}

/* The declared module of that name, into *end. */
static void connect_end(struct loader *l, const char *route, const char *which, const char *name,
			int line, size_t *end)
{
	const char *names[CONFIG_MODULES_MAX];
	const char *nearest;
	int index = config_module_find(l->config, name);

	if (index >= 0) {
		*end = (size_t)index;
		return;
	}
	for (size_t i = 0; i < l->config->module_count; i++)
		names[i] = l->config->modules[i].name;
	nearest = nearest_word(name, names, l->config->module_count);
	config_fault(l, (struct place){ .line = line },
		     "route \"%s\": %s %s is not declared, %s%s%s", route, which,
		     log_quote(name, strlen(name)),
		     nearest != NULL ? "did you mean '" : "add: module \"NAME\" { }",
		     nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* What the protocol says of a route's two ends cannot be told otherwise. */
static void connect_known(struct loader *l, size_t i)
{
	const struct route_loader *given = &l->routes[i];

	if ((given->source != NULL && strcmp(given->source, known_routes[i][1]) != 0) ||
	    (given->target != NULL && strcmp(given->target, known_routes[i][2]) != 0))
		config_fault(l, (struct place){ .line = given->end_line },
			     "route \"%s\" leads from %s to %s: give a route between other modules "
			     "another name", known_routes[i][0], known_routes[i][1],
			     known_routes[i][2]);
}

static void connect_new(struct loader *l, size_t i)
{
	struct config_route *r = &l->config->routes[i];
	const struct route_loader *given = &l->routes[i];

	if (given->source == NULL || given->target == NULL) {
		config_fault(l, (struct place){ .line = given->end_line },
			     "route \"%s\" has no %s: add %s = \"MODULE\"", r->name,
			     given->source == NULL ? "source" : "target",
			     given->source == NULL ? "source" : "target");
		return;
	}
	connect_end(l, r->name, "source", given->source, given->source_line, &r->source);
	connect_end(l, r->name, "target", given->target, given->target_line, &r->target);
}

/* A batch names its target module, not a route: so two modules have one route, each way. */
static void check_pair(struct loader *l, size_t i)
{
	const struct config *c = l->config;
	const struct config_route *r = &c->routes[i];

	for (size_t j = 0; j < i; j++)
		if (c->routes[j].source == r->source && c->routes[j].target == r->target)
			config_fault(l, (struct place){ .line = l->routes[i].end_line },
				     "route \"%s\" leads from %s to %s, as route \"%s\" does: a "
				     "source and a target have at most one route", r->name,
				     c->modules[r->source].name, c->modules[r->target].name,
				     c->routes[j].name);
}

void config_routes_connect(struct loader *l)
{
	unsigned faults = l->faults;

	for (size_t i = 0; i < l->config->route_count; i++) {
		if (i < KNOWN_ROUTES)
			connect_known(l, i);
		else
			connect_new(l, i);
	}
	for (size_t i = 0; l->faults == faults && i < l->config->route_count; i++)
		check_pair(l, i);
}
