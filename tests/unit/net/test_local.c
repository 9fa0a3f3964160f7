/* test_local.c - the door for this machine's users: how its socket comes, and how it goes */
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "net/local.h"

static char directory[] = "/tmp/handoff-local-XXXXXX";
static char path[64];
static struct ev_loop *loop;
static char why[512];
static int accepted = -1;
static struct local_peer accepted_peer;

static void on_accepted(void *arg, int fd, const struct local_peer *peer)
{
	(void)arg;
	accepted = fd;
	accepted_peer = *peer;
}

static int begin(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	loop = ev_loop_new(EVFLAG_AUTO);
	accepted = -1;
	return 0;
}

static int end(void **state)
{
	(void)state;
	ev_loop_destroy(loop);
	return 0;
}

static struct local_door *open_at(const char *at)
{
	why[0] = '\0';
	return local_door_create(loop, at, 2, on_accepted, NULL, why, sizeof(why));
}

static struct local_door *open_door(void)
{
	struct local_door *d = open_at(path);

	if (d == NULL)
		fail_msg("%s", why);
	return d;
}

static void assert_refused(const char *at, const char *words)
{
	assert_null(open_at(at));
	if (strstr(why, words) == NULL || strstr(why, at) == NULL)
		fail_msg("said: %s, expected: %s", why, words);
}

/* How many names there are in the directory, "." and ".." aside. */
static int count_files(void)
{
	DIR *d = opendir(directory);
	int n = -2;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* A queue full of connections that nobody has accepted is an answer, too. */
static int try_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN)
		return fd;
	close(fd);
	return -1;
}

/* A socket whose process has died. */
static void leave_behind(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
}

static void the_socket_is_there_with_its_mode_and_nothing_else(void **state)
{
	struct local_door *d = open_door();
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(count_files(), 1);
	fd = try_connect();
	assert_true(fd >= 0);
	ev_run(loop, EVRUN_NOWAIT);
	assert_true(accepted >= 0);
	assert_int_equal(accepted_peer.uid, geteuid());
	assert_int_equal(accepted_peer.pid, getpid());
	assert_true((fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(accepted, F_GETFD) & FD_CLOEXEC) != 0);
	local_close(d, accepted);
	close(fd);
	local_door_destroy(d);
	assert_int_equal(count_files(), 0);
}

static void a_socket_that_was_left_behind_is_replaced(void **state)
{
	struct local_door *d;
	int fd;

	(void)state;
	leave_behind();
	assert_int_equal(try_connect(), -1);
	d = open_door();
	fd = try_connect();
	assert_true(fd >= 0);
	close(fd);
	local_door_destroy(d);
}

static void a_socket_that_is_served_is_left_alone(void **state)
{
	struct local_door *d = open_door();
	int fd;

	(void)state;
	assert_refused(path, "is served by another process");
	fd = try_connect();
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(count_files(), 1);
	local_door_destroy(d);
}

static void what_is_no_socket_of_ours_is_left_alone(void **state)
{
	char elsewhere[sizeof(path)];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_refused(path, "is no socket");
	unlink(path);
	snprintf(elsewhere, sizeof(elsewhere), "%s/no", directory);
	assert_int_equal(symlink(elsewhere, path), 0);
	assert_refused(path, "is no socket");
	unlink(path);
	if (geteuid() != 0)
		skip();
	leave_behind();
	assert_int_equal(chown(path, 4711, 0), 0);
	assert_refused(path, "belongs to another user");
	unlink(path);
	assert_int_equal(count_files(), 0);
}

static void a_socket_that_took_our_place_stays(void **state)
{
	struct local_door *d = open_door();

	(void)state;
	unlink(path);
	leave_behind();
	local_door_destroy(d);
	assert_int_equal(count_files(), 1);
	unlink(path);
}

static void a_path_that_cannot_be_is_refused(void **state)
{
	char longer[LOCAL_PATH_MAX + 2] = "/";

	(void)state;
	memset(longer + 1, 'x', LOCAL_PATH_MAX);
	assert_refused(longer, "longer than 107 bytes");
	longer[LOCAL_PATH_MAX - 10] = '/';
	longer[LOCAL_PATH_MAX] = '\0';
	assert_refused(longer, "its directory cannot be opened");
	assert_refused("/nowhere/at/all/admin.sock", "its directory cannot be opened");
	assert_int_equal(chmod(directory, 0777), 0);
	assert_refused(path, "everybody can write in its directory");
	assert_int_equal(chmod(directory, 0700), 0);
}

static void the_longest_path_is_taken(void **state)
{
	char longest[LOCAL_PATH_MAX + 1];
	struct local_door *d;

	(void)state;
	snprintf(longest, sizeof(longest), "%s/", directory);
	memset(longest + strlen(longest), 'x', sizeof(longest) - 1 - strlen(longest));
	longest[LOCAL_PATH_MAX] = '\0';
	d = open_at(longest);
	if (d == NULL)
		fail_msg("%s", why);
	local_door_destroy(d);
	assert_int_equal(count_files(), 0);
}

/* Of many that start at once, over a socket left behind, exactly one serves, and can be found. */
static void one_of_twenty_racing_creators_wins(void **state)
{
	enum { RACERS = 20 };
	pid_t racers[RACERS];
	int begun[2], done[2], won = 0, fd;
	char byte;

	(void)state;
	leave_behind();
	assert_int_equal(pipe(begun) | pipe(done), 0);
	for (int i = 0; i < RACERS; i++) {
		racers[i] = fork();
		assert_true(racers[i] >= 0);
		if (racers[i] == 0) {
			close(done[1]);
			byte = open_at(path) != NULL ? 'y' : 'n';
			if (write(begun[1], &byte, 1) != 1)
				_exit(2);
			/* Until all have tried. */
			while (read(done[0], &byte, 1) > 0)
				;
			_exit(0);
		}
	}
	for (int i = 0; i < RACERS; i++) {
		assert_int_equal(read(begun[0], &byte, 1), 1);
		won += byte == 'y';
	}
	assert_int_equal(won, 1);
	fd = try_connect();
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(count_files(), 1);
	close(done[1]);
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(waitpid(racers[i], NULL, 0), racers[i]);
	close(begun[0]);
	close(begun[1]);
	close(done[0]);
	unlink(path);
}

static void it_opens_when_no_descriptor_is_left(void **state)
{
	struct local_door *d = open_door();
	struct rlimit before, none;
	int fd = try_connect(), hoard[64], count = 0;

	(void)state;
	assert_true(fd >= 0);
	ev_run(loop, EVRUN_NOWAIT);	/* what libev opens at its first turn */
	local_close(d, accepted);
	close(fd);
	accepted = -1;
	fd = try_connect();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)fd + 1, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (count < 64 && (hoard[count] = dup(STDERR_FILENO)) >= 0)
		count++;
	assert_int_equal(errno, EMFILE);
	ev_run(loop, EVRUN_NOWAIT);
	assert_true(accepted >= 0);
	local_close(d, accepted);
	assert_int_equal(dup(STDERR_FILENO), -1);	/* it is in the reserve again */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	while (count > 0)
		close(hoard[--count]);
	close(fd);
	local_door_destroy(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_socket_is_there_with_its_mode_and_nothing_else),
		TEST(a_socket_that_was_left_behind_is_replaced),
		TEST(a_socket_that_is_served_is_left_alone),
		TEST(what_is_no_socket_of_ours_is_left_alone),
		TEST(a_socket_that_took_our_place_stays),
		TEST(a_path_that_cannot_be_is_refused),
		TEST(the_longest_path_is_taken),
		TEST(one_of_twenty_racing_creators_wins),
		TEST(it_opens_when_no_descriptor_is_left),
	};
	int r;

	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/admin.sock", directory);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(directory) != 0 || r;
}
