/* test_base64.c - bytes as letters and back */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

static void the_examples_of_rfc_4648_come_out_both_ways(void **state)
{
	static const struct { const char *bytes, *text; } examples[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xef\xbe\xfb", "/+++" "+w==" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const size_t n = strlen(examples[i].bytes), len = strlen(examples[i].text);
		struct buf text, bytes;

		buf_init(&text, 0);
		buf_init(&bytes, 0);
		base64_encode(&text, examples[i].bytes, n);
		assert_int_equal(text.len, len);
		assert_int_equal(len, BASE64_LEN(n));
		if (len > 0)
			assert_memory_equal(buf_bytes(&text), examples[i].text, len);
		assert_true(base64_decode(&bytes, examples[i].text, len));
		assert_int_equal(bytes.len, n);
		if (n > 0)
			assert_memory_equal(buf_bytes(&bytes), examples[i].bytes, n);
		buf_finish(&text);
		buf_finish(&bytes);
	}
}

static void what_is_none_is_refused_and_adds_nothing(void **state)
{
	static const char *const none[] = {
		"Z", "Zg", "Zg=", "Zg==Zg==", "=g==", "Z===", "====", "Zg=g", "Zm9v\n", "Zm 9",
		"Zh==", "Zm9=", "Zm-_", "Zm9vZg=",
	};
	struct buf bytes;

	(void)state;
	buf_init(&bytes, 0);
	buf_put(&bytes, "x", 1);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_false(base64_decode(&bytes, none[i], strlen(none[i])));
		assert_int_equal(bytes.len, 1);
	}
	buf_finish(&bytes);
}

static void a_ceiling_is_kept(void **state)
{
	struct buf bytes;

	(void)state;
	buf_init(&bytes, 4);
	assert_true(base64_decode(&bytes, "Zm9v", 4));
	assert_false(base64_decode(&bytes, "Zm9v", 4));
	assert_int_equal(bytes.len, 3);
	assert_true(bytes.failed);
	buf_finish(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_rfc_4648_come_out_both_ways),
		cmocka_unit_test(what_is_none_is_refused_and_adds_nothing),
		cmocka_unit_test(a_ceiling_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
