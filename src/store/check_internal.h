/* check_internal.h - what the two halves of the store's check share */
#ifndef HANDOFF_STORE_CHECK_INTERNAL_H
#define HANDOFF_STORE_CHECK_INTERNAL_H

#include "store/check.h"
#include "store/internal.h"

struct id_set {
	uint64_t *ids;
	size_t count, capacity;
	bool sorted;
};

struct check {
	struct store *store;
	MDB_txn *txn;
	struct store_tally *tally;
	struct route_counters *counted;		/* of the routes so far; numbers beside */
	uint32_t numbers[CHECK_ROUTES_MAX];
	uint64_t bare[CHECK_ROUTES_MAX];	/* dead letters of each whose record was lost */
	size_t route_count;
	uint64_t ordered, awaited;	/* batches, confirmations */
	uint64_t without_payload;	/* dead letters */
	uint64_t alias_bytes;
	uint64_t error_rows, error_index_rows;	/* that errors should have, that there are */
	struct id_set journalled;	/* may have a journal */
	struct id_set confirmed;	/* have a row in `confirm` */
	uint64_t latest;		/* id, of the table that is walked */
	uint32_t latest_line;		/* of a journal */
	size_t key_size;		/* of the row that is looked at */
	char *why;
	size_t size;
};

/* Says what is wrong, in c->why; returns ERR_CORRUPT. */
__attribute__((format(printf, 2, 3)))
int store_disagree(struct check *c, const char *fmt, ...);
bool store_has_row(struct check *c, enum table t, struct key k);

void store_ids_add(struct id_set *set, uint64_t id);
bool store_ids_has(struct id_set *set, uint64_t id);

/* History, mailboxes and what hangs on them: check_history.c. The queue has been walked. */
int store_check_history(struct check *c) MUST_CHECK;
int store_walk(struct check *c, enum table t,
    int (*f)(struct check *c, const uint8_t *key, const MDB_val *v)) MUST_CHECK;

#endif
