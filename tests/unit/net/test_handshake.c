/* test_handshake.c - strangers at the door: served, refused, late, too many */
#include "fixture.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/tcp.h>

#include "net/handshake.h"
#include "net/listener.h"
#include "net/watcher.h"

#define ESTABLISHED_MAX 32

static struct ev_loop *loop;
static struct tls_context *server_tls, *client_tls;
static struct listener *door;
static struct handshakes *handshakes;
static struct stream *established[ESTABLISHED_MAX];
static size_t established_count, accepted_count;
static char established_address[64];

static void on_established(void *arg, struct stream *s, const char *address)
{
	assert_ptr_equal(arg, &established);
	assert_true(established_count < ESTABLISHED_MAX);
	established[established_count++] = s;
	snprintf(established_address, sizeof(established_address), "%s", address);
}

static void on_accepted(void *arg, int fd, const char *address)
{
	(void)arg;
	accepted_count++;
	handshakes_add(handshakes, server_tls, fd, address);
}

static int begin(void **state)
{
	fixture_begin(state);
	make_certificate(&(struct leaf){ .name = "other", .is_authority = true });
	make_certificate(&(struct leaf){ .name = "stranger", .by = "other",
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	server_tls = load(true, "ca", "broker");
	client_tls = load(false, "ca", "alpha");
	return 0;
}

static int end(void **state)
{
	tls_destroy(server_tls);
	tls_destroy(client_tls);
	return fixture_end(state);
}

static void open_door(unsigned pending_max, int64_t deadline_ms)
{
	const struct listener_settings where = {
		.host = "127.0.0.1", .port = "0",
		.per_address = 1000, .total = 1000, .addresses = 16,
	};
	const struct handshakes_settings limits = { pending_max, deadline_ms };
	char why[256] = "";

	loop = ev_loop_new(EVFLAG_AUTO);
	established_count = accepted_count = 0;
	handshakes = handshakes_create(loop, &limits, on_established, &established);
	door = listener_create(loop, &where, on_accepted, NULL, why, sizeof(why));
	assert_non_null(door);
}

static void close_door(void)
{
	listener_destroy(door);
	handshakes_destroy(handshakes);
	while (established_count > 0)
		stream_destroy(established[--established_count]);
	ev_loop_destroy(loop);
}

static int dial(void)
{
	union { struct sockaddr any; struct sockaddr_in v4; } a = {
		.v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
			.sin_port = htons((in_port_t)listener_port(door)) },
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &a.any, sizeof(a)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* A client in the same loop: its handshake, then, when it has something to say, that. */
struct client {
	struct stream *stream;
	struct watcher *watcher;
	const char *words;
	int result;
	char byte;
};

static void set_cork(int fd, int on)
{
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)), 0);
}

static void client_proceed(void *arg, unsigned ready)
{
	struct client *c = arg;
	const int fd = stream_fd(c->stream);
	int r;

	if (c->result == ERR_AGAIN) {
		/* The words leave in one segment with the end of the handshake. */
		if (ready != 0 && c->words != NULL)
			set_cork(fd, 1);
		c->result = stream_handshake(c->stream);
		if (c->result == 0 && c->words != NULL) {
			assert_int_equal(stream_write(c->stream, c->words, strlen(c->words)), 0);
			r = stream_flush(c->stream);
			assert_true(r == 0 || r == ERR_AGAIN);
			set_cork(fd, 0);
		}
	} else if (c->result == 0) {
		r = (int)stream_read(c->stream, &c->byte, 1);
		if (r != ERR_AGAIN)
			c->result = r;
		r = stream_flush(c->stream);
	}
	watcher_update(c->watcher, c->result == 0 || c->result == ERR_AGAIN ?
		       stream_wants(c->stream) : 0);
}

static void client_begin(struct client *c, struct tls_context *tls, const char *words)
{
	int fd = dial();

	*c = (struct client){ .words = words, .result = ERR_AGAIN };
	c->stream = stream_create_client(tls, fd, "localhost");
	assert_non_null(c->stream);
	c->watcher = watcher_create(loop, fd, client_proceed, c);
	client_proceed(c, 0);
}

static void client_end(struct client *c)
{
	watcher_destroy(c->watcher);
	stream_destroy(c->stream);
}

static void a_verified_client_is_handed_on_with_its_first_words(void **state)
{
	struct tls_identity id;
	struct client c;
	char got[8];

	(void)state;
	open_door(4, 5000);
	client_begin(&c, client_tls, "hello");
	while (established_count == 0)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(c.result, 0);
	assert_memory_equal(established_address, "127.0.0.1:", 10);
	assert_int_equal(handshakes_pending(handshakes), 0);
	stream_identity(established[0], &id);
	assert_string_equal(id.uri[0], "spiffe://example/module/alpha");
	assert_true(stream_has_pending(established[0]));
	assert_int_equal(stream_read(established[0], got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
	client_end(&c);
	close_door();
}

/* What the connection ended with: 0 in order, else errno. */
static int read_to_end(int fd)
{
	char bytes[4096];
	ssize_t n;

	for (;;) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN)
			return errno;
		if (n < 0)
			ev_run(loop, EVRUN_NOWAIT);
	}
}

/* The client has sent words that nobody will read, and hears why all the same. */
static void a_refused_client_reads_its_alert(void **state)
{
	static char words[100000];
	struct tls_context *tls = load_unchecked("ca", "stranger");
	struct client c;

	(void)state;
	memset(words, 'w', sizeof(words) - 1);
	open_door(4, 5000);
	client_begin(&c, tls, words);
	while (c.result == 0 || c.result == ERR_AGAIN)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(c.result, ERR_TLS);
	assert_non_null(strstr(stream_why(c.stream), "unknown_ca"));
	/* Ended in order: a reset could have overtaken the alert on a longer way. */
	assert_int_equal(read_to_end(stream_fd(c.stream)), 0);
	assert_int_equal(established_count, 0);
	client_end(&c);
	while (handshakes_pending(handshakes) > 0)
		ev_run(loop, EVRUN_ONCE);
	close_door();
	tls_destroy(tls);
}

static bool is_ended(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN;
}

static void who_is_silent_or_slow_is_dropped_in_time(void **state)
{
	const int64_t began = clock_monotonic_ms();
	const char head[] = { 0x16, 3, 1, 1, 0, 1, 0 };
	int silent, slow;
	size_t sent = 0;

	(void)state;
	open_door(4, 100);
	silent = dial();
	slow = dial();
	do {
		ev_run(loop, EVRUN_NOWAIT);
		if (sent < sizeof(head))
			assert_int_equal(send(slow, head + sent++, 1, MSG_NOSIGNAL), 1);
	} while (handshakes_pending(handshakes) > 0 || accepted_count < 2);
	assert_true(clock_monotonic_ms() - began >= 90);
	assert_true(is_ended(silent));
	assert_true(is_ended(slow));
	close(silent);
	close(slow);
	close_door();
}

static void the_oldest_gives_way_to_one_more(void **state)
{
	int fds[5];

	(void)state;
	open_door(3, 5000);
	for (size_t i = 0; i < 5; i++) {
		fds[i] = dial();
		while (accepted_count <= i)
			ev_run(loop, EVRUN_ONCE);
		assert_int_equal(handshakes_pending(handshakes), i < 3 ? i + 1 : 3);
	}
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(is_ended(fds[i]), i < 2);
		close(fds[i]);
	}
	close_door();
}

/* Many have said their hello: one turn of the loop answers a few, later turns the others. */
static void a_turn_takes_a_bounded_number_of_steps(void **state)
{
	enum { COUNT = 20 };
	struct stream *clients[COUNT];
	struct pollfd fds[COUNT];
	int answered;

	(void)state;
	open_door(COUNT, 5000);
	for (int i = 0; i < COUNT; i++) {
		clients[i] = stream_create_client(client_tls, dial(), "localhost");
		assert_non_null(clients[i]);
		fds[i] = (struct pollfd){ .fd = stream_fd(clients[i]), .events = POLLIN };
		while (accepted_count <= (size_t)i)
			ev_run(loop, EVRUN_ONCE);
	}
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(stream_handshake(clients[i]), ERR_AGAIN);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(poll(fds, COUNT, 0), HANDSHAKE_STEPS_PER_TURN);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(poll(fds, COUNT, 0), 2 * HANDSHAKE_STEPS_PER_TURN);
	do {
		answered = poll(fds, COUNT, 0);
		if (answered < COUNT)
			ev_run(loop, EVRUN_ONCE);
	} while (answered < COUNT);
	for (int i = 0; i < COUNT; i++)
		stream_destroy(clients[i]);
	close_door();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verified_client_is_handed_on_with_its_first_words),
		cmocka_unit_test(a_refused_client_reads_its_alert),
		cmocka_unit_test(who_is_silent_or_slow_is_dropped_in_time),
		cmocka_unit_test(the_oldest_gives_way_to_one_more),
		cmocka_unit_test(a_turn_takes_a_bounded_number_of_steps),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
