/* batch.c - a batch's life: the table of its arrows, and the one place where they are taken */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"

/*
 * design.md section 5. A change that is not in this table is a broken invariant of ours, never a
 * peer's doing: peers are refused before it comes to that.
 */
#define FROM(state) (1u << (state))
#define IN_CUSTODY (FROM(BATCH_READY) | FROM(BATCH_ASSIGNED) | FROM(BATCH_WAITING))

static const struct {
	const char *name;
	unsigned from;			/* states that it may leave */
	unsigned to;			/* states that it may lead to */
} arrows[CAUSE_COUNT] = {
	[CAUSE_TAKEN] = { "taken", FROM(BATCH_NEW), FROM(BATCH_READY) | FROM(BATCH_ASSIGNED) },
	[CAUSE_DELIVERED] = { "delivered", FROM(BATCH_READY), FROM(BATCH_ASSIGNED) },
	[CAUSE_NOT_BEGUN] = { "not begun", FROM(BATCH_ASSIGNED), FROM(BATCH_READY) },
	[CAUSE_LOST_FIRST] = { "lost first", FROM(BATCH_ASSIGNED), FROM(BATCH_READY) },
	[CAUSE_LOST_SUSPECT] = { "lost suspect", FROM(BATCH_ASSIGNED), FROM(BATCH_WAITING) },
	[CAUSE_GIVEN_BACK] = { "given back", FROM(BATCH_ASSIGNED), FROM(BATCH_WAITING) },
	[CAUSE_NOT_RECLAIMED] = { "not reclaimed", FROM(BATCH_ASSIGNED), FROM(BATCH_READY) },
	[CAUSE_RECLAIMED] = { "reclaimed", FROM(BATCH_ASSIGNED), FROM(BATCH_ASSIGNED) },
	[CAUSE_REJECTED_TRANSIENT] = { "rejected transient", IN_CUSTODY, FROM(BATCH_WAITING) },
	[CAUSE_REJECTED_PERMANENT] = { "rejected permanent", IN_CUSTODY, FROM(BATCH_DEAD) },
	[CAUSE_EXHAUSTED] = { "exhausted", IN_CUSTODY, FROM(BATCH_DEAD) },
	[CAUSE_PROCESSED] = { "processed", IN_CUSTODY, FROM(BATCH_ENDED) },
	[CAUSE_DUE] = { "due", FROM(BATCH_WAITING), FROM(BATCH_READY) },
	[CAUSE_REPEATED] = { "repeated", IN_CUSTODY, IN_CUSTODY },
	[CAUSE_CORRUPT] = { "corrupt", FROM(BATCH_READY), FROM(BATCH_DEAD) },
	[CAUSE_ACK_TIMEOUT] = { "ack timeout", FROM(BATCH_ASSIGNED), FROM(BATCH_WAITING) },
	[CAUSE_PROCESS_TIMEOUT] = { "process timeout", FROM(BATCH_ASSIGNED), FROM(BATCH_WAITING) },
	[CAUSE_HELD] = { "held", IN_CUSTODY, IN_CUSTODY },
	[CAUSE_RELEASED] = { "released", IN_CUSTODY, IN_CUSTODY },
	[CAUSE_RETRIED] = { "retried", FROM(BATCH_WAITING), FROM(BATCH_READY) },
	[CAUSE_REDRIVEN] = { "redriven", FROM(BATCH_DEAD), FROM(BATCH_READY) },
	[CAUSE_PURGED] = { "purged", FROM(BATCH_DEAD), FROM(BATCH_NEW) },
	[CAUSE_IMPORTED] = { "imported", FROM(BATCH_NEW), FROM(BATCH_DEAD) },
	[CAUSE_DERIVED] = { "derived", FROM(BATCH_NEW), FROM(BATCH_DEAD) },
	[CAUSE_CIRCUIT] = { "circuit", IN_CUSTODY, FROM(BATCH_READY) | FROM(BATCH_WAITING) },
};

const char *batch_cause_name(enum batch_cause cause)
{
	return arrows[cause].name;
}

bool core_arrow_exists(enum batch_state from, enum batch_cause cause)
{
	return arrows[cause].from & FROM(from);
}

uint64_t core_arrow_count(const struct core *c, enum batch_state from, enum batch_cause cause)
{
	return c->arrows[from][cause];
}

/* Deliveries that failed, and batches that died without one: what error_rate_1m counts. */
#define FAILURES                                                                                   \
	(1u << CAUSE_LOST_SUSPECT | 1u << CAUSE_REJECTED_TRANSIENT |                               \
	    1u << CAUSE_REJECTED_PERMANENT | 1u << CAUSE_EXHAUSTED | 1u << CAUSE_CORRUPT |         \
	    1u << CAUSE_ACK_TIMEOUT | 1u << CAUSE_PROCESS_TIMEOUT)

static void take_arrow(struct core *c, enum batch_state from, enum batch_state to,
    enum batch_cause cause)
{
	assert((arrows[cause].from & FROM(from)) && (arrows[cause].to & FROM(to)));
	c->arrows[from][cause]++;
	c->turn_changes++;
	if (FAILURES & 1u << cause)
		rates_note(&c->rates, c->now_ms, &(struct tally){ .failed = 1 });
}

/* The counter that a batch in this state stands in; NULL where it stands in none. */
static uint64_t *counter_of(struct route_counters *n, const struct batch *b)
{
	switch (b->state) {
	case BATCH_READY:
		switch (batch_ready_class(b)) {
		case CLASS_CRITICAL:
			return &n->ready_critical;
		case CLASS_NORMAL:
			return &n->ready_normal;
		case CLASS_SUSPECT:
			return &n->ready_suspect;
		case CLASS_HELD:
			return &n->ready_held;
		}
		return NULL;
	case BATCH_ASSIGNED:
		return &n->assigned;
	case BATCH_WAITING:
		return &n->waiting;
	default:
		return NULL;
	}
}

/* At the turn's end the counters are saved; who walks the rows in steps sees that they changed. */
static void counted(struct route *r)
{
	r->dirty = true;
	r->changes++;
}

static void count_less(struct route *r, const struct batch *was)
{
	uint64_t *less = r ? counter_of(&r->counters, was) : NULL;

	assert(r && (!less || *less > 0));
	if (less)
		--*less;
	counted(r);
}

static void count_more(struct route *r, const struct batch *b)
{
	uint64_t *more = r ? counter_of(&r->counters, b) : NULL;

	assert(r);
	if (more)
		++*more;
	counted(r);
}

/* A batch has come into custody, or back into it from the dead letters. */
static void count_in(struct core *c, struct route *r, const struct batch *b)
{
	count_more(r, b);
	c->queued++;
	r->counters.bytes += b->payload_bytes;
	if (b->derived)
		r->counters.derived_queued++;
}

static void count_out(struct core *c, struct route *r, const struct batch *was)
{
	count_less(r, was);
	c->queued--;
	r->counters.bytes -= was->payload_bytes;
	if (was->derived)
		r->counters.derived_queued--;
}

/* A letter more, or one less. */
static void count_letter(struct route *r, const struct batch *b, int change)
{
	uint64_t *kept = b->derived ? &r->counters.derived_dead : &r->counters.dead;

	*kept += (uint64_t)(int64_t)change;
	r->counters.dead_bytes += (uint64_t)((int64_t)change * (int64_t)b->payload_bytes);
	counted(r);
}

void batch_insert(struct core *c, const struct batch *b, const struct frame *frame)
{
	store_batch_insert(c->store, b, frame->data, frame->len);
}

void batch_taken(struct core *c, struct route *r, const struct batch *b)
{
	take_arrow(c, BATCH_NEW, b->state, CAUSE_TAKEN);
	count_in(c, r, b);
	r->counters.received_total++;
	ordered_changed(r, b);
}

void batch_move(struct core *c, struct route *r, const struct batch *was, const struct batch *b,
    enum batch_cause cause)
{
	take_arrow(c, was->state, b->state, cause);
	store_batch_move(c->store, was, b);
	count_less(r, was);
	count_more(r, b);
	if (b->state == BATCH_WAITING)
		retry_note_due(c, b->due_ms);
	if (b->state != BATCH_ASSIGNED)
		ordered_changed(r, b);
}

void batch_kept(struct core *c, const struct batch *b)
{
	take_arrow(c, b->state, b->state, CAUSE_RECLAIMED);
}

/* --- the end --------------------------------------------------------------------------------- */

void batch_describe_end(struct core *c, const struct batch *b, struct ended *e)
{
	e->source = b->source;
	e->route = b->route;
	e->holder = b->holder;
	e->id = b->id;
	e->lease = b->lease;
	e->attempt = b->attempt;
	e->ended_ms = c->now_ms;
	e->received_at_us = b->received_at_us;
	e->ended_at_us = c->wall_us;
	e->record_count = b->record_count;
	e->batch_id = b->batch_id;
	memcpy(e->checksum, b->checksum, sizeof e->checksum);
	memcpy(e->completes, b->completes, sizeof e->completes);
	e->derived = b->derived;
	e->journalled = b->journalled;
	e->correlation_len = b->correlation_len;
	memcpy(e->correlation, b->correlation, b->correlation_len);
}

/* The target has processed it, but not all of its records: it is also kept whole. */
static void end_partly(struct core *c, struct route *r, const struct batch *was,
    const struct ended *e)
{
	struct batch letter = *was;

	letter.derived = true;
	r->counters.partial_total++;
	r->counters.derived_total++;
	count_letter(r, &letter, 1);
	store_batch_end_partly(c->store, &letter, e);
}

void batch_finish(struct core *c, struct route *r, const struct batch *was, struct ended *e,
    enum batch_cause cause)
{
	e->notice = store_next_notice(c->store);
	batch_describe_end(c, was, e);
	take_arrow(c, was->state, e->dead ? BATCH_DEAD : BATCH_ENDED, cause);
	count_out(c, r, was);
	if (e->dead) {
		r->counters.dead_total++;
		count_letter(r, was, 1);
		store_batch_bury(c->store, was, e);
		letter_note_share(r);
		flood_note(c, r, e);
	} else {
		measure_processed(c, r, was, e);
		if (was->derived)
			r->counters.derived_ended_total++;
		else
			r->counters.processed_total++;
		rates_note(&c->rates, c->now_ms,
		    &(struct tally){ .ended = 1, .records = was->record_count });
		confirm_begin(c, r, was, e);
		if (e->partial)
			end_partly(c, r, was, e);
		else
			store_batch_end(c->store, was, e);
	}
	flow_drained(c, r);
	mailbox_told(c, e, r);
	ordered_changed(r, was);
}

void batch_set_aside(struct core *c, struct route *r, const struct batch *b)
{
	struct batch whole = *b;
	const uint8_t *payload;
	size_t n = 0;

	log_error("stored record does not match its checksum", "route=%s batch=%llu state=%s",
	    r->settings.name, (unsigned long long)b->id, batch_state_name(b->state));
	if (store_payload_get(c->store, b->id, false, &payload, &n) == ERR_NOTFOUND)
		n = 0;
	store_batch_set_aside(c->store, b);
	ordered_recover(c, r);		/* which series stood behind it, its record cannot say */
	if (b->state == BATCH_NEW)	/* a series named a batch that is not there */
		return;
	whole.payload_bytes = (uint32_t)n;
	count_out(c, r, &whole);
	count_letter(r, &whole, 1);
	r->counters.dead_total++;
}

/* --- dead letters ---------------------------------------------------------------------------- */

void batch_letter_added(struct core *c, struct route *r, const struct batch *b,
    enum batch_cause cause)
{
	take_arrow(c, BATCH_NEW, BATCH_DEAD, cause);
	if (b->derived)
		r->counters.derived_total++;
	else
		r->counters.imported_total++;
	count_letter(r, b, 1);
}

void batch_redriven(struct core *c, struct route *r, const struct batch *dead,
    const struct batch *b)
{
	take_arrow(c, BATCH_DEAD, b->state, CAUSE_REDRIVEN);
	count_letter(r, dead, -1);
	count_in(c, r, b);
	r->counters.redriven_total++;
	ordered_changed(r, b);
}

void batch_purge(struct core *c, struct route *r, const struct batch *dead)
{
	take_arrow(c, BATCH_DEAD, BATCH_NEW, CAUSE_PURGED);
	store_dead_purge(c->store, dead);
	count_letter(r, dead, -1);
	if (dead->derived)
		r->counters.derived_purged_total++;
	else
		r->counters.purged_total++;
}
