/* rows.c - the rows of a store, to be compared with those of another */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "store/internal.h"

/* Not by a CRC: rows end with their own, and of two such rows it is the same. */
static uint64_t row_of(const MDB_val *key, const MDB_val *value)
{
	uint8_t digests[2][SHA256_BYTES], both[SHA256_BYTES];
	uint64_t row;

	sha256(key->mv_data, key->mv_size, digests[0]);
	sha256(value->mv_data, value->mv_size, digests[1]);
	sha256(digests, sizeof digests, both);
	memcpy(&row, both, sizeof row);
	return row;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void read_table(struct rows *r, struct store *s, enum table t)
{
	struct key first = { .n = 0 };
	struct table_walk walk;
	MDB_val key, value;

	r->tables[t].n = 0;
	if (!table_walk_begin(s, t, &first, &walk))
		return;
	while (table_walk_next(&walk, &key, &value)) {
		if (r->tables[t].n == r->tables[t].most) {
			r->tables[t].most = 2 * r->tables[t].most + 64;
			r->tables[t].list = xrealloc(r->tables[t].list,
			    r->tables[t].most * sizeof *r->tables[t].list);
		}
		r->tables[t].list[r->tables[t].n++] = row_of(&key, &value);
	}
	table_walk_end(&walk);
	if (r->tables[t].n > 0)
		qsort(r->tables[t].list, r->tables[t].n, sizeof *r->tables[t].list, compare);
}

void rows_read(struct rows *r, struct store *s)
{
	for (enum table t = 0; t < TABLE_COUNT; t++)
		read_table(r, s, t);
	store_read_end(s);
}

enum table rows_differ(const struct rows *a, const struct rows *b)
{
	enum table t = 0;

	while (t < TABLE_COUNT && a->tables[t].n == b->tables[t].n &&
	    (a->tables[t].n == 0 || memcmp(a->tables[t].list, b->tables[t].list,
	    a->tables[t].n * sizeof *a->tables[t].list) == 0))
		t++;
	return t;
}

bool rows_contain(const struct rows *all, const struct rows *some)
{
	for (enum table t = 0; t < TABLE_COUNT; t++)
		for (size_t i = 0, at = 0; i < some->tables[t].n; i++, at++) {
			while (at < all->tables[t].n &&
			    all->tables[t].list[at] < some->tables[t].list[i])
				at++;
			if (at == all->tables[t].n ||
			    all->tables[t].list[at] != some->tables[t].list[i])
				return false;
		}
	return true;
}
