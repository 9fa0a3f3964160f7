/* test_ordered.c - a damaged record on an ordered route: what stands behind it goes on */
#include "../store/fixture.h"

#include "base/digest.h"
#include "core/core.h"
#include "wire/decode.h"
#include "wire/encode.h"

#define NOW_MS 1000000
#define RETRY_MS 1000

/* The latest delivery; the only peer that gets any. */
static struct delivery latest;
static unsigned deliveries;

static void on_deliver(struct peer *p, const struct delivery *d)
{
	(void)p;
	latest = *d;
	deliveries++;
}

static void on_outcome(struct peer *p, const struct ended *e, const struct route *r)
{
	(void)p;
	(void)e;
	(void)r;
}

static bool on_has_room(const struct peer *p)
{
	(void)p;
	return true;
}

static const struct peer_ops ops = {
	.deliver = on_deliver, .outcome = on_outcome, .has_room = on_has_room,
};

static const struct module_settings modules[] = { { .name = "ALPHA" }, { .name = "BETA" } };
static const struct route_settings routes[] = { {
	.name = "a-b", .source = "ALPHA", .target = "BETA", .batch_size = 1, .flush_timeout_ms = 1,
	.ack_timeout_ms = 60000, .process_timeout_ms = 60000, .retry_delay_ms = RETRY_MS,
	.max_retries = 3, .backoff_multiplier = 1, .max_retry_delay_ms = RETRY_MS,
	.queue_capacity = 100, .queue_capacity_bytes = 1 << 20, .dead_letter_capacity = 100,
	.dead_letter_capacity_bytes = 1 << 20, .ordered = true,
} };

static struct core *make_core(struct store *s)
{
	const struct core_settings settings = {
		.modules = modules, .module_count = 2, .routes = routes, .route_count = 1,
		.max_in_flight_limit = 8, .instances_per_module = 8,
		.outcome_retention_ms = 86400000, .history_size = 16 << 20,
		.max_error_rate = 1000, .max_frame_bytes = 1 << 20,
		.backpressure_high_watermark = 0.8, .backpressure_low_watermark = 0.3,
		.circuit_failure_threshold = 100, .circuit_reset_timeout_ms = 1000,
	};
	char why[256] = "";
	struct core *c = core_create(s, &ops, &settings, NOW_MS, 1, why, sizeof why);

	if (!c)
		fail_msg("%s", why);
	core_set_time(c, NOW_MS, NOW_MS, NOW_MS * INT64_C(1000));
	return c;
}

static struct instance *join(struct core *c, const char *module, uint32_t credit)
{
	static char peers[2];
	const struct hello h = { .module = module, .instance_id = span_of("one"),
		.max_in_flight = credit, .mailbox = true };

	return core_join(c, &h, (struct peer *)&peers[credit > 0]);
}

static struct envelope envelope(const char *source, const char *target)
{
	return (struct envelope){ .message_id = id_of(77), .correlation_id = span_of("today"),
		.source_module = span_of(source), .target_module = span_of(target) };
}

/* Batch n of the series is taken into custody. */
static void offer(struct core *c, struct instance *from, struct decoder *d, uint64_t n)
{
	static const char records[] = { '\x91', '\x81', '\xa9', 'r', 'e', 'c', 'o', 'r', 'd', '_', 'i',
		'd', '\xa1', 'r' };
	struct envelope e = envelope("ALPHA", "BETA");
	struct batch_out b = { .batch_id = id_of(n), .sequence_number = n, .record_count = 1,
		.records = { records, sizeof records } };
	struct offer_answer out;
	struct message m;
	struct fault f;
	struct buf bytes;

	sha256(records, sizeof records, b.checksum);
	buf_init(&bytes, 0);
	encode_batch(&bytes, &e, &b);
	struct frame *frame = frame_create(bytes.len - FRAME_LENGTH_BYTES);
	frame->len = bytes.len - FRAME_LENGTH_BYTES;
	memcpy(frame->data, buf_bytes(&bytes) + FRAME_LENGTH_BYTES, frame->len);
	buf_finish(&bytes);
	assert_int_equal(message_decode(d, frame->data, frame->len, &m, &f), 0);
	core_offer(c, from, &m, frame, &out);
	assert_int_equal(out.status, ACK_RECEIVED);
	frame_unref(frame);
}

/* The batch of the latest delivery is to be tried again later. */
static void reject(struct core *c, struct instance *from, struct decoder *d, uint64_t n)
{
	struct envelope e = envelope("BETA", "BROKER");
	struct error_out error = { .code = INT_ROUTE_002, .scope = SCOPE_BATCH,
		.correlation_id = span_of("today"), .source_module = span_of("BETA") };
	struct ack_out a = { .batch_id = id_of(n), .status = ACK_REJECTED, .records_rejected = 1,
		.lease = latest.lease, .errors = &error, .error_count = 1 };
	struct ack_answer out;
	struct message m;
	struct fault f;
	struct buf bytes;

	assert_true(core_delivery_begin(c, from, latest.lease));
	core_delivery_sent(c, from, latest.lease);
	buf_init(&bytes, 0);
	encode_ack(&bytes, &e, &a);
	assert_int_equal(message_decode(d, buf_bytes(&bytes) + FRAME_LENGTH_BYTES,
	    bytes.len - FRAME_LENGTH_BYTES, &m, &f), 0);
	core_acknowledge(c, from, &m, &out);
	assert_true(out.echo);
	buf_finish(&bytes);
}

/* A bit of the row of a batch that waits is another. */
static void damage(struct store *s, uint64_t id)
{
	const struct key key = key_queue(store_route_number(s, "a-b"), QUEUE_WAITING, id);
	uint8_t copy[4096];
	MDB_val row;

	assert_true(table_get(s, TABLE_QUEUE, &key, &row));
	memcpy(copy, row.mv_data, row.mv_size);
	copy[row.mv_size / 2] ^= 1;
	table_put(s, TABLE_QUEUE, &key, copy, row.mv_size);
}

static void turn(struct core *c, struct store *s)
{
	while (core_turn_close(c))
		;
	assert_int_equal(store_commit(s), 0);
}

/* It waits for its retry, the next of its series behind it, when a bit of it rots. */
static void the_series_of_a_damaged_batch_goes_on(void **state)
{
	struct store *s = ((struct fixture *)*state)->store;
	struct decoder *d = decoder_create(DECODE_AT_BROKER);
	struct core *c = make_core(s);
	struct instance *alpha = join(c, "ALPHA", 0), *beta = join(c, "BETA", 4);

	deliveries = 0;
	offer(c, alpha, d, 1);
	offer(c, alpha, d, 2);
	turn(c, s);
	assert_int_equal(deliveries, 1);
	reject(c, beta, d, 1);
	uint64_t first = latest.id;
	turn(c, s);
	assert_int_equal(deliveries, 1);
	damage(s, first);
	core_set_time(c, NOW_MS + 2 * RETRY_MS, NOW_MS + 2 * RETRY_MS, NOW_MS * INT64_C(1000));
	turn(c, s);
	assert_int_equal(core_counters(c, "a-b")->dead, 1);
	assert_int_equal(deliveries, 2);
	assert_int_not_equal(latest.id, first);
	core_destroy(c);
	decoder_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_series_of_a_damaged_batch_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
