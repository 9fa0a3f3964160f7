/* main.c - store-model: the store and a model of it, the same operations on both */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "run.h"

/*
 * An episode is a seed: a new store, a random weight for each operation, then STEPS_OF_EPISODE
 * operations, each on the store and on the model. After each some questions are put to both, now
 * and then and after each start all of them. Commits, crashes (what is not committed is gone) and
 * intakes that are given up come in between.
 *
 *	store-model --steps 1000000 [--from SEED]	as many episodes as that takes
 *	store-model --seed N [--trace]			one, as a story
 */
#define STEPS_OF_EPISODE 2000
#define QUESTIONS 3
#define PRISTINE_BYTES (256 * 1024)

static const struct {
	const char *name;
	bool (*step)(struct run *r);
} operations[] = {
#define ENTRY(name) { #name, step_##name },
	OPERATION_LIST(ENTRY)
#undef ENTRY
};
#define OPERATION_COUNT (sizeof operations / sizeof operations[0])

/* --- telling --------------------------------------------------------------------------------- */

static int story = STDERR_FILENO;

/* The store's log tells of disks that were made to fail: to nobody, but in a story. */
static void silence_log(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	story = dup(STDERR_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

void differ(const struct run *r, const char *fmt, ...)
{
	va_list ap;

	dprintf(story, "\nepisode %llu, step %u: ", (unsigned long long)r->seed, r->step);
	va_start(ap, fmt);
	vdprintf(story, fmt, ap);
	va_end(ap);
	dprintf(story, "\nreplay it with: store-model --seed %llu --trace\n",
	    (unsigned long long)r->seed);
	printf("%llu passed, 1 failed\n", (unsigned long long)(r->seed > 0 ? r->seed - 1 : 0));
	exit(1);
}

void trace(const struct run *r, const char *fmt, ...)
{
	va_list ap;

	if (!r->trace)
		return;
	va_start(ap, fmt);
	printf("%5u  ", r->step);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

/* --- drawing --------------------------------------------------------------------------------- */

uint64_t between(struct run *r, uint64_t least, uint64_t most)
{
	return least + rng_below(&r->rng, most - least + 1);
}

bool chance(struct run *r, unsigned one_in)
{
	return rng_below(&r->rng, one_in) == 0;
}

void *pick(struct run *r, enum kept kept)
{
	const struct list *l = &r->model.now.lists[kept];

	return l->count ? l->items + l->size * between(r, 0, l->count - 1) : NULL;
}

uint32_t draw_route(struct run *r)
{
	return FIRST_ROUTE + (uint32_t)between(r, 0, ROUTES - 1);
}

uint32_t draw_source(struct run *r)
{
	return FIRST_SOURCE + (uint32_t)between(r, 0, SOURCES - 1);
}

/* --- files ----------------------------------------------------------------------------------- */

void run_open(struct run *r)
{
	struct store_options o = { .path = r->dir, .size = STORE_BYTES };
	char why[512];

	if (store_open(&o, &r->store, why, sizeof why) != 0)
		differ(r, "%s", why);
}

/*
 * A new store takes long to make: its first pages, all that it uses, are put back instead. Half of
 * the stores have a log that is soon full.
 */
static void make_new(struct run *r)
{
	static uint8_t pristine[2][PRISTINE_BYTES];
	static bool was_made[2];
	bool small = chance(r, 2), made = was_made[small];
	char path[512];

	snprintf(path, sizeof path, "%s/custody.mdb", r->dir);
	if (!made) {
		unlink(path);
		disk_small_log(small);
		run_open(r);
		store_close(r->store);
	}
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t n = made ? pwrite(fd, pristine[small], PRISTINE_BYTES, 0)
	                 : pread(fd, pristine[small], PRISTINE_BYTES, 0);
	if (n != PRISTINE_BYTES)
		differ(r, "the file of the store cannot be put back");
	close(fd);
	snprintf(path, sizeof path, "%s/custody.redo", r->dir);
	if (truncate(path, 0) != 0)
		differ(r, "the redo log cannot be emptied");
	was_made[small] = true;
}

static void remove_files(const char *dir)
{
	static const char *const names[] = { "custody.mdb", "custody.mdb-lock", "custody.redo", "lock" };
	char path[512];

	for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[n]);
		unlink(path);
	}
	rmdir(dir);
}

/* --- an episode ------------------------------------------------------------------------------ */

static void draw_weights(struct run *r)
{
	static const unsigned weights[] = { 0, 1, 3, 3, 9 };

	for (size_t n = 0; n < OPERATION_COUNT; n++)
		r->weights[n] = weights[between(r, 0, 4)];
	r->weights[0] = 9;		/* without batches nothing happens */
	for (int n = 0; n < ROUTES; n++)
		r->ordered[n] = chance(r, 2);
}

static void operate(struct run *r)
{
	unsigned total = 0;
	size_t n = 0;

	for (size_t k = 0; k < OPERATION_COUNT; k++)
		total += r->weights[k];
	uint64_t drawn = between(r, 0, total - 1);
	while (drawn >= r->weights[n])
		drawn -= r->weights[n++];
	operations[n].step(r);
}

/* Ends go when there are many of them, as history's do. */
static void keep_small(struct run *r)
{
	while (model_count(&r->model, KEPT_ENDS) > 60)
		step_ended_del(r);
	if (model_count(&r->model, KEPT_ALIASES) > 200)
		step_alias_trim(r);
}

static void run_step(struct run *r)
{
	r->now_ms += between(r, 0, 3);
	operate(r);
	keep_small(r);
	for (int n = 0; n < QUESTIONS; n++)
		ask(r);
	if (chance(r, 12) || store_turn_has_used(r->store, STORE_INTAKE_PERCENT)) {
		if (chance(r, 10))
			list_all(r);
		step_commit(r);
	}
	if (!chance(r, 150))
		return;
	step_crash(r);
	list_all(r);
}

static void run_episode(struct run *r)
{
	rng_seed(&r->rng, r->seed);
	r->full = chance(r, 25);
	r->now_ms = 1000000;
	draw_weights(r);
	model_init(&r->model);
	make_new(r);
	run_open(r);
	for (r->step = 1; r->step <= STEPS_OF_EPISODE; r->step++)
		run_step(r);
	list_all(r);
	if (r->full) {
		step_drain(r);
		if (!store_has_room(r->store, 1 << 20, STORE_BYTES / 16))
			differ(r, "a store that was drained has no room");
		list_all(r);
	}
	step_commit(r);
	step_crash(r);
	list_all(r);
	store_close(r->store);
	model_finish(&r->model);
}

/* --- options --------------------------------------------------------------------------------- */

static void usage(void)
{
	fprintf(stderr, "usage: store-model --steps N [--from SEED]\n"
	    "       store-model --seed N [--trace]\n");
	exit(64);
}

int main(int argc, char **argv)
{
	char dir[] = "/dev/shm/handoff-store-model-XXXXXX", tmp[] = "/tmp/handoff-model-XXXXXX";
	uint64_t steps = 0, from = 1, done = 0, refused = 0;
	bool with_trace = false;

	for (int n = 1; n < argc; n++) {
		bool more = n + 1 < argc;

		if (strcmp(argv[n], "--trace") == 0)
			with_trace = true;
		else if (strcmp(argv[n], "--steps") == 0 && more)
			steps = strtoull(argv[++n], NULL, 10);
		else if (strcmp(argv[n], "--from") == 0 && more)
			from = strtoull(argv[++n], NULL, 10);
		else if (strcmp(argv[n], "--seed") == 0 && more)
			from = strtoull(argv[++n], NULL, 10), steps = STEPS_OF_EPISODE;
		else
			usage();
	}
	if (steps == 0)
		usage();
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	digest_init();
	if (!with_trace)
		silence_log();
	const char *made = mkdtemp(dir) ? dir : mkdtemp(tmp);
	if (!made)
		return 1;
	uint64_t seed = from;
	for (; done < steps; seed++, done += STEPS_OF_EPISODE) {
		struct run r = { .seed = seed, .dir = made, .trace = with_trace };

		run_episode(&r);
		refused += r.refused;
	}
	remove_files(made);
	printf("store and model: %llu steps, %llu intakes found no room\n",
	    (unsigned long long)done, (unsigned long long)refused);
	printf("%llu passed, 0 failed\n", (unsigned long long)(seed - from));
	return 0;
}
