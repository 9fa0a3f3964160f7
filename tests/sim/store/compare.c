/* compare.c - every answer of the store must be the model's */
#include <string.h>

#include "base/digest.h"
#include "run.h"

#define SAME(member) (a->member == b->member)
#define SAME_BYTES(member) (memcmp(&a->member, &b->member, sizeof a->member) == 0)

/* --- structs --------------------------------------------------------------------------------- */

static bool is_same_batch(const struct batch *a, const struct batch *b)
{
	return SAME(state) && SAME(id) && SAME(route) && SAME(source) && SAME(holder) &&
	    SAME(attempt) && SAME(attempts_before) && SAME(redrives) && SAME(series) &&
	    SAME(lease) && SAME(due_ms) && SAME(received_at_us) && SAME(sequence_number) &&
	    SAME(record_count) && SAME(payload_bytes) && SAME(records_off) && SAME(records_len) &&
	    SAME_BYTES(batch_id) && SAME_BYTES(checksum) && SAME_BYTES(completes) &&
	    SAME(critical) && SAME(suspect) && SAME(failed) && SAME(answered) &&
	    SAME(redelivered) && SAME(held) && SAME(ordered) && SAME(journalled) &&
	    SAME(derived) && SAME(has_parent) && (!a->has_parent || SAME_BYTES(parent)) &&
	    SAME(correlation_len) && memcmp(a->correlation, b->correlation,
	    a->correlation_len) == 0;
}

static bool is_same_end(const struct ended *a, const struct kept_end *k)
{
	const struct ended *b = &k->e;

	return SAME(notice) && SAME(source) && SAME(route) && SAME(holder) && SAME(id) &&
	    SAME(lease) && SAME(attempt) && SAME(ended_ms) && SAME(received_at_us) &&
	    SAME(ended_at_us) && SAME(record_count) && SAME(accepted) && SAME(rejected) &&
	    SAME(duration_ms) && SAME_BYTES(batch_id) && SAME_BYTES(checksum) &&
	    SAME_BYTES(completes) && SAME(dead) && SAME(partial) && SAME(derived) &&
	    SAME(journalled) && SAME(confirming) && SAME(error_code) && SAME(correlation_len) &&
	    memcmp(a->correlation, b->correlation, a->correlation_len) == 0 &&
	    SAME(error_count) && bytes_same(bytes_of(a->errors, a->errors_len), k->errors);
}

bool is_same_line(const struct journal_line *a, const struct journal_line *b)
{
	return SAME(at_us) && SAME(event) && SAME(instance) && SAME(attempt) && SAME(lease) &&
	    SAME(delay_ms) && SAME(code) && SAME(text_len) &&
	    memcmp(a->text, b->text, a->text_len) == 0;
}

bool is_same_confirmation(const struct confirmation *a, const struct confirmation *b)
{
	return SAME(state) && SAME(route) && SAME(id) && SAME(source) && SAME(holder) &&
	    SAME(notice) && SAME(due_ms) && SAME(record_count) && SAME(delivered) &&
	    SAME(failed) && SAME(dlq) && SAME_BYTES(batch_id) && SAME(correlation_len) &&
	    memcmp(a->correlation, b->correlation, a->correlation_len) == 0;
}

bool is_same_identity(const struct identity *a, const struct identity *b)
{
	return SAME(kind) && (a->kind == IDENTITY_ENDED ? SAME(source) && SAME(notice)
	        : a->kind == IDENTITY_NONE || SAME(id));
}

bool is_same_action(const struct action *a, const struct action *b)
{
	return SAME(number) && SAME(at_us) && SAME(event) && SAME(route) && SAME(has_batch) &&
	    (!a->has_batch || SAME_BYTES(batch_id)) && strcmp(a->who, b->who) == 0 &&
	    strcmp(a->text, b->text) == 0;
}

bool is_same_instance(const struct instance_record *a, const struct instance_record *b)
{
	return SAME(number) && SAME(module) && SAME(seen) && SAME(live) && SAME(last_used_ms) &&
	    SAME(mailbox) && SAME(id_len) && memcmp(a->id, b->id, a->id_len) == 0;
}

static bool is_same_control(const struct route_control *a, const struct route_control *b)
{
	return SAME(paused) && SAME(at_us) && strcmp(a->who, b->who) == 0 &&
	    strcmp(a->reason, b->reason) == 0;
}

/* --- one answer ------------------------------------------------------------------------------ */

void same(struct run *r, const char *what, bool is_same)
{
	if (!is_same)
		differ(r, "%s answers otherwise than the model", what);
}

/* Of a damaged record: what its key says. */
static bool is_key_of(const struct batch *b, const struct batch *kept)
{
	return b->id == kept->id && b->route == kept->route && b->state == kept->state &&
	    (b->state != BATCH_READY || batch_ready_class(b) == batch_ready_class(kept));
}

void same_batch(struct run *r, const char *what, int rc, const struct batch *b,
    const struct kept_batch *k)
{
	if (!k)
		same(r, what, rc == ERR_NOTFOUND);
	else if (k->damaged)
		same(r, what, rc == ERR_CORRUPT && is_key_of(b, &k->b));
	else
		same(r, what, rc == 0 && is_same_batch(b, &k->b));
}

void same_letter(struct run *r, const char *what, int rc, const struct batch *b,
    const struct ended *e, const struct kept_letter *k)
{
	if (!k)
		same(r, what, rc == ERR_NOTFOUND);
	else if (k->damaged)
		same(r, what, rc == ERR_CORRUPT);
	else
		same(r, what, rc == 0 && is_same_batch(b, &k->b) && is_same_end(e, &k->end));
}

void same_end(struct run *r, const char *what, int rc, const struct ended *e,
    const struct kept_end *k)
{
	same(r, what, k ? rc == 0 && is_same_end(e, k) : rc == ERR_NOTFOUND);
}

static void same_identity(struct run *r, const struct identity *is, const struct kept_identity *k)
{
	same(r, "store_identity_get", is_same_identity(is,
	    k ? &k->where : &(struct identity){ .kind = IDENTITY_NONE }));
}

/* --- questions ------------------------------------------------------------------------------- */

static void ask_identity(struct run *r)
{
	const struct kept_identity *k = pick(r, KEPT_IDENTITIES);
	uint32_t route = draw_route(r);
	struct uuid id = { { 0xba } };
	struct identity is;

	if (k && !chance(r, 8)) {
		id = k->batch_id;
		route = k->route;
	}
	store_identity_get(r->store, route, &id, &is);
	same_identity(r, &is, model_identity(&r->model, route, &id));
}

static void ask_payload(struct run *r)
{
	const struct kept_payload *k = pick(r, KEPT_PAYLOADS);
	uint64_t id = k && !chance(r, 8) ? k->id : between(r, 0, r->model.now.last_id + 1);
	const uint8_t *p = NULL;
	size_t n = 0;
	int rc = store_payload_get(r->store, id, true, &p, &n);

	k = model_payload(&r->model, id);
	if (!k)
		same(r, "store_payload_get", rc == ERR_NOTFOUND);
	else if (k->damaged)
		same(r, "store_payload_get", rc == ERR_CORRUPT);
	else
		same(r, "store_payload_get", rc == 0 && bytes_same(bytes_of(p, n), k->bytes));
}

static void ask_batch(struct run *r)
{
	const struct kept_batch *k = pick(r, KEPT_BATCHES);
	uint64_t id = k && !chance(r, 8) ? k->b.id : between(r, 0, r->model.now.last_id + 1);
	uint32_t route = draw_route(r);
	struct batch b;
	int rc = store_batch_find(r->store, route, id, &b);

	same_batch(r, "store_batch_find", rc, &b, model_batch(&r->model, route, id));
}

static void ask_dead(struct run *r)
{
	const struct kept_letter *k = pick(r, KEPT_LETTERS);
	uint64_t id = k && !chance(r, 8) ? k->b.id : between(r, 0, r->model.now.last_id + 1);
	uint32_t route = draw_route(r);
	struct batch b;
	struct ended e;
	int rc = store_dead_get(r->store, route, id, &b, &e);

	same_letter(r, "store_dead_get", rc, &b, &e, model_letter(&r->model, route, id));
}

static void ask_queues(struct run *r)
{
	enum ready_class class = (enum ready_class)between(r, 0, CLASS_HELD);
	uint64_t after = between(r, 0, r->model.now.last_id);
	uint32_t route = draw_route(r);
	struct batch b;
	int rc = store_ready_first(r->store, route, class, &b);

	same_batch(r, "store_ready_first", rc, &b, model_ready_first(&r->model, route, class));
	rc = store_assigned_next(r->store, route, after, &b);
	same_batch(r, "store_assigned_next", rc, &b, model_assigned_next(&r->model, route, after));
}

static void ask_series(struct run *r)
{
	uint32_t route = draw_route(r), series = draw_source(r);
	struct batch b;
	int rc = store_series_first(r->store, route, series, &b);

	same_batch(r, "store_series_first", rc, &b, model_series_first(&r->model, route, series));
	same(r, "store_series_next", store_series_next(r->store, route, series) ==
	    model_series_next(&r->model, route, series));
}

static void ask_due(struct run *r)
{
	uint64_t next_ms, expected_ms;
	const struct kept_batch *k = model_due_first(&r->model, r->now_ms, &expected_ms);
	struct batch b;
	int rc = store_due_first(r->store, r->now_ms, &b, &next_ms);

	same_batch(r, "store_due_first", rc, &b, k);
	same(r, "the next time of store_due_first", next_ms == expected_ms);
	if (k)
		same(r, "the time of store_due_first", b.due_ms == k->b.due_ms);
}

static void ask_end(struct run *r)
{
	uint32_t source = draw_source(r);
	uint64_t notice = between(r, 0, r->model.now.last_notice + 1);
	struct ended e;
	int rc = store_ended_get(r->store, source, notice, &e);

	same_end(r, "store_ended_get", rc, &e, model_end(&r->model, source, notice));
	rc = store_ended_next(r->store, source, notice, &e);
	same_end(r, "store_ended_next", rc, &e, model_ended_next(&r->model, source, notice));
}

static void ask_confirm(struct run *r)
{
	const struct kept_confirmation *k = pick(r, KEPT_CONFIRMATIONS);
	uint64_t id = k ? k->c.id : between(r, 0, r->model.now.last_id + 1), hash;
	uint32_t route = k ? k->c.route : draw_route(r);
	const struct kept_record *record;
	struct confirmation c;
	uint8_t status;
	int rc = store_confirm_get(r->store, route, id, &c);

	k = model_confirm(&r->model, route, id);
	same(r, "store_confirm_get", k ? rc == 0 && is_same_confirmation(&c, &k->c)
	    : rc == ERR_NOTFOUND);
	hash = between(r, 1, 4);
	record = model_confirm_record(&r->model, id, hash);
	same(r, "store_confirm_record_get",
	    store_confirm_record_get(r->store, id, hash, &status) == (record != NULL) &&
	    (!record || record->status == status));
}

static void ask_sequence(struct run *r)
{
	uint32_t route = draw_route(r), instance = draw_source(r);
	const struct kept_number *k;
	uint64_t expected = 0;

	KEPT_EACH(k, &r->model, KEPT_NUMBERS)
		if (k->kind == 's' && k->route == route && k->instance == instance)
			expected = k->number;
	same(r, "store_sequence_get", store_sequence_get(r->store, route, instance) == expected);
}

static void ask_control(struct run *r)
{
	static const struct route_control none;
	const struct route_control *expected = &none;
	const struct kept_control *k;
	uint32_t route = draw_route(r);
	struct route_control c;

	KEPT_EACH(k, &r->model, KEPT_CONTROLS)
		if (k->route == route)
			expected = &k->c;
	store_control_get(r->store, route, &c);
	same(r, "store_control_get", is_same_control(&c, expected));
}

static void ask_meta(struct run *r)
{
	struct store_boot boot = store_boot(r->store);

	same(r, "store_last_notice", store_last_notice(r->store) == r->model.now.last_notice);
	same(r, "store_clock_ms", store_clock_ms(r->store) == r->model.now.clock_ms);
	same(r, "store_boot", uuid_equal(&boot.boot_id, &r->model.now.boot.boot_id) &&
	    boot.offset_ms == r->model.now.boot.offset_ms);
	same(r, "store_has_failed", !store_has_failed(r->store));
	if (!r->full)
		same(r, "store_has_room", store_has_room(r->store, 100000, STORE_BYTES / 16));
}

void ask(struct run *r)
{
	static void (*const questions[])(struct run *r) = {
		ask_identity, ask_payload, ask_batch, ask_dead, ask_queues, ask_series, ask_due,
		ask_end, ask_confirm, ask_sequence, ask_control, ask_meta,
	};

	questions[between(r, 0, sizeof questions / sizeof questions[0] - 1)](r);
}
