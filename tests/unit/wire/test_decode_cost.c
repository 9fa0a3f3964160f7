/*
 * test_decode_cost.c - what a stranger's frame may cost: time, memory, requests for memory
 *
 * Every request for memory is counted, whoever makes it: with the address sanitizer by its hook,
 * else by standing in front of the C library's functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "messages.h"
#include "notation.h"
#include "wire/decode.h"

/* volatile: a compiler knows that malloc() changes nothing that it can see. */
static volatile unsigned long requests;
static volatile size_t largest;

/* Where the C library's functions are ours, requests of this size and more are refused. */
static volatile size_t refuse_from = SIZE_MAX;

static void count_request(size_t n)
{
	requests++;
	if (n > largest)
		largest = n;
}

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WITH_ADDRESS_SANITIZER
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WITH_ADDRESS_SANITIZER
#endif

#ifdef WITH_ADDRESS_SANITIZER
/* The sanitizer's own; gcc comes without the header. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
    void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
	(void)p;
	count_request(n);
}

static void on_free(const volatile void *p)
{
	(void)p;
}

static int begin_counting(void **state)
{
	(void)state;
	return __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0 ? 0 : -1;
}

#else

#define EXPORTED __attribute__((visibility("default")))

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);

EXPORTED void *malloc(size_t __size)
{
	count_request(__size);
	return __size < refuse_from ? __libc_malloc(__size) : NULL;
}

EXPORTED void *calloc(size_t __nmemb, size_t __size)
{
	count_request(__nmemb * __size);
	return __libc_calloc(__nmemb, __size);
}

EXPORTED void *realloc(void *__ptr, size_t __size)
{
	count_request(__size);
	return __libc_realloc(__ptr, __size);
}

static int begin_counting(void **state)
{
	(void)state;
	return 0;
}

#endif

/* One decoding of the body, and what it cost. */
struct cost {
	int rc;
	unsigned long requests;
	size_t largest;
	clock_t time;
};

static struct message m;
static struct fault f;

static struct cost decode(struct decoder *d, const uint8_t *body, size_t n)
{
	struct cost cost;

	requests = 0;
	largest = 0;
	cost.time = clock();
	cost.rc = message_decode(d, body, n, &m, &f);
	cost.time = clock() - cost.time;
	cost.requests = requests;
	cost.largest = largest;
	return cost;
}

static void requests_are_seen(void **state)
{
	void *volatile p;

	(void)state;
	requests = 0;
	largest = 0;
	p = malloc(4711);
	free(p);
	assert_int_equal(requests, 1);
	assert_int_equal(largest, 4711);
}

static void an_ordinary_message_asks_for_no_memory(void **state)
{
	static const char *const messages[] = {
		hello_text, batch_text, ack_text, error_notification_text, health_text,
		backpressure_text, confirmation_text,
	};
	struct decoder *d = decoder_create(DECODE_AT_BROKER);

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct buf b;
		struct cost cost;

		buf_init(&b, 0);
		notation_encode(&b, messages[i]);
		cost = decode(d, buf_bytes(&b), b.len);
		assert_int_equal(cost.rc, 0);
		assert_int_equal(cost.requests, 0);
		buf_finish(&b);
	}
	decoder_destroy(d);
}

/* A list of `count` such bytes in the place of what is at the path. */
static void with_big_list(struct buf *b, const char *path, uint8_t byte, size_t count)
{
	struct notation_place place = notation_find(b, path);
	const uint8_t head[] = {
		0xdd, (uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
		(uint8_t)count,
	};
	uint8_t *items = malloc(count);
	struct buf out;

	memset(items, byte, count);
	buf_init(&out, 0);
	buf_put(&out, buf_bytes(b), place.value);
	buf_put(&out, head, sizeof(head));
	buf_put(&out, items, count);
	buf_put(&out, buf_bytes(b) + place.end, b->len - place.end);
	free(items);
	buf_finish(b);
	*b = out;
}

static void eight_megabytes_of_nil_cost_a_walk(void **state)
{
	/* Unknown where they pass; known where the first of them is refused. */
	static const struct {
		const char *path;
		int rc;
	} cases[] = {
		{ "x", 0 }, { "header.x", 0 }, { "metadata.x", 0 },
		{ "completes", ERR_PROTO }, { "completes.0.errors", ERR_PROTO },
		{ "error_summary.affected_record_ids", ERR_PROTO }, { "metadata", ERR_PROTO },
	};
	struct decoder *d = decoder_create(DECODE_AT_BROKER);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cost cost;
		struct buf b;

		buf_init(&b, 0);
		notation_encode(&b, batch_text);
		notation_insert(&b, "header", 1, "'x': 0");
		notation_insert(&b, "header.timestamp", 1, "'x': 0");
		notation_insert(&b, "metadata.batch_id", 1, "'x': 0");
		with_big_list(&b, cases[i].path, 0xc0, 8 << 20);
		cost = decode(d, buf_bytes(&b), b.len);
		assert_int_equal(cost.rc, cases[i].rc);
		assert_int_equal(cost.requests, 0);
		assert_true(cost.time < 2 * CLOCKS_PER_SEC);
		buf_finish(&b);
	}
	decoder_destroy(d);
}

static void counts_of_what_is_not_there_cost_nothing(void **state)
{
	static const char *const bodies[] = {
		"~81a6686561646572dd10000000~", "~81a6686561646572df10000000~", "~df10000000~",
		"~81a6686561646572dd10000000dd10000000dd10000000dd10000000dd10000000dd10000000~",
		"~81a6686561646572c610000000~", "~81a6686561646572db10000000~",
	};
	struct decoder *d = decoder_create(DECODE_AT_BROKER);

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct cost cost;
		struct buf b;

		buf_init(&b, 0);
		notation_encode(&b, bodies[i]);
		cost = decode(d, buf_bytes(&b), b.len);
		assert_int_equal(cost.rc, ERR_PROTO);
		assert_int_equal(f.code, INT_PROTOCOL_001);
		assert_int_equal(cost.requests, 0);
		buf_finish(&b);
	}
	decoder_destroy(d);
}

/* The pairs k000000: nil, k000001: nil, … */
static void put_pairs(struct buf *out, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char pair[16];

		snprintf(pair, sizeof(pair), "\xa7k%06u\xc0", i);
		buf_put(out, pair, 9);
	}
}

/* A map of so many pairs in the place of what is at the path. */
static void with_big_map(struct buf *b, const char *path, unsigned count)
{
	struct notation_place place = notation_find(b, path);
	struct buf out;
	const uint8_t head[] = {
		0xdf, (uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
		(uint8_t)count,
	};

	buf_init(&out, 0);
	buf_put(&out, buf_bytes(b), place.value);
	buf_put(&out, head, sizeof(head));
	put_pairs(&out, count);
	buf_put(&out, buf_bytes(b) + place.end, b->len - place.end);
	buf_finish(b);
	*b = out;
}

static void a_map_of_the_page_has_a_ceiling_of_keys(void **state)
{
	static const struct {
		const char *path;
		unsigned count;
		const char *field_name;	/* NULL: passes */
		const char *actual;
	} cases[] = {
		{ "x", 500000, NULL, NULL },	/* the value of an unknown key is no such map */
		{ "metadata", MAP_KEYS_MAX + 1, "metadata", "1025 keys" },
		{ "metadata", MAP_KEYS_MAX, "metadata.batch_id", "missing" },
		{ "metadata", 500000, "metadata", "500000 keys" },
		{ "header", 500000, "header", "500000 keys" },
		{ "completes.0", 500000, "completes.0", "500000 keys" },
		{ "error_summary.error_breakdown", 500000, "error_summary.error_breakdown",
		  "500000 keys" },
	};
	struct decoder *d = decoder_create(DECODE_AT_BROKER);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cost cost;
		struct buf b;

		buf_init(&b, 0);
		notation_encode(&b, batch_text);
		notation_insert(&b, "header", 1, "'x': 0");
		with_big_map(&b, cases[i].path, cases[i].count);
		cost = decode(d, buf_bytes(&b), b.len);
		assert_int_equal(cost.rc, cases[i].field_name == NULL ? 0 : ERR_PROTO);
		if (cases[i].field_name != NULL) {
			assert_string_equal(f.field_name, cases[i].field_name);
			assert_string_equal(f.actual, cases[i].actual);
		}
		assert_int_equal(cost.requests, 0);
		assert_true(cost.time < 2 * CLOCKS_PER_SEC);
		buf_finish(&b);
	}
	decoder_destroy(d);
}

static void the_frames_own_map_has_the_same_ceiling(void **state)
{
	struct decoder *d = decoder_create(DECODE_AT_BROKER);
	struct buf header, body;
	struct cost cost;

	(void)state;
	buf_init(&header, 0);
	buf_init(&body, 0);
	notation_encode(&header, "{" HEADER("ALPHA", "BROKER", "JOB_STATUS_UPDATE") "}");
	buf_take(&header, 1);

	notation_encode(&body, "~de0400~");
	buf_put(&body, buf_bytes(&header), header.len);
	put_pairs(&body, MAP_KEYS_MAX - 1);
	cost = decode(d, buf_bytes(&body), body.len);
	assert_int_equal(cost.rc, 0);
	assert_int_equal(cost.requests, 0);

	buf_clear(&body);
	notation_encode(&body, "~df00030d41~");	/* 200001 */
	buf_put(&body, buf_bytes(&header), header.len);
	put_pairs(&body, 200000);
	cost = decode(d, buf_bytes(&body), body.len);
	assert_int_equal(cost.rc, ERR_PROTO);
	assert_int_equal(f.code, INT_PROTOCOL_005);
	assert_string_equal(f.actual, "200001 keys");
	assert_int_equal(cost.requests, 0);
	assert_true(cost.time < 2 * CLOCKS_PER_SEC);
	/* Who sent it is read all the same. */
	assert_true(m.header.has_message_id);

	buf_finish(&header);
	buf_finish(&body);
	decoder_destroy(d);
}

/* Thousands of maps that each have as many unknown keys as they may. */
static void comparing_keys_is_not_quadratic(void **state)
{
	struct decoder *d = decoder_create(DECODE_AT_BROKER);
	struct buf b, error;
	struct cost cost;
	const unsigned maps = 900;

	(void)state;
	buf_init(&b, 0);
	buf_init(&error, 0);
	notation_encode(&error, ERROR_MAP);
	with_big_map(&error, "context", MAP_KEYS_MAX);
	notation_encode(&b, error_notification_text);
	notation_remove(&b, "errors");
	buf_bytes(&b)[0]++;
	notation_encode(&b, "'errors'");
	notation_encode(&b, "~dc0384~");	/* the head of a list of 900 */
	for (unsigned i = 0; i < maps; i++)
		buf_put(&b, buf_bytes(&error), error.len);
	cost = decode(d, buf_bytes(&b), b.len);
	assert_int_equal(cost.rc, 0);
	assert_int_equal(m.error_notification.error_count, maps);
	assert_true(cost.time < 2 * CLOCKS_PER_SEC);
	buf_finish(&b);
	buf_finish(&error);
	decoder_destroy(d);
}

/* `count` results with ids of their own in the place of those of a confirmation. */
static void with_results(struct buf *b, unsigned count)
{
	const uint8_t head[] = {
		0xdd, (uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
		(uint8_t)count,
	};
	char result[160];

	notation_encode(b, confirmation_text);
	notation_remove(b, "delivery_results");
	buf_bytes(b)[0]++;
	notation_encode(b, "'delivery_results'");
	buf_put(b, head, sizeof(head));
	for (unsigned i = 0; i < count; i++) {
		snprintf(result, sizeof(result), "{'record_id': '%07u', 'destination_id': '',"
		    " 'status': 'DLQ', 'delivery_timestamp': '" DATETIME "'}", i);
		notation_encode(b, result);
	}
}

static void comparing_record_ids_is_not_quadratic(void **state)
{
	static const unsigned counts[] = { 1, MAP_KEYS_MAX, MAP_KEYS_MAX + 1, 100000 };
	struct decoder *d = decoder_create(DECODE_AT_BROKER);

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		const unsigned count = counts[i];
		struct notation_place last;
		char position[64];
		struct cost cost;
		struct buf b;

		buf_init(&b, 0);
		with_results(&b, count);
		cost = decode(d, buf_bytes(&b), b.len);
		assert_int_equal(cost.rc, 0);
		assert_int_equal(m.confirmation.result_count, count);
		assert_true(cost.requests < 40);
		assert_true(cost.largest < 2 * b.len);
		assert_true(cost.time < 2 * CLOCKS_PER_SEC);
		/* The last gets the first one's id. */
		snprintf(position, sizeof(position), "delivery_results.%u.record_id", count - 1);
		last = notation_find(&b, position);
		memcpy(buf_bytes(&b) + last.value, "\xa7" "0000000", 8);
		cost = decode(d, buf_bytes(&b), b.len);
		assert_int_equal(cost.rc, count == 1 ? 0 : ERR_PROTO);
		if (count > 1) {
			assert_string_equal(f.field_name, position);
			assert_string_equal(f.actual, "twice");
			assert_true(m.confirmation.has_batch_id);
		}
		buf_finish(&b);
	}
	decoder_destroy(d);
}

static void holds_are_at_most_1024(void **state)
{
	struct decoder *d = decoder_create(DECODE_AT_BROKER);

	(void)state;
	for (size_t count = HOLDS_MAX; count <= HOLDS_MAX + 1; count++) {
		struct cost cost;
		struct buf b;

		buf_init(&b, 0);
		notation_encode(&b, hello_text);
		with_big_list(&b, "holds", 0x07, count);
		cost = decode(d, buf_bytes(&b), b.len);
		if (count == HOLDS_MAX) {
			assert_int_equal(cost.rc, 0);
			assert_int_equal(m.hello.hold_count, HOLDS_MAX);
			assert_int_equal(m.hello.holds[HOLDS_MAX - 1], 7);
		} else {
			assert_int_equal(cost.rc, ERR_PROTO);
			assert_string_equal(f.field_name, "holds");
			assert_string_equal(f.expected, "a list of at most 1024 integers");
			assert_string_equal(f.actual, "1025 of them");
		}
		buf_finish(&b);
	}
	decoder_destroy(d);
}

/* `count` errors in the place of the one of an ERROR_NOTIFICATION. */
static void with_errors(struct buf *b, unsigned count)
{
	const uint8_t head[] = { 0xdc, (uint8_t)(count >> 8), (uint8_t)count };

	notation_encode(b, error_notification_text);
	notation_remove(b, "errors");
	buf_bytes(b)[0]++;
	notation_encode(b, "'errors'");
	buf_put(b, head, sizeof(head));
	for (unsigned i = 0; i < count; i++)
		notation_encode(b, ERROR_MAP);
}

static void memory_that_is_refused_refuses_the_message(void **state)
{
	struct decoder *d;
	struct cost cost;
	struct buf b;

	(void)state;
#ifdef WITH_ADDRESS_SANITIZER
	skip();		/* its hook sees requests, and cannot refuse them */
#endif
	d = decoder_create(DECODE_AT_BROKER);
	buf_init(&b, 0);
	with_errors(&b, 2000);
	refuse_from = 100000;
	cost = decode(d, buf_bytes(&b), b.len);
	refuse_from = SIZE_MAX;
	assert_int_equal(cost.rc, ERR_PROTO);
	assert_int_equal(f.code, INT_PROTOCOL_005);
	assert_memory_equal(f.field_name, "errors.", strlen("errors."));
	assert_string_equal(f.expected, "a shorter list");
	assert_true(m.header.has_message_id);
	/* The decoder goes on. */
	cost = decode(d, buf_bytes(&b), b.len);
	assert_int_equal(cost.rc, 0);
	assert_int_equal(m.error_notification.error_count, 2000);
	buf_finish(&b);
	decoder_destroy(d);
}

/* What a long list takes is a few times its bytes, and is given back at the next message. */
static void memory_for_lists_follows_the_frame(void **state)
{
	struct decoder *d = decoder_create(DECODE_AT_BROKER);
	struct buf b, small;
	struct cost cost;
	const unsigned errors = 20000;

	(void)state;
	buf_init(&b, 0);
	buf_init(&small, 0);
	with_errors(&b, errors);
	cost = decode(d, buf_bytes(&b), b.len);
	assert_int_equal(cost.rc, 0);
	assert_int_equal(m.error_notification.error_count, errors);
	assert_true(cost.requests > 0 && cost.requests < 40);
	assert_true(cost.largest < 2 * b.len);
	notation_encode(&small, error_notification_text);
	cost = decode(d, buf_bytes(&small), small.len);
	assert_int_equal(cost.rc, 0);
	assert_int_equal(cost.requests, 0);
	buf_finish(&b);
	buf_finish(&small);
	decoder_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_seen),
		cmocka_unit_test(an_ordinary_message_asks_for_no_memory),
		cmocka_unit_test(eight_megabytes_of_nil_cost_a_walk),
		cmocka_unit_test(counts_of_what_is_not_there_cost_nothing),
		cmocka_unit_test(a_map_of_the_page_has_a_ceiling_of_keys),
		cmocka_unit_test(the_frames_own_map_has_the_same_ceiling),
		cmocka_unit_test(comparing_keys_is_not_quadratic),
		cmocka_unit_test(comparing_record_ids_is_not_quadratic),
		cmocka_unit_test(holds_are_at_most_1024),
		cmocka_unit_test(memory_that_is_refused_refuses_the_message),
		cmocka_unit_test(memory_for_lists_follows_the_frame),
	};

	return cmocka_run_group_tests(tests, begin_counting, NULL);
}
