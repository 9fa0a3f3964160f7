/*
 * listener.c - the door: accepts TCP connections, within limits that come before any TLS
 *
 * When the process has no descriptor left, accept() fails while the socket stays readable, and a
 * level-triggered loop would spin. So one spare descriptor is kept: it is given up to accept and
 * close one stranger, who then knows, and the watcher rests for LISTENER_PAUSE_MS.
 */
#include "net/listener.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net/ratelimit.h"
#include "net/socket.h"

#define LISTENER_BACKLOG 512
#define LOG_LINES_PER_SECOND 1

struct listener {
	ev_io io;
	ev_timer pause;
	struct ev_loop *loop;		/* borrowed */
	int fd;				/* owned; listening */
	int spare_fd;			/* owned; -1 while it is given up */
	struct ratelimit *ratelimit;	/* owned */
	uint64_t refused_address, refused_total;
	void (*on_accepted)(void *arg, int fd, const char *address);
	void *arg;
};

union peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

/* What the rate limit knows the peer by; false for loopback, which it does not know apart. */
static bool ratelimit_key(const union peer *peer, struct ratelimit_address *key)
{
	const uint8_t *ipv4 = (const uint8_t *)&peer->v4.sin_addr;

	*key = (struct ratelimit_address){ .b = { [10] = 0xff, [11] = 0xff } };
	if (peer->any.sa_family == AF_INET6) {
		if (IN6_IS_ADDR_LOOPBACK(&peer->v6.sin6_addr))
			return false;
		if (!IN6_IS_ADDR_V4MAPPED(&peer->v6.sin6_addr)) {
			*key = (struct ratelimit_address){ .b = { 0 } };
			memcpy(key->b, peer->v6.sin6_addr.s6_addr, 8);
			return true;
		}
		ipv4 = peer->v6.sin6_addr.s6_addr + 12;
	}
	memcpy(key->b + 12, ipv4, 4);
	return ipv4[0] != IN_LOOPBACKNET;
}

static bool is_allowed(struct listener *l, const union peer *peer, const char *address)
{
	struct ratelimit_address key;
	bool known = ratelimit_key(peer, &key);

	switch (ratelimit_take(l->ratelimit, known ? &key : NULL, clock_monotonic_ms())) {
	case RATELIMIT_ADDRESS:
		l->refused_address++;
		if (log_allow("connections of one address", LOG_LINES_PER_SECOND))
			log_warning("connection refused", "address=%s reason=address_rate",
				    address);
		return false;
	case RATELIMIT_TOTAL:
		l->refused_total++;
		if (log_allow("connections of all addresses", LOG_LINES_PER_SECOND))
			log_warning("connection refused", "address=%s reason=total_rate",
				    address);
		return false;
	case RATELIMIT_PASS:
		break;
	}
	return true;
}

/* Closes with a reset: no state of a refused stranger stays in the kernel. */
static void refuse(int fd)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Descriptors or memory ran out, which `error` says: nothing is accepted for a while. */
static void pause_accepting(struct listener *l, int error)
{
	if (log_allow("accepting", LOG_LINES_PER_SECOND))
		log_error("accepting paused", "ms=%d reason=%s remedy=%s", LISTENER_PAUSE_MS,
			  log_quote(strerror(error), strlen(strerror(error))),
			  "\"raise the limit of open files or lower the number of connections\"");
	ev_io_stop(l->loop, &l->io);
	ev_timer_set(&l->pause, LISTENER_PAUSE_MS / 1000., 0.);
	ev_timer_start(l->loop, &l->pause);
}

static void turn_one_away(struct listener *l)
{
	int fd;

	if (l->spare_fd < 0)
		return;
	close(l->spare_fd);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		refuse(fd);
	l->spare_fd = open_spare();
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct listener *l = timer->data;

	(void)events;
	if (l->spare_fd < 0)
		l->spare_fd = open_spare();
	ev_io_start(loop, &l->io);
}

/* Takes one connection; false when there is none, or no more can be taken now. */
static bool accept_one(struct listener *l)
{
	union peer peer = { .any.sa_family = AF_UNSPEC };
	socklen_t peer_len = sizeof(peer);
	char address[SOCKET_ADDRESS_SIZE];
	int fd = accept4(l->fd, &peer.any, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		switch (errno) {
		case EAGAIN:
			return false;
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			pause_accepting(l, errno);
			turn_one_away(l);
			return false;
		default:	/* that connection died while it waited: the next may be sound */
			return true;
		}
	}
	socket_format(&peer.any, address);
	if (!is_allowed(l, &peer, address)) {
		refuse(fd);
		return true;
	}
	socket_tune(fd);
	l->on_accepted(l->arg, fd, address);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	if ((events & EV_ERROR) != 0) {		/* the kernel has no memory to watch it */
		pause_accepting(io->data, ENOMEM);
		return;
	}
	for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN && accept_one(io->data); i++)
		;
}

/* A listening socket on the first address of the name that can be had; -1 and why[]. */
static int listen_on(const char *host, const char *port, char *why, size_t size)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	};
	struct addrinfo *found = NULL;
	const int one = 1;
	int fd = -1, r;

	r = getaddrinfo(host, port, &hints, &found);
	if (r != 0) {
		snprintf(why, size, "cannot listen on %s:%s: %s; give an address of this machine",
			 host, port, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return -1;
	}
	for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
			    a->ai_protocol);
		if (fd >= 0 &&
		    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
		    bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, LISTENER_BACKLOG) == 0)
			break;
		snprintf(why, size, "cannot listen on %s:%s: %s; stop what uses the port, or "
			 "give another address", host, port, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

struct listener *listener_create(struct ev_loop *loop, const struct listener_settings *settings,
    void (*on_accepted)(void *arg, int fd, const char *address), void *arg,
    char *why, size_t size)
{
	struct ratelimit_settings limits = {
		.per_address = settings->per_address,
		.total = settings->total,
		.addresses = settings->addresses,
	};
	struct listener *l;
	int fd = listen_on(settings->host, settings->port, why, size);

	if (fd < 0)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->loop = loop;
	l->fd = fd;
	l->spare_fd = open_spare();
	rng_system(&limits.seed, sizeof(limits.seed));
	l->ratelimit = ratelimit_create(&limits);
	l->on_accepted = on_accepted;
	l->arg = arg;
	ev_init(&l->pause, on_pause_over);
	l->pause.data = l;
	ev_io_init(&l->io, on_readable, fd, EV_READ);
	ev_set_priority(&l->io, EV_MINPRI);
	l->io.data = l;
	ev_io_start(loop, &l->io);
	return l;
}

void listener_destroy(struct listener *l)
{
	if (l == NULL)
		return;
	ev_io_stop(l->loop, &l->io);
	ev_timer_stop(l->loop, &l->pause);
	close(l->fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	ratelimit_destroy(l->ratelimit);
	free(l);
}

unsigned listener_port(const struct listener *l)
{
	union peer own = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof(own);

	if (getsockname(l->fd, &own.any, &size) != 0)
		return 0;
	return ntohs(own.any.sa_family == AF_INET6 ? own.v6.sin6_port : own.v4.sin_port);
}

uint64_t listener_refused_address(const struct listener *l)
{
	return l->refused_address;
}

uint64_t listener_refused_total(const struct listener *l)
{
	return l->refused_total;
}
