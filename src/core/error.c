/* error.c - the error queue: what is kept of errors that are told, and of those the broker makes */
#include <string.h>

#include "base/log.h"
#include "core/internal.h"
#include "wire/decode.h"
#include "wire/encode.h"

/*
 * Errors are for who asks later, not for the promise: one that finds no room, or comes above the
 * ceiling of its module, is counted and not kept. An error that is CRITICAL, or comes with
 * INVESTIGATE, is an alert as well, until a person has acknowledged it.
 */
#define WINDOW_MS 1000
#define RELAYS_PER_SECOND 100
#define ALERTS_PER_SECOND 100		/* of one module, beyond its ceiling */
#define LINKED_MAX 32			/* errors that one of ours is linked to */
#define SEARCHED_MAX 128		/* errors of one batch that are looked at */
#define ROOM_BYTES (4 * ERROR_RECORD_MAX)	/* for a row, its rows of the indexes, an alert */

/* --- counting -------------------------------------------------------------------------------- */

static struct error_count *count_add(struct core *c, struct span code, enum severity severity,
    bool own)
{
	struct error_count *n = &c->error_counts[c->error_count_count++];

	memcpy(n->code, code.p, code.n);
	n->code[code.n] = '\0';
	n->severity = severity;
	n->own = own;
	return n;
}

/* INT_BATCH_004 has two severities; what else a row for is not needed costs little. */
void error_init(struct core *c)
{
	for (enum error_code code = INT_NONE + 1; code < ERROR_CODE_COUNT; code++) {
		const struct error_code_info *info = error_code_info(code);

		count_add(c, span_of(info->name), info->severity, true);
	}
	count_add(c, span_of("INT_BATCH_004"), SEVERITY_ERROR, true);
}

static struct error_count *count_of(struct core *c, struct span code, enum severity severity)
{
	struct span other = span_of("other");
	size_t modules = 0;

	for (size_t n = 0; n < c->error_count_count; n++) {
		struct error_count *k = &c->error_counts[n];

		if (k->severity == severity && span_is(code, k->code))
			return k;
		modules += !k->own && !span_is(other, k->code);
	}
	if (modules < ERROR_MODULE_CODES || span_equal(code, other))
		return count_add(c, code, severity, false);
	return count_of(c, other, severity);
}

static void count(struct core *c, const struct error_record *e)
{
	count_of(c, (struct span){ e->code, e->code_len }, (enum severity)e->severity)->count++;
}

void core_note_error(struct core *c, enum error_code code)
{
	const struct error_code_info *info = error_code_info(code);

	count_of(c, span_of(info->name), info->severity)->count++;
}

void core_note_refusal(struct core *c, enum error_code code)
{
	if (code == INT_BATCH_004)	/* otherwise a warning beside RECEIVED */
		count_of(c, span_of(error_code_info(code)->name), SEVERITY_ERROR)->count++;
	else
		core_note_error(c, code);
}

/* --- keeping --------------------------------------------------------------------------------- */

uint64_t core_reserve_bytes(const struct core *c)
{
	return c->queued * END_BYTES + c->settings.stage_reserve;
}

/* Another one in this second? */
static bool is_within(const struct core *c, struct error_window *w, unsigned *n, unsigned most)
{
	if (c->now_ms >= w->since_ms + WINDOW_MS)
		*w = (struct error_window){ .since_ms = c->now_ms };
	return (*n)++ < most;
}

bool error_may_relay(struct core *c, struct module *m)
{
	return is_within(c, &m->told, &m->told.notices, RELAYS_PER_SECOND);
}

static bool is_alert(const struct error_record *e)
{
	return e->severity == SEVERITY_CRITICAL || e->action == ACTION_INVESTIGATE;
}

/* A flood of what is usual hides nothing that a person has to see. */
static bool has_turn(const struct core *c, struct error_window *w, const struct error_record *e)
{
	return is_within(c, w, &w->errors, c->settings.max_error_rate) ||
	    (is_alert(e) && is_within(c, w, &w->alerts, ALERTS_PER_SECOND));
}

static void log_alert(const struct core *c, const struct error_record *e, const char *module)
{
	(void)c;
	if (log_allow("alert", 10))
		log_error("alert", "number=%llu module=%s code=%s severity=%s message=%s",
		    (unsigned long long)e->number, module, log_quote(e->code, e->code_len),
		    severity_name((enum severity)e->severity), log_quote(e->text, e->text_len));
}

static void keep(struct core *c, struct error_window *w, struct error_record *e)
{
	e->at_us = c->wall_us;
	e->at_ms = c->now_ms;
	e->of_record = e->scope == SCOPE_RECORD;
	if (has_turn(c, w, e) &&
	    store_has_room(c->store, ROOM_BYTES, core_reserve_bytes(c))) {
		store_error_add(c->store, e);
		if (is_alert(e))
			store_alert_add(c->store, e);
		if (e->at_ms + c->settings.outcome_retention_ms < c->next_prune_ms)
			c->next_prune_ms = e->at_ms + c->settings.outcome_retention_ms;
	} else {
		c->errors_dropped++;
	}
	if (is_alert(e))
		log_alert(c, e, core_error_module(c, e));
}

/* --- what modules tell ----------------------------------------------------------------------- */

/* As much of a text as fits, cut between two characters. */
static uint16_t cut(char *out, size_t max, struct span text)
{
	size_t n = text.p ? text.n : 0;

	if (n > max)
		for (n = max; n > 0 && ((uint8_t)text.p[n] & 0xc0) == 0x80; n--)
			;
	if (n > 0)
		memcpy(out, text.p, n);
	return (uint16_t)n;
}

static void fill(struct error_record *e, const struct message_error *from)
{
	e->severity = (uint8_t)from->severity;
	e->recoverability = (uint8_t)from->recoverability;
	e->scope = (uint8_t)from->scope;
	e->error_id = from->error_id;
	e->code_len = cut(e->code, sizeof e->code, from->error_code);
	e->correlation_len = cut(e->correlation, sizeof e->correlation, from->correlation_id);
	e->record_id_len = cut(e->record_id, sizeof e->record_id, from->record_id);
	e->text_len = cut(e->text, sizeof e->text, from->error_message);
	if (from->batch_id.p)
		e->has_batch = uuid_parse(from->batch_id.p, from->batch_id.n, &e->batch_id);
	e->raw = (const uint8_t *)from->raw.p;
	e->raw_len = from->raw.n <= ERROR_RAW_MAX ? (uint32_t)from->raw.n : 0;
}

void error_hear(struct core *c, const struct instance *i, const struct message_error *from,
    enum action_required action)
{
	struct error_record e = { .module = i->module->number, .instance = i->record.number,
		.action = (uint8_t)action };

	fill(&e, from);
	count(c, &e);
	keep(c, &i->module->told, &e);
}

/* Whatever the errors say: they are about this batch, and stand under its correlation_id. */
static void fill_batch(struct error_record *e, const struct batch *b)
{
	e->route = b->route;
	e->has_batch = true;
	e->batch_id = b->batch_id;
	e->correlation_len = b->correlation_len;
	memcpy(e->correlation, b->correlation, b->correlation_len);
}

void error_hear_answer(struct core *c, const struct instance *i, const struct presented *p,
    const struct message_ack *a)
{
	for (size_t n = 0; n < a->error_count; n++) {
		struct error_record e = { .module = i->module->number,
			.instance = i->record.number };

		fill(&e, &a->errors[n]);
		fill_batch(&e, &p->batch);
		count(c, &e);
		keep(c, &i->module->told, &e);
	}
}

/* --- the broker's own ------------------------------------------------------------------------ */

/* What is kept about the batch, the newest first: whom an error of ours comes from. */
static size_t linked(struct core *c, const struct error_record *about, struct uuid ids[LINKED_MAX])
{
	uint64_t before = UINT64_MAX;
	struct error_record e;
	size_t n = 0;

	for (int k = 0; k < SEARCHED_MAX && n < LINKED_MAX &&
	     store_error_previous_by(c->store, ERRORS_BY_BATCH, about->batch_id.b,
	         sizeof about->batch_id.b, before, &e) == 0; k++) {
		before = e.number;
		if (e.route == 0 || e.route == about->route)
			ids[n++] = e.error_id;
	}
	return n;
}

static void keep_own(struct core *c, struct error_window *w, struct error_record *e,
    enum error_code code, const struct uuid *ids, size_t n)
{
	const struct error_code_info *info = error_code_info(code);
	char batch_id[UUID_TEXT_LEN + 1];
	struct error_out out = { .code = code, .scope = info->scope, .timestamp_us = c->wall_us,
		.source_module = span_of("BROKER"), .upstream = ids, .upstream_count = n };
	struct buf raw;

	e->severity = (uint8_t)info->severity;
	e->recoverability = (uint8_t)info->recoverability;
	e->scope = (uint8_t)info->scope;
	e->code_len = cut(e->code, sizeof e->code, span_of(info->name));
	e->text_len = cut(e->text, sizeof e->text, span_of(info->meaning));
	core_make_uuid(c, &e->error_id);
	uuid_format(&e->batch_id, batch_id);
	out.error_id = e->error_id;
	out.batch_id = span_of(batch_id);
	out.correlation_id = (struct span){ e->correlation, e->correlation_len };
	buf_init(&raw, ERROR_RAW_MAX);
	encode_error(&raw, &out);
	e->raw = buf_bytes(&raw);
	e->raw_len = raw.failed ? 0 : (uint32_t)raw.len;
	keep(c, w, e);
	buf_finish(&raw);
}

void error_of_batch(struct core *c, const struct route *r, const struct batch *b,
    enum error_code code)
{
	struct error_record e = { .route = r->number };
	struct uuid ids[LINKED_MAX];

	fill_batch(&e, b);
	core_note_error(c, code);
	keep_own(c, &c->broker_told, &e, code, ids, linked(c, &e, ids));
}

void error_of_answer(struct core *c, const struct instance *i, const struct message *m,
    enum error_code code)
{
	struct error_record e = { .instance = i->record.number, .has_batch = true,
		.batch_id = m->ack.batch_id };

	e.correlation_len = cut(e.correlation, sizeof e.correlation, m->header.correlation_id);
	keep_own(c, &i->module->told, &e, code, NULL, 0);
}

bool core_end_error(struct core *c, const struct ended *end, struct buf *out)
{
	const char *code = error_code_info((enum error_code)end->error_code)->name;
	uint64_t before = UINT64_MAX;
	struct error_record e;

	for (int k = 0; k < SEARCHED_MAX &&
	     store_error_previous_by(c->store, ERRORS_BY_BATCH, end->batch_id.b,
	         sizeof end->batch_id.b, before, &e) == 0; k++) {
		before = e.number;
		if (e.module != 0 || e.route != end->route || e.raw_len == 0 ||
		    !span_is((struct span){ e.code, e.code_len }, code))
			continue;
		buf_put(out, e.raw, e.raw_len);
		return !out->failed;
	}
	return false;
}

/* --- going ----------------------------------------------------------------------------------- */

bool error_prune(struct core *c, bool for_room, uint64_t row_ms, uint64_t *next_ms)
{
	struct error_record e;
	int rc = store_error_oldest(c->store, &e);

	*next_ms = UINT64_MAX;
	if (rc == ERR_NOTFOUND)
		return false;
	if (rc == 0) {
		*next_ms = e.at_ms + c->settings.outcome_retention_ms;
		if (c->now_ms < *next_ms && !(for_room && e.at_ms <= row_ms))
			return false;
	}
	store_error_trim(c->store);
	return true;
}

/* --- for who looks --------------------------------------------------------------------------- */

size_t core_error_counts(const struct core *c, const struct error_count **out)
{
	*out = c->error_counts;
	return c->error_count_count;
}

void core_view_errors(const struct core *c, struct errors_view *out)
{
	*out = (struct errors_view){
		.depth = store_error_count(c->store),
		.alerts = store_alert_count(c->store),
		.dropped = c->errors_dropped,
	};
}

const char *core_error_module(struct core *c, const struct error_record *e)
{
	const struct module *m = e->module ? module_by_number(c, e->module) : NULL;

	return e->module == 0 ? "BROKER" : m ? m->settings.name : "?";
}
