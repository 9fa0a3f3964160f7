/* row.c - the model's history and mailboxes: what is remembered, what is owed, what may be gone */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

/* --- rows of history ------------------------------------------------------------------------- */

static int free_row(struct world *w)
{
	for (int n = 0; n < w->model.row_top; n++)
		if (!w->model.rows[n].there)
			return n;
	if (w->model.row_top == ROWS_MAX)
		broke(w, "the simulator has no room for another row of history");
	return w->model.row_top++;
}

void row_add(struct world *w, int parcel)
{
	struct fate *f = &w->model.fates[parcel];

	f->row = free_row(w);
	f->end.notice = 0;
	w->model.rows[f->row] = (struct row){ .there = true, .parcel = parcel, .source = f->source,
		.life = f->life, .end = f->end };
}

int row_by_notice(const struct world *w, int party, uint64_t notice)
{
	for (int n = 0; n < w->model.row_top; n++) {
		const struct row *r = &w->model.rows[n];

		if (r->there && r->source == party && r->end.notice == notice)
			return n;
	}
	return NOBODY;
}

void row_forget(struct world *w, int row)
{
	struct row *r = &w->model.rows[row];
	struct fate *f = &w->model.fates[r->parcel];

	r->there = false;
	if (f->row != row || !f->known)
		return;
	fate_touch(w, r->parcel)->row = NOBODY;
	if (f->state != BATCH_ENDED)
		return;
	f->known = false;
	f->confirming.there = false;
	if (w->model.owner[w->parcels[r->parcel].root] == r->parcel)
		w->model.owner[w->parcels[r->parcel].root] = NOBODY;
}

/* May an end be forgotten yet? (protocol.md section 6, point 4) */
static bool may_be_forgotten(const struct world *w, const struct row *r)
{
	const struct party *y = &w->model.parties[r->source];
	const struct core_settings *s = &w->plan.core;
	bool confirmed = r->end.notice <= y->seen || !y->mailbox;

	if (confirmed && w->now_ms >= r->end.ended_ms + s->outcome_retention_ms)
		return true;
	return w->was_over_budget &&
	    (confirmed || w->now_ms >= r->end.ended_ms + s->dedupe_minimum_ms);
}

void row_check(struct world *w, int row)
{
	struct row *r = &w->model.rows[row];
	struct ended e;

	if (!r->there || r->end.notice == 0 ||
	    store_ended_get(w->store, party_number(w, r->source), r->end.notice, &e) == 0)
		return;
	if (!may_be_forgotten(w, r))
		broke(w, "the end of batch %d is forgotten %llu ms after it", r->parcel,
		    (unsigned long long)(w->now_ms - r->end.ended_ms));
	row_forget(w, row);
}

void row_check_all(struct world *w)
{
	for (int n = 0; n < w->model.row_top; n++)
		row_check(w, n);
}

/* --- what is owed beside outcomes ------------------------------------------------------------ */

struct notice *notice_add(struct world *w, int party, int parcel, bool is_part, uint32_t crc)
{
	const struct party *y = &w->model.parties[party];
	int n = 0;

	if (!y->known || (!y->connected && !y->mailbox))
		return NULL;
	while (n < w->model.notice_top && w->model.notices[n].there)
		n++;
	if (n == NOTICES_MAX)
		broke(w, "the simulator has no room for another notice");
	if (n == w->model.notice_top)
		w->model.notice_top++;
	w->model.notices[n] = (struct notice){ .there = true, .party = party, .parcel = parcel,
		.is_part = is_part, .from = NOBODY, .crc = crc };
	return &w->model.notices[n];
}

bool notice_says(struct world *w, const struct notice *o, const uint8_t *body, size_t n)
{
	const struct uuid *id = &w->parcels[o->parcel].batch_id;
	struct message m;
	struct fault fault;
	char text[UUID_TEXT_LEN + 1];

	if (o->is_part)
		return crc32c(0, body, n) == o->crc;
	uuid_format(id, text);
	return message_decode(w->reader, body, n, &m, &fault) == 0 &&
	    m.header.type == MESSAGE_ERROR_NOTIFICATION && m.error_notification.error_count == 1 &&
	    span_is(m.error_notification.errors[0].error_code, "INT_DELIVERY_006") &&
	    span_is(m.error_notification.errors[0].batch_id, text);
}

static bool may_be_pruned(const struct world *w, const struct notice *n)
{
	return w->was_over_budget || n->doubtful || !w->model.parties[n->party].mailbox;
}

static bool is_numbered(const struct world *w, int party, uint64_t number)
{
	for (int n = 0; n < w->model.notice_top; n++) {
		const struct notice *o = &w->model.notices[n];

		if (o->there && ((o->party == party && o->number == number) ||
		    (o->from == party && o->was == number)))	/* the core is about to pass it on */
			return true;
	}
	return false;
}

static struct notice *find_unnumbered(struct world *w, int party, const struct notice_row *row)
{
	for (int k = 0; k < w->model.notice_top; k++) {
		struct notice *o = &w->model.notices[k];

		if (o->there && o->party == party && o->number == 0 &&
		    o->for_any == row->for_any && notice_says(w, o, row->body, row->n))
			return o;
	}
	return NULL;
}

/* The store's notices of a party that the model has no numbers of yet. */
static void number_notices(struct world *w, int party)
{
	struct notice_row row = { .number = w->model.parties[party].seen };

	while (store_notice_next(w->store, party_number(w, party), row.number, &row) == 0) {
		struct notice *o;

		if (is_numbered(w, party, row.number))
			continue;
		if (!(o = find_unnumbered(w, party, &row)))
			broke(w, "party %d is owed notice %llu, and should not be", party,
			    (unsigned long long)row.number);
		o->number = row.number;
		o->from = NOBODY;
	}
}

void notice_find(struct world *w, bool over)
{
	for (int n = 0; n < w->model.notice_top; n++) {
		struct notice *o = &w->model.notices[n];

		if (!o->there || o->number != 0)
			continue;
		number_notices(w, o->party);
		if (o->number != 0 || !over)
			continue;
		o->there = false;
		if (!may_be_pruned(w, o))
			broke(w, "party %d is not owed what it should be of batch %d", o->party,
			    o->parcel);
	}
}

bool notice_is_there(struct world *w, int party, uint64_t number)
{
	struct notice_row row;

	return store_notice_next(w->store, party_number(w, party), number - 1, &row) == 0 &&
	    row.number == number;
}

void notice_check(struct world *w, struct notice *o)
{
	if (!o->there || o->number == 0 || notice_is_there(w, o->party, o->number))
		return;
	if (!may_be_pruned(w, o))
		broke(w, "notice %llu of party %d is forgotten", (unsigned long long)o->number,
		    o->party);
	o->there = false;
}

void notice_drop(struct world *w, int party, uint64_t until)
{
	for (int n = 0; n < w->model.notice_top; n++) {
		struct notice *o = &w->model.notices[n];

		if (o->there && o->party == party && o->number != 0 && o->number <= until)
			o->there = false;
	}
}
