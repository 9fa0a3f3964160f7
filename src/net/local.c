/*
 * local.c - the door for this machine's users: a Unix socket in the file system
 *
 * Between the look at a socket that was left behind and the rename another broker could do the
 * same, and one of the two would serve a socket that nobody can find. So both happen under a lock
 * on the directory, which leaves nothing behind.
 */
#include "net/local.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/log.h"
#include "base/mem.h"

#define LOCAL_BACKLOG 64
#define LOCAL_PAUSE_MS 1000	/* nothing is accepted for so long after accept() failed */
#define LOCK_WAIT_MS 2000	/* for another broker that starts in the same directory */
#define LOCK_STEP_MS 10

struct local_door {
	ev_io io;
	ev_timer pause;
	struct ev_loop *loop;	/* borrowed */
	int fd;			/* owned; listening */
	int *reserve;		/* owned; descriptors kept free, -1 where one is in use */
	size_t reserve_count;
	dev_t device;		/* of the socket's file, which may be another one's by now */
	ino_t inode;
	void (*on_accepted)(void *arg, int fd, const struct local_peer *peer);
	void *arg;
	char path[LOCAL_PATH_MAX + 1];
};

static int say(char *why, size_t size, const char *path, const char *what)
{
	snprintf(why, size, "admin.socket %s: %s", path, what);
	return -1;
}

static int say_errno(char *why, size_t size, const char *path, const char *what)
{
	snprintf(why, size, "admin.socket %s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* --- the reserve ------------------------------------------------------------------------------ */

static void fill_reserve(struct local_door *d)
{
	for (size_t i = 0; i < d->reserve_count; i++)
		if (d->reserve[i] < 0)
			d->reserve[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void use_reserve(struct local_door *d)
{
	for (size_t i = 0; i < d->reserve_count; i++) {
		if (d->reserve[i] >= 0) {
			close(d->reserve[i]);
			d->reserve[i] = -1;
			return;
		}
	}
}

/* As many as are not in use by connections; one of them, which was just closed, is free again. */
static void give_back(struct local_door *d)
{
	for (size_t i = 0; i < d->reserve_count; i++) {
		if (d->reserve[i] < 0) {
			d->reserve[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
			return;
		}
	}
}

void local_close(struct local_door *d, int fd)
{
	close(fd);
	give_back(d);
}

/* --- accepting -------------------------------------------------------------------------------- */

static void rest(struct local_door *d, int error)
{
	if (log_allow("operator's socket", 1))
		log_error("operator's socket paused", "ms=%d reason=%s", LOCAL_PAUSE_MS,
			  log_quote(strerror(error), strlen(strerror(error))));
	ev_io_stop(d->loop, &d->io);
	ev_timer_set(&d->pause, LOCAL_PAUSE_MS / 1000., 0.);
	ev_timer_start(d->loop, &d->pause);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct local_door *d = timer->data;

	(void)events;
	ev_io_start(loop, &d->io);
}

/* One a turn: so the owner has found those that are gone before it counts who is there. */
static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct local_door *d = io->data;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd, error;

	(void)loop;
	if ((events & EV_ERROR) != 0) {		/* the kernel has no memory to watch it */
		rest(d, ENOMEM);
		return;
	}
	use_reserve(d);
	fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	error = errno;
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
		d->on_accepted(d->arg, fd, &(struct local_peer){ peer.pid, peer.uid, peer.gid });
		return;
	}
	if (fd >= 0)
		close(fd);
	give_back(d);
	if (fd < 0 && error != EAGAIN && error != ECONNABORTED && error != EINTR)
		rest(d, error);
}

/* --- making it -------------------------------------------------------------------------------- */

static int set_address(struct sockaddr_un *a, const char *path)
{
	const size_t len = strlen(path);

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len > LOCAL_PATH_MAX)
		return -1;
	memcpy(a->sun_path, path, len + 1);
	return 0;
}

/* Somebody listens there, or cannot be asked: 1; nobody: 0. */
static int is_answered(const char *path)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool refused;

	if (fd < 0 || set_address(&a, path) != 0) {
		if (fd >= 0)
			close(fd);
		return 1;
	}
	refused = connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

/* 0: the path is free, or what is there may be replaced. */
static int check_place(const char *path, char *why, size_t size)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : say_errno(why, size, path, "cannot be looked at");
	if (!S_ISSOCK(st.st_mode))
		return say(why, size, path, "is there and is no socket: give another path");
	if (st.st_uid != geteuid())
		return say(why, size, path, "belongs to another user: remove it, or give another "
			   "path");
	if (is_answered(path))
		return say(why, size, path, "is served by another process: stop it, or give "
			   "another path");
	return 0;
}

/* Everybody who may write in the directory can put another socket in the place of ours. */
static int check_directory(int directory, const char *path, char *why, size_t size)
{
	struct stat st;

	if (fstat(directory, &st) != 0)
		return say_errno(why, size, path, "its directory cannot be looked at");
	if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
		return say(why, size, path,
			   "everybody can write in its directory: chmod o-w it, or "
			   "give another path");
	return 0;
}

static int lock_directory(int directory, const char *path, char *why, size_t size)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };

	for (int waited = 0; flock(directory, LOCK_EX | LOCK_NB) != 0; waited += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK)
			return say_errno(why, size, path, "its directory cannot be locked");
		if (waited >= LOCK_WAIT_MS)
			return say(why, size, path, "another process holds a lock on its "
				   "directory: give another path");
		nanosleep(&step, NULL);
	}
	return 0;
}

/* Binds and listens at `made`, in a directory of ours alone, then moves it to its place. */
static int bind_at(struct local_door *d, const char *made, char *why, size_t size)
{
	struct sockaddr_un a;
	struct stat st;
	mode_t mask;
	int r;

	if (set_address(&a, made) != 0)
		return say(why, size, d->path, "its directory has too long a name");
	mask = umask(0177);
	r = bind(d->fd, (const struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (r != 0)
		return say_errno(why, size, d->path, "cannot be made");
	if (chmod(made, LOCAL_MODE) != 0 || listen(d->fd, LOCAL_BACKLOG) != 0 ||
	    lstat(made, &st) != 0 || rename(made, d->path) != 0) {
		say_errno(why, size, d->path, "cannot be made");
		unlink(made);
		return -1;
	}
	d->device = st.st_dev;
	d->inode = st.st_ino;
	return 0;
}

static int make_socket(struct local_door *d, const char *directory, char *why, size_t size)
{
	char room[LOCAL_PATH_MAX + 16], made[sizeof(room) + 2];
	int r;

	snprintf(room, sizeof(room), "%s/.XXXXXX", directory);
	if (mkdtemp(room) == NULL)
		return say_errno(why, size, d->path, "its directory cannot be written");
	snprintf(made, sizeof(made), "%s/s", room);
	r = bind_at(d, made, why, size);
	rmdir(room);
	return r;
}

/* The directory's name, "." where the path has none. */
static void directory_of(const char *path, char out[LOCAL_PATH_MAX + 1])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(out, LOCAL_PATH_MAX + 1, ".");
	else
		snprintf(out, LOCAL_PATH_MAX + 1, "%.*s", slash == path ? 1 : (int)(slash - path),
			 path);
}

static int take_place(struct local_door *d, char *why, size_t size)
{
	char directory[LOCAL_PATH_MAX + 1];
	int handle, r = -1;

	directory_of(d->path, directory);
	handle = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (handle < 0)
		return say_errno(why, size, d->path, "its directory cannot be opened");
	if (check_directory(handle, d->path, why, size) == 0 &&
	    lock_directory(handle, d->path, why, size) == 0 &&
	    check_place(d->path, why, size) == 0)
		r = make_socket(d, directory, why, size);
	close(handle);
	return r;
}

struct local_door *local_door_create(struct ev_loop *loop, const char *path, size_t reserve,
    void (*on_accepted)(void *arg, int fd, const struct local_peer *peer), void *arg,
    char *why, size_t size)
{
	struct local_door *d;

	if (strlen(path) > LOCAL_PATH_MAX) {
		snprintf(why, size, "admin.socket %s: is longer than %d bytes, the most that a "
			 "socket's path can have", path, LOCAL_PATH_MAX);
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	snprintf(d->path, sizeof(d->path), "%s", path);
	d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0 || take_place(d, why, size) != 0) {
		if (d->fd < 0)
			say_errno(why, size, path, "cannot be made");
		else
			close(d->fd);
		free(d);
		return NULL;
	}
	d->loop = loop;
	d->on_accepted = on_accepted;
	d->arg = arg;
	d->reserve_count = reserve;
	d->reserve = xcalloc(reserve > 0 ? reserve : 1, sizeof(*d->reserve));
	for (size_t i = 0; i < reserve; i++)
		d->reserve[i] = -1;
	fill_reserve(d);
	ev_init(&d->pause, on_pause_over);
	d->pause.data = d;
	ev_io_init(&d->io, on_readable, d->fd, EV_READ);
	d->io.data = d;
	ev_io_start(loop, &d->io);
	return d;
}

void local_door_destroy(struct local_door *d)
{
	struct stat st;

	if (d == NULL)
		return;
	ev_io_stop(d->loop, &d->io);
	ev_timer_stop(d->loop, &d->pause);
	if (lstat(d->path, &st) == 0 && st.st_dev == d->device && st.st_ino == d->inode)
		unlink(d->path);
	close(d->fd);
	for (size_t i = 0; i < d->reserve_count; i++)
		if (d->reserve[i] >= 0)
			close(d->reserve[i]);
	free(d->reserve);
	free(d);
}
