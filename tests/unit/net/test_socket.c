/* test_socket.c - addresses as text, and reaching them */
#include "fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>

#include "net/dial.h"
#include "net/socket.h"

static void assert_split(const char *text, const char *host, const char *port)
{
	char h[SOCKET_HOST_SIZE], p[SOCKET_PORT_SIZE];

	assert_true(socket_split(text, h, p));
	assert_string_equal(h, host);
	assert_string_equal(p, port);
}

static void host_and_port_are_split(void **state)
{
	(void)state;
	assert_split("127.0.0.1:7420", "127.0.0.1", "7420");
	assert_split("broker.example:https", "broker.example", "https");
	assert_split("[::1]:7420", "::1", "7420");
	assert_split("[2001:db8::1]:0", "2001:db8::1", "0");
}

static void what_is_no_host_and_port_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", ":", "host", "host:", ":7420", "::1", "::1:7420", "[]:7420", "[::1]",
		"[::1:7420", "a:b:1", "host:12345678901234567890123456789012",
	};
	char h[SOCKET_HOST_SIZE], p[SOCKET_PORT_SIZE], text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (socket_split(wrong[i], h, p))
			fail_msg("'%s' was taken", wrong[i]);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text + 255, ":1", 3);
	assert_true(socket_split(text, h, p));
	memset(text, 'a', sizeof(text));
	memcpy(text + 256, ":1", 3);
	assert_false(socket_split(text, h, p));
}

static void addresses_are_shown(void **state)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(65535) };
	struct sockaddr other = { .sa_family = AF_UNIX };
	char text[SOCKET_ADDRESS_SIZE];

	(void)state;
	inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
	socket_format((struct sockaddr *)&v4, text);
	assert_string_equal(text, "192.0.2.1:80");
	inet_pton(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666", &v6.sin6_addr);
	socket_format((struct sockaddr *)&v6, text);
	assert_string_equal(text, "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	socket_format((struct sockaddr *)&v6, text);
	assert_string_equal(text, "192.0.2.1:65535");
	socket_format(&other, text);
	assert_string_equal(text, "family 1");
}

static int option(int fd, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = 0;

	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static int wait_connected(struct dial *d)
{
	struct pollfd fd = { .events = POLLOUT };
	int r;

	while ((r = dial_proceed(d)) == ERR_AGAIN) {
		fd.fd = dial_fd(d);
		wait_ready(&fd, 1);
	}
	return r;
}

static void a_listener_is_reached(void **state)
{
	char port_text[16], why[256];
	unsigned port;
	int door = listen_loopback(&port), fd;
	struct dial *d;

	(void)state;
	snprintf(port_text, sizeof(port_text), "%u", port);
	d = dial_create("127.0.0.1", port_text, why, sizeof(why));
	assert_non_null(d);
	assert_int_equal(wait_connected(d), 0);
	fd = dial_take(d);
	dial_destroy(d);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_true(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) <= 60);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	close(fd);
	close(door);
}

/* "localhost" is two addresses on most machines; the broker listens on the second alone. */
static void each_address_of_a_name_is_tried(void **state)
{
	char port_text[16], why[256];
	unsigned port;
	int door = listen_loopback(&port);
	struct dial *d;

	(void)state;
	snprintf(port_text, sizeof(port_text), "%u", port);
	d = dial_create("localhost", port_text, why, sizeof(why));
	assert_non_null(d);
	assert_int_equal(wait_connected(d), 0);
	dial_destroy(d);
	close(door);
}

static void a_refusal_is_told(void **state)
{
	char port_text[16], why[256] = "";
	unsigned port;
	struct dial *d;

	(void)state;
	close(listen_loopback(&port));
	snprintf(port_text, sizeof(port_text), "%u", port);
	d = dial_create("127.0.0.1", port_text, why, sizeof(why));
	if (d != NULL) {
		assert_int_equal(wait_connected(d), ERR_IO);
		assert_int_equal(dial_proceed(d), ERR_IO);
		snprintf(why, sizeof(why), "%s", dial_why(d));
		dial_destroy(d);
	}
	assert_non_null(strstr(why, port_text));
	assert_non_null(strstr(why, "refused"));
}

static void a_name_that_is_none_is_told(void **state)
{
	char why[256] = "";

	(void)state;
	assert_null(dial_create("no such name", "7420", why, sizeof(why)));
	assert_non_null(strstr(why, "cannot find no such name:7420"));
	assert_null(dial_create("127.0.0.1", "no-such-service", why, sizeof(why)));
	assert_non_null(strstr(why, "no-such-service"));
}

static void an_address_that_is_silent_can_be_skipped(void **state)
{
	char port_text[16], why[256];
	unsigned port;
	int door = listen_loopback(&port);
	struct dial *d;

	(void)state;
	snprintf(port_text, sizeof(port_text), "%u", port);
	d = dial_create("127.0.0.1", port_text, why, sizeof(why));
	assert_non_null(d);
	assert_int_equal(dial_skip(d), ERR_IO);
	assert_non_null(strstr(dial_why(d), "no answer in time"));
	assert_int_equal(dial_fd(d), -1);
	dial_destroy(d);
	close(door);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_and_port_are_split),
		cmocka_unit_test(what_is_no_host_and_port_is_refused),
		cmocka_unit_test(addresses_are_shown),
		cmocka_unit_test(a_listener_is_reached),
		cmocka_unit_test(each_address_of_a_name_is_tried),
		cmocka_unit_test(a_refusal_is_told),
		cmocka_unit_test(a_name_that_is_none_is_told),
		cmocka_unit_test(an_address_that_is_silent_can_be_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
