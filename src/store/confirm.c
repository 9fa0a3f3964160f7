/* confirm.c - what a batch's target confirms of its records, and how long that may take */
#include <string.h>

#include "base/log.h"
#include "store/internal.h"

/* A row of `confirm`; of a damaged one what its key says. */
static int confirm_read(const MDB_val *v, uint32_t route, uint64_t id, struct confirmation *c)
{
	int rc = confirmation_decode(v->mv_data, v->mv_size, c);

	if (rc != 0)
		*c = (struct confirmation){ .route = route, .id = id };
	return rc;
}

int store_confirm_get(struct store *s, uint32_t route, uint64_t id, struct confirmation *c)
{
	struct key k = key_route_id(route, id);
	MDB_val v;

	return table_get(s, TABLE_CONFIRM, &k, &v) ? confirm_read(&v, route, id, c) : ERR_NOTFOUND;
}

int store_confirm_next(struct store *s, uint32_t route, uint64_t after, struct confirmation *c)
{
	MDB_val found, v;

	while (after < UINT64_MAX) {
		struct key k = key_route_id(route, after + 1);
		if (!table_seek(s, TABLE_CONFIRM, &k, &found, &v) ||
		    memcmp(found.mv_data, k.b, 4) != 0)
			break;
		after = key_get64((const uint8_t *)found.mv_data + 4);
		if (confirm_read(&v, route, after, c) == 0)
			return 0;
		log_error("stored confirmation does not match its checksum", "batch=%llu",
		    (unsigned long long)after);
	}
	return ERR_NOTFOUND;
}

static bool is_due(const struct confirmation *c)
{
	return c && c->state == CONFIRM_AWAITED;
}

void store_confirm_put(struct store *s, const struct confirmation *was,
    const struct confirmation *c)
{
	uint8_t bytes[CONFIRMATION_RECORD_MAX];
	struct key k = key_route_id(c->route, c->id);
	bool same_due = is_due(was) && is_due(c) && was->due_ms == c->due_ms;

	if (was)
		history_less(s, row_cost(k.n, confirmation_encode(was, bytes)));
	if (is_due(was) && !same_due) {
		struct key due = key_due(was->due_ms, was->route, was->id);
		table_del(s, TABLE_CONFIRM_DUE, &due);
	}
	size_t n = confirmation_encode(c, bytes);
	table_put(s, TABLE_CONFIRM, &k, bytes, n);
	s->meta.history_bytes += row_cost(k.n, n);
	if (is_due(c) && !same_due) {
		struct key due = key_due(c->due_ms, c->route, c->id);
		table_put(s, TABLE_CONFIRM_DUE, &due, NULL, 0);
	}
}

/* By what stands in the store. A row of `confirm_due` that a damaged one leaves is met when due. */
static void confirm_del(struct store *s, uint32_t route, uint64_t id)
{
	struct key k = key_route_id(route, id), records = key_id(id);
	struct confirmation c;
	MDB_val v;

	if (table_get(s, TABLE_CONFIRM, &k, &v)) {
		bool due = confirm_read(&v, route, id, &c) == 0 && is_due(&c);
		history_less(s, row_cost(k.n, v.mv_size));
		table_del(s, TABLE_CONFIRM, &k);
		k = key_due(c.due_ms, route, id);
		if (due)
			table_del(s, TABLE_CONFIRM_DUE, &k);
	}
	history_less(s, table_del_prefix(s, TABLE_CONFIRM_RECORD, &records, UINT32_MAX));
}

void store_confirm_del(struct store *s, const struct confirmation *c)
{
	confirm_del(s, c->route, c->id);
}

int store_confirm_due_first(struct store *s, uint64_t now_ms, struct confirmation *c,
    uint64_t *next_ms)
{
	struct due due;

	if (!due_first(s, TABLE_CONFIRM_DUE, now_ms, &due, next_ms))
		return ERR_NOTFOUND;
	if (store_confirm_get(s, due.route, due.id, c) == 0 && is_due(c) &&
	    c->due_ms == due.time_ms)
		return 0;
	log_error("what a batch waits to have confirmed is damaged in the store", "batch=%llu",
	    (unsigned long long)due.id);
	*c = (struct confirmation){ .route = due.route, .id = due.id };
	struct key k = key_due(due.time_ms, due.route, due.id);
	table_del(s, TABLE_CONFIRM_DUE, &k);
	confirm_del(s, due.route, due.id);
	return ERR_CORRUPT;
}

/* --- with the end they belong to ------------------------------------------------------------- */

static bool is_of(const struct confirmation *c, const struct ended *e)
{
	return c->state != CONFIRM_EARLY && c->source == e->source && c->notice == e->notice;
}

void confirm_retell(struct store *s, const struct ended *from, const struct ended *e)
{
	struct confirmation was, c;

	if (store_confirm_get(s, from->route, from->id, &was) != 0 || !is_of(&was, from))
		return;
	c = was;
	c.source = e->source;
	c.notice = e->notice;
	store_confirm_put(s, &was, &c);
}

void confirm_forget(struct store *s, const struct ended *e)
{
	struct confirmation c;
	int rc = store_confirm_get(s, e->route, e->id, &c);

	if (rc == ERR_CORRUPT || (rc == 0 && is_of(&c, e)))
		confirm_del(s, e->route, e->id);
}

void confirm_forget_early(struct store *s, uint32_t route, uint64_t id)
{
	struct confirmation c;

	if (store_confirm_get(s, route, id, &c) == 0 && c.state == CONFIRM_EARLY)
		confirm_del(s, route, id);
}

/* --- its records ----------------------------------------------------------------------------- */

bool store_confirm_record_get(struct store *s, uint64_t id, uint64_t hash, uint8_t *status)
{
	struct key k = key_record(id, hash);
	MDB_val v;

	if (!table_get(s, TABLE_CONFIRM_RECORD, &k, &v) || v.mv_size != 1)
		return false;
	*status = *(const uint8_t *)v.mv_data;
	return true;
}

void store_confirm_record_put(struct store *s, uint64_t id, uint64_t hash, uint8_t status)
{
	struct key k = key_record(id, hash);
	MDB_val v;

	if (!table_get(s, TABLE_CONFIRM_RECORD, &k, &v))
		s->meta.history_bytes += row_cost(k.n, 1);
	table_put(s, TABLE_CONFIRM_RECORD, &k, &status, 1);
}
