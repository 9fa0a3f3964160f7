/* sender.c - records to batches, by the broker's settings */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

int handoff_sender_open(struct handoff_client *c, const char *target_module,
    struct handoff_sender **sender)
{
	struct handoff_sender *s;

	if (!client_takes_work(c))
		return HANDOFF_CLOSED;
	if (c->max_frame_bytes == 0)
		return HANDOFF_NOT_CONNECTED;
	if (route_to(c, target_module) == NULL)
		return HANDOFF_NO_ROUTE;
	TAILQ_FOREACH(s, &c->senders, link)
		if (strcmp(s->target, target_module) == 0)
			break;
	if (s == NULL) {
		s = calloc(1, sizeof(*s));
		if (s == NULL)
			return HANDOFF_NO_MEMORY;
		s->client = c;
		snprintf(s->target, sizeof(s->target), "%s", target_module);
		records_init(&s->records);
		TAILQ_INSERT_TAIL(&c->senders, s, link);
	}
	*sender = s;
	return 0;
}

/* What was gathered becomes a batch of the outbox, without a copy. */
static int hand_over(struct handoff_sender *s, struct route *r)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return HANDOFF_NO_MEMORY;
	o->storage = s->records.bytes.data;
	o->out.records = records_list(&s->records);
	o->out.record_count = s->records.count;
	o->out.priority = s->is_critical ? PRIORITY_CRITICAL : PRIORITY_NORMAL;
	outbox_add(s->client, r, o);
	records_init(&s->records);
	s->is_critical = false;
	s->is_due = false;
	return 0;
}

/* Makes a batch of what is there, as soon as the window lets it. */
static int flush(struct handoff_sender *s)
{
	struct handoff_client *c = s->client;
	struct route *r = route_to(c, s->target);

	if (s->records.count == 0)
		return 0;
	s->is_due = true;
	if (r == NULL)
		return HANDOFF_NO_ROUTE;
	if (!outbox_has_room(c, records_size_with(&s->records, 0)))
		return HANDOFF_AGAIN;
	return hand_over(s, r);
}

static int flush_and_push(struct handoff_sender *s)
{
	const int result = flush(s);

	client_push(s->client);
	return result;
}

int handoff_sender_flush(struct handoff_sender *s)
{
	client_read_clock(s->client);
	if (s->client->state == HANDOFF_ENDED)
		return HANDOFF_CLOSED;
	return flush_and_push(s);
}

/* Room for a record of `len` bytes: what is due goes first. */
static int make_room(struct handoff_sender *s, size_t len)
{
	const size_t limit = handoff_max_records_bytes(s->client);

	if (records_size_with(&(struct handoff_records){ .count = 0 }, len) > limit)
		return HANDOFF_TOO_LARGE;
	if (s->is_due || records_size_with(&s->records, len) > limit)
		return flush(s);
	return 0;
}

int handoff_sender_add(struct handoff_sender *s, const void *record, size_t len)
{
	struct handoff_client *c = s->client;
	const struct route *r = route_to(c, s->target);
	bool is_critical;
	int result;

	if (!client_takes_work(c))
		return HANDOFF_CLOSED;
	if (r == NULL)
		return HANDOFF_NO_ROUTE;
	if (!record_check(record, len, &is_critical))
		return HANDOFF_INVALID;
	client_read_clock(c);
	result = make_room(s, len);
	if (result != 0)
		return result;
	if (!records_put(&s->records, record, len))
		return HANDOFF_NO_MEMORY;
	s->is_critical = s->is_critical || is_critical;
	if (s->records.count == 1)
		s->flush_at_ms = c->now_ms + (int64_t)r->shown.flush_timeout_ms;
	if (is_critical || s->records.count >= r->shown.batch_size)
		s->is_due = true;
	if (s->is_due)
		(void)flush_and_push(s);	/* what does not go now goes as soon as it can */
	return 0;
}

void senders_proceed(struct handoff_client *c)
{
	struct handoff_sender *s;

	TAILQ_FOREACH(s, &c->senders, link)
		if (s->records.count > 0 &&
		    (s->is_due || c->is_draining || c->now_ms >= s->flush_at_ms))
			(void)flush(s);
}

int64_t senders_due_ms(const struct handoff_client *c)
{
	const struct handoff_sender *s;
	int64_t due = INT64_MAX;

	TAILQ_FOREACH(s, &c->senders, link)
		if (s->records.count > 0 && !s->is_due && s->flush_at_ms < due)
			due = s->flush_at_ms;
	return due;
}

size_t handoff_gathered(const struct handoff_client *c)
{
	const struct handoff_sender *s;
	size_t records = 0;

	TAILQ_FOREACH(s, &c->senders, link)
		records += (size_t)s->records.count;
	return records;
}

void senders_destroy(struct handoff_client *c)
{
	struct handoff_sender *s;

	while ((s = TAILQ_FIRST(&c->senders)) != NULL) {
		TAILQ_REMOVE(&c->senders, s, link);
		records_finish(&s->records);
		free(s);
	}
}
