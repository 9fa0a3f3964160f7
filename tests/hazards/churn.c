/*
 * churn.c - B4: large values come and go, and the file stays near what lives in it
 *
 *	churn DIRECTORY SEED TRANSACTIONS LIVE_MIB MOST_KIB
 *
 * Values from 4 KiB on, each size class as likely as the next, about LIVE_MIB of them at any time;
 * a transaction takes some into custody and ends as many bytes at random, as modules of very
 * different speed would. Prints the highest use of the file over the live bytes, and the most
 * processor time that a transaction took after the first filling (what a disk takes is not
 * counted). Exit status 1 when one of them is beyond its bound.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/internal.h"

#define LEAST_BYTES 4096.
#define STORE_TIMES 3		/* so large is the store */
#define BATCHES_MAX 4096
#define RATIO_MAX 1.6
#define CPU_MS_MAX 50.

static struct store *store;
static struct rng rng;
static struct batch live[BATCHES_MAX];
static size_t count;
static uint64_t bytes, live_bytes;
static double most_bytes;
static uint8_t *payload;

__attribute__((noreturn))
static void die(const char *what)
{
	fprintf(stderr, "churn: %s\n", what);
	exit(1);
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double fraction(void)
{
	return (double)rng_below(&rng, 1 << 30) / (1 << 30);
}

static void take(void)
{
	const size_t size = (size_t)(LEAST_BYTES * pow(most_bytes / LEAST_BYTES, fraction()));
	struct batch b = { .state = BATCH_READY, .id = store_next_id(store), .route = 7,
		.source = 11, .record_count = 1, .payload_bytes = (uint32_t)size };

	memcpy(b.batch_id.b, &b.id, sizeof(b.id));
	memcpy(payload, &b.id, sizeof(b.id));
	store_intake_begin(store, size);
	store_batch_insert(store, &b, payload, size);
	if (count == BATCHES_MAX || store_intake_end(store) != 0)
		die("the store is full");
	live[count++] = b;
	bytes += size;
}

static void end(size_t i)
{
	const struct batch b = live[i];
	const struct ended e = { .notice = store_next_notice(store), .source = b.source,
		.route = b.route, .id = b.id, .batch_id = b.batch_id };

	store_batch_end(store, &b, &e);
	store_ended_del(store, &e);
	live[i] = live[--count];
	bytes -= b.payload_bytes;
}

/* What left has to be made room for in a later commit: the pages of this one are not free yet. */
static double run_transaction(void)
{
	const double began_ms = cpu_ms();

	while (count > 0 && bytes > live_bytes)
		end((size_t)rng_below(&rng, count));
	while (bytes <= live_bytes)
		take();
	if (store_commit(store) != 0)
		die("the store failed");
	store_read_end(store);
	return cpu_ms() - began_ms;
}

static double used_bytes(void)
{
	MDB_envinfo info;

	mdb_env_info(store->env, &info);
	return (double)((info.me_last_pgno + 1) * store->page_size);
}

int main(int argc, char *argv[])
{
	double worst_ms = 0, ratio;
	char why[256] = "";
	uint64_t n, most;

	if (argc != 6)
		die("usage: churn DIRECTORY SEED TRANSACTIONS LIVE_MIB MOST_KIB");
	most = strtoull(argv[3], NULL, 10);
	live_bytes = strtoull(argv[4], NULL, 10) << 20;
	most_bytes = strtod(argv[5], NULL) * 1024;
	digest_init();
	rng_seed(&rng, strtoull(argv[2], NULL, 10));
	payload = xcalloc(1, (size_t)most_bytes);
	if (store_open(&(struct store_options){ argv[1], STORE_TIMES * live_bytes }, &store, why,
	    sizeof why) != 0)
		die(why);
	run_transaction();		/* the first filling is one large commit */
	for (n = 0; n < most; n++) {
		const double ms = run_transaction();

		worst_ms = ms > worst_ms ? ms : worst_ms;
	}
	ratio = used_bytes() / (double)live_bytes;
	printf("transactions=%" PRIu64 " live=%.1fMB file=%.1fMB ratio=%.2f worst_ms=%.1f\n", n,
	    (double)bytes / 1e6, used_bytes() / 1e6, ratio, worst_ms);
	store_close(store);
	free(payload);
	return ratio <= RATIO_MAX && worst_ms <= CPU_MS_MAX ? 0 : 1;
}
