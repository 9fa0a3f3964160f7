/*
 * health.c - health checks: the broker's are answered, and it is asked
 *
 * An answer is made of the outbox and of what the caller has said; nothing is asked of the caller
 * then, so that a check costs no more than writing it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/utf8.h"
#include "client/internal.h"
#include "wire/text.h"

#define OUTPUT_BUFFER "output_buffer"

/* The wire's and the library's are listed in the same order. */
_Static_assert((int)HANDOFF_UNHEALTHY == (int)HEALTH_UNHEALTHY &&
    (int)HANDOFF_DEGRADED == (int)HEALTH_DEGRADED &&
    (int)HANDOFF_DETAILED == (int)CHECK_DETAILED &&
    (int)HANDOFF_READINESS == (int)CHECK_READINESS, "the same numbers");

/* --- what the caller says -------------------------------------------------------------------- */

void own_health_destroy(struct handoff_client *c)
{
	free(c->components);
	c->components = NULL;
	c->component_count = 0;
}

static struct own_component *find(struct handoff_client *c, const char *name)
{
	for (size_t i = 0; i < c->component_count; i++)
		if (strcmp(c->components[i].name, name) == 0)
			return &c->components[i];
	return NULL;
}

/* How many bytes of whole characters fit; SIZE_MAX when some are no UTF-8. */
static size_t fitting(const char *text, size_t max)
{
	const size_t all = strlen(text);
	size_t fits = 0, n;

	for (size_t at = 0; at < all; at += n) {
		n = utf8_length(text + at, all - at, NULL);
		if (n == 0)
			return SIZE_MAX;
		if (at + n <= max)
			fits = at + n;
	}
	return fits;
}

static bool is_name(const char *name)
{
	const size_t n = name != NULL ? strlen(name) : 0;

	return n > 0 && n <= HANDOFF_COMPONENT_NAME_MAX && text_is_utf8(name, n) &&
	    strcmp(name, OUTPUT_BUFFER) != 0;
}

static int make_room(struct handoff_client *c)
{
	struct own_component *grown;

	if (c->component_count == HANDOFF_COMPONENTS_MAX)
		return HANDOFF_AGAIN;
	grown = realloc(c->components, (c->component_count + 1) * sizeof(*grown));
	if (grown == NULL)
		return HANDOFF_NO_MEMORY;
	c->components = grown;
	return 0;
}

int handoff_health_component(struct handoff_client *c, const char *name,
    enum handoff_health status, const char *message)
{
	const size_t len = fitting(message != NULL ? message : "", HANDOFF_COMPONENT_MESSAGE_MAX);
	struct own_component *part;
	int result;

	if (!is_name(name) || len == SIZE_MAX || (unsigned)status > HANDOFF_UNHEALTHY)
		return HANDOFF_INVALID;
	part = find(c, name);
	if (part == NULL) {
		result = make_room(c);
		if (result != 0)
			return result;
		part = &c->components[c->component_count++];
		memcpy(part->name, name, strlen(name) + 1);
	}
	part->status = (enum health_status)status;
	part->said_at_us = datetime_now_us();
	memcpy(part->message, message != NULL ? message : "", len);
	part->message[len] = '\0';
	return 0;
}

void handoff_health_forget(struct handoff_client *c, const char *name)
{
	struct own_component *part = find(c, name);

	if (part == NULL)
		return;
	c->component_count--;
	memmove(part, part + 1,
		(size_t)(&c->components[c->component_count] - part) * sizeof(*part));
}

void handoff_health_buffer(struct handoff_client *c, size_t batches)
{
	c->held_back = batches;
}

/* --- the broker asks ------------------------------------------------------------------------- */

static void fill_answer(const struct handoff_client *c, struct component_health *checks,
    char depth[24], struct health_response_out *h)
{
	snprintf(depth, 24, "%llu", (unsigned long long)c->outbox.count + c->held_back);
	checks[0] = (struct component_health){
		.name = span_of(OUTPUT_BUFFER),
		.message = span_of(depth),
		.checked_at_us = datetime_now_us(),
	};
	for (size_t i = 0; i < c->component_count; i++) {
		const struct own_component *part = &c->components[i];

		checks[i + 1] = (struct component_health){
			.name = span_of(part->name),
			.status = part->status,
			.message = span_of(part->message),
			.checked_at_us = part->said_at_us,
		};
		if (part->status > h->status)
			h->status = part->status;
	}
	h->checks = checks;
	h->check_count = c->component_count + 1;
	h->uptime_seconds = (uint64_t)(c->now_ms - c->opened_at_ms) / 1000;
}

void health_on_request(struct handoff_client *c, const struct message *m)
{
	struct component_health checks[HANDOFF_COMPONENTS_MAX + 1];
	struct health_response_out h = { .status = HEALTH_HEALTHY };
	struct envelope e;
	char depth[24];

	if (c->state != HANDOFF_CONNECTED)
		return;
	e = session_envelope(c, NULL);
	e.correlation_id = m->header.correlation_id;
	e.in_reply_to = &m->header.message_id;
	fill_answer(c, checks, depth, &h);
	encode_health_response(link_out(c->link), &e, &h);
	c->has_work = true;
}

/* --- the broker is asked --------------------------------------------------------------------- */

int handoff_health_ask(struct handoff_client *c, enum handoff_check check)
{
	struct envelope e;

	if ((unsigned)check > HANDOFF_DETAILED)
		return HANDOFF_INVALID;
	if (c->state == HANDOFF_ENDED)
		return HANDOFF_CLOSED;
	if (c->state != HANDOFF_CONNECTED || c->has_said_draining)
		return HANDOFF_NOT_CONNECTED;
	client_read_clock(c);
	e = session_envelope(c, NULL);
	encode_health_request(link_out(c->link), &e, (enum check_type)check);
	c->has_work = true;
	client_push(c);
	return 0;
}

void health_on_response(struct handoff_client *c, const struct message *m)
{
	struct event *e;

	if (!m->has_in_reply_to)
		return;
	e = event_create(c, HANDOFF_EVENT_HEALTH);
	if (e == NULL || !event_set_health(c, e, &m->health_response)) {
		event_destroy(e);
		return;
	}
	event_post(c, e);
}
