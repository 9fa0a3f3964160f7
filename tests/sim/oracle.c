/* oracle.c - what an answer must be: protocol.md sections 5 to 8, from the model alone */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

/* --- a batch is offered ---------------------------------------------------------------------- */

static bool needs_summary(const struct route_settings *r)
{
	return strcmp(r->name, "alpha-beta") == 0 || strcmp(r->name, "beta-gamma") == 0;
}

static void refuse(struct verdict *v, enum error_code code)
{
	v->status = ACK_REJECTED;
	v->code = code;
}

static bool is_current(const struct world *w, int parcel, uint64_t lease)
{
	const struct fate *f = &w->model.fates[parcel];

	return is_in_custody(f) && lease != 0 && f->lease == lease;
}

static void judge_known(const struct world *w, int parcel, enum flaw flaw, struct verdict *v)
{
	const struct fate *f = &w->model.fates[v->known];
	enum batch_state state = f->state;

	if (flaw == FLAW_OTHER_CONTENT || flaw == FLAW_NO_LIST || flaw == FLAW_OTHER_COMPLETES || flaw == FLAW_CHECKSUM ||
	    (f->imported && w->parcels[parcel].complete_count > 0)) {
		refuse(v, INT_BATCH_003);
		return;
	}
	v->duplicate = true;
	v->status = ACK_RECEIVED;
	if (state == BATCH_DEAD)
		v->status = ACK_REJECTED;
	else if (state == BATCH_ENDED)
		v->status = ACK_PROCESSED;
}

/* The first that is wrong decides. */
static enum error_code judge_completes(const struct world *w, int party, int parcel)
{
	const struct parcel *p = &w->parcels[parcel];

	for (int n = 0; n < p->complete_count; n++) {
		const struct completion *c = &p->completes[n];
		int target = module_of(w, route_of(w, c->parcel)->target);

		if (target != w->model.parties[party].module || !is_current(w, c->parcel, c->lease))
			return INT_BATCH_005;
		if (c->unsound)
			return INT_PROTOCOL_005;
	}
	return INT_NONE;
}

static bool letters_have_room(const struct world *w, int route)
{
	const struct route_settings *r = &w->plan.routes[route];
	uint64_t letters = 0, bytes = 0;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (w->parcels[p].route != route || !f->known || f->state != BATCH_DEAD)
			continue;
		letters++;
		bytes += f->frame_len;
	}
	return letters < r->dead_letter_capacity && bytes < r->dead_letter_capacity_bytes;
}

static bool route_has_room(const struct world *w, int parcel, size_t len)
{
	const struct parcel *offered = &w->parcels[parcel];
	const struct route_settings *r = route_of(w, parcel);
	uint64_t most = r->queue_capacity, most_bytes = r->queue_capacity_bytes;
	uint64_t depth = 0, bytes = len;

	for (int p = 0; p < w->parcel_count; p++)
		if (w->parcels[p].route == offered->route && is_in_custody(&w->model.fates[p])) {
			depth++;
			bytes += w->model.fates[p].frame_len;
		}
	if (offered->complete_count > 0) {
		most += r->stage_margin;
		most_bytes += FRAME_MAX_BYTES;
		for (int n = 0; n < offered->complete_count; n++)
			most_bytes += w->model.fates[offered->completes[n].parcel].frame_len;
	}
	return depth < most && bytes <= most_bytes;
}

/* The store counts pages and their fragments, the model bytes: from half full on it may refuse. */
static bool store_may_be_full(struct world *w, size_t len)
{
	uint64_t kept = w->plan.core.stage_reserve + store_reserve_bytes(w->store);

	return w->payload_peak + len + kept > STORE_BYTES / 2 ||
	    store_history_bytes(w->store) > w->plan.core.history_size;
}

void oracle_offer(struct world *w, int party, int parcel, enum flaw flaw, const struct frame *f,
    struct verdict *v)
{
	const struct parcel *p = &w->parcels[parcel];
	uint64_t next = w->model.parties[party].next_sequence[p->route];

	*v = (struct verdict){ .status = ACK_RECEIVED };
	row_check_all(w);
	v->known = w->model.owner[parcel];
	if (flaw == FLAW_NO_ROUTE)
		refuse(v, INT_ROUTE_001);
	else if (flaw == FLAW_NO_SUMMARY && needs_summary(route_of(w, parcel)))
		refuse(v, INT_PROTOCOL_005);
	else if (v->known != NOBODY)
		judge_known(w, parcel, flaw, v);
	else if (flaw == FLAW_CHECKSUM)
		refuse(v, INT_BATCH_001);
	else if (flaw == FLAW_COUNT || flaw == FLAW_NO_LIST)
		refuse(v, INT_BATCH_002);
	else if (route_of(w, parcel)->ordered && next != 0 && p->sequence_number != next)
		refuse(v, INT_BATCH_004);
	else if (judge_completes(w, party, parcel) != INT_NONE)
		refuse(v, judge_completes(w, party, parcel));
	else if (!route_has_room(w, parcel, f->len) || !letters_have_room(w, p->route))
		refuse(v, INT_ROUTE_002);
	else
		v->may_be_full = store_may_be_full(w, f->len);
	v->warned = v->status == ACK_RECEIVED && !v->duplicate && next != 0 &&
	    p->sequence_number != next;
}

/* A letter of all of it was told with the same row, and goes with it. */
static void move_copy(struct world *w, int party, int parcel)
{
	for (int p = 0; p < w->parcel_count; p++) {
		struct fate *f = &w->model.fates[p];

		if (p == parcel || w->parcels[p].kind != KIND_COPY || !f->known ||
		    f->state != BATCH_DEAD || f->id != w->model.fates[parcel].id ||
		    w->parcels[p].root != w->parcels[parcel].root)
			continue;
		f->source = party;
		f->source_number = party_number(w, party);
	}
}

/* The outcome is told to whoever sent the batch last, where it is still owed. */
static void move_outcome(struct world *w, int party, int parcel)
{
	struct fate *f = &w->model.fates[parcel];

	if (f->source == party && f->source_number == party_number(w, party))
		return;
	if (!is_in_custody(f)) {
		struct row *r = f->row == NOBODY ? NULL : &w->model.rows[f->row];

		if (!r || r->source == party ||
		    r->end.notice <= w->model.parties[r->source].seen)
			return;
		r->source = party;
		r->end.notice = f->end.notice = 0;
		move_copy(w, party, parcel);
	}
	f->source = party;
	f->source_number = party_number(w, party);
	w->touched[parcel] = true;
}

/* A stage that finds no room for its output is not late with what it made it from. */
static void forgive(struct world *w, int parcel)
{
	const struct parcel *p = &w->parcels[parcel];

	for (int n = 0; n < p->complete_count; n++) {
		const struct fate *f = &w->model.fates[p->completes[n].parcel];

		if (f->state == BATCH_ASSIGNED && w->model.parties[f->holder].connected)
			fate_received(w, p->completes[n].parcel);
	}
}

void oracle_offered(struct world *w, int party, int parcel, const struct frame *frame,
    const struct verdict *v)
{
	const struct parcel *p = &w->parcels[parcel];
	uint64_t *next = &w->model.parties[party].next_sequence[p->route];

	if (v->duplicate)
		move_outcome(w, party, v->known);
	if (v->code == INT_ROUTE_002 || v->code == INT_STORE_001)
		forgive(w, parcel);
	if (v->duplicate || v->status != ACK_RECEIVED)
		return;
	fate_take(w, parcel, party, frame);
	if (p->sequence_number >= *next)
		*next = p->sequence_number + 1;
	for (int n = 0; n < p->complete_count; n++)
		fate_process(w, p->completes[n].parcel, party, p->completes[n].rejected, false);
}

/* --- a target answers ------------------------------------------------------------------------ */

static bool is_repeat(const struct fate *f, const struct reply *r)
{
	if (f->lease != r->lease)
		return false;
	return (f->state == BATCH_ENDED && r->status == ACK_PROCESSED) ||
	    (f->state == BATCH_DEAD && r->status == ACK_REJECTED) ||
	    (is_in_custody(f) && f->answered && r->status == ACK_REJECTED);
}

static bool is_sound(const struct world *w, int parcel, const struct reply *r)
{
	uint64_t records = w->model.fates[parcel].records;

	return r->accepted <= records && records - r->accepted == r->rejected &&
	    (uint64_t)r->record_errors <= r->rejected &&
	    !(r->record_errors > 0 && (r->names_stranger || r->names_none)) &&
	    !(r->record_errors > 1 && r->names_twice);
}

static bool holds(const struct fate *f, int party)
{
	return f->state == BATCH_ASSIGNED && f->holder == party;
}

static void keep_errors(struct fate *f, struct world *w, const struct message_ack *a)
{
	if (f->row == NOBODY)
		return;
	f->end.errors_crc = errors_crc(a, &f->end.error_count);
	w->model.rows[f->row].end.error_count = f->end.error_count;
	w->model.rows[f->row].end.errors_crc = f->end.errors_crc;
}

/* Section 6: an error that may pass, and none that makes the batch itself hopeless. */
static void reject(struct world *w, int parcel, const struct reply *r, const struct message_ack *a)
{
	struct fate *f = &w->model.fates[parcel];
	bool may_pass = r->has_transient;
	struct span said = a->error_count ? a->errors[0].error_code : (struct span){ NULL, 0 };

	for (size_t n = 0; n < a->error_count; n++)	/* what is UNKNOWN says it itself */
		may_pass |= a->errors[n].recoverability == RECOVERABILITY_UNKNOWN &&
		    a->errors[n].retry_eligible;

	f->answered = f->redelivered = true;
	if (may_pass && !r->has_permanent)
		fate_fail(w, parcel, INT_NONE, said);
	else
		fate_bury(w, parcel, INT_DELIVERY_004, said);
}

static bool names_all(const struct reply *r)
{
	return (uint64_t)r->record_errors == r->rejected;
}

void oracle_answer(struct world *w, int module, int party, const struct reply *r,
    const struct message_ack *a, struct judgement *j)
{
	int p;
	struct fate *f;

	row_check_all(w);
	/* under one batch_id there may be several; the lease tells which, or none is current */
	p = w->model.owner[w->parcels[r->parcel].root];
	*j = (struct judgement){ .code = INT_DELIVERY_005, .parcel = p };
	if (p == NOBODY || module_of(w, route_of(w, p)->target) != module)
		return;
	f = &w->model.fates[p];
	if (is_repeat(f, r)) {
		*j = (struct judgement){ .echo = true, .duplicate = true, .parcel = p };
		return;
	}
	if (!is_current(w, p, r->lease) || (r->status == ACK_RECEIVED && !holds(f, party)))
		return;
	j->code = INT_NONE;
	if (r->status == ACK_RECEIVED) {
		fate_received(w, p);
		return;
	}
	if (r->status == ACK_PROCESSED && !is_sound(w, p, r)) {
		j->code = INT_PROTOCOL_005;
		return;
	}
	j->echo = true;
	errors_hear_answer(w, module, party, p, a);
	breaker_heard(w, module, a->errors, a->error_count);
	if (r->status == ACK_REJECTED)
		reject(w, p, r, a);
	else
		fate_process(w, p, party, r->rejected, names_all(r));
	keep_errors(f, w, a);
}
