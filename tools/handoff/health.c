/* health.c - handoff health: asks the broker how it does, as a module, and ends with the verdict */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/datetime.h"
#include "net/tls.h"
#include "tools/handoff/command.h"
#include "tools/handoff/connection.h"
#include "tools/handoff/mpput.h"
#include "tools/handoff/ndjson.h"
#include "tools/handoff/options.h"
#include "tools/handoff/report.h"
#include "wire/text.h"

#define TIMEOUT_MS 5000
#define STATUS_UNHEALTHY 2
#define STATUS_UNKNOWN 3	/* of everything that is no verdict */
#define ASK_AGAIN (-2)		/* another on this machine asks, and has taken our name */
#define PAUSE_MS 200		/* the most between two questions then */
#define TEXT_SIZE 1100		/* a name or a message, escaped */

static struct common common;
static struct {
	const char *check;
	bool json;
} options = { .check = "detailed" };

static const struct option health_options[] = {
	{ "check", 'c', OPTION_TEXT, &options.check, "TYPE",
	  "liveness, readiness or detailed, the default", 0, 0 },
	{ "json", 0, OPTION_FLAG, &options.json, NULL, "print one JSON object", 0, 0 },
	{ 0 },
};

static const struct usage usage = {
	.synopsis = "handoff health --module NAME [OPTION]...",
	.about = "Asks the broker how it and its pipeline do, and ends with 0 HEALTHY, 1 DEGRADED,\n"
		 "2 UNHEALTHY, or 3 when that is not known: there was no answer within\n"
		 "--connect-timeout, here 5000 ms unless it is given, or the question was wrong.\n",
	.options = health_options,
	.common = &common,
	.no_instance = true,	/* in a container it is the worker's, who would be cut off */
};

/* --- what is printed ------------------------------------------------------------------------- */

static void print_lines(const struct handoff_health_report *h)
{
	char name[TEXT_SIZE], message[TEXT_SIZE];

	printf("%s\n", handoff_health_name(h->status));
	for (size_t i = 0; i < h->component_count; i++) {
		const struct handoff_component *part = &h->components[i];

		text_escape(name, sizeof(name), part->name, strlen(part->name));
		text_escape(message, sizeof(message), part->message, strlen(part->message));
		printf("  %-20s %-9s %s\n", name, handoff_health_name(part->status), message);
	}
}

static void put_text(struct buf *out, const char *text)
{
	mp_put_text(out, text, strlen(text));
}

static void put_component(struct buf *out, const struct handoff_component *part)
{
	const size_t at = out->len;
	char time[DATETIME_TEXT_LEN + 1];

	mp_put_byte(out, 0);
	put_text(out, "component_name");
	put_text(out, part->name);
	put_text(out, "status");
	put_text(out, handoff_health_name(part->status));
	put_text(out, "message");
	put_text(out, part->message);
	datetime_format(part->checked_at_us, time);
	put_text(out, "last_check");
	put_text(out, time);
	mp_place_count(out, at, true, 4);
}

/* The answer as the protocol has it, without the header. */
static void put_report(struct buf *out, const struct handoff_health_report *h)
{
	size_t at;

	mp_put_byte(out, 0);
	put_text(out, "status");
	put_text(out, handoff_health_name(h->status));
	put_text(out, "checks");
	at = out->len;
	mp_put_byte(out, 0);
	for (size_t i = 0; i < h->component_count; i++)
		put_component(out, &h->components[i]);
	mp_place_count(out, at, false, (uint32_t)h->component_count);
	put_text(out, "uptime_seconds");
	mp_put_uint(out, h->uptime_seconds);
	if (h->pipeline != NULL) {
		put_text(out, "pipeline");
		buf_put(out, h->pipeline, h->pipeline_len);
	}
	mp_place_count(out, 0, true, h->pipeline != NULL ? 4 : 3);
}

static bool print_json(const struct handoff_health_report *h)
{
	char why[NDJSON_WHY_SIZE] = "out of memory";
	struct buf record, line;
	bool good;

	buf_init(&record, 0);
	buf_init(&line, 0);
	put_report(&record, h);
	good = !record.failed && ndjson_write(&line, buf_bytes(&record), record.len, why);
	if (good)
		fwrite(buf_bytes(&line), 1, line.len, stdout);
	else
		complain("the broker's answer cannot be shown: %s", why);
	buf_finish(&record);
	buf_finish(&line);
	return good;
}

static int show(const struct handoff_health_report *h)
{
	if (!options.json)
		print_lines(h);
	else if (!print_json(h))
		return STATUS_UNKNOWN;
	return h->status == HANDOFF_HEALTHY ? 0 : h->status == HANDOFF_DEGRADED ? 1 :
	    STATUS_UNHEALTHY;
}

/* --- the question ---------------------------------------------------------------------------- */

/* -1, or the exit status. */
static int on_event(struct connection *c, const struct handoff_event *e, enum handoff_check check)
{
	connection_on_event(c, e);
	if (e->type == HANDOFF_EVENT_HEALTH)
		return show(e->health);
	if (e->type == HANDOFF_EVENT_ERRORS)
		return STATUS_UNKNOWN;	/* told already: a broker that knows no health checks */
	/* where it is not connected any more, another event says so */
	if (e->type == HANDOFF_EVENT_STATE && e->state == HANDOFF_CONNECTED)
		(void)handoff_health_ask(c->client, check);
	return -1;
}

static bool is_replaced(const struct connection *c)
{
	return handoff_state(c->client) == HANDOFF_ENDED &&
	    handoff_end(c->client) == HANDOFF_END_REPLACED;
}

static int ask(struct connection *c, enum handoff_check check, int64_t until_ms)
{
	const struct handoff_event *e;
	int status;

	for (;;) {
		while ((e = handoff_take_event(c->client)) != NULL) {
			status = on_event(c, e, check);
			if (status >= 0)
				return status;
		}
		if (is_replaced(c) && clock_monotonic_ms() < until_ms)
			return ASK_AGAIN;
		if (connection_status(c) >= 0)
			return STATUS_UNKNOWN;
		const int64_t left_ms = until_ms - clock_monotonic_ms();
		if (left_ms <= 0) {
			complain("the broker did not answer within %llu ms",
				 (unsigned long long)common.connect_timeout_ms);
			return STATUS_UNKNOWN;
		}
		connection_wait(c, NULL, 0, (int)left_ms, NULL);
	}
}

/*
 * The same name each time on this machine: a new one at each call would soon be all that the broker
 * remembers of the module.
 */
static const char *instance_id(void)
{
	static char id[64 + 1];
	char host[48] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || !text_is_utf8(host, strlen(host)))
		*host = '\0';
	snprintf(id, sizeof(id), "health-%s", host);
	return id;
}

/* Several that ask at the same time replace each other: they wait differently long. */
static int ask_until_answered(enum handoff_check check)
{
	struct connection_wishes wishes = { .instance = instance_id() };
	const int64_t until_ms = clock_monotonic_ms() + (int64_t)common.connect_timeout_ms;
	struct connection c = { 0 };
	int status;

	for (int n = 1;; n++) {
		status = connection_open(&c, &common, &wishes) < 0 ? ask(&c, check, until_ms)
								   : STATUS_UNKNOWN;
		connection_close(&c);
		if (status != ASK_AGAIN)
			return status;
		(void)poll(NULL, 0, 1 + (getpid() % 97 * n + n) % PAUSE_MS);
	}
}

static bool read_check(enum handoff_check *check)
{
	static const char *const names[] = { "liveness", "readiness", "detailed" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(options.check, names[i]) == 0) {
			*check = (enum handoff_check)i;
			return true;
		}
	complain("--check: \"%s\" is none of liveness, readiness, detailed", options.check);
	return false;
}

int cmd_health(int argc, char **argv)
{
	enum handoff_check check;
	int status = options_read(&usage, argc, argv, NULL, NULL);

	if (status >= 0)
		return status == STATUS_OK ? STATUS_OK : STATUS_UNKNOWN;
	if (!read_check(&check))
		return STATUS_UNKNOWN;
	if (common.connect_timeout_ms == 0)
		common.connect_timeout_ms = TIMEOUT_MS;
	tls_init();
	return ask_until_answered(check);
}
