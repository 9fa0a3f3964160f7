/* confirming.c - handoff recv --confirm: what was written, told record by record */
#include "tools/handoff/confirming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "tools/handoff/report.h"

struct confirming_batch {
	TAILQ_ENTRY(confirming_batch) link;
	char batch_id[HANDOFF_ID_SIZE];
	struct handoff_record_result *results;	/* owned */
	char *ids;				/* owned; the results point into it */
	size_t count, at;			/* results[at..count) are still to be said */
};

void confirming_init(struct confirming *c, const char *destination)
{
	c->destination = destination;
	TAILQ_INIT(&c->waiting);
}

void confirming_drop(struct confirming_batch *batch)
{
	if (batch == NULL)
		return;
	free(batch->results);
	free(batch->ids);
	free(batch);
}

void confirming_finish(struct confirming *c)
{
	struct confirming_batch *b;

	while ((b = TAILQ_FIRST(&c->waiting)) != NULL) {
		complain("batch %s is not confirmed: there was no connection", b->batch_id);
		TAILQ_REMOVE(&c->waiting, b, link);
		confirming_drop(b);
	}
}

static size_t ids_size(struct handoff_delivery *d)
{
	struct handoff_record record;
	size_t size = 1;

	handoff_delivery_rewind(d);
	while (handoff_delivery_next_record(d, &record))
		size += record.id_len;
	return size;
}

bool confirming_take(const struct confirming *c, struct handoff_delivery *d,
    struct confirming_batch **batch)
{
	const size_t records = (size_t)handoff_delivery_record_count(d);
	struct confirming_batch *b;
	struct handoff_record record;
	char *at;

	*batch = NULL;
	if (c->destination == NULL)
		return true;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return false;
	b->results = calloc(records, sizeof(*b->results));
	b->ids = at = malloc(ids_size(d));
	if (b->results == NULL || at == NULL) {
		confirming_drop(b);
		return false;
	}
	snprintf(b->batch_id, sizeof(b->batch_id), "%s", handoff_delivery_batch_id(d));
	handoff_delivery_rewind(d);
	while (b->count < records && handoff_delivery_next_record(d, &record)) {
		if (record.id_len == 0)
			continue;	/* a record without a name cannot be confirmed */
		memcpy(at, record.id, record.id_len);
		b->results[b->count++] = (struct handoff_record_result){
			.record_id = at,
			.record_id_len = record.id_len,
			.destination_id = c->destination,
			.status = HANDOFF_RECORD_DELIVERED,
			.time_us = datetime_now_us(),
		};
		at += record.id_len;
	}
	*batch = b;
	return true;
}

void confirming_add(struct confirming *c, struct confirming_batch *batch)
{
	if (batch != NULL)
		TAILQ_INSERT_TAIL(&c->waiting, batch, link);
}

/* The rest of a batch, or as much of it as one frame takes; a result. */
static int confirm_part(struct confirming_batch *b, struct handoff_client *client)
{
	size_t n = b->count - b->at;
	int r;

	while ((r = handoff_confirm(client, b->batch_id, &b->results[b->at], n)) ==
	       HANDOFF_TOO_LARGE && n > 1)
		n = (n + 1) / 2;
	if (r == 0)
		b->at += n;
	return r;
}

bool confirming_proceed(struct confirming *c, struct handoff_client *client)
{
	struct confirming_batch *b;
	int r = 0;

	while ((b = TAILQ_FIRST(&c->waiting)) != NULL) {
		while (b->at < b->count && (r = confirm_part(b, client)) == 0)
			;
		if (r == HANDOFF_AGAIN || r == HANDOFF_CLOSED)
			return true;
		if (r != 0) {
			complain("confirming batch %s: %s", b->batch_id, handoff_result_text(r));
			return false;
		}
		TAILQ_REMOVE(&c->waiting, b, link);
		confirming_drop(b);
	}
	return true;
}

bool confirming_is_empty(const struct confirming *c)
{
	return TAILQ_EMPTY(&c->waiting);
}
