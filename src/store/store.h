/* store.h - custody on disk: one write transaction a turn, and nothing leaves before its commit */
#ifndef HANDOFF_STORE_STORE_H
#define HANDOFF_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "store/record.h"

/*
 * Order of use: store_open(); then, each turn, any of the functions below (the first change begins
 * the turn's transaction) and store_commit(). A change that cannot be made remembers the failure:
 * the functions go on as no-ops and store_commit() refuses, which ends the process. Only intake may
 * be refused alone, between store_intake_begin() and store_intake_end().
 *
 * Tables, in the order of a batch's life (numbers are the store's own; keys in key.h):
 *
 *	payload   id                      -> the frame's body as it came
 *	queue     route, class, id        -> struct batch (READY by class, ASSIGNED, WAITING)
 *	due       time, route, id         -> nothing; one for each WAITING batch
 *	series    route, instance, id     -> nothing; one for each batch in custody of an ordered
 *	                                     route (batch.ordered), under batch.series
 *	dead      route, id               -> struct batch, and the errors with it
 *	ended     source instance, notice -> struct ended: history, and the source's mailbox
 *	notice    instance, notice        -> what else an instance is owed: a message's body, and
 *	                                     whether any other of its module may have it
 *	journal   id, number              -> struct journal_line
 *	confirm   route, id               -> struct confirmation
 *	confirm_due time, route, id       -> nothing; one for each confirmation that is AWAITED
 *	confirm_record id, hash           -> what came of one record, while parts are missing
 *	identity  route, batch_id         -> of what is in custody or a dead letter: its id
 *	identity_ended route, batch_id    -> of what has ended: source and notice
 *	alias     first id                -> the correlation and message ids of what one turn took
 *	alias_new first id                -> the same, of the latest turns with a batch or two
 *	alias_filter first id of the last -> of many rows of aliases, what a search looks at first
 *	sequence  route, instance         -> one above the highest sequence_number taken
 *	error     number                  -> struct error_record
 *	error_by  index, hash, number     -> of a record's error code and record_id; else nothing
 *	alert     number                  -> struct error_record without its bytes: until a person
 *	                                     has acknowledged it
 *	action    number                  -> struct action
 *	control   route                   -> struct route_control
 *	circuit   number of its name      -> struct circuit_record
 *	instance, route, name, meta       -> the small things
 */
struct store;

struct store_options {
	const char *path;		/* directory; made when it does not exist */
	uint64_t size;			/* bytes; the file is preallocated to it */
};

/*
 * Opens or makes the store: takes the lock against a second broker, checks format and length of the
 * file before anything is served. On failure the error and, in why[size], a sentence for people.
 */
int store_open(const struct store_options *o, struct store **out, char *why,
    size_t size) MUST_CHECK;
/* Gives up what was not committed. NULL is fine. */
void store_close(struct store *s);

/* --- the turn ------------------------------------------------------------------------------- */

/*
 * Makes the turn's changes durable. Nothing to commit is a success. ERR_IO: exit, nothing is sure.
 */
int store_commit(struct store *s) MUST_CHECK;
/*
 * The same, but a busy turn may be being written by another thread still: the next turn can go on
 * meanwhile. What it took in is durable when store_durable_turn() says so; turns count from 1.
 */
int store_commit_begin(struct store *s) MUST_CHECK;
/* Hears how that went, when it is over. 0, or ERR_IO as store_commit(). */
int store_commit_end(struct store *s) MUST_CHECK;
/*
 * The turn holds enough for that thread, which has nothing to do: end it, and take the rest into the
 * next one, while this one is written.
 */
bool store_turn_is_ripe(const struct store *s);
/* The turn that goes on, and the latest that is durable with all before it. */
uint64_t store_turn(const struct store *s);
uint64_t store_durable_turn(const struct store *s);
/*
 * Starts that thread; `done` is called by it when something has been written. False: the system has
 * none, and turns wait for the disk themselves.
 */
bool store_flush_aside(struct store *s, void (*done)(void *arg), void *arg);
/*
 * Between turns: moves what the redo log holds into the store's file, which then is whole by itself.
 * An orderly stop ends with it; store_commit() does it when it has to. ERR_IO: the log has it still.
 */
int store_checkpoint(struct store *s) MUST_CHECK;
/* A turn has begun and not ended, or reads: never when the process sleeps. */
bool store_is_in_turn(const struct store *s);
/* Ends the reading that deliveries did after the commit. */
void store_read_end(struct store *s);
/* Some change of this turn has failed: store_commit() will refuse. */
bool store_has_failed(const struct store *s);

/*
 * An intake is refused alone: what is put between these two is there as a whole, or gone without a
 * trace while the turn lives. `n` are the bytes of the largest value that will be put. Where the
 * pages for it are certainly there, the changes go straight into the turn's transaction; else into
 * a child of it (after MDB_MAP_FULL every call on the same transaction fails), which costs as much
 * as the rest of a small batch. store_intake_end() returns 0, or ERR_FULL when there was no room.
 */
void store_intake_begin(struct store *s, size_t n);
int store_intake_end(struct store *s) MUST_CHECK;
/* Gives up an intake that is a child: begun with STORE_INTAKE_CHILD. */
#define STORE_INTAKE_CHILD SIZE_MAX
void store_intake_abort(struct store *s);

/*
 * Room. What an end, a retry or a move needs comes from a reserve that intake never touches, so
 * that a full store still drains (reliability.md B1): store_has_room() says whether a payload of n
 * bytes fits and leaves `reserve` bytes beside. Pages freed by the latest two commits do not count
 * yet.
 */
bool store_has_room(struct store *s, uint64_t n, uint64_t reserve);
/*
 * Half of the reserve for ends is used up: from now on only what the promise needs is written, no
 * journal lines and no long reasons.
 */
bool store_is_tight(struct store *s);
/*
 * The turn may have used so much of the pages there were at its beginning: commit before doing
 * more. Who takes in stops at STORE_INTAKE_PERCENT, so that there is something left for what has to
 * follow.
 */
#define STORE_INTAKE_PERCENT 50
#define STORE_TURN_PERCENT 75
bool store_turn_has_used(const struct store *s, unsigned percent);
/* What intake always leaves to ends, retries and moves, in bytes. */
uint64_t store_reserve_bytes(const struct store *s);
uint64_t store_size_bytes(const struct store *s);
/* Not in use, the reserve among it; about, and begins the turn's transaction. */
uint64_t store_free_bytes(struct store *s);
/*
 * Makes the turn end with a checkpoint, whatever it has changed: pages freed before become usable
 * (reliability.md M4).
 */
void store_nudge(struct store *s);

/* --- meta ----------------------------------------------------------------------------------- */

const struct uuid *store_broker_id(const struct store *s);
/* Rising numbers, each saved with the turn that took it. */
uint64_t store_next_id(struct store *s);
uint64_t store_next_lease(struct store *s);
uint64_t store_next_notice(struct store *s);
uint64_t store_last_notice(const struct store *s);
/* The custody clock as saved by the latest commit, and for the next one. Milliseconds. */
uint64_t store_clock_ms(const struct store *s);
void store_set_clock_ms(struct store *s, uint64_t now_ms);
/*
 * What the custody clock and the system's clock since boot have to do with each other, so that a
 * restart knows how long it was away: the boot it was taken in, and boot clock − custody clock.
 */
struct store_boot {
	struct uuid boot_id;		/* all zero: never set */
	int64_t offset_ms;
};
struct store_boot store_boot(const struct store *s);
/* A change is saved by the next store_commit(), with a turn of its own if need be. */
void store_set_boot(struct store *s, const struct store_boot *b);
/* Bytes of history: ends, notices, journals, confirmations and their records, errors, aliases. */
uint64_t store_history_bytes(const struct store *s);

/* --- names ---------------------------------------------------------------------------------- */

/* The number of a route's name, made when new. Never 0. */
uint32_t store_route_number(struct store *s, const char *name);
uint32_t store_module_number(struct store *s, const char *name);
uint32_t store_circuit_number(struct store *s, const char *name);
/* Calls f for each route the store knows, with its durable counters. Stops when f returns false. */
void store_route_walk(struct store *s,
    bool (*f)(void *arg, uint32_t number, const char *name, const struct route_counters *c),
    void *arg);
void store_counters_get(struct store *s, uint32_t route, struct route_counters *c);
void store_counters_put(struct store *s, uint32_t route, const struct route_counters *c);

/* A new instance's number; never 0. */
uint32_t store_instance_create(struct store *s);
void store_instance_put(struct store *s, const struct instance_record *i);
void store_instance_del(struct store *s, uint32_t number);
void store_instance_walk(struct store *s, bool (*f)(void *arg, const struct instance_record *i),
    void *arg);
/* One above the highest sequence_number taken of an instance on a route; 0 none. */
uint64_t store_sequence_get(struct store *s, uint32_t route, uint32_t instance);
void store_sequence_put(struct store *s, uint32_t route, uint32_t instance, uint64_t number);
void store_sequence_del(struct store *s, uint32_t route, uint32_t instance);

/* --- a batch -------------------------------------------------------------------------------- */

/* Where a batch_id of a route is now. */
enum identity_kind { IDENTITY_NONE, IDENTITY_LIVE, IDENTITY_DEAD, IDENTITY_ENDED };
struct identity {
	enum identity_kind kind;
	uint64_t id;		/* LIVE, DEAD */
	uint32_t source;	/* ENDED: the row of history */
	uint64_t notice;
};
void store_identity_get(struct store *s, uint32_t route, const struct uuid *batch_id,
    struct identity *out);

/*
 * The arrows of design.md section 5, each in the turn's transaction. The state, flags and numbers
 * of *b decide the key; `from` is the batch as it stands in the store.
 */
/* NEW -> READY or ASSIGNED: payload, queue and identity. Inside an intake. */
void store_batch_insert(struct store *s, const struct batch *b, const uint8_t *payload, size_t n);
/* Between READY, ASSIGNED and WAITING, or rewritten in place. */
void store_batch_move(struct store *s, const struct batch *from, const struct batch *b);
/* -> ENDED: out of the queue, payload and all; a row of history in its stead. */
void store_batch_end(struct store *s, const struct batch *from, const struct ended *e);
/* -> DEAD: out of the queue, a dead letter with the payload kept, a row in the source's mailbox. */
void store_batch_bury(struct store *s, const struct batch *from, const struct ended *e);
/*
 * -> ENDED, but the whole batch is also kept as a dead letter, marked partial: the target processed
 * it and rejected records of it (protocol.md section 6). The letter is `derived`; it has no
 * identity of its own.
 */
void store_batch_end_partly(struct store *s, const struct batch *from, const struct ended *e);

/* --- dead letters --------------------------------------------------------------------------- */

/*
 * A letter that comes from elsewhere: the rejected records of a batch, an import. Payload, dead
 * row, identity (DEAD). Inside an intake.
 */
void store_dead_insert(struct store *s, const struct batch *b, const struct ended *e,
    const uint8_t *payload, size_t n);
/*
 * DEAD -> READY or WAITING (b->state): out of `dead`, into the queue; identity LIVE. The end it was
 * told with stays in history and no longer owns the identity. Where b->id is another than
 * dead->id (a redriven batch goes last on an ordered route), payload and journal move with it:
 * then inside an intake, and b->id the highest there is. What was confirmed early under the old id
 * is forgotten. The caller has seen that the identity is the letter's, its end's, or nobody's: a
 * partial letter outlives its end's row, and the batch_id may be another batch's by then.
 */
void store_dead_redrive(struct store *s, const struct batch *dead, const struct batch *b);
/*
 * DEAD -> gone: row, payload, journal, what was confirmed early, and the identity if it is the
 * letter's own. Of a letter whose record was lost (payload_bytes 0) it is looked for in the whole
 * route.
 */
void store_dead_purge(struct store *s, const struct batch *dead);
/* The first letter of a route with an id above `after` (errors borrowed). ERR_NOTFOUND; or
 * ERR_CORRUPT: b->id and b->route are set. */
int store_dead_next(struct store *s, uint32_t route, uint64_t after, struct batch *b,
    struct ended *e) MUST_CHECK;

/* --- looking -------------------------------------------------------------------------------- */

/*
 * The first batch in custody of a route whose key lies above (b->state, its class, b->id) as *b
 * says, in the order of the queue: READY by class, ASSIGNED, WAITING. Begin with state BATCH_NEW.
 * ERR_NOTFOUND, ERR_CORRUPT as above.
 */
int store_queue_next(struct store *s, uint32_t route, struct batch *b) MUST_CHECK;
/*
 * The first identity of a route whose batch_id is at least *batch_id, which gets its value.
 * ERR_NOTFOUND.
 */
int store_identity_next(struct store *s, uint32_t route, struct uuid *batch_id,
    struct identity *out) MUST_CHECK;

/*
 * The first batch of a series (its least id), whatever its state. ERR_NOTFOUND, ERR_CORRUPT as
 * above; state BATCH_NEW: the series has it and the queue has not, store_batch_set_aside() takes it
 * out.
 */
int store_series_first(struct store *s, uint32_t route, uint32_t series,
    struct batch *b) MUST_CHECK;
/* The first series of a route above `after` that has batches in custody: 0 when there is none. */
uint32_t store_series_next(struct store *s, uint32_t route, uint32_t after);

/* The batch of an id that has not ended: READY, WAITING, ASSIGNED. ERR_NOTFOUND; ERR_CORRUPT: as
 * below. */
int store_batch_find(struct store *s, uint32_t route, uint64_t id, struct batch *b) MUST_CHECK;
/* A dead letter and the end it was told with (errors borrowed). ERR_NOTFOUND, ERR_CORRUPT. */
int store_dead_get(struct store *s, uint32_t route, uint64_t id, struct batch *b,
    struct ended *e) MUST_CHECK;

/* Where a READY batch queues. HELD comes first: a suspect that is held is HELD. */
enum ready_class { CLASS_CRITICAL, CLASS_NORMAL, CLASS_SUSPECT, CLASS_HELD };
enum ready_class batch_ready_class(const struct batch *b);
/*
 * Finding. ERR_NOTFOUND; or ERR_CORRUPT: the record is damaged, *b then has what its key says (id,
 * route, state, and where it queues), and store_batch_set_aside() is what to do with it.
 */
/* The first READY batch of a route in a class, in the order of custody. */
int store_ready_first(struct store *s, uint32_t route, enum ready_class class,
    struct batch *b) MUST_CHECK;
/* The same, of those with an id above `after`. */
int store_ready_next(struct store *s, uint32_t route, enum ready_class class, uint64_t after,
    struct batch *b) MUST_CHECK;
/*
 * The first WAITING batch that is due at now_ms. *next_ms gets the time of the next one that is not
 * yet due, UINT64_MAX when there is none.
 */
int store_due_first(struct store *s, uint64_t now_ms, struct batch *b,
    uint64_t *next_ms) MUST_CHECK;
/* The first ASSIGNED batch of a route with an id above `after`: a restart takes all of them
 * back. */
int store_assigned_next(struct store *s, uint32_t route, uint64_t after,
    struct batch *b) MUST_CHECK;
/* A damaged record leaves queue, due and series; a bare dead letter keeps the payload. */
void store_batch_set_aside(struct store *s, const struct batch *b);

/*
 * The body of the frame as it came; good until the transaction ends. With `verify` its CRC is
 * checked: ERR_CORRUPT when the stored bytes no longer match. ERR_NOTFOUND.
 */
int store_payload_get(struct store *s, uint64_t id, bool verify, const uint8_t **p,
    size_t *n) MUST_CHECK;

/* --- history and mailbox -------------------------------------------------------------------- */

/* The first row of a source instance with a notice above `after`. ERR_NOTFOUND. */
int store_ended_next(struct store *s, uint32_t source, uint64_t after, struct ended *e) MUST_CHECK;
int store_ended_get(struct store *s, uint32_t source, uint64_t notice, struct ended *e) MUST_CHECK;
/* Moves a row that is still owed to another instance's mailbox, under a new notice; the letter, the
 * identity and the confirmation that name the row follow. */
void store_ended_move(struct store *s, const struct ended *from, uint32_t source, uint64_t notice);
/*
 * Forgets a row and what hangs on it: the identity that points at it, the journal (journalled or
 * confirming) of a batch that is neither in custody nor a letter nor has ended once more, the
 * confirmation (confirming) that names it.
 */
void store_ended_del(struct store *s, const struct ended *e);

/* --- notices: what else an instance is owed -------------------------------------------------- */

struct notice_row {
	uint64_t number;
	bool for_any;			/* any instance of the module may take it */
	const uint8_t *body;		/* of a message, without the key `notice`; borrowed */
	size_t n;
};
/* Stores the body of a message under a new notice; returns it. */
uint64_t store_notice_add(struct store *s, uint32_t instance, bool for_any, const uint8_t *body,
    size_t n);
/* The first with a number above `after` (body borrowed). ERR_NOTFOUND. */
int store_notice_next(struct store *s, uint32_t instance, uint64_t after,
    struct notice_row *row) MUST_CHECK;
/* It goes to another instance, under a new notice, which is returned; `row` is as it was found. */
uint64_t store_notice_move(struct store *s, uint32_t from, const struct notice_row *row,
    uint32_t to);
/* Forgets the instance's oldest, at most `most` of those up to `until`. Returns how many. */
unsigned store_notice_trim(struct store *s, uint32_t instance, uint64_t until, unsigned most);

/* --- the journal ----------------------------------------------------------------------------- */

/* Adds a line to a batch's journal; beyond JOURNAL_LINES_MAX the second oldest goes. Texts are cut.
 * The caller sets batch.journalled and ended.journalled; where the row of history is written
 * already (what comes after an end), ended.confirming does as well. A dead letter needs neither. */
void store_journal_add(struct store *s, uint64_t id, const struct journal_line *line);
/* The first line with a number above *number, which gets its number (0: before the first). A
 * damaged line is skipped. ERR_NOTFOUND. */
int store_journal_next(struct store *s, uint64_t id, uint32_t *number,
    struct journal_line *line) MUST_CHECK;

/* What persons did; beyond ACTIONS_MAX the oldest goes. */
#define ACTIONS_MAX 10000
void store_action_add(struct store *s, const struct action *a);
/* The last one with a number below `before` (UINT64_MAX: the newest). ERR_NOTFOUND. */
int store_action_previous(struct store *s, uint64_t before, struct action *a) MUST_CHECK;
void store_control_get(struct store *s, uint32_t route, struct route_control *c);
void store_control_put(struct store *s, uint32_t route, const struct route_control *c);
/* One that was never put is closed (all zero). */
void store_circuit_get(struct store *s, uint32_t circuit, struct circuit_record *c);
void store_circuit_put(struct store *s, uint32_t circuit, const struct circuit_record *c);

/* --- confirmations --------------------------------------------------------------------------- */

/* ERR_NOTFOUND, ERR_CORRUPT. */
int store_confirm_get(struct store *s, uint32_t route, uint64_t id,
    struct confirmation *c) MUST_CHECK;
/* Writes it, and its row in confirm_due while AWAITED. `was`: as it stands, NULL when new. */
void store_confirm_put(struct store *s, const struct confirmation *was,
    const struct confirmation *c);
/* Forgets it and its records. */
void store_confirm_del(struct store *s, const struct confirmation *c);
/* The first AWAITED one that is due; *next_ms as in store_due_first(). ERR_NOTFOUND, ERR_CORRUPT
 * (then c->route and c->id are set, and it has been forgotten). */
int store_confirm_due_first(struct store *s, uint64_t now_ms, struct confirmation *c,
    uint64_t *next_ms) MUST_CHECK;
/* The first of a route with an id above `after`. ERR_NOTFOUND. */
int store_confirm_next(struct store *s, uint32_t route, uint64_t after,
    struct confirmation *c) MUST_CHECK;
/* What was confirmed of a record: false when nothing was. `hash` is the caller's, of its id. */
bool store_confirm_record_get(struct store *s, uint64_t id, uint64_t hash, uint8_t *status);
void store_confirm_record_put(struct store *s, uint64_t id, uint64_t hash, uint8_t status);

/* --- errors ---------------------------------------------------------------------------------- */

/*
 * The error queue: part of history, and never more than ERRORS_MAX rows, of which the oldest go
 * first. Gives *e its number. An alert is a row more, which no budget takes.
 */
#define ERRORS_MAX 100000
#define ALERTS_MAX 1024			/* beyond, the oldest goes */
void store_error_add(struct store *s, struct error_record *e);
void store_alert_add(struct store *s, const struct error_record *e);
/* ERR_NOTFOUND, ERR_CORRUPT. */
int store_error_get(struct store *s, uint64_t number, struct error_record *e) MUST_CHECK;
/* The last one with a number below `before` (UINT64_MAX: the newest). ERR_NOTFOUND. */
int store_error_previous(struct store *s, uint64_t before, struct error_record *e) MUST_CHECK;
int store_alert_previous(struct store *s, uint64_t before, struct error_record *e) MUST_CHECK;
void store_alert_del(struct store *s, uint64_t number);
/* The same among those with one code, correlation_id or batch_id. */
enum error_index { ERRORS_BY_CODE, ERRORS_BY_CORRELATION, ERRORS_BY_BATCH };
int store_error_previous_by(struct store *s, enum error_index index, const void *p, size_t n,
    uint64_t before, struct error_record *e) MUST_CHECK;
/* The oldest there is. ERR_NOTFOUND; of a damaged one ERR_CORRUPT. */
int store_error_oldest(struct store *s, struct error_record *e) MUST_CHECK;
/* Forgets the oldest. */
void store_error_trim(struct store *s);
uint64_t store_error_count(const struct store *s);
uint64_t store_alert_count(const struct store *s);
/*
 * Errors of scope RECORD under a correlation_id. Whether there may be any is known without the
 * store's tables: it costs nothing where there is none. The walk is in the order of coming; the
 * spans are good until f returns, and f changes nothing.
 */
bool store_error_may_have_records(const struct store *s, const char *correlation, size_t n);
void store_error_walk_records(struct store *s, const char *correlation, size_t n,
    void (*f)(void *arg, const char *code, size_t code_n, const char *record_id, size_t id_n),
    void *arg);

/* --- aliases: a batch by its correlation_id or its message_id -------------------------------- */

/*
 * One row a turn for all that the turn took, written by store_commit(): an append, whatever the ids
 * are; and a row of the filter for each eight KiB of what it has of them. Rows go when all their
 * batches are older than history keeps and out of custody.
 */
struct alias {
	uint32_t route;
	struct uuid batch_id;
	struct uuid message_id;
	uint32_t correlation_hash;	/* CRC-32C of the whole text */
	char correlation[8];		/* its beginning, zero-filled */
};
/*
 * Inside or after the intake of `id`, ids rising; forgotten when the intake is aborted. Memory
 * only: rows are written by store_commit(), and by the next intake when there are some 16 KiB.
 */
void store_alias_add(struct store *s, uint64_t id, uint32_t route, const struct uuid *batch_id,
    const struct uuid *message_id, const char *correlation, size_t n);
/*
 * What is searched for: aliases whose message_id begins with the text, or whose correlation_id it
 * is; with `beginnings` those whose correlation_id may begin with it. A text shorter than
 * ALIAS_FILTERED bytes is in no filter: then every row is read.
 */
#define ALIAS_FILTERED (sizeof ((struct alias *)0)->correlation)
struct alias_query {
	bool all, by_id, by_whole, by_beginning;
	uint8_t id[4];			/* the first bytes of the message_id */
	uint16_t whole, beginning;	/* hashes of the correlation_id, of its first 8 bytes */
};
struct alias_query alias_query_of(const char *text, bool beginnings);
/*
 * Goes on above *after (0: from the start), which gets where it got to, for some rows of the
 * filter. Calls f for all aliases of those rows in which one may match, of at most `rows` (up to
 * ALIAS_ROWS_MAX): f decides. False when there are no more. f returns false to stop (the answer is
 * true then), and changes nothing in the store. What this turn has taken is not there yet.
 */
#define ALIAS_ROWS_MAX 512
bool store_alias_scan(struct store *s, const struct alias_query *q, uint64_t *after, unsigned rows,
    bool (*f)(void *arg, const struct alias *a), void *arg);
/* The first row there is: 0 none. */
uint64_t store_alias_first(struct store *s);
/* Forgets at most `rows` of the oldest rows whose newest id is below `id`. True when there may be
 * more. */
bool store_alias_trim(struct store *s, uint64_t id, unsigned rows);
/* Bytes of aliases and their filters; part of store_history_bytes(). */
uint64_t store_alias_bytes(const struct store *s);

/* Commits since the store was opened: turns that changed something. */
uint64_t store_commits(const struct store *s);
/* B-tree operations since the store was opened: the cost budget counts them (tests/bench). */
uint64_t store_operations(const struct store *s);
uint64_t store_payload_copies(const struct store *s);

#endif
