/* series.c - the order of an ordered route: what one instance sent, one batch after the other */
#include <string.h>

#include "base/log.h"
#include "store/internal.h"

void series_put(struct store *s, const struct batch *b)
{
	struct key k = key_series(b->route, b->series, b->id);

	table_put(s, TABLE_SERIES, &k, NULL, 0);
}

void series_del(struct store *s, const struct batch *b)
{
	struct key k = key_series(b->route, b->series, b->id);

	table_del(s, TABLE_SERIES, &k);
}

uint32_t store_series_next(struct store *s, uint32_t route, uint32_t after)
{
	struct key k = key_series(route, after + 1, 0);
	MDB_val found, v;

	if (after == UINT32_MAX || !table_seek(s, TABLE_SERIES, &k, &found, &v) ||
	    memcmp(found.mv_data, k.b, 4) != 0)
		return 0;
	return key_get32((const uint8_t *)found.mv_data + 4);
}

void series_del_lost(struct store *s, uint32_t route, uint64_t id)
{
	MDB_val v;

	for (uint32_t n = store_series_next(s, route, 0); n; n = store_series_next(s, route, n)) {
		struct key k = key_series(route, n, id);
		if (table_get(s, TABLE_SERIES, &k, &v)) {
			table_del(s, TABLE_SERIES, &k);
			return;
		}
	}
}

int store_series_first(struct store *s, uint32_t route, uint32_t series, struct batch *b)
{
	struct key k = key_series(route, series, 0);
	MDB_val found, v;

	if (!table_seek(s, TABLE_SERIES, &k, &found, &v) || memcmp(found.mv_data, k.b, 8) != 0)
		return ERR_NOTFOUND;
	uint64_t id = key_get64((const uint8_t *)found.mv_data + 8);
	int rc = store_batch_find(s, route, id, b);
	if (rc == ERR_NOTFOUND) {	/* in no queue: no state that could be left */
		*b = (struct batch){ .state = BATCH_NEW, .id = id, .route = route };
		rc = ERR_CORRUPT;
	}
	return rc;
}
