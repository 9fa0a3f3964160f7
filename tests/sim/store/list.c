/* list.c - everything that the store has, beside everything that the model has */
#include <string.h>

#include "run.h"
#include "store/check.h"

static void list_custody(struct run *r, uint32_t route)
{
	struct batch b = { .state = BATCH_NEW }, at;
	struct identity is;
	struct uuid id = { { 0 } };
	struct kept_identity *k;
	struct kept_letter *letter;
	struct ended e;
	int rc;

	do {
		at = b;
		rc = store_queue_next(r->store, route, &b);
		same_batch(r, "store_queue_next", rc, &b, model_queue_next(&r->model, route, &at));
	} while (rc == 0 || rc == ERR_CORRUPT);
	at = (struct batch){ 0 };
	do {
		letter = model_dead_next(&r->model, route, at.id);
		rc = store_dead_next(r->store, route, at.id, &at, &e);
		same_letter(r, "store_dead_next", rc, &at, &e, letter);
		same(r, "store_dead_next", !letter || at.id == letter->b.id);
	} while (letter);
	do {
		k = model_identity_next(&r->model, route, &id);
		rc = store_identity_next(r->store, route, &id, &is);
		same(r, "store_identity_next", k ? rc == 0 && uuid_equal(&id, &k->batch_id) &&
		    is_same_identity(&is, &k->where) : rc == ERR_NOTFOUND);
		for (size_t n = sizeof id.b; n-- > 0 && ++id.b[n] == 0;)
			;
	} while (k);
}

static void list_confirmations(struct run *r, uint32_t route)
{
	struct kept_confirmation *k;
	struct confirmation c = { 0 };

	do {
		k = model_confirm_next(&r->model, route, c.id);
		int rc = store_confirm_next(r->store, route, c.id, &c);
		same(r, "store_confirm_next", k ? rc == 0 && is_same_confirmation(&c, &k->c)
		    : rc == ERR_NOTFOUND);
	} while (k);
}

static void list_mailbox(struct run *r, uint32_t source)
{
	const struct kept_end *end;
	const struct kept_notice *k;
	struct notice_row row;
	uint64_t after = 0;
	struct ended e;

	do {
		end = model_ended_next(&r->model, source, after);
		same_end(r, "store_ended_next", store_ended_next(r->store, source, after, &e), &e,
		    end);
		after = end ? end->e.notice : 0;
	} while (end);
	do {
		k = model_notice_next(&r->model, source, after);
		int rc = store_notice_next(r->store, source, after, &row);
		same(r, "store_notice_next", k ? rc == 0 && row.number == k->number &&
		    row.for_any == k->for_any && bytes_same(bytes_of(row.body, row.n), k->body)
		                               : rc == ERR_NOTFOUND);
		after = k ? k->number : 0;
	} while (k);
}

static void list_journal(struct run *r, uint64_t id)
{
	const struct kept_line *k;
	struct journal_line line;
	uint32_t number = 0;

	do {
		k = model_journal_next(&r->model, id, number);
		int rc = store_journal_next(r->store, id, &number, &line);
		same(r, "store_journal_next", k ? rc == 0 && number == k->number &&
		    is_same_line(&line, &k->line) : rc == ERR_NOTFOUND);
	} while (k);
}

static void list_actions(struct run *r)
{
	const struct action *k;
	struct action a = { .number = UINT64_MAX };

	do {
		uint64_t before = a.number;
		const struct action *last = NULL;
		KEPT_EACH(k, &r->model, KEPT_ACTIONS)
			if (k->number < before && (!last || k->number > last->number))
				last = k;
		int rc = store_action_previous(r->store, before, &a);
		same(r, "store_action_previous", last ? rc == 0 && is_same_action(&a, last)
		    : rc == ERR_NOTFOUND);
		k = last;
	} while (k);
}

struct walk {
	struct run *run;
	size_t count;
};

static bool on_instance(void *arg, const struct instance_record *i)
{
	struct walk *w = arg;
	const struct instance_record *k;
	bool found = false;

	KEPT_EACH(k, &w->run->model, KEPT_INSTANCES)
		found |= is_same_instance(i, k);
	same(w->run, "store_instance_walk", found);
	w->count++;
	return true;
}

static bool on_route(void *arg, uint32_t number, const char *name, const struct route_counters *c)
{
	static const struct route_counters none;
	struct walk *w = arg;
	const struct route_counters *expected = &none;
	const struct kept_counters *counters;
	const struct kept_number *k;

	KEPT_EACH(counters, &w->run->model, KEPT_COUNTERS)
		if (counters->route == number)
			expected = &counters->c;
	KEPT_EACH(k, &w->run->model, KEPT_NUMBERS)
		w->count += k->kind == 'r' && k->number == number && strcmp(k->name, name) == 0;
	same(w->run, "store_route_walk", memcmp(c, expected, sizeof *c) == 0);
	return true;
}

static void list_names(struct run *r)
{
	struct walk instances = { r, 0 }, routes = { r, 0 };
	const struct kept_number *k;
	size_t named = 0;

	store_instance_walk(r->store, on_instance, &instances);
	same(r, "store_instance_walk", instances.count == model_count(&r->model, KEPT_INSTANCES));
	KEPT_EACH(k, &r->model, KEPT_NUMBERS)
		named += k->kind == 'r';
	store_route_walk(r->store, on_route, &routes);
	same(r, "store_route_walk", routes.count == named);
}

static bool on_alias(void *arg, const struct alias *a)
{
	struct walk *w = arg;
	const struct kept_alias *k;
	bool found = false;

	KEPT_EACH(k, &w->run->model, KEPT_ALIASES)
		found |= k->row != 0 && k->a.route == a->route &&
		    uuid_equal(&k->a.batch_id, &a->batch_id) &&
		    uuid_equal(&k->a.message_id, &a->message_id) &&
		    k->a.correlation_hash == a->correlation_hash &&
		    memcmp(k->a.correlation, a->correlation, sizeof a->correlation) == 0;
	same(w->run, "store_alias_scan", found);
	w->count++;
	return true;
}

static size_t scan(struct run *r, const struct alias_query *q)
{
	unsigned rows = (unsigned)between(r, 1, 20);
	struct walk w = { r, 0 };
	uint64_t after = 0;

	while (store_alias_scan(r->store, q, &after, rows, on_alias, &w))
		;
	return w.count;
}

static void list_aliases(struct run *r)
{
	const struct kept_alias *k;
	size_t committed = 0;

	KEPT_EACH(k, &r->model, KEPT_ALIASES)
		committed += k->row != 0;
	same(r, "store_alias_scan of all",
	    scan(r, &(struct alias_query){ .all = true }) == committed);
}

/* The store's own check stops at a record that is. */
static bool is_damaged(struct run *r)
{
	const struct kept_batch *b;
	const struct kept_letter *k;
	bool damaged = false;

	KEPT_EACH(b, &r->model, KEPT_BATCHES)
		damaged |= b->damaged;
	KEPT_EACH(k, &r->model, KEPT_LETTERS)
		damaged |= k->damaged;
	return damaged;
}

void list_all(struct run *r)
{
	struct store_tally t;
	char why[256];

	for (uint32_t n = 0; n < ROUTES; n++) {
		list_custody(r, FIRST_ROUTE + n);
		list_confirmations(r, FIRST_ROUTE + n);
	}
	for (uint32_t n = 0; n < SOURCES; n++)
		list_mailbox(r, FIRST_SOURCE + n);
	for (uint64_t id = 1; id <= r->model.now.last_id + 1; id++)
		list_journal(r, id);
	list_actions(r);
	list_names(r);
	list_aliases(r);
	if (is_damaged(r))
		return;
	if (store_check(r->store, &t, why, sizeof why) != 0)
		differ(r, "the store disagrees with itself: %s", why);
	same(r, "the tally of the store", t.queued == model_count(&r->model, KEPT_BATCHES) &&
	    t.dead == model_count(&r->model, KEPT_LETTERS) &&
	    t.payloads == model_count(&r->model, KEPT_PAYLOADS) &&
	    t.identities == model_count(&r->model, KEPT_IDENTITIES) &&
	    t.ended == model_count(&r->model, KEPT_ENDS) &&
	    t.notices == model_count(&r->model, KEPT_NOTICES) &&
	    t.lines == model_count(&r->model, KEPT_LINES) &&
	    t.confirmations == model_count(&r->model, KEPT_CONFIRMATIONS));
}
