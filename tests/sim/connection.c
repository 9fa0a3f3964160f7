/* connection.c - a peer that is no socket: it gets what it is owed after the commit, if it reads */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "sim.h"

#define OUTCOMES_MAX 4		/* queued for one peer: small, so that peers fall behind */

/* peer_ops has no place for it. */
static struct world *the_world;

void connection_world(struct world *w)
{
	the_world = w;
}

static struct connection *from_peer(const struct peer *p)
{
	return (struct connection *)(uintptr_t)p;
}

struct connection *connection_open(struct world *w, struct actor *a)
{
	struct connection *c = xcalloc(1, sizeof *c);

	c->actor = a;
	c->party = a->party;
	STAILQ_INIT(&c->items);
	TAILQ_INSERT_TAIL(&w->connections, c, next);
	return c;
}

static void item_free(struct connection *c)
{
	struct item *item = STAILQ_FIRST(&c->items);

	STAILQ_REMOVE_HEAD(&c->items, next);
	c->outcomes -= item->kind == ITEM_OUTCOME || item->kind == ITEM_NOTICE;
	frame_unref(item->frame);
	free(item);
}

void connection_close(struct world *w, struct connection *c)
{
	if (c->actor->connection == c)
		c->actor->connection = NULL;
	while (!STAILQ_EMPTY(&c->items))
		item_free(c);
	TAILQ_REMOVE(&w->connections, c, next);
	free(c);
}

void connection_owe(struct connection *c, const struct item *item)
{
	struct item *copy = xmalloc(sizeof *copy);

	*copy = *item;
	c->outcomes += item->kind == ITEM_OUTCOME || item->kind == ITEM_NOTICE;
	STAILQ_INSERT_TAIL(&c->items, copy, next);
}

bool connection_has_room(const struct world *w, const struct connection *c)
{
	return c->outcomes < (has_trouble(w, TROUBLE_DEAF) ? OUTCOMES_MAX : PARCELS_MAX);
}

/* --- what the core asks for ------------------------------------------------------------------ */

static void on_deliver(struct peer *peer, const struct delivery *d)
{
	struct world *w = the_world;
	struct connection *c = from_peer(peer);

	int parcel = check_delivery(w, c, d);
	trace(w, "  deliver batch %d to party %d, lease %llu attempt %u", parcel, c->party,
	    (unsigned long long)d->lease, d->attempt);
	connection_owe(c, &(struct item){ .kind = ITEM_DELIVERY,
	    .parcel = parcel,
	    .lease = d->lease,
	    .life = w->model.fates[parcel].life,
	    .frame = d->frame ? frame_ref(d->frame) : NULL });
}

static void on_outcome(struct peer *peer, const struct ended *e, const struct route *route)
{
	struct world *w = the_world;
	struct connection *c = from_peer(peer);

	if (!connection_has_room(w, c))
		broke(w, "party %d is told more than it has room for", c->party);
	const struct row *r = &w->model.rows[check_outcome(w, c, e, route)];
	trace(w, "  tell party %d that batch %d is %s, notice %llu", c->party, r->parcel,
	    e->dead ? "REJECTED" : "PROCESSED", (unsigned long long)e->notice);
	connection_owe(c, &(struct item){ .kind = ITEM_OUTCOME,
	    .parcel = r->parcel,
	    .notice = e->notice,
	    .life = r->life,
	    .status = e->dead ? ACK_REJECTED : ACK_PROCESSED });
}

static void on_notice(struct peer *peer, uint64_t number, const uint8_t *body, size_t n)
{
	struct world *w = the_world;
	struct connection *c = from_peer(peer);

	if (!connection_has_room(w, c))
		broke(w, "party %d is told more than it has room for", c->party);
	check_notice(w, c, number, body, n);
	trace(w, "  notice %llu to party %d", (unsigned long long)number, c->party);
	connection_owe(c, &(struct item){ .kind = ITEM_NOTICE, .notice = number });
}

static bool on_has_room(const struct peer *peer)
{
	return connection_has_room(the_world, from_peer(peer));
}

static void on_backpressure(struct peer *peer, const struct message_backpressure *b)
{
	flow_on_told(the_world, from_peer(peer), b);
}

/* The fate that a warning is owed of. */
static void on_warn(struct peer *peer, const struct batch_warning *warning)
{
	struct world *w = the_world;
	int party = from_peer(peer)->party;

	for (int p = 0; p < w->parcel_count; p++) {
		struct fate *f = &w->model.fates[p];
		bool *owed = warning->code == INT_DELIVERY_001 ? &f->warning_owed
							       : &f->confirming.warning_owed;

		if (!*owed || !uuid_equal(&w->parcels[p].batch_id, &warning->batch_id) ||
		    (warning->code == INT_DELIVERY_001 ? f->holder : f->confirming.holder) != party ||
		    strcmp(route_settings(warning->route)->name, route_of(w, p)->name) != 0)
			continue;
		*owed = false;
		trace(w, "  party %d is warned of batch %d, error %d", party, p, warning->code);
		return;
	}
	broke(w, "party %d is warned without need, error %d", party, warning->code);
}

static void on_ask_health(struct peer *peer)
{
	health_on_asked(the_world, from_peer(peer));
}

static void on_dismiss(struct peer *peer, enum goodbye_reason reason, const char *why)
{
	struct world *w = the_world;
	struct connection *c = from_peer(peer);

	if (c->party != w->dismissing || reason != w->dismissal || !why || !*why)
		broke(w, "the connection of party %d is dismissed, %s", c->party,
		    goodbye_reason_name(reason));
	w->dismissing = NOBODY;
	connection_close(w, c);
}

static void on_circuit(struct peer *peer, const struct message_circuit_change *change)
{
	breaker_on_told(the_world, from_peer(peer), change);
}

const struct peer_ops connection_ops = {
	.deliver = on_deliver,
	.outcome = on_outcome,
	.has_room = on_has_room,
	.notice = on_notice,
	.backpressure = on_backpressure,
	.warn = on_warn,
	.circuit = on_circuit,
	.ask_health = on_ask_health,
	.dismiss = on_dismiss,
};

/* --- bytes leave ----------------------------------------------------------------------------- */

static void check_bytes(struct world *w, const struct item *item)
{
	const struct fate *f = &w->model.fates[item->parcel];
	const uint8_t *p = item->frame ? item->frame->data : NULL;
	size_t n = item->frame ? item->frame->len : 0;

	if (!p && store_payload_get(w->store, f->id, true, &p, &n) != 0)
		broke(w, "the payload of batch %d cannot be read", item->parcel);
	if (n != f->frame_len || crc32c(0, p, n) != f->frame_crc)
		broke(w, "batch %d is delivered with other bytes than it was sent with",
		    item->parcel);
}

/* The last byte of a delivery has left. */
static void deliver_rest(struct world *w, struct connection *c, const struct item *item)
{
	struct fate *f = &w->model.fates[item->parcel];
	struct actor *a = c->actor;

	core_delivery_sent(w->core, c->instance, item->lease);
	if (f->known && f->state == BATCH_ASSIGNED && f->lease == item->lease && !f->received)
		fate_restart_clock(w, item->parcel);
	if (c->half_open)
		return;
	if (item->lease > w->top_lease)
		w->top_lease = item->lease;
	if (a->held_count == HELD_MAX)
		actor_let_go(a, 0);
	a->held[a->held_count++] = (struct grip){ item->parcel, item->lease };
}

/* False: the rest follows later. */
static bool deliver(struct world *w, struct connection *c, struct item *item)
{
	struct fate *f = &w->model.fates[item->parcel];
	bool current = f->known && f->state == BATCH_ASSIGNED && f->lease == item->lease;

	if (!item->begun) {
		if (core_delivery_begin(w->core, c->instance, item->lease) != current)
			broke(w, "the delivery of batch %d under lease %llu %s", item->parcel,
			    (unsigned long long)item->lease, current ? "is given up" : "goes on");
		if (!current)
			return true;
		if (!c->half_open && w->parcels[item->parcel].processed == item->life)
			broke(w, "batch %d arrives after its PROCESSED was echoed", item->parcel);
		f->begun = f->tried = item->begun = true;
		check_bytes(w, item);
		summary_check(w, item->parcel, item->lease);
		if (has_trouble(w, TROUBLE_HALFWAY) && chance(w, 4))
			return false;
	}
	deliver_rest(w, c, item);
	return true;
}

/* The broker's error first, as it stands in the queue: however often the outcome is told. */
static void check_end_error(struct world *w, const struct connection *c, const struct item *item)
{
	const struct heard *h;
	struct ended e;
	struct buf said;

	if (store_ended_get(w->store, party_number(w, c->party), item->notice, &e) != 0 ||
	    e.error_code == INT_NONE)
		return;
	h = errors_end_of(w, item->parcel, (enum error_code)e.error_code);
	buf_init(&said, 0);
	if (core_end_error(w->core, &e, &said) != (h != NULL))
		broke(w, "the outcome of batch %d is told %s the error that is kept", item->parcel,
		    h ? "without" : "with");
	if (h && (said.len != h->raw_len || crc32c(0, buf_bytes(&said), said.len) != h->raw_crc))
		broke(w, "the outcome of batch %d is told with another error than is kept",
		    item->parcel);
	buf_finish(&said);
}

static void hear_outcome(struct world *w, struct connection *c, const struct item *item)
{
	struct parcel *p = &w->parcels[item->parcel];
	bool dead = item->status == ACK_REJECTED;
	struct actor *a = c->actor;

	check_end_error(w, c, item);
	if (p->told == item->life && p->told_dead != dead)
		broke(w, "batch %d is told as PROCESSED and as REJECTED", item->parcel);
	p->told = item->life;
	p->told_dead = dead;
	if (item->notice > a->seen)
		a->seen = item->notice;
}

/* False: nothing follows it for now. */
static bool arrive(struct world *w, struct connection *c, struct item *item)
{
	if (item->kind == ITEM_DELIVERY)
		return deliver(w, c, item);
	if (c->half_open)
		return true;
	if (item->kind == ITEM_NOTICE && item->notice > c->actor->seen)
		c->actor->seen = item->notice;
	else if (item->kind == ITEM_OUTCOME)
		hear_outcome(w, c, item);
	else if (item->kind == ITEM_ANSWER && item->status == ACK_RECEIVED)
		w->parcels[item->parcel].acked = item->life;
	else if (item->kind == ITEM_ECHO && item->status == ACK_PROCESSED)
		w->parcels[item->parcel].processed = item->life;
	return true;
}

bool connection_release(struct world *w, struct connection *c)
{
	bool slow = has_trouble(w, TROUBLE_DEAF) && chance(w, 2);
	uint64_t most = slow ? between(w, 0, 3) : UINT64_MAX;

	if (c->deaf)
		return true;
	while (most-- > 0 && !STAILQ_EMPTY(&c->items)) {
		if (has_trouble(w, TROUBLE_RELEASE) && chance(w, 150))
			return false;
		if (!arrive(w, c, STAILQ_FIRST(&c->items)))
			break;
		item_free(c);
	}
	return true;
}
