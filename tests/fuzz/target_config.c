/* target_config.c - a configuration is refused or loaded, and the second load is the first again */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "server/config.h"
#include "server/config_internal.h"

static char path[64];
static int fd;

void target_begin(void)
{
	fd = memfd_create("configuration", MFD_CLOEXEC);
	must(fd >= 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	/* What a stranger's file may name in ${…}, and what wins over the file. */
	clearenv();
	setenv("HOME", "/nowhere", 1);
}

/* Texts are compared as such, all else as bytes: both were zeroed when they were made. */
static void compare(struct config *a, struct config *b)
{
	for (size_t i = 0; i < setting_count; i++) {
		if (settings[i].kind != SETTING_TEXT)
			continue;
		char **s = setting_value(&settings[i], a), **t = setting_value(&settings[i], b);
		must((*s == NULL) == (*t == NULL) && (*s == NULL || strcmp(*s, *t) == 0));
		free(*t);
		*t = NULL;
	}
	must(a->module_count == b->module_count && a->route_count == b->route_count);
	must(a->module_count <= CONFIG_MODULES_MAX && a->route_count <= CONFIG_ROUTES_MAX);
	for (size_t n = 0; n < a->module_count; n++) {
		const struct config_module *s = &a->modules[n], *t = &b->modules[n];

		must(strcmp(s->name, t->name) == 0 && s->identity_count == t->identity_count);
		for (size_t k = 0; k < s->identity_count; k++)
			must(strcmp(s->identities[k], t->identities[k]) == 0);
	}
	must(memcmp(a->routes, b->routes, sizeof a->routes) == 0);
	must(memcmp(&a->admin_operators, &b->admin_operators, sizeof a->admin_operators) == 0);
	must(memcmp(&a->admin_readers, &b->admin_readers, sizeof a->admin_readers) == 0);
}

/* What the rest of the broker relies on. */
static void check_sound(const struct config *c)
{
	must(c->tls_ca && c->tls_certificate && c->tls_key && c->store_path);
	must(c->store_size >= 64 << 20 && c->max_frame_bytes <= c->max_assembly_bytes);
	must(c->backpressure_low_watermark < c->backpressure_high_watermark);
	for (size_t n = 0; n < c->route_count; n++)
		must(c->routes[n].source < c->module_count &&
		    c->routes[n].target < c->module_count && *c->routes[n].name);
	for (size_t n = 0; n < c->module_count; n++)
		must(*c->modules[n].name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *first = NULL, *second = NULL;
	int rc;

	must(ftruncate(fd, 0) == 0);
	must(pwrite(fd, data, size, 0) == (ssize_t)size);
	rc = config_load(path, &first);
	must(config_load(path, &second) == rc);
	must((rc == 0) == (first != NULL) && (rc == 0) == (second != NULL));
	if (rc == 0) {
		check_sound(first);
		compare(first, second);
	}
	config_free(first);
	config_free(second);
	return 0;
}
