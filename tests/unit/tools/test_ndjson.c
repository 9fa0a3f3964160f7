/* test_ndjson.c - lines to records and back: what stays the same, and what is refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tools/handoff/ndjson.h"
#include "wire/mpcheck.h"

static const char *const made = "made-1";

/* The line, as a record and back as a line (without its end). */
static const char *there_and_back(const char *id_field, const char *line)
{
	static char text[65536];
	struct ndjson_reader r;
	struct buf out;
	char why[NDJSON_WHY_SIZE] = "";

	buf_init(&out, 0);
	ndjson_reader_init(&r, id_field);
	if (!ndjson_read(&r, line, strlen(line), made)) {
		snprintf(text, sizeof(text), "refused: %s", r.why);
	} else {
		assert_true(mp_is_whole(buf_bytes(&r.record), r.record.len));
		assert_true(ndjson_write(&out, buf_bytes(&r.record), r.record.len, why));
		assert_int_equal(buf_bytes(&out)[out.len - 1], '\n');
		snprintf(text, sizeof(text), "%.*s", (int)out.len - 1, (char *)buf_bytes(&out));
	}
	ndjson_reader_finish(&r);
	buf_finish(&out);
	return text;
}

static void assert_same(const char *line)
{
	assert_string_equal(there_and_back(NULL, line), line);
}

static void assert_refused(const char *line, const char *words)
{
	const char *text = there_and_back(NULL, line);

	if (strncmp(text, "refused: column ", 16) != 0 || strstr(text, words) == NULL)
		fail_msg("%s gave %s, not %s", line, text, words);
}

static void keeps_what_json_says(void **state)
{
	(void)state;
	assert_same("{\"record_id\":\"a\"}");
	assert_same("{\"z\":1,\"record_id\":\"a\",\"a\":[],\"m\":{},\"l\":[[],{},[[1]],2]}");
	assert_same("{\"record_id\":\"a\",\"t\":true,\"f\":false,\"n\":null}");
	assert_same("{\"record_id\":\"é☃𝄞\",\"\":\"\"}");
	assert_same("{\"record_id\":\"a\",\"s\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f/\"}");
	assert_string_equal(there_and_back(NULL, " { \"record_id\" : \"\\u0061\\/\\u00e9\\ud834\\udd1e\" , "
						 "\"x\" : [ 1 , 2 ] } \r"),
			    "{\"record_id\":\"a/é𝄞\",\"x\":[1,2]}");
}

static void keeps_integers_of_64_bits(void **state)
{
	static const char *const numbers[] = {
		"0", "1", "127", "128", "255", "256", "65535", "65536", "4294967295", "4294967296",
		"9223372036854775807", "9223372036854775808", "18446744073709551615", "-1", "-32", "-33",
		"-128", "-129", "-32768", "-32769", "-2147483648", "-2147483649", "-9223372036854775808",
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(line, sizeof(line), "{\"record_id\":\"a\",\"n\":%s}", numbers[i]);
		assert_same(line);
	}
	assert_refused("{\"record_id\":\"a\",\"n\":18446744073709551616}", "64 bits");
	assert_refused("{\"record_id\":\"a\",\"n\":-9223372036854775809}", "64 bits");
}

static void keeps_floats_and_that_they_are(void **state)
{
	static const char *const numbers[] = {
		"0.1", "1.0", "-0.0", "1.5", "0.30000000000000004", "1e+300", "2.2250738585072014e-308",
		"2.5e-08",
		"1.7976931348623157e+308", "123456789.125", "142.85714285714286",
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(line, sizeof(line), "{\"record_id\":\"a\",\"n\":%s}", numbers[i]);
		assert_same(line);
	}
	assert_string_equal(there_and_back(NULL, "{\"record_id\":\"a\",\"n\":[-0,1E2,1e0]}"),
			    "{\"record_id\":\"a\",\"n\":[-0.0,100.0,1.0]}");
	assert_refused("{\"record_id\":\"a\",\"n\":1e999}", "too large");
}

static void takes_record_id_from_where_it_is_told(void **state)
{
	(void)state;
	assert_string_equal(there_and_back(NULL, "{\"a\":1}"), "{\"a\":1,\"record_id\":\"made-1\"}");
	assert_string_equal(there_and_back(NULL, "{}"), "{\"record_id\":\"made-1\"}");
	assert_string_equal(there_and_back(NULL, "{\"record_id\":-7,\"a\":1}"),
			    "{\"record_id\":\"-7\",\"a\":1}");
	assert_string_equal(there_and_back("a", "{\"a\":17}"), "{\"a\":17,\"record_id\":\"17\"}");
	assert_string_equal(there_and_back("a", "{\"a\":\"x\\n\",\"b\":2}"),
			    "{\"a\":\"x\\n\",\"b\":2,\"record_id\":\"x\\n\"}");
	/* The line's own gives way to the field that is named, wherever it stands. */
	assert_string_equal(there_and_back("a", "{\"record_id\":\"old\",\"a\":\"new\",\"b\":2}"),
			    "{\"a\":\"new\",\"b\":2,\"record_id\":\"new\"}");
	assert_string_equal(there_and_back("a", "{\"a\":\"new\",\"b\":{\"record_id\":1},\"record_id\":[]}"),
			    "{\"a\":\"new\",\"b\":{\"record_id\":1},\"record_id\":\"new\"}");
	assert_non_null(strstr(there_and_back("a", "{\"b\":{\"a\":1}}"), "no field \"a\""));
	assert_refused("{\"record_id\":1.5}", "string or an integer");
	assert_refused("{\"record_id\":null}", "string or an integer");
}

static void refuses_a_key_that_comes_twice(void **state)
{
	char line[4096] = "{\"record_id\":\"a\"";

	(void)state;
	assert_refused("{\"record_id\":\"a\",\"b\":1,\"b\":2}", "\"b\" comes twice");
	assert_refused("{\"record_id\":\"a\",\"b\":{\"c\":1,\"d\":{\"c\":1},\"\\u0063\":2}}",
		       "\"c\" comes twice");
	assert_refused("{\"record_id\":\"a\",\"record_id\":\"a\"}", "\"record_id\" comes twice");
	assert_same("{\"record_id\":\"a\",\"b\":{\"b\":{\"b\":1}},\"c\":[{\"b\":1},{\"b\":2}]}");
	for (int i = 0; i < 100; i++)
		snprintf(line + strlen(line), 64, ",\"k%d\":{\"x\":%d}", i, i);
	snprintf(line + strlen(line), 64, "}");
	assert_same(line);
	snprintf(line + strlen(line) - 1, 64, ",\"k57\":0}");
	assert_refused(line, "\"k57\" comes twice");
}

static void refuses_the_line_and_says_where(void **state)
{
	(void)state;
	assert_refused("", "expected {");
	assert_refused("[]", "expected {");
	assert_refused("{", "expected a string");
	assert_refused("{\"a\"}", "expected :");
	assert_refused("{\"a\":}", "not a number");
	assert_refused("{\"a\":", "the line ends");
	assert_refused("{\"a\":1", "expected , or }");
	assert_refused("{\"a\":1,}", "expected a string");
	assert_refused("{\"a\":[1,]}", "not a number");
	assert_refused("{\"a\":[1 2]}", "expected , or ]");
	assert_refused("{\"a\":1}{\"a\":1}", "something follows");
	assert_refused("{\"a\":01}", "not a number");
	assert_refused("{\"a\":1.}", "not a number");
	assert_refused("{\"a\":.5}", "not a number");
	assert_refused("{\"a\":+1}", "not a number");
	assert_refused("{\"a\":1e}", "not a number");
	assert_refused("{\"a\":-}", "not a number");
	assert_refused("{\"a\":NaN}", "not a number");
	assert_refused("{\"a\":nul}", "JSON value");
	assert_refused("{'a':1}", "expected a string");
	assert_refused("{\"a\":\"b}", "within a string");
	assert_refused("{\"a\":\"b\tc\"}", "must be escaped");
	assert_refused("{\"a\":\"\\x\"}", "no escape");
	assert_refused("{\"a\":\"\\u12g4\"}", "four hexadecimal");
	assert_refused("{\"a\":\"\\ud834\"}", "surrogate");
	assert_refused("{\"a\":\"\\ud834\\u0041\"}", "surrogate");
	assert_refused("{\"a\":\"\\udd1e\"}", "surrogate");
	assert_refused("{\"a\":\"\xff\"}", "UTF-8");
	assert_refused("{\"a\":\"\xc0\xaf\"}", "UTF-8");
	assert_refused("{\"a\":\"\xed\xa0\x80\"}", "UTF-8");
	assert_string_equal(there_and_back(NULL, "{\"abc\":1,\"d\":x}"),
			    "refused: column 14: this is not a number");
}

/* An object in which arrays are nested so that it has `levels` in all. */
static const char *nested(unsigned levels)
{
	static char line[512];
	char *at = line;

	at += sprintf(at, "{\"record_id\":\"a\",\"x\":");
	for (unsigned i = 1; i < levels; i++)
		*at++ = '[';
	*at++ = '1';
	for (unsigned i = 1; i < levels; i++)
		*at++ = ']';
	strcpy(at, "}");
	return line;
}

static void bounds_nesting(void **state)
{
	struct ndjson_reader r;
	size_t size;

	(void)state;
	assert_same(nested(NDJSON_DEPTH_MAX));
	assert_refused(nested(NDJSON_DEPTH_MAX + 1), "nested deeper");
	/* What is let through, the broker takes: the list of records is one level more. */
	ndjson_reader_init(&r, NULL);
	assert_true(ndjson_read(&r, nested(NDJSON_DEPTH_MAX), strlen(nested(NDJSON_DEPTH_MAX)), made));
	assert_int_equal(mp_item_walk(buf_bytes(&r.record), r.record.len, 2, &size, NULL), MP_OK);
	ndjson_reader_finish(&r);
}

static void widens_heads_of_long_things(void **state)
{
	static const size_t lengths[] = { 31, 32, 255, 256, 15000 };
	static char line[65000];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char *at = line + sprintf(line, "{\"record_id\":\"a\",\"s\":\"");

		memset(at, 'x', lengths[i]);
		at += lengths[i];
		at += sprintf(at, "\",\"l\":[");
		for (size_t k = 0; k < lengths[i]; k++)
			at += sprintf(at, k > 0 ? ",7" : "7");
		strcpy(at, "]}");
		assert_same(line);
	}
}

static void sees_what_is_critical(void **state)
{
	static const struct {
		const char *line;
		bool is_critical;
	} lines[] = {
		{ "{\"priority\":\"CRITICAL\"}", true },
		{ "{\"priority\":\"CRITICA\\u004c\",\"a\":1}", true },
		{ "{\"priority\":\"NORMAL\"}", false },
		{ "{\"a\":{\"priority\":\"CRITICAL\"}}", false },
		{ "{\"a\":1}", false },
	};
	struct ndjson_reader r;

	(void)state;
	ndjson_reader_init(&r, NULL);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_true(ndjson_read(&r, lines[i].line, strlen(lines[i].line), made));
		assert_int_equal(r.is_critical, lines[i].is_critical);
	}
	ndjson_reader_finish(&r);
}

/* --- records that did not come from JSON ----------------------------------------------------- */

static const char *written(const char *record, size_t len)
{
	static char text[4096];
	struct buf out;
	char why[NDJSON_WHY_SIZE];

	buf_init(&out, 0);
	if (ndjson_write(&out, record, len, why))
		snprintf(text, sizeof(text), "%.*s", (int)out.len - 1, (char *)buf_bytes(&out));
	else
		snprintf(text, sizeof(text), "refused: %s", why);
	if (strncmp(text, "refused", 7) == 0)
		assert_int_equal(out.len, 0);
	buf_finish(&out);
	return text;
}

#define WRITTEN(bytes) written((bytes), sizeof(bytes) - 1)

static void writes_bytes_in_base64(void **state)
{
	(void)state;
	assert_string_equal(WRITTEN("\x85\xa1" "a\xc4\x00\xa1" "b\xc4\x01" "f\xa1" "c\xc4\x02" "fo\xa1"
				    "d\xc4\x03" "foo\xa1" "e\xc4\x04\xff\xfe\xfd\xfc"),
			    "{\"a\":\"\",\"b\":\"Zg==\",\"c\":\"Zm8=\",\"d\":\"Zm9v\",\"e\":\"//79/A==\"}");
}

static void writes_short_floats(void **state)
{
	(void)state;
	assert_string_equal(WRITTEN("\x81\xa1" "a\xca\x3f\x00\x00\x00"), "{\"a\":0.5}");
}

static void refuses_what_json_cannot_say(void **state)
{
	(void)state;
	assert_non_null(strstr(WRITTEN("\x81\xa1" "a\xd4\x01\x00"), "extension"));
	assert_non_null(strstr(WRITTEN("\x81\x01\x01"), "key that is no string"));
	assert_non_null(strstr(WRITTEN("\x81\xa1" "a\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), "infinite"));
	assert_non_null(strstr(WRITTEN("\x81\xa1" "a\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), "no number"));
	assert_non_null(strstr(WRITTEN("\x81\xa1" "a\xa1\xff"), "UTF-8"));
	assert_non_null(strstr(WRITTEN("\x82\xa1" "a\x01"), "MessagePack"));
	assert_non_null(strstr(WRITTEN("\xc1"), "MessagePack"));
}

/* Whatever is in a line: it is refused, or what came of it gives the same again. */
static void stands_any_bytes(void **state)
{
	static const char alphabet[] = "{}[]\":,\\ue0159.-truefalsn \xc3\xa9\x01";
	static const char start[] = "{\"record_id\":\"a\",\"x\":";
	struct rng rng;
	char line[96], once[65536];

	(void)state;
	rng_seed(&rng, 2026);
	for (int i = 0; i < 100000; i++) {
		const size_t n = 1 + (size_t)rng_below(&rng, 40);
		char *at = line + sprintf(line, "%s", rng_below(&rng, 4) > 0 ? start : "");

		for (size_t k = 0; k < n; k++)
			*at++ = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
		strcpy(at, rng_below(&rng, 2) > 0 ? "}" : "");
		snprintf(once, sizeof(once), "%s", there_and_back(NULL, line));
		if (strncmp(once, "refused", 7) != 0)
			assert_same(once);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_json_says),
		cmocka_unit_test(keeps_integers_of_64_bits),
		cmocka_unit_test(keeps_floats_and_that_they_are),
		cmocka_unit_test(takes_record_id_from_where_it_is_told),
		cmocka_unit_test(refuses_a_key_that_comes_twice),
		cmocka_unit_test(refuses_the_line_and_says_where),
		cmocka_unit_test(bounds_nesting),
		cmocka_unit_test(widens_heads_of_long_things),
		cmocka_unit_test(sees_what_is_critical),
		cmocka_unit_test(writes_bytes_in_base64),
		cmocka_unit_test(writes_short_floats),
		cmocka_unit_test(refuses_what_json_cannot_say),
		cmocka_unit_test(stands_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
