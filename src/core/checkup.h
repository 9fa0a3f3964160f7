/* checkup.h - how the broker, its modules and the pipeline do, for whoever asks */
#ifndef HANDOFF_CORE_CHECKUP_H
#define HANDOFF_CORE_CHECKUP_H

#include "core/component.h"
#include "core/core.h"
#include "core/health.h"

/*
 * For session/, admin/ and http/: the same judgement for all of them. Nothing here changes
 * anything. The rules are in health.h.
 */

/* --- the pipeline (PipelineHealthStatus) ----------------------------------------------------- */

struct pipeline_checkup {
	enum health_status status;
	const char *why;		/* "" when it is HEALTHY */
	uint64_t circuits_open;
	double error_rate_1m;
	double records_per_second;	/* processed, over the last minute */
};
void core_view_pipeline(struct core *c, struct pipeline_checkup *out);

/* --- modules --------------------------------------------------------------------------------- */

struct module_checkup {
	const char *name;
	bool is_judged;			/* false: away with nothing to do; `status` is HEALTHY */
	enum health_status status;
	const char *why;
	size_t connected;
	size_t verdicts[HEALTH_STATUS_COUNT];	/* instances */
	uint64_t waiting;		/* batches in custody for it, without those held by a person */
	int64_t last_seen_us;		/* 0: no instance is remembered */
	bool has_buffer_depth;		/* some instance tells it */
	uint64_t buffer_depth;		/* all instances together */
};
size_t core_module_count(const struct core *c);
void core_view_module(struct core *c, size_t n, struct module_checkup *out);

/* --- instances ------------------------------------------------------------------------------- */

struct instance_checkup {
	struct span id;
	enum health_status status;
	const char *why;
	uint32_t number, held;
	uint64_t stuck_ms;		/* so long it holds batches and has ended none; 0: no */
	int64_t oldest_since_us;	/* since when it holds the oldest; 0: none, or not known */
	int64_t heard_us;		/* anything came from it */
	int64_t answered_us;		/* a health check; 0: none yet */
	int64_t progress_us;		/* it ended a batch; 0: none yet */
	const struct component *components;	/* what it says of itself */
	size_t component_count;
};
/*
 * The connected instances of the n-th module, in the order of their coming, until the visit returns
 * false.
 */
void core_visit_instances(struct core *c, size_t n,
    bool (*visit)(void *arg, const struct instance_checkup *i), void *arg);

/* --- the broker itself ----------------------------------------------------------------------- */

/* An answer to HEALTH_CHECK_REQUEST. */
struct checkup {
	enum health_status status;	/* the worst of the components; DETAILED: and the pipeline */
	struct component *components;	/* owned */
	size_t count;
	uint64_t uptime_seconds;
};
/*
 * LIVENESS: that it answers. READINESS: recovery, store, stop. DETAILED: store, disk, loop, tls,
 * certificates, each route, each module.
 */
void core_check_up(struct core *c, enum check_type type, struct checkup *out);
void checkup_finish(struct checkup *k);

#endif
