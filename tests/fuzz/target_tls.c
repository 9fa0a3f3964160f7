/*
 * target_tls.c - what a stranger may send before it is known: bytes into a server's TLS context
 *
 * Randomness and time are fixed, so a recorded handshake (fuzz-seeds makes some) gets as far as it
 * did, certificate and Finished and all, and the mutated ones almost as far. The first byte says
 * in what pieces the rest comes.
 */
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fixed.h"
#include "fuzz.h"
#include "net/stream.h"

#define CPU_MS_MAX 20
#define HEAP_BYTES_MAX (256 * 1024)
#define STEPS_MAX 4096
#define TRIES_MAX 5

static struct tls_context *tls;

void target_begin(void)
{
	tls_init();
	tls = fixed_server(fuzz_directory());
}

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One more go of the server: false when it is over. */
static bool step(struct stream *s, bool *is_open, size_t *plain)
{
	char text[1024];
	long n;

	if (!*is_open) {
		int rc = stream_handshake(s);

		*is_open = rc == 0;
		return rc == 0 || rc == ERR_AGAIN;
	}
	n = stream_read(s, text, sizeof text);
	*plain += n > 0 ? (size_t)n : 0;
	return n > 0 || n == ERR_AGAIN;
}

/* All of it, in pieces of `piece` bytes, then the end of the connection. */
static bool feed(struct stream *s, int fd, const uint8_t *p, size_t size, size_t piece)
{
	bool is_open = false, goes_on = true;
	size_t plain = 0, sent = 0;
	static char trash[65536];

	for (unsigned n = 0; goes_on && n < STEPS_MAX; n++) {
		size_t part = size - sent < piece ? size - sent : piece;
		ssize_t done = part > 0 ? send(fd, p + sent, part, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

		sent += done > 0 ? (size_t)done : 0;
		if (sent == size)
			shutdown(fd, SHUT_WR);
		goes_on = step(s, &is_open, &plain);
		while (recv(fd, trash, sizeof trash, MSG_DONTWAIT) > 0)
			;
	}
	must(!goes_on || sent < size);	/* the end was understood as such */
	must(plain <= size);
	return is_open;
}

/* One connection of a stranger; how long it kept the processor. */
static int64_t try_once(const uint8_t *data, size_t size)
{
	int pair[2];
	int64_t began;
	struct stream *s;
	struct tls_identity id;
	bool is_open;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	fixed_begin(4);
	memory_count();
	began = cpu_us();
	s = stream_create(tls, pair[0]);
	must(s != NULL);
	is_open = feed(s, pair[1], data + 1, size - 1, data[0] == 0 ? SIZE_MAX : data[0] * 16u);
	stream_identity(s, &id);
	/* Nobody is anybody without the key to a certificate that our authority signed. */
	must(is_open == !id.malformed && (!is_open || id.uri_count == 1));
	must(*stream_why(s) != '\0' && strlen(stream_why(s)) < STREAM_WHY_SIZE);
	for (const char *p = stream_why(s); *p; p++)
		must(*p >= 0x20 && *p < 0x7f);
	stream_destroy(s);
	must(memory_peak() < HEAP_BYTES_MAX);
	close(pair[1]);
	return cpu_us() - began;
}

/* What takes long is tried again: a busy machine lets a process pay for others. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int tries = 0;

	if (size < 1)
		return 0;
	while (try_once(data, size) >= CPU_MS_MAX * 1000)
		must(++tries < TRIES_MAX);
	return 0;
}
