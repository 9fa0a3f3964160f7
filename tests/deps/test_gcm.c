/*
 * test_gcm.c - the AES-GCM that TLS uses (libgcrypt behind mbedTLS's interface) against the stock one
 *
 * Inputs are random, from a fixed seed: a failure can be repeated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/gcm.h>

#include "stock_gcm.h"

#ifndef MBEDTLS_GCM_ALT
#error "TLS uses the stock AES-GCM, and nothing is left to compare"
#endif

#define TEXT_BYTES_MAX 65600
#define AD_BYTES_MAX 300
#define IV_BYTES_MAX 64

static uint8_t text[TEXT_BYTES_MAX], sealed[TEXT_BYTES_MAX], expected[TEXT_BYTES_MAX];
static uint8_t opened[TEXT_BYTES_MAX], key[32], iv[IV_BYTES_MAX], ad[AD_BYTES_MAX];
static uint8_t tag[GCM_TAG_BYTES], expected_tag[GCM_TAG_BYTES];

/* xorshift64: a number from 0 to limit - 1 */
static size_t pick(size_t limit)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (size_t)(x >> 11) % limit;
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)pick(256);
}

/* A message with its own key, IV and associated data; mostly the IV length of TLS. */
static struct gcm_message pick_message(unsigned key_bits, size_t len)
{
	fill(key, sizeof(key));
	fill(iv, sizeof(iv));
	fill(ad, sizeof(ad));
	return (struct gcm_message){
		.key_bits = key_bits, .key = key,
		.iv = iv, .iv_len = pick(4) == 0 ? 1 + pick(IV_BYTES_MAX) : 12,
		.ad = ad, .ad_len = pick(3) == 0 ? 5 : pick(AD_BYTES_MAX),
		.text = text, .len = len,
	};
}

static void start(mbedtls_gcm_context *gcm, const struct gcm_message *m)
{
	mbedtls_gcm_init(gcm);
	assert_int_equal(mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits), 0);
}

static int seal(mbedtls_gcm_context *gcm, const struct gcm_message *m, uint8_t *out)
{
	return mbedtls_gcm_crypt_and_tag(gcm, MBEDTLS_GCM_ENCRYPT, m->len, m->iv, m->iv_len, m->ad,
					 m->ad_len, m->text, out, sizeof(tag), tag);
}

static int open_sealed(mbedtls_gcm_context *gcm, const struct gcm_message *m, const uint8_t *in)
{
	return mbedtls_gcm_auth_decrypt(gcm, m->len, m->iv, m->iv_len, m->ad, m->ad_len, tag,
					sizeof(tag), in, opened);
}

/* `call` gets messages of all lengths that could matter, with both key lengths of TLS. */
static void for_each_length(void (*call)(const struct gcm_message *m))
{
	static const size_t around[] = { 1024, 4096, 16384, 65536 };
	static const unsigned key_bits[] = { 128, 256 };

	for (size_t k = 0; k < 2; k++) {
		for (size_t n = 0; n <= 900; n++) {
			struct gcm_message m = pick_message(key_bits[k], n);

			call(&m);
		}
		for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
			for (size_t n = around[i] - 17; n <= around[i] + 17; n++) {
				struct gcm_message m = pick_message(key_bits[k], n);

				call(&m);
			}
		}
	}
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16. */
static void seals_the_published_example(void **state)
{
	static const uint8_t published_key[32] = {
		0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30,
		0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94,
		0x67, 0x30, 0x83, 0x08 };
	static const uint8_t published_iv[12] = {
		0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88 };
	static const uint8_t published_ad[20] = {
		0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad,
		0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2 };
	static const uint8_t plain[60] = {
		0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5,
		0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d,
		0x8a, 0x31, 0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf,
		0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57,
		0xba, 0x63, 0x7b, 0x39 };
	static const uint8_t published_sealed[60] = {
		0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07, 0xf4, 0x7f, 0x37, 0xa3, 0x2a, 0x84,
		0x42, 0x7d, 0x64, 0x3a, 0x8c, 0xdc, 0xbf, 0xe5, 0xc0, 0xc9, 0x75, 0x98, 0xa2, 0xbd,
		0x25, 0x55, 0xd1, 0xaa, 0x8c, 0xb0, 0x8e, 0x48, 0x59, 0x0d, 0xbb, 0x3d, 0xa7, 0xb0,
		0x8b, 0x10, 0x56, 0x82, 0x88, 0x38, 0xc5, 0xf6, 0x1e, 0x63, 0x93, 0xba, 0x7a, 0x0a,
		0xbc, 0xc9, 0xf6, 0x62 };
	static const uint8_t published_tag[16] = {
		0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68, 0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d,
		0x55, 0x1b };
	struct gcm_message m = {
		.key_bits = 256, .key = published_key, .iv = published_iv, .iv_len = 12,
		.ad = published_ad, .ad_len = 20, .text = plain, .len = 60,
	};
	mbedtls_gcm_context gcm;

	(void)state;
	start(&gcm, &m);
	assert_int_equal(seal(&gcm, &m, sealed), 0);
	assert_memory_equal(sealed, published_sealed, 60);
	assert_memory_equal(tag, published_tag, 16);
	mbedtls_gcm_free(&gcm);
}

static void compare_with_stock(const struct gcm_message *m)
{
	mbedtls_gcm_context gcm;
	struct gcm_message in_place = *m;

	start(&gcm, m);
	assert_int_equal(stock_seal(m, expected, expected_tag), 0);
	assert_int_equal(seal(&gcm, m, sealed), 0);
	assert_memory_equal(sealed, expected, m->len);
	assert_memory_equal(tag, expected_tag, sizeof(tag));

	memcpy(opened, text, m->len);
	in_place.text = opened;
	assert_int_equal(seal(&gcm, &in_place, opened), 0);
	assert_memory_equal(opened, expected, m->len);
	assert_memory_equal(tag, expected_tag, sizeof(tag));
	assert_int_equal(open_sealed(&gcm, m, opened), 0);
	assert_memory_equal(opened, text, m->len);
	mbedtls_gcm_free(&gcm);
}

static void seals_and_opens_as_stock_does(void **state)
{
	(void)state;
	fill(text, sizeof(text));
	for_each_length(compare_with_stock);
}

static void assert_refused_and_wiped(mbedtls_gcm_context *gcm, const struct gcm_message *m)
{
	memset(opened, 0xa5, m->len);
	assert_int_equal(open_sealed(gcm, m, sealed), MBEDTLS_ERR_GCM_AUTH_FAILED);
	for (size_t i = 0; i < m->len; i++)
		assert_int_equal(opened[i], 0);
}

static void tamper(const struct gcm_message *m)
{
	mbedtls_gcm_context gcm;
	uint8_t *victims[] = { tag, sealed, ad };
	size_t sizes[] = { sizeof(tag), m->len, m->ad_len };

	start(&gcm, m);
	assert_int_equal(seal(&gcm, m, sealed), 0);
	for (size_t v = 0; v < 3; v++) {
		size_t i;

		if (sizes[v] == 0)
			continue;
		i = pick(sizes[v]);
		victims[v][i] ^= (uint8_t)(1u << pick(8));
		assert_refused_and_wiped(&gcm, m);
		victims[v][i] = (uint8_t)~victims[v][i];
		assert_refused_and_wiped(&gcm, m);
		assert_int_equal(seal(&gcm, m, sealed), 0);
	}
	mbedtls_gcm_free(&gcm);
}

static void refuses_what_was_changed(void **state)
{
	(void)state;
	fill(text, sizeof(text));
	for_each_length(tamper);
}

/* Gives the message in up to 8 parts, cut anywhere, some of them empty. */
static void transform_in_parts(mbedtls_gcm_context *gcm, int mode, const struct gcm_message *m,
			       const uint8_t *in, uint8_t *out)
{
	size_t done = 0, n, written;

	assert_int_equal(mbedtls_gcm_starts(gcm, mode, m->iv, m->iv_len), 0);
	for (int part = 0; part < 8; part++, done += n) {
		n = part == 7 ? m->ad_len - done : pick(m->ad_len - done + 1);
		assert_int_equal(mbedtls_gcm_update_ad(gcm, m->ad + done, n), 0);
	}
	done = 0;
	for (int part = 0; part < 8; part++, done += n) {
		n = part == 7 ? m->len - done : pick(m->len - done + 1);
		assert_int_equal(mbedtls_gcm_update(gcm, in + done, n, out + done, n, &written), 0);
		assert_int_equal(written, n);
	}
	assert_int_equal(mbedtls_gcm_finish(gcm, NULL, 0, &written, tag, sizeof(tag)), 0);
	assert_int_equal(written, 0);
}

static void compare_in_parts(const struct gcm_message *m)
{
	mbedtls_gcm_context gcm;

	start(&gcm, m);
	assert_int_equal(stock_seal(m, expected, expected_tag), 0);
	transform_in_parts(&gcm, MBEDTLS_GCM_ENCRYPT, m, text, sealed);
	assert_memory_equal(sealed, expected, m->len);
	assert_memory_equal(tag, expected_tag, sizeof(tag));
	transform_in_parts(&gcm, MBEDTLS_GCM_DECRYPT, m, sealed, opened);
	assert_memory_equal(opened, text, m->len);
	assert_memory_equal(tag, expected_tag, sizeof(tag));
	mbedtls_gcm_free(&gcm);
}

static void takes_a_message_in_any_parts(void **state)
{
	(void)state;
	fill(text, sizeof(text));
	for_each_length(compare_in_parts);
}

static void gives_tags_of_every_length_allowed(void **state)
{
	struct gcm_message m = pick_message(256, 100);
	uint8_t cut[GCM_TAG_BYTES + 1];
	mbedtls_gcm_context gcm;

	(void)state;
	start(&gcm, &m);
	assert_int_equal(stock_seal(&m, expected, expected_tag), 0);
	for (size_t n = 0; n <= sizeof(cut); n++) {
		int r = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, m.len, m.iv, m.iv_len,
						  m.ad, m.ad_len, m.text, sealed, n, cut);

		assert_int_equal(r, n >= 4 && n <= 16 ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT);
		if (r == 0)
			assert_memory_equal(cut, expected_tag, n);
	}
	mbedtls_gcm_free(&gcm);
}

/* One call of a multipart computation. */
enum step { STEP_KEY, STEP_BAD_KEY, STEP_START, STEP_AD, STEP_DATA, STEP_FINISH, STEPS };

static int take_step(mbedtls_gcm_context *gcm, const struct gcm_message *m, enum step step)
{
	int mode = pick(2) == 0 ? MBEDTLS_GCM_ENCRYPT : MBEDTLS_GCM_DECRYPT;
	size_t n = 1 + pick(100), written;

	switch (step) {
	case STEP_KEY:
		return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits);
	case STEP_BAD_KEY:
		return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, m->key, 129);
	case STEP_START:
		return mbedtls_gcm_starts(gcm, mode, m->iv, m->iv_len);
	case STEP_AD:
		return mbedtls_gcm_update_ad(gcm, m->ad, n);
	case STEP_DATA:
		return mbedtls_gcm_update(gcm, text, n, sealed, n, &written);
	default:
		return mbedtls_gcm_finish(gcm, NULL, 0, &written, tag, sizeof(tag));
	}
}

/* Which steps may follow: the order that GCM itself has. */
static bool may_follow(bool has_key, enum step before, enum step step)
{
	switch (step) {
	case STEP_KEY:
		return true;
	case STEP_START:
		return has_key;
	case STEP_AD:
		return before == STEP_START || before == STEP_AD;
	case STEP_DATA:
	case STEP_FINISH:
		return before == STEP_START || before == STEP_AD || before == STEP_DATA;
	default:
		return false;
	}
}

/* And what came before, even a message given up half-way, leaves no trace in the next one. */
static void answers_a_wrong_order_with_an_error(void **state)
{
	struct gcm_message m = pick_message(128, 100);

	(void)state;
	fill(text, sizeof(text));
	assert_int_equal(stock_seal(&m, expected, expected_tag), 0);
	for (int round = 0; round < 5000; round++) {
		mbedtls_gcm_context gcm;
		bool has_key = false;
		enum step before = STEP_FINISH;

		mbedtls_gcm_init(&gcm);
		for (int i = 0; i < 30; i++) {
			enum step step = (enum step)pick(STEPS);
			bool good = may_follow(has_key, before, step);
			int r = take_step(&gcm, &m, step);

			if (good)
				assert_int_equal(r, 0);
			else
				assert_int_not_equal(r, 0);
			has_key = has_key || step == STEP_KEY;
			if (good)
				before = step;
		}
		assert_int_equal(seal(&gcm, &m, sealed), has_key ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT);
		if (has_key) {
			assert_memory_equal(sealed, expected, m.len);
			assert_memory_equal(tag, expected_tag, sizeof(tag));
		}
		mbedtls_gcm_free(&gcm);
	}
}

static void refuses_what_it_cannot_do(void **state)
{
	struct gcm_message m = pick_message(256, 64);
	mbedtls_gcm_context gcm;
	size_t written;

	(void)state;
	start(&gcm, &m);
	assert_int_not_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_CAMELLIA, key, 128), 0);
	assert_int_not_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 0), 0);
	assert_int_not_equal(mbedtls_gcm_starts(&gcm, 7, iv, 12), 0);
	assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 64, sealed, 63, &written),
			 MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL);
	assert_int_not_equal(mbedtls_gcm_update(&gcm, text, 64, text + 1, 64, &written), 0);
	assert_int_not_equal(mbedtls_gcm_update(&gcm, text + 63, 64, text, 64, &written), 0);
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 64, text + 64, 64, &written), 0);
	mbedtls_gcm_free(&gcm);
	mbedtls_gcm_free(&gcm);
	mbedtls_gcm_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_the_published_example),
		cmocka_unit_test(seals_and_opens_as_stock_does),
		cmocka_unit_test(refuses_what_was_changed),
		cmocka_unit_test(takes_a_message_in_any_parts),
		cmocka_unit_test(gives_tags_of_every_length_allowed),
		cmocka_unit_test(answers_a_wrong_order_with_an_error),
		cmocka_unit_test(refuses_what_it_cannot_do),
	};

	return cmocka_run_group_tests_name("AES-GCM", tests, NULL, NULL);
}
