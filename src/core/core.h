/* core.h - the broker's decisions: what happens to a batch, and why */
#ifndef HANDOFF_CORE_CORE_H
#define HANDOFF_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/peer.h"
#include "core/settings.h"
#include "store/store.h"
#include "wire/message.h"

/*
 * Deterministic code over its memory, the store's open transaction, an event, the time and seeded
 * randomness (design.md section 3). No socket, no TLS, no event loop, no clock.
 *
 * A turn: core_set_time(), then any number of events, then core_turn_close() and store_commit().
 * What the events owe to peers is handed to them through peer_ops while the transaction is open;
 * the peers let none of it out before the commit.
 */
struct core;
struct instance;
struct route;

/*
 * Recovers from the store, which is what every start does: reads counters and instances, and takes
 * back what was assigned (it waits reclaim_ms for its instance). Commits nothing itself. NULL and a
 * sentence in why[size] when the store has batches on a route that the settings do not know. `ops`
 * is kept and has to outlive the core.
 */
struct core *core_create(struct store *store, const struct peer_ops *ops,
    const struct core_settings *settings, uint64_t now_ms, uint64_t seed, char *why, size_t size);
void core_destroy(struct core *c);

/*
 * For what follows: the custody clock and the time that is held against peers (milliseconds; they
 * never go back), and the wall clock.
 */
void core_set_time(struct core *c, uint64_t now_ms, uint64_t peer_ms, int64_t wall_us);
/* Time has passed within the turn: for deadlines that begin after its commit. */
void core_time_passed(struct core *c, uint64_t now_ms, uint64_t peer_ms);
/* When core_turn_close() is needed although nothing happens: custody clock, UINT64_MAX never. */
uint64_t core_next_due_ms(const struct core *c);
/*
 * The turn's last changes: what is due, deliveries, outcomes, history's end, counters. True when
 * there is more of it than one turn should do: take another turn without sleeping.
 */
bool core_turn_close(struct core *c);
/*
 * A peer that had no room for outcomes has room now, after it was written to: take another turn
 * without sleeping.
 */
bool core_has_pending(const struct core *c);

/* Changes of batches' states since core_set_time(): what the turn's commit carries. */
unsigned core_turn_changes(const struct core *c);

/* --- modules and routes ---------------------------------------------------------------------- */

/* The name of a declared module as the settings have it, NULL when it is none. */
const char *core_module_name(const struct core *c, struct span name);
const struct route_settings *route_settings(const struct route *r);
/* The routes that a module is on, as source or target, in the order of the settings. */
size_t core_routes_of(struct core *c, struct instance *i, struct welcome_route *out, size_t max);

/* --- instances ------------------------------------------------------------------------------- */

struct hello {
	const char *module;
	struct span instance_id;
	uint32_t max_in_flight;
	bool mailbox;
	bool has_seen;			/* with the broker_id of this store */
	uint64_t seen;
	const uint64_t *holds;
	size_t hold_count;
};

/*
 * An instance says HELLO on a connection. One that is connected already is replaced: its peer is
 * dismissed with REPLACED. NULL when the module remembers as many instances as it may and can
 * forget none of them.
 */
struct instance *core_join(struct core *c, const struct hello *h, struct peer *peer);

/* It has got its WELCOME: told what else it has to know. */
void core_welcomed(struct core *c, struct instance *i);

enum leave_how {
	LEAVE_LOST,		/* the connection broke: what was held is under suspicion */
	LEAVE_GIVEN_BACK,	/* it said GOODBYE: goes back after retry_delay_ms, at no cost */
	LEAVE_EXPECTED,		/* we ended it (REKEY, KICKED): waits reclaim_ms for the instance */
};
/* The connection has ended; the peer is forgotten. */
void core_leave(struct core *c, struct instance *i, enum leave_how how);
/* GOODBYE DRAINING: deliver no more. */
void core_drain(struct core *c, struct instance *i);
/*
 * The broker stops: all peers are forgotten, and from now on no batch changes its state. What is
 * assigned stays so in the store, where the next start finds it.
 */
void core_shut_down(struct core *c);
/* The instance has got its notices up to `seen`. */
void core_seen(struct core *c, struct instance *i, uint64_t seen);
uint32_t instance_max_in_flight(const struct instance *i);
uint32_t instance_number(const struct instance *i);

/* --- a batch comes --------------------------------------------------------------------------- */

/* What the source is answered. `route` is NULL where there is none. */
struct offer_answer {
	const struct route *route;
	enum ack_status status;
	bool duplicate;
	struct fault fault;		/* why it is REJECTED, where it is no duplicate */
	struct fault warning;		/* code INT_BATCH_004, or INT_NONE */
	const struct route *const *completed; /* those of `completes`, when the batch is new and
	                                       * RECEIVED; the core's, until its next offer */
	bool has_end; /* a duplicate that has ended: `end` says how (errors borrowed) */
	struct ended end;
};
/*
 * BATCH_TRANSFER from `i` (protocol.md section 5's checks in their order, sections 6 to 8). `frame`
 * is the body that the message's spans point into; a reference is taken where it is kept.
 */
void core_offer(struct core *c, struct instance *i, const struct message *m, struct frame *frame,
    struct offer_answer *out);

/* --- a target answers ------------------------------------------------------------------------ */

struct ack_answer {
	const struct route *route;
	struct fault fault;		/* INT_NONE, or why it is refused */
	bool echo;			/* PROCESSED and REJECTED are echoed, once durable */
	bool duplicate;
};
/* ACKNOWLEDGMENT from `i` (protocol.md section 6). */
void core_acknowledge(struct core *c, struct instance *i, const struct message *m,
    struct ack_answer *out);

/* DELIVERY_CONFIRMATION from `i`; `frame` is its body (protocol.md section 11). False: *f says why
 * it is refused. */
bool core_confirm(struct core *c, struct instance *i, const struct message *m,
    const struct frame *frame, struct fault *f);
/*
 * Errors that `i` tells of, in an ERROR_NOTIFICATION or in an answer: a TRANSIENT one with a code
 * that the settings declare is a failure of a circuit that modules share.
 */
void core_errors_heard(struct core *c, const struct instance *i,
    const struct message_error *errors, size_t n);
/* BACKPRESSURE from a target. False: *f says why it is refused. */
bool core_target_pressure(struct core *c, struct instance *i, const struct message_backpressure *b,
    struct fault *f);

/* --- health ---------------------------------------------------------------------------------- */

#define COMPONENTS_MAX 32	/* of one instance; further ones are left out */

/* Something has come from the instance: it lives. */
void core_heard(struct core *c, struct instance *i);
/* HEALTH_CHECK_RESPONSE: kept until its next. It answers all checks that are open. */
void core_health_told(struct core *c, struct instance *i, const struct message_health_response *r);

/* What the core cannot know of itself; absent until it is set. */
enum shell_part { SHELL_DISK, SHELL_LOOP, SHELL_TLS, SHELL_CERTIFICATES, SHELL_PART_COUNT };
__attribute__((format(printf, 4, 5)))
void core_set_component(struct core *c, enum shell_part part, enum health_status status,
    const char *fmt, ...);
/* --- errors ---------------------------------------------------------------------------------- */

/*
 * ERROR_NOTIFICATION from `i`; `frame` is its body: kept, passed upstream and downstream, acted on
 * (protocol.md sections 4 and 11). False: *f says why it could not be kept.
 */
bool core_error_notification(struct core *c, struct instance *i, const struct message *m,
    const struct frame *frame, struct fault *f);
/* The broker has made an error, or refused something with it: it is counted. */
void core_note_error(struct core *c, enum error_code code);
void core_note_refusal(struct core *c, enum error_code code);
/*
 * Appends the broker's own error about a batch that has ended so, as it stands in the error queue:
 * the same whenever it is told. False: it is not kept any more.
 */
bool core_end_error(struct core *c, const struct ended *e, struct buf *out);
/*
 * Appends a BatchErrorSummary of what was heard of records under the correlation_id of that
 * delivery. False: nothing was. Changes nothing; asks no table where nothing can be known.
 */
bool core_delivery_summary(struct core *c, uint64_t lease, struct buf *out);

/* --- deliveries ------------------------------------------------------------------------------ */

/* The first byte is about to be handed over. False: no longer to be made, drop it. */
bool core_delivery_begin(struct core *c, struct instance *i, uint64_t lease);
/*
 * Its stored bytes cannot be read, or are not those that were taken in: none of them was handed
 * over. The next turn takes it back, and buries it if that is so.
 */
void core_delivery_unreadable(struct core *c, struct instance *i, uint64_t lease);
/* The last byte has been handed over: from now on the target has ack_timeout_ms. */
void core_delivery_sent(struct core *c, struct instance *i, uint64_t lease);

/* --- for reports and tests ------------------------------------------------------------------- */

/* Why a batch changed its state. The report of the simulator names each by from-state and cause. */
enum batch_cause {
	CAUSE_TAKEN,		/* into custody */
	CAUSE_DELIVERED,	/* assigned to an instance */
	CAUSE_NOT_BEGUN,	/* taken back before a byte was handed over */
	CAUSE_LOST_FIRST,	/* a connection was lost with it: a suspect, at no cost */
	CAUSE_LOST_SUSPECT,	/* lost again, alone: that counts */
	CAUSE_GIVEN_BACK,	/* the instance said GOODBYE */
	CAUSE_NOT_RECLAIMED,	/* its instance did not come back for it, or does not hold it */
	CAUSE_RECLAIMED,	/* its instance came back and still works on it */
	CAUSE_REJECTED_TRANSIENT,
	CAUSE_REJECTED_PERMANENT,
	CAUSE_EXHAUSTED,	/* no retries left */
	CAUSE_PROCESSED,
	CAUSE_DUE,		/* has waited */
	CAUSE_REPEATED,		/* sent again by another instance, whose outcome it now is */
	CAUSE_CORRUPT,		/* stored bytes do not match their checksum */
	CAUSE_ACK_TIMEOUT,	/* no RECEIVED within ack_timeout_ms */
	CAUSE_PROCESS_TIMEOUT,	/* no PROCESSED within process_timeout_ms of the last RECEIVED */
	CAUSE_HELD,		/* by a person, as those that follow */
	CAUSE_RELEASED,
	CAUSE_RETRIED,		/* need not wait any longer */
	CAUSE_REDRIVEN,		/* a dead letter is tried again */
	CAUSE_PURGED,		/* a dead letter is gone */
	CAUSE_IMPORTED,		/* a dead letter from elsewhere */
	CAUSE_DERIVED,		/* a dead letter made of the rejected records of a batch */
	CAUSE_CIRCUIT,		/* failed while its circuit was not closed: at no cost */
	CAUSE_COUNT,
};
const char *batch_cause_name(enum batch_cause cause);
/* How often a batch left `from` for that cause. */
uint64_t core_arrow_count(const struct core *c, enum batch_state from, enum batch_cause cause);
/* Whether a batch may leave `from` for that cause at all. */
bool core_arrow_exists(enum batch_state from, enum batch_cause cause);
/* A route's counters as they are now. */
const struct route_counters *core_counters(const struct core *c, const char *route);
/* Recounts from memory what can be and asserts it: held lists, suspects, credit. */
void core_check(const struct core *c);

#endif
