/* test_listener.c - the door and the watchers, with a real loop */
#include "fixture.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "net/listener.h"
#include "net/watcher.h"

#define ACCEPTED_MAX 64

static struct ev_loop *loop;
static int accepted[ACCEPTED_MAX];
static size_t accepted_count;
static char accepted_address[64];

static void on_accepted(void *arg, int fd, const char *address)
{
	assert_ptr_equal(arg, &accepted);
	assert_true(accepted_count < ACCEPTED_MAX);
	accepted[accepted_count++] = fd;
	snprintf(accepted_address, sizeof(accepted_address), "%s", address);
}

static int begin(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	loop = ev_loop_new(EVFLAG_AUTO);
	accepted_count = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	while (accepted_count > 0)
		close(accepted[--accepted_count]);
	ev_loop_destroy(loop);
	return 0;
}

static struct listener *listen_at(const char *host, unsigned per_address, unsigned total)
{
	char why[256] = "";
	const struct listener_settings settings = {
		.host = host, .port = "0",
		.per_address = per_address, .total = total, .addresses = 16,
	};
	struct listener *l = listener_create(loop, &settings, on_accepted, &accepted, why,
					     sizeof(why));

	if (l == NULL)
		fail_msg("%s", why);
	return l;
}

/* A connected client of that address. */
static int connect_to(in_addr_t address, unsigned port)
{
	union { struct sockaddr any; struct sockaddr_in v4; } a = {
		.v4 = { .sin_family = AF_INET, .sin_addr.s_addr = address,
			.sin_port = htons((in_port_t)port) },
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &a.any, sizeof(a)), 0);
	return fd;
}

/* The other side has ended this connection. */
static bool is_ended(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN;
}

static void an_accepted_connection_is_ready_for_use(void **state)
{
	struct listener *l = listen_at("127.0.0.1", 10, 10);
	int client = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	int value = 0;
	socklen_t size = sizeof(value);

	(void)state;
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(accepted_count, 1);
	assert_true((fcntl(accepted[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(accepted[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	assert_int_equal(value, 1);
	assert_int_equal(getsockopt(accepted[0], SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
	assert_int_equal(value, 1);
	assert_memory_equal(accepted_address, "127.0.0.1:", 10);
	close(client);
	listener_destroy(l);
}

static void a_turn_accepts_sixteen(void **state)
{
	struct listener *l = listen_at("127.0.0.1", 100, 100);
	int clients[20];

	(void)state;
	for (int i = 0; i < 20; i++)
		clients[i] = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(accepted_count, LISTENER_ACCEPTS_PER_TURN);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(accepted_count, 20);
	for (int i = 0; i < 20; i++)
		close(clients[i]);
	listener_destroy(l);
}

static void beyond_the_total_connections_are_closed_at_once(void **state)
{
	struct listener *l = listen_at("127.0.0.1", 1, 3);
	int clients[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		clients[i] = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(accepted_count, 3);	/* loopback: the total alone counts */
	for (int i = 0; i < 6; i++) {
		assert_int_equal(is_ended(clients[i]), i >= 3);
		close(clients[i]);
	}
	listener_destroy(l);
}

/* An IPv4 address of this machine that is not loopback; 0 when it has none. */
static in_addr_t own_address(void)
{
	struct ifaddrs *all = NULL;
	struct sockaddr_in v4;
	in_addr_t found = 0;

	assert_int_equal(getifaddrs(&all), 0);
	for (struct ifaddrs *a = all; a != NULL && found == 0; a = a->ifa_next) {
		if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET ||
		    (a->ifa_flags & IFF_LOOPBACK) != 0 || (a->ifa_flags & IFF_UP) == 0)
			continue;
		memcpy(&v4, a->ifa_addr, sizeof(v4));
		found = v4.sin_addr.s_addr;
	}
	freeifaddrs(all);
	return found;
}

static void one_address_has_its_share_and_loopback_is_not_one(void **state)
{
	struct listener *l = listen_at("0.0.0.0", 2, 100);
	in_addr_t own = own_address();
	int clients[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		clients[i] = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(accepted_count, 5);
	for (int i = 0; i < 5; i++)
		close(clients[i]);
	if (own == 0) {
		print_message("          no address but loopback here: the other half is not "
			      "tried\n");
		listener_destroy(l);
		return;
	}
	for (int i = 0; i < 5; i++)
		clients[i] = connect_to(own, listener_port(l));
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(accepted_count, 5 + 2);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(is_ended(clients[i]), i >= 2);
		close(clients[i]);
	}
	listener_destroy(l);
}

static void without_descriptors_it_rests_and_goes_on(void **state)
{
	struct listener *l = listen_at("127.0.0.1", 100, 100);
	int first = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	int second = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	struct rlimit before, none;
	unsigned turns = 0;
	int64_t began;

	(void)state;
	ev_run(loop, EVRUN_NOWAIT | EVRUN_ONCE);	/* epoll has what it needs */
	while (accepted_count > 0)
		close(accepted[--accepted_count]);
	close(first);
	close(second);
	first = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	second = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;	/* no new descriptor at all, not even for the spare's place */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(accepted_count, 0);
	/* The socket is still readable, and the loop sleeps all the same. */
	began = clock_monotonic_ms();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (; accepted_count == 0; turns++)
		ev_run(loop, EVRUN_ONCE);
	assert_true(clock_monotonic_ms() - began >= LISTENER_PAUSE_MS / 2);
	assert_true(turns < 10);
	close(first);
	close(second);
	listener_destroy(l);
}

/* One descriptor is left, the spare one: a stranger is told by it instead of left to wait. */
static void the_spare_descriptor_turns_one_away(void **state)
{
	struct listener *l = listen_at("127.0.0.1", 100, 100);
	int client = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	struct rlimit before, tight;
	int highest;

	(void)state;
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(accepted_count, 1);
	close(client);
	client = connect_to(htonl(INADDR_LOOPBACK), listener_port(l));
	/* The lowest free descriptor is the first that is refused; the spare one lies below it. */
	highest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(highest >= 0);
	close(highest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)highest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(accepted_count, 1);
	assert_true(is_ended(client));
	close(client);
	listener_destroy(l);
}

static void a_port_in_use_is_told(void **state)
{
	struct listener *l = listen_at("127.0.0.1", 1, 1);
	char port[16], why[256] = "";
	struct listener_settings settings = {
		.host = "127.0.0.1", .port = port, .per_address = 1, .total = 1, .addresses = 1,
	};

	(void)state;
	snprintf(port, sizeof(port), "%u", listener_port(l));
	assert_null(listener_create(loop, &settings, on_accepted, NULL, why, sizeof(why)));
	assert_non_null(strstr(why, port));
	assert_non_null(strstr(why, "Address already in use"));
	settings.host = "no such host";
	assert_null(listener_create(loop, &settings, on_accepted, NULL, why, sizeof(why)));
	assert_non_null(strstr(why, "no such host"));
	listener_destroy(l);
}

/* What a watcher's callback saw. */
struct seen {
	struct watcher *watcher;
	struct timeout *timeout;
	unsigned ready, calls;
};

static void on_ready(void *arg, unsigned ready)
{
	struct seen *s = arg;

	s->ready = ready;
	s->calls++;
}

static void on_ready_destroy(void *arg, unsigned ready)
{
	struct seen *s = arg;

	s->ready = ready;
	watcher_destroy(s->watcher);
	s->watcher = NULL;
}

static void a_watcher_tells_what_it_is_asked(void **state)
{
	struct seen s = { .calls = 0 };
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	s.watcher = watcher_create(loop, fds[0], on_ready, &s);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(s.calls, 0);
	watcher_update(s.watcher, STREAM_READABLE);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(s.calls, 0);
	assert_int_equal(send(fds[1], "x", 1, 0), 1);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(s.ready, STREAM_READABLE);
	watcher_update(s.watcher, STREAM_READABLE | STREAM_WRITABLE);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(s.ready, STREAM_READABLE | STREAM_WRITABLE);
	watcher_update(s.watcher, STREAM_WRITABLE);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(s.ready, STREAM_WRITABLE);
	watcher_update(s.watcher, 0);
	s.calls = 0;
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(s.calls, 0);
	watcher_destroy(s.watcher);
	/* The same descriptor with a new watcher, which ends itself in its own callback. */
	s.watcher = watcher_create(loop, fds[0], on_ready_destroy, &s);
	watcher_update(s.watcher, STREAM_READABLE);
	ev_run(loop, EVRUN_ONCE);
	assert_null(s.watcher);
	assert_int_equal(s.ready, STREAM_READABLE);
	close(fds[0]);
	close(fds[1]);
}

static void on_due(void *arg)
{
	struct seen *s = arg;

	s->calls++;
	timeout_destroy(s->timeout);
	s->timeout = NULL;
}

static void on_due_count(void *arg)
{
	struct seen *s = arg;

	s->calls++;
}

static void a_timeout_calls_once_and_can_be_stopped(void **state)
{
	struct seen once = { .calls = 0 }, stopped = { .calls = 0 }, moved = { .calls = 0 };
	int64_t began = clock_monotonic_ms();

	(void)state;
	ev_now_update(loop);
	once.timeout = timeout_create(loop, on_due, &once);
	stopped.timeout = timeout_create(loop, on_due_count, &stopped);
	moved.timeout = timeout_create(loop, on_due_count, &moved);
	timeout_start(once.timeout, 30);
	timeout_start(stopped.timeout, 10);
	timeout_stop(stopped.timeout);
	timeout_start(moved.timeout, 3600 * 1000);
	timeout_start(moved.timeout, 10);
	while (once.timeout != NULL)
		ev_run(loop, EVRUN_ONCE);
	assert_true(clock_monotonic_ms() - began >= 25);
	assert_int_equal(once.calls, 1);
	assert_int_equal(stopped.calls, 0);
	assert_int_equal(moved.calls, 1);
	timeout_destroy(stopped.timeout);
	timeout_destroy(moved.timeout);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOOP(an_accepted_connection_is_ready_for_use),
		WITH_LOOP(a_turn_accepts_sixteen),
		WITH_LOOP(beyond_the_total_connections_are_closed_at_once),
		WITH_LOOP(one_address_has_its_share_and_loopback_is_not_one),
		WITH_LOOP(without_descriptors_it_rests_and_goes_on),
		WITH_LOOP(the_spare_descriptor_turns_one_away),
		WITH_LOOP(a_port_in_use_is_told),
		WITH_LOOP(a_watcher_tells_what_it_is_asked),
		WITH_LOOP(a_timeout_calls_once_and_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
