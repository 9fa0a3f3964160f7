/* source.c - what sources do: send, send again, send something wrong */
#include "sim.h"

/* A connected actor that is a source of the route, whichever comes up. */
static struct actor *sender(struct world *w, int route)
{
	int module = module_of(w, w->plan.routes[route].source);
	int start = (int)between(w, 0, (uint64_t)w->actor_count - 1);

	for (int n = 0; n < w->actor_count; n++) {
		struct actor *a = &w->actors[(start + n) % w->actor_count];

		if (a->module == module && a->connection)
			return a;
	}
	return NULL;
}

/*
 * A store is full in two ways: of bytes, and of pieces. So it is filled with batches of one size,
 * and when it has been full, and some have left, larger ones come, for which the gaps are too
 * small.
 */
static uint32_t draw_padding(struct world *w)
{
	if (has_trouble(w, TROUBLE_FULL_STORE) && (w->was_full || !chance(w, 8)))
		return w->was_full && chance(w, 2) ? (uint32_t)between(w, 1700000, 2000000)
		    : (uint32_t)between(w, 240000, 250000);
	return chance(w, 8) ? (uint32_t)between(w, 3000, 20000) : (uint32_t)between(w, 0, 200);
}

/* Mostly a new one; sources make several batches of one thing, too. */
static int draw_correlation(struct world *w)
{
	if (w->parcel_count == 0 || !chance(w, 5))
		return w->parcel_count;
	return w->parcels[between(w, 0, (uint64_t)w->parcel_count - 1)].correlation;
}

int parcel_make(struct world *w, int route, struct actor *a)
{
	struct parcel *p = &w->parcels[w->parcel_count];
	uint64_t gap = has_trouble(w, TROUBLE_BROKEN) && chance(w, 6) ? between(w, 1, 4) : 0;

	*p = (struct parcel){
		.route = route,
		.kind = KIND_SENT,
		.parent = NOBODY,
		.root = w->parcel_count,
		.mark = w->parcel_count,
		.correlation = draw_correlation(w),
		.has_summary = chance(w, 6),
		.records = (uint32_t)between(w, 1, RECORDS_MAX),
		.padding = draw_padding(w),
		.critical = chance(w, 4),
		.poison = has_trouble(w, TROUBLE_POISON) && chance(w, 8),
	};
	rng_bytes(&w->rng, p->batch_id.b, sizeof p->batch_id.b);
	p->sequence_number = a->next_sequence[route] + gap;
	a->next_sequence[route] = p->sequence_number + 1;
	if (has_trouble(w, TROUBLE_BROKEN) && chance(w, 12))
		p->sequence_number = between(w, 0, p->sequence_number);
	return w->parcel_count++;
}

/* --- offering -------------------------------------------------------------------------------- */

static void check_answer(struct world *w, int parcel, const struct verdict *v,
    const struct offer_answer *out)
{
	if (out->status != v->status || out->duplicate != v->duplicate ||
	    out->fault.code != v->code)
		broke(w, "batch %d is answered %s, duplicate=%d, error %d (%s); not %s, %d, %d",
		    parcel, ack_status_name(out->status), out->duplicate, out->fault.code,
		    out->fault.field_name, ack_status_name(v->status), v->duplicate, v->code);
	if (v->status == ACK_RECEIVED && !v->duplicate &&
	    (out->warning.code == INT_BATCH_004) != v->warned)
		broke(w, "batch %d is answered with warning %d", parcel, out->warning.code);
	if (out->has_end != (v->duplicate && v->status != ACK_RECEIVED))
		broke(w, "batch %d is answered with has_end=%d", parcel, out->has_end);
	if (out->has_end)
		check_end(w, v->known, &w->model.fates[v->known].end, &out->end);
}

/* The model goes first, so that what the core calls back meets it as it must be. */
static void offer(struct world *w, struct connection *c, int parcel, enum flaw flaw,
    struct frame *f, struct verdict *v)
{
	static struct model before;
	struct offer_answer out;
	struct message m;

	message_read(w, f, &m);
	oracle_offer(w, c->party, parcel, flaw, f, v);
	before = w->model;
	oracle_offered(w, c->party, parcel, f, v);
	w->offering = parcel;
	w->offered = f;
	if (has_trouble(w, TROUBLE_NO_PIECE) && chance(w, 8)) {
		disk_lack_piece(true);
		v->may_be_full |= v->status == ACK_RECEIVED && !v->duplicate;
	}
	core_offer(w->core, c->instance, &m, f, &out);
	disk_lack_piece(false);
	w->offering = NOBODY;
	if (v->may_be_full && out.fault.code == INT_STORE_001) {
		w->model = before;
		w->was_full = true;
		*v = (struct verdict){ .status = ACK_REJECTED, .code = INT_STORE_001 };
		oracle_offered(w, c->party, parcel, f, v);
	}
	if (v->status == ACK_RECEIVED && !v->duplicate)
		w->parcels[parcel].message_id = m.header.message_id;
	check_answer(w, parcel, v, &out);
}

bool source_offer(struct world *w, struct connection *c, int parcel, enum flaw flaw,
    struct verdict *got)
{
	struct frame *f;
	struct verdict v;

	broker_begin(w);
	f = message_batch(w, parcel, flaw);
	offer(w, c, parcel, flaw, f, &v);
	frame_unref(f);
	if (v.status == ACK_REJECTED && !v.duplicate)
		errors_refuse(w, v.code);
	if (v.warned)
		errors_warn(w, INT_BATCH_004);
	trace(w, "party %d sends batch %d, flaw %d: %s, duplicate=%d, error %d", c->party, parcel,
	    flaw, ack_status_name(v.status), v.duplicate, v.code);
	check_touched(w);
	if (v.status == ACK_REJECTED && route_of(w, parcel)->ordered)	/* that number comes again */
		c->actor->next_sequence[w->parcels[parcel].route] =
		    w->model.parties[c->party].next_sequence[w->parcels[parcel].route];
	connection_owe(c, &(struct item){ .kind = ITEM_ANSWER, .parcel = parcel, .status = v.status,
	    .life = w->model.fates[parcel].life });
	if (got)
		*got = v;
	return true;
}

/* --- actions --------------------------------------------------------------------------------- */

bool source_send(struct world *w)
{
	int route = (int)between(w, 0, w->plan.core.route_count - 1);
	struct actor *a = sender(w, route);

	if (!a || w->parcel_count >= PARCELS_TROUBLED_MAX ||
	    (a->connection->pressed[route] && !chance(w, 4)))	/* it paces itself, mostly */
		return false;
	return source_offer(w, a->connection, parcel_make(w, route, a), FLAW_NONE, NULL);
}

/* What was refused for fullness comes again and again. */
bool source_flood(struct world *w)
{
	int parcel = w->parcel_count - 1;
	struct actor *a = parcel < 0 ? NULL : sender(w, w->parcels[parcel].route);

	if (!a || w->model.fates[parcel].life > 0 || is_derived(w, parcel) || chance(w, 4))
		return source_send(w);
	return source_offer(w, a->connection, parcel, FLAW_NONE, NULL);
}

/* Only what a source has sent, and not while another life of it is remembered. */
static bool may_come_again(struct world *w, int parcel)
{
	row_check_all(w);
	return w->parcels[parcel].kind == KIND_SENT &&
	    (w->model.owner[parcel] != NOBODY || !w->model.fates[parcel].known);
}

/* A batch that history has forgotten, and of which a letter of all of it is left. */
static int draw_outlived(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++) {
		int root = w->parcels[p].root;

		if (w->parcels[p].kind == KIND_COPY && w->model.fates[p].known &&
		    w->model.owner[root] == NOBODY && w->parcels[root].kind == KIND_SENT)
			return root;
	}
	return NOBODY;
}

/* One that has heard no RECEIVED sends again anyway; another does without need. */
bool source_repeat(struct world *w)
{
	int parcel = w->parcel_count ? (int)between(w, 0, (uint64_t)w->parcel_count - 1) : NOBODY;
	int outlived = draw_outlived(w);
	struct actor *a;

	if (outlived != NOBODY && chance(w, 2))
		parcel = outlived;
	a = parcel == NOBODY ? NULL : sender(w, w->parcels[parcel].route);
	if (!a || !may_come_again(w, parcel) ||
	    (w->parcels[parcel].acked && !has_trouble(w, TROUBLE_REPEAT)))
		return false;
	return source_offer(w, a->connection, parcel, FLAW_NONE, NULL);
}

/* What is wrong leaves no trace: the same batch may come whole later. */
bool source_break(struct world *w)
{
	static const enum flaw broken[] = { FLAW_CHECKSUM, FLAW_COUNT, FLAW_NO_LIST,
					    FLAW_NO_SUMMARY, FLAW_NO_ROUTE };
	static const enum flaw altered[] = { FLAW_OTHER_CONTENT, FLAW_OTHER_COMPLETES };
	int parcel = w->parcel_count ? (int)between(w, 0, (uint64_t)w->parcel_count - 1) : NOBODY;
	struct actor *a = parcel == NOBODY ? NULL : sender(w, w->parcels[parcel].route);
	enum flaw flaw = broken[between(w, 0, 4)];

	if (!a || !may_come_again(w, parcel))
		return false;
	if (has_trouble(w, TROUBLE_ALTER) && chance(w, 2)) {
		flaw = altered[between(w, 0, 1)];
		if (w->model.owner[parcel] == NOBODY)
			return false;
	} else if (!has_trouble(w, TROUBLE_BROKEN)) {
		return false;
	}
	return source_offer(w, a->connection, parcel, flaw, NULL);
}
