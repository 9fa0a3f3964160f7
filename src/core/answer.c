/* answer.c - a target answers for a delivery: who may end a batch, and what its word does */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/internal.h"
#include "wire/decode.h"

/*
 * Whoever presents the current lease may (protocol.md section 6). Current is the lease of a batch's
 * latest delivery, until the next one, its end or its dead letter: so a batch is looked for among
 * what is assigned, then in the store on each route that leads to the module.
 */

static bool is_repeat(const struct ended *e, const struct message_ack *a)
{
	return e->lease == a->lease && e->dead == (a->status == ACK_REJECTED);
}

static void find_ended(struct core *c, const struct identity *where, const struct message_ack *a,
    struct presented *out)
{
	struct batch b;
	struct ended e;
	int rc = where->kind == IDENTITY_DEAD
	    ? store_dead_get(c->store, out->route->number, where->id, &b, &e)
	    : store_ended_get(c->store, where->source, where->notice, &e);

	if (rc == 0 && is_repeat(&e, a))
		out->kind = LEASE_REPEATED;
}

static void find_unassigned(struct core *c, struct route *r, const struct message_ack *a,
    struct presented *out)
{
	struct identity where;

	out->route = r;
	store_identity_get(c->store, r->number, &a->batch_id, &where);
	if (where.kind == IDENTITY_DEAD || where.kind == IDENTITY_ENDED)
		find_ended(c, &where, a, out);
	else if (where.kind == IDENTITY_LIVE && a->lease != 0 &&
	    store_batch_find(c->store, r->number, where.id, &out->batch) == 0 &&
	    out->batch.lease == a->lease)
		out->kind = LEASE_CURRENT;
}

void answer_find(struct core *c, struct instance *i, const struct message_ack *a,
    struct presented *out)
{
	struct assignment *held = assignment_by_lease(c, a->lease);
	struct route *r;

	memset(out, 0, sizeof *out);
	if (held) {
		if (held->route->target != i->module ||
		    !uuid_equal(&held->batch.batch_id, &a->batch_id))
			return;
		out->kind = LEASE_CURRENT;
		out->route = held->route;
		out->assignment = held;
		out->batch = held->batch;
	}
	TAILQ_FOREACH(r, &i->module->targeted, of_target)
		if (out->kind == LEASE_STALE)
			find_unassigned(c, r, a, out);
	/* REJECTED once under this lease is a repeat; PROCESSED may still follow it */
	if (out->kind == LEASE_CURRENT && out->batch.answered && a->status == ACK_REJECTED)
		out->kind = LEASE_REPEATED;
}

/* --- is it sound? ---------------------------------------------------------------------------- */

static bool unsound(struct fault *f, const char *path, const char *field, const char *actual,
    const char *expected)
{
	char name[96];

	snprintf(name, sizeof name, "%s%s%s", path, *path ? "." : "", field);
	fault_set(f, INT_PROTOCOL_005, name, "%s", expected);
	fault_found(f, span_of(actual));
	return false;
}

/* A record that an error names: its id, and which of the errors it was. */
struct named_record {
	struct span id;
	size_t error;
};

static int compare_records(const void *a, const void *b)
{
	const struct named_record *x = a, *y = b;
	size_t shorter = x->id.n < y->id.n ? x->id.n : y->id.n;
	int order = memcmp(x->id.p, y->id.p, shorter);

	if (order == 0)
		order = (x->id.n > y->id.n) - (x->id.n < y->id.n);
	return order ? order : (x->error > y->error) - (x->error < y->error);
}

static bool is_same_record(const struct named_record *x, const struct named_record *y)
{
	return x->id.n == y->id.n && memcmp(x->id.p, y->id.p, x->id.n) == 0;
}

static bool unsound_record(struct fault *f, const char *path, const struct named_record *r,
    const char *expected)
{
	char field[64];

	snprintf(field, sizeof field, "errors.%zu.context.record_id", r->error);
	unsound(f, path, field, "missing", expected);
	if (r->id.p)
		fault_found(f, r->id);
	return false;
}

static bool check_distinct(struct named_record *r, size_t n, const char *path, struct fault *f)
{
	qsort(r, n, sizeof *r, compare_records);
	for (size_t k = 1; k < n; k++)
		if (is_same_record(&r[k - 1], &r[k]))
			return unsound_record(f, path, &r[k], "a record that no other error names");
	return true;
}

static bool check_in_batch(struct core *c, const struct presented *p, const struct named_record *r,
    size_t n, const char *path, struct fault *f)
{
	const struct batch *b = &p->batch;
	const uint8_t *payload;
	size_t len, missing;

	if (store_payload_get(c->store, b->id, false, &payload, &len) != 0 ||
	    len < (size_t)b->records_off + b->records_len)
		return true;		/* nothing to compare with: a next delivery would bury it */
	struct span records = { (const char *)payload + b->records_off, b->records_len };
	struct span *ids = xcalloc(n, sizeof *ids);
	for (size_t k = 0; k < n; k++)
		ids[k] = r[k].id;
	bool there = records_have_ids(records, ids, n, &missing);
	free(ids);
	return there ||
	    unsound_record(f, path, &r[missing], "the record_id of a record of the batch");
}

/* The records that errors of scope RECORD name: each does, none twice, all in the batch. */
static bool check_record_errors(struct core *c, const struct presented *p,
    const struct message_ack *a, const char *path, struct fault *f)
{
	struct named_record *r;
	bool sound = true;
	size_t n = 0;

	if (a->error_count == 0)
		return true;
	r = xcalloc(a->error_count, sizeof *r);
	for (size_t k = 0; sound && k < a->error_count; k++) {
		if (a->errors[k].scope != SCOPE_RECORD)
			continue;
		r[n++] = (struct named_record){ a->errors[k].record_id, k };
		if (!a->errors[k].record_id.p)
			sound = unsound_record(f, path, &r[n - 1], "a record of the batch");
	}
	if (sound && n > a->records_rejected)
		sound = unsound(f, path, "errors", "more",
		    "at most records_rejected errors of scope RECORD");
	sound = sound &&
	    (n == 0 || (check_distinct(r, n, path, f) && check_in_batch(c, p, r, n, path, f)));
	free(r);
	return sound;
}

bool answer_is_sound(struct core *c, const struct presented *p, const struct message_ack *a,
    const char *path, struct fault *f)
{
	uint64_t count = p->batch.record_count;
	char expected[64], actual[64], field[32];

	if (a->records_accepted > count || count - a->records_accepted != a->records_rejected) {
		snprintf(expected, sizeof expected, "records_accepted + records_rejected = %llu",
		    (unsigned long long)count);
		snprintf(actual, sizeof actual, "%llu + %llu",
		    (unsigned long long)a->records_accepted,
		    (unsigned long long)a->records_rejected);
		snprintf(field, sizeof field, "%srecords_accepted", *path ? "" : "payload.");
		return unsound(f, path, field, actual, expected);
	}
	return check_record_errors(c, p, a, path, f);
}

/* Of reasons, in bytes, in a store that is nearly full. */
#define TIGHT_ERRORS_MAX 1024

/* --- what it does ---------------------------------------------------------------------------- */

void answer_keep_errors(struct core *c, struct ended *e, const struct message_ack *a)
{
	size_t most = store_is_tight(c->store) ? TIGHT_ERRORS_MAX : RECORD_ERRORS_MAX, n = 0;

	if (a->error_count == 0)
		return;
	e->errors = (const uint8_t *)a->errors[0].raw.p;
	for (size_t k = 0; k < a->error_count && n + a->errors[k].raw.n <= most; k++) {
		n += a->errors[k].raw.n;
		e->error_count++;
	}
	e->errors_len = (uint32_t)n;
}

static void let_go_of(struct core *c, const struct presented *p)
{
	if (p->assignment)
		assignment_remove(c, p->assignment);
}

void answer_processed(struct core *c, struct instance *i, const struct presented *p,
    const struct message_ack *a)
{
	struct ended e = { .accepted = a->records_accepted, .rejected = a->records_rejected,
		.duration_ms = a->processing_duration_ms };
	struct batch was = p->batch;

	was.holder = i->record.number;
	vitals_ended(c, i);
	/* no rejected record is lost: they are a letter of their own, or the whole batch is */
	e.partial = a->records_rejected > 0 && !letter_of_rejects(c, p, a, &was);
	answer_keep_errors(c, &e, a);
	let_go_of(c, p);
	circuit_succeeded(c, &p->route->circuit);
	core_errors_heard(c, i, a->errors, a->error_count);
	batch_finish(c, p->route, &was, &e, CAUSE_PROCESSED);
}

/* section 6: has an error that may pass, and none that makes the batch itself hopeless */
static bool is_worth_a_retry(const struct message_ack *a)
{
	bool may_pass = false;

	for (size_t k = 0; k < a->error_count; k++) {
		const struct message_error *e = &a->errors[k];

		if (e->recoverability == RECOVERABILITY_PERMANENT && e->scope != SCOPE_RECORD)
			return false;
		if (e->recoverability == RECOVERABILITY_TRANSIENT ||
		    (e->recoverability == RECOVERABILITY_UNKNOWN && e->retry_eligible))
			may_pass = true;
	}
	return may_pass;
}

static void answer_rejected(struct core *c, const struct instance *i, const struct presented *p,
    const struct message_ack *a)
{
	struct ended e = { .rejected = p->batch.record_count,
		.duration_ms = a->processing_duration_ms };
	struct batch was = p->batch, b = was;
	char text[JOURNAL_TEXT_MAX];

	answer_keep_errors(c, &e, a);
	let_go_of(c, p);
	b.redelivered = true;
	b.answered = true;
	core_errors_heard(c, i, a->errors, a->error_count);
	journal_describe_errors(a, text, sizeof text);
	if (is_worth_a_retry(a)) {
		retry_or_bury(c, p->route, &was, &b, &e, CAUSE_REJECTED_TRANSIENT, text);
		return;
	}
	e.dead = true;
	e.error_code = INT_DELIVERY_004;
	journal_note(c, &b, &(struct note){ JOURNAL_REJECTED, was.holder, 0, INT_DELIVERY_004,
		text });
	batch_finish(c, p->route, &b, &e, CAUSE_REJECTED_PERMANENT);
}

static void refuse_stale(const struct message_ack *a, struct ack_answer *out)
{
	char lease[24];

	fault_set(&out->fault, INT_DELIVERY_005, "lease", "the current lease of that batch");
	snprintf(lease, sizeof lease, "%llu", (unsigned long long)a->lease);
	fault_found(&out->fault, span_of(lease));
}

void core_acknowledge(struct core *c, struct instance *i, const struct message *m,
    struct ack_answer *out)
{
	const struct message_ack *a = &m->ack;
	struct presented p;

	memset(out, 0, sizeof *out);
	answer_find(c, i, a, &p);
	out->route = p.kind == LEASE_STALE ? NULL : p.route;
	bool holds = p.assignment && p.assignment->holder == i;
	if (p.kind == LEASE_STALE || (a->status == ACK_RECEIVED && !holds)) {
		refuse_stale(a, out);
		return;
	}
	if (a->status == ACK_RECEIVED) {	/* between it and us: memory only */
		p.assignment->received = true;
		deadline_restart(c, p.assignment);
		return;
	}
	out->echo = true;
	out->duplicate = p.kind == LEASE_REPEATED;
	if (out->duplicate)
		return;
	if (a->status == ACK_REJECTED) {
		vitals_ended(c, i);
		answer_rejected(c, i, &p, a);
	} else if (answer_is_sound(c, &p, a, "", &out->fault)) {
		answer_processed(c, i, &p, a);
	} else {
		out->echo = false;
	}
}
