/* settings.h - the configuration in the words of the rooms below */
#ifndef HANDOFF_SERVER_SETTINGS_H
#define HANDOFF_SERVER_SETTINGS_H

#include "core/settings.h"
#include "server/config.h"
#include "session/session.h"

/* Points into memory of its own; the configuration must outlive it. */
struct settings {
	struct core_settings core;
	struct sessions_settings sessions;
	struct module_settings modules[CONFIG_MODULES_MAX];
	struct route_settings routes[CONFIG_ROUTES_MAX];
	struct circuit_settings circuits[CONFIG_CIRCUITS_MAX];
	struct identity_mapping *mappings;
};

struct settings *settings_create(const struct config *c);
void settings_destroy(struct settings *s);

#endif
