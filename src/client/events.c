/*
 * events.c - what is told to the caller
 *
 * A queue. Taking an event confirms the one before it: so `seen`, which makes the broker forget an
 * outcome, is said only when the caller has come back from dealing with it. Outcomes that are still
 * in the queue when a connection breaks come again after the next WELCOME, since `seen` is below
 * them; they are recognised by their number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

struct event *event_create(struct handoff_client *c, enum handoff_event_type type)
{
	struct event *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		client_lose(c, "out of memory: an event");
		return NULL;
	}
	e->shown.type = type;
	e->shown.state = c->state;
	e->shown.text = e->text;
	e->shown.route = e->route;
	e->shown.batch_id = e->batch_id;
	e->shown.circuit_id = e->circuit_id;
	return e;
}

void event_destroy(struct event *e)
{
	if (e == NULL)
		return;
	free(e->errors);
	free(e->error_texts);
	free(e->results);
	free(e->result_texts);
	free(e->components);
	free(e->health_bytes);
	free(e);
}

void event_set_batch(struct event *e, const struct uuid *batch_id, const char *route)
{
	uuid_format(batch_id, e->batch_id);
	snprintf(e->route, sizeof(e->route), "%s", route);
}

bool event_set_errors(struct handoff_client *c, struct event *e, const struct message_error *errors,
    size_t n)
{
	if (n > HANDOFF_EVENT_ERRORS_MAX)
		n = HANDOFF_EVENT_ERRORS_MAX;
	if (n == 0)
		return true;
	if (!errors_copy(errors, n, &e->errors, &e->error_texts)) {
		client_lose(c, "out of memory: an event");
		return false;
	}
	e->shown.errors = e->errors;
	e->shown.error_count = n;
	return true;
}

static size_t texts_size(const struct message_record_delivery *results, size_t n)
{
	size_t size = 1;

	for (size_t i = 0; i < n; i++)
		size += results[i].record_id.n + results[i].destination_id.n + 2;
	return size;
}

static const char *put_text(char **at, struct span text)
{
	char *start = *at;

	memcpy(start, text.p, text.n);
	start[text.n] = '\0';
	*at = start + text.n + 1;
	return start;
}

bool event_set_results(struct handoff_client *c, struct event *e,
    const struct message_record_delivery *results, size_t n)
{
	static const enum handoff_record_status status_from_wire[] = {
		[RECORD_DELIVERED] = HANDOFF_RECORD_DELIVERED,
		[RECORD_FAILED] = HANDOFF_RECORD_FAILED,
		[RECORD_DLQ] = HANDOFF_RECORD_DLQ,
	};
	const size_t size = texts_size(results, n);
	char *at = malloc(size);

	e->result_texts = at;
	e->results = calloc(n + 1, sizeof(*e->results));
	if (at == NULL || e->results == NULL) {
		client_lose(c, "out of memory: an event");
		return false;
	}
	for (size_t i = 0; i < n; i++)
		e->results[i] = (struct handoff_record_result){
			.record_id = put_text(&at, results[i].record_id),
			.record_id_len = results[i].record_id.n,
			.destination_id = put_text(&at, results[i].destination_id),
			.status = status_from_wire[results[i].status],
			.time_us = results[i].delivered_at_us,
		};
	e->bytes = size + n * sizeof(*e->results);
	e->shown.results = e->results;
	e->shown.result_count = n;
	return true;
}

static size_t health_size(const struct message_health_response *r)
{
	size_t size = 1 + r->pipeline.n;

	for (size_t i = 0; i < r->check_count; i++)
		size += r->checks[i].name.n + r->checks[i].message.n + 2;
	return size;
}

bool event_set_health(struct handoff_client *c, struct event *e,
    const struct message_health_response *r)
{
	const size_t size = health_size(r);
	char *at = malloc(size);

	e->health_bytes = at;
	e->components = calloc(r->check_count + 1, sizeof(*e->components));
	if (at == NULL || e->components == NULL) {
		client_lose(c, "out of memory: an event");
		return false;
	}
	for (size_t i = 0; i < r->check_count; i++)
		e->components[i] = (struct handoff_component){
			.name = put_text(&at, r->checks[i].name),
			.status = (enum handoff_health)r->checks[i].status,
			.message = put_text(&at, r->checks[i].message),
			.checked_at_us = r->checks[i].checked_at_us,
		};
	if (r->pipeline.n > 0)
		memcpy(at, r->pipeline.p, r->pipeline.n);
	e->health = (struct handoff_health_report){
		.status = (enum handoff_health)r->status,
		.components = e->components,
		.component_count = r->check_count,
		.uptime_seconds = r->uptime_seconds,
		.pipeline = r->pipeline.n > 0 ? at : NULL,
		.pipeline_len = r->pipeline.n,
	};
	e->bytes = size + r->check_count * sizeof(*e->components);
	e->shown.health = &e->health;
	return true;
}

void event_post(struct handoff_client *c, struct event *e)
{
	TAILQ_INSERT_TAIL(&c->events, e, link);
	c->event_count++;
	c->event_bytes += e->bytes;
}

void event_post_error(struct handoff_client *c, const struct handoff_error *error,
    const struct uuid *batch_id, const char *route)
{
	struct event *e = event_create(c, HANDOFF_EVENT_ERRORS);

	if (e == NULL)
		return;
	e->errors = malloc(sizeof(*e->errors));
	if (e->errors == NULL) {
		event_destroy(e);
		return;
	}
	*e->errors = *error;
	e->shown.errors = e->errors;
	e->shown.error_count = 1;
	event_set_batch(e, batch_id, route);
	event_post(c, e);
}

bool events_are_full(const struct handoff_client *c)
{
	return c->event_count >= EVENTS_MAX || c->event_bytes >= EVENTS_MAX_BYTES;
}

static void remove_event(struct handoff_client *c, struct event *e)
{
	TAILQ_REMOVE(&c->events, e, link);
	c->event_count--;
	c->event_bytes -= e->bytes;
}

void events_forget_delivery(struct handoff_client *c, const struct handoff_delivery *d)
{
	struct event *e, *next;

	for (e = TAILQ_FIRST(&c->events); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->shown.delivery != d)
			continue;
		remove_event(c, e);
		event_destroy(e);
	}
}

bool events_have_notice(const struct handoff_client *c, uint64_t notice)
{
	const struct event *e;

	TAILQ_FOREACH(e, &c->events, link)
		if (e->notice == notice)
			return true;
	return c->current != NULL && c->current->notice == notice;
}

void events_carry_notice(struct handoff_client *c, uint64_t notice)
{
	struct event *latest = TAILQ_LAST(&c->events, event_list);

	if (latest == NULL)
		latest = c->current;
	if (latest == NULL)
		notices_confirm(c, notice);
	else if (notice > latest->notice)
		latest->notice = notice;
}

void events_destroy(struct handoff_client *c)
{
	struct event *e;

	while ((e = TAILQ_FIRST(&c->events)) != NULL) {
		remove_event(c, e);
		event_destroy(e);
	}
	event_destroy(c->current);
	c->current = NULL;
}

/* The caller has dealt with the event that was taken last. */
static void confirm(struct handoff_client *c)
{
	struct event *e = c->current;

	c->current = NULL;
	if (e != NULL)
		notices_confirm(c, e->notice);
	event_destroy(e);
}

const struct handoff_event *handoff_take_event(struct handoff_client *c)
{
	struct event *e = TAILQ_FIRST(&c->events);

	confirm(c);
	if (e == NULL)
		return NULL;
	remove_event(c, e);
	c->current = e;
	if (e->shown.type == HANDOFF_EVENT_DELIVERY)
		e->shown.delivery->state = DELIVERY_OPEN;
	if (e->shown.delivery != NULL)
		e->shown.user = handoff_delivery_user(e->shown.delivery);
	return &e->shown;
}
