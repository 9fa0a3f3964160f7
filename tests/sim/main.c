/* main.c - sim: the core under a deterministic simulator, seed by seed */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "sim.h"

/*
 * The broker's decisions run here as they do in handoffd, with the real store under them, but the
 * modules, their connections, the clock and the deaths of the process are drawn from a seed. Beside
 * them runs a model, in plain memory, of what protocol.md makes of each event.
 *
 *	plan.c		what a seed decides beforehand: routes, settings, which troubles there are
 *	seed.c		its steps: troubled times, then none, and everything must end
 *	source.c target.c link.c
 *			what modules do: send and send again; answer, late, wrongly; come and go
 *	flow.c confirm.c
 *			back-pressure both ways, confirmations of records: what modules do, and the
 *			model of it
 *	breaker.c	circuits of routes, one that modules share, the flood of dead letters: the
 *			model of them, who opens and closes them
 *	tale.c tell.c	what modules tell of errors; who must hear of it, what comes of it
 *	errors.c check_errors.c summary.c
 *			the error queue: the model of it, the store's against that, what deliveries
 *			and outcomes say of it
 *	health.c checkup.c
 *			instances are asked how they do, and answer; what the broker reports
 *	operator.c find.c
 *			a person's hand (hold, redrive, purge, import, pause, kick …) and eye
 *	message.c	their frames, by the real encoder through the real decoder
 *	broker.c	the process under test: start, turn, commit, crash, bit rot
 *	disk.c		calls that fail under the store
 *	rot.c elsewhere.c
 *			two ways for a store to meet another life: damaged, or under a configuration
 *			that declares less
 *	storm.c		thousands of batches at once, without a seed and without the model
 *	listener.c	a peer that does nothing, for those three
 *	connection.c	peers that are no sockets: what is owed leaves after the commit
 *	model.h		the model: what is in it
 *	fate.c party.c row.c letter.c
 *			the model: how an event changes what must be true of a batch, an instance,
 *			what history has and owes, the letters that the broker makes
 *	oracle.c	the model: how an offer or an answer must be met
 *	check_peer.c	invariants of what is handed to peers
 *	check.c check_measure.c
 *			invariants of the store, the counters and the waiting
 *
 * Facts (struct parcel, struct actor) are what modules know and no crash of the broker changes; the
 * model goes back to the latest commit with a crash, as the store does, and from there on the two
 * must agree. A new event is an action in source.c, target.c or link.c, and its meaning in fate.c.
 *
 * One parcel stands for one batch in the store: a letter of rejected records is a parcel of its own,
 * and so is a letter of a whole batch, which shares the batch_id (and the store's id) with its
 * parent. model.owner says which of them that id leads to.
 *
 *	sim --seeds 1000 [--from M] [--jobs 2]	many; the arrows of a batch's life that were taken
 *	sim --seed N [--trace]			one, as a story
 *	sim --storm				thousands of batches at once: storm.c
 *	--dir DIR				where the stores are; best a tmpfs
 *
 * Exits 1 when an invariant broke, or when an arrow was never taken in ARROWS_WANTED seeds.
 */
#define ARROWS_WANTED 300
#define SEED_SECONDS_MAX 60
#define JOBS_MAX 16

struct options {
	uint64_t from, seeds;
	unsigned jobs;
	bool one, trace, storm;
	const char *dir;
};

/* Shared with the workers. */
struct progress {
	uint64_t next;			/* seed that the next worker takes */
	uint64_t passed, failed;
	uint64_t current[JOBS_MAX];
	uint64_t arrows[BATCH_STATE_COUNT][CAUSE_COUNT];
	uint64_t simulated_ms, starts;
};

static struct world world;

/* --- a worker -------------------------------------------------------------------------------- */

static void add_seed(struct progress *p, const struct world *w)
{
	__atomic_add_fetch(&p->simulated_ms, w->now_ms - SEED_BEGINS_MS, __ATOMIC_RELAXED);
	__atomic_add_fetch(&p->starts, w->starts, __ATOMIC_RELAXED);
	for (int from = 0; from < BATCH_STATE_COUNT; from++)
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			__atomic_add_fetch(&p->arrows[from][cause], w->arrows[from][cause],
			    __ATOMIC_RELAXED);
}

/* The core's log is part of its work, and tells nobody anything here. */
static void silence_log(void)
{
	int story = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	report_to(story);
	dup2(null, STDERR_FILENO);
	close(null);
}

__attribute__((noreturn))
static void work(const struct options *o, struct progress *p, unsigned job)
{
	/* of its own work, however busy the machine is: it waits for nothing */
	const struct itimerval patience = { .it_value.tv_sec = SEED_SECONDS_MAX };
	char dir[300];

	silence_log();
	signal(SIGINT, SIG_IGN);	/* the keeper's affair */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(dir, sizeof dir, "%s/%u", o->dir, job);
	for (;;) {
		uint64_t seed = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);

		if (seed >= o->from + o->seeds)
			exit(0);	/* not _exit(): coverage is written then */
		p->current[job] = seed;
		setitimer(ITIMER_PROF, &patience, NULL);
		seed_run(&world, seed, dir, false);
		add_seed(p, &world);
		__atomic_add_fetch(&p->passed, 1, __ATOMIC_RELAXED);
	}
}

/* --- the report ------------------------------------------------------------------------------ */

static bool report_arrows(const struct progress *p, bool wanted)
{
	bool all = true;

	for (int from = 0; from < BATCH_STATE_COUNT; from++)
		for (int cause = 0; cause < CAUSE_COUNT; cause++) {
			if (!core_arrow_exists((enum batch_state)from, (enum batch_cause)cause))
				continue;
			uint64_t n = p->arrows[from][cause];
			printf("%-9s %-20s %10llu%s\n", batch_state_name((enum batch_state)from),
			    batch_cause_name((enum batch_cause)cause), (unsigned long long)n,
			    n == 0 ? "  never taken" : "");
			all &= n > 0;
		}
	if (!all && wanted)
		printf("some arrow of a batch's life was never taken\n");
	return all || !wanted;
}

static void report_death(const struct progress *p, unsigned job, int status)
{
	if (WIFEXITED(status))
		return;			/* it has told its story */
	fprintf(stderr, "\nseed %llu %s (signal %d)\nreplay it with: sim --seed %llu --trace\n",
	    (unsigned long long)p->current[job], WTERMSIG(status) == SIGPROF ? "hung" : "died",
	    WTERMSIG(status), (unsigned long long)p->current[job]);
}

/* --- the workers' keeper --------------------------------------------------------------------- */

static pid_t start_worker(const struct options *o, struct progress *p, unsigned job)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		work(o, p, job);
	if (pid < 0)
		fatalx("no worker could be made: %s", strerror(errno));
	return pid;
}

static void show_progress(const struct options *o, const struct progress *p)
{
	if (isatty(STDOUT_FILENO)) {
		printf("\r%llu of %llu seeds, %llu failed",
		    (unsigned long long)(p->passed + p->failed), (unsigned long long)o->seeds,
		    (unsigned long long)p->failed);
		fflush(stdout);
	}
}

static volatile sig_atomic_t stopped;

/* SIGALRM only wakes waitpid(), for the progress line. */
static void on_signal(int sig)
{
	stopped |= sig != SIGALRM;
}

static void catch_signals(void)
{
	static const int caught[] = { SIGALRM, SIGINT, SIGTERM, SIGHUP };

	for (size_t n = 0; n < sizeof caught / sizeof caught[0]; n++)
		sigaction(caught[n], &(struct sigaction){ .sa_handler = on_signal }, NULL);
}

static void run_many(const struct options *o, struct progress *p)
{
	pid_t pids[JOBS_MAX];
	unsigned running = o->jobs;
	int status;

	catch_signals();
	for (unsigned job = 0; job < o->jobs; job++)
		pids[job] = start_worker(o, p, job);
	while (running > 0 && !stopped) {
		alarm(1);
		pid_t pid = waitpid(-1, &status, 0);
		show_progress(o, p);
		for (unsigned job = 0; pid > 0 && job < o->jobs; job++) {
			if (pids[job] != pid)
				continue;
			pids[job] = 0;
			running--;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
				continue;
			report_death(p, job, status);
			p->failed++;
			pids[job] = start_worker(o, p, job);
			running++;
		}
	}
	alarm(0);
	for (unsigned job = 0; stopped && job < o->jobs; job++)
		if (pids[job] > 0)
			kill(pids[job], SIGKILL);
	if (isatty(STDOUT_FILENO))
		printf("\n");
}

/* --- options --------------------------------------------------------------------------------- */

static const char *made_dir(const char *where)
{
	static char dir[256];
	const char *tmp = getenv("TMPDIR");

	if (!where)
		where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : tmp ? tmp : "/tmp";
	snprintf(dir, sizeof dir, "%s/handoff-sim-XXXXXX", where);
	if (!mkdtemp(dir))
		fatalx("no directory could be made in %s: %s", where, strerror(errno));
	return dir;
}

static void remove_dir(const struct options *o)
{
	static const char *const files[] = { "custody.mdb", "custody.mdb-lock", "custody.redo", "lock" };
	char path[320];

	for (unsigned job = 0; job < o->jobs; job++) {
		for (size_t n = 0; n < sizeof files / sizeof files[0]; n++) {
			snprintf(path, sizeof path, "%s/%u/%s", o->dir, job, files[n]);
			unlink(path);
		}
		snprintf(path, sizeof path, "%s/%u", o->dir, job);
		rmdir(path);
	}
	rmdir(o->dir);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		fatalx("%s is no number", text);
	return n;
}

static void usage(void)
{
	fprintf(stderr, "usage: sim --seeds N [--from M] [--jobs J] [--dir DIR]\n"
	    "       sim --seed N [--trace] [--dir DIR]\n"
	    "       sim --storm [--dir DIR]\n");
	exit(64);
}

static void options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 'n' }, { "seeds", required_argument, NULL, 's' },
		{ "from", required_argument, NULL, 'f' }, { "jobs", required_argument, NULL, 'j' },
		{ "dir", required_argument, NULL, 'd' }, { "trace", no_argument, NULL, 't' }, { "storm", no_argument, NULL, 'm' }, { 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (c == 'n' || c == 'f')
			o->from = number(optarg);
		if (c == 'n')
			o->one = true;
		else if (c == 's')
			o->seeds = number(optarg);
		else if (c == 'j')
			o->jobs = (unsigned)number(optarg);
		else if (c == 'd')
			o->dir = optarg;
		else if (c == 't')
			o->trace = true;
		else if (c == 'm')
			o->storm = true;
		else if (c == '?')
			usage();
	}
	if (optind != argc || o->jobs < 1 || o->jobs > JOBS_MAX)
		usage();
	if (o->one)
		o->seeds = 1;
}

int main(int argc, char **argv)
{
	struct options o = { .from = 1, .seeds = 100, .jobs = 1 };
	struct progress *p =
		mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	options_read(&o, argc, argv);
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	digest_init();
	o.dir = made_dir(o.dir);
	p->next = o.from;
	if (o.trace || o.storm) {
		char dir[300];

		snprintf(dir, sizeof dir, "%s/0", o.dir);
		if (o.storm)
			storm_run(&world, dir);
		else
			seed_run(&world, o.from, dir, true);
		add_seed(p, &world);
		p->passed = 1;
	} else {
		run_many(&o, p);
	}
	bool taken = o.storm || report_arrows(p, !o.one && o.seeds >= ARROWS_WANTED);
	remove_dir(&o);
	printf("%.1f hours simulated, %llu starts of the broker\n",
	    (double)p->simulated_ms / 3600000, (unsigned long long)p->starts);
	printf("%llu seeds passed, %llu failed\n", (unsigned long long)p->passed,
	    (unsigned long long)p->failed);
	return p->failed == 0 && taken && !stopped ? 0 : 1;
}
