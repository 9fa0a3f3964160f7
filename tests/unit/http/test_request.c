/* test_request.c - HTTP requests: what is taken, what is refused and how, and in whatever pieces */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/request.h"

#define HOST "Host: h\r\n"

static const struct {
	const char *text;
	enum http_status status;
	enum http_method method;
	const char *path;
} cases[] = {
	{ "GET /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, HTTP_GET, "/metrics" },
	{ "HEAD /ready HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, HTTP_HEAD, "/ready" },
	{ "PUT / HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, HTTP_OTHER, "/" },
	{ "get / HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, HTTP_OTHER, "/" },
	{ "GET /metrics HTTP/1.0\r\n\r\n", HTTP_OK, HTTP_GET, "/metrics" },
	{ "GET /metrics HTTP/1.1\n" "Host: h\n" "\n", HTTP_OK, HTTP_GET, "/metrics" },
	{ "GET /metrics?a=/b HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, HTTP_GET, "/metrics" },
	{ "GET http://h:1/metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, HTTP_GET, "/metrics" },
	{ "GET / HTTP/1.1\r\nhOST:\th \t\r\nAccept: */*\r\nX:\r\n\r\n", HTTP_OK, HTTP_GET, "/" },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", HTTP_OK, HTTP_GET, "/" },
	/* the line */
	{ "GET /\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET  / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1 \r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / x HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET * HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET http://h HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET http://h\001/ HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "G(T / HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.x\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / http/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/0.9\r\n", HTTP_VERSION_NOT_SUPPORTED, HTTP_OTHER, NULL },
	{ "PRI * HTTP/2.0\r\n", HTTP_VERSION_NOT_SUPPORTED, HTTP_OTHER, NULL },
	{ "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ " GET / HTTP/1.1\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "\x16\x03\x01", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	/* the header */
	{ "GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1\r\nHost : h\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	{ "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", HTTP_BAD_REQUEST, HTTP_OTHER, NULL },
	/* a body, in whatever form */
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", HTTP_BAD_REQUEST, 0, NULL },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0, 0\r\n\r\n", HTTP_BAD_REQUEST, 0, NULL },
	{ "GET / HTTP/1.1\r\n" HOST "content-length:\r\n\r\n", HTTP_BAD_REQUEST, 0, NULL },
	{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", HTTP_BAD_REQUEST, 0,
	  NULL },
};

/* In memory of its own size, where a sanitizer sees each byte too far. */
static enum http_status parse(const void *bytes, size_t n, struct http_request *r, size_t *used)
{
	static void *copy;

	free(copy);
	copy = malloc(n > 0 ? n : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, n);
	return http_request_parse(copy, n, r, used);
}

static void requests_are_taken_or_refused(void **state)
{
	struct http_request r;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t n = strlen(cases[i].text);
		const enum http_status status = parse(cases[i].text, n, &r, &used);

		if (status != cases[i].status)
			fail_msg("%s: %d, not %d", cases[i].text, status, cases[i].status);
		if (status != HTTP_OK)
			continue;
		assert_int_equal(r.method, cases[i].method);
		assert_int_equal(used, n);
		assert_int_equal(r.path_len, strlen(cases[i].path));
		assert_memory_equal(r.path, cases[i].path, r.path_len);
	}
}

/* Up to some byte it is incomplete; from there on always the same. */
static void pieces_change_nothing(void **state)
{
	char text[512];
	struct http_request r;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t n = strlen(cases[i].text);
		bool decided = false;

		memset(text, 'x', sizeof(text));
		memcpy(text, cases[i].text, n);
		for (size_t k = 0; k < sizeof(text); k++) {
			const enum http_status status = parse(text, k, &r, &used);

			assert_true(status == cases[i].status ||
				    (status == HTTP_INCOMPLETE && !decided && k < n));
			decided = status != HTTP_INCOMPLETE;
		}
	}
}

static void what_is_too_long_is_told_so(void **state)
{
	static char text[HTTP_REQUEST_BYTES_MAX + 100];
	static const char line[] = "GET / HTTP/1.1\r\nX: ";
	struct http_request r;
	size_t used;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(parse(text, HTTP_REQUEST_BYTES_MAX - 1, &r, &used), HTTP_INCOMPLETE);
	assert_int_equal(parse(text, HTTP_REQUEST_BYTES_MAX, &r, &used), HTTP_URI_TOO_LONG);
	memcpy(text, line, sizeof(line) - 1);
	assert_int_equal(parse(text, HTTP_REQUEST_BYTES_MAX - 1, &r, &used), HTTP_INCOMPLETE);
	assert_int_equal(parse(text, HTTP_REQUEST_BYTES_MAX, &r, &used), HTTP_HEADER_TOO_LARGE);
	memcpy(text + HTTP_REQUEST_BYTES_MAX - 2, "\r\n" HOST "\r\n", strlen(HOST) + 4);
	assert_int_equal(parse(text, sizeof(text), &r, &used), HTTP_HEADER_TOO_LARGE);
}

static void a_target_has_its_limit(void **state)
{
	static char text[HTTP_TARGET_BYTES_MAX + 100];
	struct http_request r;
	size_t used;

	(void)state;
	for (size_t n = HTTP_TARGET_BYTES_MAX; n <= HTTP_TARGET_BYTES_MAX + 1; n++) {
		memcpy(text, "GET /", 5);
		memset(text + 5, 'x', n - 1);
		memcpy(text + 4 + n, " HTTP/1.0\r\n\r\n", 13);
		assert_int_equal(parse(text, 4 + n + 13, &r, &used),
				 n == HTTP_TARGET_BYTES_MAX ? HTTP_OK : HTTP_URI_TOO_LONG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_taken_or_refused),
		cmocka_unit_test(pieces_change_nothing),
		cmocka_unit_test(what_is_too_long_is_told_so),
		cmocka_unit_test(a_target_has_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
