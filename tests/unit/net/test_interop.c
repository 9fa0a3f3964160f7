/* test_interop.c - TLS with a peer that is not ours: the openssl command */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "net/stream.h"

extern char **environ;

/* A running openssl with pipes to its standard input and output. */
struct program {
	pid_t pid;
	int in, out;
	char said[16384];	/* what it has printed so far */
	size_t said_len;
};

static struct tls_context *server_tls, *client_tls;

static int begin(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	fixture_begin(state);
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

__attribute__((format(printf, 2, 3)))
static void program_start(struct program *p, const char *fmt, ...)
{
	char command[1024];
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, command, NULL };
	posix_spawn_file_actions_t actions;
	int n = snprintf(command, sizeof(command), "cd %s && exec openssl ", fixture_dir);
	int in[2], out[2];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, args);
	va_end(args);
	*p = (struct program){ .pid = -1 };
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 2), 0);
	assert_int_equal(posix_spawn(&p->pid, "/bin/sh", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = out[0];
}

/* Waits until it has printed the text. */
static void program_says(struct program *p, const char *text)
{
	struct pollfd fd = { .fd = p->out, .events = POLLIN };
	ssize_t n;

	while (strstr(p->said, text) == NULL) {
		wait_ready(&fd, 1);
		n = read(p->out, p->said + p->said_len, sizeof(p->said) - 1 - p->said_len);
		if (n <= 0)
			fail_msg("openssl never said '%s', but: %s", text, p->said);
		p->said_len += (size_t)n;
		p->said[p->said_len] = '\0';
	}
}

static void program_end(struct program *p)
{
	close(p->in);
	kill(p->pid, SIGTERM);
	assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
	close(p->out);
}

static void wait_for(struct stream *s)
{
	const unsigned wants = stream_wants(s);
	struct pollfd fd = {
		.fd = stream_fd(s),
		.events = (short)((wants & STREAM_READABLE ? POLLIN : 0) |
				  (wants & STREAM_WRITABLE ? POLLOUT : 0)),
	};

	wait_ready(&fd, 1);
}

static int handshake(struct stream *s)
{
	int r;

	while ((r = stream_handshake(s)) == ERR_AGAIN)
		wait_for(s);
	return r;
}

static long read_some(struct stream *s, char *to, size_t n)
{
	long r;

	while ((r = stream_read(s, to, n)) == ERR_AGAIN)
		wait_for(s);
	return r;
}

/* Starts s_client with these options; *result is what our handshake ends with. */
static struct stream *serve(struct program *p, const char *options, int *result)
{
	struct pollfd door = { .events = POLLIN };
	struct stream *s;
	unsigned port;
	int fd;

	door.fd = listen_loopback(&port);
	program_start(p, "s_client -connect 127.0.0.1:%u -CAfile ca.crt -cert alpha.crt "
		      "-key alpha.key %s", port, options);
	wait_ready(&door, 1);
	fd = accept4(door.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(door.fd);
	s = stream_create(server_tls, fd);
	*result = handshake(s);
	return s;
}

static void assert_served(const char *options)
{
	struct program p;
	struct stream *s;
	char got[16];
	int r;

	s = serve(&p, options, &r);
	if (r != 0)
		fail_msg("%s: %s", options, stream_why(s));
	assert_int_equal(write(p.in, "hello\n", 6), 6);
	assert_int_equal(read_some(s, got, sizeof(got)), 6);
	assert_memory_equal(got, "hello\n", 6);
	assert_int_equal(stream_write(s, "welcome\n", 8), 0);
	assert_int_equal(stream_flush(s), 0);
	program_says(&p, "welcome\n");
	program_end(&p);
	stream_destroy(s);
}

static void assert_not_served(const char *options, const char *why, const char *alert)
{
	struct program p;
	struct stream *s;
	int r;

	s = serve(&p, options, &r);
	assert_int_equal(r, ERR_TLS);
	if (strstr(stream_why(s), why) == NULL)
		fail_msg("%s: '%s' does not say '%s'", options, stream_why(s), why);
	program_says(&p, alert);
	program_end(&p);
	stream_destroy(s);
}

static void application_protocol_is_negotiated(void **state)
{
	(void)state;
	assert_served("");
	assert_served("-alpn handoff/1");
	assert_served("-alpn h2,handoff/1");
	assert_not_served("-alpn h2", "application protocol", "no application protocol");
}

static void older_tls_is_refused(void **state)
{
	(void)state;
	assert_not_served("-tls1_2", "protocol version", "alert protocol version");
	assert_not_served("-tls1_1 -cipher DEFAULT@SECLEVEL=0", "protocol version",
			  "alert protocol version");
}

static void three_suites_and_three_groups_are_served(void **state)
{
	(void)state;
	assert_served("-ciphersuites TLS_AES_256_GCM_SHA384");
	assert_served("-ciphersuites TLS_AES_128_GCM_SHA256");
	assert_served("-ciphersuites TLS_CHACHA20_POLY1305_SHA256");
	assert_not_served("-ciphersuites TLS_AES_128_CCM_SHA256", "", "alert handshake failure");
	assert_served("-groups X25519");
	assert_served("-groups P-256");
	assert_served("-groups P-384");
	assert_served("-groups P-521:P-256");	/* HelloRetryRequest */
	assert_not_served("-groups P-521", "", "alert handshake failure");
}

static void no_ticket_is_given(void **state)
{
	struct program p;
	struct stream *s;
	int r;

	(void)state;
	s = serve(&p, "", &r);
	assert_int_equal(r, 0);
	assert_int_equal(stream_write(s, "end\n", 4), 0);
	assert_int_equal(stream_flush(s), 0);
	program_says(&p, "end\n");
	assert_null(strstr(p.said, "New Session Ticket arrived"));
	program_end(&p);
	stream_destroy(s);
}

static void a_key_update_ends_the_connection(void **state)
{
	struct program p;
	struct stream *s;
	char byte;
	int r;

	(void)state;
	s = serve(&p, "", &r);
	assert_int_equal(r, 0);
	program_says(&p, "---\n");
	assert_int_equal(write(p.in, "K\n", 2), 2);
	assert_int_equal(read_some(s, &byte, 1), ERR_TLS);
	assert_non_null(strstr(stream_why(s), "KeyUpdate"));
	program_says(&p, "alert unexpected message");
	program_end(&p);
	stream_destroy(s);
}

static void openssl_hears_why_it_was_refused(void **state)
{
	(void)state;
	make_certificate(&(struct leaf){ .name = "old", .by = "ca", .to = "20210101000000",
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	assert_not_served("-cert old.crt -key old.key", "certificate expired",
			  "alert certificate expired");
}

/* Our client against a server that sends tickets, which are passed over. */
static void our_client_speaks_to_openssl(void **state)
{
	union { struct sockaddr any; struct sockaddr_in v4; } a = {
		.v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
	};
	struct program p;
	struct stream *s;
	unsigned port;
	char got[16];
	int fd;

	(void)state;
	close(listen_loopback(&port));
	program_start(&p, "s_server -accept 127.0.0.1:%u -CAfile ca.crt -cert broker.crt -key "
		      "broker.key -Verify 2 -verify_return_error -alpn handoff/1 -tls1_3", port);
	program_says(&p, "ACCEPT");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.v4.sin_port = htons((in_port_t)port);
	assert_int_equal(connect(fd, &a.any, sizeof(a)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	s = stream_create_client(client_tls, fd, "localhost");
	assert_int_equal(handshake(s), 0);
	assert_int_equal(stream_write(s, "hello from alpha\n", 17), 0);
	assert_int_equal(stream_flush(s), 0);
	program_says(&p, "hello from alpha\n");
	program_says(&p, "ALPN protocols selected: handoff/1");
	assert_int_equal(write(p.in, "answer\n", 7), 7);
	assert_int_equal(read_some(s, got, sizeof(got)), 7);
	assert_memory_equal(got, "answer\n", 7);
	stream_destroy(s);
	program_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(application_protocol_is_negotiated),
		cmocka_unit_test(older_tls_is_refused),
		cmocka_unit_test(three_suites_and_three_groups_are_served),
		cmocka_unit_test(no_ticket_is_given),
		cmocka_unit_test(a_key_update_ends_the_connection),
		cmocka_unit_test(openssl_hears_why_it_was_refused),
		cmocka_unit_test(our_client_speaks_to_openssl),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
