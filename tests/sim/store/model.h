/* model.h - what a store must answer: the contract of store/store.h over plain lists in memory */
#ifndef HANDOFF_SIM_STORE_MODEL_H
#define HANDOFF_SIM_STORE_MODEL_H

#include "store/store.h"

/*
 * A second implementation, written from the headers alone: no keys, no order of bytes, no indexes.
 * Each thing is a struct in a list, each question a look through the list, and a transaction is a
 * copy of all lists. What the contract leaves open (numbers that are given out, whether there is
 * room) the model is told; it says whether the contract allows it.
 */

/* Bytes are kept as their checksum. */
struct bytes {
	size_t n;
	uint32_t crc;
};

struct list {
	size_t size, count, capacity;	/* of an item, in bytes; items; items */
	unsigned char *items;
};

struct kept_batch {
	struct batch b;
	bool damaged;			/* its record */
};

struct kept_payload {
	uint64_t id;
	struct bytes bytes;
	bool damaged;
};

struct kept_end {
	struct ended e;			/* errors apart */
	struct bytes errors;
	uint64_t rank;			/* rising, as they ended; moves keep it */
};

struct kept_letter {
	struct batch b;
	struct kept_end end;		/* it was told with */
	bool damaged;
};

struct kept_identity {
	uint32_t route;
	struct uuid batch_id;
	struct identity where;
};

struct kept_notice {
	uint32_t instance;
	uint64_t number;
	bool for_any;
	struct bytes body;
};

struct kept_line {
	uint64_t id;
	uint32_t number;
	struct journal_line line;
};

struct kept_record {
	uint64_t id, hash;
	uint8_t status;
};

struct kept_confirmation {
	struct confirmation c;
};

struct kept_alias {
	uint64_t id, row;		/* row: the turn that took it, 0 not committed yet */
	struct alias a;
};

struct kept_number {			/* of a name, or one above the latest of a sequence */
	char kind;			/* r, m: a name's; s: a sequence */
	char name[64];
	uint32_t route, instance;
	uint64_t number;
};

struct kept_counters {
	uint32_t route;
	struct route_counters c;
};

struct kept_control {
	uint32_t route;
	struct route_control c;
};

/* All lists, so that copying is one loop. */
enum kept {
	KEPT_BATCHES, KEPT_PAYLOADS, KEPT_ENDS, KEPT_LETTERS, KEPT_IDENTITIES, KEPT_NOTICES,
	KEPT_LINES, KEPT_RECORDS, KEPT_CONFIRMATIONS, KEPT_ALIASES, KEPT_NUMBERS, KEPT_COUNTERS,
	KEPT_CONTROLS, KEPT_ACTIONS, KEPT_INSTANCES, KEPT_COUNT,
};

struct tables {
	struct list lists[KEPT_COUNT];
	uint64_t last_id, last_lease, last_notice, last_rank, last_row, last_action;
	uint64_t clock_ms;
	struct store_boot boot;
};

struct model {
	struct tables now, committed, before_intake;
};

void model_init(struct model *m);
void model_finish(struct model *m);

void model_commit(struct model *m);
/* The store is closed without a commit and opened again. */
void model_crash(struct model *m);
void model_intake_begin(struct model *m);
void model_intake_abort(struct model *m);

/* Loops over a list. */
#define KEPT_EACH(item, m, kept) \
	for ((item) = (void *)(m)->now.lists[kept].items; \
	    (unsigned char *)(item) < (m)->now.lists[kept].items + \
	        (m)->now.lists[kept].count * sizeof *(item); (item)++)
size_t model_count(const struct model *m, enum kept kept);
void *model_add(struct model *m, enum kept kept, const void *item);
/* The last takes its place. */
void model_remove(struct model *m, enum kept kept, void *item);

struct bytes bytes_of(const void *p, size_t n);
bool bytes_same(struct bytes a, struct bytes b);

/* --- custody.c: batches and letters ---------------------------------------------------------- */

void model_batch_insert(struct model *m, const struct batch *b, struct bytes payload);
void model_batch_move(struct model *m, const struct batch *b);
void model_batch_end(struct model *m, const struct batch *from, const struct ended *e);
void model_batch_bury(struct model *m, const struct batch *from, const struct ended *e);
void model_batch_end_partly(struct model *m, const struct batch *from, const struct ended *e);
void model_batch_set_aside(struct model *m, const struct batch *b);
void model_dead_insert(struct model *m, const struct batch *b, const struct ended *e,
    struct bytes payload);
void model_dead_redrive(struct model *m, const struct batch *dead, const struct batch *b);
void model_dead_purge(struct model *m, const struct batch *dead);

struct kept_batch *model_batch(struct model *m, uint32_t route, uint64_t id);
struct kept_letter *model_letter(struct model *m, uint32_t route, uint64_t id);
struct kept_payload *model_payload(struct model *m, uint64_t id);
struct kept_identity *model_identity(struct model *m, uint32_t route, const struct uuid *batch_id);
/* Each the answer of the function of that name; NULL is ERR_NOTFOUND. */
struct kept_batch *model_ready_first(struct model *m, uint32_t route, enum ready_class class);
struct kept_batch *model_due_first(struct model *m, uint64_t now_ms, uint64_t *next_ms);
struct kept_batch *model_assigned_next(struct model *m, uint32_t route, uint64_t after);
struct kept_batch *model_queue_next(struct model *m, uint32_t route, const struct batch *at);
struct kept_batch *model_series_first(struct model *m, uint32_t route, uint32_t series);
uint32_t model_series_next(struct model *m, uint32_t route, uint32_t after);
struct kept_letter *model_dead_next(struct model *m, uint32_t route, uint64_t after);
struct kept_identity *model_identity_next(struct model *m, uint32_t route,
    const struct uuid *from);

/* --- history.c: ends, and what hangs on them ------------------------------------------------- */

struct kept_end *model_end(struct model *m, uint32_t source, uint64_t notice);
struct kept_end *model_ended_next(struct model *m, uint32_t source, uint64_t after);
void model_end_add(struct model *m, const struct ended *e);
struct kept_end kept_end_of(const struct ended *e);
void model_ended_move(struct model *m, const struct ended *from, uint32_t source, uint64_t notice);
void model_ended_del(struct model *m, const struct ended *e);

void model_notice_add(struct model *m, uint32_t instance, uint64_t number, bool for_any,
    struct bytes body);
struct kept_notice *model_notice_next(struct model *m, uint32_t instance, uint64_t after);
unsigned model_notice_trim(struct model *m, uint32_t instance, uint64_t until, unsigned most);

void model_journal_add(struct model *m, uint64_t id, const struct journal_line *line);
struct kept_line *model_journal_next(struct model *m, uint64_t id, uint32_t after);
void model_journal_del(struct model *m, uint64_t id);

struct kept_confirmation *model_confirm(struct model *m, uint32_t route, uint64_t id);
void model_confirm_put(struct model *m, const struct confirmation *c);
void model_confirm_del(struct model *m, uint32_t route, uint64_t id);
void model_confirm_forget_early(struct model *m, uint32_t route, uint64_t id);
struct kept_confirmation *model_confirm_due_first(struct model *m, uint64_t now_ms,
    uint64_t *next_ms);
struct kept_confirmation *model_confirm_next(struct model *m, uint32_t route, uint64_t after);
struct kept_record *model_confirm_record(struct model *m, uint64_t id, uint64_t hash);
void model_confirm_record_put(struct model *m, uint64_t id, uint64_t hash, uint8_t status);

void model_alias_add(struct model *m, uint64_t id, const struct alias *a);
void model_alias_trim(struct model *m, uint64_t id, unsigned rows);

#endif
