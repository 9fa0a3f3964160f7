/* sim.h - what the simulator's files share: the plan, the world, and what must be true of it */
#ifndef HANDOFF_SIM_SIM_H
#define HANDOFF_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/rng.h"
#include "core/checkup.h"
#include "core/operate.h"
#include "store/check.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/frame.h"
#include "wire/module_error.h"

#include "disk.h"
#include "model.h"

/* --- plan.c: what a seed decides beforehand -------------------------------------------------- */

/* Each seed has a random part of these (swarm testing): some states need the others away. */
enum trouble {
	TROUBLE_CRASH,		/* between two events of a turn */
	TROUBLE_STOP,		/* SIGTERM, and a new start */
	TROUBLE_COMMIT,		/* the commit fails: the end, like a crash before it */
	TROUBLE_RELEASE,	/* a crash after the commit; of what is owed little is out */
	TROUBLE_CUT,		/* connections break */
	TROUBLE_HALF_OPEN,	/* what is handed to a connection never arrives */
	TROUBLE_GIVE_BACK,	/* GOODBYE DONE while holding batches */
	TROUBLE_DRAIN,		/* GOODBYE DRAINING */
	TROUBLE_REPLACE,	/* a second connection of the same instance */
	TROUBLE_EXPEL,		/* KICKED, REKEY */
	TROUBLE_FORGET,		/* a module starts again without its memory, or as a new instance */
	TROUBLE_HOLDS,		/* `holds` names other leases, or not all */
	TROUBLE_SEEN,		/* `seen` too high, too low or absent */
	TROUBLE_NO_MAILBOX,
	TROUBLE_DEAF,		/* peers that do not read for a while */
	TROUBLE_MUTE,		/* targets that seldom answer */
	TROUBLE_IDLE,		/* time passes in large steps */
	TROUBLE_REPEAT,		/* batches are sent again, by whatever instance */
	TROUBLE_ALTER,		/* sent again with other content */
	TROUBLE_BROKEN,		/* wrong checksum, count or target, no summary, sequence gaps */
	TROUBLE_REJECT,
	TROUBLE_PARTIAL,	/* PROCESSED with rejected records */
	TROUBLE_LATE,		/* answers with leases of deliveries that were lost */
	TROUBLE_STALE,		/* answers with leases that never were, or of other batches */
	TROUBLE_AGAIN,		/* answers repeated */
	TROUBLE_UNSOUND,	/* counts that do not add up, records that are not there */
	TROUBLE_FULL_STORE,
	TROUBLE_FULL_ROUTE,
	TROUBLE_HISTORY,	/* a history budget of a few rows */
	TROUBLE_CORRUPT,	/* stored payloads are damaged */
	TROUBLE_CROWD,		/* few instance ids are remembered */
	TROUBLE_ABSENT,		/* GAMMA never comes: its routes only fill */
	TROUBLE_TIMEOUT,	/* deadlines of the order of a step */
	TROUBLE_STALL,		/* the time that is held against peers lags behind */
	TROUBLE_HALFWAY,	/* the last byte of a delivery leaves turns after the first */
	TROUBLE_LETTERS,	/* few dead letters have room */
	TROUBLE_OPERATOR,	/* hold, release, retry, redrive, purge */
	TROUBLE_HALT,		/* routes are paused, the broker drains */
	TROUBLE_IMPORT,		/* dead letters are exported, purged, imported */
	TROUBLE_PAUSE,		/* targets ask for back-pressure */
	TROUBLE_CONFIRM,	/* DELIVERY_CONFIRMATION in parts, repeated, early, wrong */
	TROUBLE_RECONFIGURE,	/* a start with other settings */
	TROUBLE_POISON,		/* batches that cut the connection of who works on them */
	TROUBLE_TELL,		/* modules tell of errors: THROTTLE, HALT, INVESTIGATE */
	TROUBLE_NAMED,		/* rejected records are named: a letter of their own */
	TROUBLE_DISK,		/* writes and syncs of the commit fail */
	TROUBLE_NO_PIECE,	/* there is room, and no piece of it that is large enough */
	TROUBLE_SECOND,		/* a second broker tries the store */
	TROUBLE_WALL,		/* the wall clock jumps, by years */
	TROUBLE_ELSEWHERE,	/* a start that declares less: fewer routes, fewer modules */
	TROUBLE_CIRCUIT,	/* circuits open soon; a person opens and closes them */
	TROUBLE_FLOOD,		/* a few dead letters pause a route */
	TROUBLE_ROT,		/* at the end records are damaged, of whatever table */
	TROUBLE_COUNT,
};

struct plan {
	bool troubles[TROUBLE_COUNT];
	struct module_settings modules[MODULES_MAX];
	struct route_settings routes[ROUTES_MAX];
	struct circuit_settings shared;
	struct core_settings core;
	int actors_of[MODULES_MAX];
};
void plan_make(struct plan *p, struct rng *rng);
/* Other settings for a start: those that batches in custody allow. */
void plan_change(struct plan *p, struct rng *rng);

/* --- facts: what no crash of the broker changes ---------------------------------------------- */

/* A batch that another one completes. */
struct completion {
	int parcel;
	uint64_t lease;
	uint32_t rejected;
	bool unsound;			/* counts that do not add up */
};

/* Where a parcel comes from. */
enum kind {
	KIND_SENT,		/* by a source */
	KIND_REJECTS,		/* a letter of the rejected records of another */
	KIND_COPY,		/* a letter of all of another, under its batch_id */
};

/* A batch as its source knows it, and what was heard about it. */
struct parcel {
	int route;
	enum kind kind;
	int parent, root;	/* derived from; whose batch_id it has */
	int mark;		/* whose mark its records carry */
	bool has_summary;	/* its source says which errors it has left out */
	int correlation;	/* what it comes from: that of its stage's input, or its own number */
	struct uuid message_id;	/* of the frame that was taken */
	struct uuid batch_id;
	uint64_t sequence_number;
	uint32_t records, padding;
	bool critical;
	struct completion completes[COMPLETES_MAX];
	int complete_count;
	bool poison;		/* cuts the connection of who works on it */
	bool corrupt;		/* we damaged its stored payload */
	bool confirmed[RECORDS_MAX];	/* a target has confirmed it, once */
	unsigned acked;		/* life of which some source has heard RECEIVED; 0 none */
	unsigned processed;	/* life of which some target has heard PROCESSED echoed */
	unsigned told;		/* life of which some source has heard the outcome */
	bool told_dead;		/* and that it was REJECTED */
};

/* A delivery that a module has got. */
struct grip {
	int parcel;
	uint64_t lease;
};

/* A module's process: it has a memory, and loses it when it starts again. */
struct actor {
	int module, party;
	struct connection *connection;	/* NULL: none */
	struct grip held[HELD_MAX];	/* works on these */
	int held_count;
	struct grip past[PAST_MAX];	/* a ring: answered, or lost */
	unsigned past_count;
	uint64_t seen;			/* the highest notice that arrived */
	uint64_t next_sequence[ROUTES_MAX];
};

/* --- world ----------------------------------------------------------------------------------- */

/* What waits to leave for a peer: after the commit, in order, as far as the peer reads. */
struct item {
	enum { ITEM_DELIVERY, ITEM_OUTCOME, ITEM_NOTICE, ITEM_ANSWER, ITEM_ECHO } kind;
	bool begun;			/* a delivery of which some bytes have left */
	int parcel;
	unsigned life;
	enum ack_status status;
	uint64_t lease, notice;
	struct frame *frame;
	STAILQ_ENTRY(item) next;
};

/* What is known of a peer's health; all in time held against peers. */
struct signs {
	uint64_t due_ms;		/* when it is to be asked */
	uint64_t asked_ms;		/* is_asked: the first time since it answered */
	uint64_t heard_ms, ended_ms;	/* anything came from it; it ended a batch, or came itself */
	bool is_asked;
	enum health_status reported;
	uint64_t said;			/* its latest answer, which the parts are drawn from */
	int parts;			/* of it that are kept */
	bool is_stuck;			/* as the broker sees it */
	bool has_depth, tells_depth;	/* of its buffer: known; by its answers */
	uint64_t depth;
};

struct connection {
	struct actor *actor;
	int party;
	struct instance *instance;	/* the core's */
	bool half_open, deaf;
	int outcomes;			/* queued, and other notices */
	bool pressed[ROUTES_MAX];	/* what it was told last of back-pressure */
	enum circuit_state circuits[ROUTES_MAX + 1];	/* and of circuits */
	struct signs signs;
	STAILQ_HEAD(, item) items;
	TAILQ_ENTRY(connection) next;
};

/* A dead letter that was taken out. */
#define EXPORTS_MAX 8
struct export {
	int parcel;
	struct frame *frame;
	struct end end;
	uint32_t attempt, redrives;
	int64_t received_at_us;
	uint8_t *errors;
	uint32_t errors_len;
	bool corrupt;
};

struct world {
	uint64_t seed;
	unsigned step;
	bool trace, settling;
	struct rng rng;
	char path[256];
	struct plan plan;
	struct store *store;
	struct core *core;
	struct decoder *decoder;
	struct decoder *reader;		/* as a module has it */
	uint64_t now_ms;
	uint64_t peer_ms;		/* the time that is held against peers */
	int64_t wall_us, wall_off_us;	/* the wall clock, and how wrong it is */
	unsigned starts;
	uint64_t started_ms;		/* the running broker */
	struct { bool is_set; enum health_status status; } shell[SHELL_PART_COUNT];
	unsigned restless;		/* turns in a row that asked for another */
	bool in_turn;			/* events have happened that are not committed */
	struct model model, committed;
	struct parcel parcels[PARCELS_MAX];
	int parcel_count;
	struct actor actors[ACTORS_MAX];
	int actor_count, party_count;
	TAILQ_HEAD(connection_list, connection) connections;
	int offering;			/* parcel of the offer under way, NOBODY */
	const struct frame *offered;
	int dismissing;			/* party whose old connection is to be dismissed, NOBODY */
	enum goodbye_reason dismissal;
	struct export exports[EXPORTS_MAX];
	int export_count;
	struct selection_cursor cursor;	/* of a look that goes on from turn to turn */
	bool touched[PARCELS_MAX];	/* to be compared with the store */
	uint64_t top_lease;		/* the highest that any module has got */
	uint32_t route_numbers[ROUTES_MAX];	/* the store's */
	bool had_suspects[MODULES_MAX];	/* at the latest close: one instance is kept free */
	uint64_t payload_peak;		/* bytes of payload there were at most lately */
	bool was_full;			/* the store has refused a batch */
	bool was_over_budget;		/* history was once larger than its budget */
	uint64_t arrows[BATCH_STATE_COUNT][CAUSE_COUNT];
};

/* --- report.c -------------------------------------------------------------------------------- */

/* Where stories of failures go: not to the core's log. */
void report_to(int fd);
/* An invariant broke: tells seed, step, what, and the command that replays it; does not return. */
__attribute__((noreturn, format(printf, 2, 3)))
void broke(const struct world *w, const char *fmt, ...);
__attribute__((format(printf, 2, 3)))
void trace(const struct world *w, const char *fmt, ...);

/* --- seed.c ---------------------------------------------------------------------------------- */

/* Runs one seed in the directory; returns when all held, else broke(). */
void seed_run(struct world *w, uint64_t seed, const char *dir, bool with_trace);
bool chance(struct world *w, unsigned one_in);
bool has_trouble(const struct world *w, enum trouble t);
/* From `least` to `most`. */
uint64_t between(struct world *w, uint64_t least, uint64_t most);

/* --- listener.c ------------------------------------------------------------------------------- */

/* Hears everything and does nothing: for those who listen to less. */
extern const struct peer_ops listener_ops;

/* --- storm.c: very many batches at once, without a seed and without the model ----------------- */

/* Says what it has seen, on standard output; returns when all held, else broke(). */
void storm_run(struct world *w, const char *dir);

/* --- broker.c -------------------------------------------------------------------------------- */

/* A store like a newly made one, quickly; with a log that is soon full, or with the usual one. */
void broker_prepare(const char *dir, bool small_log);
void broker_start(struct world *w);
/* The broker lets go of its peers, commits, exits, and starts again. */
void broker_restart(struct world *w);
/* The process dies: what was not committed is gone, peers hear no more. Then it starts again. */
void broker_crash(struct world *w, const char *when);
void broker_stop(struct world *w);
/* An event is about to happen: the time is told first. */
void broker_begin(struct world *w);
/* The turn ends: closed, checked, committed; what is owed is let go of. Crashes in between. */
void broker_turn(struct world *w);

/* The directory's store as it is. */
struct store *broker_open_store(const char *dir);

/* --- connection.c ---------------------------------------------------------------------------- */

extern const struct peer_ops connection_ops;
/* What the callbacks of peer_ops work on. */
void connection_world(struct world *w);
struct connection *connection_open(struct world *w, struct actor *a);
/* Frees it; what was queued never leaves. */
void connection_close(struct world *w, struct connection *c);
void connection_owe(struct connection *c, const struct item *item);
bool connection_has_room(const struct world *w, const struct connection *c);
/* Lets items out, as far as the peer reads. False: the broker is to crash now. */
bool connection_release(struct world *w, struct connection *c);

/* --- rot.c, elsewhere.c: two ways for a store to meet another life ---------------------------- */

/* The end of a seed whose store is damaged: nothing follows but broker_stop()'s end. */
void rot_run(struct world *w);
/*
 * A start with fewer routes or modules than the store has seen: refused while they have batches in
 * custody, else it serves the others. Before the real start; what it changes is given up.
 */
void elsewhere_run(struct world *w);

/* --- message.c ------------------------------------------------------------------------------- */

enum flaw { FLAW_NONE, FLAW_OTHER_CONTENT, FLAW_OTHER_COMPLETES, FLAW_CHECKSUM, FLAW_COUNT,
	FLAW_NO_LIST, FLAW_NO_SUMMARY, FLAW_NO_ROUTE };

/* The frame of a batch, with one reference. */
struct frame *message_batch(struct world *w, int parcel, enum flaw flaw);
/* Decodes a frame of ours: it is sound in form. */
void message_read(struct world *w, const struct frame *f, struct message *m);
/* Text that stands in this parcel's payload and in no other. */
void message_mark(const struct world *w, int parcel, char out[32]);
/* Of the errors that are kept; how many are. */
uint32_t errors_crc(const struct message_ack *a, uint32_t *count);

/* How a target answers. */
struct reply {
	struct uuid batch_id;
	uint64_t lease;
	enum ack_status status;
	uint64_t accepted, rejected;
	bool has_transient, has_unknown, has_permanent;	/* errors of scope BATCH */
	int record_errors;
	bool names_stranger, names_twice, names_none;	/* record errors that are wrong */
	bool long_errors;			/* more than is kept of them */
	bool has_field;
	int parcel;				/* whose record ids it names */
};
/* The correlation_id of that number. */
void message_correlation(int correlation, char out[32]);
void message_record_id(int mark, uint32_t n, char out[32]);
struct frame *message_confirmation(struct world *w, int parcel,
    const struct message_record_delivery *results, size_t n);
/* ERROR_NOTIFICATION: what a module tells. */
#define TALE_ERRORS_MAX 220
struct tale {
	struct module_error_out errors[TALE_ERRORS_MAX];
	size_t count;
	bool is_burst;			/* many errors of records of one thing */
	bool has_seen;
	enum action_required action;
	int parcel;			/* of the first, NOBODY */
};
struct frame *message_notification(struct world *w, const struct actor *a, const struct tale *t);
struct frame *message_reply(struct world *w, const struct reply *r);

/* --- fate.c: how the model changes ----------------------------------------------------------- */

const struct route_settings *route_of(const struct world *w, int parcel);
int module_of(const struct world *w, const char *name);
bool is_in_custody(const struct fate *f);
bool is_derived(const struct world *w, int parcel);
int held_by(const struct world *w, int party);
/* May be changed: it is compared with the store then. */
struct fate *fate_touch(struct world *w, int parcel);
void fate_take(struct world *w, int parcel, int party, const struct frame *f);
void fate_deliver(struct world *w, int parcel, int party, uint64_t lease);
void fate_return(struct world *w, int parcel, enum leave_how how);
/*
 * The current delivery has failed: it waits, is buried, or comes back at no cost. It was late
 * (INT_DELIVERY_001), lost with the connection of a suspect (INT_DELIVERY_003), or rejected
 * (INT_NONE), and then `said` is the target's first error code, p NULL: it said none.
 */
void fate_fail(struct world *w, int parcel, enum error_code why, struct span said);
void fate_bury(struct world *w, int parcel, enum error_code code, struct span said);
/* `named`: all rejected records are. */
void fate_process(struct world *w, int parcel, int party, uint64_t rejected, bool named);
void fate_release_due(struct world *w);
/* RECEIVED, or as good as that. */
void fate_received(struct world *w, int parcel);
void fate_restart_clock(struct world *w, int parcel);
void fate_expire(struct world *w);
void model_recover(struct world *w);

/* --- party.c: how the model of an instance changes -------------------------------------------- */

/* The connection ends; then what is owed to one that keeps no mailbox is forgotten. */
void party_disconnect(struct world *w, int party);
void party_forget_owed(struct world *w, int party);
void party_leave(struct world *w, int party, enum leave_how how);
/* False when the module remembers as many instances as it may. */
bool party_join(struct world *w, int party, const struct hello *h);
void party_seen(struct world *w, int party, uint64_t seen);
void party_expire(struct world *w);
/* The party of a module that is the broker itself. */
int party_of_broker(struct world *w, int module);
uint32_t party_number(struct world *w, int party);

/* --- row.c: what history has, what is owed ---------------------------------------------------- */

/* A row for the fate's end, told to its source. */
void row_add(struct world *w, int parcel);
/* Where history may have forgotten it by now: rightly? */
void row_check(struct world *w, int row);
void row_check_all(struct world *w);
void row_forget(struct world *w, int row);
int row_by_notice(const struct world *w, int party, uint64_t notice);
/* NULL: nothing is kept for that party. */
struct notice *notice_add(struct world *w, int party, int parcel, bool is_part, uint32_t crc);
/* Looks up the numbers of those that are new; all must be there when the event is over. */
void notice_find(struct world *w, bool over);
bool notice_says(struct world *w, const struct notice *o, const uint8_t *body, size_t n);
bool notice_is_there(struct world *w, int party, uint64_t number);
/* Where it may be gone by now: rightly? */
void notice_check(struct world *w, struct notice *n);
void notice_drop(struct world *w, int party, uint64_t until);

/* --- successor.c: what any instance of a module may take -------------------------------------- */

/* Who gets it, NOBODY: there is nobody who ever asks for it. */
int successor_any_of(const struct world *w, int module);
/* One that keeps no mailbox has gone: it is another's at once. */
void successor_left(struct world *w, int party);
/* As the turn is closed it goes on from those who are away; after that it has, or there is more. */
void successor_expect(struct world *w);
void successor_check(struct world *w, bool more);

/* --- letter.c: letters that the broker makes -------------------------------------------------- */

/* Of the rejected records, or of all; which of the two is looked up later. */
void letter_expect(struct world *w, int parcel, bool named);
/* Looks up those that are new. */
void letter_find(struct world *w);

/* --- oracle.c: what an answer must be -------------------------------------------------------- */

struct verdict {
	enum ack_status status;
	bool duplicate, warned;
	enum error_code code;
	int known;			/* the parcel that is known under the id, NOBODY */
	bool may_be_full;		/* or INT_STORE_001: the model does not count pages */
};
/* What the offer must be answered; the model is not changed. */
void oracle_offer(struct world *w, int party, int parcel, enum flaw flaw, const struct frame *f,
    struct verdict *v);
/* What it does, once it was answered so. */
void oracle_offered(struct world *w, int party, int parcel, const struct frame *f,
    const struct verdict *v);

struct judgement {
	enum error_code code;
	bool echo, duplicate;
	int parcel;			/* the batch that the lease is of, NOBODY */
};
/* What the answer of a target must meet, and does to the model. */
void oracle_answer(struct world *w, int module, int party, const struct reply *r,
    const struct message_ack *a, struct judgement *j);

/* --- check.c: invariants --------------------------------------------------------------------- */

/* Takes it into the model; returns the parcel. */
int check_delivery(struct world *w, struct connection *c, const struct delivery *d);
/* Returns the row of history that it tells. */
int check_outcome(struct world *w, struct connection *c, const struct ended *e,
    const struct route *route);
/* An end that a source is told, in an outcome or in the answer to a repeat. */
void check_end(struct world *w, int parcel, const struct end *is, const struct ended *e);
/* The batches that the latest event touched stand in the store as the model has them. */
void check_touched(struct world *w);
/* After core_turn_close(): nobody waits who need not. */
void check_quiet(struct world *w);
void check_counters(struct world *w, int route);
/* Of measure.h (check_measure.c). */
void check_measures(struct world *w);
/* The whole store. */
void check_store(struct world *w);
void check_notice(struct world *w, struct connection *c, uint64_t number, const uint8_t *body,
    size_t n);
int parcel_by_batch(const struct world *w, const struct uuid *batch_id, const char *route);

/* --- source.c, target.c, link.c: what modules do; false when there was nothing to do ---------- */

bool source_send(struct world *w);
bool source_repeat(struct world *w);
bool source_flood(struct world *w);
bool source_break(struct world *w);
bool source_offer(struct world *w, struct connection *c, int parcel, enum flaw flaw,
    struct verdict *got);
int parcel_make(struct world *w, int route, struct actor *a);
bool source_is_behind(const struct world *w);

bool target_answer(struct world *w);
bool target_late(struct world *w);
void target_take_over(struct world *w, struct actor *a);
bool target_stale(struct world *w);
bool target_stage(struct world *w);
void target_settle(struct world *w, struct actor *a);
/* The delivery held[n] is no longer worked on; its lease is remembered. */
void actor_let_go(struct actor *a, int n);

bool target_pause(struct world *w);

/* --- flow.c: back-pressure -------------------------------------------------------------------- */

bool flow_is_stopped(const struct world *w, int route);
bool flow_has_paused(const struct world *w, int party, int route);
/* After the turn's changes: every source has been told as it must be. */
void flow_check(struct world *w);
void flow_recover(struct world *w);
void flow_on_told(struct world *w, struct connection *c, const struct message_backpressure *b);

/* --- breaker.c: circuits, and the flood of dead letters --------------------------------------- */

/* The delivery of this batch has failed; it was processed. */
void breaker_fail(struct world *w, int parcel);
void breaker_succeed(struct world *w, int parcel);
/* The connection of this instance is lost: before its batches are taken back. */
void breaker_blame(struct world *w, int party);
void breaker_expire(struct world *w);
/* When the first of them changes by itself, UINT64_MAX never. */
uint64_t breaker_due_ms(const struct world *w);
bool breaker_is_closed(const struct world *w, int route);
bool breaker_lets_through(const struct world *w, int route);
/* The batch is delivered: when the circuit is HALF_OPEN it is the probe. */
void breaker_probe(struct world *w, int parcel, uint64_t lease);
void breaker_recover(struct world *w);
void breaker_heard(struct world *w, int module, const struct message_error *errors, size_t n);
void breaker_confirmed(struct world *w, int module, const struct message_record_delivery *d,
    size_t n);
bool breaker_force(struct world *w);
void breaker_mend(struct world *w);
size_t breaker_count_open(const struct world *w);
void breaker_on_told(struct world *w, struct connection *c,
    const struct message_circuit_change *m);
void breaker_check(struct world *w);
/* A batch has become a dead letter: too many with one code pause their route. */
void breaker_letter(struct world *w, int parcel, struct span code);

/* --- confirm.c: DELIVERY_CONFIRMATION --------------------------------------------------------- */

bool target_confirm(struct world *w);
void confirming_begin(struct world *w, int parcel);
/* Returns how many were late. */
unsigned confirming_expire(struct world *w);
void confirming_check(struct world *w, int parcel);
/* The broker starts, maybe with routes that wait for no confirmation any more. */
void confirming_recover(struct world *w);
void confirming_forget_early(struct world *w, int parcel);

/* Of a module's message as it is passed on. */
uint32_t stripped_crc(struct world *w, const struct frame *f);

/* --- operator.c, find.c: a person's hand and eye ---------------------------------------------- */

bool operator_act(struct world *w);
bool operator_halt(struct world *w);
bool operator_resume(struct world *w);
bool operator_export(struct world *w);
bool operator_import(struct world *w);
bool operator_kick(struct world *w);
bool operator_settle(struct world *w);
/* Release, resume and redrive everything. True: something was done. */
bool operator_mend(struct world *w);
void operator_forget_exports(struct world *w);
bool find_select(struct world *w);
bool find_search(struct world *w);
bool find_view(struct world *w);

bool link_connect(struct world *w);
/* One more of the module comes, in the same turn: another may have to be forgotten for it. */
void link_newcomer(struct world *w, int module);
bool link_leave(struct world *w);
bool link_surrender(struct world *w);
bool link_drain(struct world *w);
bool link_seen(struct world *w);
bool link_deafen(struct world *w);
bool link_join(struct world *w, struct actor *a);
void link_cut(struct world *w, struct connection *c, enum leave_how how);

#include "errors.h"

#endif
