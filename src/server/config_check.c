/* config_check.c - settings that follow from others, and those that cannot stand together */
#include "server/config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* 0 is no size that a setting may have: it was not given. */
static void follow(int64_t *size, int64_t otherwise)
{
	if (*size == 0)
		*size = otherwise;
}

/* `*path` in the directory of the file `beside`, unless it says itself where it is. */
static void path_join(char **path, const char *beside)
{
	const char *slash = strrchr(beside, '/');
	size_t directory, size;
	char *joined;

	if (*path == NULL || **path == '/' || slash == NULL)
		return;
	directory = (size_t)(slash - beside) + 1;
	size = directory + strlen(*path) + 1;
	joined = xmalloc(size);
	snprintf(joined, size, "%.*s%s", (int)directory, beside, *path);
	free(*path);
	*path = joined;
}

void config_derive(struct loader *l)
{
	struct config *c = l->config;
	const int64_t sixteenth = c->store_size / 16;
	const int64_t two_frames = 2 * c->max_frame_bytes;

	for (size_t i = 0; i < setting_count; i++)
		if (settings[i].kind == SETTING_TEXT)
			path_join(setting_value(&settings[i], c), l->path);
	follow(&c->history_size, c->store_size / 4);
	follow(&c->stage_reserve, sixteenth > two_frames ? sixteenth : two_frames);
	for (size_t i = 0; i < c->route_count; i++) {
		follow(&c->routes[i].queue_capacity_bytes, c->store_size / 2);
		follow(&c->routes[i].dead_letter_capacity_bytes, c->store_size / 8);
	}
}

static struct place place_of(const struct loader *l, const char *section, const char *name)
{
	return l->places[setting_find(section, name) - settings];
}

static void check_store(struct loader *l)
{
	const struct config *c = l->config;
	char frame[VALUE_TEXT_BYTES], store[VALUE_TEXT_BYTES];

	value_size_text(c->max_frame_bytes, frame);
	value_size_text(c->store_size, store);
	if (c->max_frame_bytes > c->store_size / 8)
		config_fault(l, place_of(l, "", "max_frame_bytes"),
			     "max_frame_bytes = %s is more than an eighth of store.size = %s: "
			     "lower the one or raise the other", frame, store);
	if (c->stage_reserve < 2 * c->max_frame_bytes)
		config_fault(l, place_of(l, "", "stage_reserve"),
			     "stage_reserve must hold two frames of max_frame_bytes = %s", frame);
	if (c->history_size > c->store_size / 4 * 3 - c->stage_reserve)
		config_fault(l, place_of(l, "", "history_size"),
			     "history_size and stage_reserve together are more than three quarters "
			     "of store.size = %s: lower them or raise it", store);
	if (c->max_assembly_bytes < c->max_frame_bytes)
		config_fault(l, place_of(l, "", "max_assembly_bytes"),
			     "max_assembly_bytes must hold one frame of max_frame_bytes = %s",
			     frame);
	if (c->dedupe_minimum_ms > c->outcome_retention_ms)
		config_fault(l, place_of(l, "", "dedupe_minimum"),
			     "dedupe_minimum is longer than outcome_retention: lower the one or "
			     "raise the other");
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

void config_check(struct loader *l)
{
	const struct config *c = l->config;

	if (c->backpressure_low_watermark >= c->backpressure_high_watermark)
		config_fault(l, place_of(l, "", "backpressure_low_watermark"),
			     "backpressure_low_watermark = %g must be below "
			     "backpressure_high_watermark = %g", c->backpressure_low_watermark,
			     c->backpressure_high_watermark);
	if (c->http_listen.host[0] != '\0' && !is_loopback(c->http_listen.host))
		config_fault(l, place_of(l, "http", "listen"),
			     "http.listen = %s is no loopback address: plain HTTP is served on "
			     "127.0.0.1 or [::1] only", c->http_listen.host);
	check_store(l);
}
