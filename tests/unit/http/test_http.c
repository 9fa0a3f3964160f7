/* test_http.c - connections over a real socket, with turns and a clock of the test's own */
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "http/http.h"

/* No path: it is answered without a look at the broker, of which there is none here. */
static const char question[] = "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n";
static struct ev_loop *loop;
static struct http *h;
static uint64_t now_ms;
static char heard[4096];

static int begin(void **state)
{
	const struct http_settings settings = { .host = "127.0.0.1" };
	char why[256] = "";

	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	loop = ev_loop_new(EVFLAG_AUTO);
	now_ms = 1000000;
	h = http_create(loop, NULL, NULL, &settings, now_ms, why, sizeof(why));
	if (h == NULL)
		fail_msg("%s", why);
	return 0;
}

static int end(void **state)
{
	(void)state;
	http_destroy(h);
	ev_loop_destroy(loop);
	return 0;
}

static void take(void)
{
	ev_run(loop, EVRUN_NOWAIT);
	http_set_time(h, now_ms);
	http_receive(h);
	http_expire(h);
}

static void turn(void)
{
	take();
	http_settle(h);
	http_reap(h);
}

/* As many as it takes to read what has come in pieces, and the end behind it. */
static void turns(void)
{
	for (int i = 0; i < 4; i++)
		turn();
}

static int connect_peer(void)
{
	union { struct sockaddr any; struct sockaddr_in v4; } a = {
		.v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
			.sin_port = htons((in_port_t)http_port(h)) },
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &a.any, sizeof(a)), 0);
	turn();
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What is there for the peer, into heard[]; true when the connection has ended in good order. */
static bool hear(int fd)
{
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, heard + got, sizeof(heard) - 1 - got, MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	heard[got] = '\0';
	return n == 0;
}

static void assert_heard(int fd, const char *status)
{
	assert_true(hear(fd));
	assert_memory_equal(heard, status, strlen(status));
}

static void an_answer_leaves_after_the_commit_only(void **state)
{
	int fd = connect_peer();

	(void)state;
	say(fd, question);
	take();
	assert_false(hear(fd));
	assert_string_equal(heard, "");
	http_settle(h);			/* the commit has returned 0 */
	assert_heard(fd, "HTTP/1.1 404 ");
	close(fd);
}

static void a_turn_answers_one_and_does_not_sleep_on_the_next(void **state)
{
	int first = connect_peer(), second = connect_peer();

	(void)state;
	say(first, question);
	say(second, question);
	turn();
	assert_heard(first, "HTTP/1.1 404 ");
	assert_false(hear(second));
	assert_true(http_have_pending(h));
	turn();
	assert_heard(second, "HTTP/1.1 404 ");
	assert_false(http_have_pending(h));
	close(first);
	close(second);
}

/* A reset could take the answer from the peer before it was read. */
static void bytes_after_the_request_do_not_reset_it(void **state)
{
	int fd = connect_peer();

	(void)state;
	say(fd, question);
	say(fd, question);
	turn();
	say(fd, "more");
	turn();
	assert_heard(fd, "HTTP/1.1 404 ");
	say(fd, "and more");
	turn();
	assert_true(hear(fd));
	close(fd);
	turns();
	assert_true(http_next_deadline_ms(h) == UINT64_MAX);
}

static void a_request_has_its_time_and_so_has_its_answer(void **state)
{
	int silent = connect_peer(), slow = connect_peer();

	(void)state;
	say(slow, "GET");
	now_ms += HTTP_TIMEOUT_MS - 1;
	turn();
	assert_false(hear(slow));
	assert_true(http_next_deadline_ms(h) == now_ms + 1);
	now_ms++;
	turn();
	assert_heard(slow, "HTTP/1.1 408 ");
	assert_true(hear(silent));
	assert_string_equal(heard, "");
	assert_true(http_next_deadline_ms(h) == now_ms + HTTP_TIMEOUT_MS);
	now_ms += HTTP_TIMEOUT_MS;
	turn();
	assert_true(http_next_deadline_ms(h) == UINT64_MAX);
	close(silent);
	close(slow);
}

static void who_waits_for_longest_gives_way(void **state)
{
	int peers[HTTP_CONNECTIONS_MAX + 1];

	(void)state;
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		peers[i] = connect_peer();
	say(peers[0], question);
	turn();
	assert_heard(peers[0], "HTTP/1.1 404 ");	/* it may read on, and keeps its place */
	peers[HTTP_CONNECTIONS_MAX] = connect_peer();
	turn();
	assert_true(hear(peers[1]));
	for (int i = 2; i <= HTTP_CONNECTIONS_MAX; i++)
		assert_false(hear(peers[i]));
	for (int i = 0; i <= HTTP_CONNECTIONS_MAX; i++)
		close(peers[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_leaves_after_the_commit_only, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_turn_answers_one_and_does_not_sleep_on_the_next, begin, end),
		cmocka_unit_test_setup_teardown(bytes_after_the_request_do_not_reset_it, begin,
						end),
		cmocka_unit_test_setup_teardown(a_request_has_its_time_and_so_has_its_answer, begin,
						end),
		cmocka_unit_test_setup_teardown(who_waits_for_longest_gives_way, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
