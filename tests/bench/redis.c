/*
 * redis.c - Redis Streams as a contender: XADD, and XREADGROUP with XACK and XDEL
 *
 * With appendfsync always the answer to XADD means what RECEIVED means here, and that to XDEL what
 * PROCESSED does. The source's commands are pipelined as far as the window goes. The target asks
 * for entries, and, when they have come, acknowledges and deletes all of them and asks for more in
 * one go: so at most one group of entries is between its answer and its end.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define GROUP_MAX 256			/* entries at a time */
#define GROUP_BYTES (2 * 1024 * 1024)	/* of large ones as many as this */
#define BLOCK_MS 1000

static struct {
	const struct load *load;
	struct tunnel source, target;
	bool has_source, has_target;
	uint64_t answered;		/* XADDs, in order */
	char *value;			/* owned; begins with the number */
	uint64_t group_max;
	uint64_t group[GROUP_MAX];	/* numbers of entries that have been read */
	size_t group_count;
	unsigned awaited;		/* answers before the next entries: XACK, XDEL */
} r;

/* --- answers ---------------------------------------------------------------------------------- */

/* One element of an answer: a number, a text, or a list of `number` elements that follow. */
struct element {
	char type;			/* + - : $ * */
	int64_t number;
	const char *text;		/* $: of `number` bytes */
};

/* Reads one at *at; false when it has not come whole. */
static bool take_element(const char **at, const char *end, struct element *e)
{
	const char *line_end = memchr(*at, '\n', (size_t)(end - *at));

	if (line_end == NULL)
		return false;
	*e = (struct element){ .type = **at, .number = strtoll(*at + 1, NULL, 10) };
	if (e->type == '-')
		die("redis says %.*s", (int)(line_end - *at - 1), *at);
	line_end++;
	if (e->type == '$' && e->number >= 0) {
		e->text = line_end;
		if (end - line_end < e->number + 2)
			return false;
		line_end += e->number + 2;
	}
	*at = line_end;
	return true;
}

/* Passes one element with all that is in it; false when it has not come whole. */
static bool pass(const char **at, const char *end)
{
	struct element e;

	if (!take_element(at, end, &e))
		return false;
	for (int64_t i = 0; e.type == '*' && i < e.number; i++)
		if (!pass(at, end))
			return false;
	return true;
}

static struct element expect(const char **at, const char *end, char type)
{
	struct element e;

	if (!take_element(at, end, &e) || e.type != type)
		die("an answer of redis has another form than expected");
	return e;
}

/* --- commands --------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void put(struct buf *b, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buf_put(b, text, (size_t)n);
}

static void put_bulk(struct buf *b, const void *p, size_t n)
{
	put(b, "$%zu\r\n", n);
	buf_put(b, p, n);
	buf_put(b, "\r\n", 2);
}

static void ask_for_entries(void)
{
	put(&r.target.out, "XREADGROUP GROUP g target COUNT %" PRIu64 " BLOCK %d STREAMS queue >\r\n",
	    r.group_max, BLOCK_MS);
}

/* Sends a command, and waits for its answer. */
static void command(struct tunnel *t, const char *line)
{
	const char *at;

	put(&t->out, "%s\r\n", line);
	for (;;) {
		struct awaited a;

		tunnel_flush(t);
		a = await_tunnel(t);
		wait_for(&a, 1);
		tunnel_fill(t);
		at = (const char *)buf_bytes(&t->in);
		if (pass(&at, at + t->in.len))
			break;
	}
	buf_clear(&t->in);
}

static void open_tunnels(const struct load *l)
{
	r.load = l;
	r.has_source = l->phase != PHASE_DRAIN;
	r.has_target = l->phase != PHASE_PUBLISH;
	r.group_max = GROUP_BYTES / l->batch_bytes;
	r.group_max = r.group_max < 1 ? 1 : r.group_max > GROUP_MAX ? GROUP_MAX : r.group_max;
	if (r.has_source) {
		tunnel_open(&r.source, l->source, l);
		r.value = malloc(l->batch_bytes);
		if (r.value == NULL || l->batch_bytes < sizeof(uint64_t))
			die("no message of %" PRIu64 " bytes", l->batch_bytes);
		memset(r.value, 'x', l->batch_bytes);
		command(&r.source, "DEL queue");
		command(&r.source, "XGROUP CREATE queue g 0 MKSTREAM");
	}
	if (r.has_target) {
		tunnel_open(&r.target, l->target, l);
		ask_for_entries();
	}
}

static void close_tunnels(void)
{
	if (r.has_source)
		tunnel_close(&r.source);
	if (r.has_target)
		tunnel_close(&r.target);
	free(r.value);
}

static void send_entry(struct engine *e, uint64_t number)
{
	struct buf *b = &r.source.out;

	(void)e;
	memcpy(r.value, &number, sizeof(number));
	put(b, "*5\r\n$4\r\nXADD\r\n$5\r\nqueue\r\n$1\r\n*\r\n$1\r\nv\r\n");
	put_bulk(b, r.value, r.load->batch_bytes);
}

/* --- what comes back -------------------------------------------------------------------------- */

static void take_answers(struct engine *e)
{
	const char *begin = (const char *)buf_bytes(&r.source.in), *at = begin;
	struct element answer;

	while (take_element(&at, begin + r.source.in.len, &answer))
		engine_on_received(e, r.answered++);
	buf_take(&r.source.in, (size_t)(at - begin));
}

/* The ids of all entries from `at` on, as arguments of a command. */
static void put_ids(struct buf *b, const char *at, const char *end, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		struct element id;

		expect(&at, end, '*');
		id = expect(&at, end, '$');
		put_bulk(b, id.text, (size_t)id.number);
		if (!pass(&at, end))
			die("an entry without a value");
	}
}

static void note_numbers(struct engine *e, const char *at, const char *end, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		struct element value;

		expect(&at, end, '*');
		expect(&at, end, '$');			/* the id */
		expect(&at, end, '*');
		expect(&at, end, '$');			/* the field */
		value = expect(&at, end, '$');
		if (value.number < (int64_t)sizeof(r.group[0]) || r.group_count == GROUP_MAX)
			die("an entry that was not sent from here");
		memcpy(&r.group[r.group_count++], value.text, sizeof(r.group[0]));
		engine_on_delivery(e);
	}
}

/* [[queue, [[id, [v, value]], …]]], or nothing within BLOCK_MS. */
static void take_entries(struct engine *e, const char *at, const char *end)
{
	struct buf *b = &r.target.out;
	struct element list;

	list = expect(&at, end, '*');
	if (list.number > 0) {
		expect(&at, end, '*');
		expect(&at, end, '$');
		list = expect(&at, end, '*');
		note_numbers(e, at, end, list.number);
		put(b, "*%" PRId64 "\r\n$4\r\nXACK\r\n$5\r\nqueue\r\n$1\r\ng\r\n", list.number + 3);
		put_ids(b, at, end, list.number);
		put(b, "*%" PRId64 "\r\n$4\r\nXDEL\r\n$5\r\nqueue\r\n", list.number + 2);
		put_ids(b, at, end, list.number);
		r.awaited = 2;
	}
	ask_for_entries();
}

static void take_end(struct engine *e)
{
	if (--r.awaited > 0)
		return;
	for (size_t i = 0; i < r.group_count; i++)
		engine_on_completed(e, r.group[i]);
	r.group_count = 0;
}

static void take_deliveries(struct engine *e)
{
	for (;;) {
		const char *begin = (const char *)buf_bytes(&r.target.in), *at = begin;
		const char *end = begin + r.target.in.len;

		if (r.target.in.len == 0 || !pass(&at, end))
			return;
		if (r.awaited > 0)
			take_end(e);
		else
			take_entries(e, begin, end);
		buf_take(&r.target.in, (size_t)(at - begin));
	}
}

static void exchange(struct engine *e)
{
	struct awaited ends[2];
	size_t n = 0;

	if (r.has_source) {
		tunnel_flush(&r.source);
		ends[n++] = await_tunnel(&r.source);
	}
	if (r.has_target) {
		tunnel_flush(&r.target);
		ends[n++] = await_tunnel(&r.target);
	}
	wait_for(ends, n);
	if (r.has_source) {
		tunnel_fill(&r.source);
		take_answers(e);
	}
	if (r.has_target) {
		tunnel_fill(&r.target);
		take_deliveries(e);
	}
}

const struct contender contender_redis = {
	.name = "redis", .open = open_tunnels, .send = send_entry, .exchange = exchange,
	.close = close_tunnels,
};
