/* dial.c - connecting to host and port without blocking; no event loop */
#include "net/dial.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/socket.h"

struct dial {
	struct addrinfo *found;	/* owned; all addresses */
	struct addrinfo *next;	/* the address to try when the present one fails */
	int fd;			/* owned; connecting or connected, -1 when there is none */
	char address[SOCKET_ADDRESS_SIZE];	/* the present one, for people */
	char why[160];
};

static void dial_fail(struct dial *d, const char *reason)
{
	snprintf(d->why, sizeof(d->why), "cannot connect to %s: %s", d->address, reason);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

/* Begins with the next address for which there is a socket that can begin to connect. */
static int dial_next(struct dial *d)
{
	const struct addrinfo *a;

	while (d->next != NULL) {
		a = d->next;
		d->next = a->ai_next;
		socket_format(a->ai_addr, d->address);
		d->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
			       a->ai_protocol);
		if (d->fd >= 0 && (connect(d->fd, a->ai_addr, a->ai_addrlen) == 0 ||
				   errno == EINPROGRESS || errno == EINTR))
			return ERR_AGAIN;
		dial_fail(d, strerror(errno));
	}
	return ERR_IO;
}

/* A number is taken as it is; only what is no number is looked up, which may block. */
static int look_up(const char *host, const char *port, struct addrinfo **found)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST,
	};
	int r = getaddrinfo(host, port, &hints, found);

	if (r != EAI_NONAME)
		return r;
	hints.ai_flags = AI_ADDRCONFIG;
	return getaddrinfo(host, port, &hints, found);
}

struct dial *dial_create(const char *host, const char *port, char *why, size_t size)
{
	struct dial *d;
	struct addrinfo *found = NULL;
	int r = look_up(host, port, &found);

	if (r != 0) {
		snprintf(why, size, "cannot find %s:%s: %s", host, port,
			 r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	d->found = found;
	d->next = found;
	d->fd = -1;
	if (dial_next(d) != ERR_AGAIN) {
		snprintf(why, size, "%s", d->why);
		dial_destroy(d);
		return NULL;
	}
	return d;
}

void dial_destroy(struct dial *d)
{
	if (d == NULL)
		return;
	if (d->fd >= 0)
		close(d->fd);
	freeaddrinfo(d->found);
	free(d);
}

int dial_proceed(struct dial *d)
{
	struct pollfd ready = { .fd = d->fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	if (d->fd < 0)
		return ERR_IO;
	if (poll(&ready, 1, 0) <= 0)
		return ERR_AGAIN;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error == 0) {
		socket_tune(d->fd);
		return 0;
	}
	dial_fail(d, strerror(error));
	return dial_next(d);
}

int dial_skip(struct dial *d)
{
	dial_fail(d, "no answer in time");
	return dial_next(d);
}

int dial_fd(const struct dial *d)
{
	return d->fd;
}

int dial_take(struct dial *d)
{
	int fd = d->fd;

	d->fd = -1;
	return fd;
}

const char *dial_why(const struct dial *d)
{
	return d->why;
}
