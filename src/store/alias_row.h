/* alias_row.h - rows of alias, alias_new and alias_filter: what the three alias*.c share */
#ifndef HANDOFF_STORE_ALIAS_ROW_H
#define HANDOFF_STORE_ALIAS_ROW_H

#include "store/internal.h"
#include "store/number.h"

/*
 *	alias, alias_new version(1) count(2) newest id(8), then for each batch
 *			route(4) batch_id(16) message_id(16) hash(4) correlation(8), then CRC-32C(4)
 *	alias_filter	version(1), then for each of many rows of aliases
 *			first id(8) count(2), then for each batch of it
 *			message_id(4, its beginning) hash(2) hash of correlation(2), then CRC-32C(4)
 */
#define ALIAS_HEAD_BYTES 11
#define ALIAS_ENTRY_BYTES 48
#define ALIAS_CRC_BYTES 4
#define ALIAS_ENTRIES_MAX ((16384 - ALIAS_HEAD_BYTES - ALIAS_CRC_BYTES) / ALIAS_ENTRY_BYTES)

/* alias.c: an entry of a row that is whole; a row appended to either table, NULL when it failed. */
void alias_read(const uint8_t *entry, struct alias *a);
uint8_t *alias_reserve(struct store *s, enum table t, uint64_t id, size_t n);
/* A row of aliases; the first at or behind k: of those that wait last. */
bool alias_get(struct store *s, uint64_t id, MDB_val *v);
bool alias_seek(struct store *s, uint64_t id, MDB_val *found, MDB_val *v);

/* alias_filter.c: what the row of aliases has, as it was flushed. */
void alias_filter_add(struct store *s, uint64_t id, const uint8_t *entries, size_t count);
/* Its row of aliases is forgotten. */
void alias_filter_forget(struct store *s, uint64_t id);

/* What a filter, stored or in memory, has of one row of aliases. */
struct filter_part {
	uint64_t id;
	size_t count;
	const uint8_t *entries;
};
/* Goes over the n bytes: *at is 0 at the beginning. False at the end. */
bool filter_next(const uint8_t *filter, size_t n, size_t *at, struct filter_part *part);
/* The row of aliases may have what is searched for. */
bool filter_matches(const struct filter_part *part, const struct alias_query *q);

#endif
