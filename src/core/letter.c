/* letter.c - dead letters: those the broker makes itself, and how many there may be */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/internal.h"
#include "wire/encode.h"

/* Log a warning when the letters pass this part of their share. */
#define SHARE_WARNING_PERCENT 80

static uint64_t letters_of(const struct route *r)
{
	return r->counters.dead + r->counters.derived_dead;
}

bool letter_share_is_full(const struct route *r)
{
	return letters_of(r) >= r->settings.dead_letter_capacity ||
	    r->counters.dead_bytes >= r->settings.dead_letter_capacity_bytes;
}

void letter_note_share(struct route *r)
{
	const struct route_settings *s = &r->settings;
	bool near = letters_of(r) * 100 >= s->dead_letter_capacity * SHARE_WARNING_PERCENT ||
	    r->counters.dead_bytes >= s->dead_letter_capacity_bytes / 100 * SHARE_WARNING_PERCENT;

	if (near && log_allow("dead letters near their share", 1))
		log_warning("dead letters near their share",
		    "route=%s letters=%llu bytes=%llu capacity=%llu capacity_bytes=%llu",
		    s->name, (unsigned long long)letters_of(r),
		    (unsigned long long)r->counters.dead_bytes,
		    (unsigned long long)s->dead_letter_capacity,
		    (unsigned long long)s->dead_letter_capacity_bytes);
}

/* --- the rejected records of a batch --------------------------------------------------------- */

/* The record errors that name records; NULL when they are fewer than were rejected. */
static struct span *rejected_ids(const struct message_ack *a, size_t *count)
{
	struct span *ids = xcalloc(a->error_count + 1, sizeof *ids);

	*count = 0;
	for (size_t k = 0; k < a->error_count; k++)
		if (a->errors[k].scope == SCOPE_RECORD)
			ids[(*count)++] = a->errors[k].record_id;
	if (*count == a->records_rejected)
		return ids;
	free(ids);
	return NULL;
}

/* Its frame: the parent's, with the rejected records alone. */
static bool make_frame(struct core *c, const struct batch *parent, const struct message_ack *a,
    struct batch *letter, struct buf *frame)
{
	struct rejects_made made;
	const uint8_t *body;
	size_t n, id_count;
	struct span *ids = rejected_ids(a, &id_count);
	bool fits = ids && store_payload_get(c->store, parent->id, true, &body, &n) == 0 &&
	    encode_rejects(frame, body, n,
	        (struct span){ (const char *)body + parent->records_off, parent->records_len },
	        ids, id_count, &letter->batch_id, &made) == 0 &&
	    made.record_count == a->records_rejected;

	free(ids);
	if (!fits)
		return false;
	letter->payload_bytes = (uint32_t)made.body_len;
	letter->records_off = (uint32_t)made.records_at;
	letter->records_len = (uint32_t)made.records_len;
	memcpy(letter->checksum, made.checksum, sizeof letter->checksum);
	return true;
}

static void describe(struct core *c, const struct batch *parent, const struct message_ack *a,
    struct batch *letter)
{
	*letter = *parent;
	letter->state = BATCH_DEAD;
	letter->id = store_next_id(c->store);
	letter->derived = letter->has_parent = true;
	letter->parent = parent->batch_id;
	letter->journalled = letter->held = letter->suspect = letter->redelivered = false;
	letter->redrives = 0;
	letter->record_count = a->records_rejected;
	memset(letter->completes, 0, sizeof letter->completes);
	core_make_uuid(c, &letter->batch_id);
}

static void fill_end(struct core *c, const struct batch *letter, const struct message_ack *a,
    struct ended *e)
{
	*e = (struct ended){ .dead = true, .rejected = a->records_rejected,
		.error_code = INT_DELIVERY_004 };
	batch_describe_end(c, letter, e);
	answer_keep_errors(c, e, a);
}

static bool insert(struct core *c, struct route *r, const struct batch *letter,
    const struct ended *e, const struct buf *frame)
{
	if (!store_has_room(c->store, frame->len, 0))
		return false;
	store_intake_begin(c->store, STORE_INTAKE_CHILD);
	store_dead_insert(c->store, letter, e, buf_bytes(frame), frame->len);
	if (store_intake_end(c->store) != 0)
		return false;
	batch_letter_added(c, r, letter, CAUSE_DERIVED);
	letter_note_share(r);
	return true;
}

bool letter_of_rejects(struct core *c, const struct presented *p, const struct message_ack *a,
    struct batch *parent)
{
	struct instance *owner = instance_of_broker(c, p->route->source);
	char id[UUID_TEXT_LEN + 1];
	struct buf frame;
	struct batch letter;
	struct ended e;
	bool made = false;

	describe(c, parent, a, &letter);
	letter.source = letter.series = owner->record.number;
	buf_init(&frame, SIZE_MAX);
	if (make_frame(c, parent, a, &letter, &frame)) {
		fill_end(c, &letter, a, &e);
		made = insert(c, p->route, &letter, &e, &frame);
	}
	buf_finish(&frame);
	if (!made)
		return false;
	uuid_format(&letter.batch_id, id);
	journal_note(c, parent, &(struct note){ JOURNAL_RECORDS_REJECTED, parent->holder, 0,
		INT_NONE, id });
	return true;
}
