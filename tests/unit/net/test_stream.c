/* test_stream.c - handshakes that succeed and fail, bytes both ways, endings */
#include "fixture.h"

#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/mem.h"
#include "base/rng.h"
#include "net/cert.h"
#include "net/stream.h"

/* Both ends of one connection in one thread, and what each handshake ended with. */
struct pair {
	struct stream *server, *client;
	int server_result, client_result;
};

static struct tls_context *server_tls, *client_tls;

static int begin(void **state)
{
	const mbedtls_x509_san_list uri = san_of(MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
						 "spiffe://example/module/beta");

	fixture_begin(state);
	make_certificate(&(struct leaf){ .name = "other", .is_authority = true });
	make_certificate(&(struct leaf){ .name = "stranger", .by = "other",
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	make_certificate(&(struct leaf){ .name = "expired", .by = "ca", .to = "20210101000000",
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	make_certificate(&(struct leaf){ .name = "future", .by = "ca", .from = "20980101000000",
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	make_certificate(&(struct leaf){ .name = "plain", .by = "ca", .names = &uri });
	make_certificate(&(struct leaf){ .name = "agreement", .by = "ca",
					 .key_usage = MBEDTLS_X509_KU_KEY_AGREEMENT,
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	make_certificate(&(struct leaf){ .name = "issued-by-leaf", .by = "alpha",
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	make_certificate(&(struct leaf){ .name = "any", .by = "ca",
					 .usage = MBEDTLS_OID_ANY_EXTENDED_KEY_USAGE });
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

static void connect_pair(struct pair *p, struct tls_context *client, const char *name)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->server = stream_create(server_tls, fds[0]);
	p->client = stream_create_client(client, fds[1], name);
	assert_non_null(p->server);
	assert_non_null(p->client);
	p->server_result = p->client_result = ERR_AGAIN;
}

static struct pollfd interest(const struct stream *s)
{
	const unsigned wants = stream_wants(s);

	return (struct pollfd){
		.fd = stream_fd(s),
		.events = (short)(((wants & STREAM_READABLE) != 0 ? POLLIN : 0) |
				  ((wants & STREAM_WRITABLE) != 0 ? POLLOUT : 0)),
	};
}

/* Waits until one end can do what it wants. */
static void pair_wait(const struct pair *p)
{
	struct pollfd fds[2] = { interest(p->server), interest(p->client) };

	wait_ready(fds, 2);
}

static void pair_handshake(struct pair *p)
{
	for (;;) {
		if (p->server_result == ERR_AGAIN)
			p->server_result = stream_handshake(p->server);
		if (p->client_result == ERR_AGAIN)
			p->client_result = stream_handshake(p->client);
		if (p->server_result != ERR_AGAIN && p->client_result != ERR_AGAIN)
			return;
		pair_wait(p);
	}
}

static void pair_open(struct pair *p)
{
	connect_pair(p, client_tls, "localhost");
	pair_handshake(p);
	assert_int_equal(p->server_result, 0);
	assert_int_equal(p->client_result, 0);
}

static void pair_destroy(struct pair *p)
{
	stream_destroy(p->server);
	stream_destroy(p->client);
}

/* Reads until there is an error or n bytes are there: their number, or the error. */
static long read_waiting(struct stream *s, char *to, size_t n)
{
	struct pollfd fd;
	size_t have = 0;
	long r;

	while (have < n) {
		r = stream_read(s, to + have, n - have);
		if (r > 0) {
			have += (size_t)r;
		} else if (r != ERR_AGAIN) {
			return r;
		} else {
			assert_false(stream_has_pending(s));
			fd = interest(s);
			wait_ready(&fd, 1);
		}
	}
	return (long)have;
}

static void assert_reads(struct stream *s, const char *text)
{
	char got[256];

	assert_int_equal(read_waiting(s, got, strlen(text)), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void says(struct stream *s, const char *text)
{
	assert_int_equal(stream_write(s, text, strlen(text)), 0);
	assert_int_equal(stream_flush(s), 0);
}

static void both_sides_know_each_other(void **state)
{
	struct tls_identity id;
	struct pair p;

	(void)state;
	pair_open(&p);
	stream_identity(p.server, &id);
	assert_false(id.malformed);
	assert_int_equal(id.uri_count, 1);
	assert_string_equal(id.uri[0], "spiffe://example/module/alpha");
	assert_string_equal(id.common_name, "alpha");
	assert_int_equal(strlen(id.fingerprint), 64);
	stream_identity(p.client, &id);
	assert_int_equal(id.dns_count, 1);
	assert_string_equal(id.dns[0], "localhost");
	assert_string_equal(stream_why(p.server), "");
	says(p.client, "hello");
	assert_reads(p.server, "hello");
	says(p.server, "welcome");
	assert_reads(p.client, "welcome");
	pair_destroy(&p);
}

static void before_the_handshake_there_is_no_identity(void **state)
{
	struct tls_identity id;
	struct pair p;

	(void)state;
	connect_pair(&p, client_tls, "localhost");
	stream_identity(p.server, &id);
	assert_true(id.malformed);
	assert_int_equal(stream_room(p.server), 0);
	pair_destroy(&p);
}

/* A client with that certificate is refused, the broker says why, and the client gets an alert. */
static void assert_refused(const char *certificate, const char *why, const char *alert)
{
	struct tls_context *tls = load_unchecked("ca", certificate);
	struct pair p;
	char byte;

	connect_pair(&p, tls, "localhost");
	pair_handshake(&p);
	assert_int_equal(p.server_result, ERR_TLS);
	if (strstr(stream_why(p.server), why) == NULL)
		fail_msg("'%s' does not say '%s'", stream_why(p.server), why);
	/* TLS 1.3: the client may believe itself connected, but it cannot read a byte. */
	if (p.client_result == 0)
		assert_int_equal(read_waiting(p.client, &byte, 1), ERR_TLS);
	if (strstr(stream_why(p.client), alert) == NULL)
		fail_msg("'%s' does not say '%s'", stream_why(p.client), alert);
	assert_int_equal(stream_handshake(p.server), ERR_TLS);
	assert_int_equal(stream_room(p.server), 0);
	pair_destroy(&p);
	tls_destroy(tls);
}

static void strangers_are_refused_in_the_handshake(void **state)
{
	(void)state;
	assert_refused(NULL, "no client certificate", "no_certificate");
	assert_refused("stranger", "unknown authority; subject CN=stranger", "unknown_ca");
	assert_refused("expired", "certificate expired; subject CN=expired", "certificate_expired");
	assert_refused("future", "certificate not yet valid", "certificate_unknown");
	assert_refused("plain", "no extendedKeyUsage clientAuth", "unsupported_certificate");
	assert_refused("any", "no extendedKeyUsage clientAuth", "unsupported_certificate");
	assert_refused("broker", "no extendedKeyUsage clientAuth", "unsupported_certificate");
	assert_refused("agreement", "no keyUsage digitalSignature", "unsupported_certificate");
	assert_refused("issued-by-leaf", "unknown authority", "unknown_ca");
}

static void weak_certificates_are_refused(void **state)
{
	(void)state;
	write_text(path_of("ext", ".cnf"), "extendedKeyUsage=clientAuth\n");
	assert_int_equal(run_command("openssl req -newkey rsa:2048 -nodes -keyout rsa.key -out "
		"rsa.csr -subj /CN=rsa && openssl x509 -req -in rsa.csr -CA ca.crt -CAkey ca.key "
		"-days 2 -set_serial 7 -extfile ext.cnf -sha256 -out rsa.crt"), 0);
	assert_refused("rsa", "key too weak", "unsupported_certificate");
	assert_int_equal(run_command("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
		"-nodes -keyout sha1.key -out sha1.csr -subj /CN=sha1 && openssl x509 -req -in "
		"sha1.csr -CA ca.crt -CAkey ca.key -days 2 -set_serial 8 -extfile ext.cnf -sha1 "
		"-out sha1.crt"), 0);
	assert_refused("sha1", "signature weaker than SHA-256", "certificate_unknown");
}

static void strong_rsa_is_served(void **state)
{
	struct tls_context *tls;
	struct pair p;

	(void)state;
	write_text(path_of("ext", ".cnf"), "extendedKeyUsage=clientAuth\n");
	assert_int_equal(run_command("openssl req -newkey rsa:3072 -nodes -keyout rsa3.key -out "
		"rsa3.csr -subj /CN=rsa3 && openssl x509 -req -in rsa3.csr -CA ca.crt -CAkey "
		"ca.key -days 2 -set_serial 9 -extfile ext.cnf -sha384 -out rsa3.crt"), 0);
	tls = load(false, "ca", "rsa3");
	connect_pair(&p, tls, "localhost");
	pair_handshake(&p);
	assert_int_equal(p.server_result, 0);
	assert_int_equal(p.client_result, 0);
	pair_destroy(&p);
	tls_destroy(tls);
}

static void a_long_chain_is_refused(void **state)
{
	const char *names[] = { "ca", "chain1", "chain2", "chain3", "chain4" };

	(void)state;
	for (int i = 1; i < 5; i++)
		make_certificate(&(struct leaf){ .name = names[i], .by = names[i - 1],
						 .is_authority = i < 4,
						 .usage = MBEDTLS_OID_CLIENT_AUTH });
	assert_int_equal(run_command("cat chain2.crt chain1.crt >>chain3.crt && "
				     "cp chain3.key chain4b.key && cp chain3.crt chain4b.crt"), 0);
	/* Leaf chain3, two intermediates, root: the longest that is served. */
	{
		struct tls_context *tls = load_unchecked("ca", "chain4b");
		struct pair p;

		connect_pair(&p, tls, "localhost");
		pair_handshake(&p);
		assert_int_equal(p.server_result, 0);
		pair_destroy(&p);
		tls_destroy(tls);
	}
	assert_int_equal(run_command("cat chain3.crt >>chain4.crt"), 0);
	assert_refused("chain4", "chain of certificates too long", "access_denied");
}

static void the_client_checks_the_name_and_the_authority(void **state)
{
	struct tls_context *other;
	struct pair p;

	(void)state;
	connect_pair(&p, client_tls, "elsewhere.example");
	pair_handshake(&p);
	assert_int_equal(p.client_result, ERR_TLS);
	assert_non_null(strstr(stream_why(p.client), "certificate is for another name; subject "
						     "CN=broker"));
	assert_int_equal(p.server_result, ERR_TLS);
	assert_non_null(strstr(stream_why(p.server), "refused by the peer: bad_certificate"));
	pair_destroy(&p);

	other = load(false, "other", "stranger");
	connect_pair(&p, other, "localhost");
	pair_handshake(&p);
	assert_int_equal(p.client_result, ERR_TLS);
	assert_non_null(strstr(stream_why(p.client), "unknown authority"));
	pair_destroy(&p);
	tls_destroy(other);
}

static void a_broker_is_known_by_its_address(void **state)
{
	const struct cert_files ca = { path_of("ca", ".crt"), path_of("ca", ".key") };
	const struct cert_files own = { path_of("numbered", ".crt"), path_of("numbered", ".key") };
	const char *const names[] = { "192.0.2.7", "2001:db8::7" };
	struct tls_context *named = server_tls;
	struct pair p;
	char why[256];

	(void)state;
	assert_true(cert_issue_broker(&ca, &own, false, names, 2, 1, why, sizeof(why)));
	server_tls = load(true, "ca", "numbered");
	for (int i = 0; i < 3; i++) {
		connect_pair(&p, client_tls, i < 2 ? names[i] : "192.0.2.8");
		pair_handshake(&p);
		assert_int_equal(p.client_result, i < 2 ? 0 : ERR_TLS);
		pair_destroy(&p);
	}
	tls_destroy(server_tls);
	server_tls = named;
}

/* One direction of a transfer: what is sent and what came. */
struct transfer {
	struct stream *from, *to;
	uint8_t *bytes, *got;
	size_t sent, received;
};

#define TRANSFER_BYTES ((size_t)10 * 1000 * 1000 + 7)

static void transfer_init(struct transfer *t, struct stream *from, struct stream *to,
			  struct rng *rng)
{
	*t = (struct transfer){ .from = from, .to = to, .bytes = xmalloc(TRANSFER_BYTES),
				.got = xmalloc(TRANSFER_BYTES) };
	rng_bytes(rng, t->bytes, TRANSFER_BYTES);
}

/* Writes a piece of odd size and reads pieces of odd size; false when nothing could be done. */
static bool transfer_step(struct transfer *t, struct rng *rng)
{
	size_t n = 1 + rng_below(rng, 70000);
	bool moved = false;
	long r;

	if (n > TRANSFER_BYTES - t->sent)
		n = TRANSFER_BYTES - t->sent;
	if (n > stream_room(t->from))
		n = stream_room(t->from);
	if (n > 0) {
		assert_int_equal(stream_write(t->from, t->bytes + t->sent, n), 0);
		t->sent += n;
		moved = true;
	}
	r = stream_flush(t->from);
	assert_true(r == 0 || r == ERR_AGAIN);
	assert_true(stream_unsent(t->from) <= STREAM_OUT_BYTES_MAX);
	for (int i = 0; i < 8 && t->received < TRANSFER_BYTES; i++) {
		n = 1 + rng_below(rng, 40000);
		if (n > TRANSFER_BYTES - t->received)
			n = TRANSFER_BYTES - t->received;
		r = stream_read(t->to, t->got + t->received, n);
		if (r == ERR_AGAIN) {
			assert_false(stream_has_pending(t->to));
			break;
		}
		assert_true(r > 0);
		t->received += (size_t)r;
		moved = true;
	}
	return moved;
}

static void transfer_check(struct transfer *t)
{
	assert_memory_equal(t->bytes, t->got, TRANSFER_BYTES);
	free(t->bytes);
	free(t->got);
}

static void transfer_both_ways(struct pair *p, uint64_t seed)
{
	struct transfer up, down;
	struct rng rng;
	bool moved;

	rng_seed(&rng, seed);
	transfer_init(&up, p->client, p->server, &rng);
	transfer_init(&down, p->server, p->client, &rng);
	while (up.received < TRANSFER_BYTES || down.received < TRANSFER_BYTES) {
		moved = transfer_step(&up, &rng);
		if (!transfer_step(&down, &rng) && !moved && !stream_has_pending(p->server) &&
		    !stream_has_pending(p->client))
			pair_wait(p);
	}
	transfer_check(&up);
	transfer_check(&down);
}

static void ten_megabytes_go_both_ways(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	transfer_both_ways(&p, 1);
	assert_true(stream_sent_bytes(p.client) > TRANSFER_BYTES);
	assert_true(stream_record_bytes(p.client) > 2 * TRANSFER_BYTES);
	pair_destroy(&p);
}

static void a_throttled_socket_corrupts_nothing(void **state)
{
	const int small = 1;
	struct pair p;

	(void)state;
	pair_open(&p);
	assert_int_equal(setsockopt(stream_fd(p.client), SOL_SOCKET, SO_SNDBUF, &small,
				    sizeof(small)), 0);
	assert_int_equal(setsockopt(stream_fd(p.server), SOL_SOCKET, SO_SNDBUF, &small,
				    sizeof(small)), 0);
	transfer_both_ways(&p, 2);
	pair_destroy(&p);
}

static void the_room_is_what_can_be_written_and_a_mute_peer_costs_no_more(void **state)
{
	static const char block[STREAM_OUT_BYTES_MAX];
	struct pair p;
	size_t room;

	(void)state;
	pair_open(&p);
	for (size_t n = 1; stream_room(p.client) > 0; n = n * 3 + 1) {
		room = stream_room(p.client);
		assert_int_equal(stream_write(p.client, block, n < room ? n : room), 0);
		assert_true(stream_unsent(p.client) <= STREAM_OUT_BYTES_MAX);
	}
	/* Nobody reads: the socket takes some, and then the ceiling holds. */
	while (stream_flush(p.client) == 0 || stream_room(p.client) > 0)
		assert_int_equal(stream_write(p.client, block, stream_room(p.client)), 0);
	assert_true(stream_unsent(p.client) <= STREAM_OUT_BYTES_MAX);
	assert_true(stream_unsent(p.client) > STREAM_OUT_BYTES_MAX - 100);
	assert_int_equal(stream_wants(p.client), STREAM_READABLE | STREAM_WRITABLE);
	/* close_notify has its place even then. */
	assert_int_equal(stream_shutdown(p.client), ERR_AGAIN);
	assert_int_equal(stream_room(p.client), 0);
	pair_destroy(&p);
}

static void many_small_writes_leave_in_one_send(void **state)
{
	uint64_t before;
	char got[3000];
	struct pair p;
	ssize_t n;

	(void)state;
	pair_open(&p);
	before = stream_records(p.client);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(stream_write(p.client, "abc", 3), 0);
	assert_int_equal(stream_records(p.client), before + 1000);
	assert_int_equal(stream_flush(p.client), 0);
	/* One call: the first look at the socket shows all of it. */
	n = recv(stream_fd(p.server), &(char[65536]){ 0 }, 65536, MSG_PEEK);
	assert_int_equal(n, 1000 * (5 + 16 + 16));
	assert_int_equal(read_waiting(p.server, got, sizeof(got)), sizeof(got));
	for (size_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], "abc"[i % 3]);
	assert_int_equal(stream_records(p.server), 1000 + stream_records(p.client) - 1000 - before);
	pair_destroy(&p);
}

/* All of a record's frames are there after one readiness: has_pending() says so (B15). */
static void bytes_left_inside_are_told(void **state)
{
	char byte;
	struct pair p;

	(void)state;
	pair_open(&p);
	says(p.client, "0123456789");
	says(p.client, "x");
	assert_int_equal(read_waiting(p.server, &byte, 1), 1);
	for (int i = 1; i < 11; i++) {
		assert_true(stream_has_pending(p.server));
		assert_int_equal(stream_read(p.server, &byte, 1), 1);
		assert_int_equal(byte, "0123456789x"[i]);
	}
	assert_int_equal(stream_read(p.server, &byte, 1), ERR_AGAIN);
	assert_false(stream_has_pending(p.server));
	pair_destroy(&p);
}

static void a_record_in_single_bytes_is_read(void **state)
{
	int fds[2];
	char wire[512], got[16];
	struct pair p;
	ssize_t n;

	(void)state;
	pair_open(&p);
	/* The record is taken off the wire and sent on to the server byte by byte. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	says(p.client, "slow");
	n = recv(stream_fd(p.server), wire, sizeof(wire), 0);
	assert_true(n > 4);
	assert_int_equal(dup3(fds[0], stream_fd(p.server), O_CLOEXEC), stream_fd(p.server));
	for (ssize_t i = 0; i < n; i++) {
		assert_true(stream_read(p.server, got, sizeof(got)) == ERR_AGAIN);
		assert_false(stream_has_pending(p.server));
		assert_int_equal(send(fds[1], wire + i, 1, 0), 1);
		/* The reading before may have been spared the system call: this one looks. */
		if (i < n - 1)
			assert_true(stream_read(p.server, got, sizeof(got)) == ERR_AGAIN);
	}
	assert_int_equal(read_waiting(p.server, got, 4), 4);
	assert_memory_equal(got, "slow", 4);
	close(fds[0]);
	close(fds[1]);
	pair_destroy(&p);
}

static void each_side_closes_in_order(void **state)
{
	struct pair p;
	char byte;

	(void)state;
	pair_open(&p);
	assert_int_equal(stream_write(p.client, "last words", 10), 0);
	assert_int_equal(stream_shutdown(p.client), 0);
	assert_int_equal(stream_shutdown(p.client), 0);
	assert_reads(p.server, "last words");
	assert_int_equal(read_waiting(p.server, &byte, 1), ERR_CLOSED);
	assert_string_equal(stream_why(p.server), "closed by the peer");
	assert_int_equal(stream_wants(p.server), 0);
	assert_int_equal(stream_read(p.server, &byte, 1), ERR_CLOSED);
	/* The other half goes on. */
	says(p.server, "goodbye");
	assert_reads(p.client, "goodbye");
	assert_int_equal(stream_shutdown(p.server), 0);
	assert_int_equal(read_waiting(p.client, &byte, 1), ERR_CLOSED);
	pair_destroy(&p);
}

static void an_end_without_close_notify_is_told_apart(void **state)
{
	struct pair p;
	char byte;

	(void)state;
	pair_open(&p);
	says(p.client, "half a fr");
	assert_int_equal(shutdown(stream_fd(p.client), SHUT_WR), 0);
	assert_reads(p.server, "half a fr");
	assert_int_equal(read_waiting(p.server, &byte, 1), ERR_CLOSED);
	assert_string_equal(stream_why(p.server), "connection ended without close_notify");
	pair_destroy(&p);
}

static void a_peer_that_is_gone_fails_writing_only_when_flushed(void **state)
{
	struct pair p;
	char byte;

	(void)state;
	pair_open(&p);
	says(p.client, "bye");
	stream_destroy(p.client);
	assert_int_equal(stream_write(p.server, "answer", 6), 0);
	assert_int_equal(stream_flush(p.server), ERR_CLOSED);
	assert_int_equal(stream_room(p.server), 0);
	assert_int_equal(stream_unsent(p.server), 0);
	/* What it said before is still read. */
	assert_reads(p.server, "bye");
	assert_int_equal(read_waiting(p.server, &byte, 1), ERR_CLOSED);
	stream_destroy(p.server);
}

static void a_changed_byte_ends_the_connection(void **state)
{
	char wire[512], byte;
	int fds[2];
	struct pair p;
	ssize_t n;

	(void)state;
	pair_open(&p);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	says(p.client, "text");
	n = recv(stream_fd(p.server), wire, sizeof(wire), 0);
	wire[n - 1] ^= 1;
	assert_int_equal(dup3(fds[0], stream_fd(p.server), O_CLOEXEC), stream_fd(p.server));
	assert_int_equal(send(fds[1], wire, (size_t)n, 0), n);
	assert_int_equal(read_waiting(p.server, &byte, 1), ERR_TLS);
	assert_true(stream_why(p.server)[0] != '\0');
	assert_true(recv(fds[1], wire, sizeof(wire), 0) > 0);	/* an alert */
	close(fds[0]);
	close(fds[1]);
	pair_destroy(&p);
}

static void what_is_not_tls_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} openings[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 },
		{ "\x16\x03\x01\xff\xff", 5 },
		{ "\x17\x03\x03\x00\x05hello", 10 },
		{ "\x15\x03\x03\x00\x02\x02\x28", 7 },
	};
	struct stream *s;
	int fds[2], r;

	(void)state;
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		s = stream_create(server_tls, fds[0]);
		assert_int_equal(send(fds[1], openings[i].bytes, openings[i].n, 0), openings[i].n);
		r = stream_handshake(s);
		assert_int_equal(r, ERR_TLS);
		assert_true(stream_why(s)[0] != '\0');
		close(fds[1]);
		stream_destroy(s);
	}
}

/* A handshake that never ends: the ceiling of its bytes is reached whatever the peer sends. */
static void an_endless_handshake_is_cut(void **state)
{
	/* A ClientHello that says it has 16,000 bytes, and brings them one by one. */
	static const uint8_t head[] = { 0x16, 3, 1, 0, 4, 1, 0, 0x3e, 0x80 };
	static const uint8_t record[] = { 0x16, 3, 1, 0, 1, 0 };
	size_t sent = sizeof(head);
	struct stream *s;
	int fds[2], r;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	s = stream_create(server_tls, fds[0]);
	assert_int_equal(send(fds[1], head, sizeof(head), 0), sizeof(head));
	while ((r = stream_handshake(s)) == ERR_AGAIN && sent < 2 * STREAM_HANDSHAKE_BYTES_MAX) {
		assert_int_equal(send(fds[1], record, sizeof(record), 0), sizeof(record));
		sent += sizeof(record);
	}
	assert_int_equal(r, ERR_TLS);
	assert_non_null(strstr(stream_why(s), "handshake longer than"));
	assert_in_range(sent, STREAM_HANDSHAKE_BYTES_MAX, STREAM_HANDSHAKE_BYTES_MAX + 100);
	close(fds[1]);
	stream_destroy(s);
}

static void an_idle_connection_is_cheap(void **state)
{
	enum { COUNT = 20 };
	struct pair p[COUNT];
	size_t before, bytes;

	(void)state;
	pair_open(&p[0]);	/* what the libraries allocate once */
	pair_destroy(&p[0]);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (int i = 0; i < COUNT; i++) {
		pair_open(&p[i]);
		transfer_both_ways(&p[i], 3);
		if (i == 0)
			before = mallinfo2().uordblks + mallinfo2().hblkhd;
	}
	bytes = (mallinfo2().uordblks + mallinfo2().hblkhd - before) / (2 * (COUNT - 1));
	print_message("          heap of one idle end: %zu bytes\n", bytes);
	/* mbedTLS's two record buffers, its keys and the peer's certificate; no buffer of ours. */
	assert_true(bytes < MBEDTLS_SSL_IN_CONTENT_LEN + MBEDTLS_SSL_OUT_CONTENT_LEN + 16384);
	for (int i = 0; i < COUNT; i++)
		pair_destroy(&p[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_know_each_other),
		cmocka_unit_test(before_the_handshake_there_is_no_identity),
		cmocka_unit_test(strangers_are_refused_in_the_handshake),
		cmocka_unit_test(weak_certificates_are_refused),
		cmocka_unit_test(strong_rsa_is_served),
		cmocka_unit_test(a_long_chain_is_refused),
		cmocka_unit_test(the_client_checks_the_name_and_the_authority),
		cmocka_unit_test(a_broker_is_known_by_its_address),
		cmocka_unit_test(ten_megabytes_go_both_ways),
		cmocka_unit_test(a_throttled_socket_corrupts_nothing),
		cmocka_unit_test(the_room_is_what_can_be_written_and_a_mute_peer_costs_no_more),
		cmocka_unit_test(many_small_writes_leave_in_one_send),
		cmocka_unit_test(bytes_left_inside_are_told),
		cmocka_unit_test(a_record_in_single_bytes_is_read),
		cmocka_unit_test(each_side_closes_in_order),
		cmocka_unit_test(an_end_without_close_notify_is_told_apart),
		cmocka_unit_test(a_peer_that_is_gone_fails_writing_only_when_flushed),
		cmocka_unit_test(a_changed_byte_ends_the_connection),
		cmocka_unit_test(what_is_not_tls_is_refused),
		cmocka_unit_test(an_endless_handshake_is_cut),
		cmocka_unit_test(an_idle_connection_is_cheap),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
