/* request.h - an HTTP/1.1 request from its bytes: line and header, never a body */
#ifndef HANDOFF_HTTP_REQUEST_H
#define HANDOFF_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_REQUEST_BYTES_MAX 8192
#define HTTP_TARGET_BYTES_MAX 1024

enum http_status {
	HTTP_INCOMPLETE = 0,		/* no status: more bytes are needed */
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_REQUEST_TIMEOUT = 408,
	HTTP_URI_TOO_LONG = 414,
	HTTP_HEADER_TOO_LARGE = 431,
	HTTP_UNAVAILABLE = 503,
	HTTP_VERSION_NOT_SUPPORTED = 505,
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

struct http_request {
	enum http_method method;
	const char *path;		/* borrowed, no NUL: of an absolute target the path alone, */
	size_t path_len;		/* without what follows a '?' */
};

/*
 * Reads the `n` bytes that there are so far: HTTP_INCOMPLETE, or HTTP_OK and *r, or the status to
 * refuse them with; further bytes change neither. At HTTP_REQUEST_BYTES_MAX it is never
 * HTTP_INCOMPLETE. *used gets how many bytes the request has, where it is HTTP_OK. Lines end with
 * CRLF or LF. A request that announces a body is refused.
 */
enum http_status http_request_parse(const uint8_t *p, size_t n, struct http_request *r,
    size_t *used);

#endif
