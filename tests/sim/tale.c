/* tale.c - what modules tell of errors: of batches they hold, held, or never had; much, and nothing */
#include <stdio.h>
#include <string.h>

#include "sim.h"

/* What the spans of a tale point into. */
static struct words {
	char code[72], batch_id[UUID_TEXT_LEN + 1], correlation[160], record_id[300];
	struct uuid upstream[3];
} words[TALE_ERRORS_MAX];

/* --- about what ------------------------------------------------------------------------------- */

/* Of what it works on, of what it has worked on, of anybody's; NOBODY: of no batch. */
static int draw_about(struct world *w, const struct actor *a)
{
	unsigned past = a->past_count < PAST_MAX ? a->past_count : PAST_MAX;
	int parcel = NOBODY;

	switch (between(w, 0, 6)) {
	case 0:
	case 1:
	case 2:
		if (a->held_count > 0)
			parcel = a->held[between(w, 0, (uint64_t)a->held_count - 1)].parcel;
		break;
	case 3:
	case 4:
		if (past > 0)
			parcel = a->past[between(w, 0, past - 1)].parcel;
		break;
	case 5:
		if (w->parcel_count > 0)
			parcel = (int)between(w, 0, (uint64_t)w->parcel_count - 1);
		break;
	default:
		break;
	}
	return parcel;
}

static struct span draw_batch_id(struct world *w, int parcel, char out[UUID_TEXT_LEN + 1])
{
	struct uuid stranger;

	if (parcel == NOBODY && chance(w, 2)) {
		rng_bytes(&w->rng, stranger.b, sizeof stranger.b);
		uuid_format(&stranger, out);
	} else if (parcel == NOBODY && chance(w, 2)) {
		snprintf(out, UUID_TEXT_LEN + 1, "no batch at all");
	} else if (parcel == NOBODY || chance(w, 6)) {
		return (struct span){ NULL, 0 };
	} else {
		uuid_format(&w->parcels[parcel].batch_id, out);
	}
	return span_of(out);
}

static void draw_correlation(struct world *w, int parcel, char out[160])
{
	if (parcel != NOBODY && !chance(w, 8)) {
		message_correlation(w->parcels[parcel].correlation, out);
	} else if (w->parcel_count > 0 && chance(w, 2)) {
		parcel = (int)between(w, 0, (uint64_t)w->parcel_count - 1);
		message_correlation(w->parcels[parcel].correlation, out);
	} else if (chance(w, 2)) {
		snprintf(out, 160, "no day of any year");
	} else {
		snprintf(out, 160, "a very long one: %0140d", 7);
	}
}

/* --- an error --------------------------------------------------------------------------------- */

/* The broker's, a circuit's, a module's own: few of them, or as many as there are errors. */
static void draw_code(struct world *w, bool many, size_t n, char out[72])
{
	static const char *const codes[] = { "INT_ROUTE_002", "INT_STORE_002", "INT_GEO_001", "é",
		"INT_BATCH_004" };

	if (many)
		snprintf(out, 72, "SIM_%03zu", n);
	else if (chance(w, 3))
		snprintf(out, 72, "%s", codes[between(w, 0, 4)]);
	else if (chance(w, 12))
		snprintf(out, 72, "%s", "SIM_ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ");	/* is cut */
	else
		snprintf(out, 72, "SIM_%03u", (unsigned)between(w, 0, 9));
}

static void draw_record(struct world *w, const struct parcel *p, bool many, size_t n,
    char out[300])
{
	if (many)
		snprintf(out, 300, "%0248zu", n);
	else if (chance(w, 10))
		snprintf(out, 300, "%0280u", (unsigned)between(w, 0, 9));	/* is cut */
	else if (p)
		message_record_id(p->mark, (uint32_t)between(w, 0, RECORDS_MAX), out);
	else
		snprintf(out, 300, "somebody's");
}

static struct span draw_text(struct world *w)
{
	static char text[ERROR_RAW_MAX + 100];

	memset(text, 'm', sizeof text);
	if (chance(w, 20))		/* more than is kept */
		return (struct span){ text, sizeof text };
	return (struct span){ text, (size_t)between(w, 0, chance(w, 4) ? 400 : 20) };
}

static void draw_error(struct world *w, const struct actor *a, int parcel, size_t n,
    struct tale *t)
{
	struct module_error_out *e = &t->errors[n];
	struct words *k = &words[n];
	const struct parcel *p = parcel == NOBODY ? NULL : &w->parcels[parcel];
	bool many = t->is_burst;

	draw_code(w, many, n, k->code);
	draw_correlation(w, parcel, k->correlation);
	if (many)			/* all of them about one thing */
		memcpy(k->correlation, words[0].correlation, sizeof k->correlation);
	draw_record(w, p, many, n, k->record_id);
	rng_bytes(&w->rng, k->upstream[0].b, sizeof k->upstream);
	*e = (struct module_error_out){
		.correlation_id = span_of(k->correlation),
		.timestamp_us = (int64_t)w->now_ms * 1000,
		.source_module = span_of(w->plan.modules[a->module].name),
		.severity = chance(w, many ? 100 : 6) ? SEVERITY_CRITICAL
		    : (enum severity)between(w, SEVERITY_ERROR, SEVERITY_WARNING),
		.recoverability = (enum recoverability)between(w, 0, 2),
		.scope = many || chance(w, 2) ? SCOPE_RECORD : (enum scope)between(w, 0, 3),
		.code = span_of(k->code),
		.message = many ? span_of("") : draw_text(w),
		.batch_id = draw_batch_id(w, parcel, k->batch_id),
		.upstream = k->upstream,
		.upstream_count = chance(w, 3) ? (size_t)between(w, 1, 3) : 0,
	};
	if (many || e->scope == SCOPE_RECORD ? !chance(w, 8) : chance(w, 8))
		e->record_id = span_of(k->record_id);
	rng_bytes(&w->rng, e->error_id.b, sizeof e->error_id.b);
	if (n > 0 && chance(w, 5))	/* it is told twice */
		e->error_id = t->errors[n - 1].error_id;
}

/* Seldom HALT: then little else happens. */
static enum action_required draw_action(struct world *w)
{
	if (has_trouble(w, TROUBLE_HALT) && chance(w, 10))
		return ACTION_HALT;
	if (chance(w, 2))
		return ACTION_NONE;
	return chance(w, 2) ? ACTION_THROTTLE : ACTION_INVESTIGATE;
}

void tale_draw(struct world *w, const struct actor *a, struct tale *t)
{
	t->is_burst = chance(w, 50);
	t->action = t->is_burst ? ACTION_NONE : draw_action(w);
	t->parcel = draw_about(w, a);
	t->has_seen = chance(w, 6);
	t->count = t->is_burst ? (size_t)between(w, 60, TALE_ERRORS_MAX)
	    : chance(w, 8) ? 0 : (size_t)between(w, 1, chance(w, 4) ? 6 : 1);
	for (size_t n = 0; n < t->count; n++)
		draw_error(w, a, n > 0 && !t->is_burst && chance(w, 2) ? draw_about(w, a)
		                                                       : t->parcel, n, t);
}
