/* relay.c - a module tells of errors: who hears of it upstream and down, what it asks for is done */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/internal.h"
#include "core/operate.h"
#include "wire/encode.h"
#include "wire/text.h"

/*
 * Upstream is the instance that sent the batch which an error names, or that sent of late one with
 * its correlation_id; where neither is known, one instance of each module that has a route to the
 * teller. HALT is told to all of their instances that are connected. An error of a whole module or
 * more is told downstream as well: its targets are to expect less.
 *
 * The message goes through the mailbox as the module wrote it.
 */
#define LOOKED_AT_MAX 64		/* errors of one message whose batch is looked for */

/* --- who sent it ----------------------------------------------------------------------------- */

void relay_note_batch(struct core *c, const struct batch *b)
{
	struct recent_batch *r;

	if (!c->recent)
		c->recent = xcalloc(RECENT_BATCHES, sizeof *c->recent);
	r = &c->recent[c->recent_at++ % RECENT_BATCHES];
	memset(r->beginning, 0, sizeof r->beginning);
	memcpy(r->beginning, b->correlation,
	    b->correlation_len < sizeof r->beginning ? b->correlation_len : sizeof r->beginning);
	r->correlation_hash = crc32c(0, b->correlation, b->correlation_len);
	r->source = b->source;
	r->route = b->route;
}

static uint32_t source_of(struct core *c, const struct route *r, const struct uuid *batch_id)
{
	struct identity where;
	struct batch b;
	struct ended e;

	store_identity_get(c->store, r->number, batch_id, &where);
	switch (where.kind) {
	case IDENTITY_LIVE:
		return store_batch_find(c->store, r->number, where.id, &b) == 0 ? b.source : 0;
	case IDENTITY_DEAD:
		return store_dead_get(c->store, r->number, where.id, &b, &e) == 0 ? e.source : 0;
	case IDENTITY_ENDED:
		return where.source;
	case IDENTITY_NONE:
		break;
	}
	return 0;
}

static struct instance *by_batch(struct core *c, const struct module *m, struct span batch_id)
{
	const struct route *r;
	struct uuid id;
	uint32_t source = 0;

	if (!batch_id.p || !uuid_parse(batch_id.p, batch_id.n, &id))
		return NULL;
	TAILQ_FOREACH(r, &m->targeted, of_target)
		if (source == 0)
			source = source_of(c, r, &id);
	return instance_by_number(c, source);
}

static struct instance *by_correlation(struct core *c, const struct module *m,
    struct span correlation)
{
	uint32_t hash = crc32c(0, correlation.p, correlation.n);
	size_t n = c->recent_at < RECENT_BATCHES ? c->recent_at : RECENT_BATCHES;

	for (size_t k = 1; k <= n; k++) {
		const struct recent_batch *b = &c->recent[(c->recent_at - k) % RECENT_BATCHES];
		size_t same = correlation.n < sizeof b->beginning ? correlation.n
								  : sizeof b->beginning;
		const struct route *r;

		if (b->correlation_hash != hash ||
		    memcmp(b->beginning, correlation.p, same) != 0)
			continue;
		r = route_by_number(c, b->route);
		if (r && r->target == m)
			return instance_by_number(c, b->source);
	}
	return NULL;
}

/* --- passing on ------------------------------------------------------------------------------ */

struct relay {
	struct core *core;
	const struct instance *from;
	struct buf body;
};

static void owe(struct relay *y, struct instance *to, bool for_any)
{
	struct core *c = y->core;

	if (!to || to == y->from || to->relayed == c->relays || to->record.id_len == 0 ||
	    (!to->peer && !to->record.mailbox) ||
	    !store_has_room(c->store, y->body.len, core_reserve_bytes(c)))
		return;
	to->relayed = c->relays;
	mailbox_add(c, to, for_any, buf_bytes(&y->body), y->body.len);
}

/* One of each, or all that are there: then nobody is left who would have to hear it later. */
static void owe_sources(struct relay *y, bool all)
{
	const struct route *r;
	struct instance *i;

	TAILQ_FOREACH(r, &y->from->module->targeted, of_target) {
		if (all)
			TAILQ_FOREACH(i, &r->source->connected, connected)
				owe(y, i, false);
		if (!all || TAILQ_EMPTY(&r->source->connected))
			owe(y, heir_any_of(r->source), true);
	}
}

static void owe_targets(struct relay *y)
{
	struct core *c = y->core;

	for (size_t n = 0; n < c->settings.route_count; n++)
		if (c->routes[n].source == y->from->module)
			owe(y, heir_any_of(c->routes[n].target), true);
}

static void owe_all(struct relay *y, const struct message_error_notification *n)
{
	bool found = false, wide = false;

	for (size_t k = 0; k < n->error_count; k++) {
		const struct message_error *e = &n->errors[k];
		struct instance *i = NULL;

		wide |= e->scope == SCOPE_MODULE || e->scope == SCOPE_PIPELINE;
		if (k < LOOKED_AT_MAX)
			i = by_batch(y->core, y->from->module, e->batch_id);
		if (!i && k < LOOKED_AT_MAX)
			i = by_correlation(y->core, y->from->module, e->correlation_id);
		found |= i != NULL;
		owe(y, i, false);
	}
	if (!found || n->action_required == ACTION_HALT)
		owe_sources(y, n->action_required == ACTION_HALT);
	if (wide)
		owe_targets(y);
}

static void pass_on(struct core *c, struct instance *i, const struct message_error_notification *n,
    const struct frame *frame)
{
	struct relay y = { .core = c, .from = i };

	if (!error_may_relay(c, i->module)) {
		if (log_allow("too many error notifications", 1))
			log_warning("too many error notifications", "module=%s",
			    i->module->settings.name);
		return;
	}
	c->relays++;
	buf_init(&y.body, SIZE_MAX);
	if (message_strip(&y.body, frame->data, frame->len) == 0)
		owe_all(&y, n);
	buf_finish(&y.body);
}

/* --- what it asks for ------------------------------------------------------------------------ */

static void describe(const struct message_error_notification *n, char *out, size_t size)
{
	const struct message_error *e = n->errors;
	char code[ERROR_CODE_MAX], text[160];

	if (n->error_count == 0) {
		snprintf(out, size, "HALT, without an error");
		return;
	}
	text_escape(code, sizeof code, e->error_code.p, e->error_code.n);
	text_escape(text, sizeof text, e->error_message.p, e->error_message.n);
	snprintf(out, size, "HALT: %s: %s", code, text);
}

static void halt_route(struct core *c, struct route *r, const char *who, const char *reason)
{
	struct route_control *k = &r->control;
	const struct hand hand = { who, reason };

	if (k->halted)
		return;
	*k = (struct route_control){ .paused = true, .halted = true, .at_us = c->wall_us };
	snprintf(k->who, sizeof k->who, "%s", who);
	snprintf(k->reason, sizeof k->reason, "%s", reason);
	store_control_put(c->store, r->number, k);
	core_note_action(c, JOURNAL_PAUSED, r, NULL, &hand, r->settings.name);
	log_error("route halted", "route=%s by=%s reason=%s", r->settings.name, who,
	    log_quote(reason, strlen(reason)));
}

/* Seed 000: what affects the whole pipeline halts all its flow. */
static bool is_of_pipeline(const struct message_error_notification *n)
{
	for (size_t k = 0; k < n->error_count; k++)
		if (n->errors[k].scope == SCOPE_PIPELINE)
			return true;
	return false;
}

/* Durable, until a person says that it may go on, and why (core_pause()). */
static void halt(struct core *c, const struct instance *i,
    const struct message_error_notification *n)
{
	const bool all = is_of_pipeline(n);
	char who[ACTION_WHO_MAX + 1], reason[ACTION_TEXT_MAX + 1], name[INSTANCE_NAME_MAX];

	core_instance_name(c, i->record.number, name, sizeof name);
	snprintf(who, sizeof who, "module %.50s", name);
	describe(n, reason, sizeof reason);
	for (size_t k = 0; k < c->settings.route_count; k++)
		if (all || c->routes[k].target == i->module)
			halt_route(c, &c->routes[k], who, reason);
}

static void act(struct core *c, struct instance *i, const struct message_error_notification *n)
{
	switch (n->action_required) {
	case ACTION_NONE:
		flow_throttle(c, i, false);
		break;
	case ACTION_THROTTLE:
		flow_throttle(c, i, true);
		break;
	case ACTION_HALT:
		halt(c, i, n);
		break;
	case ACTION_INVESTIGATE:
		break;			/* its errors are alerts */
	}
}

/* What a person is to look at is an alert though no error says what it is. */
static void hear_nothing(struct core *c, const struct instance *i, enum action_required action)
{
	struct message_error e = {
		.severity = SEVERITY_WARNING,
		.recoverability = RECOVERABILITY_UNKNOWN,
		.scope = SCOPE_MODULE,
		.error_message = span_of("INVESTIGATE, without an error"),
	};

	core_make_uuid(c, &e.error_id);
	error_hear(c, i, &e, action);
}

bool core_error_notification(struct core *c, struct instance *i, const struct message *m,
    const struct frame *frame, struct fault *f)
{
	const struct message_error_notification *n = &m->error_notification;

	if (n->error_count == 0 && n->action_required == ACTION_NONE && m->has_seen)
		return true;		/* only carries `seen` */
	act(c, i, n);
	if (n->error_count == 0 && n->action_required == ACTION_NONE)
		return true;
	if (!store_has_room(c->store, 2 * frame->len, core_reserve_bytes(c))) {
		store_nudge(c->store);
		fault_set(f, INT_STORE_001, "", "room in the store: the errors are not kept");
		return false;
	}
	for (size_t k = 0; k < n->error_count; k++)
		error_hear(c, i, &n->errors[k], n->action_required);
	if (n->error_count == 0 && n->action_required == ACTION_INVESTIGATE)
		hear_nothing(c, i, n->action_required);
	pass_on(c, i, n, frame);
	return true;
}
