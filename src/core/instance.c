/* instance.c - the instances of modules: who is there, who comes back, who is forgotten */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/internal.h"

/*
 * An instance is remembered beyond its connection: its sequence numbers, how far it has confirmed
 * its mailbox, and, for reclaim_ms after an end that was no loss, the batches it holds (protocol.md
 * sections 3 and 6).
 */

struct instance *instance_by_number(struct core *c, uint32_t number)
{
	struct instance *i;

	HASH_FIND(by_number, c->instances, &number, sizeof number, i);
	return i;
}

struct instance *instance_by_id(struct module *m, struct span id)
{
	struct instance *i;

	HASH_FIND(by_id, m->instances, id.p, id.n, i);
	return i;
}

static struct instance *remember(struct core *c, struct module *m,
    const struct instance_record *record)
{
	struct instance *i = xcalloc(1, sizeof *i);

	i->record = *record;
	i->module = m;
	TAILQ_INIT(&i->held);
	HASH_ADD(by_number, c->instances, record.number, sizeof i->record.number, i);
	HASH_ADD_KEYPTR(by_id, m->instances, i->record.id, i->record.id_len, i);
	return i;
}

static void destroy(struct core *c, struct instance *i)
{
	HASH_DELETE(by_number, c->instances, i);
	HASH_DELETE(by_id, i->module->instances, i);
	free(i->sequences);
	free(i->paused_routes);
	free(i->vitals.components);
	free(i);
}

void instance_changed(struct core *c, struct instance *i)
{
	if (!i->dirty)
		TAILQ_INSERT_TAIL(&c->changed, i, changed);
	i->dirty = true;
}

void instance_save(struct core *c)
{
	struct instance *i;

	while ((i = TAILQ_FIRST(&c->changed))) {
		store_instance_put(c->store, &i->record);
		sequence_save(c, i);
		TAILQ_REMOVE(&c->changed, i, changed);
		i->dirty = false;
	}
}

static void stop_reclaim(struct core *c, struct instance *i)
{
	if (i->reclaim_until_ms)
		TAILQ_REMOVE(&c->reclaiming, i, reclaiming);
	i->reclaim_until_ms = 0;
}

static void forget(struct core *c, struct instance *i)
{
	assert(!i->peer && TAILQ_EMPTY(&i->held) && i->oldest_notice == 0 && i->oldest_other == 0);
	stop_reclaim(c, i);		/* what it held may have been ended by another */
	heir_back(i);
	if (i->dirty) {			/* made in this turn, the store has no row yet */
		TAILQ_REMOVE(&c->changed, i, changed);
		store_instance_put(c->store, &i->record);
	}
	store_instance_del(c->store, i->record.number);
	for (size_t n = 0; n < c->settings.route_count; n++)
		store_sequence_del(c->store, c->routes[n].number, i->record.number);
	destroy(c, i);
}

/* Makes room for another: the one longest unused that nothing is owed and that owes nothing. */
static bool forget_one(struct core *c, struct module *m)
{
	struct instance *i, *next, *oldest = NULL;

	HASH_ITER(by_id, m->instances, i, next)
		if (!i->peer && TAILQ_EMPTY(&i->held) && i->record.live == 0 &&
		    (!oldest || i->record.last_used_ms < oldest->record.last_used_ms))
			oldest = i;
	if (!oldest || !history_forget(c, oldest))
		return false;
	forget(c, oldest);
	return true;
}

static struct instance *find_or_make(struct core *c, struct module *m, struct span id)
{
	struct instance *i = instance_by_id(m, id);
	struct instance_record record = {
		.module = m->number, .mailbox = true, .id_len = (uint8_t)id.n
	};

	if (i)
		return i;
	if (HASH_CNT(by_id, m->instances) >= c->settings.instances_per_module && !forget_one(c, m))
		return NULL;
	record.number = store_instance_create(c->store);
	memcpy(record.id, id.p, id.n);
	return remember(c, m, &record);
}

struct instance *instance_of_broker(struct core *c, struct module *m)
{
	struct instance *i = instance_by_id(m, (struct span){ "", 0 });
	struct instance_record record = { .module = m->number, .mailbox = false };

	if (i)
		return i;
	record.number = store_instance_create(c->store);
	i = remember(c, m, &record);
	instance_changed(c, i);
	return i;
}

/* --- the end of a connection ----------------------------------------------------------------- */

static void start_reclaim(struct core *c, struct instance *i)
{
	i->reclaim_until_ms = c->peer_ms + c->settings.reclaim_ms;
	TAILQ_INSERT_TAIL(&c->reclaiming, i, reclaiming);
}

static void disconnect(struct core *c, struct instance *i)
{
	mailbox_is_behind(c, i, false);
	TAILQ_REMOVE(&i->module->connected, i, connected);
	vitals_end(c, i);
	if (i->module->host == i)
		i->module->host = NULL;
	i->peer = NULL;
	heir_left(c, i);
	if (!i->record.mailbox)
		mailbox_forget(c, i);
	i->draining = false;
	i->paused = false;
	free(i->paused_routes);
	i->paused_routes = NULL;
	flow_recount(c, i->module);
	i->record.last_used_ms = c->now_ms;
	instance_changed(c, i);
}

static void let_go(struct core *c, struct instance *i, enum leave_how how)
{
	struct assignment *a, *next;

	for (a = TAILQ_FIRST(&i->held); a; a = next) {
		next = TAILQ_NEXT(a, of_holder);
		deadline_stop(c, a);
		if (!a->begun)
			assignment_return(c, a, CAUSE_NOT_BEGUN);
		else if (how == LEAVE_GIVEN_BACK)
			assignment_return(c, a, CAUSE_GIVEN_BACK);
		else if (how == LEAVE_LOST && a->batch.suspect)
			assignment_fail(c, a, CAUSE_LOST_SUSPECT);
		else if (how == LEAVE_LOST)
			assignment_return(c, a, CAUSE_LOST_FIRST);
	}
}

/* Batches of the route that it has begun to get; *id gets one of them. */
static size_t count_begun(const struct instance *i, const struct route *r, uint64_t *id)
{
	const struct assignment *a;
	size_t n = 0;

	TAILQ_FOREACH(a, &i->held, of_holder)
		if (a->route == r && a->begun) {
			*id = a->batch.id;
			n++;
		}
	return n;
}

/* A lost connection is one failure of the target on each route, however many batches it held. */
static void blame_target(struct core *c, const struct instance *i)
{
	struct route *r;
	uint64_t id;

	TAILQ_FOREACH(r, &i->module->targeted, of_target) {
		size_t begun = count_begun(i, r, &id);
		if (begun > 0)
			circuit_failed(c, &r->circuit, id, begun > 1);
	}
}

void core_leave(struct core *c, struct instance *i, enum leave_how how)
{
	assert(i->peer);
	disconnect(c, i);
	if (how == LEAVE_LOST)
		blame_target(c, i);
	let_go(c, i, how);
	if (!TAILQ_EMPTY(&i->held))
		start_reclaim(c, i);
}

void core_shut_down(struct core *c)
{
	struct instance *i;

	for (size_t n = 0; n < c->settings.module_count; n++)
		while ((i = TAILQ_FIRST(&c->modules[n].connected)))
			disconnect(c, i);
	c->stopping = true;
}

void core_drain(struct core *c, struct instance *i)
{
	i->draining = true;
	flow_recount(c, i->module);
}

/* --- the beginning of one -------------------------------------------------------------------- */

static bool is_named(const struct hello *h, uint64_t lease)
{
	for (size_t n = 0; n < h->hold_count; n++)
		if (h->holds[n] == lease)
			return true;
	return false;
}

/* What the instance names in `holds` stays its own under the same lease; the rest goes back. */
static void reclaim(struct core *c, struct instance *i, const struct hello *h)
{
	struct assignment *a, *next;

	stop_reclaim(c, i);
	for (a = TAILQ_FIRST(&i->held); a; a = next) {
		next = TAILQ_NEXT(a, of_holder);
		if (is_named(h, a->batch.lease)) {
			batch_kept(c, &a->batch);
			deadline_restart(c, a);
		} else {
			assignment_return(c, a, CAUSE_NOT_RECLAIMED);
		}
	}
}

struct instance *core_join(struct core *c, const struct hello *h, struct peer *peer)
{
	struct module *m = module_by_name(c, span_of(h->module));
	struct instance *i = find_or_make(c, m, h->instance_id);

	if (!i)
		return NULL;
	if (i->peer) {
		struct peer *old = i->peer;
		core_leave(c, i, LEAVE_EXPECTED);
		c->ops->dismiss(old, GOODBYE_REPLACED,
		    "another connection has the same instance_id");
	}
	heir_back(i);
	i->peer = peer;
	i->max_in_flight = h->max_in_flight < c->settings.max_in_flight_limit
	    ? h->max_in_flight : c->settings.max_in_flight_limit;
	if (!h->mailbox || !i->record.mailbox)
		mailbox_forget(c, i);
	i->record.mailbox = h->mailbox;
	i->record.last_used_ms = c->now_ms;
	instance_changed(c, i);
	TAILQ_INSERT_TAIL(&m->connected, i, connected);
	vitals_begin(c, i);
	reclaim(c, i, h);
	if (h->has_seen)
		core_seen(c, i, h->seen);
	mailbox_open(c, i);
	flow_recount(c, m);
	return i;
}

uint32_t instance_max_in_flight(const struct instance *i)
{
	return i->max_in_flight;
}

uint32_t instance_number(const struct instance *i)
{
	return i->record.number;
}

void instance_expire_reclaims(struct core *c)
{
	struct instance *i;

	while ((i = TAILQ_FIRST(&c->reclaiming)) && i->reclaim_until_ms <= c->peer_ms) {
		stop_reclaim(c, i);
		while (!TAILQ_EMPTY(&i->held))
			assignment_return(c, TAILQ_FIRST(&i->held), CAUSE_NOT_RECLAIMED);
	}
}

/* --- recovery -------------------------------------------------------------------------------- */

static bool recover_one(void *arg, const struct instance_record *record)
{
	struct core *c = arg;
	struct module *m = module_by_number(c, record->module);
	struct notice_row row;
	struct ended e;

	if (!m) {
		log_warning("instance of a module that is not declared", "module=%u instance=%s",
		    record->module, log_quote(record->id, record->id_len));
		return true;
	}
	struct instance *i = remember(c, m, record);
	if (store_ended_next(c->store, record->number, 0, &e) == 0)
		i->oldest_notice = e.notice;
	if (store_notice_next(c->store, record->number, 0, &row) == 0)
		i->oldest_other = row.number;
	i->newest_notice = i->oldest_notice || i->oldest_other ? store_last_notice(c->store) : 0;
	i->sent = store_last_notice(c->store);
	if (i->oldest_other)
		heir_owed(i, i->newest_notice);		/* perhaps: who takes it looks */
	history_place(c, i);
	return true;
}

/* It waits for its instance again, as it would have without the restart. */
static void recover_assigned(struct core *c, struct route *r, const struct batch *was)
{
	struct instance *i = instance_by_number(c, was->holder);
	struct batch b = *was;

	if (i) {
		struct assignment *a = assignment_add(c, r, was, i);

		a->begun = a->received = true;	/* who comes back for it works on it */
		circuit_delivered(r, was);
		a->since_us = 0;
		if (!i->reclaim_until_ms)
			start_reclaim(c, i);
	} else {			/* nobody knows the instance any more */
		b.state = BATCH_READY;
		b.redelivered = true;
		batch_move(c, r, was, &b, CAUSE_NOT_RECLAIMED);
	}
}

static void recover_route(struct core *c, struct route *r)
{
	struct batch b = { .id = 0 };
	int rc;

	while ((rc = store_assigned_next(c->store, r->number, b.id, &b)) != ERR_NOTFOUND) {
		if (rc == 0)
			recover_assigned(c, r, &b);
		else
			batch_set_aside(c, r, &b);
	}
}

void instance_recover(struct core *c)
{
	store_instance_walk(c->store, recover_one, c);
	for (size_t n = 0; n < c->settings.route_count; n++)
		recover_route(c, &c->routes[n]);
}

void instance_destroy_all(struct core *c)
{
	struct assignment *a, *a_next;
	struct instance *i, *next;

	HASH_ITER(hh, c->assigned, a, a_next)
		assignment_remove(c, a);
	HASH_ITER(by_number, c->instances, i, next)
		destroy(c, i);
}
