/* answer.c - what a request is answered: the paths, and the head of every answer */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/datetime.h"
#include "http/internal.h"

static enum http_status put_metrics(const struct look *l, struct buf *body)
{
	metrics_put(l, body);
	return HTTP_OK;
}

static enum http_status put_ready(const struct look *l, struct buf *body)
{
	const char *problem = ready_problem(l);
	char text[80];
	int n = problem == NULL
	    ? snprintf(text, sizeof(text), "{\"ready\":true}\n")
	    : snprintf(text, sizeof(text), "{\"ready\":false,\"reason\":\"%s\"}\n", problem);

	buf_put(body, text, (size_t)n);
	return problem == NULL ? HTTP_OK : HTTP_UNAVAILABLE;
}

static const struct path {
	const char *path;
	const char *type;
	enum http_status (*put)(const struct look *l, struct buf *body);
} paths[] = {
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", put_metrics },
	{ "/health", "application/json", health_put },
	{ "/ready", "application/json", put_ready },
};

static const struct path *path_find(const struct http_request *r)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strlen(paths[i].path) == r->path_len &&
		    memcmp(paths[i].path, r->path, r->path_len) == 0)
			return &paths[i];
	return NULL;
}

static const char *status_words(enum http_status status)
{
	switch (status) {
	case HTTP_OK:
		return "OK";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_REQUEST_TIMEOUT:
		return "Request Timeout";
	case HTTP_URI_TOO_LONG:
		return "URI Too Long";
	case HTTP_HEADER_TOO_LARGE:
		return "Request Header Fields Too Large";
	case HTTP_UNAVAILABLE:
		return "Service Unavailable";
	case HTTP_VERSION_NOT_SUPPORTED:
		return "HTTP Version Not Supported";
	case HTTP_BAD_REQUEST:
	case HTTP_INCOMPLETE:
		break;
	}
	return "Bad Request";
}

static void put_head(struct buf *out, enum http_status status, const char *type, size_t length)
{
	const time_t now = (time_t)(datetime_now_us() / 1000000);
	char date[40], head[512];
	struct tm tm;
	int n;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nDate: %s\r\n%sContent-Type: %s\r\n"
		     "Content-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
		     status, status_words(status), date,
		     status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "", type, length);
	buf_put(out, head, (size_t)n);
}

static void put_refusal(struct buf *out, enum http_status status, bool is_head)
{
	char body[96];
	int n = snprintf(body, sizeof(body), "%d %s\n", status, status_words(status));

	put_head(out, status, "text/plain; charset=utf-8", (size_t)n);
	if (!is_head)
		buf_put(out, body, (size_t)n);
}

void answer_put(struct http *h, enum http_status status, const struct http_request *r,
    struct buf *out)
{
	const struct path *path = status == HTTP_OK ? path_find(r) : NULL;
	const bool is_head = status == HTTP_OK && r->method == HTTP_HEAD;
	struct buf body;
	struct look l;

	if (status == HTTP_OK && path == NULL)
		status = HTTP_NOT_FOUND;
	else if (status == HTTP_OK && r->method == HTTP_OTHER)
		status = HTTP_METHOD_NOT_ALLOWED;
	if (status != HTTP_OK) {
		put_refusal(out, status, is_head);
		return;
	}
	buf_init(&body, HTTP_ANSWER_BYTES_MAX);
	look_begin(&l, h);
	status = path->put(&l, &body);
	look_finish(&l);
	if (body.failed) {
		put_refusal(out, HTTP_UNAVAILABLE, is_head);
	} else {
		put_head(out, status, path->type, body.len);
		if (!is_head)
			buf_put(out, buf_bytes(&body), body.len);
	}
	buf_finish(&body);
}
