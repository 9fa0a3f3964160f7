/* successor.c - the model's rule for what any instance of a module may take (protocol.md section 3) */
#include "sim.h"

/* The first that came of those that are there: with `kept`, that stay and keep a mailbox. */
static int first_connected(const struct world *w, int module, bool kept)
{
	const struct connection *c;

	TAILQ_FOREACH(c, &w->connections, next) {
		const struct party *y = &w->model.parties[c->party];

		if (c->actor->module == module && y->connected &&
		    (!kept || (y->mailbox && !y->draining)))
			return c->party;
	}
	return NOBODY;
}

static int latest(const struct world *w, int module)
{
	int found = NOBODY;

	for (int n = 0; n < w->party_count; n++) {
		const struct party *y = &w->model.parties[n];
		const struct party *best = &w->model.parties[found < 0 ? n : found];

		if (y->known && y->module == module && !y->is_broker && y->mailbox &&
		    (found < 0 || y->last_used_ms > best->last_used_ms ||
		        (y->last_used_ms == best->last_used_ms && y->created < best->created)))
			found = n;
	}
	return found;
}

int successor_any_of(const struct world *w, int module)
{
	int party = first_connected(w, module, true);

	if (party == NOBODY)
		party = first_connected(w, module, false);
	return party == NOBODY ? latest(w, module) : party;
}

/* Its number is looked up there, where it has not gone with history. */
static void pass_on(struct world *w, struct notice *o, int to)
{
	notice_check(w, o);
	if (!o->there)
		return;
	trace(w, "  notice %llu of party %d becomes party %d's", (unsigned long long)o->number,
	    o->party, to);
	o->from = o->party;
	o->was = o->number;
	o->party = to;
	o->number = 0;
}

static bool is_for_any_of(const struct notice *o, int party)
{
	return o->there && o->for_any && o->party == party;
}

void successor_left(struct world *w, int party)
{
	int to = successor_any_of(w, w->model.parties[party].module);

	for (int n = 0; to != NOBODY && n < w->model.notice_top; n++)
		if (is_for_any_of(&w->model.notices[n], party))
			pass_on(w, &w->model.notices[n], to);
}

void successor_expect(struct world *w)
{
	for (int n = 0; n < w->model.notice_top; n++) {
		struct notice *o = &w->model.notices[n];
		const struct party *y = &w->model.parties[o->party];
		int to = y->connected ? NOBODY : first_connected(w, y->module, true);

		if (is_for_any_of(o, o->party) && to != NOBODY)
			pass_on(w, o, to);
	}
}

void successor_check(struct world *w, bool more)
{
	for (int n = 0; n < w->model.notice_top; n++) {
		struct notice *o = &w->model.notices[n];

		if (!o->there || o->from == NOBODY || !notice_is_there(w, o->from, o->was))
			continue;
		if (!more && !w->plan.troubles[TROUBLE_FULL_STORE])
			broke(w, "notice %llu stays with party %d, who is away, though party %d "
			    "is there", (unsigned long long)o->was, o->from, o->party);
		o->party = o->from;
		o->number = o->was;
		o->from = NOBODY;
	}
}
