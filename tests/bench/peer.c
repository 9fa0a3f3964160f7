/* peer.c - one module's connection to the broker: certificates, HELLO, whole messages */
#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/datetime.h"
#include "bench.h"
#include "net/stream.h"

#define FRAME_BYTES_MAX (16 * 1024 * 1024)
#define PATIENCE_MS 30000		/* nothing may take longer than this */

static struct tls_context *load_credentials(const char *module, const char *directory)
{
	char name[MODULE_NAME_MAX + 1], ca[512], certificate[512], key[512], why[512];
	struct tls_context *tls;
	size_t i;

	for (i = 0; module[i] != '\0' && i < MODULE_NAME_MAX; i++)
		name[i] = (char)tolower((unsigned char)module[i]);
	name[i] = '\0';
	snprintf(ca, sizeof(ca), "%s/ca.crt", directory);
	snprintf(certificate, sizeof(certificate), "%s/module-%s.crt", directory, name);
	snprintf(key, sizeof(key), "%s/module-%s.key", directory, name);
	tls = tls_client_create(ca, certificate, key, why, sizeof(why));
	if (tls == NULL)
		die("%s", why);
	return tls;
}

/* Until the link can go on; the address's own time limit is far away on one machine. */
static void wait_for(const struct link *l)
{
	const unsigned wants = link_wants(l);
	struct pollfd ready = {
		.fd = link_fd(l),
		.events = (short)((wants & STREAM_READABLE ? POLLIN : 0) |
				  (wants & STREAM_WRITABLE ? POLLOUT : 0)),
	};

	if (!link_has_pending(l) && poll(&ready, 1, PATIENCE_MS) == 0)
		die("the broker says nothing for %d ms", PATIENCE_MS);
}

static void connect_to(struct peer *p, const char *address)
{
	char why[256];
	int r;

	p->link = link_create(p->tls, address, NULL, clock_monotonic_ms(), why, sizeof(why));
	if (p->link == NULL)
		die("%s", why);
	while ((r = link_connect(p->link, clock_monotonic_ms())) == ERR_AGAIN)
		wait_for(p->link);
	if (r != 0)
		die("%s: %s", p->module, link_why(p->link));
}

struct envelope peer_envelope(struct peer *p, const char *target)
{
	struct envelope e = {
		.source_module = span_of(p->module),
		.target_module = span_of(target),
		.timestamp_us = datetime_now_us(),
	};
	uint8_t random[16];

	rng_bytes(&p->rng, random, sizeof(random));
	uuid_make(&e.message_id, (uint64_t)e.timestamp_us / 1000, random);
	return e;
}

/* One of its own for each run: outcomes of a run that was killed are told to nobody else. */
static void greet(struct peer *p, uint64_t max_in_flight)
{
	const struct envelope e = peer_envelope(p, "BROKER");
	char instance[32];
	struct message m;

	snprintf(instance, sizeof(instance), "bench-%ld", (long)getpid());
	const struct hello_out hello = {
		.instance_id = span_of(instance),
		.max_in_flight = max_in_flight,
		.mailbox = true,
		.client = span_of("bench"),
	};

	encode_hello(link_out(p->link), &e, &hello);
	peer_flush(p);
	while (!peer_receive(p, &m))
		wait_for(p->link);
	if (m.header.type != MESSAGE_WELCOME)
		die("%s: %s instead of WELCOME", p->module, message_type_name(m.header.type));
	p->credit = m.welcome.max_in_flight;
}

void peer_open(struct peer *p, const char *module, const char *address, const char *directory,
    uint64_t max_in_flight)
{
	*p = (struct peer){
		.module = module,
		.tls = load_credentials(module, directory),
		.decoder = decoder_create(DECODE_AT_CLIENT),
	};
	rng_seed(&p->rng, (uint64_t)clock_monotonic_us());
	connect_to(p, address);
	greet(p, max_in_flight);
}

void peer_close(struct peer *p)
{
	while (link_end(p->link) == ERR_AGAIN)
		wait_for(p->link);
	link_destroy(p->link);
	decoder_destroy(p->decoder);
	tls_destroy(p->tls);
	frame_unref(p->frame);
}

bool peer_receive(struct peer *p, struct message *m)
{
	struct fault fault;
	int r;

	frame_unref(p->frame);
	p->frame = NULL;
	r = link_receive(p->link, FRAME_BYTES_MAX, &p->frame);
	if (r == ERR_AGAIN)
		return false;
	if (r != 0)
		die("%s: %s", p->module, link_why(p->link));
	if (message_decode(p->decoder, p->frame->data, p->frame->len, m, &fault) != 0)
		die("%s: %s: expected %s, found %s", p->module, fault.field_name, fault.expected,
		    fault.actual);
	return true;
}

void peer_flush(struct peer *p)
{
	const int r = link_flush(p->link);

	if (r != 0 && r != ERR_AGAIN)
		die("%s: %s", p->module, link_why(p->link));
}

void peer_wait(struct peer *a, struct peer *b)
{
	struct pollfd ready[2];
	const struct link *links[2] = { a->link, b->link };

	for (int i = 0; i < 2; i++) {
		const unsigned wants = link_wants(links[i]);

		if (link_has_pending(links[i]))
			return;
		ready[i] = (struct pollfd){
			.fd = link_fd(links[i]),
			.events = (short)((wants & STREAM_READABLE ? POLLIN : 0) |
					  (wants & STREAM_WRITABLE ? POLLOUT : 0)),
		};
	}
	if (poll(ready, 2, PATIENCE_MS) == 0)
		die("the broker says nothing for %d ms", PATIENCE_MS);
}
