/* replay.c - power losses: what a disk may have kept of a recorded run, and whether it is enough */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "capture.h"
#include "disk.h"
#include "judge.h"
#include "workers.h"

/*
 *	replay --trace FILE --stories FILE --config FILE --dir DIR [--images N] [--seed S]
 *	       [--jobs J] [--tears] [--only PLACE:NUMBER]
 *
 * Wherever something may be in doubt and becomes certain, or something leaves the process while it
 * is in doubt, images are made of what a power loss would leave (disk.h), N in all, spread evenly.
 * Each is given to a broker's start (judge.h). Exits 1 when one image was a violation; each is told
 * with the words that replay it. --tears cuts synced writes, LMDB's of its meta page at each byte,
 * the redo log's at some: outside the assumptions, and counted apart, but it has to be fine, too.
 *
 * Workers share the places out among them; one that a signal ends is a violation and is replaced.
 */
#define TOLD_MAX 5		/* violations, in words */
#define ENOUGH 1000		/* of them: workers are not replaced any more */
#define TEAR_ONE_IN 8		/* places */
#define TEARS_MOST 256		/* of one write */

struct options {
	const char *trace, *stories, *config, *dir;
	uint64_t images, seed;
	unsigned jobs;
	bool tears, one;
	uint64_t only_place, only_number;
};

/* Shared with the workers. */
struct progress {
	uint64_t images, violations, torn, torn_violations, told;
	uint64_t next;			/* the next place that nobody has taken */
	struct current {		/* what a worker looks at */
		uint64_t index, place;	/* of the place; in the trace */
		uint64_t image, number;	/* of those made there; as disk_image() counts */
	} current[WORKERS_MAX];
};

struct trace {
	uint8_t *bytes;
	size_t n;
};

struct place {
	uint64_t at, images;
};

/* --- the trace ------------------------------------------------------------------------------- */

static struct trace trace_map(const char *path)
{
	FILE *file = fopen(path, "r");
	struct stat st;

	if (!file || fstat(fileno(file), &st) != 0 || st.st_size == 0)
		fatalx("%s cannot be read", path);
	struct trace t = { mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fileno(file), 0),
		(size_t)st.st_size };
	if (t.bytes == MAP_FAILED)
		fatalx("%s cannot be mapped", path);
	fclose(file);
	return t;
}

/* The record at *at, which moves on. False at the end. */
static bool trace_next(const struct trace *t, uint64_t *at, struct trace_record *r,
    const uint8_t **bytes)
{
	if (*at + sizeof *r > t->n)
		return false;
	memcpy(r, t->bytes + *at, sizeof *r);
	*bytes = t->bytes + *at + sizeof *r;
	*at += sizeof *r + r->n;
	return *at <= t->n;
}

/* A power loss now is of interest: something may be there or not. */
static bool is_place(const struct disk *d, const struct trace_record *r)
{
	switch ((enum trace_kind)r->kind) {
	case TRACE_SYNC:
	case TRACE_SYNC_DIR:
	case TRACE_SYNC_PARENT:
	case TRACE_WRITE_SYNCED:
	case TRACE_SEND:
		return !disk_is_certain(d);
	default:
		return false;
	}
}

/* Walks the trace; f looks where it is of interest. */
static void walk(const struct trace *t, struct disk *d, void (*f)(void *arg, struct disk *d,
    const struct trace_record *r, uint64_t at), void *arg)
{
	uint64_t at = 0, next = 0;
	struct trace_record r;
	const uint8_t *bytes;

	while (trace_next(t, &next, &r, &bytes)) {
		disk_note(d, &r, bytes);
		if (is_place(d, &r))
			f(arg, d, &r, at);
		disk_settle(d, &r);
		at = next;
	}
}

/* --- how many images where ------------------------------------------------------------------- */

struct places {
	struct place *list;
	uint64_t *most;
	size_t count;
};

static void count_place(void *arg, struct disk *d, const struct trace_record *r, uint64_t at)
{
	struct places *p = arg;

	(void)r;
	p->list = xrealloc(p->list, (p->count + 1) * sizeof *p->list);
	p->most = xrealloc(p->most, (p->count + 1) * sizeof *p->most);
	p->list[p->count] = (struct place){ at, 0 };
	p->most[p->count++] = disk_images(d);
}

static uint64_t spread(struct places *p, uint64_t each)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->count; i++) {
		p->list[i].images = p->most[i] < each ? p->most[i] : each;
		sum += p->list[i].images;
	}
	return sum;
}

/* The same for each place, but no more than there are to see. */
static void share_out(struct places *p, uint64_t images)
{
	uint64_t low = 0, high = images;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (spread(p, middle) >= images)
			high = middle;
		else
			low = middle + 1;
	}
	spread(p, low);
}

/* --- a worker -------------------------------------------------------------------------------- */

struct worker {
	const struct options *o;
	const struct trace *trace;
	const struct places *places;
	struct progress *progress;
	struct judge judge;
	unsigned job;
	size_t index;			/* of the place that the walk is at */
	size_t mine;			/* of the next that is ours */
	uint64_t from;			/* image of it: after one that ended a worker */
};

static void on_write(void *arg, uint32_t inode, uint64_t at, size_t n)
{
	disk_wrote(arg, inode, at, n);
}

static bool has_changed(void *arg, uint64_t at, size_t n)
{
	return disk_has_changed(arg, at, n);
}

static bool is_fine(struct worker *w, struct disk *d, uint64_t place, uint64_t number)
{
	struct judge *j = &w->judge;

	j->seed = number;
	bool fine = judge_start(j) && judge_all(j, place + 1, has_changed, d) && judge_goes_on(j);
	judge_stop(j);
	return fine;
}

static void tell(struct worker *w, const char *what, const char *story, uint64_t place,
    uint64_t number)
{
	if (w->o->one || __atomic_fetch_add(&w->progress->told, 1, __ATOMIC_RELAXED) < TOLD_MAX)
		printf("%s: %s (--only %llu:%llu): %s\n", what, story, (unsigned long long)place,
		    (unsigned long long)number, w->judge.why);
	fflush(stdout);
}

static void look(struct worker *w, struct disk *d, uint64_t place, uint64_t number)
{
	struct rng rng;

	rng_seed(&rng, w->o->seed ^ place * 0x9e3779b97f4a7c15u ^ number);
	w->progress->current[w->job].number = number;
	disk_image(d, number, &rng);
	capture_writes(on_write, d);
	bool fine = is_fine(w, d, place, number);
	capture_writes(NULL, NULL);
	disk_restore(d);
	__atomic_fetch_add(&w->progress->images, 1, __ATOMIC_RELAXED);
	if (fine && !w->o->one)
		return;
	if (!fine)
		__atomic_fetch_add(&w->progress->violations, 1, __ATOMIC_RELAXED);
	tell(w, fine ? "fine" : "violation", disk_story(d), place, number);
}

/* Where there are fewer images to be made than choices: evenly among them. */
static uint64_t nth_choice(const struct disk *d, uint64_t i, uint64_t images)
{
	uint64_t choices = disk_choices(d);

	return images >= choices || i < 2 ? i : 2 + (i - 2) * (choices - 2) / (images - 2);
}

static void tear(struct worker *w, struct disk *d, uint64_t place)
{
	for (size_t n = 1; n < disk_latest(d); n += disk_latest(d) / TEARS_MOST + 1) {
		disk_image_torn(d, n);
		capture_writes(on_write, d);
		if (!is_fine(w, d, place, 0)) {
			__atomic_fetch_add(&w->progress->torn_violations, 1, __ATOMIC_RELAXED);
			tell(w, "violation, torn", disk_story(d), place, n);
		}
		capture_writes(NULL, NULL);
		disk_restore(d);
		__atomic_fetch_add(&w->progress->torn, 1, __ATOMIC_RELAXED);
	}
}

static void at_place(void *arg, struct disk *d, const struct trace_record *r, uint64_t at)
{
	struct worker *w = arg;
	size_t index = w->index++;

	if (w->o->one) {
		if (at == w->o->only_place)
			look(w, d, at, w->o->only_number);
		return;
	}
	if (index != w->mine)
		return;
	struct current *current = &w->progress->current[w->job];
	*current = (struct current){ .index = index, .place = at };
	for (uint64_t i = w->from; i < w->places->list[index].images; i++) {
		current->image = i;
		look(w, d, at, nth_choice(d, i, w->places->list[index].images));
	}
	if (w->o->tears && r->kind == TRACE_WRITE_SYNCED && index % TEAR_ONE_IN == 0)
		tear(w, d, at);
	w->from = 0;
	w->mine = __atomic_fetch_add(&w->progress->next, 1, __ATOMIC_RELAXED);
}

static void work(void *arg, unsigned job, bool again)
{
	struct worker *w = (struct worker *)arg + job;
	char dir[300];

	if (!w->o->one)
		workers_silence();
	snprintf(dir, sizeof dir, "%s/%u", w->o->dir, job);
	mkdir(dir, 0700);
	judge_init(&w->judge, w->o->config, w->o->stories, dir);
	w->mine = again ? w->progress->current[job].index
			: __atomic_fetch_add(&w->progress->next, 1, __ATOMIC_RELAXED);
	w->from = again ? w->progress->current[job].image + 1 : 0;
	struct disk *d = disk_create(dir);
	walk(w->trace, d, at_place, w);
	disk_destroy(d);
	judge_finish(&w->judge);
	rmdir(dir);
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool on_death(void *arg, unsigned job, int status)
{
	struct worker *w = (struct worker *)arg + job;
	const struct current *c = &w->progress->current[job];

	w->progress->images++;
	w->progress->violations++;
	judge_blames(&w->judge, "the start ended with %s", workers_death(status));
	tell(w, "violation", "a worker ended", c->place, c->number);
	return w->progress->violations < ENOUGH;
}

static void run(const struct trace *t, const struct options *o, const struct places *places,
    struct progress *progress)
{
	struct worker list[WORKERS_MAX] = { 0 };

	for (unsigned job = 0; job < o->jobs; job++)
		list[job] = (struct worker){ .o = o, .trace = t, .places = places,
			.progress = progress, .job = job };
	workers_run(o->jobs, work, on_death, list);
}

/* --- options --------------------------------------------------------------------------------- */

static uint64_t number(const char *text, char **end)
{
	char *behind;
	uint64_t n = strtoull(text, &behind, 10);

	if (behind == text || (!end && *behind != '\0'))
		fatalx("%s is no number", text);
	if (end)
		*end = behind;
	return n;
}

static void options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "trace", required_argument, NULL, 't' },
		{ "stories", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "images", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 'r' }, { "jobs", required_argument, NULL, 'j' },
		{ "only", required_argument, NULL, 'o' }, { "tears", no_argument, NULL, 'b' },
		{ "dir", required_argument, NULL, 'd' }, { 0 },
	};
	char *end;

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		switch (c) {
		case 't': o->trace = optarg; break;
		case 's': o->stories = optarg; break;
		case 'c': o->config = optarg; break;
		case 'd': o->dir = optarg; break;
		case 'n': o->images = number(optarg, NULL); break;
		case 'r': o->seed = number(optarg, NULL); break;
		case 'j': o->jobs = (unsigned)number(optarg, NULL); break;
		case 'b': o->tears = true; break;
		case 'o':
			o->one = true;
			o->only_place = number(optarg, &end);
			o->only_number = *end == ':' ? number(end + 1, NULL) : 0;
			break;
		default: exit(64);
		}
	}
	if (!o->trace || !o->stories || !o->config || !o->dir || o->jobs < 1 ||
	    o->jobs > WORKERS_MAX)
		fatalx("usage: replay --trace FILE --stories FILE --config FILE --dir DIR "
		    "[--images N] [--seed S] [--jobs J] [--tears] [--only PLACE:NUMBER]");
	if (o->one)
		o->jobs = 1;
}

int main(int argc, char **argv)
{
	struct options o = { .images = 1000, .seed = 1, .jobs = 1 };
	struct progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct places places = { 0 };
	char dir[300];

	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	digest_init();
	options_read(&o, argc, argv);
	struct trace t = trace_map(o.trace);
	snprintf(dir, sizeof dir, "%s/count", o.dir);
	mkdir(dir, 0700);
	struct disk *d = disk_create(dir);
	walk(&t, d, count_place, &places);
	disk_destroy(d);
	rmdir(dir);
	share_out(&places, o.images);
	run(&t, &o, &places, p);
	printf("%llu images at %zu places, %llu violations", (unsigned long long)p->images,
	    places.count, (unsigned long long)p->violations);
	if (o.tears)
		printf("; outside the assumptions %llu torn writes, %llu violations",
		    (unsigned long long)p->torn, (unsigned long long)p->torn_violations);
	printf("\n");
	free(places.list);
	free(places.most);
	return p->violations + p->torn_violations > 0;
}
