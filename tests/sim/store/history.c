/* history.c - the model's ends and what hangs on them: notices, journals, confirmations, aliases */
#include <string.h>

#include "model.h"

/* --- ends ------------------------------------------------------------------------------------ */

struct kept_end kept_end_of(const struct ended *e)
{
	struct kept_end k = { .e = *e, .errors = bytes_of(e->errors, e->errors_len) };

	k.e.errors = NULL;
	return k;
}

void model_end_add(struct model *m, const struct ended *e)
{
	struct kept_end k = kept_end_of(e);

	k.rank = ++m->now.last_rank;
	model_add(m, KEPT_ENDS, &k);
}

struct kept_end *model_end(struct model *m, uint32_t source, uint64_t notice)
{
	struct kept_end *k;

	KEPT_EACH(k, m, KEPT_ENDS)
		if (k->e.source == source && k->e.notice == notice)
			return k;
	return NULL;
}

struct kept_end *model_ended_next(struct model *m, uint32_t source, uint64_t after)
{
	struct kept_end *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_ENDS)
		if (k->e.source == source && k->e.notice > after &&
		    (!first || k->e.notice < first->e.notice))
			first = k;
	return first;
}

static struct kept_identity *pointing_at(struct model *m, const struct ended *e)
{
	struct kept_identity *k = model_identity(m, e->route, &e->batch_id);

	return k && k->where.kind == IDENTITY_ENDED && k->where.source == e->source &&
	    k->where.notice == e->notice ? k : NULL;
}

static struct kept_confirmation *naming(struct model *m, const struct ended *e)
{
	struct kept_confirmation *k = model_confirm(m, e->route, e->id);

	return e->confirming && k && k->c.state != CONFIRM_EARLY && k->c.source == e->source &&
	    k->c.notice == e->notice ? k : NULL;
}

void model_ended_move(struct model *m, const struct ended *from, uint32_t source, uint64_t notice)
{
	struct ended was = *from;
	struct kept_identity *identity = pointing_at(m, &was);
	struct kept_letter *letter = model_letter(m, was.route, was.id);
	struct kept_confirmation *confirm = naming(m, &was);
	struct kept_end *row = model_end(m, was.source, was.notice);

	row->e.source = source;
	row->e.notice = notice;
	if (identity && !was.dead) {
		identity->where.source = source;
		identity->where.notice = notice;
	}
	if (letter && !letter->damaged && (was.dead || was.partial) &&
	    letter->end.e.source == was.source && letter->end.e.notice == was.notice)
		letter->end = *row;
	if (confirm) {
		confirm->c.source = source;
		confirm->c.notice = notice;
	}
}

static bool is_there_still(struct model *m, const struct kept_end *row)
{
	struct kept_end *k;

	if (model_batch(m, row->e.route, row->e.id) || model_letter(m, row->e.route, row->e.id))
		return true;
	KEPT_EACH(k, m, KEPT_ENDS)
		if (k->e.id == row->e.id && k->rank > row->rank)
			return true;
	return false;
}

void model_ended_del(struct model *m, const struct ended *e)
{
	struct ended was = *e;
	struct kept_end row = *model_end(m, was.source, was.notice);
	struct kept_identity *identity = pointing_at(m, &was);
	struct kept_confirmation *confirm = naming(m, &was);

	if (identity && !was.dead)
		model_remove(m, KEPT_IDENTITIES, identity);
	if ((was.journalled || was.confirming) && !is_there_still(m, &row))
		model_journal_del(m, was.id);
	if (confirm)
		model_confirm_del(m, was.route, was.id);
	model_remove(m, KEPT_ENDS, model_end(m, was.source, was.notice));
}

/* --- notices --------------------------------------------------------------------------------- */

void model_notice_add(struct model *m, uint32_t instance, uint64_t number, bool for_any,
    struct bytes body)
{
	model_add(m, KEPT_NOTICES, &(struct kept_notice){ instance, number, for_any, body });
}

struct kept_notice *model_notice_next(struct model *m, uint32_t instance, uint64_t after)
{
	struct kept_notice *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_NOTICES)
		if (k->instance == instance && k->number > after &&
		    (!first || k->number < first->number))
			first = k;
	return first;
}

unsigned model_notice_trim(struct model *m, uint32_t instance, uint64_t until, unsigned most)
{
	struct kept_notice *k;
	unsigned count = 0;

	while (count < most && (k = model_notice_next(m, instance, 0)) && k->number <= until) {
		model_remove(m, KEPT_NOTICES, k);
		count++;
	}
	return count;
}

/* --- journals -------------------------------------------------------------------------------- */

struct kept_line *model_journal_next(struct model *m, uint64_t id, uint32_t after)
{
	struct kept_line *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_LINES)
		if (k->id == id && k->number > after && (!first || k->number < first->number))
			first = k;
	return first;
}

/* Beyond JOURNAL_LINES_MAX the second oldest goes. */
void model_journal_add(struct model *m, uint64_t id, const struct journal_line *line)
{
	struct kept_line k = { .id = id, .number = 1, .line = *line }, *other;
	unsigned count = 0;

	KEPT_EACH(other, m, KEPT_LINES) {
		count += other->id == id;
		if (other->id == id && other->number >= k.number)
			k.number = other->number + 1;
	}
	if (count == JOURNAL_LINES_MAX) {
		other = model_journal_next(m, id, 0);
		model_remove(m, KEPT_LINES, model_journal_next(m, id, other->number));
	}
	model_add(m, KEPT_LINES, &k);
}

void model_journal_del(struct model *m, uint64_t id)
{
	struct kept_line *k;

	while ((k = model_journal_next(m, id, 0)))
		model_remove(m, KEPT_LINES, k);
}

/* --- confirmations --------------------------------------------------------------------------- */

struct kept_confirmation *model_confirm(struct model *m, uint32_t route, uint64_t id)
{
	struct kept_confirmation *k;

	KEPT_EACH(k, m, KEPT_CONFIRMATIONS)
		if (k->c.route == route && k->c.id == id)
			return k;
	return NULL;
}

void model_confirm_put(struct model *m, const struct confirmation *c)
{
	struct kept_confirmation *k = model_confirm(m, c->route, c->id);

	if (k)
		k->c = *c;
	else
		model_add(m, KEPT_CONFIRMATIONS, &(struct kept_confirmation){ .c = *c });
}

static struct kept_record *any_record(struct model *m, uint64_t id)
{
	struct kept_record *k;

	KEPT_EACH(k, m, KEPT_RECORDS)
		if (k->id == id)
			return k;
	return NULL;
}

void model_confirm_del(struct model *m, uint32_t route, uint64_t id)
{
	struct kept_confirmation *k = model_confirm(m, route, id);
	struct kept_record *r;

	if (k)
		model_remove(m, KEPT_CONFIRMATIONS, k);
	while ((r = any_record(m, id)))
		model_remove(m, KEPT_RECORDS, r);
}

void model_confirm_forget_early(struct model *m, uint32_t route, uint64_t id)
{
	const struct kept_confirmation *k = model_confirm(m, route, id);

	if (k && k->c.state == CONFIRM_EARLY)
		model_confirm_del(m, route, id);
}

static bool is_due_before(const struct confirmation *a, const struct confirmation *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms;
	return a->route != b->route ? a->route < b->route : a->id < b->id;
}

struct kept_confirmation *model_confirm_due_first(struct model *m, uint64_t now_ms,
    uint64_t *next_ms)
{
	struct kept_confirmation *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_CONFIRMATIONS)
		if (k->c.state == CONFIRM_AWAITED && (!first || is_due_before(&k->c, &first->c)))
			first = k;
	*next_ms = first && first->c.due_ms > now_ms ? first->c.due_ms : UINT64_MAX;
	return first && first->c.due_ms <= now_ms ? first : NULL;
}

struct kept_confirmation *model_confirm_next(struct model *m, uint32_t route, uint64_t after)
{
	struct kept_confirmation *k, *first = NULL;

	KEPT_EACH(k, m, KEPT_CONFIRMATIONS)
		if (k->c.route == route && k->c.id > after &&
		    (!first || k->c.id < first->c.id))
			first = k;
	return first;
}

struct kept_record *model_confirm_record(struct model *m, uint64_t id, uint64_t hash)
{
	struct kept_record *k;

	KEPT_EACH(k, m, KEPT_RECORDS)
		if (k->id == id && k->hash == hash)
			return k;
	return NULL;
}

void model_confirm_record_put(struct model *m, uint64_t id, uint64_t hash, uint8_t status)
{
	struct kept_record *k = model_confirm_record(m, id, hash);

	if (k)
		k->status = status;
	else
		model_add(m, KEPT_RECORDS, &(struct kept_record){ id, hash, status });
}

/* --- aliases --------------------------------------------------------------------------------- */

void model_alias_add(struct model *m, uint64_t id, const struct alias *a)
{
	model_add(m, KEPT_ALIASES, &(struct kept_alias){ .id = id, .a = *a });
}

/* The oldest row that is committed, and its newest id; 0 none. */
static uint64_t oldest_row(struct model *m, uint64_t *newest)
{
	struct kept_alias *k;
	uint64_t row = 0;

	KEPT_EACH(k, m, KEPT_ALIASES)
		if (k->row != 0 && (row == 0 || k->row < row))
			row = k->row;
	*newest = 0;
	KEPT_EACH(k, m, KEPT_ALIASES)
		if (k->row == row && k->id > *newest)
			*newest = k->id;
	return row;
}

static void forget_row(struct model *m, uint64_t row)
{
	for (size_t n = model_count(m, KEPT_ALIASES); n-- > 0;) {
		struct kept_alias *k = (struct kept_alias *)(void *)
		    m->now.lists[KEPT_ALIASES].items + n;

		if (k->row == row)
			model_remove(m, KEPT_ALIASES, k);
	}
}

void model_alias_trim(struct model *m, uint64_t id, unsigned rows)
{
	uint64_t newest, row;

	while (rows-- > 0 && (row = oldest_row(m, &newest)) != 0 && newest < id)
		forget_row(m, row);
}
