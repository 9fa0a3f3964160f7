/* broker.c - the process under test: its start, its turns, its deaths */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "sim.h"
#include "store/internal.h"

/* --- a store quickly ------------------------------------------------------------------------- */

/*
 * A preallocated store takes longer to make than a seed to run. So it is made once a process (with
 * either log), its first pages (all that it uses) are remembered, and put back for each seed; LMDB
 * looks at no page behind the last one that it has used. An empty redo log is as a new one.
 */
#define PRISTINE_BYTES (256 * 1024)

static void store_path(const char *dir, char out[512])
{
	snprintf(out, 512, "%s/custody.mdb", dir);
}

struct store *broker_open_store(const char *dir)
{
	struct store_options o = { .path = dir, .size = STORE_BYTES };
	struct store *s;
	char why[512];

	if (store_open(&o, &s, why, sizeof why) != 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	return s;
}

static void pristine(const char *path, uint8_t *bytes, bool put)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t n =
		put ? pwrite(fd, bytes, PRISTINE_BYTES, 0) : pread(fd, bytes, PRISTINE_BYTES, 0);

	if (n != PRISTINE_BYTES)
		abort();
	close(fd);
}

void broker_prepare(const char *dir, bool small_log)
{
	static uint8_t *made[2];
	uint8_t **bytes = &made[small_log];
	char path[512];

	store_path(dir, path);
	if (!*bytes) {
		unlink(path);		/* of a process before this one, or with another log */
		disk_small_log(small_log);
		store_close(broker_open_store(dir));
		*bytes = xmalloc(PRISTINE_BYTES);
		pristine(path, *bytes, false);
	}
	pristine(path, *bytes, true);
	snprintf(path, sizeof path, "%s/custody.redo", dir);
	if (truncate(path, 0) != 0)
		abort();
}

/* --- bit rot --------------------------------------------------------------------------------- */

/* Behind the last page that was used there may be those of an earlier seed. */
static size_t used_bytes(const struct world *w)
{
	struct store *s = broker_open_store(w->path);
	MDB_envinfo info;

	mdb_env_info(s->env, &info);
	store_close(s);
	return (info.me_last_pgno + 1) * (size_t)sysconf(_SC_PAGESIZE);
}

static void flip_marks(struct world *w, int parcel)
{
	size_t size = used_bytes(w);
	char path[512], mark[32];

	store_path(w->path, path);
	message_mark(w, w->parcels[parcel].mark, mark);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t *file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		abort();
	uint8_t *end = file + size, *at = file;
	while ((at = memmem(at, (size_t)(end - at), mark, strlen(mark)))) {
		at[2] ^= 1;
		at++;
	}
	munmap(file, size);
	close(fd);
	/* letters that were made of it carry its mark, too */
	for (int p = 0; p < w->parcel_count; p++)
		if (w->parcels[p].mark == w->parcels[parcel].mark && w->model.fates[p].known)
			w->parcels[p].corrupt = true;
}

static void damage(struct world *w)
{
	int parcel = w->parcel_count ? (int)between(w, 0, (uint64_t)w->parcel_count - 1) : NOBODY;

	if (parcel == NOBODY || !w->model.fates[parcel].known ||
	    w->model.fates[parcel].state == BATCH_ENDED || w->parcels[parcel].corrupt)
		return;
	trace(w, "batch %d is damaged in the store", parcel);
	flip_marks(w, parcel);
}

/* --- clocks ---------------------------------------------------------------------------------- */

/* The wall clock is for display: it may say anything, and nothing may come of it. */
static void turn_clocks(struct world *w)
{
	const int64_t years = INT64_C(365) * 86400 * 1000000;

	if (has_trouble(w, TROUBLE_WALL) && chance(w, 20))
		w->wall_off_us = (int64_t)between(w, 0, 20) * years - 10 * years;
	w->wall_us = (int64_t)w->now_ms * 1000 + 20 * years + w->wall_off_us;
	core_set_time(w->core, w->now_ms, w->peer_ms, w->wall_us);
}

/* --- start and end --------------------------------------------------------------------------- */

/* A route's batches in custody decide whether it is ordered; without any it may change. */
static bool turn_order(struct world *w, int route)
{
	struct route_settings *r = &w->plan.routes[route];
	bool empty = true;

	for (int p = 0; p < w->parcel_count; p++)
		empty &= w->parcels[p].route != route || !is_in_custody(&w->model.fates[p]);
	r->ordered = !r->ordered;
	return empty;
}

static void reconfigure(struct world *w)
{
	int route = (int)between(w, 0, w->plan.core.route_count - 1);
	char why[256] = "";
	struct core *refused;

	trace(w, "a start with other settings");
	plan_change(&w->plan, &w->rng);
	if (chance(w, 2) || turn_order(w, route))
		return;
	refused = core_create(w->store, &connection_ops, &w->plan.core, w->now_ms, 1, why,
	    sizeof why);
	if (refused || !*why)
		broke(w, "the core takes route %s in another order", w->plan.routes[route].name);
	w->plan.routes[route].ordered = !w->plan.routes[route].ordered;
}

/* Another broker finds the lock, and says so. */
static void try_second(struct world *w)
{
	struct store_options o = { .path = w->path, .size = STORE_BYTES };
	struct store *second = NULL;
	char why[256] = "";

	trace(w, "a second broker tries the store");
	if (store_open(&o, &second, why, sizeof why) != ERR_BUSY || second || !*why)
		broke(w, "two brokers serve one store");
}

/* What the log has is committed at once; where that fails, the log has it still. */
static void try_start(struct world *w)
{
	struct store_options o = { .path = w->path, .size = STORE_BYTES };
	char why[256] = "";
	struct store *s = NULL;

	disk_arm((enum disk_fault)between(w, DISK_SYNC, DISK_CHECKPOINT_LAST));
	int rc = store_open(&o, &s, why, sizeof why);
	bool failed = disk_disarm();
	if (rc != (failed ? ERR_IO : 0) || failed == !*why)
		broke(w, "a start whose disk fails ends with error %d: %s", rc, why);
	trace(w, "a start%s", failed ? ", whose disk fails" : "");
	store_close(s);
}

void broker_start(struct world *w)
{
	char why[256];

	if (has_trouble(w, TROUBLE_DISK) && chance(w, 4))
		try_start(w);
	w->store = broker_open_store(w->path);
	if (w->now_ms < store_clock_ms(w->store) || chance(w, 2))
		w->now_ms = store_clock_ms(w->store) + between(w, 0, 500);
	if (has_trouble(w, TROUBLE_IDLE) && chance(w, 6))	/* it was away for long */
		w->now_ms += between(w, 0, 100000);
	w->peer_ms = w->now_ms;
	if (w->starts > 0 && has_trouble(w, TROUBLE_RECONFIGURE) && chance(w, 3))
		reconfigure(w);
	if (w->starts > 0 && has_trouble(w, TROUBLE_ELSEWHERE) && chance(w, 4))
		elsewhere_run(w);
	w->core = core_create(w->store, &connection_ops, &w->plan.core, w->now_ms,
	    w->seed + 1000003ull * ++w->starts, why, sizeof why);
	if (!w->core)
		broke(w, "the core refuses the store: %s", why);
	turn_clocks(w);
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		w->route_numbers[r] = store_route_number(w->store, w->plan.routes[r].name);
	w->in_turn = true;
	model_recover(w);
	if (has_trouble(w, TROUBLE_SECOND) && chance(w, 3))
		try_second(w);
	memset(w->had_suspects, 0, sizeof w->had_suspects);
	check_store(w);
	breaker_check(w);
	for (size_t r = 0; r < w->plan.core.route_count; r++)
		check_counters(w, (int)r);
	core_check(w->core);
}

static void harvest(struct world *w)
{
	for (int from = 0; from < BATCH_STATE_COUNT; from++)
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			w->arrows[from][cause] += core_arrow_count(w->core, (enum batch_state)from,
			    (enum batch_cause)cause);
}

void broker_stop(struct world *w)
{
	harvest(w);
	while (!TAILQ_EMPTY(&w->connections))
		connection_close(w, TAILQ_FIRST(&w->connections));
	core_destroy(w->core);
	store_close(w->store);
	w->core = NULL;
	w->store = NULL;
	w->offering = w->dismissing = NOBODY;
	w->in_turn = false;
	w->model = w->committed;
}

void broker_crash(struct world *w, const char *when)
{
	trace(w, "crash %s", when);
	broker_stop(w);
	if (has_trouble(w, TROUBLE_CORRUPT) && chance(w, 2))
		damage(w);
	broker_start(w);
}

/* What fails is the end: it cannot be tried again, and nobody has been told anything. */
static bool commit_fails(struct world *w, enum disk_fault fault)
{
	int rc;

	disk_arm(fault);
	rc = store_commit(w->store);
	if (!disk_disarm())
		return false;
	if (rc != ERR_IO || !store_has_failed(w->store) || store_commit(w->store) != ERR_IO ||
	    store_checkpoint(w->store) != ERR_IO)
		broke(w, "a commit that the disk refuses (%d) is no failure", fault);
	checkup_end(w, "store");
	if (disk_has_kept(fault))
		w->committed = w->model;
	return true;
}

/* Whether it fails or not, all is there: in the store's file, or in the log. */
static void checkpoint(struct world *w)
{
	bool sound = !has_trouble(w, TROUBLE_DISK) || !chance(w, 4);

	disk_arm(sound ? DISK_SOUND
	    : (enum disk_fault)between(w, DISK_SYNC, DISK_CHECKPOINT_LAST));
	int rc = store_checkpoint(w->store);
	if (rc != (disk_disarm() ? ERR_IO : 0))
		broke(w, "a checkpoint ends with error %d", rc);
}

/* False: the process has died of it, and started again. */
static bool commit(struct world *w)
{
	bool sound = !has_trouble(w, TROUBLE_DISK) || !chance(w, 60);

	if (store_has_failed(w->store))
		broke(w, "a change fails");
	if (sound && store_commit(w->store) != 0)
		broke(w, "the commit fails");
	if (!sound && commit_fails(w, (enum disk_fault)between(w, DISK_SYNC, DISK_FAULT_COUNT - 1))) {
		broker_crash(w, "as the disk refuses the commit");
		return false;
	}
	w->committed = w->model;
	w->in_turn = false;
	return true;
}

void broker_restart(struct world *w)
{
	const struct connection *c;

	trace(w, "the broker stops in order");
	broker_begin(w);
	TAILQ_FOREACH(c, &w->connections, next)
		if (w->model.parties[c->party].connected)
			party_disconnect(w, c->party);
	core_shut_down(w->core);
	TAILQ_FOREACH(c, &w->connections, next)
		party_forget_owed(w, c->party);
	checkup_end(w, "broker");
	if (core_turn_close(w->core))
		broke(w, "the core goes on though it was shut down");
	check_touched(w);
	core_check(w->core);
	if (!commit(w))
		return;
	checkpoint(w);
	broker_stop(w);
	broker_start(w);
}

/* --- the turn -------------------------------------------------------------------------------- */

void broker_begin(struct world *w)
{
	if (!w->in_turn)
		turn_clocks(w);
	w->in_turn = true;
}

static void note_payload(struct world *w)
{
	uint64_t bytes = 0;

	for (int p = 0; p < w->parcel_count; p++) {
		const struct fate *f = &w->model.fates[p];

		if (f->known && f->state != BATCH_ENDED)
			bytes += f->frame_len;
	}
	w->payload_peak -= w->payload_peak / 16;	/* what was freed is not usable at once */
	if (bytes > w->payload_peak)
		w->payload_peak = bytes;
}

/* What ends as the turn is closed is counted before it is forgotten: a few rows. */
#define ROWS_BYTES 4000
#define RESTLESS_MAX 64

/* Those that wait: as they are to be delivered they are buried. */
static unsigned count_damaged(const struct world *w)
{
	unsigned count = 0;

	for (int p = 0; p < w->parcel_count; p++)
		count += w->parcels[p].corrupt && is_in_custody(&w->model.fates[p]);
	return count;
}

static void close_turn(struct world *w)
{
	int heard = w->model.heard_top;
	bool more;
	unsigned late;

	fate_expire(w);
	fate_release_due(w);
	party_expire(w);
	late = confirming_expire(w);
	breaker_expire(w);
	late += (unsigned)(w->model.heard_top - heard) + count_damaged(w);
	w->was_over_budget |= store_history_bytes(w->store) + (1 + late) * ROWS_BYTES >
	    w->plan.core.history_size;
	successor_expect(w);
	more = core_turn_close(w->core);
	successor_check(w, more);
	check_touched(w);
	w->restless = more ? w->restless + 1 : 0;
	if (w->restless > RESTLESS_MAX)
		broke(w, "each turn asks for another, for ever");
	if (!more)
		check_quiet(w);
	if (chance(w, 24))
		check_store(w);
}

static bool release(struct world *w)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&w->connections); c; c = next) {
		next = TAILQ_NEXT(c, next);
		if (!connection_release(w, c))
			return false;
	}
	return true;
}

static bool dies(struct world *w, enum trouble t, const char *when)
{
	if (!has_trouble(w, t) || !chance(w, 60))
		return false;
	broker_crash(w, when);
	return true;
}

/* Another turn is asked for only where somebody has room for what it is owed. */
static void check_pending(const struct world *w)
{
	const struct connection *c;
	bool room = false;

	TAILQ_FOREACH(c, &w->connections, next)
		room |= connection_has_room(w, c);
	if (core_has_pending(w->core) && !room)
		broke(w, "the core would tell those who have no room");
}

/* The commit takes a while; the clocks of what leaves behind it begin after that. */
static void pass_commit(struct world *w)
{
	uint64_t ms = chance(w, 4) ? between(w, 0, 30) : 0;

	w->now_ms += ms;
	w->peer_ms += ms;
	core_time_passed(w->core, w->now_ms, w->peer_ms);
}

void broker_turn(struct world *w)
{
	broker_begin(w);
	if (dies(w, TROUBLE_CRASH, "before the turn is closed"))
		return;
	close_turn(w);
	if (dies(w, TROUBLE_COMMIT, "as the commit fails"))
		return;
	if (!commit(w))
		return;
	note_payload(w);
	if (dies(w, TROUBLE_RELEASE, "after the commit, nothing is out"))
		return;
	pass_commit(w);
	if (!release(w))
		broker_crash(w, "while what is owed leaves");
	else
		store_read_end(w->store);
	check_pending(w);
	if (!w->in_turn)
		w->committed = w->model; /* which deliveries have begun: memory, not the store */
}
