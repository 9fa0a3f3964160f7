/* rows.h - the rows of a store, to be compared with those of another */
#ifndef HANDOFF_POWER_ROWS_H
#define HANDOFF_POWER_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "store/tables.h"

/* Of each table what stands for its rows, in order. Zeroed: none. */
struct rows {
	struct {
		uint64_t *list;
		size_t n, most;
	} tables[TABLE_COUNT];
};

/* Keys and values, as they stand in the store; what r had before is gone. */
void rows_read(struct rows *r, struct store *s);
/* The first table that differs; TABLE_COUNT: none. */
enum table rows_differ(const struct rows *a, const struct rows *b);
/* All rows are there, and perhaps others beside them. */
bool rows_contain(const struct rows *all, const struct rows *some);

#endif
