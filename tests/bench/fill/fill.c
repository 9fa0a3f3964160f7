/*
 * fill.c - a store as a broker leaves it behind: fill PATH SIZE_MIB BATCHES [day|custody|history]
 *
 * The batches go through the core as they would from a module. After a day, the default, a target
 * has taken 24 of each 64: 16 it has processed, 4 it has rejected for good, 4 wait for a long
 * retry; the rest stays READY. In custody all of them are READY; in history all are processed.
 * Prints some from all over, a line each: batch_id, correlation_id, message_id.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "base/rng.h"
#include "core/core.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "../../quiet_peers.h"

#define PER_TURN_OF_A_DAY 64
#define PER_TURN_MAX 1000		/* where all batches fare alike */
#define TAKEN_PER_TURN_OF_A_DAY 24
#define SHOWN_EVERY 50000
#define SECOND_US 1000000

struct fill {
	struct store *store;
	struct core *core;
	struct decoder *decoder;
	struct instance *alpha, *beta;
	struct rng rng;
	int64_t wall_us;
	uint64_t now_ms;
	uint64_t leases[PER_TURN_MAX];	/* delivered in the turn before */
	struct uuid delivered[PER_TURN_MAX];
	unsigned count;
	uint64_t made;
	unsigned per_turn, taken_per_turn;
	bool processes_all;
};

static struct fill fill;

__attribute__((noreturn))
static void die(const char *what)
{
	fprintf(stderr, "fill: %s\n", what);
	exit(1);
}

/* --- a target that takes what it gets --------------------------------------------------------- */

static void on_deliver(struct peer *p, const struct delivery *d)
{
	const uint32_t route = store_route_number(fill.store, "alpha-beta");
	struct batch b;

	(void)p;
	if (fill.count == fill.taken_per_turn)
		die("more deliveries than the target has credit for");
	if (store_batch_find(fill.store, route, d->id, &b) != 0)
		die("a delivery of a batch that is not there");
	fill.delivered[fill.count] = b.batch_id;
	fill.leases[fill.count++] = d->lease;
}

static void on_dismiss(struct peer *p, enum goodbye_reason reason, const char *why)
{
	(void)p;
	(void)reason;
	die(why);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void make_id(struct uuid *id)
{
	uint8_t random[16];

	rng_bytes(&fill.rng, random, sizeof random);
	uuid_make(id, rng_next(&fill.rng) >> 16, random);
}

static struct frame *make_batch(struct uuid *batch_id, struct uuid *message_id, char *correlation,
    size_t size)
{
	static const uint8_t records[] = "\x91\x81\xa9record_id\xa1r";
	struct envelope e = {
		.source_module = span_of("ALPHA"), .target_module = span_of("BETA"),
		.timestamp_us = fill.wall_us,
	};
	struct batch_out b = {
		.sequence_number = fill.made, .record_count = 1, .created_at_us = fill.wall_us,
		.priority = PRIORITY_NORMAL, .with_validation_summary = true,
		.records = { (const char *)records, sizeof records - 1 },
	};
	struct frame *f;
	struct buf out;

	make_id(&b.batch_id);
	make_id(&e.message_id);
	snprintf(correlation, size, "%08" PRIu64 " of order %" PRIx64, fill.made,
	    rng_next(&fill.rng));
	e.correlation_id = span_of(correlation);
	sha256(b.records.p, b.records.n, b.checksum);
	buf_init(&out, 0);
	encode_batch(&out, &e, &b);
	if (out.failed || !(f = frame_create(out.len)))
		die("no memory");
	f->len = out.len - FRAME_LENGTH_BYTES;
	memcpy(f->data, buf_bytes(&out) + FRAME_LENGTH_BYTES, f->len);
	buf_finish(&out);
	*batch_id = b.batch_id;
	*message_id = e.message_id;
	return f;
}

static void hand_over(void)
{
	char correlation[CORRELATION_ID_MAX], batch_text[UUID_TEXT_LEN + 1];
	char message_text[UUID_TEXT_LEN + 1];
	struct uuid batch_id, message_id;
	struct offer_answer answer;
	struct message m;
	struct fault fault;

	fill.made++;
	struct frame *f = make_batch(&batch_id, &message_id, correlation, sizeof correlation);
	if (message_decode(fill.decoder, f->data, f->len, &m, &fault) != 0)
		die(fault.field_name);
	core_offer(fill.core, fill.alpha, &m, f, &answer);
	frame_unref(f);
	if (answer.status != ACK_RECEIVED)
		die(error_code_info(answer.fault.code)->meaning);
	if (fill.made % SHOWN_EVERY >= 8 && fill.made % SHOWN_EVERY != SHOWN_EVERY / 2 + 9)
		return;
	uuid_format(&batch_id, batch_text);
	uuid_format(&message_id, message_text);
	printf("%s\t%s\t%s\n", batch_text, correlation, message_text);
}

static void answer(unsigned n, const struct uuid *batch_id, uint64_t lease)
{
	struct message_error error = {
		.severity = SEVERITY_ERROR, .scope = SCOPE_BATCH,
		.recoverability = n % 6 == 5 ? RECOVERABILITY_TRANSIENT : RECOVERABILITY_PERMANENT,
		.error_code = span_of("BETA_007"), .error_message = span_of("it cannot be"),
	};
	struct message m = { .header.type = MESSAGE_ACKNOWLEDGMENT };
	struct ack_answer out;

	m.ack = (struct message_ack){
		.batch_id = *batch_id, .has_batch_id = true, .has_lease = true,
		.lease = lease,
		.status = fill.processes_all || n % 6 < 4 ? ACK_PROCESSED : ACK_REJECTED,
	};
	if (m.ack.status == ACK_PROCESSED) {
		m.ack.records_accepted = 1;
	} else {
		m.ack.records_rejected = 1;
		m.ack.errors = &error;
		m.ack.error_count = 1;
	}
	core_acknowledge(fill.core, fill.beta, &m, &out);
	if (out.fault.code != INT_NONE)
		die(out.fault.field_name);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void begin_turn(void)
{
	fill.now_ms++;
	fill.wall_us += 1000;
	core_set_time(fill.core, fill.now_ms, fill.now_ms, fill.wall_us);
}

static void end_turn(void)
{
	core_turn_close(fill.core);
	if (store_commit(fill.store) != 0)
		die("the store cannot be committed");
	store_read_end(fill.store);
}

static struct instance *join(const char *module, uint32_t max_in_flight)
{
	static int peers[2];		/* source, target */
	struct hello h = { .module = core_module_name(fill.core, span_of(module)),
		.instance_id = span_of("fill"), .max_in_flight = max_in_flight };
	struct instance *i = core_join(fill.core, &h, (struct peer *)&peers[max_in_flight > 0]);

	if (!i)
		die("an instance was refused");
	return i;
}

/* What the last turn has delivered is answered; the end of this one delivers more. */
static void run_turn(uint64_t count)
{
	struct uuid delivered[PER_TURN_MAX];
	uint64_t leases[PER_TURN_MAX];
	const unsigned answers = fill.count;

	begin_turn();
	memcpy(delivered, fill.delivered, sizeof delivered);
	memcpy(leases, fill.leases, sizeof leases);
	fill.count = 0;
	for (unsigned n = 0; n < answers; n++) {
		core_delivery_begin(fill.core, fill.beta, leases[n]);
		answer(n, &delivered[n], leases[n]);
	}
	core_seen(fill.core, fill.alpha, store_last_notice(fill.store));
	for (uint64_t n = 0; n < count; n++)
		hand_over();
	end_turn();
}

static void open_core(const char *path, uint64_t size)
{
	static const struct module_settings modules[] = { { "ALPHA" }, { "BETA" } };
	static const struct route_settings route = {
		.name = "alpha-beta", .source = "ALPHA", .target = "BETA", .batch_size = 1000,
		.ack_timeout_ms = 30000, .process_timeout_ms = 300000, .retry_delay_ms = 86400000,
		.max_retry_delay_ms = 86400000, .max_retries = 5, .backoff_multiplier = 1,
		.queue_capacity = UINT32_MAX, .queue_capacity_bytes = UINT64_MAX / 2,
		.dead_letter_capacity = UINT32_MAX, .dead_letter_capacity_bytes = UINT64_MAX / 2,
	};
	struct core_settings settings = {
		.modules = modules, .module_count = 2, .routes = &route, .route_count = 1,
		.max_in_flight_limit = 1000, .instances_per_module = 10, .reclaim_ms = 5000,
		.outcome_retention_ms = 86400000, .dedupe_minimum_ms = 900000,
		.history_size = size / 2, .max_frame_bytes = 1 << 24,
		.backpressure_high_watermark = 1, .backpressure_low_watermark = 0.5,
	};
	static struct peer_ops ops;	/* the core keeps it */
	char why[256] = "";

	ops = quiet_peers;
	ops.deliver = on_deliver;
	ops.dismiss = on_dismiss;
	if (store_open(&(struct store_options){ path, size }, &fill.store, why, sizeof why) != 0)
		die(why);
	fill.core = core_create(fill.store, &ops, &settings, fill.now_ms, 1, why, sizeof why);
	if (!fill.core)
		die(why);
}

static void choose(const char *what)
{
	fill.per_turn = PER_TURN_MAX;
	fill.taken_per_turn = strcmp(what, "custody") == 0 ? 0 : PER_TURN_MAX;
	fill.processes_all = strcmp(what, "history") == 0;
	if (strcmp(what, "day") == 0) {
		fill.per_turn = PER_TURN_OF_A_DAY;
		fill.taken_per_turn = TAKEN_PER_TURN_OF_A_DAY;
	} else if (fill.taken_per_turn > 0 && !fill.processes_all) {
		die("what is to be left behind is day, custody or history");
	}
}

int main(int argc, char *argv[])
{
	if (argc != 4 && argc != 5)
		die("usage: fill PATH SIZE_MIB BATCHES [day|custody|history]");
	choose(argc == 5 ? argv[4] : "day");
	uint64_t count = strtoull(argv[3], NULL, 10);
	digest_init();
	rng_seed(&fill.rng, 1);
	fill.now_ms = 1000;
	fill.wall_us = (int64_t)time(NULL) * SECOND_US - (int64_t)(count / fill.per_turn + 1) * 1000;
	open_core(argv[1], strtoull(argv[2], NULL, 10) << 20);
	fill.decoder = decoder_create(DECODE_AT_BROKER);
	begin_turn();
	fill.alpha = join("ALPHA", 0);
	fill.beta = join("BETA", fill.taken_per_turn);
	end_turn();
	while (fill.made < count)
		run_turn(count - fill.made < fill.per_turn ? count - fill.made : fill.per_turn);
	if (fill.processes_all)
		while (fill.count > 0)
			run_turn(0);
	begin_turn();
	core_shut_down(fill.core);
	end_turn();
	core_destroy(fill.core);
	decoder_destroy(fill.decoder);
	store_close(fill.store);
	return 0;
}
