/*
 * test_sandbox.c - what the sandboxed process may not do any more, tried
 *
 * Each call is made by a child that has entered the sandbox for good. A forbidden one has to kill
 * it (SIGSYS); what is refused has to say so; what a broker needs has to go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/sandbox.h"

/* The places: pki/key is read, run/socket removed, and beside them is everything else. */
static char directory[] = "/tmp/handoff-sandbox-XXXXXX";
static char key_path[64], socket_path[64], elsewhere[64];
static int open_before;			/* a file elsewhere, open for writing */
static int connected[2];		/* sockets of before, too */
static pid_t parent;
static struct sandbox *got;		/* what a child has reached, in memory shared with it */

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

static void put_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void enter(struct sandbox *out)
{
	const char *readable[] = { key_path, NULL };
	const struct sandbox_paths paths = { readable, 2, socket_path };

	sandbox_enter(&paths, NULL, NULL, out);
}

/* Runs `what` in a sandboxed child: its wait status. It returns 0, or the line that was wrong. */
static int run(int (*what)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		enter(got);
		_exit(what());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static bool is_in_force(void)
{
	return got->seccomp && got->landlock > 0;
}

/* --- forbidden -------------------------------------------------------------------------------- */

static int call_execve(void)
{
	char *none[] = { NULL };

	return execve("/bin/true", none, none);
}

static int call_fork(void) { return fork() == 0 ? 0 : 1; }
static int call_vfork(void) { return (int)syscall(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0); }
static int call_clone3(void) { return (int)syscall(SYS_clone3, NULL, 0); }
static int call_ptrace(void) { return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static int call_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int call_socket_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static int call_connect(void) { return connect(0, NULL, 0); }
static int call_bind(void) { return bind(0, NULL, 0); }
static int call_listen(void) { return listen(0, 1); }
static int call_accept(void) { return accept(0, NULL, NULL); }
static int call_kill(void) { return kill(parent, 0); }
static int call_tgkill(void) { return (int)syscall(SYS_tgkill, 1, 1, 0); }
static int call_mkdir(void) { return mkdir(elsewhere, 0700); }
static int call_rename(void) { return rename(key_path, elsewhere); }
static int call_chmod(void) { return chmod(key_path, 0666); }
static int call_chown(void) { return chown(key_path, 1, 1); }
static int call_symlink(void) { return symlink(key_path, elsewhere); }
static int call_mount(void) { return (int)syscall(SYS_mount, 0, 0, 0, 0, 0); }
static int call_chroot(void) { return chroot("/"); }
static int call_setuid(void) { return setuid(1); }
static int call_prctl(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static int call_setrlimit(void) { return (int)syscall(SYS_setrlimit, RLIMIT_CORE, NULL); }
static int call_capset(void) { return (int)syscall(SYS_capset, NULL, NULL); }
static int call_unshare(void) { return unshare(CLONE_NEWUSER); }
static int call_bpf(void) { return (int)syscall(SYS_bpf, 0, NULL, 0); }
static int call_keyctl(void) { return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0); }
static int call_io_uring(void) { return (int)syscall(SYS_io_uring_setup, 1, NULL); }
static int call_memfd(void) { return (int)syscall(SYS_memfd_create, "x", 0); }
static int call_vm_writev(void) { return (int)syscall(SYS_process_vm_writev, 1, 0, 0, 0, 0, 0); }
static int call_openat2(void) { return (int)syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0); }
static int call_ftruncate(void) { return ftruncate(open_before, 0); }
static int call_ioctl(void) { return ioctl(0, TIOCSTI, "x"); }
static int call_sendmsg(void) { return (int)sendmsg(0, NULL, 0); }

static int map_code(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static int make_code_of_data(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p, 4096, PROT_READ | PROT_EXEC);
	return 0;
}

static const struct {
	const char *name;
	int (*call)(void);
} forbidden[] = {
	{ "execve", call_execve }, { "fork", call_fork }, { "vfork", call_vfork },
	{ "clone3", call_clone3 }, { "ptrace", call_ptrace }, { "socket", call_socket },
	{ "socket of this machine", call_socket_unix }, { "connect", call_connect },
	{ "bind", call_bind }, { "listen", call_listen }, { "accept", call_accept },
	{ "kill another", call_kill }, { "tgkill another", call_tgkill },
	{ "mkdir", call_mkdir }, { "rename", call_rename }, { "chmod", call_chmod },
	{ "chown", call_chown }, { "symlink", call_symlink }, { "mount", call_mount },
	{ "chroot", call_chroot }, { "setuid", call_setuid }, { "prctl", call_prctl },
	{ "setrlimit", call_setrlimit }, { "capset", call_capset }, { "unshare", call_unshare },
	{ "bpf", call_bpf }, { "keyctl", call_keyctl }, { "io_uring_setup", call_io_uring },
	{ "memfd_create", call_memfd }, { "process_vm_writev", call_vm_writev },
	{ "openat2", call_openat2 }, { "ftruncate", call_ftruncate }, { "ioctl", call_ioctl },
	{ "sendmsg", call_sendmsg }, { "mmap of code", map_code },
	{ "mprotect to code", make_code_of_data },
};

static void each_forbidden_call_kills(void **state)
{
	(void)state;
	if (!got->seccomp)
		skip();
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int status = run(forbidden[i].call);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status %#x instead of SIGSYS", forbidden[i].name, status);
	}
}

/* --- refused ---------------------------------------------------------------------------------- */

static int open_error(const char *path, int flags)
{
	errno = 0;
	return open(path, flags | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

static int try_writing(void)
{
	const int ways[] = { O_WRONLY, O_RDWR, O_WRONLY | O_CREAT, O_RDONLY | O_CREAT,
		O_RDONLY | O_TRUNC, O_WRONLY | O_APPEND };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		CHECK(open_error(elsewhere, ways[i]) == EACCES);
		CHECK(open_error(key_path, ways[i]) == EACCES);
		CHECK(open_error("/dev/null", ways[i]) == EACCES);
	}
	CHECK(open_error(directory, O_TMPFILE | O_RDWR) == EACCES);
	return 0;
}

static int try_outside(void)
{
	char beside[80];

	CHECK(open_error("/etc/passwd", O_RDONLY) == EACCES);
	CHECK(open_error("/proc/self/maps", O_RDONLY) == EACCES);
	CHECK(open_error("/", O_RDONLY | O_DIRECTORY) == EACCES);
	snprintf(beside, sizeof(beside), "%s.not-there", key_path);
	CHECK(open_error(beside, O_RDONLY) == ENOENT);
	snprintf(beside, sizeof(beside), "%s/beside", directory);
	CHECK(open_error(beside, O_RDONLY) == EACCES);
	CHECK(unlink(beside) < 0 && errno == EACCES);
	CHECK(unlink(key_path) < 0 && errno == EACCES);
	return 0;
}

static void assert_went_on(int status)
{
	if (WIFSIGNALED(status))
		fail_msg("killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		fail_msg("line %d was wrong", WEXITSTATUS(status));
}

static void nothing_is_opened_for_writing(void **state)
{
	(void)state;
	if (!got->seccomp)
		skip();
	assert_went_on(run(try_writing));
}

static void nothing_outside_is_read_or_removed(void **state)
{
	(void)state;
	if (got->landlock == 0)
		skip();
	assert_went_on(run(try_outside));
}

static int ask_needlessly(void)
{
	struct rlimit limit;
	int status;

	CHECK(waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD);
	CHECK(access("/", R_OK) < 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) < 0);
	return 0;
}

static void who_only_asks_is_refused_and_lives(void **state)
{
	(void)state;
	if (!got->seccomp)
		skip();
	assert_went_on(run(ask_needlessly));
}

/* --- what goes on ----------------------------------------------------------------------------- */

static int serve(void)
{
	const int *pair = connected;
	struct epoll_event e = { .events = EPOLLIN };
	uint8_t bytes[16];
	int waiting, loop = epoll_create1(EPOLL_CLOEXEC);

	CHECK(loop >= 0);
	CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, pair[0], &e) == 0);
	CHECK(send(pair[1], "hello", 5, MSG_NOSIGNAL) == 5);
	CHECK(ioctl(pair[1], SIOCOUTQ, &waiting) == 0);
	CHECK(epoll_wait(loop, &e, 1, 1000) == 1);
	CHECK(recv(pair[0], bytes, sizeof(bytes), 0) == 5);
	CHECK(shutdown(pair[1], SHUT_WR) == 0);
	CHECK(getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes));
	CHECK(close(loop) == 0);
	return 0;
}

static int keep(void)
{
	void *p = malloc(64 << 20);
	struct stat st;

	CHECK(p != NULL);
	free(p);
	CHECK(pwrite(open_before, "y", 1, 0) == 1);
	CHECK(fdatasync(open_before) == 0);
	CHECK(fstat(open_before, &st) == 0);
	CHECK(open(key_path, O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(unlink(socket_path) == 0);
	return 0;
}

static void a_peer_is_served(void **state)
{
	(void)state;
	assert_went_on(run(serve));
}

static void what_is_open_is_written_and_the_socket_removed(void **state)
{
	(void)state;
	assert_went_on(run(keep));
	put_file(socket_path);
}

static int give_up(void)
{
	abort();
}

static void abort_is_an_abort(void **state)
{
	int status = run(give_up);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* A certificate is often a link into a directory with all that there ever were. */
static int read_replaced(void)
{
	char next[80];

	snprintf(next, sizeof(next), "%s/archive/2", directory);
	CHECK(open(next, O_RDONLY | O_CLOEXEC) >= 0);
	return 0;
}

static void the_next_certificate_is_read_where_links_lead(void **state)
{
	(void)state;
	assert_went_on(run(read_replaced));
}

static void the_words_tell_what_is_in_force(void **state)
{
	char words[64];

	(void)state;
	snprintf(words, sizeof(words), "seccomp, Landlock %d", got->landlock);
	if (is_in_force()) {
		assert_string_equal(got->words, words);
		assert_string_equal(got->missing, "");
	} else {
		assert_string_not_equal(got->words, words);
		assert_string_not_equal(got->missing, "");
	}
}

/* --- the places ------------------------------------------------------------------------------- */

static void make_places(void)
{
	static const char *const directories[] = { "pki", "run", "archive" };
	static const char *const files[] = { "archive/1", "archive/2", "beside", "run/socket" };
	char path[80];

	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, directories[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(key_path, sizeof(key_path), "%s/pki/key", directory);
	snprintf(socket_path, sizeof(socket_path), "%s/run/socket", directory);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", directory);
	assert_int_equal(symlink("../archive/1", key_path), 0);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		put_file(path);
	}
}

static int learn(void)
{
	return 0;
}

static int set_up(void **state)
{
	char path[80];

	(void)state;
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	parent = getpid();
	make_places();
	snprintf(path, sizeof(path), "%s/beside", directory);
	open_before = open(path, O_RDWR | O_CLOEXEC);
	got = mmap(NULL, sizeof(*got), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, connected), 0);
	return open_before < 0 || got == MAP_FAILED || run(learn) != 0;
}

static int tear_down(void **state)
{
	char command[80];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_forbidden_call_kills),
		cmocka_unit_test(nothing_is_opened_for_writing),
		cmocka_unit_test(nothing_outside_is_read_or_removed),
		cmocka_unit_test(who_only_asks_is_refused_and_lives),
		cmocka_unit_test(a_peer_is_served),
		cmocka_unit_test(what_is_open_is_written_and_the_socket_removed),
		cmocka_unit_test(abort_is_an_abort),
		cmocka_unit_test(the_next_certificate_is_read_where_links_lead),
		cmocka_unit_test(the_words_tell_what_is_in_force),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
