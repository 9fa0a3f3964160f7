/* operator.c - a person's hand: on single batches, routes, instances, dead letters */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "sim.h"

/* Some give a reason. */
static const struct hand *draw_hand(struct world *w)
{
	static const struct hand hands[] = { { "sim (uid 0)", "because" }, { "sim (uid 1)", "" } };

	return &hands[between(w, 0, 1)];
}

static const struct route *route_handle(const struct world *w, int route)
{
	return core_route(w->core, (size_t)route);
}

static uint64_t depth_of(const struct world *w, int route, uint64_t *bytes)
{
	uint64_t depth = 0;

	*bytes = 0;
	for (int p = 0; p < w->parcel_count; p++)
		if (w->parcels[p].route == route && is_in_custody(&w->model.fates[p])) {
			depth++;
			*bytes += w->model.fates[p].frame_len;
		}
	return depth;
}

/* --- one batch ------------------------------------------------------------------------------- */

/* Whether the batch_id is the letter's still, or nobody's. */
static bool may_live_again(const struct world *w, int parcel)
{
	int owner = w->model.owner[w->parcels[parcel].root];

	return owner == NOBODY || owner == parcel ||
	    (w->model.fates[owner].state == BATCH_ENDED && w->parcels[parcel].kind == KIND_COPY &&
	        w->model.fates[owner].id == w->model.fates[parcel].id);
}

static enum operated judge_redrive(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];
	const struct route_settings *r = route_of(w, parcel);
	uint64_t bytes, depth = depth_of(w, w->parcels[parcel].route, &bytes);

	if (w->parcels[parcel].corrupt || f->end.code == INT_STORE_002 ||
	    !may_live_again(w, parcel) || f->frame_len > r->queue_capacity_bytes)
		return OPERATED_NEVER;
	if (depth >= r->queue_capacity || bytes + f->frame_len > r->queue_capacity_bytes)
		return OPERATED_NO_ROOM;
	return OPERATED;
}

static enum operated judge(struct world *w, enum operation operation, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];

	if (!f->known || !(operation_states(operation) & 1u << f->state))
		return OPERATED_NOTHING;
	if (operation == OPERATION_HOLD || operation == OPERATION_RELEASE)
		return f->held == (operation == OPERATION_HOLD) ? OPERATED_NOTHING : OPERATED;
	return operation == OPERATION_REDRIVE ? judge_redrive(w, parcel) : OPERATED;
}

/* Whose outcome it will be: the broker's own, when the source is remembered no more. */
static int find_owner(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];
	const struct party *source = &w->model.parties[f->source];

	return source->known && source->number == f->source_number ? f->source
	    : party_of_broker(w, module_of(w, route_of(w, parcel)->source));
}

static void redrive(struct world *w, int parcel)
{
	struct fate *f = &w->model.fates[parcel];

	f->source = find_owner(w, parcel);
	f->source_number = party_number(w, f->source);
	f->state = BATCH_READY;
	f->attempts_before = f->attempt;
	f->failed = f->redelivered = f->tried = true;
	f->answered = f->held = false;
	f->lease = 0;
	f->redrives++;
	f->life++;
	f->row = NOBODY;
	f->deliveries = f->free_deliveries = 0;
	w->model.owner[w->parcels[parcel].root] = parcel;
	w->model.totals[w->parcels[parcel].route].redriven++;
	if (!route_of(w, parcel)->ordered)
		return;
	f->suspect = false;		/* it goes last: under a new id */
	f->order = ++w->model.orders;
	f->id = 0;
	confirming_forget_early(w, parcel);
}

static void purge(struct world *w, int parcel)
{
	struct totals *t = &w->model.totals[w->parcels[parcel].route];
	struct fate *f = &w->model.fates[parcel];

	++*(is_derived(w, parcel) ? &t->derived_purged : &t->purged);
	f->known = false;
	f->state = BATCH_NEW;
	f->row = NOBODY;
	confirming_forget_early(w, parcel);
	if (w->model.owner[w->parcels[parcel].root] == parcel)
		w->model.owner[w->parcels[parcel].root] = NOBODY;
}

static void change(struct world *w, enum operation operation, int parcel)
{
	struct fate *f = fate_touch(w, parcel);

	if (operation == OPERATION_HOLD || operation == OPERATION_RELEASE)
		f->held = operation == OPERATION_HOLD;
	else if (operation == OPERATION_RETRY)
		f->state = BATCH_READY;
	else if (operation == OPERATION_REDRIVE)
		redrive(w, parcel);
	else
		purge(w, parcel);
}

static bool operate(struct world *w, enum operation operation, int parcel)
{
	static const char *const words[] = { "hold", "release", "retry", "redrive", "purge" };
	const struct parcel *p = &w->parcels[parcel];
	bool lacks = has_trouble(w, TROUBLE_NO_PIECE) && chance(w, 4);
	enum operated expected, got;
	char why[256] = "";

	broker_begin(w);
	expected = judge(w, operation, parcel);
	disk_lack_piece(lacks);
	got = core_operate(w->core, operation, route_handle(w, p->route), w->model.fates[parcel].id,
	    draw_hand(w), why, sizeof why);
	disk_lack_piece(false);
	trace(w, "operator: %s batch %d: %d %s", words[operation], parcel, got, why);
	if (expected == OPERATED && got == OPERATED_NO_ROOM && operation == OPERATION_REDRIVE &&
	    route_of(w, parcel)->ordered && (lacks || w->plan.troubles[TROUBLE_FULL_STORE])) {
		find_owner(w, parcel);
		return false;
	}
	if (got != expected || (got != OPERATED && !*why))
		broke(w, "%s of batch %d (%s): %d, not %d (%s)", words[operation], parcel,
		    batch_state_name(w->model.fates[parcel].state), got, expected, why);
	if (got == OPERATED)
		change(w, operation, parcel);
	check_touched(w);
	return got == OPERATED;
}

static int draw_parcel(struct world *w, unsigned states)
{
	int start = w->parcel_count ? (int)between(w, 0, (uint64_t)w->parcel_count - 1) : 0;

	for (int n = 0; n < w->parcel_count; n++) {
		int p = (start + n) % w->parcel_count;

		if (w->model.fates[p].known && (states & 1u << w->model.fates[p].state))
			return p;
	}
	return NOBODY;
}

/* Whether the letter that shares the id of an ended batch stands there: it is meant then. */
static bool has_letter(const struct world *w, int parcel)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (p != parcel && w->model.fates[p].known &&
		    w->model.fates[p].state != BATCH_ENDED &&
		    w->parcels[p].route == w->parcels[parcel].route &&
		    w->model.fates[p].id == w->model.fates[parcel].id)
			return true;
	return false;
}

bool operator_act(struct world *w)
{
	enum operation operation = (enum operation)between(w, 0, OPERATION_COUNT - 1);
	unsigned states = chance(w, 6) ? ~0u : operation_states(operation);
	int parcel = draw_parcel(w, states);

	if (!has_trouble(w, TROUBLE_OPERATOR) || parcel == NOBODY ||
	    (w->model.fates[parcel].state == BATCH_ENDED && has_letter(w, parcel)))
		return false;
	operate(w, operation, parcel);
	return true;
}

/* --- routes, the broker, instances ------------------------------------------------------------ */

static void pause(struct world *w, int route, bool on)
{
	broker_begin(w);
	trace(w, "operator: route %s is %s", w->plan.routes[route].name, on ? "paused" : "resumed");
	if (core_pause(w->core, route_handle(w, route), on, draw_hand(w)) != (w->model.paused[route] != on))
		broke(w, "route %s cannot be paused or resumed", w->plan.routes[route].name);
	if (w->model.paused[route] != on)
		w->model.halted[route] = false;
	w->model.paused[route] = on;
}

bool operator_halt(struct world *w)
{
	if (!has_trouble(w, TROUBLE_HALT))
		return false;
	if (chance(w, 4)) {
		broker_begin(w);
		w->model.draining = chance(w, 3);
		trace(w, "operator: drains=%d", w->model.draining);
		core_set_draining(w->core, w->model.draining, draw_hand(w));
	} else {
		pause(w, (int)between(w, 0, w->plan.core.route_count - 1), chance(w, 3));
	}
	return true;
}

/* What a target has halted goes on when a person says so. */
bool operator_resume(struct world *w)
{
	int route = (int)between(w, 0, w->plan.core.route_count - 1);

	if (!w->model.halted[route])
		return false;
	pause(w, route, false);
	return true;
}

bool operator_kick(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	bool there = a->connection != NULL;
	char id[32];

	if (!has_trouble(w, TROUBLE_EXPEL) || !chance(w, 2))
		return false;
	broker_begin(w);
	snprintf(id, sizeof id, "instance-%d", a->party);
	trace(w, "operator: party %d is kicked", a->party);
	w->dismissing = there ? a->party : NOBODY;
	w->dismissal = GOODBYE_KICKED;
	if (core_kick(w->core, "NOBODY", span_of(id), draw_hand(w)))
		broke(w, "an instance of no module is kicked");
	if (there)
		party_leave(w, a->party, LEAVE_EXPECTED);
	if (core_kick(w->core, w->plan.modules[a->module].name, span_of(id), draw_hand(w)) != there ||
	    w->dismissing != NOBODY)
		broke(w, "party %d is not kicked", a->party);
	check_touched(w);
	return true;
}

bool operator_settle(struct world *w)
{
	int parcel = draw_parcel(w, ~0u);
	struct fate *f;
	char why[256] = "";
	bool may;

	if (!has_trouble(w, TROUBLE_CONFIRM) || parcel == NOBODY)
		return false;
	f = &w->model.fates[parcel];
	if (!f->confirming.there)
		return false;
	broker_begin(w);
	may = f->confirming.state == CONFIRM_AWAITED || f->confirming.state == CONFIRM_AMBIGUOUS;
	trace(w, "operator: settles batch %d", parcel);
	if ((core_settle_confirmation(w->core, route_handle(w, w->parcels[parcel].route), f->id,
	         draw_hand(w), why, sizeof why) == OPERATED) != may)
		broke(w, "the confirmation of batch %d is %ssettled", parcel, may ? "not " : "");
	if (may)
		fate_touch(w, parcel)->confirming.state = CONFIRM_COMPLETE;
	check_touched(w);
	return true;
}

/* --- dead letters out and in ------------------------------------------------------------------ */

static void forget_export(struct world *w, int n)
{
	frame_unref(w->exports[n].frame);
	free(w->exports[n].errors);
	w->exports[n] = w->exports[--w->export_count];
}

void operator_forget_exports(struct world *w)
{
	while (w->export_count > 0)
		forget_export(w, 0);
}

bool operator_export(struct world *w)
{
	int parcel = draw_parcel(w, 1u << BATCH_DEAD);
	struct export *x = &w->exports[w->export_count];
	const struct fate *f;
	struct batch b;
	struct ended e;
	const uint8_t *p;
	size_t n;

	if (!has_trouble(w, TROUBLE_IMPORT) || parcel == NOBODY || w->export_count == EXPORTS_MAX)
		return false;
	f = &w->model.fates[parcel];
	broker_begin(w);
	if (store_dead_get(w->store, w->route_numbers[w->parcels[parcel].route], f->id, &b, &e) != 0 ||
	    store_payload_get(w->store, f->id, false, &p, &n) != 0)
		broke(w, "dead letter %d cannot be exported", parcel);
	*x = (struct export){ .parcel = parcel, .frame = frame_create(n), .end = f->end,
		.attempt = b.attempt, .redrives = b.redrives, .received_at_us = b.received_at_us,
		.errors = xmalloc(e.errors_len + 1u), .errors_len = e.errors_len,
		.corrupt = w->parcels[parcel].corrupt };
	memcpy(x->frame->data, p, n);
	x->frame->len = n;
	if (e.errors_len)
		memcpy(x->errors, e.errors, e.errors_len);
	w->export_count++;
	trace(w, "operator: exports dead letter %d", parcel);
	operate(w, OPERATION_PURGE, parcel);
	return true;
}

static enum operated judge_import(struct world *w, const struct export *x)
{
	const struct parcel *p = &w->parcels[x->parcel];
	const struct route_settings *r = route_of(w, x->parcel);
	uint64_t letters = 0, bytes = 0;

	row_check_all(w);
	if (x->corrupt)
		return OPERATED_NEVER;
	if (w->model.owner[p->root] != NOBODY)
		return OPERATED_NOTHING;
	for (int n = 0; n < w->parcel_count; n++) {
		const struct fate *f = &w->model.fates[n];

		if (w->parcels[n].route != p->route || !f->known || f->state != BATCH_DEAD)
			continue;
		letters++;
		bytes += f->frame_len;
	}
	return letters >= r->dead_letter_capacity || bytes >= r->dead_letter_capacity_bytes
	    ? OPERATED_NO_ROOM : OPERATED;
}

static void imported(struct world *w, const struct export *x, int64_t received_at_us)
{
	struct parcel *p = &w->parcels[x->parcel];
	struct fate *f = fate_touch(w, x->parcel);
	int owner = party_of_broker(w, module_of(w, route_of(w, x->parcel)->source));

	*f = (struct fate){
		.known = true,
		.state = BATCH_DEAD,
		.life = f->life + 1,
		.order = ++w->model.orders,
		.source = owner,
		.source_number = party_number(w, owner),
		.series = party_number(w, owner),
		.holder = NOBODY,
		.row = NOBODY,
		.attempt = x->attempt,
		.redrives = x->redrives,
		.redelivered = x->attempt > 0,
		.imported = true,
		.tried = true,
		.records = p->records,
		.frame_len = (uint32_t)x->frame->len,
		.frame_crc = crc32c(0, x->frame->data, x->frame->len),
		.received_at_us = received_at_us,
		.end = x->end,
	};
	f->end.notice = f->end.id = f->end.lease = 0;
	f->end.holder_number = 0;
	f->end.received_at_us = received_at_us;
	f->end.attempt = x->attempt;
	f->end.ended_ms = w->now_ms;
	f->end.accepted = 0;
	f->end.rejected = p->records;
	f->end.partial = false;
	f->end.dead = true;
	p->corrupt = false;
	w->model.owner[p->root] = x->parcel;
	w->model.totals[p->route].imported += !is_derived(w, x->parcel);
	w->model.totals[p->route].derived += is_derived(w, x->parcel);
}

/* An import that the store has no room for may have made the broker's own instance. */
static void learn_owner(struct world *w, int module)
{
	struct instance_view v;
	uint32_t number = 0;

	while (core_instance_next(w->core, &number, &v))
		if (!v.id.p && strcmp(v.module, w->plan.modules[module].name) == 0)
			party_of_broker(w, module);
}

static void import(struct world *w, const struct export *x)
{
	bool lacks = has_trouble(w, TROUBLE_NO_PIECE) && chance(w, 3);
	enum operated expected = judge_import(w, x), got;
	int64_t received_at_us = chance(w, 4) ? 0 : x->received_at_us;	/* 0: it is not known */
	struct import in = {
		.frame = x->frame,
		.code = x->end.code,
		.attempt = x->attempt,
		.redrives = x->redrives,
		.received_at_us = received_at_us,
		.derived = is_derived(w, x->parcel),
		.errors = { (const char *)x->errors, x->errors_len },
		.error_count = x->end.error_count,
	};
	struct message m;
	char why[256] = "";

	message_read(w, x->frame, &m);
	in.message = &m;
	disk_lack_piece(lacks);
	got = core_import(w->core, &in, draw_hand(w), why, sizeof why);
	disk_lack_piece(false);
	trace(w, "operator: imports dead letter %d: %d %s", x->parcel, got, why);
	if (expected == OPERATED && got == OPERATED_NO_ROOM &&
	    (lacks || w->plan.troubles[TROUBLE_FULL_STORE])) {
		learn_owner(w, module_of(w, route_of(w, x->parcel)->source));
		return;
	}
	if (got != expected)
		broke(w, "the import of batch %d: %d, not %d (%s)", x->parcel, got, expected, why);
	if (got == OPERATED)
		imported(w, x, received_at_us ? received_at_us : w->wall_us);
	check_touched(w);
}

bool operator_import(struct world *w)
{
	int parcel, n = w->export_count ? (int)between(w, 0, (uint64_t)w->export_count - 1) : NOBODY;

	if (n == NOBODY || (w->model.fates[w->exports[n].parcel].known && !chance(w, 4)))
		return false;
	/* another stands for it: the simulator has one parcel for each */
	if (w->model.fates[w->exports[n].parcel].known &&
	    w->model.owner[w->parcels[w->exports[n].parcel].root] == NOBODY)
		return false;
	parcel = w->exports[n].parcel;
	broker_begin(w);
	import(w, &w->exports[n]);
	if (chance(w, 2))
		forget_export(w, n);
	if (has_trouble(w, TROUBLE_CROWD) && chance(w, 2))
		link_newcomer(w, module_of(w, route_of(w, parcel)->source));
	return true;
}

/* --- and at the end --------------------------------------------------------------------------- */

static bool mend(struct world *w, int p)
{
	const struct fate *f = &w->model.fates[p];

	if (is_in_custody(f) && f->held)
		return operate(w, OPERATION_RELEASE, p);
	if (!f->known || f->state != BATCH_DEAD)
		return false;
	return operate(w, judge_redrive(w, p) == OPERATED_NEVER ? OPERATION_PURGE
	                                                        : OPERATION_REDRIVE, p);
}

bool operator_mend(struct world *w)
{
	bool done = false;

	broker_begin(w);
	for (int r = 0; r < (int)w->plan.core.route_count; r++)
		if (w->model.paused[r])
			pause(w, r, false);
	breaker_mend(w);
	w->model.draining = false;
	core_set_draining(w->core, false, draw_hand(w));
	for (int p = 0; p < w->parcel_count; p++)
		done |= mend(w, p);
	return done;
}
