/*
 * request.c - an HTTP/1.1 request from its bytes (RFC 9112), as little of it as three paths need
 *
 * What a proxy and we could understand in two ways is refused: blanks around a header's name,
 * continued lines, control bytes, a body in any form.
 */
#include "http/request.h"

#include <string.h>
#include <strings.h>

/* The bytes from `at` up to `end`. */
struct text {
	const char *at, *end;
};

static size_t text_len(const struct text *t)
{
	return (size_t)(t->end - t->at);
}

static bool text_is(const struct text *t, const char *word)
{
	return text_len(t) == strlen(word) && memcmp(t->at, word, strlen(word)) == 0;
}

static bool text_is_name(const struct text *t, const char *name)
{
	return text_len(t) == strlen(name) && strncasecmp(t->at, name, strlen(name)) == 0;
}

/* A line without its end, from the front of *rest; false when its end is not there. */
static bool take_line(struct text *rest, struct text *line)
{
	const char *newline = memchr(rest->at, '\n', text_len(rest));

	if (newline == NULL)
		return false;
	*line = (struct text){ rest->at, newline };
	if (text_len(line) > 0 && newline[-1] == '\r')
		line->end--;
	rest->at = newline + 1;
	return true;
}

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(const struct text *t)
{
	for (const char *c = t->at; c < t->end; c++)
		if (!is_token_char(*c))
			return false;
	return text_len(t) > 0;
}

/* No control bytes but the tab, wherever a line may end up. */
static bool is_printable(const struct text *t)
{
	for (const char *c = t->at; c < t->end; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

/* --- the request line ------------------------------------------------------------------------- */

/* Up to the next space of `line`, which is taken with it; false when there is none. */
static bool take_word(struct text *line, struct text *word)
{
	const char *space = memchr(line->at, ' ', text_len(line));

	if (space == NULL)
		return false;
	*word = (struct text){ line->at, space };
	line->at = space + 1;
	return true;
}

static enum http_status check_version(const struct text *t)
{
	const bool is_http = text_len(t) == 8 && memcmp(t->at, "HTTP/", 5) == 0 &&
			     t->at[5] >= '0' && t->at[5] <= '9' && t->at[6] == '.' &&
			     t->at[7] >= '0' && t->at[7] <= '9';

	if (!is_http)
		return HTTP_BAD_REQUEST;
	return t->at[5] == '1' ? HTTP_OK : HTTP_VERSION_NOT_SUPPORTED;
}

/* "/metrics?x", or with "http://host" before it. */
static enum http_status read_target(struct text t, struct http_request *r)
{
	static const char scheme[] = "http://";
	const char *query;

	if (text_len(&t) > HTTP_TARGET_BYTES_MAX)
		return HTTP_URI_TOO_LONG;
	for (const char *c = t.at; c < t.end; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~')
			return HTTP_BAD_REQUEST;
	if (text_len(&t) >= sizeof(scheme) - 1 &&
	    strncasecmp(t.at, scheme, sizeof(scheme) - 1) == 0) {
		t.at += sizeof(scheme) - 1;
		while (t.at < t.end && *t.at != '/')
			t.at++;
	}
	if (text_len(&t) == 0 || *t.at != '/')
		return HTTP_BAD_REQUEST;
	query = memchr(t.at, '?', text_len(&t));
	r->path = t.at;
	r->path_len = query != NULL ? (size_t)(query - t.at) : text_len(&t);
	return HTTP_OK;
}

/* `line` is left with the version. */
static enum http_status read_request_line(struct text *line, struct http_request *r)
{
	struct text method, target;
	enum http_status status;

	if (!take_word(line, &method) || !is_token(&method) || !take_word(line, &target))
		return HTTP_BAD_REQUEST;
	status = check_version(line);
	if (status != HTTP_OK)
		return status;
	r->method = text_is(&method, "GET") ? HTTP_GET
					    : text_is(&method, "HEAD") ? HTTP_HEAD : HTTP_OTHER;
	return read_target(target, r);
}

/* --- the header ------------------------------------------------------------------------------- */

static void trim(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
		t->at++;
	while (t->at < t->end && (t->end[-1] == ' ' || t->end[-1] == '\t'))
		t->end--;
}

static bool check_field(const struct text *line, unsigned *hosts)
{
	const char *colon = memchr(line->at, ':', text_len(line));
	struct text name, value;

	if (colon == NULL || !is_printable(line))
		return false;
	name = (struct text){ line->at, colon };
	value = (struct text){ colon + 1, line->end };
	trim(&value);
	if (!is_token(&name) || text_is_name(&name, "Transfer-Encoding"))
		return false;
	if (text_is_name(&name, "Host"))
		++*hosts;
	return !text_is_name(&name, "Content-Length") || text_is(&value, "0");
}

enum http_status http_request_parse(const uint8_t *p, size_t n, struct http_request *r,
    size_t *used)
{
	const bool is_full = n >= HTTP_REQUEST_BYTES_MAX;
	struct text rest, line;
	enum http_status status;
	unsigned hosts = 0;
	bool wants_host;

	*r = (struct http_request){ .method = HTTP_OTHER };
	*used = 0;
	rest.at = (const char *)p;
	rest.end = rest.at + (is_full ? HTTP_REQUEST_BYTES_MAX : n);
	if (n == 0)
		return HTTP_INCOMPLETE;
	if (!is_token_char(*rest.at))	/* TLS, say: its peer need not wait for a timeout */
		return HTTP_BAD_REQUEST;
	if (!take_line(&rest, &line))
		return is_full ? HTTP_URI_TOO_LONG : HTTP_INCOMPLETE;
	status = read_request_line(&line, r);
	if (status != HTTP_OK)
		return status;
	wants_host = !text_is(&line, "HTTP/1.0");
	while (take_line(&rest, &line)) {
		if (text_len(&line) == 0) {
			*used = (size_t)(rest.at - (const char *)p);
			return hosts == 1 || (!wants_host && hosts == 0) ? HTTP_OK
									  : HTTP_BAD_REQUEST;
		}
		if (!check_field(&line, &hosts))
			return HTTP_BAD_REQUEST;
	}
	return is_full ? HTTP_HEADER_TOO_LARGE : HTTP_INCOMPLETE;
}
