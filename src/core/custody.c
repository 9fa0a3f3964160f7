/* custody.c - a batch comes: may it, is it known, is it whole, is there room, then it is ours */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "core/internal.h"
#include "wire/ahead.h"
#include "wire/decode.h"

/* protocol.md section 5, in its order. Each check_ returns true when the batch may go on. */
struct offer {
	struct core *core;
	struct instance *from;
	const struct message *message;
	const struct message_batch *batch;
	struct frame *frame;
	struct route *route;
	uint8_t completes[RECORD_COMPLETES_BYTES];
	struct presented *completed;	/* what each of batch->completes stands for */
	struct offer_answer *answer;
};

__attribute__((format(printf, 4, 5)))
static bool refuse(struct offer *o, enum error_code code,
    const char *field, const char *expected, ...)
{
	char text[sizeof o->answer->fault.expected];
	va_list ap;

	va_start(ap, expected);
	vsnprintf(text, sizeof text, expected, ap);
	va_end(ap);
	o->answer->status = ACK_REJECTED;
	fault_set(&o->answer->fault, code, field, "%s", text);
	return false;
}

static bool refuse_found(struct offer *o, const char *actual)
{
	fault_found(&o->answer->fault, span_of(actual));
	return false;
}

static bool check_summaries(struct offer *o)
{
	const struct message_batch *b = o->batch;
	const char *name = o->route->settings.name, *missing = NULL;

	if (strcmp(name, "alpha-beta") == 0 && !b->has_validation_summary)
		missing = "validation_summary";
	else if (strcmp(name, "beta-gamma") == 0 && !b->has_transformation_summary)
		missing = "transformation_summary";
	else if (strcmp(name, "beta-gamma") == 0 && !b->has_quality_summary)
		missing = "quality_summary";
	if (!missing)
		return true;
	refuse(o, INT_PROTOCOL_005, missing, "a map, on route %s", name);
	return refuse_found(o, "missing");
}

static bool check_route(struct offer *o)
{
	struct span target = o->message->header.target_module;

	o->route = route_between(o->core, o->from->module, target);
	if (!o->route) {
		refuse(o, INT_ROUTE_001, "header.target_module",
		    "a module that a route leads to from %s", o->from->module->settings.name);
		fault_found(&o->answer->fault, target);
		return false;
	}
	o->answer->route = o->route;
	return check_summaries(o);
}

/* --- step 2: is it known? -------------------------------------------------------------------- */

static int compare_completes(const void *a, const void *b)
{
	const struct message_ack *x = a, *y = b;
	int order = memcmp(x->batch_id.b, y->batch_id.b, sizeof x->batch_id.b);

	return order ? order : (x->lease > y->lease) - (x->lease < y->lease);
}

/* The set in `completes`, as eight bytes: zero for none. */
static void digest_completes(struct offer *o)
{
	size_t n = o->batch->complete_count;
	uint8_t digest[SHA256_BYTES];

	memset(o->completes, 0, sizeof o->completes);
	if (n == 0)
		return;
	struct message_ack *sorted = xcalloc(n, sizeof *sorted);
	uint8_t *bytes = xcalloc(n, 24);
	memcpy(sorted, o->batch->completes, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, compare_completes);
	for (size_t i = 0; i < n; i++) {
		memcpy(bytes + 24 * i, sorted[i].batch_id.b, 16);
		memcpy(bytes + 24 * i + 16, &sorted[i].lease, 8);
	}
	sha256(bytes, 24 * n, digest);
	memcpy(o->completes, digest, sizeof o->completes);
	free(bytes);
	free(sorted);
}

static bool is_same(const struct offer *o, const uint8_t *checksum, const uint8_t *completes)
{
	return memcmp(checksum, o->batch->checksum, SHA256_BYTES) == 0 &&
	    memcmp(completes, o->completes, RECORD_COMPLETES_BYTES) == 0;
}

static bool answer_repeat(struct offer *o, bool same, enum ack_status status)
{
	if (!same)
		return refuse(o, INT_BATCH_003, "metadata.batch_id",
		    "a new id, or the content it was first sent with");
	o->answer->duplicate = true;
	o->answer->status = status;
	return false;
}

/* In custody: the outcome will be told to whoever sent it last. */
static bool known_live(struct offer *o, const struct identity *known)
{
	struct batch b, was;

	if (store_batch_find(o->core->store, o->route->number, known->id, &was) != 0)
		return refuse(o, INT_STORE_002, "metadata.batch_id",
		    "a readable record in the store");
	bool same = is_same(o, was.checksum, was.completes);
	if (same && was.source != o->from->record.number) {
		struct assignment *a = assignment_by_lease(o->core, was.lease);
		struct instance *before = instance_by_number(o->core, was.source);

		b = was;
		b.source = o->from->record.number;
		journal_note(o->core, &b, &(struct note){ JOURNAL_REPEATED, b.source, 0, INT_NONE,
			NULL });
		batch_move(o->core, o->route, &was, &b, CAUSE_REPEATED);
		if (a)
			a->batch = b;
		if (before) {
			before->record.live--;
			instance_changed(o->core, before);
		}
		o->from->record.live++;
		instance_changed(o->core, o->from);
	}
	return answer_repeat(o, same, ACK_RECEIVED);
}

static bool known_dead(struct offer *o, const struct identity *known)
{
	struct ended told;
	struct batch b;

	if (store_dead_get(o->core->store, o->route->number, known->id, &b, &o->answer->end) != 0)
		return refuse(o, INT_STORE_002, "metadata.batch_id",
		    "a readable record in the store");
	bool same = is_same(o, b.checksum, b.completes);
	if (same &&
	    store_ended_get(o->core->store, o->answer->end.source, o->answer->end.notice, &told) ==
	        0)
		mailbox_move(o->core, &told, o->from);
	/* the move may have changed the page that the errors stand in */
	if (store_dead_get(o->core->store, o->route->number, known->id, &b, &o->answer->end) != 0)
		return refuse(o, INT_STORE_002, "metadata.batch_id",
		    "a readable record in the store");
	o->answer->has_end = same;
	return answer_repeat(o, same, ACK_REJECTED);
}

static bool known_ended(struct offer *o, const struct identity *known)
{
	struct ended *e = &o->answer->end;

	if (store_ended_get(o->core->store, known->source, known->notice, e) != 0)
		return refuse(o, INT_STORE_002, "metadata.batch_id",
		    "a readable record in the store");
	bool same = is_same(o, e->checksum, e->completes);
	if (same)
		mailbox_move(o->core, e, o->from);
	/* the move may have changed the page that the errors stand in */
	if (store_ended_get(o->core->store, e->source, e->notice, e) != 0)
		return refuse(o, INT_STORE_002, "metadata.batch_id",
		    "a readable record in the store");
	o->answer->has_end = same;
	return answer_repeat(o, same, ACK_PROCESSED);
}

static bool check_new(struct offer *o)
{
	struct identity known;

	digest_completes(o);
	store_identity_get(o->core->store, o->route->number, &o->batch->batch_id, &known);
	switch (known.kind) {
	case IDENTITY_LIVE:
		return known_live(o, &known);
	case IDENTITY_DEAD:
		return known_dead(o, &known);
	case IDENTITY_ENDED:
		return known_ended(o, &known);
	case IDENTITY_NONE:
		break;
	}
	return true;
}

/* --- step 3: is it whole? -------------------------------------------------------------------- */

static bool check_content(struct offer *o)
{
	const struct message_batch *b = o->batch;
	char expected[SHA256_HEX_LEN + 1], actual[SHA256_HEX_LEN + 1];
	uint8_t digest[SHA256_BYTES];
	int64_t found;

	ahead_digest(o->frame, b->records, digest);
	if (memcmp(digest, b->checksum, sizeof digest) != 0) {
		hex_format(b->checksum, sizeof b->checksum, expected);
		hex_format(digest, sizeof digest, actual);
		refuse(o, INT_BATCH_001, "metadata.checksum", "%s", expected);
		return refuse_found(o, actual);
	}
	if (records_check(b->records, b->record_count, &found))
		return true;
	refuse(o, INT_BATCH_002, "records", "%llu", (unsigned long long)b->record_count);
	if (found < 0)
		return refuse_found(o, "no well-formed MessagePack list");
	snprintf(actual, sizeof actual, "%lld", (long long)found);
	return refuse_found(o, actual);
}

/* A gap or a fall: a warning, and on an ordered route a refusal, until the missing ones come. */
static bool check_sequence(struct offer *o)
{
	uint64_t next = sequence_of(o->core, o->from, o->route)->next;
	uint64_t number = o->batch->sequence_number;
	bool ordered = o->route->settings.ordered;
	struct fault *f = ordered ? &o->answer->fault : &o->answer->warning;
	char actual[24];

	if (next == 0 || number == next)
		return true;
	fault_set(f, INT_BATCH_004, "metadata.sequence_number", "%llu", (unsigned long long)next);
	snprintf(actual, sizeof actual, "%llu", (unsigned long long)number);
	fault_found(f, span_of(actual));
	if (ordered)
		o->answer->status = ACK_REJECTED;
	return !ordered;
}

/* --- step 4: what it completes, and room ----------------------------------------------------- */

static bool check_completed(struct offer *o, size_t n)
{
	const struct message_ack *a = &o->batch->completes[n];
	char path[64];

	snprintf(path, sizeof path, "completes.%zu", n);
	answer_find(o->core, o->from, a, &o->completed[n]);
	if (o->completed[n].kind != LEASE_CURRENT) {
		snprintf(path, sizeof path, "completes.%zu.lease", n);
		refuse(o, INT_BATCH_005, path, "the current lease of that batch");
		snprintf(path, sizeof path, "%llu", (unsigned long long)a->lease);
		return refuse_found(o, path);
	}
	if (answer_is_sound(o->core, &o->completed[n], a, path, &o->answer->fault))
		return true;
	o->answer->status = ACK_REJECTED;
	return false;
}

static bool check_completes(struct offer *o)
{
	if (o->batch->complete_count == 0)
		return true;
	o->completed = xcalloc(o->batch->complete_count, sizeof *o->completed);
	for (size_t n = 0; n < o->batch->complete_count; n++)
		if (!check_completed(o, n))
			return false;
	return true;
}

static uint64_t completed_bytes(const struct offer *o)
{
	uint64_t bytes = 0;

	for (size_t n = 0; n < o->batch->complete_count; n++)
		bytes += o->completed[n].batch.payload_bytes;
	return bytes;
}

static bool check_letters(struct offer *o)
{
	const struct route_counters *n = &o->route->counters;
	char actual[ROUTE_NAME_MAX + 80];

	if (!letter_share_is_full(o->route))
		return true;
	snprintf(actual, sizeof actual, "%llu letters, %llu bytes on route %s",
	    (unsigned long long)(n->dead + n->derived_dead), (unsigned long long)n->dead_bytes,
	    o->route->settings.name);
	refuse(o, INT_ROUTE_002, "", "room in dead_letter_capacity: an operator has to redrive or "
	    "purge (handoffctl dead)");
	return refuse_found(o, actual);
}

static bool check_route_room(struct offer *o)
{
	const struct route_settings *s = &o->route->settings;
	bool stage = o->batch->complete_count > 0;
	uint64_t batches = s->queue_capacity + (stage ? s->stage_margin : 0);
	uint64_t bytes = s->queue_capacity_bytes;

	if (stage)
		bytes += completed_bytes(o) + o->core->settings.max_frame_bytes;
	if (route_depth(o->route) >= batches)
		return refuse(o, INT_ROUTE_002, "", "at most %llu batches on route %s",
		    (unsigned long long)batches, s->name);
	if (o->route->counters.bytes + o->frame->len > bytes)
		return refuse(o, INT_ROUTE_002, "", "at most %llu bytes on route %s",
		    (unsigned long long)bytes, s->name);
	return check_letters(o);
}

static bool check_store_room(struct offer *o)
{
	struct core *c = o->core;
	uint64_t reserve = c->queued * END_BYTES;

	if (history_is_closed_for(c, o->from))
		return refuse(o, INT_STORE_001, "seen",
		    "outcomes confirmed: those this instance has not fill "
		    "history_size");
	if (o->batch->complete_count == 0)
		reserve += c->settings.stage_reserve;
	if (store_has_room(c->store, o->frame->len, reserve))
		return true;
	store_nudge(c->store);
	return refuse(o, INT_STORE_001, "", "room in the store (store.size %llu)",
	    (unsigned long long)store_size_bytes(c->store));
}

/* --- custody --------------------------------------------------------------------------------- */

static void fill(const struct offer *o, struct batch *b)
{
	const struct message_header *h = &o->message->header;

	b->state = BATCH_READY;
	b->id = store_next_id(o->core->store);
	b->route = o->route->number;
	b->source = b->series = o->from->record.number;
	b->ordered = o->route->settings.ordered;
	b->received_at_us = o->core->wall_us;
	b->sequence_number = o->batch->sequence_number;
	b->record_count = o->batch->record_count;
	b->payload_bytes = (uint32_t)o->frame->len;
	b->records_off = (uint32_t)((const uint8_t *)o->batch->records.p - o->frame->data);
	b->records_len = (uint32_t)o->batch->records.n;
	b->batch_id = o->batch->batch_id;
	memcpy(b->checksum, o->batch->checksum, sizeof b->checksum);
	memcpy(b->completes, o->completes, sizeof b->completes);
	b->critical = o->batch->priority == PRIORITY_CRITICAL;
	b->correlation_len = (uint16_t)h->correlation_id.n;
	memcpy(b->correlation, h->correlation_id.p, h->correlation_id.n);
}

static bool insert(struct offer *o, struct batch *b, struct instance *to)
{
	struct core *c = o->core;

	store_intake_begin(c->store, o->frame->len);
	fill(o, b);
	if (to)
		dispatch_prepare(c, b, to);
	batch_insert(c, b, o->frame);
	store_alias_add(c->store, b->id, b->route, &b->batch_id,
	    &o->message->header.message_id, b->correlation, b->correlation_len);
	if (store_intake_end(c->store) == 0)
		return true;
	store_nudge(c->store);
	return refuse(o, INT_STORE_001, "", "room in the store (store.size %llu)",
	    (unsigned long long)store_size_bytes(c->store));
}

static void end_completed(struct offer *o)
{
	struct core *c = o->core;
	size_t count = o->completed ? o->batch->complete_count : 0;

	c->completed = xrealloc(c->completed, (count + 1) * sizeof *c->completed);
	for (size_t n = 0; n < count; n++) {
		answer_processed(c, o->from, &o->completed[n], &o->batch->completes[n]);
		c->completed[n] = o->completed[n].route;
	}
	o->answer->completed = c->completed;
}

/* The new batch in, the listed ones out: one commit, so both or neither (section 8). */
static void take(struct offer *o)
{
	struct core *c = o->core;
	struct batch b = { 0 };
	struct instance *to = dispatch_straight(c, o->route,
	    o->batch->priority == PRIORITY_CRITICAL, o->from->record.number);

	if (!insert(o, &b, to))
		return;
	batch_taken(c, o->route, &b);
	relay_note_batch(c, &b);
	o->from->record.live++;
	instance_changed(c, o->from);
	sequence_take(c, o->from, sequence_of(c, o->from, o->route), b.sequence_number);
	if (to)
		dispatch_deliver(c, assignment_add(c, o->route, &b, to), o->frame);
	if (o->batch->complete_count > 0)
		FAILPOINT("stage.middle");
	end_completed(o);
	o->answer->status = ACK_RECEIVED;
}

/* A stage that has no room for its output cannot go on: that is not held against it (section 7). */
static void forgive_stage(struct offer *o)
{
	if (!o->completed ||
	    (o->answer->fault.code != INT_ROUTE_002 && o->answer->fault.code != INT_STORE_001))
		return;
	for (size_t n = 0; n < o->batch->complete_count; n++) {
		struct assignment *a = o->completed[n].assignment;

		if (a && a->holder->peer) {
			a->received = true;
			deadline_restart(o->core, a);
		}
	}
}

void core_offer(struct core *c, struct instance *i, const struct message *m, struct frame *frame,
    struct offer_answer *out)
{
	struct offer o = { .core = c, .from = i, .message = m, .batch = &m->batch, .frame = frame,
		.answer = out };

	memset(out, 0, sizeof *out);
	if (check_route(&o) && check_new(&o) && check_content(&o) && check_sequence(&o) &&
	    check_completes(&o) && check_route_room(&o) && check_store_room(&o))
		take(&o);
	forgive_stage(&o);
	free(o.completed);
}
