/* alias_scan.c - a search through the aliases: the filter says which rows have to be read */
#include <sys/mman.h>

#include "base/log.h"
#include "store/alias_row.h"

#define FILTERS_AT_ONCE 64

struct gathered {
	uint64_t *after;
	uint64_t ids[ALIAS_ROWS_MAX];
	unsigned count, most;
};

/*
 * Rows lie all over the file, a page or more for each. A scan of a store that is in no cache would
 * wait for one after the other; so the kernel is told of some before the first of them is read.
 */
static void announce(const struct store *s, const MDB_val *v)
{
	uintptr_t begin = (uintptr_t)v->mv_data / s->page_size * s->page_size;

	(void)madvise((void *)begin, (uintptr_t)v->mv_data + v->mv_size - begin, MADV_WILLNEED);
}

/* Each row of aliases above *after up to `until`. False when there are more than is asked for. */
static bool gather_all(struct store *s, uint64_t until, struct gathered *g)
{
	MDB_val k, v;

	while (*g->after < until && alias_seek(s, *g->after + 1, &k, &v) &&
	    key_get64(k.mv_data) <= until) {
		if (g->count == g->most)
			return false;
		g->ids[g->count++] = *g->after = key_get64(k.mv_data);
	}
	return true;
}

/* As above, only those that the filter lets through. */
static bool gather_filtered(const struct alias_query *q, const uint8_t *filter, size_t n,
    struct gathered *g)
{
	struct filter_part part;

	for (size_t at = 0; filter_next(filter, n, &at, &part);) {
		if (part.id <= *g->after)
			continue;
		if (g->count == g->most)
			return false;
		if (filter_matches(&part, q))
			g->ids[g->count++] = part.id;
		*g->after = part.id;
	}
	return true;
}

/* A filter that is damaged lets everything through. */
static bool gather_stored(struct store *s, const struct alias_query *q, uint64_t last,
    const MDB_val *v, struct gathered *g)
{
	if (alias_filter_is_whole(v))
		return gather_filtered(q, v->mv_data, v->mv_size - ALIAS_CRC_BYTES, g);
	if (s->aliases.filter.damaged != last)
		log_error("a stored filter of aliases does not match its checksum", "last=%llu",
		    (unsigned long long)last);
	s->aliases.filter.damaged = last;
	return gather_all(s, last, g);
}

/* The next filters, announced: how many. */
static unsigned find_filters(struct store *s, uint64_t after, uint64_t *last, MDB_val *filters)
{
	MDB_txn *txn = store_reader(s);
	struct key first = key_id(after + 1);
	MDB_val k = { first.n, first.b };
	unsigned count = 0;
	MDB_cursor *c;

	if (!txn || mdb_cursor_open(txn, s->tables[TABLE_ALIAS_FILTER], &c) != 0)
		return 0;
	int rc = mdb_cursor_get(c, &k, &filters[0], MDB_SET_RANGE);
	while (rc == 0) {
		last[count] = key_get64(k.mv_data);
		announce(s, &filters[count++]);
		if (count == FILTERS_AT_ONCE)
			break;
		rc = mdb_cursor_get(c, &k, &filters[count], MDB_NEXT);
	}
	mdb_cursor_close(c);
	return count;
}

/* True when there are no more. */
static bool gather(struct store *s, const struct alias_query *q, struct gathered *g)
{
	const struct alias_filter *f = &s->aliases.filter;
	MDB_val filters[FILTERS_AT_ONCE];
	uint64_t last[FILTERS_AT_ONCE];

	if (*g->after == UINT64_MAX)
		return true;
	if (q->all)
		return gather_all(s, UINT64_MAX, g);
	unsigned count = find_filters(s, *g->after, last, filters);
	for (unsigned n = 0; n < count; n++) {
		if (!gather_stored(s, q, last[n], &filters[n], g))
			return false;
		*g->after = last[n];
	}
	return count < FILTERS_AT_ONCE && gather_filtered(q, f->bytes, f->n, g);
}

static void announce_row(struct store *s, uint64_t id)
{
	MDB_val v;

	if (alias_get(s, id, &v))
		announce(s, &v);
}

static bool row_scan(struct store *s, uint64_t id, bool (*f)(void *arg, const struct alias *a),
    void *arg)
{
	struct alias a;
	MDB_val v;

	if (!alias_get(s, id, &v))
		return true;
	if (!alias_row_is_whole(&v)) {
		log_error("stored aliases do not match their checksum", "first=%llu",
		    (unsigned long long)id);
		return true;
	}
	const uint8_t *p = (const uint8_t *)v.mv_data + ALIAS_HEAD_BYTES;
	const uint8_t *end = (const uint8_t *)v.mv_data + v.mv_size - ALIAS_CRC_BYTES;
	for (; p < end; p += ALIAS_ENTRY_BYTES) {
		alias_read(p, &a);
		if (!f(arg, &a))
			return false;
	}
	return true;
}

bool store_alias_scan(struct store *s, const struct alias_query *q, uint64_t *after, unsigned rows,
    bool (*f)(void *arg, const struct alias *a), void *arg)
{
	struct gathered g = { .after = after };

	g.most = rows < ALIAS_ROWS_MAX ? rows : ALIAS_ROWS_MAX;
	bool all = gather(s, q, &g);
	for (unsigned n = 0; n < g.count; n++)
		announce_row(s, g.ids[n]);
	for (unsigned n = 0; n < g.count; n++)
		if (!row_scan(s, g.ids[n], f, arg)) {
			*after = g.ids[n];
			return true;
		}
	return !all;
}

uint64_t store_alias_first(struct store *s)
{
	MDB_val found, v;

	return alias_seek(s, 0, &found, &v) ? key_get64(found.mv_data) : 0;
}
