/* import.c - a dead letter that was exported, here or elsewhere, becomes one again */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "core/internal.h"
#include "core/operate.h"
#include "wire/decode.h"

static enum operated refuse(char *why, size_t size, enum operated result, const char *text)
{
	snprintf(why, size, "%s", text);
	return result;
}

static bool is_whole(const struct message_batch *b)
{
	uint8_t digest[SHA256_BYTES];
	int64_t found;

	sha256(b->records.p, b->records.n, digest);
	return memcmp(digest, b->checksum, sizeof digest) == 0 &&
	    records_check(b->records, b->record_count, &found);
}

static void fill_batch(struct core *c, const struct import *in, const struct route *r,
    struct batch *b)
{
	const struct message *m = in->message;

	b->state = BATCH_DEAD;
	b->id = store_next_id(c->store);
	b->route = r->number;
	b->attempt = in->attempt;
	b->redrives = in->redrives;
	b->received_at_us = in->received_at_us ? in->received_at_us : c->wall_us;
	b->sequence_number = m->batch.sequence_number;
	b->record_count = m->batch.record_count;
	b->payload_bytes = (uint32_t)in->frame->len;
	b->records_off = (uint32_t)((const uint8_t *)m->batch.records.p - in->frame->data);
	b->records_len = (uint32_t)m->batch.records.n;
	b->batch_id = m->batch.batch_id;
	memcpy(b->checksum, m->batch.checksum, sizeof b->checksum);
	b->critical = m->batch.priority == PRIORITY_CRITICAL;
	b->redelivered = in->attempt > 0;
	b->derived = in->derived;
	b->has_parent = in->has_parent;
	b->parent = in->parent;
	b->correlation_len = (uint16_t)m->header.correlation_id.n;
	memcpy(b->correlation, m->header.correlation_id.p, b->correlation_len);
}

static void fill_end(struct core *c, const struct import *in, const struct batch *b,
    struct ended *e)
{
	e->dead = true;
	e->rejected = b->record_count;
	e->error_code = (uint16_t)in->code;
	e->errors = (const uint8_t *)in->errors.p;
	e->errors_len = (uint32_t)in->errors.n;
	e->error_count = in->error_count;
	batch_describe_end(c, b, e);
}

static bool insert(struct core *c, const struct import *in, struct route *r, struct batch *b,
    const struct hand *h)
{
	struct ended e = { 0 };
	char text[JOURNAL_TEXT_MAX];

	snprintf(text, sizeof text, "%s%s%s", h->who, *h->reason ? ": " : "", h->reason);
	/* before the intake: one that is given up takes the numbers back that it gave out */
	b->source = b->series = instance_of_broker(c, r->source)->record.number;
	store_intake_begin(c->store, STORE_INTAKE_CHILD);
	fill_batch(c, in, r, b);
	journal_note(c, b, &(struct note){ JOURNAL_IMPORTED, 0, 0, INT_NONE, text });
	fill_end(c, in, b, &e);
	store_dead_insert(c->store, b, &e, in->frame->data, in->frame->len);
	store_alias_add(c->store, b->id, r->number, &b->batch_id,
	    &in->message->header.message_id, b->correlation, b->correlation_len);
	return store_intake_end(c->store) == 0;
}

enum operated core_import(struct core *c, const struct import *in, const struct hand *h, char *why,
    size_t size)
{
	const struct message *m = in->message;
	struct module *source = module_by_name(c, m->header.source_module);
	struct route *r = source ? route_between(c, source, m->header.target_module) : NULL;
	struct identity known;
	struct batch b = { 0 };

	if (!r)
		return refuse(why, size, OPERATED_NEVER, "no route leads from its source_module to "
		    "its target_module here");
	if (!is_whole(&m->batch))
		return refuse(why, size, OPERATED_NEVER,
			      "its records do not match their checksum or "
			      "record_count");
	store_identity_get(c->store, r->number, &m->batch.batch_id, &known);
	if (known.kind != IDENTITY_NONE)
		return refuse(why, size, OPERATED_NOTHING, "its batch_id is known on this route "
		    "already");
	if (letter_share_is_full(r))
		return refuse(why, size, OPERATED_NO_ROOM, "the route's dead letters have used up "
		    "dead_letter_capacity");
	if (in->errors.n > RECORD_ERRORS_MAX ||
	    !store_has_room(c->store, in->frame->len, c->settings.stage_reserve) ||
	    !insert(c, in, r, &b, h)) {
		store_nudge(c->store);
		return refuse(why, size, OPERATED_NO_ROOM, "the store is full");
	}
	batch_letter_added(c, r, &b, CAUSE_IMPORTED);
	letter_note_share(r);
	return OPERATED;
}
