/* target.c - what targets do with what they hold: answer, late, wrongly; complete it */
#include "sim.h"

void actor_let_go(struct actor *a, int n)
{
	a->past[a->past_count++ % PAST_MAX] = a->held[n];
	a->held[n] = a->held[--a->held_count];
}

static struct actor *pick_actor(struct world *w, bool holding)
{
	int start = (int)between(w, 0, (uint64_t)w->actor_count - 1);

	for (int n = 0; n < w->actor_count; n++) {
		struct actor *a = &w->actors[(start + n) % w->actor_count];

		if (a->connection && (holding ? a->held_count > 0 : a->past_count > 0))
			return a;
	}
	return NULL;
}

/* --- one answer ------------------------------------------------------------------------------ */

static void answer(struct world *w, struct actor *a, const struct reply *r)
{
	struct connection *c = a->connection;
	struct judgement j;
	struct ack_answer out;
	struct message m;
	struct frame *f;

	broker_begin(w);
	f = message_reply(w, r);
	message_read(w, f, &m);
	oracle_answer(w, a->module, a->party, r, &m.ack, &j);
	if (j.code == INT_DELIVERY_005)
		errors_refuse_answer(w, a->module, a->party, &m);
	if (j.code != INT_NONE)
		errors_refuse(w, j.code);
	trace(w, "party %d answers batch %d, lease %llu: %s %llu + %llu; error %d, echo=%d",
	    a->party, r->parcel, (unsigned long long)r->lease, ack_status_name(r->status),
	    (unsigned long long)r->accepted, (unsigned long long)r->rejected, j.code, j.echo);
	/* then all of it is kept, and not the rejected records alone: letter.c finds out */
	disk_lack_piece(has_trouble(w, TROUBLE_NO_PIECE) && chance(w, 4));
	core_acknowledge(w->core, c->instance, &m, &out);
	disk_lack_piece(false);
	frame_unref(f);
	if (out.fault.code != j.code || out.echo != j.echo || out.duplicate != j.duplicate)
		broke(w, "%s of batch %d under lease %llu meets error %d, echo=%d, duplicate=%d; "
		    "not %d, %d, %d", ack_status_name(r->status), r->parcel,
		    (unsigned long long)r->lease, out.fault.code, out.echo, out.duplicate, j.code,
		    j.echo, j.duplicate);
	check_touched(w);
	if (j.echo && !j.duplicate)
		c->signs.ended_ms = w->peer_ms;
	if (j.echo)
		connection_owe(c, &(struct item){ .kind = ITEM_ECHO,
		    .parcel = r->parcel,
		    .status = r->status,
		    .life = w->model.fates[r->parcel].life });
}

static struct reply reply_to(const struct world *w, struct grip g, enum ack_status status)
{
	const struct parcel *p = &w->parcels[g.parcel];

	return (struct reply){
		.batch_id = p->batch_id,
		.parcel = g.parcel,
		.lease = g.lease,
		.status = status,
		.accepted = status == ACK_REJECTED ? 0 : p->records,
		.rejected = status == ACK_REJECTED ? p->records : 0,
	};
}

static void spoil(struct world *w, struct reply *r)
{
	if (chance(w, 3)) {
		r->accepted += between(w, 1, 3);
		return;
	}
	r->record_errors = (int)r->rejected;
	switch (between(w, 0, 3)) {
	case 0:
		r->names_stranger = true;
		break;
	case 1:
		r->names_twice = true;
		break;
	case 2:
		r->names_none = true;
		break;
	default:
		r->record_errors++;
	}
}

static struct reply draw_reply(struct world *w, struct grip g, unsigned reject_one_in)
{
	struct reply r = reply_to(w, g, chance(w, 4) ? ACK_RECEIVED : ACK_PROCESSED);
	uint32_t records = w->parcels[g.parcel].records;

	if (has_trouble(w, TROUBLE_REJECT) && chance(w, reject_one_in)) {
		r = reply_to(w, g, ACK_REJECTED);
		r.has_transient = !chance(w, 4);
		r.has_unknown = chance(w, 6);
		r.has_permanent = (!r.has_transient && !chance(w, 8)) || chance(w, 6);
		r.record_errors = chance(w, 4) ? (int)between(w, 1, records) : 0;
	} else if (r.status == ACK_PROCESSED && has_trouble(w, TROUBLE_PARTIAL) && chance(w, 3) &&
	    w->parcel_count < PARCELS_MAX - COMPLETES_MAX - 1) {
		r.rejected = between(w, 1, records);
		r.accepted = records - r.rejected;
		r.record_errors = (int)(has_trouble(w, TROUBLE_NAMED) && chance(w, 2)
		        ? r.rejected : between(w, 0, r.rejected - 1));
	}
	if (r.status == ACK_PROCESSED && has_trouble(w, TROUBLE_UNSOUND) && chance(w, 6))
		spoil(w, &r);
	r.has_transient |= r.status == ACK_PROCESSED && chance(w, 20);	/* a remark */
	r.long_errors = chance(w, 20);
	r.has_field = chance(w, 3);
	return r;
}

/* --- actions --------------------------------------------------------------------------------- */

bool target_answer(struct world *w)
{
	struct actor *a = pick_actor(w, true);
	struct reply r;
	int n;

	if (!a || (has_trouble(w, TROUBLE_MUTE) && !chance(w, 4)))
		return false;
	n = (int)between(w, 0, (uint64_t)a->held_count - 1);
	if (has_trouble(w, TROUBLE_POISON) && w->parcels[a->held[n].parcel].poison &&
	    !a->connection->half_open) {
		link_cut(w, a->connection, LEAVE_LOST);
		actor_let_go(a, n);
		return true;
	}
	r = draw_reply(w, a->held[n], 3);
	answer(w, a, &r);
	if (r.status != ACK_RECEIVED)
		actor_let_go(a, n);
	return true;
}

static bool still_counts(const struct world *w, struct grip g)
{
	const struct fate *f = &w->model.fates[g.parcel];

	return is_in_custody(f) && f->lease == g.lease;
}

/* The latest ones are often current still; one that is, is rarer than one that is not. */
static struct grip draw_past(struct world *w, const struct actor *a)
{
	unsigned most = a->past_count < PAST_MAX ? a->past_count : PAST_MAX;

	for (unsigned n = 0; n < most && chance(w, 2); n++)
		if (still_counts(w, a->past[n]))
			return a->past[n];
	unsigned back = (unsigned)between(w, 1, chance(w, 2) && most > 3 ? 3 : most);

	return a->past[(a->past_count - back) % PAST_MAX];
}

/* Whoever presents the current lease may answer: another actor of the module, or the same later. */
static bool answer_for(struct world *w, const struct actor *a, struct grip g)
{
	struct actor *other = NULL;
	struct reply r;

	for (int n = 0; n < w->actor_count; n++)
		if (w->actors[n].module == a->module && w->actors[n].connection &&
		    (!other || chance(w, 2)))
			other = &w->actors[n];
	if (!other)
		return false;
	/* what was given back waits though it has not failed: that is rare */
	r = draw_reply(w, g, w->model.fates[g.parcel].state == BATCH_WAITING ? 1 : 2);
	answer(w, other, &r);
	return true;
}

/* An answer that was given already, or comes after the delivery was lost. */
bool target_late(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];

	if (a->past_count == 0 || !(has_trouble(w, TROUBLE_LATE) || has_trouble(w, TROUBLE_AGAIN)))
		return false;
	return answer_for(w, a, draw_past(w, a));
}

/* The actor has just gone: somebody finds its leases in its log. */
void target_take_over(struct world *w, struct actor *a)
{
	if (a->held_count > 0)
		answer_for(w, a, a->held[0]);
	else if (a->past_count > 0)
		answer_for(w, a, a->past[(a->past_count - 1) % PAST_MAX]);
}

/* Leases rise by one: a delivery that is on its way is easily guessed by its target. */
static bool guess(struct world *w, struct actor *a)
{
	int start = (int)between(w, 0, (uint64_t)w->parcel_count - 1);

	for (int n = 0; n < w->parcel_count; n++) {
		int p = (start + n) % w->parcel_count;
		const struct fate *f = &w->model.fates[p];

		if (f->state != BATCH_ASSIGNED || f->begun ||
		    module_of(w, route_of(w, p)->target) != a->module)
			continue;
		struct reply r = draw_reply(w, (struct grip){ p, f->lease }, 3);
		answer(w, a, &r);
		return true;
	}
	return false;
}

/* What another module holds is not this one's to end. */
static bool meddle(struct world *w, struct actor *a)
{
	for (int n = 0; n < w->actor_count; n++) {
		const struct actor *other = &w->actors[n];

		if (other->module == a->module || other->held_count == 0 || chance(w, 2))
			continue;
		struct reply r = reply_to(w, other->held[0], ACK_PROCESSED);
		answer(w, a, &r);
		return true;
	}
	return false;
}

/* A lease that nobody was given, of a batch that there is; or that of another batch. */
bool target_stale(struct world *w)
{
	struct actor *a = pick_actor(w, false);
	int parcel;
	struct reply r;

	if (!a || !has_trouble(w, TROUBLE_STALE))
		return false;
	if (chance(w, 2))
		return chance(w, 2) ? guess(w, a) : meddle(w, a);
	parcel = (int)between(w, 0, (uint64_t)w->parcel_count - 1);
	r = reply_to(w, (struct grip){ parcel, w->top_lease + 100000 },
	    chance(w, 2) ? ACK_PROCESSED : ACK_REJECTED);
	if (chance(w, 2) && a->past[0].parcel != parcel)
		r.lease = a->past[0].lease;
	answer(w, a, &r);
	return true;
}

/* --- atomic stages --------------------------------------------------------------------------- */

static int route_from(const struct world *w, int module)
{
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		if (module_of(w, w->plan.routes[r].source) == module)
			return (int)r;
	return NOBODY;
}

static void add_completion(struct world *w, struct parcel *p, struct grip g)
{
	for (int n = 0; n < p->complete_count; n++)
		if (p->completes[n].lease == g.lease)
			return;
	p->completes[p->complete_count++] = (struct completion){
		.parcel = g.parcel,
		.lease = g.lease,
		.rejected = has_trouble(w, TROUBLE_PARTIAL) && chance(w, 5) ? 1 : 0,
		.unsound = has_trouble(w, TROUBLE_UNSOUND) && chance(w, 8),
	};
}

/* What the actor holds, and at times what it has lost: then the whole stage must be refused. */
bool target_stage(struct world *w)
{
	struct actor *a = pick_actor(w, true);
	int route = a ? route_from(w, a->module) : NOBODY;
	struct verdict v;
	struct parcel *p;
	int parcel;

	if (route == NOBODY || w->parcel_count >= PARCELS_TROUBLED_MAX)
		return false;
	parcel = parcel_make(w, route, a);
	p = &w->parcels[parcel];
	for (uint64_t n = between(w, 1, COMPLETES_MAX); n > 0; n--)
		add_completion(w, p, a->held[between(w, 0, (uint64_t)a->held_count - 1)]);
	if (a->past_count > 0 && has_trouble(w, TROUBLE_LATE) && chance(w, 5) &&
	    p->complete_count < COMPLETES_MAX)
		add_completion(w, p, a->past[0]);
	p->correlation = w->parcels[p->completes[0].parcel].correlation;
	source_offer(w, a->connection, parcel, FLAW_NONE, &v);
	for (int n = 0; v.status == ACK_RECEIVED && n < p->complete_count; n++)
		for (int k = a->held_count - 1; k >= 0; k--)
			if (a->held[k].lease == p->completes[n].lease)
				actor_let_go(a, k);
	return true;
}

/* Faults have stopped: everything that is held is processed. */
void target_settle(struct world *w, struct actor *a)
{
	while (a->connection && a->held_count > 0) {
		struct reply r = reply_to(w, a->held[0], ACK_PROCESSED);

		answer(w, a, &r);
		actor_let_go(a, 0);
	}
}
