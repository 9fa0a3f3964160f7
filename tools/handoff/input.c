/* input.c - lines of a file or pipe, of which the bytes since a mark are kept */
#include "tools/handoff/input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tools/handoff/command.h"
#include "tools/handoff/report.h"

#define READ_BYTES ((size_t)256 * 1024)

void input_init(struct input *in, int fd)
{
	*in = (struct input){ .fd = fd };
	buf_init(&in->bytes, 0);
}

void input_init_bytes(struct input *in, struct buf *bytes)
{
	*in = (struct input){ .fd = -1, .bytes = *bytes, .has_ended = true };
	buf_init(bytes, bytes->max);
}

void input_finish(struct input *in)
{
	buf_finish(&in->bytes);
}

int input_fill(struct input *in)
{
	uint8_t *room;
	ssize_t n;

	if (in->bytes.len - in->taken > INPUT_LINE_MAX_BYTES) {
		complain("line %llu is longer than %zu bytes", (unsigned long long)in->lines + 1,
			 INPUT_LINE_MAX_BYTES);
		return STATUS_DATA;
	}
	room = buf_reserve(&in->bytes, READ_BYTES);
	if (room == NULL) {
		complain("out of memory");
		return STATUS_SYSTEM;
	}
	do {
		n = read(in->fd, room, READ_BYTES);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		complain_errno("standard input");
		return STATUS_IO;
	}
	if (n > 0)
		buf_grow(&in->bytes, (size_t)n);
	in->has_ended = n == 0;
	return -1;
}

bool input_peek(struct input *in, const char **line, size_t *len)
{
	const char *bytes = (const char *)buf_bytes(&in->bytes), *end = NULL;

	if (in->bytes.len > in->searched)
		end = memchr(bytes + in->searched, '\n', in->bytes.len - in->searched);
	if (end == NULL) {
		in->searched = in->bytes.len;
		if (!in->has_ended || in->taken == in->bytes.len)
			return false;
		end = bytes + in->bytes.len;
	} else {
		in->searched = (size_t)(end - bytes);
	}
	*line = bytes + in->taken;
	*len = (size_t)(end - *line);
	return true;
}

void input_take(struct input *in)
{
	in->taken = in->searched < in->bytes.len ? in->searched + 1 : in->bytes.len;
	in->searched = in->taken;
	in->lines++;
}

bool input_has(const struct input *in, uint64_t n)
{
	return in->bytes.len >= n;
}

void input_advance(struct input *in)
{
	input_skip(in, in->taken, 0);
}

void input_skip(struct input *in, size_t n, uint64_t lines)
{
	buf_take(&in->bytes, n);
	in->mark += n;
	in->lines += lines;
	in->taken = 0;
	in->searched = 0;
}
