/* run.h - one episode: the real store and the model, the same operations on both */
#ifndef HANDOFF_SIM_STORE_RUN_H
#define HANDOFF_SIM_STORE_RUN_H

#include "../disk.h"
#include "base/rng.h"
#include "model.h"
#include "wire/message.h"

#define STORE_BYTES (UINT64_C(64) << 20)
#define ROUTES 2
#define FIRST_ROUTE 70001u		/* of no name: the store counts nothing of them */
#define SOURCES 3
#define FIRST_SOURCE 80001u
#define OPERATIONS_MAX 32
#define BATCHES_MAX 40
#define LETTERS_MAX 30

struct run {
	uint64_t seed;
	unsigned step;
	bool trace;
	const char *dir;
	struct rng rng;
	struct store *store;
	struct model model;
	unsigned weights[OPERATIONS_MAX];	/* of this episode: some operations are left out */
	bool full;			/* this episode fills the store */
	bool ordered[ROUTES];
	uint64_t now_ms;
	uint64_t refused;		/* intakes that found no room */
	bool is_child;			/* the intake that runs may be aborted */
};

/* The two differ: says how, and the command that does it again; does not return. */
__attribute__((noreturn, format(printf, 2, 3)))
void differ(const struct run *r, const char *fmt, ...);
__attribute__((format(printf, 2, 3)))
void trace(const struct run *r, const char *fmt, ...);

bool chance(struct run *r, unsigned one_in);
uint64_t between(struct run *r, uint64_t least, uint64_t most);
/* An item of a list, whichever; NULL when there is none. */
void *pick(struct run *r, enum kept kept);
uint32_t draw_route(struct run *r);
uint32_t draw_source(struct run *r);

/* main.c: opens the store as it is. */
void run_open(struct run *r);

/* steps.c, steps_letter.c, steps_history.c: operations; false when there was nothing to do. */
#define OPERATION_LIST(X) \
	X(insert) X(move) X(end) X(bury) X(end_partly) X(letter_insert) X(redrive) X(purge) \
	X(damage) X(set_aside) X(ended_move) X(ended_del) X(notice_add) X(notice_move) \
	X(notice_trim) X(journal_add) X(action_add) X(control_put) X(confirm_put) X(confirm_del) \
	X(confirm_record) X(confirm_due) X(alias_trim) X(sequence) X(instance) X(name) \
	X(counters) X(boot)
#define DECLARE(name) bool step_##name(struct run *r);
OPERATION_LIST(DECLARE)
#undef DECLARE
/* A line in the journal of a batch, where its record is about to say so. */
void add_line(struct run *r, uint64_t id);
uint64_t take_id(struct run *r);
uint64_t take_notice(struct run *r);
/* Good until the next one is drawn. */
struct span draw_payload(struct run *r);
/* Errors are few, or as many as are kept. */
struct ended draw_end(struct run *r, const struct batch *b);
struct batch draw_batch(struct run *r, struct span payload);
void add_alias(struct run *r, const struct batch *b);
/* Of a value of n bytes; in a child or, where it may be, in the turn itself. */
void begin_intake(struct run *r, size_t n);
/* Ended, or given up: by us, or because there was no room. False: it was. */
bool end_intake(struct run *r, bool may_be_full);
void step_commit(struct run *r);
void step_crash(struct run *r);
/* Everything goes: then there is room. */
void step_drain(struct run *r);

/* compare.c: one question, whichever; list.c: all of them. */
void ask(struct run *r);
void list_all(struct run *r);

/* compare.c: differ() when the store's answer to `what` is not the model's. */
void same(struct run *r, const char *what, bool is_same);
void same_batch(struct run *r, const char *what, int rc, const struct batch *b,
    const struct kept_batch *k);
void same_letter(struct run *r, const char *what, int rc, const struct batch *b,
    const struct ended *e, const struct kept_letter *k);
void same_end(struct run *r, const char *what, int rc, const struct ended *e,
    const struct kept_end *k);
bool is_same_identity(const struct identity *a, const struct identity *b);
bool is_same_confirmation(const struct confirmation *a, const struct confirmation *b);
bool is_same_line(const struct journal_line *a, const struct journal_line *b);
bool is_same_action(const struct action *a, const struct action *b);
bool is_same_instance(const struct instance_record *a, const struct instance_record *b);

#endif
