/* operate.c - a person's hand: on single batches, on routes, on instances */
#include "core/operate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"

struct hands_on {
	struct core *core;
	struct route *route;
	const struct hand *hand;
	char *why;
	size_t size;
};

__attribute__((format(printf, 3, 4)))
static enum operated say(struct hands_on *o, enum operated result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->why, o->size, fmt, ap);
	va_end(ap);
	return result;
}

/* "alice (uid 1000): the reason" */
static void describe(const struct hand *h, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", h->who, *h->reason ? ": " : "", h->reason);
}

static void note(struct hands_on *o, struct batch *b, enum journal_event event)
{
	char text[JOURNAL_TEXT_MAX];

	describe(o->hand, text, sizeof text);
	journal_note(o->core, b, &(struct note){ event, 0, 0, INT_NONE, text });
}

/* The batch as changed, where it is: also with who holds it now. */
static void change(struct hands_on *o, const struct batch *was, const struct batch *b,
    enum batch_cause cause)
{
	struct assignment *a = assignment_by_lease(o->core, was->lease);

	batch_move(o->core, o->route, was, b, cause);
	if (a && was->state == BATCH_ASSIGNED)
		a->batch = *b;
}

/* --- in custody ------------------------------------------------------------------------------ */

static enum operated hold(struct hands_on *o, const struct batch *was)
{
	struct batch b = *was;

	if (was->held)
		return say(o, OPERATED_NOTHING, "it is held already");
	b.held = true;
	note(o, &b, JOURNAL_HELD);
	change(o, was, &b, CAUSE_HELD);
	return OPERATED;
}

static enum operated release(struct hands_on *o, const struct batch *was)
{
	struct batch b = *was;

	if (!was->held)
		return say(o, OPERATED_NOTHING, "it is not held");
	b.held = false;
	note(o, &b, JOURNAL_RELEASED);
	change(o, was, &b, CAUSE_RELEASED);
	return OPERATED;
}

static enum operated retry(struct hands_on *o, const struct batch *was)
{
	struct batch b = *was;

	if (was->state != BATCH_WAITING)
		return say(o, OPERATED_NOTHING, "it does not wait for another attempt");
	b.state = BATCH_READY;
	note(o, &b, JOURNAL_RETRIED);
	batch_move(o->core, o->route, was, &b, CAUSE_RETRIED);
	return OPERATED;
}

/* --- dead ------------------------------------------------------------------------------------ */

/* The batch_id is the letter's, its end's, or nobody's: a partial letter outlives its end's row. */
static bool is_its_own(struct hands_on *o, const struct batch *dead, const struct ended *e)
{
	struct identity now;

	store_identity_get(o->core->store, o->route->number, &dead->batch_id, &now);
	return now.kind == IDENTITY_NONE ||
	    (now.kind == IDENTITY_DEAD && now.id == dead->id) ||
	    (now.kind == IDENTITY_ENDED && now.source == e->source && now.notice == e->notice);
}

static enum operated check_redrive(struct hands_on *o, const struct batch *dead,
    const struct ended *e)
{
	const struct route *r = o->route;
	const uint8_t *p;
	size_t n;

	if (!is_its_own(o, dead, e))
		return say(o, OPERATED_NEVER, "another batch has come under its batch_id since: it "
		    "can be exported or purged, not delivered");
	if (e->error_code == INT_STORE_002 || dead->payload_bytes == 0 ||
	    store_payload_get(o->core->store, dead->id, true, &p, &n) != 0)
		return say(o, OPERATED_NEVER,
			   "its stored bytes do not match their checksum: it can "
			   "be exported or purged, not delivered");
	if (dead->payload_bytes > r->settings.queue_capacity_bytes)
		return say(o, OPERATED_NEVER,
			   "it is larger than queue_capacity_bytes of its route");
	if (route_depth(r) >= r->settings.queue_capacity ||
	    r->counters.bytes + dead->payload_bytes > r->settings.queue_capacity_bytes)
		return say(o, OPERATED_NO_ROOM, "route %s is full: redrive the rest when it has "
		    "drained", r->settings.name);
	return OPERATED;
}

/*
 * Whose outcome it is: of who was told of its end (a repeat may have moved that to another than the
 * letter's own source), as long as that instance is remembered.
 */
static struct instance *owner_of(struct hands_on *o, const struct ended *e)
{
	struct instance *i = instance_by_number(o->core, e->source);

	return i ? i : instance_of_broker(o->core, o->route->source);
}

/* As it was, with its retry budget and wait afresh; attempts and leases go on rising. */
static struct batch afresh(const struct batch *dead, const struct route *r,
    const struct instance *owner)
{
	struct batch b = *dead;

	b.state = BATCH_READY;
	b.source = owner->record.number;
	b.attempts_before = b.attempt;
	b.failed = b.redelivered = true;
	b.answered = b.held = false;
	b.lease = 0;			/* was current until its dead letter (section 6) */
	b.due_ms = 0;
	b.redrives++;
	b.ordered = r->settings.ordered;
	b.suspect = dead->suspect && !b.ordered;	/* there it waits for its turn */
	return b;
}

/* On an ordered route it goes last, so it gets a new id: and its bytes with it. */
static bool move_to_end(struct hands_on *o, const struct batch *dead, struct batch *b)
{
	struct store *store = o->core->store;

	if (!store_has_room(store, dead->payload_bytes, 0))
		return false;
	store_intake_begin(store, STORE_INTAKE_CHILD);
	b->id = store_next_id(store);
	store_dead_redrive(store, dead, b);
	return store_intake_end(store) == 0;
}

static enum operated redrive(struct hands_on *o, const struct batch *dead, const struct ended *e)
{
	enum operated result = check_redrive(o, dead, e);

	if (result != OPERATED)
		return result;
	struct instance *owner = owner_of(o, e);
	struct batch b = afresh(dead, o->route, owner);
	note(o, &b, JOURNAL_REDRIVEN);
	if (!b.ordered)
		store_dead_redrive(o->core->store, dead, &b);
	else if (!move_to_end(o, dead, &b))
		return say(o, OPERATED_NO_ROOM, "the store is full: redrive the rest later");
	owner->record.live++;
	instance_changed(o->core, owner);
	batch_redriven(o->core, o->route, dead, &b);
	return OPERATED;
}

static enum operated purge(struct hands_on *o, const struct batch *dead, const struct ended *e)
{
	(void)e;
	batch_purge(o->core, o->route, dead);
	return OPERATED;
}

/* --- the table ------------------------------------------------------------------------------- */

#define IN_CUSTODY (1u << BATCH_READY | 1u << BATCH_ASSIGNED | 1u << BATCH_WAITING)

static const struct {
	unsigned states;
	enum operated (*live)(struct hands_on *o, const struct batch *was);
	enum operated (*dead)(struct hands_on *o, const struct batch *dead, const struct ended *e);
} operations[OPERATION_COUNT] = {
	[OPERATION_HOLD] = { IN_CUSTODY, hold, NULL },
	[OPERATION_RELEASE] = { IN_CUSTODY, release, NULL },
	[OPERATION_RETRY] = { 1u << BATCH_WAITING, retry, NULL },
	[OPERATION_REDRIVE] = { 1u << BATCH_DEAD, NULL, redrive },
	[OPERATION_PURGE] = { 1u << BATCH_DEAD, NULL, purge },
};

unsigned operation_states(enum operation operation)
{
	return operations[operation].states;
}

/*
 * A held batch is looked at by nobody but a person: so it is set aside here. One that is assigned
 * may be in memory, whole, and then its end is what it was.
 */
static enum operated operate_damaged(struct hands_on *o, const struct batch *b)
{
	if (b->state == BATCH_ASSIGNED)
		return say(o, OPERATED_NEVER, "its record is damaged: wait for its target");
	batch_set_aside(o->core, o->route, b);
	return say(o, OPERATED_NEVER, "its record is damaged: it is a dead letter now, which can "
	    "be exported or purged, not delivered");
}

static enum operated operate_live(struct hands_on *o, enum operation operation, uint64_t id)
{
	struct batch b;
	int rc = store_batch_find(o->core->store, o->route->number, id, &b);

	if (rc == ERR_CORRUPT)
		return operate_damaged(o, &b);
	if (rc != 0)
		return say(o, OPERATED_NOTHING, "it is not in custody: it has ended, or is a dead "
		    "letter");
	return operations[operation].live(o, &b);
}

static enum operated operate_dead(struct hands_on *o, enum operation operation, uint64_t id)
{
	struct batch b;
	struct ended e;
	int rc = store_dead_get(o->core->store, o->route->number, id, &b, &e);

	if (rc == ERR_NOTFOUND)
		return say(o, OPERATED_NOTHING, "it is no dead letter");
	if (rc != 0)
		return say(o, OPERATED_NEVER, "its record is damaged");
	return operations[operation].dead(o, &b, &e);
}

enum operated core_operate(struct core *c, enum operation operation, const struct route *r,
    uint64_t id, const struct hand *h, char *why, size_t size)
{
	struct hands_on o = { c, route_by_number(c, r->number), h, why, size };

	return operations[operation].live ? operate_live(&o, operation, id)
					  : operate_dead(&o, operation, id);
}

/* --- routes, instances, the broker ----------------------------------------------------------- */

void core_note_action(struct core *c, enum journal_event event, const struct route *r,
    const struct uuid *batch_id, const struct hand *h, const char *what)
{
	struct action a = { .at_us = c->wall_us, .event = event, .route = r ? r->number : 0,
		.has_batch = batch_id != NULL };

	if (batch_id)
		a.batch_id = *batch_id;
	snprintf(a.who, sizeof a.who, "%s", h->who);
	snprintf(a.text, sizeof a.text, "%s%s%s", what, *what && *h->reason ? ": " : "", h->reason);
	store_action_add(c->store, &a);
}

bool core_pause(struct core *c, const struct route *r, bool paused, const struct hand *h)
{
	struct route *mine = route_by_number(c, r->number);
	struct route_control *k = &mine->control;

	if (k->paused == paused)
		return false;
	*k = (struct route_control){ .paused = paused, .at_us = c->wall_us };
	snprintf(k->who, sizeof k->who, "%s", h->who);
	snprintf(k->reason, sizeof k->reason, "%s", h->reason);
	store_control_put(c->store, mine->number, k);
	core_note_action(c, paused ? JOURNAL_PAUSED : JOURNAL_RESUMED, mine, NULL, h,
	    mine->settings.name);
	return true;
}

void core_set_draining(struct core *c, bool draining, const struct hand *h)
{
	if (c->draining == draining)
		return;
	c->draining = draining;
	core_note_action(c, draining ? JOURNAL_PAUSED : JOURNAL_RESUMED, NULL, NULL, h,
	    draining ? "drain" : "drain ended");
}

bool core_kick(struct core *c, const char *module, struct span instance_id, const struct hand *h)
{
	struct module *m = module_by_name(c, span_of(module));
	struct instance *i = m ? instance_by_id(m, instance_id) : NULL;
	struct peer *peer = i ? i->peer : NULL;
	char name[INSTANCE_NAME_MAX];

	if (!peer)
		return false;
	core_instance_name(c, i->record.number, name, sizeof name);
	core_note_action(c, JOURNAL_KICKED, NULL, NULL, h, name);
	core_leave(c, i, LEAVE_EXPECTED);
	c->ops->dismiss(peer, GOODBYE_KICKED, "an operator ended this connection");
	return true;
}

enum operated core_settle_confirmation(struct core *c, const struct route *r, uint64_t id,
    const struct hand *h, char *why, size_t size)
{
	struct hands_on o = { c, route_by_number(c, r->number), h, why, size };
	char text[JOURNAL_TEXT_MAX];
	struct confirmation k;

	if (store_confirm_get(c->store, r->number, id, &k) != 0 || k.state == CONFIRM_COMPLETE)
		return say(&o, OPERATED_NOTHING, "its confirmation is not awaited");
	if (k.state == CONFIRM_EARLY)
		return say(&o, OPERATED_NOTHING, "it has not been processed yet");
	describe(h, text, sizeof text);
	confirm_settle(c, &k, text);
	core_note_action(c, JOURNAL_CONFIRMED, r, &k.batch_id, h, "settled by hand");
	return OPERATED;
}
