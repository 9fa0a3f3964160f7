/* options.h - what the caller asked for */
#ifndef HANDOFF_CLIENT_OPTIONS_H
#define HANDOFF_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/message.h"

#define OPTIONS_ERROR_SIZE 160

/* Texts are owned; NULL: not set. */
struct handoff_options {
	char *address;
	char *server_name;
	char *ca, *certificate, *key;
	char *module;
	char *instance_id;
	char *client_name;
	bool mailbox;
	unsigned max_in_flight;
	unsigned window_batches;
	size_t window_bytes;
	char error[OPTIONS_ERROR_SIZE];	/* the first setter that failed, for people; "" */
};

/* A copy of its own; NULL when memory is refused. */
struct handoff_options *options_copy(const struct handoff_options *o);
/* Fills in what may be left out, and says in o->error what is missing. */
void options_complete(struct handoff_options *o);

#endif
