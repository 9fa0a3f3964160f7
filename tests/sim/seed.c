/* seed.c - one seed: a while of troubles, then none, and everything must come to its end */
#include <stdio.h>
#include <string.h>

#include "sim.h"

uint64_t between(struct world *w, uint64_t least, uint64_t most)
{
	return least + rng_below(&w->rng, most - least + 1);
}

bool chance(struct world *w, unsigned one_in)
{
	return rng_below(&w->rng, one_in) == 0;
}

bool has_trouble(const struct world *w, enum trouble t)
{
	return w->plan.troubles[t] && !w->settling;
}

/* --- troubled times -------------------------------------------------------------------------- */

static const struct {
	bool (*act)(struct world *w);
	unsigned weight;
} actions[] = {
	{ source_send, 10 },
	{ source_repeat, 3 },
	{ source_break, 2 },
	{ target_answer, 14 },
	{ target_late, 4 },
	{ target_stale, 1 },
	{ target_stage, 4 },
	{ link_connect, 5 },
	{ link_leave, 3 },
	{ link_drain, 1 },
	{ link_surrender, 2 },
	{ link_seen, 3 },
	{ link_deafen, 1 },
	{ target_pause, 2 },
	{ health_speak, 3 },
	{ checkup_ask, 2 },
	{ checkup_set, 1 },
	{ target_confirm, 5 },
	{ module_tell, 5 },
	{ operator_act, 5 },
	{ operator_halt, 1 },
	{ operator_resume, 2 },
	{ operator_export, 1 },
	{ operator_import, 1 },
	{ operator_kick, 1 },
	{ operator_settle, 1 },
	{ operator_acknowledge, 1 },
	{ breaker_force, 1 },
	{ find_select, 1 },
	{ find_search, 2 },
	{ find_view, 2 },
};
#define ACTION_COUNT (sizeof actions / sizeof actions[0])

/* A store fills when sources send much; then it is half drained, and filled again. */
static bool flood(struct world *w)
{
	bool first = !w->was_full && w->parcel_count < PARCELS_MAX * 4 / 5;

	if (!has_trouble(w, TROUBLE_FULL_STORE) || chance(w, first ? 20 : 2))
		return false;
	if (chance(w, 12))
		return checkup_ask(w);
	return source_flood(w);
}

static void act(struct world *w)
{
	unsigned total = 0, n = 0;

	if (flood(w))
		return;
	for (size_t k = 0; k < ACTION_COUNT; k++)
		total += actions[k].weight;
	uint64_t drawn = between(w, 0, total - 1);
	while (drawn >= actions[n].weight)
		drawn -= actions[n++].weight;
	actions[n].act(w);
}

/* A stall of the process is not held against peers. */
static void advance(struct world *w, uint64_t ms)
{
	bool stall = has_trouble(w, TROUBLE_STALL) && chance(w, 6);

	w->now_ms += ms + (stall ? between(w, 0, 5000) : 0);
	w->peer_ms += ms;
}

static void pass_time(struct world *w)
{
	uint64_t due_ms = core_next_due_ms(w->core);

	if (!has_trouble(w, TROUBLE_IDLE) || !chance(w, 10))
		advance(w, between(w, 0, 60));
	else if (due_ms != UINT64_MAX && due_ms > w->now_ms && chance(w, 2))
		advance(w, due_ms - w->now_ms);
	else
		advance(w, between(w, 0, 20000));
}

static void run_step(struct world *w)
{
	act(w);
	if (has_trouble(w, TROUBLE_CRASH) && chance(w, 150))
		broker_crash(w, "between two events");
	if (has_trouble(w, TROUBLE_STOP) && chance(w, 150))
		broker_restart(w);
	if (!store_turn_has_used(w->store, STORE_INTAKE_PERCENT) && chance(w, 2))
		return;
	broker_turn(w);
	if (!w->in_turn)
		pass_time(w);
}

/* --- and then none --------------------------------------------------------------------------- */

static int count_in_custody(const struct world *w)
{
	int n = 0;

	for (int p = 0; p < w->parcel_count; p++)
		n += is_in_custody(&w->model.fates[p]);
	return n;
}

static void reconnect(struct world *w)
{
	for (int n = 0; n < w->actor_count; n++)
		if (!w->actors[n].connection)
			link_join(w, &w->actors[n]);
	broker_turn(w);
}

static void process_all(struct world *w)
{
	for (int n = 0; n < w->actor_count; n++) {
		struct actor *a = &w->actors[n];

		target_settle(w, a);
		if (!a->connection)
			continue;
		party_seen(w, a->party, a->seen);
		core_seen(w->core, a->connection->instance, a->seen);
	}
	broker_turn(w);
}

#define ROUNDS_MAX 3000

/* Every batch ends or is a dead letter, however long it takes: but it does not take for ever. */
static void settle(struct world *w)
{
	unsigned rounds = 0;

	w->settling = true;
	broker_turn(w);
	while (!TAILQ_EMPTY(&w->connections))
		link_cut(w, TAILQ_FIRST(&w->connections), LEAVE_LOST);
	for (int n = 0; n < w->actor_count; n++)
		while (w->actors[n].held_count > 0)
			actor_let_go(&w->actors[n], 0);
	while (operator_mend(w) || count_in_custody(w) > 0) {
		uint64_t due_ms;

		if (rounds++ == ROUNDS_MAX)
			broke(w, "%d batches are stuck", count_in_custody(w));
		reconnect(w);
		process_all(w);
		due_ms = core_next_due_ms(w->core);
		advance(w, 100);
		if (rounds % 8 == 0 && due_ms != UINT64_MAX && due_ms > w->now_ms)
			advance(w, due_ms - w->now_ms);
	}
	process_all(w);
}

/* A stage that was cut off and replaced has not added its output a second time. */
static void check_stages(struct world *w, int parcel)
{
	const struct parcel *p = &w->parcels[parcel];

	for (int n = 0; w->model.fates[parcel].life > 0 && n < p->complete_count; n++)
		for (int other = 0; other < parcel; other++) {
			const struct parcel *o = &w->parcels[other];

			if (w->model.fates[other].life == 0)
				continue;
			for (int k = 0; k < o->complete_count; k++)
				if (o->completes[k].lease == p->completes[n].lease)
					broke(w, "batches %d and %d were both made from batch %d",
					    other, parcel, p->completes[n].parcel);
		}
}

static uint64_t dead_bytes(const struct world *w)
{
	uint64_t bytes = 0;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->known && f->state == BATCH_DEAD)
			bytes += f->frame_len;
	}
	return bytes;
}

/* However full the store has been, it takes batches again once it is drained. */
static void check_intake(struct world *w)
{
	struct verdict v = { .status = ACK_REJECTED };
	struct actor *a = NULL;
	int parcel;

	for (int n = 0; n < w->actor_count; n++)
		if (w->actors[n].connection &&
		    w->actors[n].module == module_of(w, w->plan.routes[0].source))
			a = &w->actors[n];
	if (!a || dead_bytes(w) > STORE_BYTES / 4 || w->plan.troubles[TROUBLE_HISTORY])
		return;
	parcel = parcel_make(w, 0, a);
	w->parcels[parcel].padding = 100;
	for (int n = 0; n < 8 && v.status != ACK_RECEIVED; n++) {
		source_offer(w, a->connection, parcel, FLAW_NONE, &v);
		broker_turn(w);
	}
	if (v.status != ACK_RECEIVED)
		broke(w, "the store is drained and refuses a small batch, error %d", v.code);
	settle(w);
}

/* --- a seed ---------------------------------------------------------------------------------- */

static void make_actors(struct world *w)
{
	w->party_count = MODULES_MAX;	/* the first are the broker's own */
	for (int p = 0; p < PARCELS_MAX; p++)
		w->model.owner[p] = NOBODY;
	for (int m = 0; m < MODULES_MAX; m++)
		for (int n = 0; n < w->plan.actors_of[m]; n++) {
			struct actor *a = &w->actors[w->actor_count++];

			a->module = m;
			a->party = w->party_count++;
		}
}

static void trace_plan(const struct world *w)
{
	for (int t = 0; t < TROUBLE_COUNT; t++)
		if (w->plan.troubles[t])
			trace(w, "trouble %d", t);
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		trace(w, "route %s: capacity %llu batches, %u retries", w->plan.routes[r].name,
		    (unsigned long long)w->plan.routes[r].queue_capacity,
		    w->plan.routes[r].max_retries);
}

/* Everything has ended, and stands so in the store. */
static void come_to_rest(struct world *w)
{
	settle(w);
	check_intake(w);
	check_store(w);
	for (int p = 0; p < w->parcel_count; p++)
		check_stages(w, p);
	store_read_end(w->store);
	broker_stop(w);
	broker_start(w);
	broker_stop(w);
}

void seed_run(struct world *w, uint64_t seed, const char *dir, bool with_trace)
{
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->trace = with_trace;
	w->offering = w->dismissing = NOBODY;
	TAILQ_INIT(&w->connections);
	snprintf(w->path, sizeof w->path, "%s", dir);
	rng_seed(&w->rng, seed);
	plan_make(&w->plan, &w->rng);
	trace_plan(w);
	make_actors(w);
	w->committed = w->model;
	w->decoder = decoder_create(DECODE_AT_BROKER);
	w->reader = decoder_create(DECODE_AT_CLIENT);
	w->now_ms = SEED_BEGINS_MS;
	connection_world(w);
	broker_prepare(dir, chance(w, 2));
	broker_start(w);
	for (int n = 0; n < w->actor_count; n++)
		if (!chance(w, 4))
			link_join(w, &w->actors[n]);
	unsigned steps = has_trouble(w, TROUBLE_FULL_STORE) ? 2 * STEPS : STEPS;
	for (w->step = 1; w->step <= steps; w->step++)
		run_step(w);
	if (has_trouble(w, TROUBLE_ROT))
		rot_run(w);
	else
		come_to_rest(w);
	operator_forget_exports(w);
	decoder_destroy(w->decoder);
	decoder_destroy(w->reader);
}
