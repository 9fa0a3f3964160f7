/* local.h - the door for this machine's users: a Unix socket in the file system */
#ifndef HANDOFF_NET_LOCAL_H
#define HANDOFF_NET_LOCAL_H

#include <stddef.h>
#include <sys/types.h>

struct ev_loop;
struct local_door;

/* The longest path that a Unix socket can have, without the NUL. */
#define LOCAL_PATH_MAX 107
/* Who may connect at all, by the file's mode: its owner and its group. */
#define LOCAL_MODE 0660

/* The process at the other end, as the kernel saw it when it connected. */
struct local_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/*
 * Nobody can connect before the socket has its mode: it is made in a directory that is ours alone,
 * beside `path`, and renamed (reliability.md A20). A socket that is there already is replaced when
 * it is ours and nobody answers on it.
 *
 * `reserve` descriptors are kept for this door, so that it opens when there are no others left
 * (B10): each connection uses one, and local_close() gives it back. on_accepted() gets a
 * descriptor that is non-blocking and close-on-exec, and owns it; it runs inside ev_run().
 *
 * Returns NULL when it cannot be; why[] then has a sentence for people.
 */
struct local_door *local_door_create(struct ev_loop *loop, const char *path, size_t reserve,
    void (*on_accepted)(void *arg, int fd, const struct local_peer *peer), void *arg,
    char *why, size_t size);
/* Stops accepting and removes the socket if it is still this one. Accepts NULL. */
void local_door_destroy(struct local_door *d);
/* Closes a connection of this door. */
void local_close(struct local_door *d, int fd);

#endif
