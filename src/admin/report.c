/* report.c - what a command answers, said once: rendered for people, or as one JSON document */
#include "admin/report.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "base/utf8.h"

#define NAME_WIDTH 22		/* of fields for people */
#define SPACES "                                                                "

static void put(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

static void put_spaces(struct buf *b, int count)
{
	buf_put(b, SPACES, count < (int)strlen(SPACES) ? (size_t)count : strlen(SPACES));
}

static struct report_level *top(struct report *r)
{
	assert(r->depth > 0);
	return &r->levels[r->depth - 1];
}

/* --- a stranger's text ------------------------------------------------------------------------ */

static void put_for_people(struct buf *b, const char *s, size_t n)
{
	char escaped[8];

	while (n > 0) {
		size_t len = utf8_shown_length(s, n);

		if (len > 0) {
			if (*s == '\\')
				put(b, "\\");
			buf_put(b, s, len);
		} else {
			snprintf(escaped, sizeof(escaped), "\\x%02x", (uint8_t)*s);
			put(b, escaped);
			len = 1;
		}
		s += len;
		n -= len;
	}
}

static void put_json_text(struct buf *b, const char *s, size_t n)
{
	char escaped[8];
	uint32_t code;

	put(b, "\"");
	while (n > 0) {
		size_t len = utf8_length(s, n, &code);

		if (len == 0) {
			put(b, "\\ufffd");
			len = 1;
		} else if (code == '"' || code == '\\') {
			escaped[0] = '\\';
			escaped[1] = (char)code;
			buf_put(b, escaped, 2);
		} else if (utf8_shown_length(s, n) == 0) {
			snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)code & 0xffff);
			put(b, escaped);
		} else {
			buf_put(b, s, len);
		}
		s += len;
		n -= len;
	}
	put(b, "\"");
}

/* --- structure -------------------------------------------------------------------------------- */

static void begin_value_json(struct report *r, struct report_level *l, const char *name)
{
	if (!l->empty)
		put(r->out, ",");
	if (l->kind == REPORT_ROW)
		name = l->columns[l->column].name;
	if (l->kind == REPORT_OBJECT || l->kind == REPORT_ROW) {
		put_json_text(r->out, name, strlen(name));
		put(r->out, ":");
	}
}

/* The name above a list or table, once something is in it. */
static void put_title(struct report *r, const struct report_level *l)
{
	if (!l->title)
		return;
	put_spaces(r->out, l->indent - 2);
	put(r->out, l->name);
	put(r->out, ":\n");
}

static void put_name(struct report *r, const struct report_level *l, const char *name)
{
	put_spaces(r->out, l->indent);
	if (l->kind == REPORT_LIST) {
		put(r->out, "- ");
		return;
	}
	put(r->out, name);
	put_spaces(r->out, strlen(name) < NAME_WIDTH ? NAME_WIDTH - (int)strlen(name) : 1);
}

static void begin_value(struct report *r, const char *name)
{
	struct report_level *l = top(r);

	assert(l->kind != REPORT_TABLE);
	assert(l->kind != REPORT_ROW || l->column < l->column_count);
	if (r->json)
		begin_value_json(r, l, name);
	else if (l->kind == REPORT_LIST && l->empty)
		put_title(r, l);
	if (!r->json && l->kind != REPORT_ROW)
		put_name(r, l, name);
	l->empty = false;
}

static size_t characters(const struct buf *b)
{
	const uint8_t *s = buf_bytes(b);
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += (s[i] & 0xc0) != 0x80;
	return n;
}

/* A cell for people: padded, save at the end of its line. */
static void put_cell(struct report *r, const struct report_level *l, size_t column)
{
	const struct report_column *c = &l->columns[column];
	const int len = (int)characters(&r->cell);
	const int pad = c->width > len ? c->width - len : 0;
	const bool last = column + 1 == l->column_count;

	if (column > 0)
		put(r->out, "  ");
	if (c->right)
		put_spaces(r->out, pad);
	if (r->cell.len > 0)
		buf_put(r->out, buf_bytes(&r->cell), r->cell.len);
	if (!c->right && !last)
		put_spaces(r->out, pad);
	if (last)
		put(r->out, "\n");
}

/* A value that is the same for people and programs, or of which only one of the two is asked. */
static void put_value(struct report *r, const char *name, const char *text)
{
	struct report_level *l = top(r);

	begin_value(r, name);
	if (r->json) {
		put(r->out, text);
	} else if (l->kind == REPORT_ROW) {
		buf_clear(&r->cell);
		put(&r->cell, text);
		put_cell(r, l, l->column);
	} else {
		put(r->out, text);
		put(r->out, "\n");
	}
	l->column++;
}

static struct report_level *push(struct report *r, enum report_kind kind, const char *name)
{
	const struct report_level *parent = r->depth > 0 ? top(r) : NULL;
	struct report_level *l = &r->levels[r->depth];

	assert(r->depth < REPORT_DEPTH_MAX);
	*l = (struct report_level){ .kind = kind, .name = name, .empty = true };
	if (parent != NULL) {
		l->title = name != NULL;
		l->indent = parent->indent + (l->title ? 2 : 0);
	}
	r->depth++;
	return l;
}

/* What stands before an object, list or table in its parent. */
static void begin_inner(struct report *r, const char *name)
{
	struct report_level *l = top(r);

	if (r->json) {
		begin_value_json(r, l, name);
	} else if (l->kind == REPORT_LIST) {
		if (l->empty)
			put_title(r, l);
		else
			put(r->out, "\n");
	}
	l->empty = false;
	l->column++;
}

void report_begin(struct report *r, struct buf *out, bool json)
{
	*r = (struct report){ .out = out, .json = json };
	push(r, REPORT_OBJECT, NULL);
	if (json)
		put(out, "{");
}

void report_object(struct report *r, const char *name)
{
	struct report_level *l;

	begin_inner(r, name);
	l = push(r, REPORT_OBJECT, name);
	if (r->json)
		put(r->out, "{");
	else
		put_title(r, l);
}

void report_list(struct report *r, const char *name)
{
	begin_inner(r, name);
	push(r, REPORT_LIST, name);
	if (r->json)
		put(r->out, "[");
}

void report_table(struct report *r, const char *name, const struct report_column columns[],
    size_t count)
{
	/* For people a table that is all there is needs no title. */
	const bool alone = r->depth == 1 && top(r)->empty;
	struct report_level *l;

	begin_inner(r, name);
	l = push(r, REPORT_TABLE, name);
	l->columns = columns;
	l->column_count = count;
	if (alone) {
		l->title = false;
		l->indent = 0;
	}
	if (r->json)
		put(r->out, "[");
}

static void put_header(struct report *r, const struct report_level *l)
{
	put_title(r, l);
	put_spaces(r->out, l->indent);
	for (size_t i = 0; i < l->column_count; i++) {
		buf_clear(&r->cell);
		for (const char *c = l->columns[i].name; *c != '\0'; c++)
			buf_put(&r->cell, &(char){ (char)toupper((unsigned char)*c) }, 1);
		put_cell(r, l, i);
	}
}

void report_row(struct report *r)
{
	struct report_level *table = top(r), *row;

	assert(table->kind == REPORT_TABLE);
	if (r->json)
		put(r->out, table->empty ? "\n{" : ",\n{");
	else if (table->empty)
		put_header(r, table);
	if (!r->json)
		put_spaces(r->out, table->indent);
	table->empty = false;
	row = push(r, REPORT_ROW, NULL);
	row->columns = table->columns;
	row->column_count = table->column_count;
}

static void say_none(struct report *r, const struct report_level *l)
{
	if (l->title) {
		put_spaces(r->out, l->indent - 2);
		put(r->out, l->name);
		put(r->out, ": ");
	}
	put(r->out, "none\n");
}

void report_close(struct report *r)
{
	struct report_level *l = top(r);
	const bool list = l->kind == REPORT_LIST || l->kind == REPORT_TABLE;

	/* An error may end a row early: for people, its line has to end. */
	if (r->json)
		put(r->out, list ? "]" : "}");
	else if (list && l->empty)
		say_none(r, l);
	else if (l->kind == REPORT_ROW && l->column < l->column_count)
		put(r->out, "\n");
	r->depth--;
}

void report_unwind(struct report *r)
{
	while (r->depth > 1)
		report_close(r);
}

void report_end(struct report *r)
{
	report_unwind(r);
	report_close(r);
	if (r->json)
		put(r->out, "\n");
}

void report_finish(struct report *r)
{
	buf_finish(&r->cell);
}

void report_sentence(struct report *r, const char *text)
{
	if (r->json)
		return;
	top(r)->empty = false;
	put_spaces(r->out, top(r)->indent);
	put_for_people(r->out, text, strlen(text));
	put(r->out, "\n");
}

/* --- values ----------------------------------------------------------------------------------- */

void report_bytes_as_text(struct report *r, const char *name, const char *text, size_t len)
{
	struct report_level *l = top(r);

	if (text == NULL) {
		report_none(r, name);
		return;
	}
	begin_value(r, name);
	if (r->json) {
		put_json_text(r->out, text, len);
	} else if (l->kind == REPORT_ROW) {
		buf_clear(&r->cell);
		put_for_people(&r->cell, text, len);
		put_cell(r, l, l->column);
	} else {
		put_for_people(r->out, text, len);
		put(r->out, "\n");
	}
	l->column++;
}

void report_text(struct report *r, const char *name, const char *text)
{
	report_bytes_as_text(r, name, text, text != NULL ? strlen(text) : 0);
}

void report_none(struct report *r, const char *name)
{
	put_value(r, name, r->json ? "null" : "-");
}

void report_bool(struct report *r, const char *name, bool value)
{
	if (r->json)
		put_value(r, name, value ? "true" : "false");
	else
		put_value(r, name, value ? "yes" : "no");
}

void report_number(struct report *r, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	put_value(r, name, text);
}

void report_real(struct report *r, const char *name, double value)
{
	char text[32];

	if (!isfinite(value)) {
		report_none(r, name);
		return;
	}
	snprintf(text, sizeof(text), r->json ? "%.6g" : "%.3g", value);
	put_value(r, name, text);
}

void report_time(struct report *r, const char *name, int64_t us)
{
	char when[DATETIME_TEXT_LEN + 1], text[DATETIME_TEXT_LEN + 3];

	if (us == 0) {
		report_none(r, name);
		return;
	}
	datetime_format(us, when);
	if (r->json)
		snprintf(text, sizeof(text), "\"%s\"", when);
	else
		snprintf(text, sizeof(text), "%.10s %.8sZ", when, when + 11);
	put_value(r, name, text);
}

/* The largest unit of which there is at least one, and the next one: "2h 5min". */
void report_write_duration(int64_t ms, char *out, size_t size)
{
	static const struct { const char *name; int64_t worth; } units[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
	};
	const size_t count = sizeof(units) / sizeof(units[0]);
	size_t i = 0;
	int64_t rest;

	while (i + 1 < count && ms < units[i].worth)
		i++;
	rest = i + 1 < count ? ms % units[i].worth / units[i + 1].worth : 0;
	if (rest > 0)
		snprintf(out, size, "%" PRId64 "%s %" PRId64 "%s", ms / units[i].worth,
			 units[i].name, rest, units[i + 1].name);
	else
		snprintf(out, size, "%" PRId64 "%s", ms / units[i].worth, units[i].name);
}

void report_duration(struct report *r, const char *name, int64_t ms)
{
	char text[64];

	if (r->json || ms < 0) {
		report_number(r, name, ms);
		return;
	}
	report_write_duration(ms, text, sizeof(text));
	put_value(r, name, text);
}

/* "64M", "1.5G": exact where there is no point. */
static void write_size(int64_t bytes, char *out, size_t size)
{
	static const char units[] = "KMGT";
	int64_t worth = 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, size, "%" PRId64, bytes);
		return;
	}
	while (i + 1 < strlen(units) && bytes / 1024 >= worth) {
		worth *= 1024;
		i++;
	}
	if (bytes % worth == 0)
		snprintf(out, size, "%" PRId64 "%c", bytes / worth, units[i]);
	else
		snprintf(out, size, "%.1f%c", (double)bytes / (double)worth, units[i]);
}

void report_size(struct report *r, const char *name, int64_t bytes)
{
	char text[64];

	if (r->json || bytes < 0) {
		report_number(r, name, bytes);
		return;
	}
	write_size(bytes, text, sizeof(text));
	put_value(r, name, text);
}
