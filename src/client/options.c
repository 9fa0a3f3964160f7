/* options.c - what the caller asked for */
#include "client/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "handoff/client.h"
#include "wire/text.h"

#define DEFAULT_ADDRESS "127.0.0.1:7420"
#define DEFAULT_WINDOW_BATCHES 64
#define DEFAULT_WINDOW_BYTES ((size_t)64 * 1024 * 1024)
#define WINDOW_BATCHES_MAX 1024
#define CLIENT_NAME_MAX 128

struct handoff_options *handoff_options_create(void)
{
	struct handoff_options *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->mailbox = true;
	o->window_batches = DEFAULT_WINDOW_BATCHES;
	o->window_bytes = DEFAULT_WINDOW_BYTES;
	return o;
}

void handoff_options_destroy(struct handoff_options *o)
{
	if (o == NULL)
		return;
	free(o->address);
	free(o->server_name);
	free(o->ca);
	free(o->certificate);
	free(o->key);
	free(o->module);
	free(o->instance_id);
	free(o->client_name);
	free(o);
}

/* The first complaint stays: the others may follow from it. */
static void complain(struct handoff_options *o, const char *what)
{
	if (o->error[0] == '\0')
		snprintf(o->error, sizeof(o->error), "%s", what);
}

static void set_text(struct handoff_options *o, char **to, const char *text)
{
	char *copy = NULL;

	if (text != NULL) {
		copy = strdup(text);
		if (copy == NULL)
			complain(o, "out of memory: options");
	}
	free(*to);
	*to = copy;
}

void handoff_options_set_broker(struct handoff_options *o, const char *address)
{
	set_text(o, &o->address, address);
}

void handoff_options_set_server_name(struct handoff_options *o, const char *name)
{
	set_text(o, &o->server_name, name);
}

void handoff_options_set_ca(struct handoff_options *o, const char *path)
{
	set_text(o, &o->ca, path);
}

void handoff_options_set_certificate(struct handoff_options *o, const char *path, const char *key)
{
	set_text(o, &o->certificate, path);
	set_text(o, &o->key, key);
}

static bool is_module_name(const char *s)
{
	const size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return s[n] == '\0' && n >= 1 && n <= MODULE_NAME_MAX && s[0] >= 'A' && s[0] <= 'Z';
}

void handoff_options_set_module(struct handoff_options *o, const char *module)
{
	if (module != NULL && !is_module_name(module))
		complain(o, "module: must be 1 to 32 of A-Z, 0-9 and _, and begin with a letter");
	set_text(o, &o->module, module);
}

void handoff_options_set_instance(struct handoff_options *o, const char *instance_id)
{
	const size_t n = instance_id != NULL ? strlen(instance_id) : 1;

	if (n < 1 || n > INSTANCE_ID_MAX || (instance_id != NULL && !text_is_utf8(instance_id, n)))
		complain(o, "instance: must be 1 to 64 bytes of UTF-8");
	set_text(o, &o->instance_id, instance_id);
}

void handoff_options_set_mailbox(struct handoff_options *o, bool mailbox)
{
	o->mailbox = mailbox;
}

void handoff_options_set_max_in_flight(struct handoff_options *o, unsigned batches)
{
	if (batches > HOLDS_MAX)
		complain(o, "max_in_flight: must be 0 to 1024 batches");
	o->max_in_flight = batches;
}

void handoff_options_set_window(struct handoff_options *o, unsigned batches, size_t bytes)
{
	if (batches < 1 || batches > WINDOW_BATCHES_MAX)
		complain(o, "window: must be 1 to 1024 batches");
	o->window_batches = batches;
	o->window_bytes = bytes;
}

void handoff_options_set_client_name(struct handoff_options *o, const char *name)
{
	const size_t n = name != NULL ? strlen(name) : 0;

	if (n > CLIENT_NAME_MAX || (name != NULL && !text_is_utf8(name, n)))
		complain(o, "client name: must be at most 128 bytes of UTF-8");
	set_text(o, &o->client_name, name);
}

/* A variable's value; NULL when it is not set, or empty. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

void handoff_options_from_environment(struct handoff_options *o)
{
	const struct {
		const char *name;
		char **to;
	} plain[] = {
		{ "HANDOFF_BROKER", &o->address },
		{ "HANDOFF_CA", &o->ca },
		{ "HANDOFF_CERT", &o->certificate },
		{ "HANDOFF_KEY", &o->key },
	};
	const char *instance = variable("HANDOFF_INSTANCE");

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (variable(plain[i].name) != NULL)
			set_text(o, plain[i].to, variable(plain[i].name));
	if (instance != NULL)
		handoff_options_set_instance(o, instance);
}

struct handoff_options *options_copy(const struct handoff_options *o)
{
	struct handoff_options *copy = calloc(1, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	copy->mailbox = o->mailbox;
	copy->max_in_flight = o->max_in_flight;
	copy->window_batches = o->window_batches;
	copy->window_bytes = o->window_bytes;
	memcpy(copy->error, o->error, sizeof(copy->error));
	set_text(copy, &copy->address, o->address);
	set_text(copy, &copy->server_name, o->server_name);
	set_text(copy, &copy->ca, o->ca);
	set_text(copy, &copy->certificate, o->certificate);
	set_text(copy, &copy->key, o->key);
	set_text(copy, &copy->module, o->module);
	set_text(copy, &copy->instance_id, o->instance_id);
	set_text(copy, &copy->client_name, o->client_name);
	return copy;
}

void options_complete(struct handoff_options *o)
{
	char id[HANDOFF_ID_SIZE];

	if (o->module == NULL)
		complain(o, "no module: say which one this program is");
	if (o->ca == NULL)
		complain(o, "no authority: name its certificate, or set HANDOFF_CA");
	if (o->certificate == NULL)
		complain(o, "no certificate: name the module's, or set HANDOFF_CERT");
	if (o->key == NULL)
		complain(o, "no key: name the certificate's, or set HANDOFF_KEY");
	if (o->address == NULL)
		set_text(o, &o->address, DEFAULT_ADDRESS);
	if (o->client_name == NULL)
		set_text(o, &o->client_name, "libhandoff/" HANDOFF_VERSION);
	if (o->instance_id == NULL) {
		handoff_make_id(id);
		set_text(o, &o->instance_id, id);
	}
}
