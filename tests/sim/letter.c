/* letter.c - the model's letters that the broker makes: of rejected records, of partly done batches */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

/* Called before the parent has ended. */
void letter_expect(struct world *w, int parcel, bool named)
{
	const struct parcel *parent = &w->parcels[parcel];
	int module = module_of(w, route_of(w, parcel)->source);
	int letter = w->parcel_count++;
	struct fate *f;

	if (letter >= PARCELS_MAX)
		broke(w, "the simulator has no room for another letter");
	w->parcels[letter] = *parent;
	w->parcels[letter].kind = named ? KIND_REJECTS : KIND_COPY;
	w->parcels[letter].parent = parcel;
	w->parcels[letter].complete_count = 0;
	w->parcels[letter].acked = w->parcels[letter].processed = w->parcels[letter].told = 0;
	memset(w->parcels[letter].confirmed, 0, sizeof parent->confirmed);
	party_of_broker(w, module);
	f = fate_touch(w, letter);
	*f = w->model.fates[parcel];
	f->state = BATCH_DEAD;
	f->unborn = true;
	f->life = 1;
	f->row = NOBODY;
	f->tried = true;
	f->confirming = (struct confirming){ .there = false };
	w->model.owner[letter] = NOBODY;
}

/* --- looked up ------------------------------------------------------------------------------- */

static bool is_taken(const struct world *w, int route, uint64_t id)
{
	for (int p = 0; p < w->parcel_count; p++)
		if (w->parcels[p].route == route && w->model.fates[p].known &&
		    !w->model.fates[p].unborn && w->model.fates[p].id == id)
			return true;
	return false;
}

/* The letter of the parent's rejects that no parcel stands for yet. */
static bool find_rejects(struct world *w, const struct parcel *p, struct batch *b, struct ended *e)
{
	uint64_t after = 0;

	while (store_dead_next(w->store, w->route_numbers[p->route], after, b, e) == 0) {
		after = b->id;
		if (b->has_parent && uuid_equal(&b->parent, &w->parcels[p->parent].batch_id) &&
		    !is_taken(w, p->route, b->id))
			return true;
	}
	return false;
}

static void fill_end(struct fate *f, const struct ended *e)
{
	f->end = (struct end){
		.notice = e->notice,
		.id = e->id,
		.lease = f->lease,
		.ended_ms = e->ended_ms,
		.attempt = f->attempt,
		.holder_number = f->holder_number,
		.received_at_us = f->received_at_us,
		.accepted = e->accepted,
		.rejected = e->rejected,
		.dead = e->dead,
		.partial = e->partial,
		.code = e->error_code,
		.error_count = e->error_count,
		.errors_crc = crc32c(0, e->errors, e->errors_len),
	};
}

static bool has_record(struct span records, int mark, uint32_t n)
{
	char id[32];
	uint64_t index;

	message_record_id(mark, n, id);
	return records_find(records, span_of(id), &index);
}

/* Exactly the rejected records, under a checksum that is theirs: the first ones, as we reject. */
static void check_rejects(struct world *w, int letter, const struct batch *b)
{
	const struct parcel *p = &w->parcels[letter];
	uint64_t rejected = w->model.fates[p->parent].end.rejected;
	uint64_t all = w->model.fates[p->parent].records;
	uint8_t digest[SHA256_BYTES];
	const uint8_t *body;
	int64_t found;
	size_t n;

	if (b->record_count != rejected)
		broke(w, "the letter of batch %d has %llu records", p->parent,
		    (unsigned long long)b->record_count);
	if (store_payload_get(w->store, b->id, true, &body, &n) != 0 ||
	    b->records_off + (size_t)b->records_len > n)
		broke(w, "the letter of batch %d has no payload", p->parent);
	struct span records = { (const char *)body + b->records_off, b->records_len };
	sha256(records.p, records.n, digest);
	if (memcmp(digest, b->checksum, sizeof digest) != 0 ||
	    !records_check(records, rejected, &found))
		broke(w, "the letter of batch %d does not match its checksum", p->parent);
	for (uint32_t k = 0; k < all; k++)
		if (has_record(records, p->mark, k) != (k < rejected))
			broke(w, "the letter of batch %d has%s record %u", p->parent,
			    k < rejected ? " not" : "", k);
	w->model.fates[letter].frame_len = (uint32_t)n;
	w->model.fates[letter].frame_crc = crc32c(0, body, n);
}

static void is_rejects(struct world *w, int letter, const struct batch *b, const struct ended *e)
{
	struct parcel *p = &w->parcels[letter];
	struct fate *f = &w->model.fates[letter], *parent = &w->model.fates[p->parent];
	int owner = module_of(w, route_of(w, letter)->source);

	check_rejects(w, letter, b);
	f->id = b->id;
	f->order = ++w->model.orders;
	f->records = p->records = (uint32_t)b->record_count;
	f->source = owner;
	f->source_number = f->series = party_number(w, owner);
	f->suspect = f->redelivered = f->held = false;
	f->redrives = 0;
	p->batch_id = b->batch_id;
	p->root = letter;
	p->corrupt = false;
	w->model.owner[letter] = letter;
	fill_end(f, e);
	if (!e->dead || e->partial || e->error_code != INT_DELIVERY_004 ||
	    e->rejected != f->records || e->source != f->source_number)
		broke(w, "the letter of batch %d says something else", p->parent);
	parent->end.partial = false;
	if (parent->row != NOBODY)
		w->model.rows[parent->row].end.partial = false;
}

static void is_copy(struct world *w, int letter)
{
	struct parcel *p = &w->parcels[letter];
	struct fate *f = &w->model.fates[letter];
	struct batch b;
	struct ended e;

	p->kind = KIND_COPY;
	f->id = w->model.fates[p->parent].id;
	if (f->id == 0 ||
	    store_dead_get(w->store, w->route_numbers[p->route], f->id, &b, &e) != 0)
		broke(w, "batch %d was rejected in part, and there is no letter", p->parent);
	if (!e.partial || !b.derived)
		broke(w, "the letter of batch %d is not said to be partial", p->parent);
	fill_end(f, &e);
	w->model.totals[p->route].partial++;
}

void letter_find(struct world *w)
{
	for (int n = 0; n < w->parcel_count; n++) {
		struct fate *f = &w->model.fates[n];
		const struct parcel *p = &w->parcels[n];
		struct batch b;
		struct ended e;

		if (!f->unborn)
			continue;
		if (p->kind == KIND_REJECTS && find_rejects(w, p, &b, &e))
			is_rejects(w, n, &b, &e);
		else if (p->kind == KIND_COPY || p->corrupt || w->was_full ||
		    w->plan.troubles[TROUBLE_FULL_STORE] || w->plan.troubles[TROUBLE_NO_PIECE])
			is_copy(w, n);
		else
			broke(w, "there is no letter of the records that batch %d is rejected of",
			    p->parent);
		f->unborn = false;
		w->model.totals[p->route].derived++;
	}
}
