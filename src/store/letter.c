/* letter.c - dead letters: batches that are parked whole, with the end they were told with */
#include <string.h>

#include "base/failpoint.h"
#include "store/internal.h"

/* A dead letter's row: the batch's record behind its length, then the end it was told with. */
void letter_put(struct store *s, const struct batch *from, const struct ended *e)
{
	uint8_t bytes[2 + BATCH_RECORD_MAX + ENDED_RECORD_MAX];
	struct key k = key_route_id(from->route, from->id);
	struct batch b = *from;

	b.state = BATCH_DEAD;
	b.derived = b.derived || e->partial;	/* its batch has ended */
	size_t n = batch_encode(&b, bytes + 2);
	bytes[0] = (uint8_t)(n >> 8);
	bytes[1] = (uint8_t)n;
	n += 2 + ended_encode(e, bytes + 2 + n);
	table_put(s, TABLE_DEAD, &k, bytes, n);
}

static int letter_read(const MDB_val *v, uint32_t route, uint64_t id, struct batch *b,
    struct ended *e)
{
	const uint8_t *p = v->mv_data;
	size_t n = v->mv_size < 2 ? SIZE_MAX : (size_t)p[0] << 8 | p[1];

	if (v->mv_size < 2 || n > v->mv_size - 2)
		return ERR_CORRUPT;
	int rc = batch_decode(p + 2, n, b);
	if (rc == 0 && (b->id != id || b->route != route))
		rc = ERR_CORRUPT;	/* another's: who walks on from its id would not end */
	return rc != 0 ? rc : ended_decode(p + 2 + n, v->mv_size - 2 - n, e);
}

int store_dead_get(struct store *s, uint32_t route, uint64_t id, struct batch *b, struct ended *e)
{
	struct key k = key_route_id(route, id);
	MDB_val v;

	if (!table_get(s, TABLE_DEAD, &k, &v))
		return ERR_NOTFOUND;
	return letter_read(&v, route, id, b, e);
}

int store_dead_next(struct store *s, uint32_t route, uint64_t after, struct batch *b,
    struct ended *e)
{
	struct key k = key_route_id(route, after + 1);
	MDB_val found, v;

	if (after == UINT64_MAX || !table_seek(s, TABLE_DEAD, &k, &found, &v) ||
	    memcmp(found.mv_data, k.b, 4) != 0)
		return ERR_NOTFOUND;
	uint64_t id = key_get64((const uint8_t *)found.mv_data + 4);
	int rc = letter_read(&v, route, id, b, e);
	if (rc != 0)
		*b = (struct batch){ .state = BATCH_DEAD, .id = id, .route = route };
	return rc;
}

void letter_retell(struct store *s, const struct ended *from, const struct ended *e)
{
	struct batch b;
	struct ended told;

	if (store_dead_get(s, from->route, from->id, &b, &told) == 0 &&
	    told.source == from->source && told.notice == from->notice)
		letter_put(s, &b, e);
}

/* --- from elsewhere, back into custody, gone ------------------------------------------------- */

void store_dead_insert(struct store *s, const struct batch *b, const struct ended *e,
    const uint8_t *payload, size_t n)
{
	payload_put(s, b->id, payload, n);
	FAILPOINT("letter.middle");
	letter_put(s, b, e);
	identity_put_again(s, b, IDENTITY_DEAD);
}

void store_dead_redrive(struct store *s, const struct batch *dead, const struct batch *b)
{
	struct key k = key_route_id(dead->route, dead->id);

	table_del(s, TABLE_DEAD, &k);
	FAILPOINT("redrive.middle");
	if (b->id != dead->id) {
		payload_move(s, dead->id, b->id);
		journal_move(s, dead->id, b->id);
		confirm_forget_early(s, dead->route, dead->id);
	}
	queue_enter(s, b);
	identity_put_again(s, b, IDENTITY_LIVE);
}

void store_dead_purge(struct store *s, const struct batch *dead)
{
	struct key k = key_route_id(dead->route, dead->id), payload = key_id(dead->id);
	MDB_val v;

	table_del(s, TABLE_DEAD, &k);
	FAILPOINT("purge.middle");
	if (table_get(s, TABLE_PAYLOAD, &payload, &v))
		payload_del(s, &payload, v.mv_size);
	journal_del(s, dead->id);
	confirm_forget_early(s, dead->route, dead->id);
	bool own = identity_del_dead(s, dead->route, &dead->batch_id, dead->id);
	if (!own && dead->payload_bytes == 0)	/* its record was lost */
		identity_del_lost(s, dead->route, dead->id);
}
