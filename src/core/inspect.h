/* inspect.h - what a person can see of what is in custody; nothing here changes anything */
#ifndef HANDOFF_CORE_INSPECT_H
#define HANDOFF_CORE_INSPECT_H

#include "core/checkup.h"
#include "core/core.h"

/*
 * For admin/. Everything that can be long is taken in steps: the caller keeps a cursor from turn to
 * turn, so that no look holds a transaction open or the loop up. Spans and pointers into the store
 * are good until the visit returns.
 */

/* --- routes, modules, instances -------------------------------------------------------------- */

size_t core_route_count(const struct core *c);
const struct route *core_route(const struct core *c, size_t n);
/* NULL when there is none. */
const struct route *core_route_by_name(struct core *c, struct span name);
const struct route *core_route_by_number(struct core *c, uint32_t number);
/* The store's number of it. */
uint32_t core_route_number(const struct route *r);

struct route_measures;
struct route_view {
	const struct route_settings *settings;
	const struct route_counters *counters;
	uint64_t changes;		/* rises with each change of its batches */
	const struct route_control *control;
	const struct route_measures *measures;	/* measure.h */
	uint64_t depth;			/* what queue_capacity counts */
	bool pressed;			/* its sources have been told ACTIVATE */
	bool target_paused;
	uint64_t throttled_until_ms;	/* its target asked to be spared, custody clock; 0: no */
	double drain_rate;		/* batches that end in a second, of late */
	size_t sources, targets;	/* instances connected */
	uint64_t oldest_ready_us;	/* received_at of the first READY batch, 0 none */
};
void core_view_route(struct core *c, const struct route *r, struct route_view *out);

/* A circuit: a route's, whose id is the route's name, or one that modules share. */
struct circuit_view {
	const char *id;
	bool shared;
	enum circuit_state state;
	uint32_t failures;		/* in a row */
	int64_t last_failure_us;	/* wall clock, 0 never */
	uint64_t next_attempt_ms;	/* custody clock: when it changes by itself; 0: it does not */
	uint64_t trips_total;
	bool forced;			/* by a person: */
	const char *who, *reason;
	int64_t at_us;			/* of its latest change */
	bool probing;			/* a probe is out */
};
/* Those of the routes first, in their order. */
size_t core_circuit_count(const struct core *c);
void core_view_circuit(const struct core *c, size_t n, struct circuit_view *out);
/* How many are not CLOSED. */
size_t core_circuits_open(const struct core *c);

struct instance_view {
	const char *module;
	struct span id;			/* its p NULL: the broker's own */
	uint32_t number;
	bool connected, draining, paused;
	uint32_t max_in_flight, held;
	const struct batch *oldest;	/* of what it holds, NULL none */
	int64_t oldest_since_us;	/* when that was delivered; 0: before a restart */
	uint64_t live;			/* batches of its in custody */
	uint64_t seen, owed; /* notices: confirmed up to; the newest it is owed, 0 none */
	uint64_t last_used_ms;		/* custody clock */
	struct instance_checkup health;	/* connected: how it does */
};
/* The next instance of the next module, by number; 0 begins. False: there are no more. */
bool core_instance_next(struct core *c, uint32_t *number, struct instance_view *out);
/* "BETA/b7"; "-" for nobody; "#12" when it has been forgotten. */
void core_instance_name(struct core *c, uint32_t number, char *out, size_t size);
#define INSTANCE_NAME_MAX (MODULE_NAME_MAX + 1 + 4 * INSTANCE_ID_MAX + 1)

/* Instances that are connected, and those that are remembered. */
size_t core_connected(const struct core *c, size_t *known);

bool core_is_draining(const struct core *c);
/* Batches that are out, all routes together. */
uint64_t core_assigned(const struct core *c);
uint64_t core_now_ms(const struct core *c);
/* A time of the custody clock as wall clock, as far as it is known now. */
int64_t core_wall_of(const struct core *c, uint64_t custody_ms);
struct store *core_store(struct core *c);
uint32_t core_max_frame_bytes(const struct core *c);

/* --- why does it not move -------------------------------------------------------------------- */

/* The closed list: the same words in handoffctl, metrics and logs. */
enum reason {
	REASON_NONE,		/* it has ended */
	REASON_NEXT,		/* it is delivered in this turn */
	REASON_ASSIGNED,	/* the target works on it */
	REASON_RECLAIM,		/* its instance may come back for it */
	REASON_NO_CONSUMER,	/* no instance of the target is connected */
	REASON_NO_CREDIT,	/* all that are hold as much as they take */
	REASON_CONSUMER_PAUSED,	/* all that have credit asked for a pause */
	REASON_QUEUED,		/* others of its route go before it */
	REASON_BACKOFF,		/* waits for the next attempt */
	REASON_ORDERED_BEHIND,	/* another batch of its source instance goes first */
	REASON_SUSPECT,		/* is tried alone, and it is not its turn */
	REASON_HELD,		/* by a person */
	REASON_ROUTE_HALTED,	/* until a person resumes it: the whole route */
	REASON_DRAINING,	/* by a person: the whole broker */
	REASON_CIRCUIT_OPEN,	/* the target has failed: it is left alone for a while */
	REASON_DEAD,		/* parked: somebody has to decide */
	REASON_COUNT,
};
const char *reason_name(enum reason reason);	/* "NO_CONSUMER" */

/* --- a batch --------------------------------------------------------------------------------- */

struct batch_view {
	const struct route *route;
	enum batch_state state;
	const struct batch *batch;	/* in custody or dead; NULL: it has ended */
	const struct ended *end;	/* dead or ended; NULL: neither */
	enum reason reason;
	uint64_t until_ms;		/* custody clock: when that changes by itself; 0 unknown */
	bool received;			/* ASSIGNED: the target has said RECEIVED */
	int64_t assigned_at_us;		/* ASSIGNED: since when; 0: before a restart */
	uint64_t ahead; /* QUEUED: at least so many go before it (counted up to 1000) */
	const struct confirmation *confirmation; /* NULL: none */
};

/* By its state: also of a letter that cannot be read (ERR_CORRUPT: then false). */
bool core_view_batch(struct core *c, const struct route *r, const struct uuid *batch_id,
    bool (*visit)(void *arg, const struct batch_view *v), void *arg);

/* Which batches a command is about. All that is set has to be so; texts may be beginnings. */
struct selection {
	const struct route *route;	/* NULL: all */
	unsigned states; /* bits 1 << enum batch_state of READY … DEAD; 0: all of them */
	bool held;			/* only those that a person holds */
	bool suspect;
	enum reason reason;		/* REASON_NONE: any */
	const char *code;		/* the broker's error code, or the target's first */
	const char *field;		/* the field of the target's first error */
	const char *instance;		/* of the source */
	const char *holder;		/* of the latest delivery */
	const char *correlation;
	uint64_t older_ms, younger_ms;	/* since it was received; 0: any */
	bool derived, whole;		/* only letters made by the broker; only others */
};
struct selection_cursor {
	size_t route;
	bool in_dead;
	struct batch at;
	uint64_t dead_after;
	bool done;
};
/*
 * Looks at up to `rows` rows from the cursor (all zero: from the start) in the order of route,
 * state, custody, and visits those selected. A visit may change the batch it is shown (operate.h).
 * It returns false to stop behind it. Sets at->done at the end.
 */
void core_select(struct core *c, const struct selection *s, struct selection_cursor *at,
    unsigned rows, bool (*visit)(void *arg, const struct batch_view *v), void *arg);

/* --- finding --------------------------------------------------------------------------------- */

/*
 * A batch by what a person has: its batch_id, correlation_id or message_id, or the beginning of
 * one; a record_id, whole, where `record` is set (that looks into stored records, most
 * RECORD_SEARCH_BYTES).
 */
#define SEARCH_TEXT_MAX CORRELATION_ID_MAX
#define RECORD_SEARCH_BYTES (1024ull * 1024 * 1024)
struct search {
	char text[SEARCH_TEXT_MAX + 1];
	bool record;
	const struct route *only;	/* NULL: all routes */
	/* the rest is the search's own: all zero at the beginning */
	int stage;
	size_t route;
	struct uuid at;
	uint64_t after;
	bool gave_up;			/* too many correlation_ids have the same first 8 bytes */
	uint32_t text_hash;
	unsigned tried;
	uint64_t looked;		/* bytes */
	struct selection_cursor cursor;
	unsigned found;
};
/*
 * A batch_id, a message_id, a whole correlation_id and its first 8 bytes are always found. Of a
 * longer beginning only so many are looked at, and s->gave_up says that there were more. A text
 * shorter than those 8 bytes is slow in a store that is in no cache: all aliases have to be read.
 *
 * One step. Calls `found` for each batch, which returns false to stop. False when the search is at
 * its end; s->looked above RECORD_SEARCH_BYTES says that it gave up.
 */
bool core_search(struct core *c, struct search *s,
    bool (*found)(void *arg, const struct route *r, const struct uuid *batch_id), void *arg);

/* --- errors ---------------------------------------------------------------------------------- */

/*
 * Errors heard of and made since the start, by code and severity: the broker's own codes, at most
 * ERROR_MODULE_CODES others, and what is beyond those as "other", one for each severity. The codes
 * of modules are a stranger's bytes (UTF-8).
 */
#define ERROR_MODULE_CODES 64
#define ERROR_COUNTS_MAX (2 * ERROR_CODE_COUNT + ERROR_MODULE_CODES + 3)
struct error_count {
	char code[ERROR_CODE_MAX + 1];
	enum severity severity;
	bool own;			/* a code of the broker's */
	uint64_t count;
};
/* How many there are; they stay where they are, and new ones come behind them. */
size_t core_error_counts(const struct core *c, const struct error_count **out);

struct errors_view {
	uint64_t depth;			/* rows in the error queue */
	uint64_t alerts;		/* CRITICAL or INVESTIGATE, not acknowledged */
	uint64_t dropped;		/* counted and not kept, since the start */
};
void core_view_errors(const struct core *c, struct errors_view *out);
/* "BETA"; "BROKER" for the broker's own; "?" when it is not declared any more. */
const char *core_error_module(struct core *c, const struct error_record *e);

/* --- the equation ---------------------------------------------------------------------------- */

/*
 * users.md M7: whether both equations of struct route_counters hold. A walk of the store against
 * them is store_check()'s.
 */
bool counters_balance(const struct route_counters *n);
/* By how much they do not: 0 where they do. */
uint64_t counters_unaccounted(const struct route_counters *n);

#endif
