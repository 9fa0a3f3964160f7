/*
 * internal.h - the core's memory, shared by its files: routes, modules, instances, what is assigned
 */
#ifndef HANDOFF_CORE_INTERNAL_H
#define HANDOFF_CORE_INTERNAL_H

#include <sys/queue.h>

#include "base/hash.h"
#include "base/rng.h"
#include "core/circuit.h"
#include "core/component.h"
#include "core/core.h"
#include "core/flood.h"
#include "core/health.h"
#include "core/heap.h"
#include "core/inspect.h"
#include "core/measure.h"
#include "core/rates.h"

/* Back-pressure on a route (flow.c). */
struct flow {
	bool pressed;			/* its sources have been told ACTIVATE */
	bool target_paused;		/* all instances of its target asked for a pause */
	bool recounted;			/* that may have changed in this turn */
	uint64_t target_delay_ms;	/* what they recommend */
	uint64_t drained;		/* batches that have ended since sampled_ms */
	uint64_t sampled_ms;
	double drain_rate;		/* batches that end in a second, of late */
};

/* A source instance on an ordered route whose first batch may be READY (ordered.c). */
struct ready_series {
	uint32_t number;
	UT_hash_handle hh;		/* route.ready_series, in the order of coming */
};

/*
 * Only what is assigned to a peer is in memory (design.md section 6): a READY or WAITING batch is a
 * row of the store and a number in its route's counters.
 */
struct route {
	struct route_settings settings;
	uint32_t number;		/* the store's */
	struct module *source, *target;
	struct route_counters counters;	/* as they will be committed */
	bool dirty;			/* counters changed in this turn */
	uint64_t changes;		/* of them, ever: two that undo each other are two */
	struct route_control control;	/* what a person has set */
	struct flow flow;
	struct route_measures measures;
	struct circuit circuit;
	struct flood flood;
	struct ready_series *ready_series;	/* ordered: whose first batch may be READY */
	TAILQ_ENTRY(route) of_target;
};
TAILQ_HEAD(route_list, route);

/* A batch that is ASSIGNED: to a connected instance, or waiting for it to come back. */
struct assignment {
	struct batch batch;
	struct route *route;
	struct instance *holder;
	bool begun;			/* a byte of it may have reached the peer */
	bool received;			/* the target has said RECEIVED */
	bool unreadable;		/* comes back: its bytes could not be handed over */
	int64_t since_us;		/* wall clock, for display; 0: before a restart */
	struct heap_place deadline;	/* in core.deadlines, while one runs */
	TAILQ_ENTRY(assignment) of_holder;
	UT_hash_handle hh;		/* core.assigned, by lease */
};
TAILQ_HEAD(assignment_list, assignment);

/* An instance's series of sequence numbers on a route. */
struct sequence {
	const struct route *route;
	uint64_t next;			/* one above the highest that was taken, 0: none was */
	bool dirty;
};

/* What a connected instance shows of its health (vitals.c); ms are the time held against peers. */
struct vitals {
	uint64_t due_ms;		/* the next check */
	uint64_t asked_ms;		/* is_asked: the first one that it has not answered */
	uint64_t heard_ms;		/* anything came from it */
	uint64_t progress_ms;		/* it ended a batch, or began to hold one again */
	int64_t heard_us, answered_us, progress_us;	/* wall clock, for display; 0: never */
	bool is_asked;
	bool is_missed;			/* the log has said that it does not answer */
	bool is_late;			/* lost a batch by a deadline, and has ended none since */
	bool has_buffer_depth;
	bool tells_buffer_depth;	/* by its component output_buffer */
	uint64_t buffer_depth;		/* of that; else of its own back-pressure */
	enum health_status reported;
	struct component *components;	/* owned; of its latest answer */
	size_t component_count;
};

struct instance {
	struct instance_record record;	/* as it will be committed */
	bool dirty;			/* in core.changed */
	struct module *module;
	struct peer *peer;		/* NULL while it is away */
	struct sequence *sequences;	/* of the routes it has sent on */
	size_t sequence_count;
	uint32_t max_in_flight;
	uint32_t held_count;
	struct assignment_list held;
	bool draining;			/* said GOODBYE DRAINING */
	bool paused;			/* asked for back-pressure on all routes */
	bool *paused_routes;		/* on single ones: as core.routes; NULL none ever */
	uint64_t pause_delay_ms;	/* what it recommended last */
	uint64_t throttled_until_ms;	/* it said THROTTLE: until then, custody clock; 0: no */
	uint64_t reclaim_until_ms;	/* away, and what it holds waits for it until then; 0 not */
	uint64_t told;			/* notices up to here were handed to this peer */
	uint64_t sent;			/* the highest ever handed to one: nobody has seen more */
	uint64_t newest_notice;		/* of all it was ever owed, 0 none */
	uint64_t oldest_notice;		/* of its rows in history, 0 none */
	uint64_t oldest_other;		/* of its notices that are no outcomes, 0 none */
	uint64_t newest_any;		/* of those that any of its module may take, 0 none (heir.c) */
	uint64_t passed_on;		/* up to here they have gone to another already */
	bool is_left;			/* in module.left */
	bool behind;			/* rows above `told` wait in the store */
	struct heap_place place;	/* in one of core.confirmed, core.unconfirmed */
	bool is_confirmed;		/* in which */
	struct vitals vitals;		/* while it has a peer */
	uint64_t relayed;		/* core.relays of the latest that was passed on to it */
	TAILQ_ENTRY(instance) connected;	/* module.connected, while it has a peer */
	TAILQ_ENTRY(instance) watched;	/* core.watched, while it has a peer */
	TAILQ_ENTRY(instance) reclaiming;	/* core.reclaiming, while reclaim_until_ms */
	TAILQ_ENTRY(instance) pending;		/* core.behind, while behind */
	TAILQ_ENTRY(instance) left;		/* module.left, while is_left */
	TAILQ_ENTRY(instance) changed;		/* core.changed, while dirty */
	UT_hash_handle by_number;	/* core.instances */
	UT_hash_handle by_id;		/* module.instances */
};
TAILQ_HEAD(instance_list, instance);

/* What somebody has told within a second: beyond a ceiling it is counted and not kept (error.c). */
struct error_window {
	uint64_t since_ms;
	unsigned errors, notices, alerts;
};

struct module {
	struct module_settings settings;
	uint32_t number;
	struct route_list targeted;	/* routes whose target it is; the next to be served first */
	struct instance *instances;	/* by instance_id */
	struct instance_list connected;
	struct instance_list left;	/* are away, and owed what any other may take */
	struct assignment *suspect;	/* the one suspect that is out, NULL none */
	struct instance *host;		/* gets nothing new until it is idle for a suspect */
	struct error_window told;	/* its errors */
	uint64_t throttled_until_ms;	/* the latest of its instances' */
};

struct presented;

/* Batches that came of late, so that an error finds its source by a correlation_id (relay.c). */
#define RECENT_BATCHES 4096
struct recent_batch {
	char beginning[8];		/* of the correlation_id, zero-filled */
	uint32_t correlation_hash;
	uint32_t source, route;		/* store numbers */
};

struct core {
	struct store *store;
	const struct peer_ops *ops;
	struct core_settings settings;
	struct rng rng;
	uint64_t created_ms;		/* now_ms at the start */
	uint64_t now_ms;		/* the custody clock */
	uint64_t peer_ms;		/* the time that is held against peers */
	int64_t wall_us;
	struct route *routes;
	struct circuit *shared;		/* circuits of settings.circuits */
	struct module *modules;
	struct instance *instances;	/* by number */
	struct assignment *assigned;	/* by lease */
	uint64_t queued;		/* batches in custody, of all routes */
	struct instance_list reclaiming;	/* in the order of reclaim_until_ms */
	struct instance_list watched;	/* in the order of vitals.due_ms */
	struct instance_list behind;
	struct instance_list changed;
	struct heap deadlines;		/* assignments by when they are late */
	struct heap confirmed; /* instances by oldest row of history that may go at any time */
	struct heap unconfirmed; /* instances by oldest row of history that they have not seen */
	bool stopping;			/* core_shut_down() was called */
	bool draining;			/* core_set_draining(): no deliveries */
	uint64_t next_due_ms;		/* of the first WAITING batch, at the latest */
	uint64_t next_confirm_ms;	/* of the first confirmation that is awaited, likewise */
	uint64_t next_circuit_ms;	/* when a circuit changes by itself, likewise */
	uint64_t last_aged_id;		/* the highest id that history has forgotten */
	uint64_t trimmed_id;		/* aliases are forgotten up to here */
	uint64_t forgotten_ms;		/* the latest end that history has forgotten; 0 none */
	struct error_window broker_told;
	struct error_count error_counts[ERROR_COUNTS_MAX];
	size_t error_count_count;
	uint64_t errors_dropped;	/* counted and not kept */
	struct recent_batch *recent;	/* a ring of RECENT_BATCHES */
	size_t recent_at;
	uint64_t relays;		/* serial number of the notification that is passed on */
	uint64_t next_throttle_ms;	/* when a module's THROTTLE ends, UINT64_MAX never */
	uint64_t next_prune_ms;		/* when a row of history's time is over, at the earliest */
	uint64_t arrows[BATCH_STATE_COUNT][CAUSE_COUNT];
	const struct route **completed;	/* of the latest offer's `completes` */
	unsigned turn_changes;		/* arrows taken in this turn */
	struct rates rates;		/* of the last minute */
	struct component shell[SHELL_PART_COUNT];	/* core_set_component() */
};

/* The store's turn can carry no more changes: what is left is the next turn's. */
static inline bool turn_is_spent(const struct core *c)
{
	return store_turn_has_used(c->store, STORE_TURN_PERCENT);
}

/* --- core.c ---------------------------------------------------------------------------------- */
/* A time that is held against peers, on the custody clock as it goes now. */
uint64_t core_from_peer_time(const struct core *c, uint64_t ms);
/* A new id of ours. */
void core_make_uuid(struct core *c, struct uuid *u);

/* --- route.c --------------------------------------------------------------------------------- */
struct route *route_between(struct core *c, const struct module *source, struct span target);
struct route *route_by_number(struct core *c, uint32_t number);
struct module *module_by_name(const struct core *c, struct span name);
struct module *module_by_number(struct core *c, uint32_t number);
struct route *route_by_name(struct core *c, struct span name);
/* In custody and not ended: what queue_capacity counts. */
uint64_t route_depth(const struct route *r);

/* --- batch.c: the one function that changes a state ------------------------------------------ */
/* A new batch: payload, queue, identity. Inside an intake; batch_taken() after its success. */
void batch_insert(struct core *c, const struct batch *b, const struct frame *frame);
void batch_taken(struct core *c, struct route *r, const struct batch *b);
/*
 * READY, ASSIGNED and WAITING among themselves: `was` is how the store has it, `b` how it shall be.
 */
void batch_move(struct core *c, struct route *r, const struct batch *was, const struct batch *b,
    enum batch_cause cause);
/* Stays as it is with its holder, who came back for it. */
void batch_kept(struct core *c, const struct batch *b);
/* Its record is damaged (store_batch_set_aside): nobody can be told, the route goes on. */
void batch_set_aside(struct core *c, struct route *r, const struct batch *b);
/* ENDED or DEAD, told to the source. `e` is completed here: notice, times, whose it is. */
void batch_finish(struct core *c, struct route *r, const struct batch *was, struct ended *e,
    enum batch_cause cause);
/* All of an end that follows from the batch and the time, but its notice. */
void batch_describe_end(struct core *c, const struct batch *b, struct ended *e);
/* A dead letter from elsewhere has been inserted (CAUSE_IMPORTED, CAUSE_DERIVED). */
void batch_letter_added(struct core *c, struct route *r, const struct batch *b,
    enum batch_cause cause);
/* DEAD -> READY; the store has it already. */
void batch_redriven(struct core *c, struct route *r, const struct batch *dead,
    const struct batch *b);
void batch_purge(struct core *c, struct route *r, const struct batch *dead);

/* --- assignment.c ---------------------------------------------------------------------------- */
struct assignment *assignment_by_lease(struct core *c, uint64_t lease);
/* Remembers that b (state ASSIGNED, lease set) is the instance's. */
struct assignment *assignment_add(struct core *c, struct route *r, const struct batch *b,
    struct instance *i);
/* Forgets it; the batch is changed by the caller. */
void assignment_remove(struct core *c, struct assignment *a);
/* Takes the batch from its holder: READY, or WAITING, at no cost of an attempt. */
void assignment_return(struct core *c, struct assignment *a, enum batch_cause cause);
/* The delivery has failed: WAITING for another attempt, or a dead letter. */
void assignment_fail(struct core *c, struct assignment *a, enum batch_cause cause);

/* --- deadline.c ------------------------------------------------------------------------------ */
/* The clock that runs now begins anew: of RECEIVED, or of PROCESSED. */
void deadline_restart(struct core *c, struct assignment *a);
void deadline_stop(struct core *c, struct assignment *a);
/* What is late goes back, or is buried. True when there is more than one turn should do. */
bool deadline_expire(struct core *c);
uint64_t deadline_next_ms(const struct core *c);

/* --- retry.c --------------------------------------------------------------------------------- */
/*
 * The wait after the n-th failure in a row (from 1): retry_delay_ms × backoff_multiplier^(n-1), at
 * most max_retry_delay_ms, and up to a tenth more by `random` (protocol.md section 6).
 */
uint64_t retry_wait_ms(const struct route_settings *r, uint32_t failures, uint64_t random);
/* A failed delivery of a batch that stands in the store as `was` (now *b, flags apart the same):
 * waits, or is buried. `text` for the journal, NULL none. */
void retry_or_bury(struct core *c, struct route *r, const struct batch *was, struct batch *b,
    struct ended *e, enum batch_cause cause, const char *text);
/* Batches whose wait is over become READY. True when there are more than one turn should take. */
bool retry_release_due(struct core *c);
void retry_note_due(struct core *c, uint64_t due_ms);

/* --- journal.c ------------------------------------------------------------------------------- */
/*
 * A line about *b, before its change is stored: sets b->journalled. The text is a sentence, or the
 * target's first error.
 */
struct note {
	enum journal_event event;
	uint32_t instance;
	uint64_t delay_ms;
	enum error_code code;
	const char *text;		/* NULL none */
};
void journal_note(struct core *c, struct batch *b, const struct note *n);
/* "CODE field: message" of the first error, for a line's text. */
void journal_describe_errors(const struct message_ack *a, char *out, size_t size);

/* --- letter.c -------------------------------------------------------------------------------- */
/* The rejected records of a batch become a letter of their own, linked to it. False: no room for
 * it, or not all are named. */
bool letter_of_rejects(struct core *c, const struct presented *p, const struct message_ack *a,
    struct batch *parent);
/* The route's dead letters have used up their share: new batches are refused. */
bool letter_share_is_full(const struct route *r);
/* Warns in the log when they near it. */
void letter_note_share(struct route *r);

/* --- confirm.c ------------------------------------------------------------------------------- */
/* The batch has been processed: from now on its confirmation is awaited, where the route wants it.
 * Sets e->confirming. */
void confirm_begin(struct core *c, struct route *r, const struct batch *b, struct ended *e);
/* Settled by hand: nothing is awaited any more. The text is for its journal. */
void confirm_settle(struct core *c, const struct confirmation *was, const char *text);
/* At the start: what came early on routes that wait for nothing any more belongs to no end. */
void confirm_recover(struct core *c);
/* Those that did not come in time are ambiguous: both sides are told. True when there are more. */
bool confirm_expire(struct core *c);

/* --- measure.c ------------------------------------------------------------------------------- */
void measure_init(struct route_measures *m);
/* The batch ends as PROCESSED; `b` is how it stood. Reads the journal of one that has lines there:
 * an ordinary batch costs no operation. */
void measure_processed(struct core *c, struct route *r, const struct batch *b,
    const struct ended *e);
/* --- error.c --------------------------------------------------------------------------------- */
/*
 * What the ends of all that is in custody may need beyond what they free: a dead letter keeps its
 * payload and gets a row of history.
 */
#define END_BYTES 1024
/* Room that nothing but they and stages may use. */
uint64_t core_reserve_bytes(const struct core *c);
void error_init(struct core *c);
/* The errors of a target's answer for that batch. */
void error_hear_answer(struct core *c, const struct instance *i, const struct presented *p,
    const struct message_ack *a);
/* An error that a module tells unasked. */
void error_hear(struct core *c, const struct instance *i, const struct message_error *from,
    enum action_required action);
/* The broker's own error about a batch, linked to what is kept about it. */
void error_of_batch(struct core *c, const struct route *r, const struct batch *b,
    enum error_code code);
/* The same of an answer that speaks of a batch, as the module's doing; who refuses it counts it. */
void error_of_answer(struct core *c, const struct instance *i, const struct message *m,
    enum error_code code);
/* The window has room for another notification that is passed on. */
bool error_may_relay(struct core *c, struct module *m);
/* The oldest, when its time is over, or for room (then only where it is older than `row_ms`). False:
 * none went; *next_ms is when the next will, by its time. */
bool error_prune(struct core *c, bool for_room, uint64_t row_ms, uint64_t *next_ms);

/* --- relay.c --------------------------------------------------------------------------------- */
/* A batch has come: errors under its correlation_id go to its source. */
void relay_note_batch(struct core *c, const struct batch *b);

/* --- flow.c ---------------------------------------------------------------------------------- */
/* Tells the sources of a route when it gets full, and when it is so no longer. */
void flow_update(struct core *c);
void flow_drained(struct core *c, struct route *r);
/* Instances of a target came, left, or changed their mind. */
void flow_recount(struct core *c, struct module *target);
/* Batches that end in a second, of late. */
double flow_drain_rate(const struct core *c, const struct route *r);
/* THROTTLE from a target: its routes are pressed for throttle_timeout_ms, or until each instance that
 * said so says NONE. */
void flow_throttle(struct core *c, struct instance *i, bool on);
/* Until when its target asked to be spared; 0: it did not. */
uint64_t flow_throttled_until_ms(const struct core *c, const struct route *r);
bool flow_is_paused(const struct core *c, const struct instance *i, const struct route *r);

/* --- ordered.c ------------------------------------------------------------------------------- */
/* A batch changed on a route: its series may have a first batch that is READY. */
void ordered_changed(struct route *r, const struct batch *b);
/* The next delivery of an ordered route. False when there is none to make. */
bool ordered_next(struct core *c, struct route *r, struct batch *b);
/* All series of the route, at the start. */
void ordered_recover(struct core *c, struct route *r);
void ordered_finish(struct route *r);
/* A new batch of that series need not queue. */
bool ordered_is_free(struct core *c, const struct route *r, uint32_t series);

/* --- dispatch.c ------------------------------------------------------------------------------ */
/* Deliveries to whoever has credit. True when there are more than one turn should make. */
bool dispatch(struct core *c);
/* The instance that a new batch of the route can go to at once; NULL: it has to queue. */
struct instance *dispatch_straight(struct core *c, const struct route *r, bool critical,
    uint32_t series);
/* The stored bytes of a batch are whole; what is not is buried. */
bool dispatch_verify(struct core *c, struct route *r, const struct batch *b);
/* Gives b its next lease for instance i. */
void dispatch_prepare(struct core *c, struct batch *b, const struct instance *i);
void dispatch_deliver(struct core *c, struct assignment *a, struct frame *frame);

/* --- instance.c ------------------------------------------------------------------------------ */
struct instance *instance_by_number(struct core *c, uint32_t number);
struct instance *instance_by_id(struct module *m, struct span id);
/* Writes the instances that this turn has changed. */
void instance_save(struct core *c);
void instance_changed(struct core *c, struct instance *i);
/* What waited for an instance that did not come back. */
void instance_expire_reclaims(struct core *c);
/* Takes the instances back from the store; what they held waits for them. */
void instance_recover(struct core *c);
void instance_destroy_all(struct core *c);
/* The module's instance that no client can be (its id is empty): made when there is none. */
struct instance *instance_of_broker(struct core *c, struct module *m);

/* --- vitals.c -------------------------------------------------------------------------------- */
void vitals_begin(struct core *c, struct instance *i);
void vitals_end(struct core *c, struct instance *i);
/* Asks those whose turn it is. */
void vitals_ask(struct core *c);
/* When the next one is to be asked: time held against peers. */
uint64_t vitals_next_ms(const struct core *c);
/* It holds a batch more; it has ended one; it has lost one by a deadline. */
void vitals_took(struct core *c, struct instance *i);
void vitals_ended(struct core *c, struct instance *i);
void vitals_missed(struct instance *i);
/* It asked for back-pressure, or ended it, and told this depth. */
void vitals_pressed(struct instance *i, uint64_t depth);
/* How long it holds batches and has ended none. */
uint64_t vitals_idle_ms(const struct core *c, const struct instance *i);
void vitals_signs(const struct core *c, const struct instance *i, struct instance_signs *out);

/* --- checkup.c ------------------------------------------------------------------------------- */
struct instance_checkup;
void checkup_instance(const struct core *c, const struct instance *i,
    struct instance_checkup *out);

/* --- sequence.c ------------------------------------------------------------------------------ */
struct sequence *sequence_of(struct core *c, struct instance *i, const struct route *r);
/* The highest number taken, 0 none: what WELCOME says. */
uint64_t sequence_last(struct core *c, struct instance *i, const struct route *r);
void sequence_take(struct core *c, struct instance *i, struct sequence *q, uint64_t number);
void sequence_save(struct core *c, struct instance *i);

/* --- mailbox.c ------------------------------------------------------------------------------- */
/* A row of history has been written for a source: tell it when it is there. */
void mailbox_told(struct core *c, const struct ended *e, const struct route *r);
/* Outcomes that wait in the store, as far as their peers take them. True when there are more. */
bool mailbox_feed(struct core *c);
/* The instance has come: what it has not seen is told again. */
void mailbox_open(struct core *c, struct instance *i);
/* Nothing is kept for it: what there is counts as seen. */
void mailbox_forget(struct core *c, struct instance *i);
/* A repeat came from `to`: an outcome that is still owed becomes its. */
void mailbox_move(struct core *c, struct ended *e, struct instance *to);
void mailbox_is_behind(struct core *c, struct instance *i, bool behind);
/* Owes an instance a message (its body, without the key `notice`); or any of its module. */
void mailbox_add(struct core *c, struct instance *i, bool for_any, const uint8_t *body, size_t n);
/* Owes it one that another was owed. */
void mailbox_pass_on(struct core *c, struct instance *from, const struct notice_row *row,
    struct instance *to);

/* --- heir.c ---------------------------------------------------------------------------------- */
/* Which instance gets what any of the module may take; NULL: nobody will ever ask for it. */
struct instance *heir_any_of(struct module *m);
/* It is owed a notice that any of its module may take. */
void heir_owed(struct instance *i, uint64_t number);
/* It is away, and it is back or forgotten. */
void heir_left(struct core *c, struct instance *i);
void heir_back(struct instance *i);
/* What those who are away have left goes to others. True when there is more. */
bool heir_proceed(struct core *c);

/* --- history.c ------------------------------------------------------------------------------- */
void history_added(struct core *c, struct instance *i, uint64_t notice);
/* The same of a notice that is no outcome; and when one of those has moved. */
void history_other_added(struct core *c, struct instance *i, uint64_t number);
void history_other_moved(struct core *c, struct instance *i, uint64_t number);
/* Forgets at most `most` of those up to `until`. */
void history_trim_others(struct core *c, struct instance *i, uint64_t until, unsigned most);
/* The instance's rows or its `seen` have changed. */
void history_place(struct core *c, struct instance *i);
/* Rows whose time is over, or for which there is no room. True when there are more. */
bool history_prune(struct core *c);
/* What this instance does not confirm fills the budget: it may not send more. */
bool history_is_closed_for(struct core *c, const struct instance *i);
/* Forgets all of an instance's rows; false when some must stay. */
bool history_forget(struct core *c, struct instance *i);

/* --- answer.c -------------------------------------------------------------------------------- */
/* What a presented lease stands for. */
enum lease_kind { LEASE_STALE, LEASE_CURRENT, LEASE_REPEATED };
struct presented {
	enum lease_kind kind;
	struct route *route;
	struct assignment *assignment;	/* NULL: nobody holds it */
	struct batch batch;		/* where CURRENT */
};
void answer_find(struct core *c, struct instance *i, const struct message_ack *a,
    struct presented *out);
/* Whether a PROCESSED is sound for that batch: counts, record errors. Sets the fault if not. */
bool answer_is_sound(struct core *c, const struct presented *p, const struct message_ack *a,
    const char *path, struct fault *f);
/* The target's errors as they came, whole ones only, as many as are kept. Borrowed. */
void answer_keep_errors(struct core *c, struct ended *e, const struct message_ack *a);
/* Ends the batch as PROCESSED. */
void answer_processed(struct core *c, struct instance *i, const struct presented *p,
    const struct message_ack *a);

#endif
