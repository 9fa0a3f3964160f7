/*
 * config_settings.c - the table of every setting: default, minimum, maximum
 *
 * Adding a setting is adding a member to struct config or struct config_route, a line here, a line
 * in conf/handoffd.conf and an item in handoffd.conf(5). The file, the environment, messages and
 * suggestions follow from the table.
 */
#include "server/config_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define KiB 1024.0
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define TiB (1024 * GiB)
#define SECOND 1000.0
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define TOP(member) "", #member, offsetof(struct config, member)
#define IN(section, name) #section, #name, offsetof(struct config, section##_##name)
#define ROUTE(member) "route", #member, offsetof(struct config_route, member)

/* The order of initialisers puts what one looks for first: name, kind, default, bounds. */
#define SETTING(...) SETTING_(__VA_ARGS__)
#define SETTING_(in, called, at, what, from, to, value, rule)                                      \
	{                                                                                          \
		.section = (in), .name = (called), .kind = SETTING_##what, .offset = (at),         \
		.least = (from), .most = (to), .initial = (value), .follows = (rule)               \
	}

const struct setting settings[] = {
	/* Where things are. */
	SETTING(TOP(listen), ADDRESS, 0, 0, "127.0.0.1:7420", NULL),
	SETTING(IN(tls, ca), TEXT, 1, 4095, "ca.crt", NULL),
	SETTING(IN(tls, certificate), TEXT, 1, 4095, "broker.crt", NULL),
	SETTING(IN(tls, key), TEXT, 1, 4095, "broker.key", NULL),
	SETTING(IN(store, path), TEXT, 1, 4095, "data", NULL),
	SETTING(IN(store, size), SIZE, 64 * MiB, 16 * TiB, "1G", NULL),
	SETTING(IN(admin, socket), TEXT, 1, 107, NULL, "no socket"),
	SETTING(IN(http, listen), ADDRESS, 0, 0, NULL, "no listener"),
	SETTING(TOP(sandbox), SWITCH, 0, 1, "true", NULL),

	/* The specification's tables that belong to no route. */
	SETTING(TOP(backpressure_high_watermark), FRACTION, 0.01, 1, "0.8", NULL),
	SETTING(TOP(backpressure_low_watermark), FRACTION, 0, 1, "0.5", NULL),
	SETTING(TOP(circuit_failure_threshold), COUNT, 1, 1e6, "5", NULL),
	SETTING(TOP(circuit_reset_timeout_ms), DURATION, 1, DAY, "60000", NULL),
	SETTING(TOP(flood_threshold), COUNT, 0, 1e9, "2000", NULL),
	SETTING(TOP(flood_window_ms), DURATION, 1, DAY, "60000", NULL),
	SETTING(TOP(health_check_interval_ms), DURATION, 1, DAY, "10000", NULL),
	SETTING(TOP(health_check_timeout_ms), DURATION, 1, DAY, "5000", NULL),
	SETTING(TOP(error_rate_degraded), FRACTION, 0, 1, "0.01", NULL),

	/* Custody and history. */
	SETTING(TOP(reclaim_ms), DURATION, 0, HOUR, "5000", NULL),
	SETTING("", "outcome_retention", offsetof(struct config, outcome_retention_ms), DURATION,
		0, 3650 * DAY, "24h", NULL),
	SETTING("", "dedupe_minimum", offsetof(struct config, dedupe_minimum_ms), DURATION,
		0, 3650 * DAY, "15min", NULL),
	SETTING(TOP(history_size), SIZE, 64 * KiB, 16 * TiB, NULL, "a quarter of store.size"),
	SETTING(TOP(stage_reserve), SIZE, 64 * KiB, 16 * TiB, NULL,
		"a sixteenth of store.size, at least two frames"),

	/* What a stranger can make us hold. */
	SETTING(TOP(max_frame_bytes), SIZE, 16 * KiB, 256 * MiB, "8M", NULL),
	SETTING(TOP(max_assembly_bytes), SIZE, 64 * KiB, 64 * GiB, "64M", NULL),
	SETTING(TOP(max_in_flight_limit), COUNT, 1, 65536, "1024", NULL),
	SETTING(TOP(max_connections), COUNT, 1, 1e6, "4096", NULL),
	SETTING(TOP(max_module_connections), COUNT, 1, 1e6, "1024", NULL),
	SETTING(TOP(max_module_instances), COUNT, 1, 1e6, "10000", NULL),
	SETTING(TOP(max_handshakes), COUNT, 1, 65536, "256", NULL),
	SETTING(TOP(max_handshake_rate), COUNT, 1, 1e6, "500", NULL),
	SETTING(TOP(max_address_handshake_rate), COUNT, 1, 1e6, "100", NULL),
	SETTING(TOP(handshake_timeout_ms), DURATION, 10, 10 * MINUTE, "5000", NULL),
	SETTING(TOP(hello_timeout_ms), DURATION, 10, 10 * MINUTE, "5000", NULL),
	SETTING(TOP(write_timeout_ms), DURATION, 10, HOUR, "30000", NULL),

	/* AES-GCM must not see more than about 2^24.5 records under one key. */
	SETTING(TOP(rekey_records), COUNT, 100, 16777216, "8388608", NULL),
	SETTING(TOP(rekey_bytes), SIZE, 1 * MiB, 256 * GiB, "100G", NULL),
	SETTING("", "rekey_age", offsetof(struct config, rekey_age_ms), DURATION,
		SECOND, 30 * DAY, "24h", NULL),

	/* A route's. */
	SETTING(ROUTE(batch_size), COUNT, 1, 1e6, "1000", NULL),
	SETTING(ROUTE(flush_timeout_ms), DURATION, 1, DAY, "5000", NULL),
	SETTING(ROUTE(ack_timeout_ms), DURATION, 1, DAY, "30000", NULL),
	SETTING(ROUTE(process_timeout_ms), DURATION, 1, 30 * DAY, "300000", NULL),
	SETTING(ROUTE(retry_delay_ms), DURATION, 1, DAY, "1000", NULL),
	SETTING(ROUTE(max_retries), COUNT, 0, 1e6, "5", NULL),
	SETTING(ROUTE(backoff_multiplier), FRACTION, 1, 100, "2.0", NULL),
	SETTING(ROUTE(max_retry_delay_ms), DURATION, 1, 30 * DAY, "60000", NULL),
	SETTING(ROUTE(confirm_timeout_ms), DURATION, 1, 30 * DAY, "300000", NULL),
	SETTING(ROUTE(queue_capacity), COUNT, 1, 1e9, "10000", NULL),
	SETTING(ROUTE(queue_capacity_bytes), SIZE, 64 * KiB, 16 * TiB, NULL,
		"half of store.size"),
	SETTING(ROUTE(stage_margin), COUNT, 0, 1e6, "1024", NULL),
	SETTING(ROUTE(dead_letter_capacity), COUNT, 1, 1e9, "1000000", NULL),
	SETTING(ROUTE(dead_letter_capacity_bytes), SIZE, 64 * KiB, 16 * TiB, NULL,
		"an eighth of store.size"),
	SETTING(ROUTE(ordered), SWITCH, 0, 1, "false", NULL),
	SETTING(ROUTE(confirm), SWITCH, 0, 1, "false", NULL),
};

const size_t setting_count = sizeof(settings) / sizeof(settings[0]);

_Static_assert(sizeof(settings) / sizeof(settings[0]) <= SETTINGS_MAX,
	       "SETTINGS_MAX is less than there are settings");

const struct setting *setting_find(const char *section, const char *name)
{
	for (size_t i = 0; i < setting_count; i++)
		if (strcmp(settings[i].section, section) == 0 &&
		    strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

void setting_variable(const struct setting *s, const char *route, char out[VARIABLE_BYTES])
{
	const char *first = route != NULL ? route : s->section;
	int len = snprintf(out, VARIABLE_BYTES, "%s%s%s", first, *first != '\0' ? "_" : "",
			   s->name);

	assert(len > 0 && len < VARIABLE_BYTES);
	for (; *out != '\0'; out++) {
		if (*out >= 'a' && *out <= 'z')
			*out = (char)(*out - 'a' + 'A');
		else if (*out == '-')
			*out = '_';
	}
}

void *setting_value(const struct setting *s, void *base)
{
	return (char *)base + s->offset;
}

/* Reads `text` into `value`, which has the type of the kind; false when the form is wrong. */
static bool value_read(enum setting_kind kind, const char *text, void *value)
{
	switch (kind) {
	case SETTING_COUNT:
		return value_count(text, value);
	case SETTING_SIZE:
		return value_size(text, value);
	case SETTING_DURATION:
		return value_duration(text, value);
	case SETTING_FRACTION:
		return value_fraction(text, value);
	case SETTING_SWITCH:
		return value_switch(text, value);
	case SETTING_ADDRESS:
		return value_address(text, value);
	case SETTING_TEXT:
		break;
	}
	*(char **)value = xstrdup(text);
	return true;
}

static bool is_within(const struct setting *s, const void *value)
{
	double v = 0;

	switch (s->kind) {
	case SETTING_COUNT:
	case SETTING_SIZE:
	case SETTING_DURATION:
		v = (double)*(const int64_t *)value;
		break;
	case SETTING_FRACTION:
		v = *(const double *)value;
		break;
	case SETTING_TEXT:
		v = (double)strlen(*(char *const *)value);
		break;
	case SETTING_SWITCH:
	case SETTING_ADDRESS:
		return true;
	}
	return v >= s->least && v <= s->most;
}

/* "a whole number from 1 to 1000000 (default 1000)" */
static void setting_describe(const struct setting *s, char *out, size_t size)
{
	char least[VALUE_TEXT_BYTES], most[VALUE_TEXT_BYTES];
	char what[160] = "";

	switch (s->kind) {
	case SETTING_COUNT:
		snprintf(what, sizeof(what), "a whole number from %.0f to %.0f", s->least, s->most);
		break;
	case SETTING_SIZE:
		value_size_text((int64_t)s->least, least);
		value_size_text((int64_t)s->most, most);
		snprintf(what, sizeof(what), "a size from %s to %s, such as 67108864, 64M or 1G",
			 least, most);
		break;
	case SETTING_DURATION:
		value_duration_text((int64_t)s->least, least);
		value_duration_text((int64_t)s->most, most);
		snprintf(what, sizeof(what), "a time from %s to %s, in milliseconds "
			 "or such as 500ms, 30s, 15min or 24h", least, most);
		break;
	case SETTING_FRACTION:
		snprintf(what, sizeof(what), "a number from %g to %g", s->least, s->most);
		break;
	case SETTING_SWITCH:
		snprintf(what, sizeof(what), "true or false");
		break;
	case SETTING_TEXT:
		snprintf(what, sizeof(what), "a text of %.0f to %.0f bytes", s->least, s->most);
		break;
	case SETTING_ADDRESS:
		snprintf(what, sizeof(what), "a numeric address and a port, such as "
			 "127.0.0.1:7420 or [::1]:7420");
		break;
	}
	snprintf(out, size, "%s (default %s)", what,
		 s->initial != NULL ? s->initial : s->follows);
}

void setting_assign(struct loader *l, const struct setting *s, void *base, const char *text,
		    struct place where)
{
	union {
		int64_t whole;
		double fraction;
		bool on;
		char *text;
		struct config_address address;
	} read = { 0 };
	static const size_t sizes[] = {
		[SETTING_COUNT] = sizeof(read.whole), [SETTING_SIZE] = sizeof(read.whole),
		[SETTING_DURATION] = sizeof(read.whole), [SETTING_FRACTION] = sizeof(read.fraction),
		[SETTING_SWITCH] = sizeof(read.on), [SETTING_TEXT] = sizeof(read.text),
		[SETTING_ADDRESS] = sizeof(read.address),
	};
	char allowed[288];

	if (value_read(s->kind, text, &read) && is_within(s, &read)) {
		if (s->kind == SETTING_TEXT)
			free(*(char **)setting_value(s, base));
		memcpy(setting_value(s, base), &read, sizes[s->kind]);
		return;
	}
	if (s->kind == SETTING_TEXT)
		free(read.text);
	setting_describe(s, allowed, sizeof(allowed));
	config_fault(l, where, "%s = %s must be %s", s->name, log_quote(text, strlen(text)),
		     allowed);
}

void settings_reset(const char *section, void *base)
{
	const bool route = strcmp(section, "route") == 0;

	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *s = &settings[i];

		if ((strcmp(s->section, "route") == 0) == route && s->initial != NULL &&
		    !value_read(s->kind, s->initial, setting_value(s, base)))
			fatalx("the default of %s is malformed: %s", s->name, s->initial);
	}
}
