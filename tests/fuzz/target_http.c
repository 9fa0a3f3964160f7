/*
 * target_http.c - HTTP requests: pieces change nothing, and what is taken has one meaning
 *
 * The input goes through the parser at every length, as it would come byte by byte: first it is
 * incomplete, then it has its status, which no further byte changes. A request that is taken is
 * read a second time here, in another way.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "http/request.h"

#define STEPS_MAX 32	/* lengths that are tried, spread over a long input */

void target_begin(void)
{
}

static bool is_same(const struct http_request *a, const struct http_request *b)
{
	return a->method == b->method && a->path == b->path && a->path_len == b->path_len;
}

/* From the end of the header backwards: no line of it may be a body's or a continued one. */
static void check_header(const char *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (p[i] != '\n')
			continue;
		must(p[i + 1] != ' ' && p[i + 1] != '\t');
		must(n - i < 19 || strncasecmp(p + i + 1, "Transfer-Encoding:", 18) != 0);
	}
	for (size_t i = 0; i < n; i++)
		must((unsigned char)p[i] >= ' ' || strchr("\r\n\t", p[i]) != NULL);
	must(memchr(p, '\0', n) == NULL);
}

static void check_taken(const uint8_t *data, const struct http_request *r, size_t used)
{
	const char *text = (const char *)data;
	const char *space = memchr(text, ' ', used);

	must(used >= strlen("GET / HTTP/1.0\n\n") - 2 && used <= HTTP_REQUEST_BYTES_MAX);
	must(text[used - 1] == '\n');
	must(text[used - 2] == '\n' || (text[used - 2] == '\r' && text[used - 3] == '\n'));
	must(space != NULL);
	must((r->method == HTTP_GET) == (space - text == 3 && memcmp(text, "GET", 3) == 0));
	must((r->method == HTTP_HEAD) == (space - text == 4 && memcmp(text, "HEAD", 4) == 0));
	must(r->path > space && r->path + r->path_len < text + used && *r->path == '/');
	must(r->path_len >= 1 && r->path_len <= HTTP_TARGET_BYTES_MAX);
	for (size_t i = 0; i < r->path_len; i++)
		must(isgraph((unsigned char)r->path[i]) && r->path[i] != '?');
	check_header(text, used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t step = size / STEPS_MAX + 1;
	struct http_request whole, r;
	size_t used, used_then;
	enum http_status status, then;
	bool decided = false;

	memory_count();
	status = http_request_parse(data, size, &whole, &used);
	for (size_t n = 0; n <= size; n += step) {
		then = http_request_parse(data, n, &r, &used_then);
		must(then == status || (then == HTTP_INCOMPLETE && !decided));
		decided = then != HTTP_INCOMPLETE;
		if (then == HTTP_OK)
			must(used_then == used && is_same(&r, &whole));
	}
	must(memory_peak() == 0);
	must(size < HTTP_REQUEST_BYTES_MAX || status != HTTP_INCOMPLETE);
	if (status == HTTP_OK)
		check_taken(data, &whole, used);
	return 0;
}
