/* listener.h - the door: accepts TCP connections, within limits that come before any TLS */
#ifndef HANDOFF_NET_LISTENER_H
#define HANDOFF_NET_LISTENER_H

#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct listener;

/* The most connections taken in one turn of the loop; the others wait in the kernel's queue. */
#define LISTENER_ACCEPTS_PER_TURN 16
/* How long nothing is accepted after descriptors ran out (reliability.md B10). */
#define LISTENER_PAUSE_MS 1000

struct listener_settings {
	const char *host;	/* borrowed during listener_create(): a number or a name */
	const char *port;	/* likewise; "0": any free port */
	unsigned per_address;	/* connections accepted a second from one address */
	unsigned total;		/* and from all together; loopback counts here alone */
	unsigned addresses;	/* addresses remembered for that */
};

/*
 * A connection beyond the limits is closed at once, with a line in the log. Each other one goes to
 * on_accepted(): fd is non-blocking, close-on-exec, tuned (net/socket.h) and the owner's from then
 * on; `address` is valid during the call. Established connections are served before new ones:
 * within a turn, the callback comes after those of watchers. How many may be in the handshake at a
 * time is the limit of net/handshake.h.
 *
 * Returns NULL when it cannot listen; why[] then has a sentence for people.
 */
struct listener *listener_create(struct ev_loop *loop, const struct listener_settings *settings,
    void (*on_accepted)(void *arg, int fd, const char *address), void *arg,
    char *why, size_t size);
/* Stops accepting and closes the socket. Accepts NULL. Not inside on_accepted(). */
void listener_destroy(struct listener *l);
/* Connections refused so far for the rate of one address, and of all. */
uint64_t listener_refused_address(const struct listener *l);
uint64_t listener_refused_total(const struct listener *l);
/* The port that the kernel chose for "0", else the one asked for. */
unsigned listener_port(const struct listener *l);

#endif
