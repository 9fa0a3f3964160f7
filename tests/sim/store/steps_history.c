/* steps_history.c - operations on history, on names and numbers, and the turn's ends */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "run.h"

#define NOTICES_MAX 30
#define LINES_MAX 300
#define CONFIRMATIONS_MAX 40
#define ACTIONS_KEPT_MAX 40

/* --- ends ------------------------------------------------------------------------------------ */

/* As it stands in the store; its errors are borrowed from there. */
static bool draw_end_row(struct run *r, struct ended *e)
{
	const struct kept_end *k = pick(r, KEPT_ENDS);

	if (!k)
		return false;
	if (store_ended_get(r->store, k->e.source, k->e.notice, e) != 0)
		differ(r, "an end is not where the model has it");
	return true;
}

bool step_ended_move(struct run *r)
{
	uint32_t source = draw_source(r);
	struct ended e, was;

	if (!draw_end_row(r, &e))
		return false;
	was = e;
	was.errors = NULL;	/* in a page that the store is about to change */
	was.errors_len = 0;
	uint64_t notice = take_notice(r);
	trace(r, "end %llu becomes %llu of %u", (unsigned long long)e.notice,
	    (unsigned long long)notice, source);
	store_ended_move(r->store, &e, source, notice);
	model_ended_move(&r->model, &was, source, notice);
	return true;
}

bool step_ended_del(struct run *r)
{
	struct ended e, was;

	if (!draw_end_row(r, &e))
		return false;
	was = e;
	trace(r, "end %llu of batch %llu is forgotten", (unsigned long long)e.notice,
	    (unsigned long long)e.id);
	store_ended_del(r->store, &e);
	model_ended_del(&r->model, &was);
	return true;
}

static void note_number(struct run *r, uint64_t number)
{
	if (number <= r->model.now.last_notice)
		differ(r, "the notice %llu does not rise", (unsigned long long)number);
	r->model.now.last_notice = number;
}

bool step_notice_add(struct run *r)
{
	bool for_any = chance(r, 2);
	static uint8_t body[3000];
	uint32_t source = draw_source(r);
	size_t n = between(r, 1, sizeof body);

	if (model_count(&r->model, KEPT_NOTICES) >= NOTICES_MAX)
		return false;
	rng_bytes(&r->rng, body, n < 20 ? n : 20);
	uint64_t number = store_notice_add(r->store, source, for_any, body, n);
	note_number(r, number);
	trace(r, "notice %llu for %u", (unsigned long long)number, source);
	model_notice_add(&r->model, source, number, for_any, bytes_of(body, n));
	return true;
}

bool step_notice_move(struct run *r)
{
	uint32_t from = draw_source(r), to = draw_source(r);
	struct kept_notice *k =
	    model_notice_next(&r->model, from, between(r, 0, r->model.now.last_notice));
	struct notice_row row;

	if (!k || from == to || store_notice_next(r->store, from, k->number - 1, &row) != 0)
		return false;
	k->instance = to;
	k->number = store_notice_move(r->store, from, &row, to);
	note_number(r, k->number);
	trace(r, "notice %llu of %u is %llu of %u now", (unsigned long long)row.number, from,
	    (unsigned long long)k->number, to);
	return true;
}

bool step_notice_trim(struct run *r)
{
	uint32_t source = draw_source(r);
	uint64_t until = between(r, 0, r->model.now.last_notice + 1);
	unsigned most = (unsigned)between(r, 0, 5);

	trace(r, "notices of %u go up to %llu", source, (unsigned long long)until);
	if (store_notice_trim(r->store, source, until, most) !=
	    model_notice_trim(&r->model, source, until, most))
		differ(r, "another number of notices is forgotten");
	return true;
}

/* --- journals, actions, settings ------------------------------------------------------------- */

void add_line(struct run *r, uint64_t id)
{
	struct journal_line line = { .at_us = (int64_t)r->now_ms,
		.event = (enum journal_event)between(r, 1, JOURNAL_EVENT_COUNT - 1),
		.instance = draw_source(r), .attempt = (uint32_t)between(r, 0, 9),
		.lease = between(r, 0, 99), .delay_ms = between(r, 0, 9999),
		.code = (uint16_t)between(r, 0, 30), .text_len = (uint16_t)between(r, 0, 60) };

	memset(line.text, 'j', line.text_len);
	store_journal_add(r->store, id, &line);
	model_journal_add(&r->model, id, &line);
}

/* To a batch whose record says that it has a journal, or to a letter: at times very many. */
bool step_journal_add(struct run *r)
{
	const struct kept_batch *b = pick(r, KEPT_BATCHES);
	const struct kept_letter *letter = pick(r, KEPT_LETTERS);
	unsigned lines = chance(r, 60) ? JOURNAL_LINES_MAX + 5 : 1;
	uint64_t id = b && b->b.journalled && !b->damaged ? b->b.id : letter ? letter->b.id : 0;

	if (id == 0 || model_count(&r->model, KEPT_LINES) + lines > LINES_MAX)
		return false;
	trace(r, "%u lines for %llu", lines, (unsigned long long)id);
	while (lines-- > 0)
		add_line(r, id);
	return true;
}

bool step_action_add(struct run *r)
{
	const struct kept_batch *b = pick(r, KEPT_BATCHES);
	struct action a = { .at_us = (int64_t)r->now_ms, .event = JOURNAL_HELD,
		.route = draw_route(r), .has_batch = b != NULL };

	if (model_count(&r->model, KEPT_ACTIONS) >= ACTIONS_KEPT_MAX)
		return false;
	if (b)
		a.batch_id = b->b.batch_id;
	snprintf(a.who, sizeof a.who, "somebody %u", r->step);
	store_action_add(r->store, &a);
	a.number = ++r->model.now.last_action;
	model_add(&r->model, KEPT_ACTIONS, &a);
	return true;
}

bool step_control_put(struct run *r)
{
	struct kept_control k = { .route = draw_route(r), .c = { .paused = chance(r, 2),
		.at_us = (int64_t)r->now_ms } }, *other;

	snprintf(k.c.who, sizeof k.c.who, "somebody %u", r->step);
	store_control_put(r->store, k.route, &k.c);
	KEPT_EACH(other, &r->model, KEPT_CONTROLS)
		if (other->route == k.route) {
			*other = k;
			return true;
		}
	model_add(&r->model, KEPT_CONTROLS, &k);
	return true;
}

/* --- confirmations --------------------------------------------------------------------------- */

/* What came early of a batch in custody; or the next state of one that there is. */
bool step_confirm_put(struct run *r)
{
	const struct kept_confirmation *k = pick(r, KEPT_CONFIRMATIONS);
	const struct kept_batch *b = pick(r, KEPT_BATCHES);
	struct confirmation was, c;

	if (k && (!b || chance(r, 2))) {
		was = c = k->c;
		c.delivered = between(r, 0, 3);
		c.due_ms += between(r, 0, 1);
		if (c.state != CONFIRM_EARLY)
			c.state = (enum confirm_state)between(r, CONFIRM_AWAITED, CONFIRM_COMPLETE);
		store_confirm_put(r->store, &was, &c);
		model_confirm_put(&r->model, &c);
		return true;
	}
	if (!b || b->damaged || model_confirm(&r->model, b->b.route, b->b.id) ||
	    model_count(&r->model, KEPT_CONFIRMATIONS) >= CONFIRMATIONS_MAX)
		return false;
	c = (struct confirmation){ .state = CONFIRM_EARLY, .route = b->b.route, .id = b->b.id,
		.source = b->b.source, .record_count = 3, .batch_id = b->b.batch_id };
	store_confirm_put(r->store, NULL, &c);
	model_confirm_put(&r->model, &c);
	return true;
}

bool step_confirm_del(struct run *r)
{
	const struct kept_confirmation *k = pick(r, KEPT_CONFIRMATIONS);
	struct confirmation c;

	if (!k)
		return false;
	c = k->c;
	trace(r, "the confirmation of batch %llu is forgotten", (unsigned long long)c.id);
	store_confirm_del(r->store, &c);
	model_confirm_del(&r->model, c.route, c.id);
	return true;
}

bool step_confirm_record(struct run *r)
{
	const struct kept_confirmation *k = pick(r, KEPT_CONFIRMATIONS);
	uint64_t hash = between(r, 1, 4);
	uint8_t status = (uint8_t)between(r, 0, 2);

	if (!k)
		return false;
	store_confirm_record_put(r->store, k->c.id, hash, status);
	model_confirm_record_put(&r->model, k->c.id, hash, status);
	return true;
}

/* The first that is due is ambiguous from now on. */
bool step_confirm_due(struct run *r)
{
	uint64_t next_ms, expected_ms;
	const struct kept_confirmation *k =
		model_confirm_due_first(&r->model, r->now_ms, &expected_ms);
	struct confirmation c, was;
	int rc = store_confirm_due_first(r->store, r->now_ms, &c, &next_ms);

	if (rc != (k ? 0 : ERR_NOTFOUND) || next_ms != expected_ms ||
	    (k && (c.id != k->c.id || c.due_ms != k->c.due_ms || c.route != k->c.route)))
		differ(r, "another confirmation is due than the model has");
	if (!k)
		return true;
	was = c;
	c.state = CONFIRM_AMBIGUOUS;
	store_confirm_put(r->store, &was, &c);
	model_confirm_put(&r->model, &c);
	return true;
}

/* --- aliases, numbers ------------------------------------------------------------------------ */

bool step_alias_trim(struct run *r)
{
	uint64_t id = between(r, 0, r->model.now.last_id + 1);
	unsigned rows = (unsigned)between(r, 0, 6);

	trace(r, "aliases go up to %llu", (unsigned long long)id);
	store_alias_trim(r->store, id, rows);
	model_alias_trim(&r->model, id, rows);
	return true;
}

static struct kept_number *number_of(struct run *r, char kind, const char *name, uint32_t route,
    uint32_t instance)
{
	struct kept_number *k;

	KEPT_EACH(k, &r->model, KEPT_NUMBERS)
		if (k->kind == kind && strcmp(k->name, name) == 0 && k->route == route &&
		    k->instance == instance)
			return k;
	return NULL;
}

bool step_sequence(struct run *r)
{
	struct kept_number new = { .kind = 's', .route = draw_route(r),
		.instance = draw_source(r), .number = between(r, 1, 1000) };
	struct kept_number *k = number_of(r, 's', "", new.route, new.instance);

	if (chance(r, 4)) {
		store_sequence_del(r->store, new.route, new.instance);
		if (k)
			model_remove(&r->model, KEPT_NUMBERS, k);
		return true;
	}
	store_sequence_put(r->store, new.route, new.instance, new.number);
	if (k)
		k->number = new.number;
	else
		model_add(&r->model, KEPT_NUMBERS, &new);
	return true;
}

static bool is_taken(struct run *r, uint64_t number)
{
	const struct instance_record *i;
	const struct kept_number *k;

	KEPT_EACH(i, &r->model, KEPT_INSTANCES)
		if (i->number == number)
			return true;
	KEPT_EACH(k, &r->model, KEPT_NUMBERS)
		if (k->kind != 's' && k->number == number)
			return true;
	return number == 0;
}

bool step_instance(struct run *r)
{
	struct instance_record *k = pick(r, KEPT_INSTANCES), i;

	if (k && chance(r, 4)) {
		store_instance_del(r->store, k->number);
		model_remove(&r->model, KEPT_INSTANCES, k);
		return true;
	}
	if (k && (chance(r, 2) || model_count(&r->model, KEPT_INSTANCES) >= 10)) {
		k->seen += between(r, 0, 9);
		k->live = between(r, 0, 9);
		k->mailbox = chance(r, 2);
		i = *k;
		store_instance_put(r->store, &i);
		return true;
	}
	i = (struct instance_record){ .number = store_instance_create(r->store), .module = 1,
		.last_used_ms = r->now_ms, .id_len = (uint8_t)between(r, 0, 10) };
	if (is_taken(r, i.number))
		differ(r, "instance %u is given out a second time", i.number);
	memset(i.id, 'i', i.id_len);
	store_instance_put(r->store, &i);
	model_add(&r->model, KEPT_INSTANCES, &i);
	return true;
}

bool step_name(struct run *r)
{
	struct kept_number new = { .kind = chance(r, 2) ? 'r' : 'm' }, *k;

	snprintf(new.name, sizeof new.name, "name-%u", (unsigned)between(r, 1, 5));
	new.number = new.kind == 'r' ? store_route_number(r->store, new.name)
	                             : store_module_number(r->store, new.name);
	k = number_of(r, new.kind, new.name, 0, 0);
	if (k ? k->number != new.number : is_taken(r, new.number))
		differ(r, "%s has number %llu", new.name, (unsigned long long)new.number);
	if (!k)
		model_add(&r->model, KEPT_NUMBERS, &new);
	return true;
}

/* Such that the two equations hold: of a route that has no batches. */
bool step_counters(struct run *r)
{
	const struct kept_number *name = pick(r, KEPT_NUMBERS);
	struct kept_counters new, *k;
	struct route_counters c;

	if (!name || name->kind != 'r')
		return false;
	new = (struct kept_counters){ .route = (uint32_t)name->number };
	new.c.received_total = new.c.processed_total = between(r, 0, 1000);
	new.c.retries_total = between(r, 0, 1000);
	store_counters_put(r->store, new.route, &new.c);
	store_counters_get(r->store, new.route, &c);
	if (memcmp(&c, &new.c, sizeof c) != 0)
		differ(r, "counters come back otherwise");
	KEPT_EACH(k, &r->model, KEPT_COUNTERS)
		if (k->route == new.route) {
			*k = new;
			return true;
		}
	model_add(&r->model, KEPT_COUNTERS, &new);
	return true;
}

bool step_boot(struct run *r)
{
	struct store_boot b = { .offset_ms = (int64_t)between(r, 0, 1000) - 500 };

	rng_bytes(&r->rng, b.boot_id.b, sizeof b.boot_id.b);
	store_set_boot(r->store, &b);
	r->model.now.boot = b;
	return true;
}

/* --- the turn -------------------------------------------------------------------------------- */

/* It ends the process; the next finds the turn, or does not. */
static void fail_commit(struct run *r, enum disk_fault fault)
{
	trace(r, "the disk refuses it (%d)", fault);
	if (!store_has_failed(r->store) || store_commit(r->store) != ERR_IO ||
	    store_checkpoint(r->store) != ERR_IO)
		differ(r, "a commit that the disk refuses is no failure");
	if (disk_has_kept(fault))
		model_commit(&r->model);
	step_crash(r);
	list_all(r);
}

static void checkpoint(struct run *r)
{
	trace(r, "checkpoint");
	if (store_checkpoint(r->store) != 0)
		differ(r, "the checkpoint fails");
}

/* The clock goes with a turn that has changed something; a nudge has, and is a checkpoint. */
void step_commit(struct run *r)
{
	enum disk_fault fault = chance(r, 40)
	    ? (enum disk_fault)between(r, DISK_SYNC, DISK_FAULT_COUNT - 1) : DISK_SOUND;

	trace(r, "commit");
	store_read_end(r->store);
	if (!store_is_in_turn(r->store) || chance(r, 10))
		store_nudge(r->store);
	store_set_clock_ms(r->store, r->now_ms);
	r->model.now.clock_ms = r->now_ms;
	disk_arm(fault);
	int rc = store_commit(r->store);
	bool failed = disk_disarm();
	if (rc != (failed ? ERR_IO : 0))
		differ(r, "the commit ends with error %d", rc);
	if (failed) {
		fail_commit(r, fault);
		return;
	}
	if (chance(r, 30))
		checkpoint(r);
	store_read_end(r->store);
	if (store_is_in_turn(r->store))
		differ(r, "a transaction is open after the commit");
	model_commit(&r->model);
}

void step_crash(struct run *r)
{
	trace(r, "crash");
	store_close(r->store);
	model_crash(&r->model);
	run_open(r);
}
