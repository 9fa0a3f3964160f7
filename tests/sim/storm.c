/* storm.c - very many batches: everything at once, and a target that fails for an hour */
#include <stdio.h>
#include <string.h>

#include "sim.h"

/*
 * reliability.md B12, B25. All that a route holds is late in one moment, is due in one moment, is
 * taken back by a restart, is awaited in vain, and is forgotten, each time all of it. What must
 * hold: a turn carries a bounded number of changes and asks for another; an instance never holds
 * more than its credit, however much is due; a CRITICAL batch that comes meanwhile is delivered
 * with the next credit that is free; and each batch is processed once.
 *
 * Then, in a store of its own, an outage: for an hour the target rejects or ignores all that it
 * gets, while as many batches come. None may die of it, and all are processed when it is over.
 */
#define OUTAGE_SECONDS 3600
#define OUTAGE_THRESHOLD 5
#define BATCHES 10000
#define TARGETS 3
#define WIDE 4096			/* credit at first, */
#define NARROW 64			/* and once the storm has begun */
#define CHANGES_MAX (1024 + 1024 + 4096)	/* late, due, delivered: the core's limits */
#define TURNS_MAX 1000

struct held {
	uint64_t id, lease;
	struct uuid batch_id;
};

struct target {
	struct instance *instance;
	struct held held[WIDE + 1];
	unsigned count, credit;
};

static struct storm {
	struct world *w;
	struct core *core;
	struct target targets[TARGETS];
	struct instance *source;
	struct uuid ids[BATCHES + 16];	/* by the store's id */
	bool processed[BATCHES + 16];
	unsigned sent, done, warned, most_changes, turns;
	uint64_t watched;		/* id of the batch that is waited for */
	bool seen;
} storm;

/* --- peers ------------------------------------------------------------------------------------ */

static void on_deliver(struct peer *peer, const struct delivery *d)
{
	struct target *t = (struct target *)(void *)peer;

	if (t->count == t->credit)
		broke(storm.w, "an instance with credit %u is given one more", t->credit);
	if (storm.processed[d->id])
		broke(storm.w, "batch %llu is delivered after its PROCESSED",
		    (unsigned long long)d->id);
	storm.seen |= d->id == storm.watched;
	t->held[t->count++] = (struct held){ d->id, d->lease, storm.ids[d->id] };
}

static void on_warn(struct peer *peer, const struct batch_warning *warning)
{
	(void)peer;
	(void)warning;
	storm.warned++;
}

static const struct peer_ops *storm_ops(void)
{
	static struct peer_ops ops;

	ops = listener_ops;
	ops.deliver = on_deliver;
	ops.warn = on_warn;
	return &ops;
}

/* --- turns ------------------------------------------------------------------------------------ */

/* True when the core asks for another. */
static bool turn(struct world *w)
{
	bool more = core_turn_close(storm.core);
	unsigned changes = core_turn_changes(storm.core);

	if (changes > CHANGES_MAX)
		broke(w, "a turn carries %u changes", changes);
	if (changes > storm.most_changes)
		storm.most_changes = changes;
	core_check(storm.core);
	if (store_commit(w->store) != 0)
		broke(w, "the commit fails");
	store_read_end(w->store);
	storm.turns++;
	core_set_time(storm.core, w->now_ms, w->peer_ms, (int64_t)w->now_ms * 1000);
	return more;
}

/* Until the core has nothing to do. Returns how many turns that took. */
static unsigned turns(struct world *w)
{
	unsigned n = 1;

	for (; turn(w); n++)
		if (n == TURNS_MAX)
			broke(w, "each turn asks for another, for ever");
	return n;
}

static void pass(struct world *w, uint64_t ms)
{
	w->now_ms += ms;
	w->peer_ms += ms;
	core_set_time(storm.core, w->now_ms, w->peer_ms, (int64_t)w->now_ms * 1000);
}

static struct instance *join(const char *module, int n, unsigned credit, struct target *t)
{
	static char nobody;
	char id[32];
	struct hello h = { .module = module, .max_in_flight = credit, .mailbox = true };

	snprintf(id, sizeof id, "instance-%d", n);
	h.instance_id = span_of(id);
	return core_join(storm.core, &h, (struct peer *)(t ? (void *)t : (void *)&nobody));
}

static void join_targets(unsigned credit)
{
	for (int n = 0; n < TARGETS; n++) {
		struct target *t = &storm.targets[n];

		t->count = 0;
		t->credit = credit;
		t->instance = join("BETA", n, credit, t);
	}
}

static void open_broker(struct world *w)
{
	char why[256];

	w->store = broker_open_store(w->path);
	storm.core = core_create(w->store, storm_ops(), &w->plan.core, w->now_ms, 1, why,
	    sizeof why);
	if (!storm.core)
		broke(w, "%s", why);
	pass(w, 0);
	storm.source = join("ALPHA", 100, 0, NULL);
}

static void close_broker(struct world *w)
{
	core_destroy(storm.core);
	store_close(w->store);
}

/* --- what modules do -------------------------------------------------------------------------- */

static void send_one(struct world *w, bool critical)
{
	struct parcel *p = &w->parcels[0];
	struct offer_answer out;
	struct message m;

	p->records = 1;
	p->critical = critical;
	p->sequence_number = storm.sent++;
	rng_bytes(&w->rng, p->batch_id.b, sizeof p->batch_id.b);
	storm.ids[storm.sent] = p->batch_id;	/* the store counts from one */
	struct frame *f = message_batch(w, 0, FLAW_NONE);
	message_read(w, f, &m);
	core_offer(storm.core, storm.source, &m, f, &out);
	frame_unref(f);
	if (out.status != ACK_RECEIVED)
		broke(w, "batch %u is refused, error %d", storm.sent, out.fault.code);
}

static void take(struct target *t)
{
	for (unsigned n = 0; n < t->count; n++) {
		core_delivery_begin(storm.core, t->instance, t->held[n].lease);
		core_delivery_sent(storm.core, t->instance, t->held[n].lease);
	}
}

static void answer(struct world *w, struct target *t, enum ack_status status)
{
	for (unsigned n = 0; n < t->count; n++) {
		const struct held *h = &t->held[n];
		bool done = status == ACK_PROCESSED;
		struct reply r = { .batch_id = h->batch_id, .lease = h->lease, .status = status,
			.accepted = done, .rejected = !done, .has_transient = !done };
		struct ack_answer out;
		struct message m;

		struct frame *f = message_reply(w, &r);
		message_read(w, f, &m);
		core_acknowledge(storm.core, t->instance, &m, &out);
		frame_unref(f);
		if (!out.echo || out.duplicate)
			broke(w, "batch %llu meets error %d", (unsigned long long)h->id,
			    out.fault.code);
		storm.processed[h->id] = done;
		storm.done += done;
	}
	t->count = 0;
}

static void answer_all(struct world *w)
{
	for (int n = 0; n < TARGETS; n++) {
		take(&storm.targets[n]);
		answer(w, &storm.targets[n], ACK_PROCESSED);
	}
	turn(w);
	pass(w, 10);
}

/* --- the storm -------------------------------------------------------------------------------- */

static void prepare(struct world *w)
{
	struct route_settings *r = &w->plan.routes[0];

	plan_make(&w->plan, &w->rng);
	memset(w->plan.troubles, 0, sizeof w->plan.troubles);
	w->plan.core.max_in_flight_limit = WIDE;
	w->plan.core.reclaim_ms = 1000;
	w->plan.core.history_size = STORE_BYTES / 4;
	w->plan.core.outcome_retention_ms = 100000;
	w->plan.core.instances_per_module = 16;
	r->ack_timeout_ms = 1000;
	r->retry_delay_ms = 1000;
	r->max_retries = 5;
	r->backoff_multiplier = 1;
	r->max_retry_delay_ms = 60000;
	r->queue_capacity = 2 * BATCHES;
	r->queue_capacity_bytes = STORE_BYTES;
	r->ordered = false;
	r->confirm = true;
	r->confirm_timeout_ms = 30000;
}

static void take_custody(struct world *w)
{
	join_targets(WIDE);
	for (int n = 0; n < BATCHES; n++) {
		send_one(w, false);
		if (n % 200 == 199)
			turns(w);
	}
	for (int n = 0; n < TARGETS; n++)
		take(&storm.targets[n]);
}

/* Every target is silent; its process is replaced by one that takes less. */
static void all_are_late(struct world *w)
{
	pass(w, 1001);
	if (turns(w) < BATCHES / 1024 || storm.warned != BATCHES)
		broke(w, "%u are warned of %d late batches", storm.warned, BATCHES);
	for (int n = 0; n < TARGETS; n++)
		core_leave(storm.core, storm.targets[n].instance, LEAVE_GIVEN_BACK);
	join_targets(NARROW);
}

/* With the next credit that is free, however many are due. */
static void a_critical_one_comes(struct world *w)
{
	send_one(w, true);
	storm.watched = storm.sent;
	storm.seen = false;
	turns(w);
	answer_all(w);
	answer_all(w);
	if (!storm.seen)
		broke(w, "a CRITICAL batch waits behind what is delivered again");
}

static void all_are_due(struct world *w)
{
	pass(w, 1200);
	if (turns(w) < BATCHES / 1024)
		broke(w, "all that is due becomes READY in one turn");
	for (int n = 0; n < 10; n++)
		answer_all(w);
	a_critical_one_comes(w);
}

/* It dies; what was out comes back, and no more than there is credit for. */
static void a_restart(struct world *w)
{
	close_broker(w);
	open_broker(w);
	join_targets(NARROW);
	turns(w);
	a_critical_one_comes(w);
}

static void all_is_processed(struct world *w)
{
	const struct route_counters *c = core_counters(storm.core, w->plan.routes[0].name);

	for (int n = 0; n < TURNS_MAX && counters_queued(c) > 0; n++)
		answer_all(w);
	if (storm.done != storm.sent || c->processed_total != storm.sent || c->dead_total > 0)
		broke(w, "%u batches were sent, %u were processed", storm.sent, storm.done);
}

/* Nobody confirms any of them; then all of them are forgotten. */
static void all_is_over(struct world *w)
{
	struct store_tally t;
	char why[256];

	pass(w, 30001);
	if (turns(w) < storm.sent / 256)
		broke(w, "all that was not confirmed is ambiguous in one turn");
	core_seen(storm.core, storm.source, store_last_notice(w->store));
	pass(w, 200000);
	if (turns(w) < storm.sent / 1024)
		broke(w, "all of history is forgotten in one turn");
	if (store_check(w->store, &t, why, sizeof why) != 0)
		broke(w, "%s", why);
	store_read_end(w->store);
	if (t.queued + t.dead + t.ended + t.identities + t.confirmations > 0)
		broke(w, "%llu ends, %llu identities are left", (unsigned long long)t.ended,
		    (unsigned long long)t.identities);
}

/* --- the outage ------------------------------------------------------------------------------- */

/* What the targets have is rejected, or they say nothing of it until it is late. */
static void fail_all(struct world *w, bool silent)
{
	for (int n = 0; n < TARGETS; n++) {
		struct target *t = &storm.targets[n];

		take(t);
		if (silent)
			t->count = 0;
		else
			answer(w, t, ACK_REJECTED);
	}
	turns(w);
}

static uint64_t circuit_trips(void)
{
	struct circuit_view v;

	core_view_circuit(storm.core, 0, &v);
	return v.trips_total;
}

static void fail_for_an_hour(struct world *w)
{
	join_targets(NARROW);
	for (unsigned second = 0; second < OUTAGE_SECONDS; second++) {
		while (storm.sent * (uint64_t)OUTAGE_SECONDS < BATCHES * (uint64_t)(second + 1))
			send_one(w, storm.sent % 10 == 0);
		turns(w);
		fail_all(w, second % 120 >= 60);
		pass(w, 1000);
	}
}

static void outage_run(struct world *w)
{
	struct route_settings *r = &w->plan.routes[0];

	r->backoff_multiplier = 2;
	w->plan.core.circuit_failure_threshold = OUTAGE_THRESHOLD;
	w->plan.core.circuit_reset_timeout_ms = 20000;
	open_broker(w);
	fail_for_an_hour(w);
	uint64_t trips = circuit_trips();
	if (trips < OUTAGE_SECONDS / 60)
		broke(w, "the circuit has opened %llu times", (unsigned long long)trips);
	close_broker(w);		/* and starts again, before it is over */
	open_broker(w);
	pass(w, 60000);
	join_targets(NARROW);
	turns(w);
	all_is_processed(w);
	/* and an attempt was spent only by those failures that opened the circuit first */
	uint64_t spent = core_counters(storm.core, r->name)->retries_total;
	if (spent > OUTAGE_THRESHOLD)
		broke(w, "the outage has cost %llu attempts", (unsigned long long)spent);
	close_broker(w);
	printf("outage: %u batches, none dead, the circuit opened %llu times\n", storm.sent,
	    (unsigned long long)trips);
}

/* --- both ------------------------------------------------------------------------------------- */

static void begin(struct world *w, const char *dir)
{
	memset(w, 0, sizeof *w);
	memset(&storm, 0, sizeof storm);
	storm.w = w;
	snprintf(w->path, sizeof w->path, "%s", dir);
	rng_seed(&w->rng, 1);
	prepare(w);
	w->plan.core.circuit_failure_threshold = 1000000;
	w->plan.core.circuit_count = 0;
	w->now_ms = w->peer_ms = SEED_BEGINS_MS;
	broker_prepare(dir, false);
}

void storm_run(struct world *w, const char *dir)
{
	begin(w, dir);
	w->decoder = decoder_create(DECODE_AT_BROKER);
	open_broker(w);
	take_custody(w);
	all_are_late(w);
	all_are_due(w);
	a_restart(w);
	all_is_processed(w);
	all_is_over(w);
	close_broker(w);
	decoder_destroy(w->decoder);
	printf("storm: %u batches in %u turns, at most %u changes in one\n", storm.sent,
	    storm.turns, storm.most_changes);
	begin(w, dir);
	w->decoder = decoder_create(DECODE_AT_BROKER);
	outage_run(w);
	decoder_destroy(w->decoder);
}
