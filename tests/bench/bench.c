/*
 * bench.c - hands over batches from ALPHA to BETA and tells how fast: the broker's load client
 *
 * One process, one connection each for source and target, straight on the rooms wire and net (and
 * the frames of client/link.h), so that the broker is measured and not the library. Prints one line
 * of key=value, which tests/bench/run makes a table of.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/digest.h"
#include "bench.h"

static const char USAGE[] =
	"usage: bench --broker HOST:PORT --pid PID --credentials DIRECTORY\n"
	"             --bytes N --in-flight N (--seconds N | --handoffs N)\n";

struct options {
	const char *broker;
	const char *credentials;
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

static struct options parse(int argc, char *argv[])
{
	static const struct option known[] = {
		{ "broker", required_argument, NULL, 'b' },
		{ "credentials", required_argument, NULL, 'c' },
		{ "pid", required_argument, NULL, 'p' },
		{ "bytes", required_argument, NULL, 'n' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "seconds", required_argument, NULL, 's' },
		{ "handoffs", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (c) {
		case 'b': o.broker = optarg; break;
		case 'c': o.credentials = optarg; break;
		case 'p': o.pid = (pid_t)number(optarg); break;
		case 'n': o.load.batch_bytes = number(optarg); break;
		case 'f': o.load.in_flight = number(optarg); break;
		case 's': o.load.seconds = (int64_t)number(optarg); break;
		case 'h': o.load.handoffs = number(optarg); break;
		default: fputs(USAGE, stderr); exit(EX_USAGE);
		}
	if (o.broker == NULL || o.credentials == NULL || o.pid == 0 || o.load.in_flight == 0 ||
	    (o.load.seconds == 0) == (o.load.handoffs == 0)) {
		fputs(USAGE, stderr);
		exit(EX_USAGE);
	}
	return o;
}

static void print_figures(const struct load *l, const struct figures *f, int64_t broker_cpu_us,
    int64_t client_cpu_us, pid_t broker)
{
	const double s = (double)f->us / 1e6;

	printf("handoffs=%" PRIu64 " seconds=%.3f per_second=%.0f mb_per_second=%.2f ",
	    f->handoffs, s, (double)f->handoffs / s,
	    (double)(f->handoffs * l->batch_bytes) / s / 1e6);
	printf("received_p50_us=%" PRId64 " received_p99_us=%" PRId64 " ",
	    samples_percentile(f->received, 50), samples_percentile(f->received, 99));
	printf("processed_p50_us=%" PRId64 " processed_p99_us=%" PRId64 " ",
	    samples_percentile(f->processed, 50), samples_percentile(f->processed, 99));
	printf("broker_cpu=%.2f client_cpu=%.2f broker_us=%.1f ",
	    (double)broker_cpu_us / (double)f->us, (double)client_cpu_us / (double)f->us,
	    (double)broker_cpu_us / (double)f->handoffs);
	printf("broker_rss_kb=%ld broker_own_kb=%ld\n", process_memory_kb(broker, "VmRSS:"),
	    process_memory_kb(broker, "RssAnon:"));
}

int main(int argc, char *argv[])
{
	const struct options o = parse(argc, argv);
	struct peer source, target;
	struct figures f;
	int64_t broker_us, client_us;

	signal(SIGPIPE, SIG_IGN);
	digest_init();
	tls_init();
	peer_open(&target, "BETA", o.broker, o.credentials, o.load.in_flight);
	peer_open(&source, "ALPHA", o.broker, o.credentials, 0);
	if (target.credit < o.load.in_flight)
		die("the broker delivers at most %" PRIu64 " batches at a time", target.credit);
	broker_us = process_cpu_us(o.pid);
	client_us = process_cpu_us(getpid());
	load_run(&o.load, &source, &target, &f);
	print_figures(&o.load, &f, process_cpu_us(o.pid) - broker_us,
	    process_cpu_us(getpid()) - client_us, o.pid);
	peer_close(&source);
	peer_close(&target);
	samples_destroy(f.received);
	samples_destroy(f.processed);
	return 0;
}
