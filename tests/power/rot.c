/* rot.c - bits that change on a disk, and files that are cut: what a broker makes of them */
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
#include "base/rng.h"
#include "capture.h"
#include "core/inspect.h"
#include "judge.h"
#include "rows.h"
#include "spoil.h"
#include "store/internal.h"
#include "store/redo_row.h"
#include "workers.h"
#include "../quiet_peers.h"

/*
 *	rot --store DIR --stories FILE --config FILE --dir DIR [--flips N | --every-bit] [--cuts N]
 *	    [--seed S] [--jobs J] [--only BIT]
 *
 * The store is one whose broker was killed: its redo log holds turns. Each flip changes one bit of
 * what was ever written to its file or to the log, drawn from the seed, or each in turn; a broker is
 * started on it, audited, and delivers all that it has. Each cut makes one of the two shorter, half
 * of them within what was written. The last line counts how these ended, see `verdicts`. Exits 1
 * when one ended as it must not.
 */
#define TOLD_MAX 30		/* of each kind, in words */
#define ENOUGH 20000		/* deaths */
#define LONGEST_SECONDS 30	/* of one change; then it is SIGALRM that ends it */
#define BESIDE_ONE_IN 1000	/* changes: at most so many */

enum verdict {
	HARMLESS,		/* nothing that is kept has changed */
	REFUSED,		/* not started, in words */
	REPORTED,		/* by the audit, a checksum, or a letter with INT_STORE_002 */
	BESIDE,			/* not custody (is_beside()), or a row more: and nobody says so */
	LAST,			/* the log's last turn was not whole, and is as if never written */
	STOPPED,		/* started, and a turn could not be committed */
	DIED,			/* by a signal */
	SILENT,			/* something is gone or changed, and nobody says so */
	WRONG,			/* other bytes are delivered than were sent */
	VERDICT_COUNT,
};
static const char *const verdicts[VERDICT_COUNT] = { "harmless", "refused", "reported", "beside",
	"last turn", "stopped", "died", "silent", "wrong" };

struct options {
	const char *store, *stories, *config, *dir;
	uint64_t flips, cuts, seed, only;
	unsigned jobs;
	bool every_bit, one;
};

/* Shared with the workers. */
struct progress {
	uint64_t next, counts[2][VERDICT_COUNT], told[VERDICT_COUNT];
	uint64_t current[WORKERS_MAX];
};

struct worker {
	const struct options *o;
	struct progress *progress;
	struct spoil spoil;
	unsigned job;
	struct judge judge;
	struct peer_ops ops;
	struct rows rows;	/* as they should be */
	struct rows rows_before;	/* without the log's last turn */
	struct rows found;
	uint64_t last_turn, last_turn_end;	/* where that is */
	bool wrong;		/* something was delivered that was never sent */
};

static struct worker *the_worker;	/* peer_ops has no place for it */

/* --- what a target gets ----------------------------------------------------------------------- */

static const struct story *story_of(struct judge *j, const struct uuid *batch_id)
{
	for (size_t i = 0; i < j->stories.count; i++)
		if (uuid_equal(&j->stories.list[i].batch_id, batch_id))
			return &j->stories.list[i];
	return NULL;
}

/* As session/output.c: the bytes are read without their checksum, which the core has looked at. */
static void on_deliver(struct peer *peer, const struct delivery *d)
{
	struct judge *j = &the_worker->judge;
	uint32_t route = store_route_number(j->store, route_settings(d->route)->name);
	const uint8_t *p;
	uint8_t digest[32];
	struct batch b;
	size_t n;

	(void)peer;
	if (store_batch_find(j->store, route, d->id, &b) != 0 ||
	    store_payload_get(j->store, d->id, false, &p, &n) != 0)
		return;			/* there is nothing to deliver, and output.c sees that */
	const struct story *s = story_of(j, &b.batch_id);
	sha256(p, n, digest);
	the_worker->wrong |= !s || memcmp(s->digest, digest, sizeof digest) != 0;
}

/* --- what is found ---------------------------------------------------------------------------- */

/* A letter that says that its bytes are damaged. */
static bool has_damaged_letter(struct judge *j)
{
	struct batch b;
	struct ended e;

	for (size_t r = 0; r < core_route_count(j->core); r++) {
		uint32_t route = core_route_number(core_route(j->core, r));
		int rc;

		b.id = 0;
		while ((rc = store_dead_next(j->store, route, b.id, &b, &e)) != ERR_NOTFOUND)
			if (rc == ERR_CORRUPT || e.error_code == INT_STORE_002 ||
			    b.payload_bytes == 0)
				return true;
	}
	return false;
}

/* A scrub reads all payloads: 0, or ERR_CORRUPT; *wrong where bytes match their checksum and are
 * another batch's. */
static bool scrub(struct judge *j, bool *wrong)
{
	bool fine = true;
	const uint8_t *p;
	uint64_t id;
	size_t n;

	for (size_t i = 0; i < j->stories.count; i++) {
		const struct story *s = &j->stories.list[i];
		enum story_state state = judge_state(j, s, &id);

		if (state != STORY_QUEUED && state != STORY_DEAD)
			continue;
		if (store_payload_get(j->store, id, true, &p, &n) != 0)
			fine = false;
		else
			*wrong |= !judge_payload(j, s, id);
	}
	return fine;
}

static bool deliver_all(struct judge *j)
{
	static int peers[2];

	if (!judge_join(j, "BETA", (struct peer *)&peers[0]) ||
	    !judge_join(j, "GAMMA", (struct peer *)&peers[1]))
		return false;
	for (int turn = 0; turn < 20 && core_turn_close(j->core); turn++)
		if (store_commit(j->store) != 0)
			return false;
	return store_commit(j->store) == 0;
}

/*
 * What nothing is delivered or forgotten for. Some rows there have nothing to be compared with:
 * LMDB keeps where a table's tree begins, and who is led to the page that was it a commit ago finds
 * the table as it was then, whole.
 */
static bool is_beside(enum table t)
{
	return t == TABLE_JOURNAL || t == TABLE_ALIAS || t == TABLE_ALIAS_NEW ||
	    t == TABLE_ALIAS_FILTER ||
	    t == TABLE_ACTION || t == TABLE_CONTROL || t == TABLE_CIRCUIT || t == TABLE_SEQUENCE || t == TABLE_INSTANCE ||
	    t == TABLE_CONFIRM_RECORD;
}

static bool never(void *arg, uint64_t at, size_t n)
{
	(void)arg;
	(void)at;
	(void)n;
	return false;
}

static enum verdict judge_started(struct worker *w, enum table changed)
{
	struct judge *j = &w->judge;
	struct store_tally tally;
	bool told = !judge_audit(j, &tally), kept = judge_batches(j, UINT64_MAX, never, NULL);

	w->wrong = false;
	told |= !scrub(j, &w->wrong);
	store_read_end(j->store);
	if (!deliver_all(j))
		return w->wrong ? WRONG : STOPPED;
	told |= has_damaged_letter(j);
	store_read_end(j->store);
	if (w->wrong)
		return WRONG;
	if (told)
		return REPORTED;
	if (!kept || changed != TABLE_COUNT)
		return kept && (is_beside(changed) || rows_contain(&w->found, &w->rows)) ? BESIDE
											 : SILENT;
	return HARMLESS;
}

/* Power that is lost within a turn's write leaves the same, and that turn was never answered for. */
static bool is_without_last_turn(const struct worker *w, const struct change *c)
{
	return !c->is_cut && c->file == SPOIL_REDO && c->at >= w->last_turn * 8 &&
	    c->at < w->last_turn_end * 8 &&
	    rows_differ(&w->found, &w->rows_before) == TABLE_COUNT;
}

static enum verdict look(struct worker *w, const struct change *c, enum table *changed)
{
	enum verdict v = REFUSED;

	*changed = TABLE_COUNT;
	if (judge_open(&w->judge)) {
		rows_read(&w->found, w->judge.store);
		*changed = rows_differ(&w->rows, &w->found);
		if (judge_recover(&w->judge, &w->ops))
			v = judge_started(w, *changed);
		if (v == SILENT && is_without_last_turn(w, c))
			v = LAST;
	}
	judge_stop(&w->judge);
	return v;
}

/* --- what is changed -------------------------------------------------------------------------- */

/* The flips come first, then the cuts. */
static struct change change_of(const struct worker *w, uint64_t number)
{
	struct rng rng;

	if (w->o->one)
		return spoil_flip(&w->spoil, w->o->only);
	if (number < w->o->flips && w->o->every_bit)
		return spoil_flip(&w->spoil, number);
	rng_seed(&rng, w->o->seed ^ number * 0x9e3779b97f4a7c15u);
	if (number < w->o->flips)
		return spoil_flip(&w->spoil, rng_below(&rng, spoil_bits(&w->spoil)));
	enum spoil_file file = number / 2 % 2 ? SPOIL_REDO : SPOIL_STORE;
	const struct spoiled *f = &w->spoil.files[file];
	uint64_t length = rng_below(&rng, number % 2 ? f->used : f->size);
	/* nothing at all left of the log: a person has emptied it */
	return (struct change){ true, file, file == SPOIL_REDO && length == 0 ? 1 : length };
}

/* --- a worker --------------------------------------------------------------------------------- */

static void tell(struct worker *w, const struct change *c, enum verdict v, const char *words)
{
	if (w->o->one || __atomic_fetch_add(&w->progress->told[v], 1, __ATOMIC_RELAXED) < TOLD_MAX)
		printf("%s %s %llu: %s: %s\n", spoil_names[c->file], c->is_cut ? "cut" : "bit",
		    (unsigned long long)spoil_bit(&w->spoil, c), verdicts[v], words);
	fflush(stdout);
}

/*
 * LMDB's number of the latest commit, with 2 taken from it: follows the other page's, and the store
 * is what it was a commit ago. One bit of a file; nothing else in it can tell.
 */
static bool is_known(const struct change *c)
{
	const uint64_t place = 16 + 128;

	return !c->is_cut && c->file == SPOIL_STORE &&
	    (c->at == place * 8 + 1 || c->at == (4096 + place) * 8 + 1);
}

/* Cut behind all that was written, nothing is lost, and a start makes the store's file whole. */
static bool is_allowed(const struct worker *w, const struct change *c, enum verdict v)
{
	if (c->is_cut)
		return v == REFUSED || (v == HARMLESS && c->file == SPOIL_STORE &&
		    c->at >= w->spoil.files[SPOIL_STORE].used);
	return v != SILENT && v != WRONG;
}

static void work_on(struct worker *w, uint64_t number)
{
	struct change c = change_of(w, number);
	char words[800];
	enum table changed;

	w->progress->current[w->job] = number;
	alarm(LONGEST_SECONDS);
	capture_writes(spoil_wrote, &w->spoil);
	spoil_make(&w->spoil, &c);
	enum verdict v = look(w, &c, &changed);
	capture_writes(NULL, NULL);
	spoil_restore(&w->spoil, &c);
	if (v == SILENT && is_known(&c))
		v = BESIDE;
	__atomic_fetch_add(&w->progress->counts[c.is_cut][v], 1, __ATOMIC_RELAXED);
	if (is_allowed(w, &c, v) && !w->o->one)
		return;
	snprintf(words, sizeof words, "table %d changed; %s", (int)changed, w->judge.why);
	tell(w, &c, v, words);
}

/* The whole one of the highest commit, and of these the latest. */
static void find_last_turn(struct worker *w, uint64_t key)
{
	const struct spoiled *log = &w->spoil.files[SPOIL_REDO];
	struct redo_turn t, last = { 0 };

	for (uint64_t at = 0; at < log->used; at += REDO_PAGE) {
		if (!redo_turn_decode(log->kept + at, log->size - at, key, &t) ||
		    t.commit < last.commit || (t.commit == last.commit && t.number < last.number))
			continue;
		last = t;
		w->last_turn = at;
		w->last_turn_end = at + REDO_TURN_BYTES + t.bytes;
	}
	if (w->last_turn == 0)
		fatalx("the redo log holds too little");
}

/* With this bit changed; returns the log's key. */
static uint64_t read_with(struct worker *w, const struct change *c, struct rows *rows)
{
	capture_writes(spoil_wrote, &w->spoil);
	spoil_make(&w->spoil, c);
	if (!judge_open(&w->judge))
		fatalx("the store cannot be opened: %s", w->judge.why);
	rows_read(rows, w->judge.store);
	uint64_t key = w->judge.store->meta.redo_key;
	judge_stop(&w->judge);
	capture_writes(NULL, NULL);
	spoil_restore(&w->spoil, c);
	return key;
}

static void learn_rows(struct worker *w)
{
	/* a bit that says nothing: the last one of a turn's page */
	struct change none = { false, SPOIL_REDO, REDO_PAGE * 8 - 1 };

	find_last_turn(w, read_with(w, &none, &w->rows));
	read_with(w, &(struct change){ false, SPOIL_REDO, w->last_turn * 8 }, &w->rows_before);
}

static void work(void *arg, unsigned job, bool again)
{
	struct worker *w = (struct worker *)arg + job;
	char dir[300];
	uint64_t number;

	(void)again;
	w->progress->current[job] = UINT64_MAX;
	if (!w->o->one)
		workers_silence();
	the_worker = w;
	snprintf(dir, sizeof dir, "%s/%u", w->o->dir, job);
	mkdir(dir, 0700);
	spoil_lay(&w->spoil, dir);
	judge_init(&w->judge, w->o->config, w->o->stories, dir);
	w->ops = quiet_peers;
	w->ops.deliver = on_deliver;
	learn_rows(w);
	while ((number = __atomic_fetch_add(&w->progress->next, 1, __ATOMIC_RELAXED)) <
	    w->o->flips + w->o->cuts)
		work_on(w, number);
	judge_finish(&w->judge);
}

static bool on_death(void *arg, unsigned job, int status)
{
	struct worker *w = (struct worker *)arg + job;

	if (w->progress->current[job] == UINT64_MAX)
		fatalx("a worker ended before it began: %s", workers_death(status));
	struct change c = change_of(w, w->progress->current[job]);
	w->progress->counts[c.is_cut][DIED]++;
	tell(w, &c, DIED, workers_death(status));
	return w->progress->counts[0][DIED] < ENOUGH;
}

/* --- the whole -------------------------------------------------------------------------------- */

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		fatalx("%s is no number", text);
	return n;
}

static void options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "store", required_argument, NULL, 'f' },
		{ "stories", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' }, { "dir", required_argument, NULL, 'd' },
		{ "flips", required_argument, NULL, 'n' }, { "every-bit", no_argument, NULL, 'e' },
		{ "cuts", required_argument, NULL, 'k' }, { "seed", required_argument, NULL, 'r' },
		{ "jobs", required_argument, NULL, 'j' }, { "only", required_argument, NULL, 'o' },
		{ 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		switch (c) {
		case 'f': o->store = optarg; break;
		case 's': o->stories = optarg; break;
		case 'c': o->config = optarg; break;
		case 'd': o->dir = optarg; break;
		case 'n': o->flips = number(optarg); break;
		case 'e': o->every_bit = true; break;
		case 'k': o->cuts = number(optarg); break;
		case 'r': o->seed = number(optarg); break;
		case 'j': o->jobs = (unsigned)number(optarg); break;
		case 'o': o->one = true; o->only = number(optarg); break;
		default: exit(64);
		}
	}
	if (!o->store || !o->stories || !o->config || !o->dir || o->jobs < 1 ||
	    o->jobs > WORKERS_MAX)
		fatalx("usage: rot --store DIR --stories FILE --config FILE --dir DIR "
		    "[--flips N | --every-bit] [--cuts N] [--seed S] [--jobs J] [--only BIT]");
}

static bool report(const struct progress *p, const struct worker *w)
{
	const uint64_t *flips = p->counts[0], *cuts = p->counts[1];

	printf("%llu KiB;", (unsigned long long)spoil_bits(&w->spoil) / 8192);
	for (int v = 0; v < VERDICT_COUNT; v++)
		printf(" %s %llu", verdicts[v], (unsigned long long)flips[v]);
	printf("; cuts:");
	for (int v = 0; v < VERDICT_COUNT; v++)
		printf(" %s %llu", verdicts[v], (unsigned long long)cuts[v]);
	printf("\n");
	return flips[BESIDE] <= p->next / BESIDE_ONE_IN &&
	    flips[SILENT] + flips[WRONG] == 0 &&
	    cuts[REPORTED] + cuts[BESIDE] + cuts[LAST] + cuts[STOPPED] + cuts[DIED] + cuts[SILENT] +
	    cuts[WRONG] == 0;
}

int main(int argc, char **argv)
{
	static struct worker list[WORKERS_MAX];
	struct options o = { .seed = 1, .jobs = 1 };
	struct progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	digest_init();
	options_read(&o, argc, argv);
	spoil_read(&list[0].spoil, o.store);
	if (o.every_bit)
		o.flips = spoil_bits(&list[0].spoil);
	if (o.one) {
		o.flips = 1;
		o.jobs = 1;
	}
	for (unsigned job = 0; job < o.jobs; job++)
		list[job] = (struct worker){ .o = &o, .progress = p, .spoil = list[0].spoil,
			.job = job };
	workers_run(o.jobs, work, on_death, list);
	return report(p, &list[0]) ? 0 : 1;
}
