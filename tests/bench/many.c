/*
 * many.c - a crowd of sources, each of which sends now and then, and one target
 *
 * Each source is an instance with a connection of its own. The batches of all are spread evenly
 * over time, by a clock that does not wait for the broker: one that falls behind shows it in its
 * times. With no batches at all they are just there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/mem.h"
#include "bench.h"
#include "net/stream.h"
#include "net/tls.h"

#define EVENTS 256
#define UNDER_WAY_MAX 1000000		/* batches; more are a broker that does not keep up */
#define SETTLE_MS PATIENCE_MS		/* so long may what is under way take at the end */

struct many {
	const struct load *load;
	struct peer *sources;		/* owned */
	struct peer target;
	struct payload payload;
	struct figures *figures;
	int64_t *sent_us;		/* owned; by number modulo UNDER_WAY_MAX */
	int64_t begun_us;
	int epoll_fd;
};

static void watch(struct many *m, struct peer *p, int operation)
{
	const unsigned wants = link_wants(p->link);
	struct epoll_event event = { .data.ptr = p };

	event.events = (wants & STREAM_READABLE ? EPOLLIN : 0) |
		       (wants & STREAM_WRITABLE ? EPOLLOUT : 0);
	if (epoll_ctl(m->epoll_fd, operation, link_fd(p->link), &event) != 0)
		die("a connection cannot be watched");
}

static void receive(struct many *m, struct peer *p)
{
	struct figures *f = m->figures;
	struct message in;

	if (p == &m->target) {
		peer_process(p, NULL, false);
		return;
	}
	while (peer_receive(p, &in)) {
		int64_t us;

		if (in.header.type != MESSAGE_ACKNOWLEDGMENT || in.ack.status == ACK_REJECTED)
			die_of(p, &in);
		us = clock_monotonic_us() -
		     m->sent_us[batch_number(&in.ack.batch_id) % UNDER_WAY_MAX];
		samples_add(in.ack.status == ACK_RECEIVED ? f->received_us : f->completed_us, us);
		*(in.ack.status == ACK_RECEIVED ? &f->received : &f->completed) += 1;
		if (in.has_notice && in.notice > p->seen)
			p->seen = in.notice;
	}
}

/* What is due by now, at most: the number of the first batch that is not. */
static uint64_t due(const struct many *m, int64_t now_us)
{
	const int64_t passed_us = now_us - m->begun_us;
	const int64_t end_us = m->load->seconds * 1000000;

	return (uint64_t)(passed_us < end_us ? passed_us : end_us) * m->load->rate *
	       m->load->connections / 1000000;
}

static void send_due(struct many *m)
{
	const uint64_t until = due(m, clock_monotonic_us());
	struct figures *f = m->figures;

	while (f->sent < until) {
		struct peer *p = &m->sources[f->sent % m->load->connections];

		if (f->sent - f->received >= UNDER_WAY_MAX)
			die("the broker does not keep up with %" PRIu64 " batches a second",
			    m->load->rate * m->load->connections);
		m->sent_us[f->sent % UNDER_WAY_MAX] = clock_monotonic_us();
		peer_send(p, m->load->target, &m->payload, f->sent++);
		peer_flush(p);
		watch(m, p, EPOLL_CTL_MOD);
	}
}

static bool is_over(const struct many *m, int64_t now_us)
{
	const struct figures *f = m->figures;
	const int64_t late_us = now_us - m->begun_us - m->load->seconds * 1000000;

	if (late_us > SETTLE_MS * 1000)
		die("%" PRIu64 " batches did not end", f->sent - f->completed);
	return late_us > 0 && f->received == f->sent && f->completed == f->sent;
}

static void run(struct many *m)
{
	struct epoll_event events[EVENTS];

	m->begun_us = clock_monotonic_us();
	while (!is_over(m, clock_monotonic_us())) {
		const int n = epoll_wait(m->epoll_fd, events, EVENTS, 1);

		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			receive(m, p);
			peer_flush(p);
			watch(m, p, EPOLL_CTL_MOD);
		}
		send_due(m);
	}
	m->figures->us = clock_monotonic_us() - m->begun_us;
}

/* A descriptor for each, and some. */
static void raise_limit(uint64_t connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < connections + 64)
		die("no %" PRIu64 " connections: too few open files are allowed", connections);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("the limit of open files cannot be raised");
}

static void open_sources(struct many *m, struct tls_context *tls)
{
	char instance[64];

	for (uint64_t i = 0; i < m->load->connections; i++) {
		snprintf(instance, sizeof(instance), "bench-%d-%" PRIu64, (int)getpid(), i);
		peer_open(&m->sources[i], m->load->source, instance, m->load->address, tls, 0);
		watch(m, &m->sources[i], EPOLL_CTL_ADD);
	}
}

void many_run(const struct load *l, pid_t broker, struct figures *f)
{
	struct tls_context *source_tls = load_credentials(l->source, l->credentials);
	struct tls_context *target_tls = load_credentials(l->target, l->credentials);
	struct many m = { .load = l, .figures = f, .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	long before_kb;

	raise_limit(l->connections);
	payload_init(&m.payload, l->records, l->batch_bytes);
	m.sources = xcalloc(l->connections, sizeof(*m.sources));
	m.sent_us = xcalloc(UNDER_WAY_MAX, sizeof(*m.sent_us));
	peer_open(&m.target, l->target, "bench", l->address, target_tls, l->in_flight);
	watch(&m, &m.target, EPOLL_CTL_ADD);
	before_kb = process_memory_kb(broker, "RssAnon:");
	open_sources(&m, source_tls);
	printf("idle_kb=%.1f\n", (double)(process_memory_kb(broker, "RssAnon:") - before_kb) /
				(double)l->connections);
	fflush(stdout);			/* whoever waits for all to be connected reads it */
	run(&m);
	for (uint64_t i = 0; i < l->connections; i++)
		peer_close(&m.sources[i]);
	peer_close(&m.target);
	free(m.sources);
	free(m.sent_us);
	payload_finish(&m.payload);
	tls_destroy(source_tls);
	tls_destroy(target_tls);
}
