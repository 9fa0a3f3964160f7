/* redo.c - the redo log, written: a turn's changes gathered, and put behind the turns before it */
#include "store/redo.h"

#include <string.h>

#include "base/failpoint.h"
#include "store/internal.h"
#include "store/redo_row.h"

/* What is this large is written once, by a checkpoint: a flush more costs less than a copy. */
#define VALUE_MAX (128 * 1024)

/* --- gathering ------------------------------------------------------------------------------- */

void redo_settle(struct store *s)
{
	struct redo *r = &s->redo;

	if (r->open.row)
		memcpy(r->bytes + r->open.at, r->open.row, r->open.n);
	r->open.row = NULL;
}

/*
 * Far from the latest of its kind in a tree of any size: a page of its own, at worst. Our library's
 * ids begin with the time, and are near each other.
 */
static bool is_far(struct redo *r, enum redo_kind kind, enum table t, const MDB_val *key)
{
	enum { ID_BYTES = 16, NEAR_MS = 1000 };
	uint64_t *latest, ms = 0;

	if (t == TABLE_ERROR_BY || t == TABLE_CONFIRM_RECORD)
		return true;
	if ((t != TABLE_IDENTITY && t != TABLE_IDENTITY_ENDED) || key->mv_size < ID_BYTES)
		return false;
	const uint8_t *id = (const uint8_t *)key->mv_data + key->mv_size - ID_BYTES;
	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | id[i];
	latest = &r->latest_ms[t == TABLE_IDENTITY][kind == REDO_PUT];
	uint64_t far = ms > *latest ? ms - *latest : *latest - ms;
	*latest = ms;
	return far > NEAR_MS;
}

/* The change's head and key; returns where its value goes, NULL when the turn is too long. */
static uint8_t *add(struct store *s, enum redo_kind kind, enum table t, const MDB_val *key,
    size_t value)
{
	struct redo *r = &s->redo;

	redo_settle(s);
	r->scattered += is_far(r, kind, t, key);
	size_t n = REDO_CHANGE_BYTES + key->mv_size + value;
	if (r->too_long || value > VALUE_MAX || r->n + n > r->most) {
		r->too_long = true;
		return NULL;
	}
	uint8_t *p = r->bytes + r->n;
	struct redo_change c = { kind, t, (uint16_t)key->mv_size, (uint32_t)value };
	redo_change_encode(&c, p);
	memcpy(p + REDO_CHANGE_BYTES, key->mv_data, key->mv_size);
	r->n += n;
	return p + REDO_CHANGE_BYTES + key->mv_size;
}

void redo_put(struct store *s, enum table t, const MDB_val *key, const MDB_val *value)
{
	struct redo *r = &s->redo;
	uint8_t *p = add(s, REDO_PUT, t, key, value->mv_size);

	if (p && value->mv_data)
		memcpy(p, value->mv_data, value->mv_size);
	r->open.at = p ? (size_t)(p - r->bytes) : 0;
	r->open.n = value->mv_size;
}

void redo_row_reserved(struct store *s, const uint8_t *row)
{
	s->redo.open.row = s->redo.open.at > 0 ? row : NULL;
}

void redo_del(struct store *s, enum table t, const MDB_val *key)
{
	add(s, REDO_DEL, t, key, 0);
}

void redo_intake_begin(struct store *s)
{
	redo_settle(s);
	s->redo.before_intake = s->redo.n;
}

void redo_intake_abort(struct store *s)
{
	s->redo.open.row = NULL;
	s->redo.n = s->redo.before_intake;
}

static void begin_turn(struct redo *r)
{
	r->n = REDO_TURN_BYTES;
	r->too_long = false;
	r->open.row = NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

static uint64_t whole_pages(uint64_t n)
{
	return (n + REDO_PAGE - 1) / REDO_PAGE * REDO_PAGE;
}

bool redo_has_room(const struct redo *r)
{
	return !r->too_long && whole_pages(r->n) <= r->size - r->at;
}

/* Makes it whole; returns how many bytes are to be written. */
static size_t seal(struct store *s)
{
	struct redo *r = &s->redo;
	size_t n = (size_t)whole_pages(r->n);

	redo_settle(s);
	struct redo_turn t = { s->meta.redo_key, mdb_txn_id(s->turn), r->number,
		(uint32_t)(r->n - REDO_TURN_BYTES) };
	redo_turn_encode(&t, r->bytes);
	memset(r->bytes + r->n, 0, n - r->n);
	return n;
}

static void go_on(struct redo *r, size_t n)
{
	r->at += n;
	r->number++;
	begin_turn(r);
}

int redo_write(struct store *s)
{
	struct redo *r = &s->redo;
	size_t n = seal(s);

	FAILPOINT("redo.before");
	int rc = flush_now(r->fd, r->bytes, n, r->at);
	FAILPOINT("redo.after");
	go_on(r, n);
	return rc;
}

void redo_submit(struct store *s, struct flusher *f)
{
	struct redo *r = &s->redo;
	size_t n = seal(s);
	uint8_t *bytes = r->bytes;

	FAILPOINT("redo.before");
	flusher_submit(f, r->fd, bytes, n, r->at);
	r->bytes = r->under_way;
	r->under_way = bytes;
	go_on(r, n);
}

void redo_restart(struct redo *r)
{
	r->at = 0;
	r->number = 0;
	r->scattered = 0;
	begin_turn(r);
}
