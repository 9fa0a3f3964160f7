/* identity.c - where a batch_id of a route is now: in custody, a dead letter, history */
#include <string.h>

#include "store/internal.h"

/* kind(1), then id(8), or source(4) notice(8) */
#define IDENTITY_BYTES 13

void identity_put(struct store *s, uint32_t route, const struct uuid *batch_id,
    const struct identity *i)
{
	struct key k = key_identity(route, batch_id);
	struct key value = i->kind == IDENTITY_ENDED ? key_ended(i->source, i->notice)
	                                             : key_id(i->id);
	uint8_t bytes[IDENTITY_BYTES];

	bytes[0] = (uint8_t)i->kind;
	memcpy(bytes + 1, value.b, value.n);
	table_put(s, TABLE_IDENTITY, &k, bytes, 1u + value.n);
}

static bool identity_read(const MDB_val *v, struct identity *out)
{
	const uint8_t *p = v->mv_data;

	*out = (struct identity){ .kind = IDENTITY_NONE };
	if (v->mv_size == 9 && (p[0] == IDENTITY_LIVE || p[0] == IDENTITY_DEAD)) {
		out->kind = (enum identity_kind)p[0];
		out->id = key_get64(p + 1);
	} else if (v->mv_size == IDENTITY_BYTES && p[0] == IDENTITY_ENDED) {
		out->kind = IDENTITY_ENDED;
		out->source = key_get32(p + 1);
		out->notice = key_get64(p + 5);
	}
	return out->kind != IDENTITY_NONE;
}

void store_identity_get(struct store *s, uint32_t route, const struct uuid *batch_id,
    struct identity *out)
{
	struct key k = key_identity(route, batch_id);
	MDB_val v;

	*out = (struct identity){ .kind = IDENTITY_NONE };
	if (table_get(s, TABLE_IDENTITY, &k, &v) && !identity_read(&v, out))
		store_failed(s, MDB_CORRUPTED, "read identity");
}

int store_identity_next(struct store *s, uint32_t route, struct uuid *batch_id,
    struct identity *out)
{
	struct key k = key_identity(route, batch_id);
	MDB_val found, v;

	if (!table_seek(s, TABLE_IDENTITY, &k, &found, &v) || memcmp(found.mv_data, k.b, 4) != 0)
		return ERR_NOTFOUND;
	memcpy(batch_id->b, (const uint8_t *)found.mv_data + 4, sizeof batch_id->b);
	if (!identity_read(&v, out))
		store_failed(s, MDB_CORRUPTED, "read identity");
	return 0;
}

void identity_point_at(struct store *s, const struct ended *e)
{
	identity_put(s, e->route, &e->batch_id, &(struct identity){
	    .kind = IDENTITY_ENDED, .source = e->source, .notice = e->notice });
}

bool identity_is_at(struct store *s, const struct ended *e)
{
	struct identity i;

	store_identity_get(s, e->route, &e->batch_id, &i);
	return i.kind == IDENTITY_ENDED && i.source == e->source && i.notice == e->notice;
}

/* --- forgetting: only what is still one's own ------------------------------------------------ */

void identity_del_if_at(struct store *s, const struct ended *e)
{
	struct key k = key_identity(e->route, &e->batch_id);
	struct key value = key_ended(e->source, e->notice);
	uint8_t bytes[IDENTITY_BYTES] = { IDENTITY_ENDED };

	memcpy(bytes + 1, value.b, value.n);
	table_del_if(s, TABLE_IDENTITY, &k, bytes, sizeof bytes);
}

bool identity_del_dead(struct store *s, uint32_t route, const struct uuid *batch_id, uint64_t id)
{
	struct key k = key_identity(route, batch_id), value = key_id(id);
	uint8_t bytes[IDENTITY_BYTES] = { IDENTITY_DEAD };

	memcpy(bytes + 1, value.b, value.n);
	return table_del_if(s, TABLE_IDENTITY, &k, bytes, 1u + value.n);
}

void identity_del_lost(struct store *s, uint32_t route, uint64_t id)
{
	struct key k = key_number(route), value = key_id(id);
	MDB_txn *txn = store_writer(s);
	MDB_cursor *c;

	if (!txn || mdb_cursor_open(txn, s->tables[TABLE_IDENTITY], &c) != 0)
		return;
	MDB_val found = { k.n, k.b }, v;
	int rc = mdb_cursor_get(c, &found, &v, MDB_SET_RANGE);
	while (rc == 0 && memcmp(found.mv_data, k.b, k.n) == 0) {
		if (v.mv_size == 9 && memcmp((const uint8_t *)v.mv_data + 1, value.b, 8) == 0) {
			rc = mdb_cursor_del(c, 0);
			s->operations++;
			if (rc != 0)
				store_failed(s, rc, "delete identity");
			break;
		}
		rc = mdb_cursor_get(c, &found, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
}
