/* connection.c - a client made from the common options, and the loop's wait around it */
#include "tools/handoff/connection.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/version.h"
#include "tools/handoff/command.h"
#include "tools/handoff/report.h"

#define PATH_SIZE 4096
/* One batch may always wait, however large. */
#define WINDOW_BYTES ((size_t)64 * 1024 * 1024)

/* --- opening --------------------------------------------------------------------------------- */

struct paths {
	char ca[PATH_SIZE], cert[PATH_SIZE], key[PATH_SIZE];
};

/* The file that was named, or the one of that name in --certs. */
static bool set_path(char path[PATH_SIZE], const char *named, const char *certs, const char *name,
    const char *suffix)
{
	int n;

	if (named != NULL)
		n = snprintf(path, PATH_SIZE, "%s", named);
	else
		n = snprintf(path, PATH_SIZE, "%s/%s%s", certs, name, suffix);
	if (n < PATH_SIZE)
		return true;
	complain("the name of a certificate's file is longer than %d bytes", PATH_SIZE - 1);
	return false;
}

static int find_files(const struct common *c, struct paths *paths)
{
	const char *const files[] = { paths->ca, paths->cert, paths->key };
	char module[PATH_SIZE];
	size_t n = 0;

	if (c->certs == NULL && (c->ca == NULL || c->cert == NULL || c->key == NULL)) {
		complain("certificates are missing: give --certs DIR, or --ca, --cert and --key");
		return STATUS_USAGE;
	}
	for (; n < sizeof(module) - 1 && c->module[n] != '\0'; n++)
		module[n] = (char)tolower((unsigned char)c->module[n]);
	module[n] = '\0';
	if (!set_path(paths->ca, c->ca, c->certs, "ca", ".crt") ||
	    !set_path(paths->cert, c->cert, c->certs, module, ".crt") ||
	    !set_path(paths->key, c->key, c->certs, module, ".key"))
		return STATUS_USAGE;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (access(files[i], R_OK) != 0) {
			complain_errno("%s", files[i]);
			return STATUS_NO_INPUT;
		}
	}
	return -1;
}

static struct handoff_options *make_options(const struct common *c, const struct paths *paths,
    const struct connection_wishes *wishes)
{
	struct handoff_options *o = handoff_options_create();
	const char *instance = c->instance != NULL ? c->instance : wishes->instance;

	if (o == NULL)
		return NULL;
	if (c->broker != NULL)
		handoff_options_set_broker(o, c->broker);
	if (c->server_name != NULL)
		handoff_options_set_server_name(o, c->server_name);
	handoff_options_set_ca(o, paths->ca);
	handoff_options_set_certificate(o, paths->cert, paths->key);
	handoff_options_set_module(o, c->module);
	handoff_options_set_instance(o, instance);
	handoff_options_set_mailbox(o, wishes->mailbox);
	handoff_options_set_max_in_flight(o, wishes->max_in_flight);
	if (wishes->window > 0)
		handoff_options_set_window(o, wishes->window, WINDOW_BYTES);
	handoff_options_set_client_name(o, "handoff " HANDOFF_VERSION);
	return o;
}

int connection_open(struct connection *c, const struct common *common,
    const struct connection_wishes *wishes)
{
	struct handoff_options *o;
	struct paths paths;
	int status;

	*c = (struct connection){
		.broker = common->broker != NULL ? common->broker : "127.0.0.1:7420",
		.timeout_ms = common->connect_timeout_ms,
		.lost_at_ms = clock_monotonic_ms(),
	};
	if (common->module == NULL) {
		complain("--module is missing: which module to be");
		return STATUS_USAGE;
	}
	status = find_files(common, &paths);
	if (status >= 0)
		return status;
	o = make_options(common, &paths, wishes);
	if (o != NULL)
		c->client = handoff_open(o);
	handoff_options_destroy(o);
	if (c->client == NULL) {
		complain("out of memory");
		return STATUS_SYSTEM;
	}
	return connection_status(c);
}

void connection_close(struct connection *c)
{
	handoff_close(c->client);
	c->client = NULL;
}

void connection_drain(struct connection *c)
{
	c->is_draining = true;
	handoff_drain(c->client);
}

/* --- waiting --------------------------------------------------------------------------------- */

/* The descriptors to wait for: the client's, then the caller's. */
#define WAIT_MAX 1024

static int shorter(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static int until_timeout_ms(const struct connection *c)
{
	int64_t left;

	if (c->timeout_ms == 0 || c->lost_at_ms < 0)
		return -1;
	left = c->lost_at_ms + (int64_t)c->timeout_ms - clock_monotonic_ms();
	return left > 0 ? (int)left : 0;
}

void connection_wait(struct connection *c, struct pollfd *more, size_t n, int timeout_ms,
    const sigset_t *mask)
{
	const unsigned wants = handoff_wants(c->client);
	struct pollfd all[1 + WAIT_MAX];
	struct timespec time;
	unsigned bits = 0;

	if (n > WAIT_MAX)
		n = WAIT_MAX;
	all[0] = (struct pollfd){ .fd = wants != 0 ? handoff_fd(c->client) : -1 };
	if ((wants & HANDOFF_READABLE) != 0)
		all[0].events |= POLLIN;
	if ((wants & HANDOFF_WRITABLE) != 0)
		all[0].events |= POLLOUT;
	if (n > 0)
		memcpy(&all[1], more, n * sizeof(*more));
	timeout_ms = shorter(timeout_ms, handoff_next_timeout_ms(c->client));
	timeout_ms = shorter(timeout_ms, until_timeout_ms(c));
	time = (struct timespec){ timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	if (ppoll(all, 1 + n, timeout_ms >= 0 ? &time : NULL, mask) < 0)
		for (size_t i = 0; i <= n; i++)
			all[i].revents = 0;
	if (n > 0)
		memcpy(more, &all[1], n * sizeof(*more));
	if ((all[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		bits |= HANDOFF_READABLE;
	if ((all[0].revents & POLLOUT) != 0)
		bits |= HANDOFF_WRITABLE;
	handoff_ready(c->client, bits);
}

/* --- what happens to it ---------------------------------------------------------------------- */

static void on_state(struct connection *c, enum handoff_state state)
{
	switch (state) {
	case HANDOFF_CONNECTED:
		if (c->is_told)
			tell("connected to %s", c->broker);
		c->lost_at_ms = -1;
		c->is_told = false;
		c->was_connected = true;
		break;
	case HANDOFF_WAITING:
		if (c->lost_at_ms < 0)
			c->lost_at_ms = clock_monotonic_ms();
		if (!c->is_told)
			tell("waiting for the broker at %s: %s", c->broker, handoff_why(c->client));
		c->is_told = true;
		break;
	default:
		break;
	}
}

void connection_on_event(struct connection *c, const struct handoff_event *e)
{
	char what[128];

	if (e->type == HANDOFF_EVENT_STATE) {
		detail("%s%s%s", handoff_state_name(e->state), *e->text != '\0' ? ": " : "", e->text);
		on_state(c, e->state);
	} else if (e->type == HANDOFF_EVENT_ERRORS && e->action != HANDOFF_ACTION_THROTTLE) {
		snprintf(what, sizeof(what), "batch %s", e->batch_id);
		complain_errors(*e->batch_id != '\0' ? what : "the broker says", e->errors,
				e->error_count);
	}
}

static int status_of_end(enum handoff_end end)
{
	switch (end) {
	case HANDOFF_END_TLS:
	case HANDOFF_END_UNAUTHORIZED:
		return STATUS_PERMISSION;
	case HANDOFF_END_PROTOCOL_ERROR:
		return STATUS_PROTOCOL;
	case HANDOFF_END_REPLACED:
		return STATUS_TRY_AGAIN;
	default:
		return STATUS_CONFIG;
	}
}

int connection_status(const struct connection *c)
{
	if (handoff_state(c->client) == HANDOFF_ENDED) {
		if (c->is_draining)
			return STATUS_OK;
		complain("%s", handoff_why(c->client));
		return status_of_end(handoff_end(c->client));
	}
	if (until_timeout_ms(c) != 0)
		return -1;
	complain("no connection to the broker at %s within %llu ms: %s", c->broker,
		 (unsigned long long)c->timeout_ms, handoff_why(c->client));
	return STATUS_UNAVAILABLE;
}

int connection_status_of(const struct handoff_error *errors, size_t n)
{
	const char *code = n > 0 && errors[0].code != NULL ? errors[0].code : "";

	if (strncmp(code, "INT_AUTH_", 9) == 0)
		return STATUS_PERMISSION;
	if (strncmp(code, "INT_ROUTE_", 10) == 0)
		return STATUS_CONFIG;
	if (strncmp(code, "INT_BATCH_", 10) == 0)
		return STATUS_DATA;
	return STATUS_PROTOCOL;
}
