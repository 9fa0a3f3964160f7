/* rot.c - records are damaged in the store, of whatever table: nothing is lost but they */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "sim.h"
#include "store/internal.h"

/*
 * The model says nothing of a store that is damaged. So this is the end of a seed: the world stops
 * at a commit, records of all kinds are damaged, and two brokers follow, each with every module
 * there. What must be true of them is less, and is all that counts:
 *
 *  1. Nobody gets bytes that are not the batch's, or a batch that was not in custody.
 *  2. What is whole comes to its end; what is damaged stands in its way no longer than a turn.
 *  3. A batch whose record is damaged is a dead letter: it does not vanish, and its batch_id does
 *     not become new.
 */
#define DAMAGES_MAX 8
#define ROUNDS_MAX 600
#define CREDIT 16

struct rot_peer {
	struct instance *instance;
	const struct actor *actor;
};

static struct rot {
	struct world *w;
	struct core *core;
	struct rot_peer peers[ACTORS_MAX];
	struct { int parcel; uint64_t lease; struct rot_peer *to; } out[PARCELS_MAX];
	int out_count;
	bool damaged[PARCELS_MAX];	/* its record, or its payload */
	bool may_die[PARCELS_MAX];	/* has been rejected, or redriven */
	bool purged[PARCELS_MAX];
	bool answered[PARCELS_MAX], done[PARCELS_MAX];	/* in this turn; and committed */
} rot;

/* --- damage ---------------------------------------------------------------------------------- */

static void note_damage(enum table t, const uint8_t *key)
{
	uint64_t id = t == TABLE_QUEUE ? key_get64(key + 5) : t == TABLE_DEAD ? key_get64(key + 4)
	    : t == TABLE_PAYLOAD ? key_get64(key) : 0;

	for (int p = 0; id != 0 && p < rot.w->parcel_count; p++)
		rot.damaged[p] |= rot.w->model.fates[p].known && rot.w->model.fates[p].id == id;
}

static uint64_t count_rows(struct world *w, struct store *s, enum table t)
{
	struct key k = { .n = 0 };
	struct table_walk walk;
	uint64_t rows = 0;
	MDB_val found, v;

	if (!table_walk_begin(s, t, &k, &walk))
		broke(w, "table %d cannot be read", t);
	while (table_walk_next(&walk, &found, &v))
		rows++;
	table_walk_end(&walk);
	return rows;
}

/* The n-th row of a table: a bit of it is another, or its end is missing. */
static void damage_row(struct world *w, struct store *s, enum table t, uint64_t n)
{
	struct key k = { .n = 0 };
	struct table_walk walk;
	MDB_val found, v;

	if (!table_walk_begin(s, t, &k, &walk))
		broke(w, "table %d cannot be read", t);
	while (table_walk_next(&walk, &found, &v) && n-- > 0)
		;
	k.n = (uint8_t)found.mv_size;
	memcpy(k.b, found.mv_data, found.mv_size);
	uint8_t *copy = xmalloc(v.mv_size + 1);
	size_t len = v.mv_size;
	memcpy(copy, v.mv_data, len);
	table_walk_end(&walk);
	if (len == 0) {			/* it was damaged so before */
		free(copy);
		return;
	}
	if (chance(w, 5))
		len = between(w, 0, len - 1);
	else
		copy[between(w, 0, len - 1)] ^= (uint8_t)(1u << between(w, 0, 7));
	trace(w, "a row of table %d is damaged", t);
	note_damage(t, k.b);
	table_put(s, t, &k, copy, len);
	free(copy);
}

static void damage(struct world *w, struct store *s)
{
	static const enum table tables[] = { TABLE_QUEUE, TABLE_QUEUE, TABLE_QUEUE, TABLE_QUEUE,
		TABLE_DEAD, TABLE_DEAD, TABLE_ENDED, TABLE_ENDED, TABLE_PAYLOAD, TABLE_CONFIRM,
		TABLE_INSTANCE, TABLE_NOTICE, TABLE_JOURNAL, TABLE_ALIAS, TABLE_ALIAS_NEW,
		TABLE_ALIAS_FILTER, TABLE_ACTION, TABLE_CONTROL, TABLE_CIRCUIT, TABLE_ERROR,
		TABLE_ERROR_BY, TABLE_ALERT };

	for (uint64_t left = between(w, 1, DAMAGES_MAX); left > 0; left--) {
		enum table t = tables[between(w, 0, sizeof tables / sizeof tables[0] - 1)];
		uint64_t rows = count_rows(w, s, t);

		if (rows > 0)
			damage_row(w, s, t, between(w, 0, rows - 1));
	}
}

static void damage_between(struct world *w)
{
	struct store *s = broker_open_store(w->path);

	damage(w, s);
	if (store_commit(s) != 0)
		broke(w, "the damage cannot be done");
	store_close(s);
}

/* --- the modules ----------------------------------------------------------------------------- */

static int parcel_in_custody(uint64_t id)
{
	for (int p = 0; p < rot.w->parcel_count; p++)
		if (is_in_custody(&rot.w->model.fates[p]) && rot.w->model.fates[p].id == id)
			return p;
	return NOBODY;
}

static void on_deliver(struct peer *peer, const struct delivery *d)
{
	int parcel = parcel_in_custody(d->id);

	if (parcel == NOBODY || rot.done[parcel])
		broke(rot.w, "batch %llu is delivered, and was not in custody",
		    (unsigned long long)d->id);
	if (rot.out_count == PARCELS_MAX)
		broke(rot.w, "more is out than there is");
	rot.out[rot.out_count].parcel = parcel;
	rot.out[rot.out_count].lease = d->lease;
	rot.out[rot.out_count++].to = (struct rot_peer *)(void *)peer;
}

static const struct peer_ops *rot_ops(void)
{
	static struct peer_ops ops;

	ops = listener_ops;
	ops.deliver = on_deliver;
	return &ops;
}

static void join(struct world *w, int n)
{
	struct rot_peer *p = &rot.peers[n];
	char id[32];
	struct hello h = { .module = w->plan.modules[w->actors[n].module].name,
		.max_in_flight = CREDIT, .mailbox = true };

	p->actor = &w->actors[n];
	snprintf(id, sizeof id, "instance-%d", p->actor->party);
	h.instance_id = span_of(id);
	p->instance = core_join(rot.core, &h, (struct peer *)(void *)p);
}

/* Where too many are remembered, one is let in when another may be forgotten. */
static void join_all(struct world *w)
{
	for (int n = 0; n < w->actor_count; n++)
		if (!rot.peers[n].instance)
			join(w, n);
}

static struct rot_peer *peer_of(const struct world *w, const char *module)
{
	for (int n = 0; n < w->actor_count; n++)
		if (rot.peers[n].instance && rot.peers[n].actor->module == module_of(w, module))
			return &rot.peers[n];
	return NULL;
}

static void answer(struct world *w, struct rot_peer *from, int parcel, uint64_t lease,
    enum ack_status status, bool must_count)
{
	struct reply r = { .batch_id = w->parcels[parcel].batch_id, .parcel = parcel,
		.lease = lease, .status = status };
	struct ack_answer out;
	struct message m;

	r.accepted = status == ACK_REJECTED ? 0 : w->parcels[parcel].records;
	r.rejected = status == ACK_REJECTED ? w->parcels[parcel].records : 0;
	r.has_transient = status == ACK_REJECTED;
	struct frame *f = message_reply(w, &r);
	message_read(w, f, &m);
	core_acknowledge(rot.core, from->instance, &m, &out);
	frame_unref(f);
	if (must_count && !out.echo && !rot.damaged[parcel])
		broke(w, "%s of batch %d, which is whole, meets error %d",
		    ack_status_name(status), parcel, out.fault.code);
	if (out.echo && status == ACK_PROCESSED)
		rot.answered[parcel] = true;
}

/* --- what is asked of a damaged store -------------------------------------------------------- */

/* A batch_id that is known does not become new. */
static void repeat(struct world *w, int parcel)
{
	struct rot_peer *source = peer_of(w, route_of(w, parcel)->source);
	struct offer_answer out;
	struct message m;

	if (!source || w->parcels[parcel].kind != KIND_SENT || w->model.owner[parcel] == NOBODY ||
	    w->plan.troubles[TROUBLE_CROWD])
		return;
	struct frame *f = message_batch(w, parcel, FLAW_NONE);
	message_read(w, f, &m);
	core_offer(rot.core, source->instance, &m, f, &out);
	frame_unref(f);
	if (out.status == ACK_RECEIVED && !out.duplicate)
		broke(w, "batch %d is taken a second time", parcel);
	/* of what is imported it is not known what it completed */
	if (!out.duplicate && out.fault.code != INT_STORE_002 &&
	    !(w->model.fates[w->model.owner[parcel]].imported && out.fault.code == INT_BATCH_003))
		broke(w, "batch %d is known, and meets error %d", parcel, out.fault.code);
}

static bool on_view(void *arg, const struct batch_view *v)
{
	(void)arg;
	(void)v;
	return true;
}

static bool on_found(void *arg, const struct route *r, const struct uuid *batch_id)
{
	(void)arg;
	(void)r;
	(void)batch_id;
	return true;
}

static void look(struct world *w, int parcel)
{
	struct selection_cursor at = { 0 };
	/* in a full store that reads very much */
	struct search s = { .record = !w->plan.troubles[TROUBLE_FULL_STORE] && chance(w, 2) };
	const struct route *r = core_route(rot.core, (size_t)w->parcels[parcel].route);

	core_view_batch(rot.core, r, &w->parcels[parcel].batch_id, on_view, NULL);
	message_correlation(w->parcels[parcel].mark, s.text);
	if (s.record)
		message_record_id(w->parcels[parcel].mark, 0, s.text);
	while (core_search(rot.core, &s, on_found, NULL))
		;
	while (!at.done)
		core_select(rot.core, &(struct selection){ .states = 0 }, &at, 7, on_view, NULL);
}

/* What a person may try on a damaged batch; what is purged is gone. */
static void operate(struct world *w, int parcel)
{
	const struct route *r = core_route(rot.core, (size_t)w->parcels[parcel].route);
	enum operation operation = (enum operation)between(w, OPERATION_RELEASE, OPERATION_PURGE);
	const struct hand hand = { "sim", "damaged" };
	char why[256] = "";

	if (operation == OPERATION_REDRIVE && route_of(w, parcel)->ordered)
		return;			/* it would get another id */
	if (core_operate(rot.core, operation, r, w->model.fates[parcel].id, &hand, why,
	        sizeof why) == OPERATED) {
		for (int p = 0; operation == OPERATION_PURGE && p < w->parcel_count; p++)
			rot.purged[p] |= w->model.fates[p].id == w->model.fates[parcel].id;
		if (operation == OPERATION_REDRIVE)
			w->model.fates[parcel].state = BATCH_READY;
	}
	core_settle_confirmation(rot.core, r, w->model.fates[parcel].id, &hand, why, sizeof why);
}

static void confirm(struct world *w, int parcel)
{
	struct rot_peer *target = peer_of(w, route_of(w, parcel)->target);
	struct message_record_delivery result = { .destination_id = span_of("somewhere"),
		.status = RECORD_DELIVERED, .delivered_at_us = w->wall_us };
	char id[32];
	struct fault fault;
	struct message m;

	if (!target)
		return;
	message_record_id(w->parcels[parcel].mark, 0, id);
	result.record_id = span_of(id);
	struct frame *f = message_confirmation(w, parcel, &result, 1);
	message_read(w, f, &m);
	core_confirm(rot.core, target->instance, &m, f, &fault);
	frame_unref(f);
}

/* An error of a batch of which nobody can say any more whose it is. */
static void complain(struct world *w, struct rot_peer *target, int parcel)
{
	static struct tale t;
	char id[UUID_TEXT_LEN + 1];
	struct fault fault;
	struct message m;

	do
		tale_draw(w, target->actor, &t);
	while (t.count == 0);
	uuid_format(&w->parcels[parcel].batch_id, id);
	t.errors[0].batch_id = span_of(id);
	t.count = 1;
	t.action = ACTION_NONE;
	struct frame *f = message_notification(w, target->actor, &t);
	message_read(w, f, &m);
	core_error_notification(rot.core, target->instance, &m, f, &fault);
	frame_unref(f);
}

/* Under the lease it had before all that. */
static void answer_late(struct world *w, struct rot_peer *target, int parcel)
{
	enum ack_status status = (enum ack_status)between(w, ACK_RECEIVED, ACK_REJECTED);

	rot.may_die[parcel] |= status == ACK_REJECTED;
	answer(w, target, parcel, w->model.fates[parcel].lease, status, false);
}

static void repeat_all(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (w->model.fates[p].known && chance(w, 3))
			repeat(w, p);
}

static void try_all(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++) {
		struct rot_peer *target = peer_of(w, route_of(w, p)->target);

		if (!w->model.fates[p].known || (!rot.damaged[p] && !chance(w, 6)))
			continue;
		if (chance(w, 3))
			look(w, p);
		if (chance(w, 3))
			confirm(w, p);
		if (target && chance(w, 3))
			complain(w, target, p);
		if (target && w->model.fates[p].lease != 0 && chance(w, 3))
			answer_late(w, target, p);
		if (rot.damaged[p] && chance(w, 4))
			operate(w, p);
	}
}

/* --- a broker's life ------------------------------------------------------------------------- */

static void open_broker(struct world *w)
{
	char why[256] = "";

	w->store = broker_open_store(w->path);
	w->now_ms += 1000;
	rot.core = core_create(w->store, rot_ops(), &w->plan.core, w->now_ms, w->seed, why,
	    sizeof why);
	if (!rot.core)
		broke(w, "the core refuses a damaged store: %s", why);
	memset(rot.answered, 0, sizeof rot.answered);
	rot.out_count = 0;
	core_set_time(rot.core, w->now_ms, w->now_ms, w->wall_us);
	join_all(w);
	for (int p = 0; p < w->parcel_count; p++)
		if (w->model.fates[p].held)
			core_operate(rot.core, OPERATION_RELEASE,
			    core_route(rot.core, (size_t)w->parcels[p].route),
			    w->model.fates[p].id, &(struct hand){ "sim", "" }, why, sizeof why);
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		core_pause(rot.core, core_route(rot.core, r), false, &(struct hand){ "sim", "" });
	for (size_t n = 0; n < core_circuit_count(rot.core); n++)
		core_circuit_force(rot.core, n, false, &(struct hand){ "sim", "" });
}

static void close_broker(struct world *w)
{
	core_destroy(rot.core);
	rot.core = NULL;
	memset(rot.peers, 0, sizeof rot.peers);
	store_close(w->store);
	w->store = NULL;
}

static void take_delivery(struct world *w, int parcel, uint64_t lease, struct rot_peer *to)
{
	const struct fate *f = &w->model.fates[parcel];
	const uint8_t *p;
	struct buf summary;
	size_t n;

	if (store_payload_get(w->store, f->id, true, &p, &n) != 0) {	/* rotted since it was assigned */
		core_delivery_unreadable(rot.core, to->instance, lease);
		return;
	}
	if (!core_delivery_begin(rot.core, to->instance, lease))
		return;
	if (n != f->frame_len || crc32c(0, p, n) != f->frame_crc)
		broke(w, "batch %d is delivered with other bytes than it was sent with", parcel);
	buf_init(&summary, 0);		/* of errors of which some may be damaged */
	core_delivery_summary(rot.core, lease, &summary);
	buf_finish(&summary);
	core_delivery_sent(rot.core, to->instance, lease);
	answer(w, to, parcel, lease, ACK_PROCESSED, true);
}

static void commit(struct world *w)
{
	if (store_commit(w->store) != 0)
		broke(w, "a damaged record ends the process");
	for (int p = 0; p < w->parcel_count; p++)
		rot.done[p] |= rot.answered[p];
	store_read_end(w->store);
}

static void turn(struct world *w)
{
	int count = rot.out_count;

	core_set_time(rot.core, w->now_ms, w->now_ms, w->wall_us);
	join_all(w);
	for (int n = 0; n < count; n++)
		take_delivery(w, rot.out[n].parcel, rot.out[n].lease, rot.out[n].to);
	rot.out_count = 0;
	core_turn_close(rot.core);
	core_check(rot.core);
	commit(w);
}

static uint64_t count_queued(const struct world *w)
{
	uint64_t queued = 0;

	for (size_t r = 0; r < w->plan.core.route_count; r++)
		queued += counters_queued(core_counters(rot.core, w->plan.routes[r].name));
	return queued;
}

static void live(struct world *w, unsigned rounds)
{
	for (unsigned n = 0; n < rounds && count_queued(w) + (uint64_t)rot.out_count > 0; n++) {
		uint64_t due_ms = core_next_due_ms(rot.core);

		if (n == 1 && chance(w, 2))	/* under a broker that has read some of it */
			damage(w, w->store);
		if (n == 1)
			try_all(w);
		turn(w);
		w->now_ms += 20;
		if (n % 8 == 7 && due_ms != UINT64_MAX && due_ms > w->now_ms)
			w->now_ms = due_ms;
	}
}

/* --- what has come of it --------------------------------------------------------------------- */

static bool on_stuck(void *arg, const struct batch_view *v)
{
	*(const char **)arg = reason_name(v->reason);
	return true;
}

static const char *reason_of(size_t route, const struct batch *b)
{
	const char *reason = "nothing";

	core_view_batch(rot.core, core_route(rot.core, route), &b->batch_id, on_stuck, &reason);
	return reason;
}

/* Where no instance of a target was let in, for too many are remembered, its batches wait. */
static void check_none_is_stuck(struct world *w)
{
	bool all_are_there = true;

	for (size_t r = 0; r < w->plan.core.route_count; r++) {
		struct batch b = { .state = BATCH_NEW };
		int rc = store_queue_next(w->store, w->route_numbers[r], &b);

		if (!peer_of(w, w->plan.routes[r].target)) {
			all_are_there = false;
			continue;
		}

		if (rc != ERR_NOTFOUND)
			broke(w, "batch %llu, %s, held=%d suspect=%d, is stuck: %s",
			    (unsigned long long)b.id, batch_state_name(b.state), b.held,
			    b.suspect, rc == 0 ? reason_of(r, &b) : "its record is damaged");
	}
	if (all_are_there && count_queued(w) > 0)
		broke(w, "%llu batches are counted that are not there",
		    (unsigned long long)count_queued(w));
}

static void check_parcel(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];
	struct batch b;
	struct ended e;

	if (!f->known || f->state == BATCH_ENDED || rot.done[parcel] || rot.purged[parcel])
		return;
	uint32_t route = w->route_numbers[w->parcels[parcel].route];
	if (!peer_of(w, route_of(w, parcel)->target) &&
	    store_batch_find(w->store, route, f->id, &b) == 0)
		return;
	int rc = store_dead_get(w->store, route, f->id, &b, &e);
	if (rc == ERR_NOTFOUND)
		broke(w, "batch %d, %s, has vanished", parcel, batch_state_name(f->state));
	if (!rot.damaged[parcel] && !rot.may_die[parcel] &&
	    (rc != 0 || (is_in_custody(f) && !w->parcels[parcel].corrupt)))
		broke(w, "batch %d, %s, is whole, and a dead letter", parcel,
		    batch_state_name(f->state));
}

void rot_run(struct world *w)
{
	static const struct rot nothing;

	rot = nothing;
	rot.w = w;
	w->settling = true;
	do
		broker_turn(w);
	while (w->in_turn);
	broker_stop(w);
	w->plan.core.flood_threshold = 0;
	damage_between(w);
	open_broker(w);
	repeat_all(w);
	live(w, (unsigned)between(w, 0, 6));
	close_broker(w);	/* dies between two turns */
	open_broker(w);
	live(w, ROUNDS_MAX);
	check_none_is_stuck(w);
	for (int p = 0; p < w->parcel_count; p++)
		check_parcel(w, p);
	close_broker(w);
	open_broker(w);
	close_broker(w);
}
