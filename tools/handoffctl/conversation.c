/* conversation.c - one connection to the operator's socket: a request line out, an answer in */
#include "tools/handoffctl/conversation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_BYTES (64 * 1024)	/* kept until the answer's code says where it belongs */

/* --- connecting ------------------------------------------------------------------------------- */

static const char *remedy(int error)
{
	switch (error) {
	case ENOENT:
		return "is handoffd running, with this path in admin.socket? Name another with -s "
		       "or HANDOFF_ADMIN";
	case ECONNREFUSED:
		return "nobody listens there: start handoffd";
	case EACCES:
		return "become root, the user of handoffd, or a member of the socket's group";
	default:
		return "is this the operator's socket of a handoffd?";
	}
}

int conversation_open(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		fprintf(stderr, "handoffctl: %s: a socket's path has at most %zu bytes\n", path,
			sizeof(a.sun_path) - 1);
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	fprintf(stderr, "handoffctl: %s: %s: %s\n", path, strerror(errno), remedy(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- the request ------------------------------------------------------------------------------ */

void conversation_add(struct buf *line, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_./:@%+=,-";

	if (line->len > 0)
		buf_put(line, " ", 1);
	if (*word != '\0' && word[strspn(word, plain)] == '\0') {
		buf_put(line, word, strlen(word));
		return;
	}
	buf_put(line, "\"", 1);
	for (; *word != '\0'; word++) {
		if (*word == '\n') {
			buf_put(line, "\\n", 2);
			continue;
		}
		if (*word == '"' || *word == '\\')
			buf_put(line, "\\", 1);
		buf_put(line, word, 1);
	}
	buf_put(line, "\"", 1);
}

/* A broker that does not want to hear all of it has answered all the same: read on. */
static void send_all(int fd, const struct buf *line)
{
	const uint8_t *at = buf_bytes(line);
	size_t left = line->len;

	while (left > 0) {
		ssize_t n = send(fd, at, left, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			at += n;
			left -= (size_t)n;
		}
	}
}

/* --- the answer ------------------------------------------------------------------------------- */

static void take_body(struct answer *a, const uint8_t *line, size_t len)
{
	if (*line == '.') {
		line++;
		len--;
	}
	buf_put(&a->body, line, len);
	if (a->at_once || a->body.len > BODY_BYTES) {
		fwrite(buf_bytes(&a->body), 1, a->body.len, stdout);
		if (a->at_once)
			fflush(stdout);
		buf_clear(&a->body);
		a->streamed = true;
	}
}

/* ".CODE" or ".CODE yes"; false when it is neither. */
static bool take_end(struct answer *a, const uint8_t *line, size_t len)
{
	char text[16];
	char *rest;
	long code;

	if (len < 3 || len > sizeof(text))
		return false;
	memcpy(text, line + 1, len - 2);	/* without '.' and newline */
	text[len - 2] = '\0';
	code = strtol(text, &rest, 10);
	if (rest == text || code < 0 || code > 255)
		return false;
	a->wants_yes = strcmp(rest, " yes") == 0;
	if (*rest != '\0' && !a->wants_yes)
		return false;
	a->code = (int)code;
	return true;
}

/* Takes the whole lines at the front of `in`; true when the answer is at its end. */
static bool take_lines(struct answer *a, struct buf *in)
{
	const uint8_t *newline;

	while (in->len > 0 && (newline = memchr(buf_bytes(in), '\n', in->len)) != NULL) {
		const uint8_t *line = buf_bytes(in);
		const size_t len = (size_t)(newline - line) + 1;

		if (*line == '.' && line[1] != '.') {
			(void)take_end(a, line, len);
			return true;
		}
		take_body(a, line, len);
		buf_take(in, len);
	}
	return false;
}

void conversation_ask(int fd, const struct buf *line, bool at_once, struct answer *answer)
{
	struct buf in;

	*answer = (struct answer){ .code = -1, .at_once = at_once };
	buf_init(&answer->body, 0);
	buf_init(&in, 0);
	send_all(fd, line);
	while (!take_lines(answer, &in)) {
		uint8_t *to = buf_reserve(&in, BODY_BYTES);
		ssize_t n = to != NULL ? recv(fd, to, BODY_BYTES, 0) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_grow(&in, (size_t)n);
	}
	buf_finish(&in);
}
