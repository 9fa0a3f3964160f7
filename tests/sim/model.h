/* model.h - what must be true of the broker: a crash takes it back to the latest commit */
#ifndef HANDOFF_SIM_MODEL_H
#define HANDOFF_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"
#include "store/store.h"
#include "wire/message.h"

#define STORE_BYTES (UINT64_C(64) << 20)
#define FRAME_MAX_BYTES (UINT32_C(2) << 20)
#define STEPS 500
#define SEED_BEGINS_MS 1000000
#define MODULES_MAX 4
#define ROUTES_MAX 5
#define ACTORS_MAX 12
#define PARTIES_MAX 64
#define PARCELS_MAX 448
#define PARCELS_TROUBLED_MAX (PARCELS_MAX - 64)	/* the rest for letters, and when all is drained */
#define ROWS_MAX 1024
#define NOTICES_MAX 1024
#define RECORDS_MAX 4			/* of a batch */
#define COMPLETES_MAX 3
#define HELD_MAX 64
#define PAST_MAX 32
#define HEARD_MAX 8192			/* errors of a seed */
#define RECENT_MAX 1024			/* batches taken since a start */
#define NOBODY (-1)

/* How a batch ended: what its row of history, or its letter, must say. */
struct end {
	uint64_t notice;		/* 0: not looked up yet, or none */
	uint64_t id, lease, ended_ms;
	uint32_t attempt, holder_number;
	int64_t received_at_us;
	uint64_t accepted, rejected;
	bool dead, partial;
	enum error_code code;
	uint32_t error_count, errors_crc;
};

/* A row of history: it is owed to a party until that has seen it. */
struct row {
	bool there;
	int parcel, source;
	unsigned life;
	struct end end;
};

/* What is owed beside outcomes. */
struct notice {
	bool there;
	int party, parcel;
	uint64_t number;		/* 0: not looked up yet */
	bool is_part;			/* of a confirmation; else a warning that it did not come */
	bool doubtful;			/* there may have been no room for it */
	bool for_any;			/* of the party's module */
	int from;			/* number is 0: it is to come from there, NOBODY; and was */
	uint64_t was;
	uint32_t crc;			/* of a part's body */
};

/* An error that was told, or that the broker made: a row of its error queue. */
struct heard {
	uint64_t number;		/* 0: not looked up yet */
	uint64_t at_ms;
	int module;			/* whose; NOBODY: the broker's own */
	uint32_t instance, route;	/* the store's numbers, 0 not known */
	enum severity severity;
	enum recoverability recoverability;
	enum scope scope;
	enum action_required action;
	bool doubtful;			/* it may not have been kept */
	bool is_made;			/* of a message without errors: its id is drawn */
	bool has_batch;
	struct uuid batch_id, error_id;	/* the broker's: looked up */
	char code[ERROR_CODE_MAX + 1], correlation[RECORD_CORRELATION_MAX + 1];
	char record_id[ERROR_RECORD_ID_MAX + 1];
	uint32_t raw_len, raw_crc;	/* as it was told; 0 when that is too long to be kept */
};

/* What was told in the running second. */
struct told_window {
	uint64_t since_ms;
	unsigned errors, notices, alerts;
};

/* Who has sent a batch: for errors that name no more than its correlation_id. */
struct recent {
	int correlation, route, party;
	uint32_t number;		/* the store's, then */
};

/* What a target has confirmed of a batch. */
struct confirming {
	bool there;
	enum confirm_state state;
	uint64_t due_ms, record_count;
	int holder;			/* party, NOBODY while EARLY */
	uint32_t holder_number;
	int8_t records[RECORDS_MAX + 1];	/* 1 + enum record_delivery; the last: a stranger */
	int told, bad;
	bool warning_owed;		/* the holder is to hear that it did not come */
};

struct fate {
	bool known;			/* in custody, a letter, or ended with a row in history */
	enum batch_state state;
	unsigned life;			/* new, redriven, imported: 1, 2, … */
	uint64_t order, id;		/* of custody; the store's */
	int source, holder;		/* parties */
	uint32_t source_number;		/* the party's then: one that is forgotten gets another */
	uint32_t holder_number;
	uint32_t series;		/* ordered: number of the instance that sent it first */
	uint32_t attempt, attempts_before, redrives;
	uint64_t lease, due_ms;
	uint64_t wait_from_ms, wait_ms;	/* due_ms is not looked up yet */
	bool suspect, failed, answered, redelivered, held;
	bool imported;			/* nothing is known of its `completes` */
	bool begun;			/* some of the current delivery's bytes left */
	bool received;			/* the target has said RECEIVED of it */
	uint64_t late_ms;		/* its deadline, in time held against peers; 0 none runs */
	bool warning_owed;		/* the holder is to hear that it was late */
	bool tried;			/* some delivery of it has begun: order no longer matters */
	bool unborn;			/* a letter that is not looked up yet */
	uint64_t records;
	uint32_t frame_len, frame_crc;
	int64_t received_at_us;
	struct end end;			/* DEAD, ENDED */
	int row;			/* its end's in history, NOBODY */
	struct confirming confirming;
	unsigned deliveries, free_deliveries;	/* of this budget; those at no cost of it */
};

struct party {				/* an instance, as the broker must know it */
	bool known, connected, draining, mailbox;
	bool is_broker;			/* whose letters are that no instance sent */
	int module;
	uint32_t number;		/* the store's */
	uint64_t created;		/* rising */
	uint32_t max_in_flight;
	uint64_t seen, told, sent;	/* notices: confirmed; handed to this connection; to any */
	uint64_t reclaim_until_ms;	/* in time held against peers */
	uint64_t last_used_ms;
	uint64_t next_sequence[ROUTES_MAX];	/* one above the highest taken, 0: none was */
	bool paused, paused_routes[ROUTES_MAX];	/* its own back-pressure */
};

/* A route's counters as they must be. */
struct totals {
	uint64_t received, imported, processed, purged, dead, partial, retries, redriven;
	uint64_t derived, derived_ended, derived_purged;
};

#define BREAKER_SHARED ROUTES_MAX	/* behind those of the routes: the one that is shared */
struct breaker {			/* a circuit */
	enum circuit_state state;
	uint32_t failures;
	uint64_t first;			/* the store's id of the batch that failed first, 0 none */
	bool several, forced;
	uint64_t next_ms;		/* when it changes by itself, 0: it does not */
	uint64_t trips;
	uint64_t probe, probed;		/* not durable: the latest probe: its lease, and which it was */
};

#define FLOOD_COUNTS 4
struct flood_count {			/* dead letters of one code; not durable */
	uint32_t crc, letters;
	uint64_t begun_ms;
};

struct second {				/* of the last minute */
	uint64_t number;
	uint64_t ended, failed, records;
};

struct model {
	struct fate fates[PARCELS_MAX];
	int owner[PARCELS_MAX];		/* of a batch_id (by root): parcel, NOBODY */
	struct party parties[PARTIES_MAX];
	struct row rows[ROWS_MAX];
	struct notice notices[NOTICES_MAX];
	int row_top, notice_top;
	uint64_t orders, last_lease, parties_made;
	struct totals totals[ROUTES_MAX];
	bool paused[ROUTES_MAX];	/* by a person */
	bool draining;			/* not durable, as the next */
	bool pressed[ROUTES_MAX];
	struct breaker breakers[ROUTES_MAX + 1];
	struct flood_count floods[ROUTES_MAX][FLOOD_COUNTS];
	bool halted[ROUTES_MAX];	/* paused by its target */
	uint64_t throttled_until_ms[MODULES_MAX];	/* not durable either */
	struct throttle {
		uint64_t until_ms;
		uint32_t number;	/* the instance's; another is not it */
	} throttles[PARTIES_MAX];
	struct recent recents[RECENT_MAX];
	int recent_count;
	/* heard[first..top) are in the error queue, in the order of their numbers (errors.c) */
	int heard_first, heard_top, heard_numbered;
	int heard_due;			/* so many of the new ones must be found, */
	bool heard_varies;		/* or some others of them */
	uint64_t last_error;		/* the highest number that was found */
	uint64_t alerts[ALERTS_MAX];	/* numbers, rising */
	int alert_count;
	struct told_window windows[MODULES_MAX + 1];	/* not durable; the last is the broker's */
	struct second minute[60];	/* not durable */
	uint64_t errors_tried, errors_found, errors_lost;	/* since the start */
	uint64_t counted[SEVERITY_WARNING + 1];	/* likewise: errors and refusals, by severity */
};

#endif
