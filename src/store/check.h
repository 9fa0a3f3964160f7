/* check.h - does the store agree with itself? For an audit, and for the simulator */
#ifndef HANDOFF_STORE_CHECK_H
#define HANDOFF_STORE_CHECK_H

#include "store/store.h"

#define CHECK_ROUTES_MAX 256	/* more are reported as a disagreement */

/* What one walk counted. */
struct store_tally {
	uint64_t queued;		/* batches in custody, not ended */
	uint64_t due;
	uint64_t dead;			/* dead letters, partial ones among them */
	uint64_t payloads;
	uint64_t identities;
	uint64_t ended;			/* rows of history */
	uint64_t history_bytes;		/* recounted, without aliases */
	uint64_t series;
	uint64_t notices, lines;	/* beside outcomes; of journals */
	uint64_t confirmations, confirm_due;
	uint64_t errors, alerts;
	uint64_t aliases;		/* rows, one a turn */
	uint64_t alias_filters;		/* rows, each for many of those */
};

/*
 * Walks every table, in the turn that is open or in a snapshot (store_read_end() then ends it):
 * each batch in one state and one place, with its payload and identity; journals and confirmations
 * only of what there is; counters and budget as a recount has them, and the two equations of
 * struct route_counters. Payloads are not read. 0; or ERR_CORRUPT and, in why[size], the first
 * disagreement.
 */
int store_check(struct store *s, struct store_tally *tally, char *why, size_t size) MUST_CHECK;

#endif
