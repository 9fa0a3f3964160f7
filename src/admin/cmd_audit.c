/*
 * cmd_audit.c - audit: is every batch accounted for? The counters' equations, and a walk of the
 * store against the counters
 *
 * A walk of all the rows would hold up the loop, so it goes in steps; a route of which a batch moves
 * between two steps is counted from the start: equal counters would not do, for two that change
 * places may be counted once and twice. One that never rests so long is not judged.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/look.h"

#define WALK_ROWS_PER_STEP 1000
#define WALK_BYTES_PER_STEP (1024 * 1024)	/* of payloads, a millisecond */
#define PATIENCE_MS 2000		/* with a route that changes all the time */

enum verdict { NOT_WALKED, AGREES, DIFFERS, BUSY };
static const char *const verdict_names[] = {
	[NOT_WALKED] = "not walked", [AGREES] = "agrees", [DIFFERS] = "differs", [BUSY] = "busy",
};

struct audit {
	bool begun, wrong, busy;
	size_t route;
	/* the walk of this route */
	bool walking, in_dead;
	uint64_t give_up_ms;		/* custody clock */
	uint64_t changes;		/* of the route, when the walk began */
	struct route_counters kept, found;
	uint64_t damaged;		/* records that cannot be read */
	uint64_t rotten;		/* payloads that do not match their checksum, or are gone */
	size_t read;			/* bytes of payloads in this step */
	struct batch at;
	uint64_t dead_after;
};

/* --- the walk --------------------------------------------------------------------------------- */

/* The scrub: what nobody asks for, dead letters above all, would rot for long before it is seen. */
static void read_payload(struct admin_job *job, struct audit *s, uint64_t id)
{
	const uint8_t *p;
	size_t n = 0;

	s->rotten += store_payload_get(job->admin->store, id, true, &p, &n) != 0;
	s->read += n;
}

static void count_queued(struct audit *s, const struct batch *b, bool readable)
{
	struct route_counters *n = &s->found;
	uint64_t *const ready[] = {
		[CLASS_CRITICAL] = &n->ready_critical, [CLASS_NORMAL] = &n->ready_normal,
		[CLASS_SUSPECT] = &n->ready_suspect, [CLASS_HELD] = &n->ready_held,
	};

	if (b->state == BATCH_READY)
		++*ready[batch_ready_class(b)];
	else
		++*(b->state == BATCH_ASSIGNED ? &n->assigned : &n->waiting);
	s->damaged += !readable;
	n->bytes += b->payload_bytes;
	n->derived_queued += b->derived;
}

/* Of one whose record was lost only the payload says how large it is. */
static void count_dead(struct admin_job *job, struct audit *s, const struct batch *b, bool readable)
{
	struct route_counters *n = &s->found;
	const uint8_t *p;
	size_t bytes = b->payload_bytes;

	s->damaged += !readable;
	if ((!readable || bytes == 0) &&
	    store_payload_get(job->admin->store, b->id, false, &p, &bytes) != 0)
		bytes = 0;
	n->dead_bytes += bytes;
	++*(readable && b->derived ? &n->derived_dead : &n->dead);
}

/* One row; false at the end. */
static bool walk_row(struct admin_job *job, struct audit *s, uint32_t route)
{
	struct batch b;
	struct ended e;
	int rc;

	if (!s->in_dead) {
		rc = store_queue_next(job->admin->store, route, &s->at);
		if (rc != ERR_NOTFOUND) {
			count_queued(s, &s->at, rc == 0);
			if (rc == 0)
				read_payload(job, s, s->at.id);
			return true;
		}
		s->in_dead = true;
	}
	rc = store_dead_next(job->admin->store, route, s->dead_after, &b, &e);
	if (rc == ERR_NOTFOUND)
		return false;
	s->dead_after = b.id;
	count_dead(job, s, &b, rc == 0);
	if (rc == 0 && b.payload_bytes > 0 && e.error_code != INT_STORE_002) /* else it is told */
		read_payload(job, s, b.id);
	return true;
}

static void walk_begin(struct audit *s, const struct route_view *now)
{
	s->walking = true;
	s->in_dead = false;
	s->changes = now->changes;
	s->kept = *now->counters;
	s->found = (struct route_counters){ 0 };
	s->damaged = s->rotten = s->dead_after = 0;
	s->at = (struct batch){ .state = BATCH_NEW };
}

struct number {
	const char *name;
	uint64_t kept, found;
};
#define NUMBERS 11
static void numbers_of(const struct audit *s, struct number out[NUMBERS])
{
	const struct route_counters *k = &s->kept, *f = &s->found;
	const struct number all[NUMBERS] = {
		{ "ready_critical", k->ready_critical, f->ready_critical },
		{ "ready_normal", k->ready_normal, f->ready_normal },
		{ "ready_suspect", k->ready_suspect, f->ready_suspect },
		{ "ready_held", k->ready_held, f->ready_held },
		{ "assigned", k->assigned, f->assigned },
		{ "waiting", k->waiting, f->waiting },
		{ "dead", k->dead, f->dead },
		{ "derived_dead", k->derived_dead, f->derived_dead },
		{ "derived_queued", k->derived_queued, f->derived_queued },
		{ "bytes", k->bytes, f->bytes },
		{ "dead_bytes", k->dead_bytes, f->dead_bytes },
	};

	memcpy(out, all, sizeof(all));
}

static bool differs(const struct audit *s)
{
	struct number all[NUMBERS];

	numbers_of(s, all);
	for (int i = 0; i < NUMBERS; i++)
		if (all[i].kept != all[i].found)
			return true;
	return s->damaged > 0 || s->rotten > 0;
}

/* A step of the walk; false when *verdict is known. */
static bool walk(struct admin_job *job, struct audit *s, const struct route *route,
    const struct route_view *now, enum verdict *verdict)
{
	const uint64_t now_ms = core_now_ms(job->admin->core);

	if (!s->walking) {
		walk_begin(s, now);
		s->give_up_ms = now_ms + PATIENCE_MS;
	} else if (s->changes != now->changes) {
		if (now_ms >= s->give_up_ms) {
			*verdict = BUSY;
			return false;
		}
		walk_begin(s, now);
	}
	s->read = 0;
	for (int n = 0; n < WALK_ROWS_PER_STEP && s->read < WALK_BYTES_PER_STEP; n++) {
		if (walk_row(job, s, core_route_number(route)))
			continue;
		*verdict = differs(s) ? DIFFERS : AGREES;
		return false;
	}
	return true;
}

/* --- what is said ----------------------------------------------------------------------------- */

static uint64_t in_custody(const struct route_counters *n)
{
	return counters_queued(n) - n->derived_queued;
}

static void say_equations(struct report *r, const char *name, const struct route_counters *n)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: received %" PRIu64 " + imported %" PRIu64 " = processed %"
		 PRIu64 " + dead %" PRIu64 " + purged %" PRIu64 " + in custody %" PRIu64, name,
		 n->received_total, n->imported_total, n->processed_total, n->dead,
		 n->purged_total, in_custody(n));
	report_sentence(r, text);
	snprintf(text, sizeof(text), "  letters of rejected records: derived %" PRIu64 " = ended %"
		 PRIu64 " + dead %" PRIu64 " + purged %" PRIu64 " + in custody %" PRIu64,
		 n->derived_total, n->derived_ended_total, n->derived_dead,
		 n->derived_purged_total, n->derived_queued);
	report_sentence(r, text);
}

static void put_equations(struct report *r, const char *name, const struct route_counters *n)
{
	if (!r->json) {
		say_equations(r, name, n);
		return;
	}
	report_text(r, "route", name);
	report_number(r, "received", (int64_t)n->received_total);
	report_number(r, "imported", (int64_t)n->imported_total);
	report_number(r, "processed", (int64_t)n->processed_total);
	report_number(r, "dead", (int64_t)n->dead);
	report_number(r, "purged", (int64_t)n->purged_total);
	report_number(r, "in_custody", (int64_t)in_custody(n));
	report_number(r, "derived", (int64_t)n->derived_total);
	report_number(r, "derived_ended", (int64_t)n->derived_ended_total);
	report_number(r, "derived_dead", (int64_t)n->derived_dead);
	report_number(r, "derived_purged", (int64_t)n->derived_purged_total);
	report_number(r, "derived_in_custody", (int64_t)n->derived_queued);
}

static void put_differences(struct report *r, const struct audit *s)
{
	struct number all[NUMBERS];
	char text[160];

	numbers_of(s, all);
	report_list(r, "differences");
	for (int i = 0; i < NUMBERS; i++) {
		if (all[i].kept == all[i].found)
			continue;
		snprintf(text, sizeof(text), "%s: counted %" PRIu64 ", found %" PRIu64, all[i].name,
			 all[i].kept, all[i].found);
		report_text(r, NULL, text);
	}
	if (s->damaged > 0) {
		snprintf(text, sizeof(text), "records that cannot be read: %" PRIu64, s->damaged);
		report_text(r, NULL, text);
	}
	if (s->rotten > 0) {
		snprintf(text, sizeof(text), "payloads that are damaged: %" PRIu64, s->rotten);
		report_text(r, NULL, text);
	}
	report_close(r);
}

static void say_verdict(struct report *r, bool balances, enum verdict v)
{
	static const char *const walked[] = {
		[NOT_WALKED] = "",
		[AGREES] = "; a walk of the store finds the same",
		[DIFFERS] = "; a walk of the store finds something else",
		[BUSY] = "; not walked: the route changes all the time, ask again when it is quiet",
	};
	char text[160];

	snprintf(text, sizeof(text), "  %s%s", balances ? "balances" : "DOES NOT BALANCE",
		 walked[v]);
	report_sentence(r, text);
}

static void put_route(struct admin_job *job, struct audit *s, const struct route *route,
    const struct route_counters *n, enum verdict verdict)
{
	const bool balances = counters_balance(n);
	struct report *r = &job->report;

	s->wrong |= !balances || verdict == DIFFERS;
	s->busy |= verdict == BUSY;
	report_object(r, NULL);
	put_equations(r, route_settings(route)->name, n);
	if (r->json) {
		report_bool(r, "balances", balances);
		report_text(r, "walk", verdict_names[verdict]);
	} else {
		say_verdict(r, balances, verdict);
	}
	if (verdict == DIFFERS)
		put_differences(r, s);
	report_close(r);
}

static bool end(struct admin_job *job, const struct audit *s)
{
	report_close(&job->report);
	report_bool(&job->report, "balances", !s->wrong);
	report_bool(&job->report, "complete", !s->busy);
	job->code = s->wrong ? ADMIN_NOTHING : s->busy ? ADMIN_NOT_NOW : ADMIN_OK;
	return false;
}

bool cmd_audit(struct admin_job *job)
{
	const bool quick = job_option(job, "--quick") != NULL;
	struct audit *s = job_state(job, sizeof(*s));
	struct core *core = job->admin->core;
	enum verdict verdict = NOT_WALKED;
	const struct route *route;
	struct route_view v;

	if (!s->begun)
		report_list(&job->report, "routes");
	s->begun = true;
	if (s->route == core_route_count(core))
		return end(job, s);
	route = core_route(core, s->route);
	core_view_route(core, route, &v);
	if (!quick && walk(job, s, route, &v, &verdict))
		return true;
	put_route(job, s, route, v.counters, verdict);
	s->walking = false;
	s->route++;
	return true;
}
