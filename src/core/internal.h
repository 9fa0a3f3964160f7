/*
 * internal.h - the core's memory, shared by its files: routes, modules, instances, what is assigned
 */
#ifndef HANDOFF_CORE_INTERNAL_H
#define HANDOFF_CORE_INTERNAL_H

#include <sys/queue.h>
#include <uthash.h>

#include "base/rng.h"
#include "core/core.h"
#include "core/heap.h"

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
	TAILQ_ENTRY(route) of_target;
};
TAILQ_HEAD(route_list, route);

/* A batch that is ASSIGNED: to a connected instance, or waiting for it to come back. */
struct assignment {
	struct batch batch;
	struct route *route;
	struct instance *holder;
	bool begun;			/* a byte of it may have reached the peer */
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
	uint64_t reclaim_until_ms;	/* away, and what it holds waits for it until then; 0 not */
	uint64_t told;			/* notices up to here were handed to this peer */
	uint64_t sent;			/* the highest ever handed to one: nobody has seen more */
	uint64_t newest_notice;		/* of its rows in history, 0 none */
	uint64_t oldest_notice;		/* likewise */
	bool behind;			/* rows above `told` wait in the store */
	struct heap_place place;	/* in one of core.confirmed, core.unconfirmed */
	bool is_confirmed;		/* in which */
	TAILQ_ENTRY(instance) connected;	/* module.connected, while it has a peer */
	TAILQ_ENTRY(instance) reclaiming;	/* core.reclaiming, while reclaim_until_ms */
	TAILQ_ENTRY(instance) pending;		/* core.behind, while behind */
	TAILQ_ENTRY(instance) changed;		/* core.changed, while dirty */
	UT_hash_handle by_number;	/* core.instances */
	UT_hash_handle by_id;		/* module.instances */
};
TAILQ_HEAD(instance_list, instance);

struct module {
	struct module_settings settings;
	uint32_t number;
	struct route_list targeted;	/* routes whose target it is; the next to be served first */
	struct instance *instances;	/* by instance_id */
	struct instance_list connected;
	struct assignment *suspect;	/* the one suspect that is out, NULL none */
	struct instance *host;		/* gets nothing new until it is idle for a suspect */
};

struct core {
	struct store *store;
	const struct peer_ops *ops;
	struct core_settings settings;
	struct rng rng;
	uint64_t now_ms;
	int64_t wall_us;
	struct route *routes;
	struct module *modules;
	struct instance *instances;	/* by number */
	struct assignment *assigned;	/* by lease */
	struct instance_list reclaiming;	/* in the order of reclaim_until_ms */
	struct instance_list behind;
	struct instance_list changed;
	struct heap confirmed; /* instances by oldest row of history that may go at any time */
	struct heap unconfirmed; /* instances by oldest row of history that they have not seen */
	bool stopping;			/* core_shut_down() was called */
	uint64_t next_due_ms;		/* of the first WAITING batch, at the latest */
	uint64_t next_prune_ms;		/* when a row of history's time is over, at the earliest */
	uint64_t arrows[BATCH_STATE_COUNT][CAUSE_COUNT];
	const struct route **completed;	/* of the latest offer's `completes` */
	unsigned turn_changes;		/* arrows taken in this turn */
};

/* The store's turn can carry no more changes: what is left is the next turn's. */
static inline bool turn_is_spent(const struct core *c)
{
	return store_turn_has_used(c->store, STORE_TURN_PERCENT);
}

/* --- route.c --------------------------------------------------------------------------------- */
struct route *route_between(struct core *c, const struct module *source, struct span target);
struct route *route_by_number(struct core *c, uint32_t number);
struct module *module_by_name(const struct core *c, struct span name);
struct module *module_by_number(struct core *c, uint32_t number);
/* In custody and not ended: what queue_capacity counts. */
uint64_t route_depth(const struct route *r);
uint64_t route_ready(const struct route *r);

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

/* --- retry.c --------------------------------------------------------------------------------- */
/* How long until the next attempt. Milliseconds; the same each time, so far. */
uint64_t retry_delay_ms(const struct route_settings *r);
/* Whether another attempt may follow `attempt`. */
bool retry_is_left(const struct route_settings *r, uint32_t attempt);
/* A failed delivery of a batch that stands in the store as `was`: waits, or is buried. */
void retry_or_bury(struct core *c, struct route *r, const struct batch *was, struct ended *e,
    enum batch_cause cause);
/* Batches whose wait is over become READY. True when there are more than one turn should take. */
bool retry_release_due(struct core *c);
void retry_note_due(struct core *c, uint64_t due_ms);

/* --- dispatch.c ------------------------------------------------------------------------------ */
/* Deliveries to whoever has credit. True when there are more than one turn should make. */
bool dispatch(struct core *c);
/* The instance that a new batch of the route can go to at once; NULL: it has to queue. */
struct instance *dispatch_straight(const struct route *r, bool critical);
/* Gives b its next lease for instance i. */
void dispatch_prepare(struct core *c, struct batch *b, const struct instance *i);
void dispatch_deliver(struct core *c, struct assignment *a, struct frame *frame);

/* --- instance.c ------------------------------------------------------------------------------ */
struct instance *instance_by_number(struct core *c, uint32_t number);
/* Writes the instances that this turn has changed. */
void instance_save(struct core *c);
void instance_changed(struct core *c, struct instance *i);
/* What waited for an instance that did not come back. */
void instance_expire_reclaims(struct core *c);
/* Takes the instances back from the store; what they held waits for them. */
void instance_recover(struct core *c);
void instance_destroy_all(struct core *c);

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

/* --- history.c ------------------------------------------------------------------------------- */
void history_added(struct core *c, struct instance *i, uint64_t notice);
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
/* Ends the batch as PROCESSED. */
void answer_processed(struct core *c, struct instance *i, const struct presented *p,
    const struct message_ack *a);

#endif
