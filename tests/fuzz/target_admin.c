/*
 * target_admin.c - an operator's conversation: bytes in, answers out, and a reader changes nothing
 *
 * The first byte says who it is: one who may look (even), or one who may change things (odd). The
 * rest is what he sends, over a real socket, to a broker that has batches in every state. Each
 * answer must have its form. Whatever a reader sends, nothing is written to the store, and in
 * memory all is as it was; what an operator changes, the store agrees with.
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/internal.h"
#include "base/log.h"
#include "fuzz.h"
#include "peers.h"
#include "store/internal.h"

#define ROUNDS_MAX 3000
#define PIECE_BYTES 512

static struct world world;
static struct ev_loop *loop;
static char socket_path[320];

/* --- a broker with something to look at ------------------------------------------------------- */

static void turn(struct world *w)
{
	house_turn(&w->house, DEATH_NONE);
	peers_hear(w);
	peers_check(w);
	w->house.now_ms += 10;
}

/* Dead, ended, ended in part, waiting, held back, awaiting confirmation, and ready. */
static void populate(struct world *w)
{
	struct peer *alpha = &w->peers[0], *beta = &w->peers[2], *gamma = &w->peers[4];

	for (unsigned n = 0; n < PEER_COUNT; n += 2) {
		peer_connect(w, &w->peers[n]);
		peer_hello(w, &w->peers[n], true, false);
	}
	turn(w);
	for (unsigned n = 0; n < 4; n++)
		peer_send(w, alpha, n);
	turn(w);
	peer_answer(w, beta, 0, ACK_REJECTED, true, 0);
	peer_answer(w, beta, 1, ACK_REJECTED, false, 0);
	peer_answer(w, beta, 2, ACK_PROCESSED, false, 1);
	peer_answer(w, beta, 3, ACK_PROCESSED, false, 0);
	peer_send(w, beta, 1);
	turn(w);
	peer_answer(w, gamma, 0, ACK_PROCESSED, false, 0);
	peer_leave(beta, false);
	peer_send(w, alpha, 3);
	turn(w);
	for (unsigned n = 0; n < PEER_COUNT; n++)
		peer_leave(&w->peers[n], false);
	turn(w);
}

static void open_door(struct world *w)
{
	const struct admin_settings settings = { .socket = socket_path };
	char why[512];

	w->house.admin = admin_create(loop, w->house.core, w->house.store, &settings,
	    w->house.now_ms, why, sizeof why);
	must(w->house.admin != NULL);
	house_turn(&w->house, DEATH_NONE);
}

static void begin_anew(struct world *w)
{
	admin_destroy(w->house.admin);
	house_close(&w->house);
	house_open(&w->house);
	open_door(w);
}

void target_begin(void)
{
	struct world *w = &world;

	loop = ev_loop_new(EVFLAG_AUTO);
	snprintf(socket_path, sizeof socket_path, "%s/admin", fuzz_directory());
	w->decoder = decoder_create(DECODE_AT_CLIENT);
	peers_begin(w);
	house_open(&w->house);
	populate(w);
	house_keep(&w->house);
	open_door(w);
}

/* --- the form of answers ---------------------------------------------------------------------- */

struct listener {
	char line[ADMIN_STEP_BYTES_MAX + 16];
	size_t n;
	unsigned answers;
};

/* ".0" to ".77", at times with " yes" behind it. */
static bool is_end(const char *line)
{
	char *rest;
	unsigned long code = strtoul(line + 1, &rest, 10);

	return rest != line + 1 && code <= ADMIN_NO_RIGHT &&
	    (*rest == '\0' || strcmp(rest, " yes") == 0);
}

static void hear_line(struct listener *l)
{
	l->line[l->n] = '\0';
	for (size_t k = 0; k < l->n; k++)	/* a terminal is not to be told anything */
		must((unsigned char)l->line[k] >= 0x20 && l->line[k] != 0x7f);
	if (l->line[0] == '.' && l->line[1] != '.') {
		must(is_end(l->line));
		l->answers++;
	}
	l->n = 0;
}

static void hear(struct listener *l, int fd)
{
	char bytes[16384];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		for (ssize_t k = 0; k < n; k++) {
			if (bytes[k] == '\n') {
				hear_line(l);
			} else {
				must(l->n < sizeof l->line - 1);
				l->line[l->n++] = bytes[k];
			}
		}
}

/* --- the conversation ------------------------------------------------------------------------- */

/* What a reader could have changed. */
struct state {
	enum log_level level;
	bool draining, paused[ROUTE_COUNT];
	uint64_t written;		/* transactions that the file has */
	struct route_counters counters[ROUTE_COUNT];
};

static struct state look(const struct world *w)
{
	static const char *const names[ROUTE_COUNT] = { "alpha-beta", "beta-gamma" };
	struct state m;
	struct route_control control;
	MDB_envinfo info;

	memset(&m, 0, sizeof m);
	m.level = log_level_get();
	m.draining = core_is_draining(w->house.core);
	must(mdb_env_info(w->house.store->env, &info) == 0);
	m.written = info.me_last_txnid;
	for (unsigned n = 0; n < ROUTE_COUNT; n++) {
		store_control_get(w->house.store, w->house.routes[n], &control);
		m.paused[n] = control.paused;
		m.counters[n] = *core_counters(w->house.core, names[n]);
	}
	store_read_end(w->house.store);
	return m;
}

static void talk(struct world *w, enum admin_role role, const uint8_t *p, size_t n)
{
	static struct listener l;
	const struct local_peer peer = { .pid = 1, .uid = 4711 };
	int pair[2];
	size_t sent = 0;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	operator_create(w->house.admin, pair[0], &peer, role);
	l = (struct listener){ .n = 0 };
	for (unsigned round = 0; w->house.admin->count > 0; round++) {
		size_t part = n - sent < PIECE_BYTES ? n - sent : PIECE_BYTES;
		ssize_t done = part > 0 ? send(pair[1], p + sent, part, MSG_NOSIGNAL) : 0;

		must(round < ROUNDS_MAX);	/* the end of the connection ends it */
		sent += done > 0 ? (size_t)done : 0;
		if (sent == n)
			shutdown(pair[1], SHUT_WR);
		house_turn(&w->house, DEATH_NONE);
		hear(&l, pair[1]);
		if (done < 0)
			sent = n;		/* it was closed before the end */
		if (round > ROUNDS_MAX / 2)	/* a command that goes on and on: he goes */
			shutdown(pair[1], SHUT_RDWR);
	}
	must(l.n == 0);				/* the last line was whole, too */
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = &world;
	struct state before = look(w), after;
	bool may_change;

	if (size < 2)
		return 0;
	may_change = data[0] & 1;
	talk(w, may_change ? ROLE_CHANGE : ROLE_LOOK, data + 1, size - 1);
	after = look(w);
	must(may_change || memcmp(&before, &after, sizeof before) == 0);
	if (memcmp(&before, &after, sizeof before) == 0)
		return 0;
	house_check(&w->house);
	log_level_set(before.level);
	begin_anew(w);
	return 0;
}
