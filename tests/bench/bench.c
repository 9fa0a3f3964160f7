/*
 * bench.c - hands over batches through a broker and tells how fast: the load client
 *
 * One process, one connection each for source and target, straight on the rooms wire and net (and
 * the frames of client/link.h), so that the broker is measured and not the library. Redis is spoken
 * to over the same streams and from the same loop, so that both pay alike for the client. Prints
 * one line of key=value, which tests/bench/run makes tables of.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/digest.h"
#include "bench.h"
#include "net/tls.h"

static const char USAGE[] =
	"usage: bench --broker HOST:PORT --pid PID --credentials DIRECTORY --bytes N\n"
	"             [--against handoff|redis] [--phase flow|publish|drain]\n"
	"             [--source MODULE] [--target MODULE] [--records N]\n"
	"             --in-flight N [--window N] (--seconds N | --handoffs N)\n"
	"             [--connections N --rate N]\n";

/* Of a distribution: where its steps are, in thousandths of the samples. */
#define DISTRIBUTION_STEP 5

struct options {
	const struct contender *contender;
	pid_t pid;			/* the broker's */
	struct load load;
};

void die(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "bench: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

static uint64_t number(const char *text)
{
	char *end;
	const uint64_t n = strtoull(text, &end, 10);

	if (*end != '\0' || n > UINT32_MAX)
		die("%s: must be a number", text);
	return n;
}

static enum phase phase_of(const char *name)
{
	static const char *const names[] = {
		[PHASE_FLOW] = "flow", [PHASE_PUBLISH] = "publish", [PHASE_DRAIN] = "drain",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum phase)i;
	die("%s: there is no such phase", name);
}

static const struct contender *contender_of(const char *name)
{
	static const struct contender *const all[] = { &contender_handoff, &contender_redis };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(name, all[i]->name) == 0)
			return all[i];
	die("%s: this is not known here", name);
}

__attribute__((noreturn))
static void misused(void)
{
	fputs(USAGE, stderr);
	exit(EX_USAGE);
}

static void check(struct options *o)
{
	struct load *l = &o->load;

	if (l->window == 0)
		l->window = l->in_flight;
	if (l->address == NULL || l->credentials == NULL || o->pid == 0 || l->in_flight == 0 ||
	    (l->seconds == 0) == (l->handoffs == 0) ||
	    (l->phase == PHASE_DRAIN && l->handoffs == 0) ||
	    (l->connections > 0 && l->seconds == 0))
		misused();
}

static struct options parse(int argc, char *argv[])
{
	static const struct option known[] = {
		{ "against", required_argument, NULL, 'a' },
		{ "broker", required_argument, NULL, 'b' },
		{ "credentials", required_argument, NULL, 'c' },
		{ "pid", required_argument, NULL, 'p' },
		{ "phase", required_argument, NULL, 'P' },
		{ "source", required_argument, NULL, 'S' },
		{ "target", required_argument, NULL, 'T' },
		{ "bytes", required_argument, NULL, 'n' },
		{ "records", required_argument, NULL, 'r' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "window", required_argument, NULL, 'w' },
		{ "seconds", required_argument, NULL, 's' },
		{ "handoffs", required_argument, NULL, 'h' },
		{ "connections", required_argument, NULL, 'C' },
		{ "rate", required_argument, NULL, 'R' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = {
		.contender = &contender_handoff,
		.load = { .source = "ALPHA", .target = "BETA", .records = 1 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (c) {
		case 'a': o.contender = contender_of(optarg); break;
		case 'b': o.load.address = optarg; break;
		case 'c': o.load.credentials = optarg; break;
		case 'p': o.pid = (pid_t)number(optarg); break;
		case 'P': o.load.phase = phase_of(optarg); break;
		case 'S': o.load.source = optarg; break;
		case 'T': o.load.target = optarg; break;
		case 'n': o.load.batch_bytes = number(optarg); break;
		case 'r': o.load.records = number(optarg); break;
		case 'f': o.load.in_flight = number(optarg); break;
		case 'w': o.load.window = number(optarg); break;
		case 's': o.load.seconds = (int64_t)number(optarg); break;
		case 'h': o.load.handoffs = number(optarg); break;
		case 'C': o.load.connections = number(optarg); break;
		case 'R': o.load.rate = number(optarg); break;
		default: misused();
		}
	check(&o);
	return o;
}

static void print_times(const char *name, struct samples *s)
{
	printf("%s_p50_us=%" PRId64 " %s_p99_us=%" PRId64 " %s_p999_us=%" PRId64 " ",
	    name, samples_permille(s, 500), name, samples_permille(s, 990), name,
	    samples_permille(s, 999));
	printf("%s_us=", name);
	for (unsigned i = 0; i <= 1000; i += DISTRIBUTION_STEP)
		printf("%s%" PRId64, i > 0 ? "," : "", samples_permille(s, i));
	printf(" ");
}

static void print_figures(const struct load *l, const struct figures *f, int64_t broker_cpu_us,
    int64_t client_cpu_us, pid_t broker)
{
	const uint64_t handoffs = l->phase == PHASE_PUBLISH ? f->received : f->completed;
	const double s = (double)f->us / 1e6;

	printf("handoffs=%" PRIu64 " seconds=%.3f per_second=%.0f ", handoffs, s,
	    (double)handoffs / s);
	printf("records_per_second=%.0f mb_per_second=%.2f ", (double)(handoffs * l->records) / s,
	    (double)(handoffs * l->batch_bytes) / s / 1e6);
	print_times("received", f->received_us);
	print_times("processed", f->completed_us);
	printf("broker_cpu=%.2f client_cpu=%.2f broker_us=%.1f first_us=%" PRId64 " ",
	    (double)broker_cpu_us / (double)f->us, (double)client_cpu_us / (double)f->us,
	    handoffs > 0 ? (double)broker_cpu_us / (double)handoffs : 0, f->first_us);
	printf("broker_rss_kb=%ld broker_own_kb=%ld\n", process_memory_kb(broker, "VmRSS:"),
	    process_memory_kb(broker, "RssAnon:"));
}

int main(int argc, char *argv[])
{
	const struct options o = parse(argc, argv);
	struct figures f = { .received_us = samples_create(), .completed_us = samples_create() };
	int64_t broker_us, client_us;

	signal(SIGPIPE, SIG_IGN);
	digest_init();
	tls_init();
	if (o.load.connections == 0)
		o.contender->open(&o.load);
	broker_us = process_cpu_us(o.pid);
	client_us = process_cpu_us(getpid());
	if (o.load.connections > 0)
		many_run(&o.load, o.pid, &f);
	else
		engine_run(&o.load, o.contender, &f);
	print_figures(&o.load, &f, process_cpu_us(o.pid) - broker_us,
	    process_cpu_us(getpid()) - client_us, o.pid);
	if (o.load.connections == 0)
		o.contender->close();
	samples_destroy(f.received_us);
	samples_destroy(f.completed_us);
	return 0;
}
