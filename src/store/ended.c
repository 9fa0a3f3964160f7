/* ended.c - history: one row an end, which is the source's mailbox too */
#include <string.h>

#include "base/log.h"
#include "store/internal.h"

uint64_t history_cost(size_t row)
{
	return (row + 12 + 33 + 48) * 3 / 2;
}

void history_less(struct store *s, uint64_t cost)
{
	s->meta.history_bytes -= cost < s->meta.history_bytes ? cost : s->meta.history_bytes;
}

size_t ended_put(struct store *s, const struct ended *e)
{
	struct key k = key_ended(e->source, e->notice);
	size_t n = ended_encode(e, s->scratch);

	table_put(s, TABLE_ENDED, &k, s->scratch, n);
	s->meta.history_bytes += history_cost(n);
	return n;
}

/* One that stands under another's key is damaged: who walks on from what it says would not end. */
static int ended_read(const MDB_val *v, uint32_t source, uint64_t notice, struct ended *e)
{
	int rc = ended_decode(v->mv_data, v->mv_size, e);

	return rc == 0 && (e->source != source || e->notice != notice) ? ERR_CORRUPT : rc;
}

int store_ended_next(struct store *s, uint32_t source, uint64_t after, struct ended *e)
{
	struct key k = key_ended(source, after + 1);
	MDB_val found, v;

	while (table_seek(s, TABLE_ENDED, &k, &found, &v) && key_get32(found.mv_data) == source) {
		uint64_t notice = key_get64((const uint8_t *)found.mv_data + 4);
		if (ended_read(&v, source, notice, e) == 0)
			return 0;
		log_error("history row does not match its checksum", "notice=%llu",
		    (unsigned long long)notice);
		k = key_ended(source, notice + 1);
	}
	return ERR_NOTFOUND;
}

int store_ended_get(struct store *s, uint32_t source, uint64_t notice, struct ended *e)
{
	struct key k = key_ended(source, notice);
	MDB_val v;

	if (!table_get(s, TABLE_ENDED, &k, &v))
		return ERR_NOTFOUND;
	return ended_read(&v, source, notice, e);
}

static void ended_forget(struct store *s, const struct ended *e)
{
	struct key k = key_ended(e->source, e->notice);
	size_t n = ended_encode(e, s->scratch);

	table_del(s, TABLE_ENDED, &k);
	history_less(s, history_cost(n));
}

void store_ended_move(struct store *s, const struct ended *from, uint32_t source, uint64_t notice)
{
	uint8_t errors[RECORD_ERRORS_MAX];
	struct ended e = *from;

	if (e.errors_len) {	/* they stand in a page that the changes below may take away */
		memcpy(errors, e.errors, e.errors_len);
		e.errors = errors;
	}
	bool owner = !e.dead && identity_is_at(s, &e);
	struct ended was = e;
	ended_forget(s, &was);
	e.source = source;
	e.notice = notice;
	ended_put(s, &e);
	if (e.dead || e.partial)
		letter_retell(s, &was, &e);
	if (owner)
		identity_point_at(s, &e);
	if (e.confirming)
		confirm_retell(s, &was, &e);
}

/*
 * Whether the journal under a row's id is its batch's no more: the batch is in custody or parked
 * again, or has ended again under that id. A batch that was PROCESSED whole is past all that.
 */
static bool has_journal_of_its_own(struct store *s, const struct ended *e)
{
	struct key dead = key_route_id(e->route, e->id);
	struct identity now;
	struct ended again;
	MDB_val v;

	if (!e->dead && !e->partial)
		return true;
	if (table_get(s, TABLE_DEAD, &dead, &v))
		return false;
	store_identity_get(s, e->route, &e->batch_id, &now);
	if (now.kind == IDENTITY_ENDED)	/* redriven on an ordered route, it had another id */
		return store_ended_get(s, now.source, now.notice, &again) != 0 || again.id != e->id;
	return now.kind == IDENTITY_NONE || now.id != e->id;
}

void store_ended_del(struct store *s, const struct ended *e)
{
	struct ended copy = *e;

	ended_forget(s, &copy);		/* before the errors' page may change */
	if (!copy.dead)
		identity_del_if_at(s, &copy);
	if ((copy.journalled || copy.confirming) && has_journal_of_its_own(s, &copy))
		journal_del(s, copy.id);
	if (copy.confirming)
		confirm_forget(s, &copy);
}
