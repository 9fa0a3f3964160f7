/* identity.c - where a batch_id of a route is now: in custody, a dead letter, history */
#include <string.h>

#include "store/internal.h"

/*
 * Two tables. `identity` has what is in custody or a dead letter: kind(1) id(8); it is as small as
 * they are few. `identity_ended` has what has ended: source(4) notice(8) of the row of history. A
 * batch_id is in one of them at most.
 */
#define LIVE_BYTES 9
#define ENDED_BYTES 12

static void live_value(enum identity_kind kind, uint64_t id, uint8_t bytes[LIVE_BYTES])
{
	struct key value = key_id(id);

	bytes[0] = (uint8_t)kind;
	memcpy(bytes + 1, value.b, value.n);
}

void identity_put(struct store *s, const struct batch *b, enum identity_kind kind)
{
	struct key k = key_identity(b->route, &b->batch_id);
	uint8_t bytes[LIVE_BYTES];

	live_value(kind, b->id, bytes);
	table_put(s, TABLE_IDENTITY, &k, bytes, sizeof bytes);
}

void identity_put_again(struct store *s, const struct batch *b, enum identity_kind kind)
{
	struct key k = key_identity(b->route, &b->batch_id);
	MDB_val v;

	if (table_get(s, TABLE_IDENTITY_ENDED, &k, &v))
		table_del(s, TABLE_IDENTITY_ENDED, &k);
	identity_put(s, b, kind);
}

void identity_point_at(struct store *s, const struct ended *e)
{
	struct key k = key_identity(e->route, &e->batch_id);
	struct key value = key_ended(e->source, e->notice);

	table_put(s, TABLE_IDENTITY_ENDED, &k, value.b, value.n);
}

void identity_end(struct store *s, const struct batch *from, const struct ended *e)
{
	struct key k = key_identity(from->route, &from->batch_id);
	uint8_t bytes[LIVE_BYTES];

	live_value(IDENTITY_LIVE, from->id, bytes);
	table_del_if(s, TABLE_IDENTITY, &k, bytes, sizeof bytes);
	identity_point_at(s, e);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool live_read(const MDB_val *v, struct identity *out)
{
	const uint8_t *p = v->mv_data;
	bool known = v->mv_size == LIVE_BYTES && (p[0] == IDENTITY_LIVE || p[0] == IDENTITY_DEAD);

	*out = (struct identity){ .kind = IDENTITY_NONE };
	if (known)
		*out = (struct identity){ .kind = (enum identity_kind)p[0], .id = key_get64(p + 1) };
	return known;
}

static bool ended_identity_read(const MDB_val *v, struct identity *out)
{
	const uint8_t *p = v->mv_data;
	bool known = v->mv_size == ENDED_BYTES;

	*out = (struct identity){ .kind = IDENTITY_NONE };
	if (known)
		*out = (struct identity){ .kind = IDENTITY_ENDED, .source = key_get32(p),
			.notice = key_get64(p + 4) };
	return known;
}

void store_identity_get(struct store *s, uint32_t route, const struct uuid *batch_id,
    struct identity *out)
{
	struct key k = key_identity(route, batch_id);
	bool known = true;
	MDB_val v;

	*out = (struct identity){ .kind = IDENTITY_NONE };
	if (table_get(s, TABLE_IDENTITY, &k, &v))
		known = live_read(&v, out);
	else if (table_get(s, TABLE_IDENTITY_ENDED, &k, &v))
		known = ended_identity_read(&v, out);
	if (!known)
		store_failed(s, MDB_CORRUPTED, "read identity");
}

/* The first of one of the two tables; false: none. */
static bool next_of(struct store *s, enum table t, const struct key *k, struct uuid *batch_id,
    MDB_val *v)
{
	MDB_val found;

	if (!table_seek(s, t, k, &found, v) || memcmp(found.mv_data, k->b, 4) != 0)
		return false;
	memcpy(batch_id->b, (const uint8_t *)found.mv_data + 4, sizeof batch_id->b);
	return true;
}

int store_identity_next(struct store *s, uint32_t route, struct uuid *batch_id,
    struct identity *out)
{
	struct key k = key_identity(route, batch_id);
	struct uuid live, ended;
	MDB_val v, w;
	bool has_live = next_of(s, TABLE_IDENTITY, &k, &live, &v);
	bool has_ended = next_of(s, TABLE_IDENTITY_ENDED, &k, &ended, &w);

	if (!has_live && !has_ended)
		return ERR_NOTFOUND;
	bool live_first = has_live && (!has_ended || memcmp(live.b, ended.b, sizeof live.b) <= 0);
	*batch_id = live_first ? live : ended;
	if (!(live_first ? live_read(&v, out) : ended_identity_read(&w, out)))
		store_failed(s, MDB_CORRUPTED, "read identity");
	return 0;
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

	table_del_if(s, TABLE_IDENTITY_ENDED, &k, value.b, value.n);
}

bool identity_del_dead(struct store *s, uint32_t route, const struct uuid *batch_id, uint64_t id)
{
	struct key k = key_identity(route, batch_id);
	uint8_t bytes[LIVE_BYTES];

	live_value(IDENTITY_DEAD, id, bytes);
	return table_del_if(s, TABLE_IDENTITY, &k, bytes, sizeof bytes);
}

void identity_del_lost(struct store *s, uint32_t route, uint64_t id)
{
	struct key k = key_number(route);
	struct table_walk w;
	struct identity i;
	MDB_val found, v;
	bool is_it = false;

	if (!table_walk_begin(s, TABLE_IDENTITY, &k, &w))
		return;
	while (!is_it && table_walk_next(&w, &found, &v) && memcmp(found.mv_data, k.b, 4) == 0)
		is_it = live_read(&v, &i) && i.id == id;
	table_walk_end(&w);
	if (!is_it)
		return;
	struct uuid batch_id;
	memcpy(batch_id.b, (const uint8_t *)found.mv_data + 4, sizeof batch_id.b);
	k = key_identity(route, &batch_id);
	table_del(s, TABLE_IDENTITY, &k);
}
