/*
 * target.c - a batch by its batch_id, or the beginning of one
 *
 * The identities of a route are in the order of batch_ids: two looks tell whether there is one, and
 * whether there are more. A letter that was kept beside the end of its batch has no identity of its
 * own: while history knows the end it is found through it, later only among the letters.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin/selection.h"

#define LETTERS_PER_STEP 1000

static bool is_same(const struct target *a, const struct target *b)
{
	return a->route == b->route && a->id == b->id;
}

static void add(struct target_search *t, const struct target *found)
{
	if (t->found > 0 && is_same(&t->first, found))
		return;
	if (t->found == 0)
		t->first = *found;
	else if (t->found == 1)
		t->second = *found;
	t->found++;
}

/* An end that is remembered: what was asked for may be the letter beside it. */
static void resolve_end(struct core *core, const struct target_search *t,
    const struct identity *where, uint32_t number, struct target *out)
{
	struct ended e, told;
	struct batch b;

	out->state = BATCH_ENDED;
	if (store_ended_get(core_store(core), where->source, where->notice, &e) != 0)
		return;
	out->id = e.id;
	if (e.partial && t->state == BATCH_DEAD &&
	    store_dead_get(core_store(core), number, e.id, &b, &told) == 0)
		out->state = BATCH_DEAD;
}

static void look_at_route(struct core *core, struct target_search *t, const char *text,
    const struct route *route)
{
	const uint32_t number = core_route_number(route);
	struct target found = { .route = route };
	struct identity where;
	struct uuid at;

	if (!uuid_least(text, &at))
		return;
	while (t->found < 2 &&
	       store_identity_next(core_store(core), number, &at, &where) == 0 &&
	       uuid_begins(&at, text)) {
		found.batch_id = at;
		found.id = where.id;
		found.state = where.kind == IDENTITY_DEAD ? BATCH_DEAD : BATCH_READY;
		if (where.kind == IDENTITY_ENDED)
			resolve_end(core, t, &where, number, &found);
		add(t, &found);
		uuid_rise(&at);
	}
}

struct letter_visit {
	struct target_search *search;
	const char *text;
};

static bool on_letter(void *arg, const struct batch_view *v)
{
	struct letter_visit *l = arg;

	if (uuid_begins(&v->batch->batch_id, l->text))
		add(l->search, &(struct target){ v->route, v->batch->batch_id, BATCH_DEAD,
		    v->batch->id });
	return l->search->found < 2;
}

static bool is_answered(const struct target_search *t)
{
	return t->found > 1 || (t->found == 1 && t->first.state != BATCH_ENDED);
}

bool target_search_step(struct core *core, struct target_search *t, const char *text)
{
	struct selection letters = { .route = t->only, .states = 1u << BATCH_DEAD };
	struct letter_visit visit = { t, text };
	struct uuid ignored;

	if (!t->in_letters && t->route < core_route_count(core)) {
		const struct route *r = core_route(core, t->route++);

		if (t->only == NULL || t->only == r)
			look_at_route(core, t, text, r);
		return t->found < 2;
	}
	if (t->state != BATCH_DEAD || is_answered(t) || !uuid_least(text, &ignored))
		return false;
	if (!t->in_letters) {
		t->has_ended = t->found > 0;
		t->found = 0;		/* an end alone is not what is asked for */
	}
	t->in_letters = true;
	core_select(core, &letters, &t->cursor, LETTERS_PER_STEP, on_letter, &visit);
	return !t->cursor.done && t->found < 2;
}

static void say_ambiguous(const struct target_search *t, const char *text, char *why, size_t size)
{
	char first[UUID_TEXT_LEN + 1], second[UUID_TEXT_LEN + 1];

	uuid_format(&t->first.batch_id, first);
	uuid_format(&t->second.batch_id, second);
	if (uuid_equal(&t->first.batch_id, &t->second.batch_id))
		snprintf(why, size, "%s is there twice, on route %s and on route %s: say --route",
			 first, route_settings(t->first.route)->name,
			 route_settings(t->second.route)->name);
	else
		snprintf(why, size, "\"%.36s\" is the beginning of %s, of %s, and maybe of more: "
			 "give more of it", text, first, second);
}

bool target_search_end(const struct target_search *t, const char *text, struct target *out,
    char *why, size_t size)
{
	struct uuid ignored;

	if (!uuid_least(text, &ignored))
		snprintf(why, size, "\"%.36s\" is no batch_id and not the beginning of one", text);
	else if (t->found == 0 && t->has_ended)
		snprintf(why, size, "batch %.36s is no dead letter: it has ended", text);
	else if (t->found == 0 && t->state == BATCH_DEAD)
		snprintf(why, size, "there is no dead letter whose batch_id begins with %.36s",
			 text);
	else if (t->found == 0)
		snprintf(why, size, "there is no batch whose batch_id begins with %.36s", text);
	else if (t->found > 1)
		say_ambiguous(t, text, why, size);
	else if (t->state == BATCH_DEAD && t->first.state != BATCH_DEAD)
		snprintf(why, size, "batch %.36s is no dead letter", text);
	else if (t->state == BATCH_READY && t->first.state != BATCH_READY)
		snprintf(why, size, "batch %.36s is not in custody: it has ended, or is a dead "
			 "letter", text);
	else {
		*out = t->first;
		return true;
	}
	return false;
}
