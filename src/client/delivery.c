/* delivery.c - a delivery, as the caller sees it */
#include <stdlib.h>

#include "client/internal.h"
#include "wire/mpcheck.h"

void delivery_destroy(struct handoff_delivery *d)
{
	struct handoff_client *c = d->client;

	events_forget_delivery(c, d);
	TAILQ_REMOVE(&c->deliveries, d, link);
	frame_unref(d->frame);
	buf_finish(&d->errors);
	free(d);
}

const char *handoff_delivery_batch_id(const struct handoff_delivery *d)
{
	return d->batch_id_text;
}

const char *handoff_delivery_correlation_id(const struct handoff_delivery *d)
{
	return d->correlation_id;
}

const char *handoff_delivery_route(const struct handoff_delivery *d)
{
	return d->route;
}

const char *handoff_delivery_source_module(const struct handoff_delivery *d)
{
	return d->source;
}

uint64_t handoff_delivery_lease(const struct handoff_delivery *d)
{
	return d->lease;
}

uint64_t handoff_delivery_attempt(const struct handoff_delivery *d)
{
	return d->attempt;
}

bool handoff_delivery_is_redelivered(const struct handoff_delivery *d)
{
	return d->is_redelivered;
}

bool handoff_delivery_is_lost(const struct handoff_delivery *d)
{
	return d->is_lost;
}

bool handoff_delivery_is_critical(const struct handoff_delivery *d)
{
	return d->is_critical;
}

uint64_t handoff_delivery_record_count(const struct handoff_delivery *d)
{
	return d->record_count;
}

const void *handoff_delivery_records(const struct handoff_delivery *d, size_t *len)
{
	*len = d->records.n;
	return d->records.p;
}

void handoff_delivery_set_user(struct handoff_delivery *d, void *user)
{
	d->user = user;
}

void *handoff_delivery_user(const struct handoff_delivery *d)
{
	return d->user;
}

/* --- its records: bytes that records_check() has passed -------------------------------------- */

static const uint8_t *records_end(const struct handoff_delivery *d)
{
	return (const uint8_t *)d->records.p + d->records.n;
}

void handoff_delivery_rewind(struct handoff_delivery *d)
{
	struct mp_head list = { .size = 0 };

	if (mp_head_read((const uint8_t *)d->records.p, d->records.n, &list) == MP_OK)
		d->at = list.size;
}

static size_t item_size(const uint8_t *at, const uint8_t *end)
{
	size_t size;

	return mp_item_walk(at, (size_t)(end - at), 2, &size, NULL) == MP_OK
	    ? size : (size_t)(end - at);
}

/* The value of the record's key `record_id`, where that is a string. */
static void find_id(const uint8_t *at, const uint8_t *end, struct handoff_record *record)
{
	struct mp_head map, key, value;

	if (mp_head_read(at, (size_t)(end - at), &map) != MP_OK || map.type != MP_MAP)
		return;
	at += map.size;
	for (uint64_t i = 0; i < map.count && at < end; i++) {
		struct span name = { 0 };

		if (mp_head_read(at, (size_t)(end - at), &key) == MP_OK && key.type == MP_STR)
			name = (struct span){ (const char *)at + key.size, (size_t)key.count };
		at += item_size(at, end);
		if (span_is(name, "record_id") &&
		    mp_head_read(at, (size_t)(end - at), &value) == MP_OK &&
		    value.type == MP_STR) {
			record->id = (const char *)at + value.size;
			record->id_len = (size_t)value.count;
			return;
		}
		at += item_size(at, end);
	}
}

bool handoff_delivery_next_record(struct handoff_delivery *d, struct handoff_record *record)
{
	const uint8_t *at = (const uint8_t *)d->records.p + d->at;

	if (at >= records_end(d))
		return false;
	*record = (struct handoff_record){ .bytes = at, .len = item_size(at, records_end(d)) };
	find_id(at, at + record->len, record);
	d->at += record->len;
	return true;
}
