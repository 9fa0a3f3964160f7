/* select.c - the batches that a person's command is about, a page at a time */
#include <string.h>

#include "base/uuid.h"
#include "core/reason.h"
#include "wire/decode.h"

static bool begins(struct span text, const char *with)
{
	size_t n = strlen(with);

	return text.n >= n && memcmp(text.p, with, n) == 0;
}

static bool is_code(const struct ended *e, const char *code)
{
	struct stored_error first;
	size_t at = 0;

	if (e->error_code != INT_NONE && e->error_code < ERROR_CODE_COUNT &&
	    begins(span_of(error_code_info((enum error_code)e->error_code)->name), code))
		return true;
	return stored_error_next(e->errors, e->errors_len, &at, &first) && first.code.p &&
	    begins(first.code, code);
}

static bool is_field(const struct ended *e, const char *field)
{
	struct stored_error first;
	size_t at = 0;

	return stored_error_next(e->errors, e->errors_len, &at, &first) && first.field_name.p &&
	    begins(first.field_name, field);
}

static bool is_instance(struct core *c, uint32_t number, const char *name)
{
	char full[INSTANCE_NAME_MAX];
	const char *id;

	core_instance_name(c, number, full, sizeof full);
	id = strchr(full, '/');
	return begins(span_of(full), name) || (id && begins(span_of(id + 1), name));
}

static bool is_of_age(const struct core *c, const struct selection *s, const struct batch *b)
{
	int64_t age_ms = (c->wall_us - b->received_at_us) / 1000;

	return (s->older_ms == 0 || age_ms >= (int64_t)s->older_ms) &&
	    (s->younger_ms == 0 || age_ms < (int64_t)s->younger_ms);
}

static bool is_selected(struct core *c, const struct selection *s, const struct batch_view *v)
{
	const struct batch *b = v->batch;

	if ((s->states && !(s->states & 1u << v->state)) || (s->held && !b->held) ||
	    (s->suspect && !b->suspect) || (s->derived && !b->derived) ||
	    (s->whole && b->derived) || !is_of_age(c, s, b))
		return false;
	if ((s->code && !(v->end && is_code(v->end, s->code))) ||
	    (s->field && !(v->end && is_field(v->end, s->field))))
		return false;
	if (s->correlation &&
	    !begins((struct span){ b->correlation, b->correlation_len }, s->correlation))
		return false;
	if (s->reason != REASON_NONE && v->reason != s->reason)
		return false;
	return (!s->instance || is_instance(c, b->source, s->instance)) &&
	    (!s->holder || is_instance(c, b->holder, s->holder));
}

/* --- the walk -------------------------------------------------------------------------------- */

#define QUEUED (1u << BATCH_READY | 1u << BATCH_ASSIGNED | 1u << BATCH_WAITING)

static bool wants(const struct selection *s, unsigned states)
{
	return s->states == 0 || (s->states & states);
}

static bool next_dead(struct core *c, struct route *r, struct selection_cursor *at, struct batch *b,
    struct ended *e, struct batch_view *v, bool *readable)
{
	int rc = store_dead_next(c->store, r->number, at->dead_after, b, e);

	if (rc == ERR_NOTFOUND)
		return false;
	at->dead_after = b->id;
	*readable = rc == 0;
	*v = (struct batch_view){ .route = r, .state = BATCH_DEAD, .batch = b, .end = e,
		.reason = REASON_DEAD };
	return true;
}

static bool next_queued(struct core *c, struct route *r, struct selection_cursor *at,
    struct batch *b, struct batch_view *v, bool *readable)
{
	int rc = store_queue_next(c->store, r->number, &at->at);

	if (rc == ERR_NOTFOUND)
		return false;
	*b = at->at;
	*readable = rc == 0;
	if (*readable)
		inspect_live(c, r, b, v);
	return true;
}

/* The next row, whatever it is; moves on to dead letters and routes. */
static bool next_row(struct core *c, const struct selection *s, struct selection_cursor *at,
    struct batch *b, struct ended *e, struct batch_view *v, bool *readable)
{
	while (at->route < c->settings.route_count) {
		struct route *r = &c->routes[at->route];

		if (s->route && s->route != r) {
			at->route++;
			continue;
		}
		if (!at->in_dead && wants(s, QUEUED) && next_queued(c, r, at, b, v, readable))
			return true;
		at->in_dead = true;
		if (wants(s, 1u << BATCH_DEAD) && next_dead(c, r, at, b, e, v, readable))
			return true;
		*at = (struct selection_cursor){ .route = at->route + 1 };
	}
	return false;
}

void core_select(struct core *c, const struct selection *s, struct selection_cursor *at,
    unsigned rows, bool (*visit)(void *arg, const struct batch_view *v), void *arg)
{
	struct batch_view v;
	struct batch b;
	struct ended e;
	bool readable;

	for (; rows > 0; rows--) {
		if (!next_row(c, s, at, &b, &e, &v, &readable)) {
			at->done = true;
			return;
		}
		if (readable && is_selected(c, s, &v) && !visit(arg, &v))
			return;
	}
}
