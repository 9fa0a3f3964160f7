/* server.c - the broker as a process: assembly in the order of life, and the end */
#include "server/server.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/rng.h"
#include "http/http.h"
#include "net/handshake.h"
#include "net/listener.h"
#include "net/tls.h"
#include "server/limits.h"
#include "server/notify.h"
#include "server/sandbox.h"
#include "server/settings.h"
#include "server/signals.h"
#include "server/turn.h"

#define STOP_MS 2000			/* last frames have so long to leave */
#define ADDRESSES_REMEMBERED 4096	/* for the limit of handshakes per address */

struct server {
	const struct config *config;
	struct settings *settings;
	struct tls_context *tls;
	struct listener *listener;
	struct handshakes *handshakes;
	struct limits limits;
	struct sandbox sandbox;
	struct turn turn;
	struct signals signals;
	bool stopping;
	int64_t started_us;
};

static struct tls_context *load_tls(const struct config *c)
{
	char why[512];
	struct tls_context *tls = tls_server_create(c->tls_ca, c->tls_certificate, c->tls_key, why,
	    sizeof why);

	if (!tls)
		fprintf(stderr, "handoffd: %s\n", why);
	return tls;
}

int server_check(const struct config *config)
{
	digest_init();
	tls_init();
	struct tls_context *tls = load_tls(config);
	tls_destroy(tls);
	return tls ? 0 : EX_CONFIG;
}

/* --- before anything is served ---------------------------------------------------------------- */

/*
 * No core files with keys and batches in them, no signal for a closed pipe, as many descriptors as
 * allowed. SIGHUP, which does nothing yet, does not end the broker either.
 */
static void harden(void)
{
	struct rlimit none = { 0, 0 }, files;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/*
 * Frames and LMDB's lists come and go in each turn: what glibc would give back to the kernel after
 * one and ask for again in the next stays with us, up to TRIM_BYTES.
 */
#define MMAP_BYTES (32 * 1024 * 1024)
#define TRIM_BYTES (64 * 1024 * 1024)

static void tune_malloc(void)
{
	mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
}

/* The store's file was cut under us: nothing can be saved, but it can be said. */
static void on_sigbus(int signal_number)
{
	static const char text[] =
	    "handoffd: the store's file cannot be read any more (SIGBUS): is it cut "
	    "short, or is the disk failing?\n";

	(void)signal_number;
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0) { /* nothing more can be done */ }
	_exit(EX_IOERR);
}

static int open_store(struct server *s)
{
	struct store_options o = { s->config->store_path, (uint64_t)s->config->store_size };
	char why[1024];
	int rc = store_open(&o, &s->turn.store, why, sizeof why);

	if (rc == 0)
		return 0;
	log_error("store not opened", "path=%s reason=%s",
	    log_quote(o.path, strlen(o.path)), log_quote(why, strlen(why)));
	fprintf(stderr, "handoffd: %s\n", why);
	return rc == ERR_IO ? EX_IOERR : EX_CONFIG;
}

/* Recovery is what every start does; what it changed is durable before anybody is served. */
static int recover(struct server *s)
{
	struct turn *t = &s->turn;
	char why[512];
	uint64_t seed;

	struct store_boot boot = store_boot(t->store);

	rng_system(&seed, sizeof seed);
	clock_start(&t->clock, store_clock_ms(t->store), &boot, datetime_now_us() / 1000);
	t->awake_ms = clock_monotonic_ms();
	boot = clock_boot(&t->clock);
	store_set_boot(t->store, &boot);
	t->core = core_create(t->store, &session_peer_ops, &s->settings->core, t->clock.now_ms,
	    seed, why, sizeof why);
	if (!t->core) {
		fprintf(stderr, "handoffd: %s\n", why);
		return EX_CONFIG;
	}
	FAILPOINT("recover.before");
	if (store_commit(t->store) != 0) {
		log_error("recovery not committed", "path=%s", s->config->store_path);
		return EX_IOERR;
	}
	FAILPOINT("recover.after");
	t->sessions = sessions_create(t->loop, t->core, t->store, &s->settings->sessions, seed);
	return 0;
}

/* --- the door --------------------------------------------------------------------------------- */

static void on_established(void *arg, struct stream *stream, const char *address)
{
	struct server *s = arg;

	sessions_add(s->turn.sessions, stream, address);
}

static void on_accepted(void *arg, int fd, const char *address)
{
	struct server *s = arg;

	handshakes_add(s->handshakes, s->tls, fd, address);
}

static int open_operators_door(struct server *s)
{
	const struct config *c = s->config;
	struct admin_settings settings = {
		.socket = c->admin_socket,
		.operators = { c->admin_operators.uids, c->admin_operators.count },
		.readers = { c->admin_readers.uids, c->admin_readers.count },
		.readers_only = c->admin_readers.given,
		.limits = s->limits.list,
		.limit_count = s->limits.count,
		.sandbox = s->sandbox.words,
	};
	char why[512];

	if (!c->admin_socket)
		return 0;
	s->turn.admin = admin_create(s->turn.loop, s->turn.core, s->turn.store, &settings,
	    s->turn.clock.now_ms, why, sizeof why);
	if (s->turn.admin)
		return 0;
	fprintf(stderr, "handoffd: %s\n", why);
	return EX_CONFIG;
}

/* What the rooms below cannot know of each other, for a page of metrics. */
static void look(void *arg, struct broker_facts *out)
{
	const struct server *s = arg;
	const struct handshakes *h = s->handshakes;

	*out = (struct broker_facts){
		.stopping = s->stopping,
		.connections = sessions_count(s->turn.sessions),
		.certificate_expiry_us = tls_expiry_us(s->tls),
		.authority_expiry_us = tls_authority_expiry_us(s->tls),
		.started_us = s->started_us,
		.refused = {
			[REFUSAL_TLS] = handshakes_refused(h, HANDSHAKE_TLS),
			[REFUSAL_TIMEOUT] = handshakes_refused(h, HANDSHAKE_TIMEOUT),
			[REFUSAL_CROWDED] = handshakes_refused(h, HANDSHAKE_CROWDED),
			[REFUSAL_RESOURCES] = handshakes_refused(h, HANDSHAKE_RESOURCES),
			[REFUSAL_IDENTITY] = sessions_refused(s->turn.sessions),
		},
	};
	if (s->listener == NULL)	/* the end has begun */
		return;
	out->refused[REFUSAL_ADDRESS_RATE] = listener_refused_address(s->listener);
	out->refused[REFUSAL_TOTAL_RATE] = listener_refused_total(s->listener);
}

static int open_lookers_door(struct server *s)
{
	const struct config_address *address = &s->config->http_listen;
	struct http_settings settings = {
		.host = address->host,
		.port = address->port,
		.turn = &s->turn.measures,
		.look = look,
		.arg = s,
	};
	char why[512];

	if (*address->host == '\0')
		return 0;
	s->turn.http = http_create(s->turn.loop, s->turn.core, s->turn.store, &settings,
	    s->turn.clock.peer_ms, why, sizeof why);
	if (s->turn.http) {
		log_info("http opened", "address=%s port=%u", address->host,
		    http_port(s->turn.http));
		return 0;
	}
	fprintf(stderr, "handoffd: http.listen: %s\n", why);
	return EX_OSERR;
}

static int open_door(struct server *s)
{
	const struct config *c = s->config;
	struct handshakes_settings limits = { (unsigned)c->max_handshakes,
		c->handshake_timeout_ms };
	char port[16], why[512];
	struct listener_settings door = {
		.host = c->listen.host,
		.port = port,
		.per_address = (unsigned)c->max_address_handshake_rate,
		.total = (unsigned)c->max_handshake_rate,
		.addresses = ADDRESSES_REMEMBERED,
	};

	snprintf(port, sizeof port, "%u", c->listen.port);
	s->handshakes = handshakes_create(s->turn.loop, &limits, on_established, s);
	s->listener = listener_create(s->turn.loop, &door, on_accepted, s, why, sizeof why);
	if (s->listener)
		return 0;
	fprintf(stderr, "handoffd: %s\n", why);
	return EX_OSERR;
}

/* --- locked in -------------------------------------------------------------------------------- */

/* The redo log's thread: the loop may sleep until it has written. */
static void on_written(void *arg)
{
	struct turn *t = arg;

	waker_wake(t->waker);
}

static void start_threads(void *arg)
{
	struct turn *t = arg;

	if (!store_flush_aside(t->store, on_written, t))
		log_warning("no thread for the redo log", "effect=\"turns wait for the disk\"");
}

/* All is open that a broker needs: whatever peers send from now on causes no more than that. */
static void lock_in(struct server *s)
{
	const struct config *c = s->config;
	const char *readable[] = { c->path, c->tls_ca, c->tls_certificate, c->tls_key };
	const struct sandbox_paths paths = { readable, sizeof(readable) / sizeof(readable[0]),
		c->admin_socket };

	if (geteuid() == 0)
		log_warning("runs as root", "remedy=\"a broker needs no rights: give it a user\"");
	if (!c->sandbox) {
		snprintf(s->sandbox.words, sizeof(s->sandbox.words), "off");
		log_warning("sandbox off", "reason=\"sandbox = false in the configuration: who "
			    "takes over this process can do all that its user can\"");
		start_threads(&s->turn);
		return;
	}
	sandbox_enter(&paths, start_threads, &s->turn, &s->sandbox);
	log_info("sandboxed", "seccomp=%s landlock=%d", s->sandbox.seccomp ? "on" : "off",
	    s->sandbox.landlock);
	if (*s->sandbox.missing != '\0')
		log_warning("sandbox incomplete", "missing=%s",
		    log_quote(s->sandbox.missing, strlen(s->sandbox.missing)));
}

/* --- life and end ----------------------------------------------------------------------------- */

static void on_timeout(void *arg)
{
	(void)arg;		/* being awake is all it is for: the turn finds out what is due */
}

static void say_ready(struct server *s)
{
	char status[128];

	snprintf(status, sizeof status, "serving %s:%u", s->config->listen.host,
	    listener_port(s->listener));
	log_info("ready", "address=%s port=%u store=%s routes=%zu", s->config->listen.host,
	    listener_port(s->listener),
	    log_quote(s->config->store_path, strlen(s->config->store_path)),
	    s->config->route_count);
	if (!log_is_on(LOG_LEVEL_INFO))		/* whoever starts us waits for this line */
		fprintf(stderr, "handoffd: ready\n");
	notify_ready(status);
}

static bool serve(struct server *s)
{
	while (!s->signals.latest)
		if (!turn_run(&s->turn))
			return false;
	return true;
}

/* Stop accepting, commit, GOODBYE; last frames get STOP_MS to leave. A second signal ends it at
 * once. */
static bool stop(struct server *s)
{
	int64_t until_ms = clock_monotonic_ms() + STOP_MS;

	log_info("stopping", "signal=%s", s->signals.latest == SIGTERM ? "SIGTERM" : "SIGINT");
	notify_stopping("stopping");
	s->stopping = true;
	listener_destroy(s->listener);
	s->listener = NULL;
	admin_destroy(s->turn.admin);
	s->turn.admin = NULL;
	FAILPOINT("stop.begun");
	sessions_shut_down(s->turn.sessions);
	FAILPOINT("stop.told");
	s->signals.latest = 0;
	while (!s->signals.latest && sessions_count(s->turn.sessions) > 0 &&
	    clock_monotonic_ms() < until_ms)
		if (!turn_run(&s->turn))
			return false;
	return true;
}

static int start(struct server *s)
{
	int rc;

	s->turn.loop = ev_default_loop(EVFLAG_AUTO);
	if (!s->turn.loop)
		return EX_OSERR;
	(void)notify_open();		/* without a listener there is no less of a broker */
	s->turn.timeout = timeout_create(s->turn.loop, on_timeout, NULL);
	s->turn.waker = waker_create(s->turn.loop);
	signals_open(&s->signals, s->turn.loop);
	s->tls = load_tls(s->config);
	if (!s->tls)
		return EX_CONFIG;
	own_health_init(&s->turn.own_health, s->config);
	if ((rc = open_store(s)) != 0 || (rc = recover(s)) != 0 ||
	    (rc = open_operators_door(s)) != 0 || (rc = open_door(s)) != 0)
		return rc;
	return open_lookers_door(s);
}

static void finish(struct server *s)
{
	FAILPOINT("stop.finish");
	listener_destroy(s->listener);
	handshakes_destroy(s->handshakes);
	admin_destroy(s->turn.admin);
	http_destroy(s->turn.http);
	sessions_destroy(s->turn.sessions);
	core_destroy(s->turn.core);
	store_close(s->turn.store);
	tls_destroy(s->tls);
	timeout_destroy(s->turn.timeout);
	waker_destroy(s->turn.waker);
	settings_destroy(s->settings);
	limits_finish(&s->limits);
	notify_close();
}

/* What the store did in this life; tests/bench/budget counts with it. */
static void log_stopped(const struct store *s)
{
	log_info("stopped", "commits=%" PRIu64 " operations=%" PRIu64 " copies=%" PRIu64,
	    store_commits(s), store_operations(s), store_payload_copies(s));
}

int server_run(const struct config *config)
{
	struct server s = { .config = config, .settings = settings_create(config) };
	int rc;

	limits_init(&s.limits, config);
	harden();
	tune_malloc();
	signal(SIGBUS, on_sigbus);
	turn_measures_init(&s.turn.measures);
	s.started_us = datetime_now_us();
	digest_init();
	tls_init();
	rc = start(&s);
	if (rc == 0) {
		lock_in(&s);
		say_ready(&s);
		if (!serve(&s) || !stop(&s) || store_checkpoint(s.turn.store) != 0) {
			log_error("store failed", "path=%s", config->store_path);
			rc = EX_IOERR;
		} else {
			(void)log_held_back(true);
			log_stopped(s.turn.store);
		}
	}
	if (rc == EX_IOERR)
		_exit(rc);	/* nothing is sure: touch nothing more, the next start recovers */
	finish(&s);
	return rc;
}
