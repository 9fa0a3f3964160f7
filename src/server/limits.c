/* limits.c - all limits of the broker, by name: settings and constants */
#include "server/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"
#include "net/listener.h"
#include "net/stream.h"
#include "net/tls.h"
#include "server/config_internal.h"
#include "session/session.h"
#include "wire/decode.h"
#include "wire/mpcheck.h"

static const struct limit constants[] = {
	{ "modules", LIMIT_COUNT, CONFIG_MODULES_MAX },
	{ "module name", LIMIT_BYTES, CONFIG_MODULE_NAME_MAX },
	{ "identities of a module", LIMIT_COUNT, CONFIG_IDENTITIES_MAX },
	{ "identity", LIMIT_BYTES, CONFIG_IDENTITY_MAX },
	{ "routes", LIMIT_COUNT, CONFIG_ROUTES_MAX },
	{ "route name", LIMIT_BYTES, CONFIG_ROUTE_NAME_MAX },
	{ "admin operators", LIMIT_COUNT, CONFIG_OPERATORS_MAX },
	{ "admin readers", LIMIT_COUNT, CONFIG_OPERATORS_MAX },
	{ "frame before WELCOME", LIMIT_BYTES, FRAME_MAX_BEFORE_WELCOME },
	{ "correlation id", LIMIT_BYTES, CORRELATION_ID_MAX },
	{ "instance id", LIMIT_BYTES, INSTANCE_ID_MAX },
	{ "held batches in HELLO", LIMIT_COUNT, HOLDS_MAX },
	{ "keys of a map", LIMIT_COUNT, MAP_KEYS_MAX },
	{ "nesting of a message", LIMIT_COUNT, MP_NESTING_MAX },
	{ "connections accepted in a turn", LIMIT_COUNT, LISTENER_ACCEPTS_PER_TURN },
	{ "pause without descriptors", LIMIT_MS, LISTENER_PAUSE_MS },
	{ "TLS bytes not read", LIMIT_BYTES, STREAM_OUT_BYTES_MAX },
	{ "TLS bytes of a handshake", LIMIT_BYTES, STREAM_HANDSHAKE_BYTES_MAX },
	{ "names in a certificate", LIMIT_COUNT, TLS_NAMES_MAX },
	{ "name in a certificate", LIMIT_BYTES, TLS_NAME_MAX },
	{ "bytes of a logged value", LIMIT_BYTES, LOG_QUOTE_BYTES },
};

#define CONSTANTS (sizeof(constants) / sizeof(constants[0]))

/* Of fractions, switches, texts and addresses none is a ceiling. */
static bool is_limit(const struct setting *s, enum limit_unit *unit)
{
	switch (s->kind) {
	case SETTING_COUNT:
		*unit = LIMIT_COUNT;
		return true;
	case SETTING_SIZE:
		*unit = LIMIT_BYTES;
		return true;
	case SETTING_DURATION:
		*unit = LIMIT_MS;
		return true;
	case SETTING_FRACTION:
	case SETTING_SWITCH:
	case SETTING_TEXT:
	case SETTING_ADDRESS:
		break;
	}
	return false;
}

static void add_setting(struct limits *l, size_t *names, const struct setting *s, const void *base,
    const char *section)
{
	char *name = l->names[*names];
	struct limit *limit = &l->list[l->count];

	if (!is_limit(s, &limit->unit))
		return;
	snprintf(name, sizeof(l->names[0]), "%s%s%s", section, *section != '\0' ? "." : "",
		 s->name);
	limit->name = name;
	memcpy(&limit->value, (const char *)base + s->offset, sizeof(limit->value));
	l->count++;
	++*names;
}

static void add_constants(struct limits *l, const struct limit *list, size_t count)
{
	memcpy(&l->list[l->count], list, count * sizeof(*list));
	l->count += count;
}

void limits_init(struct limits *l, const struct config *c)
{
	const size_t most = setting_count * (1 + c->route_count);
	size_t names = 0;

	l->names = xcalloc(most, sizeof(*l->names));
	l->list = xcalloc(most + CONSTANTS + session_limit_count + http_limit_count, sizeof(*l->list));
	l->count = 0;
	for (size_t i = 0; i < setting_count; i++)
		if (strcmp(settings[i].section, "route") != 0)
			add_setting(l, &names, &settings[i], c, settings[i].section);
	for (size_t n = 0; n < c->route_count; n++)
		for (size_t i = 0; i < setting_count; i++)
			if (strcmp(settings[i].section, "route") == 0)
				add_setting(l, &names, &settings[i], &c->routes[n],
					    c->routes[n].name);
	add_constants(l, constants, CONSTANTS);
	add_constants(l, session_limits, session_limit_count);
	add_constants(l, http_limits, http_limit_count);
}

void limits_finish(struct limits *l)
{
	free(l->list);
	free(l->names);
}
