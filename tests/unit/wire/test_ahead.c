/* test_ahead.c - a long frame's records hashed while they come: what of it, and when it is used */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/rng.h"
#include "wire/ahead.h"

#define RECORDS_BYTES (300 * 1024)
#define RECORDS_AT 100000	/* room for what stands before them */


static uint8_t *put_key(uint8_t *p, const char *key)
{
	*p++ = (uint8_t)(0xa0 | strlen(key));
	memcpy(p, key, strlen(key));
	return p + strlen(key);
}

static uint8_t *put_bin(uint8_t *p, size_t n, struct span *content)
{
	*p++ = 0xc6;
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(n >> shift);
	*content = (struct span){ (const char *)p, n };
	for (size_t i = 0; i < n; i++)
		*p++ = (uint8_t)(i * 7 + i / 251);
	return p;
}

/* {header: {}, metadata: a str of so many bytes, records: bin, more: nil}, all of it there. */
static struct frame *make(size_t metadata, struct span *records)
{
	struct frame *f = frame_create(RECORDS_AT + RECORDS_BYTES + 64);
	uint8_t *p = f->data;

	*p++ = 0x84;
	p = put_key(p, "header");
	*p++ = 0x80;
	p = put_key(p, "metadata");
	*p++ = 0xdb;
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(metadata >> shift);
	memset(p, 'x', metadata);
	p = put_key(p + metadata, "records");
	p = put_bin(p, RECORDS_BYTES, records);
	p = put_key(p, "more");
	*p++ = 0xc0;
	f->len = (size_t)(p - f->data);
	return f;
}

/* As if it came so many bytes at a time. */
static void follow(struct frame *f, size_t step)
{
	size_t whole = f->len;

	for (f->len = 0; f->len < whole;) {
		f->len = whole - f->len < step ? whole : f->len + step;
		ahead_follow(f);
	}
}

static bool is_digest_of(const struct frame *f, struct span part)
{
	uint8_t expected[SHA256_BYTES], digest[SHA256_BYTES];

	sha256(part.p, part.n, expected);
	ahead_digest(f, part, digest);
	return memcmp(digest, expected, sizeof digest) == 0;
}

/* Whether it was made ahead is seen when a byte is another now: what was made does not know. */
static bool was_made_ahead(struct frame *f, struct span part)
{
	uint8_t *byte = f->data + ((const uint8_t *)part.p - f->data) + part.n / 2;

	*byte ^= 1;
	bool made = !is_digest_of(f, part);
	*byte ^= 1;
	return made;
}

static void records_are_hashed_as_they_come(void **state)
{
	const size_t steps[] = { 1, 13, 16384, 65536, 1024 * 1024 };
	struct span records;

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct frame *f = make(100, &records);

		follow(f, steps[i]);
		assert_true(is_digest_of(f, records));
		assert_true(was_made_ahead(f, records));
		frame_unref(f);
	}
}

static void another_part_is_hashed_when_it_is_asked_for(void **state)
{
	struct span records, less;
	struct frame *f = make(100, &records);

	(void)state;
	follow(f, 16384);
	less = (struct span){ records.p, records.n - 1 };
	assert_true(is_digest_of(f, less));
	assert_false(was_made_ahead(f, less));
	less = (struct span){ records.p + 1, records.n - 1 };
	assert_true(is_digest_of(f, less));
	assert_true(is_digest_of(f, (struct span){ (const char *)f->data, 10 }));
	frame_unref(f);
}

static void what_begins_late_or_has_not_all_come_is_hashed_at_the_end(void **state)
{
	struct span records;
	struct frame *f = make(RECORDS_AT - 100, &records);

	(void)state;
	follow(f, 16384);
	assert_true(is_digest_of(f, records));
	assert_false(was_made_ahead(f, records));
	frame_unref(f);

	f = make(100, &records);
	f->len -= RECORDS_BYTES / 2;
	follow(f, 16384);
	f->len += RECORDS_BYTES / 2;
	assert_true(is_digest_of(f, records));
	assert_false(was_made_ahead(f, records));
	frame_unref(f);
}

static void what_is_no_batch_is_hashed_at_the_end(void **state)
{
	const uint8_t begins[][4] = { { 0xc1 }, { 0x81, 0xa1, 'x', 0xc6 }, { 0xdc, 0xff, 0xff },
		{ 0x82, 0xa1, 'x', 0xc1 }, { 0x81, 0xc6, 0xff, 0xff } };

	(void)state;
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		struct span records;
		struct frame *f = make(100, &records);

		memcpy(f->data, begins[i], sizeof begins[i]);
		follow(f, 16384);
		assert_true(is_digest_of(f, records));
		assert_false(was_made_ahead(f, records));
		frame_unref(f);
	}
}

/* Whatever its first bytes say: the digest is that of what is asked for. */
static void a_frame_that_lies_has_the_digests_of_its_bytes(void **state)
{
	struct span records;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (int n = 0; n < 500; n++) {
		struct frame *f = make(100, &records);

		for (uint64_t flips = 1 + rng_next(&rng) % 4; flips > 0; flips--)
			f->data[rng_next(&rng) % 160] = (uint8_t)rng_next(&rng);
		follow(f, 65536);
		assert_true(is_digest_of(f, records));
		frame_unref(f);
	}
}

static int set_up(void **state)
{
	(void)state;
	digest_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_hashed_as_they_come),
		cmocka_unit_test(another_part_is_hashed_when_it_is_asked_for),
		cmocka_unit_test(what_begins_late_or_has_not_all_come_is_hashed_at_the_end),
		cmocka_unit_test(what_is_no_batch_is_hashed_at_the_end),
		cmocka_unit_test(a_frame_that_lies_has_the_digests_of_its_bytes),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
