/* confirm.c - the model's confirmations, and the targets that send them (protocol.md section 11) */
#include <string.h>

#include "base/digest.h"
#include "sim.h"
#include "wire/encode.h"

/* The fate that a confirmation of the parcel's id belongs to: a copy shares its parent's. */
static struct fate *holder_of(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];

	for (int p = 0; p < w->parcel_count; p++) {
		struct fate *g = &w->model.fates[p];

		if (g->confirming.there && w->parcels[p].route == w->parcels[parcel].route &&
		    g->id == f->id)
			return g;
	}
	return NULL;
}

static bool is_awaited_at_all(const struct world *w, int parcel)
{
	return route_of(w, parcel)->confirm && !is_derived(w, parcel) &&
	    w->model.fates[parcel].end.accepted > 0;
}

/* The batch has been processed. */
void confirming_begin(struct world *w, int parcel)
{
	struct fate *f = &w->model.fates[parcel];
	struct confirming *k = &f->confirming;

	if (!is_awaited_at_all(w, parcel)) {
		k->there = false;
		return;
	}
	if (!k->there)
		*k = (struct confirming){ .there = true };
	k->state = CONFIRM_AWAITED;
	k->due_ms = w->now_ms + route_of(w, parcel)->confirm_timeout_ms;
	k->record_count = f->end.accepted;
	k->holder = f->holder;
	k->holder_number = f->holder_number;
	if ((uint64_t)k->told >= k->record_count)
		k->state = CONFIRM_COMPLETE;
}

void confirming_forget_early(struct world *w, int parcel)
{
	struct confirming *k = &w->model.fates[parcel].confirming;

	if (k->state == CONFIRM_EARLY)
		k->there = false;
}

void confirming_recover(struct world *w)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (!route_of(w, p)->confirm)
			confirming_forget_early(w, p);
}

unsigned confirming_expire(struct world *w)
{
	unsigned late = 0;

	row_check_all(w);
	for (int p = 0; p < w->parcel_count; p++) {
		struct fate *f = &w->model.fates[p];
		struct confirming *k = &f->confirming;
		const struct party *holder = &w->model.parties[k->holder < 0 ? 0 : k->holder];

		if (!k->there || k->state != CONFIRM_AWAITED || k->due_ms > w->now_ms)
			continue;
		trace(w, "  the confirmation of batch %d is late", p);
		fate_touch(w, p);
		k->state = CONFIRM_AMBIGUOUS;
		late++;
		errors_make(w, p, INT_DELIVERY_006);
		notice_add(w, w->model.rows[f->row].source, p, false, 0);
		k->warning_owed = holder->connected && holder->number == k->holder_number;
	}
	return late;
}

void confirming_check(struct world *w, int parcel)
{
	const struct fate *f = &w->model.fates[parcel];
	const struct confirming *k = &f->confirming;
	struct confirmation is;

	if (!k->there)
		return;
	if (store_confirm_get(w->store, w->route_numbers[w->parcels[parcel].route], f->id, &is) != 0)
		broke(w, "what was confirmed of batch %d is forgotten", parcel);
	if (is.state != k->state || (k->state == CONFIRM_AWAITED && is.due_ms != k->due_ms))
		broke(w, "the confirmation of batch %d is in state %d, due %llu", parcel, is.state,
		    (unsigned long long)is.due_ms);
	if (is.delivered + is.failed + is.dlq != (uint64_t)k->told ||
	    is.failed + is.dlq != (uint64_t)k->bad || is.record_count != k->record_count)
		broke(w, "of batch %d %llu + %llu + %llu records are confirmed", parcel,
		    (unsigned long long)is.delivered, (unsigned long long)is.failed,
		    (unsigned long long)is.dlq);
	if (k->state != CONFIRM_EARLY &&
	    (is.source != party_number(w, w->model.rows[f->row].source) ||
	        is.holder != k->holder_number))
		broke(w, "the confirmation of batch %d is of other instances", parcel);
}

/* --- a part ---------------------------------------------------------------------------------- */

struct part {
	int parcel;
	struct message_record_delivery results[RECORDS_MAX + 1];
	int slots[RECORDS_MAX + 1];	/* in struct confirming */
	char ids[RECORDS_MAX + 1][32];
	size_t count;
};

static bool take_record(struct confirming *k, int slot, enum record_delivery status)
{
	int8_t *was = &k->records[slot];

	if (*was ? *was == 1 + (int)status : (uint64_t)k->told >= k->record_count)
		return false;
	k->told += *was == 0;
	k->bad += (status != RECORD_DELIVERED) - (*was > 1 + RECORD_DELIVERED);
	*was = (int8_t)(1 + (int)status);
	return true;
}

/* Whether it says something new. */
static bool collect(struct world *w, const struct part *t, int parcel)
{
	struct fate *f = fate_touch(w, parcel), *kept = holder_of(w, parcel);
	bool ended = f->state == BATCH_ENDED, news = false;
	struct confirming *k = kept ? &kept->confirming : &f->confirming;
	struct confirming fresh = { .state = CONFIRM_EARLY, .holder = NOBODY,
		.record_count = f->records };

	if (kept && k->state == CONFIRM_COMPLETE && k->bad == 0)
		return false;
	if (!kept && (ended || !route_of(w, parcel)->confirm))
		return true;
	if (kept)
		fresh = *k;
	for (size_t n = 0; n < t->count; n++)
		news |= take_record(&fresh, t->slots[n], t->results[n].status);
	if (!news)
		return false;
	fresh.there = true;
	if (fresh.state != CONFIRM_EARLY && (uint64_t)fresh.told >= fresh.record_count)
		fresh.state = CONFIRM_COMPLETE;
	*k = fresh;
	return true;
}

uint32_t stripped_crc(struct world *w, const struct frame *f)
{
	struct buf body;
	uint32_t crc;

	buf_init(&body, 0);
	if (message_strip(&body, f->data, f->len) != 0)
		broke(w, "a message cannot be stripped");
	crc = crc32c(0, buf_bytes(&body), body.len);
	buf_finish(&body);
	return crc;
}

static bool is_delivered(const struct world *w, int parcel)
{
	const struct fate *f;

	if (parcel == NOBODY)
		return false;
	f = &w->model.fates[parcel];
	return f->state == BATCH_ENDED || (is_in_custody(f) && f->attempt != 0);
}

static enum error_code judge(struct world *w, const struct part *t, int module, int *known)
{
	row_check_all(w);
	*known = w->model.owner[w->parcels[t->parcel].root];
	if (!is_delivered(w, *known) || module_of(w, route_of(w, t->parcel)->target) != module ||
	    t->count > w->model.fates[*known].records)
		return INT_PROTOCOL_005;
	return INT_NONE;
}

/* Which records, in which order, and what came of each: never one twice. */
static void draw_part(struct world *w, struct part *t)
{
	uint32_t records = w->parcels[t->parcel].records;
	bool stranger = chance(w, 12);
	static const char *const places[] = { "somewhere", "a lake", "nowhere" };

	for (uint32_t n = 0; n < records; n++) {
		if (chance(w, 3))
			continue;
		t->slots[t->count] = (int)n;
		message_record_id(w->parcels[t->parcel].mark, n, t->ids[t->count++]);
	}
	if (t->count == 0 || stranger) {
		t->slots[t->count] = RECORDS_MAX;
		strcpy(t->ids[t->count++], "nobody");
	}
	for (size_t n = 0; n < t->count; n++)
		t->results[n] = (struct message_record_delivery){
			.record_id = span_of(t->ids[n]),
			.destination_id = span_of(places[between(w, 0, 2)]),
			.status = chance(w, 4) ? (enum record_delivery)between(w, 1, 2)
			                       : RECORD_DELIVERED,
			.delivered_at_us = (int64_t)w->now_ms * 1000,
		};
}

static void send_part(struct world *w, struct actor *a, const struct part *t)
{
	struct frame *f = message_confirmation(w, t->parcel, t->results, t->count);
	static struct model before;
	struct fault fault = { .code = INT_NONE };
	enum error_code code;
	struct message m;
	int known;

	message_read(w, f, &m);
	code = judge(w, t, a->module, &known);
	trace(w, "party %d confirms %zu records of batch %d, error %d", a->party, t->count,
	    t->parcel, code);
	before = w->model;
	if (code == INT_NONE && collect(w, t, known)) {
		struct fate *k = &w->model.fates[known];
		int source = k->state == BATCH_ENDED ? w->model.rows[k->row].source : k->source;
		/* an instance that is forgotten is told nothing */
		if (w->model.parties[source].known &&
		    (k->state == BATCH_ENDED ||
		        w->model.parties[source].number == k->source_number))
			notice_add(w, source, known, true, stripped_crc(w, f));
		breaker_confirmed(w, a->module, t->results, t->count);
	}
	bool taken = core_confirm(w->core, a->connection->instance, &m, f, &fault);
	if (!taken && code == INT_NONE && fault.code == INT_STORE_001 &&
	    w->plan.troubles[TROUBLE_FULL_STORE]) {
		w->model = before;
	} else if (taken != (code == INT_NONE) || fault.code != code) {
		broke(w, "a confirmation of batch %d meets error %d, not %d", t->parcel, fault.code,
		    code);
	}
	if (!taken)
		errors_refuse(w, fault.code);
	frame_unref(f);
	check_touched(w);
}

bool target_confirm(struct world *w)
{
	struct actor *a = &w->actors[between(w, 0, (uint64_t)w->actor_count - 1)];
	struct part t = { .count = 0 };

	if (!has_trouble(w, TROUBLE_CONFIRM) || !a->connection || w->parcel_count == 0)
		return false;
	if (a->past_count > 0 && !chance(w, 4))
		t.parcel = a->past[between(w, 0, a->past_count < PAST_MAX ? a->past_count - 1
							: PAST_MAX - 1)].parcel;
	else if (a->held_count > 0 && chance(w, 2))
		t.parcel = a->held[0].parcel;
	else
		t.parcel = (int)between(w, 0, (uint64_t)w->parcel_count - 1);
	if (!w->model.fates[t.parcel].known)
		return false;
	broker_begin(w);
	draw_part(w, &t);
	send_part(w, a, &t);
	return true;
}
