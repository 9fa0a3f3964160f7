/* test_digest.c - published vectors, and the two ways to a CRC-32C against each other */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"

static void assert_sha256(const void *p, size_t n, const char *expected)
{
	uint8_t sum[SHA256_BYTES];
	char hex[SHA256_HEX_LEN + 1];

	sha256(p, n, sum);
	hex_format(sum, sizeof(sum), hex);
	assert_string_equal(hex, expected);
}

/* FIPS 180-4 examples. */
static void sha256_gives_the_published_digests(void **state)
{
	char *million = xmalloc(1000000);

	(void)state;
	memset(million, 'a', 1000000);
	assert_sha256("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_sha256("abc", 3,
		      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
		      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_sha256(million, 1000000,
		      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

/* RFC 3720 B.4, and the check value of the catalogue of CRCs. */
static void assert_crc32c_vectors(uint32_t (*crc)(uint32_t, const void *, size_t))
{
	uint8_t bytes[32];

	assert_int_equal(crc(0, "", 0), 0);
	assert_int_equal(crc(0, "123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(crc(0, bytes, sizeof(bytes)), 0x46dd794e);
}

static void crc32c_gives_the_published_sums(void **state)
{
	(void)state;
	assert_crc32c_vectors(crc32c);
	assert_crc32c_vectors(crc32c_by_table);
	if (crc32c_has_instruction())
		assert_crc32c_vectors(crc32c_by_instruction);
}

static void both_ways_agree_at_every_length_and_alignment(void **state)
{
	uint8_t bytes[600];
	struct rng rng;

	(void)state;
	if (!crc32c_has_instruction())
		skip();
	rng_seed(&rng, 1);
	rng_bytes(&rng, bytes, sizeof(bytes));
	for (size_t from = 0; from < 9; from++) {
		for (size_t n = 0; n <= 520; n++) {
			uint32_t crc = (uint32_t)rng_next(&rng);

			assert_int_equal(crc32c_by_table(crc, bytes + from, n),
					 crc32c_by_instruction(crc, bytes + from, n));
		}
	}
}

static void crc32c_goes_on_from_an_earlier_part(void **state)
{
	uint8_t bytes[100];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 2);
	rng_bytes(&rng, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint32_t first = crc32c(0, bytes, cut);

		assert_int_equal(crc32c(first, bytes + cut, sizeof(bytes) - cut),
				 crc32c(0, bytes, sizeof(bytes)));
	}
}

static void hex_goes_both_ways(void **state)
{
	uint8_t bytes[256], back[256];
	char hex[513];

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	hex_format(bytes, sizeof(bytes), hex);
	assert_memory_equal(hex, "000102", 6);
	assert_string_equal(hex + 506, "fdfeff");
	assert_true(hex_parse(hex, 512, back, sizeof(back)));
	assert_memory_equal(back, bytes, sizeof(bytes));
	hex_format(bytes, 0, hex);
	assert_string_equal(hex, "");
}

static void hex_of_another_form_is_refused(void **state)
{
	static const char *const wrong[] = { "", "0", "00f", "00ff0", "00ff00", "00FF", "00fg",
					     "0x12", " 0ff", "-1ff" };
	uint8_t out[2];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (hex_parse(wrong[i], strlen(wrong[i]), out, sizeof(out)))
			fail_msg("'%s' was taken", wrong[i]);
	assert_true(hex_parse("00ff", 4, out, sizeof(out)));
	assert_int_equal(out[1], 0xff);
}

/* What is done to sixteen bytes at once, and to the rest one by one: any byte at any place. */
static void any_other_byte_at_any_place_is_refused(void **state)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[41], back[sizeof(bytes)];
	char hex[2 * sizeof(bytes) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37);
	hex_format(bytes, sizeof(bytes), hex);
	for (size_t place = 0; place < 2 * sizeof(bytes); place++) {
		const char was = hex[place];

		for (unsigned c = 0; c < 256; c++) {
			const char *digit = memchr(digits, (int)c, 16);
			bool read;

			hex[place] = (char)c;
			read = hex_parse(hex, sizeof(hex) - 1, back, sizeof(back));
			assert_int_equal(read, digit != NULL);
			if (read)
				assert_int_equal(back[place / 2] >> (place % 2 ? 0 : 4) & 15,
				    digit - digits);
		}
		hex[place] = was;
	}
}

static int start(void **state)
{
	(void)state;
	digest_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_published_digests),
		cmocka_unit_test(crc32c_gives_the_published_sums),
		cmocka_unit_test(both_ways_agree_at_every_length_and_alignment),
		cmocka_unit_test(crc32c_goes_on_from_an_earlier_part),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(hex_of_another_form_is_refused),
		cmocka_unit_test(any_other_byte_at_any_place_is_refused),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
