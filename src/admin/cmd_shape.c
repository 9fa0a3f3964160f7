/*
 * cmd_shape.c - shape: how old what does not move is, and why: fresh load, one sick target, or old
 * poison
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin/look.h"
#include "wire/decode.h"

#define FIRST_BUCKET_MS 5000
#define BUCKETS 12			/* 5 s, 10 s, … 5120 s, and what is older */
#define ROWS_MAX 256			/* the rest is counted together */
#define KEY_BYTES 96

static const struct report_column columns[] = {
	{ .name = "route", .width = 16 },
	{ .name = "by", .width = 18 },
	{ .name = "total", .width = 7, .right = true },
	{ .name = "5s", .width = 5, .right = true },
	{ .name = "10s", .width = 5, .right = true },
	{ .name = "20s", .width = 5, .right = true },
	{ .name = "40s", .width = 5, .right = true },
	{ .name = "80s", .width = 5, .right = true },
	{ .name = "160s", .width = 5, .right = true },
	{ .name = "320s", .width = 5, .right = true },
	{ .name = "640s", .width = 5, .right = true },
	{ .name = "1280s", .width = 5, .right = true },
	{ .name = "2560s", .width = 5, .right = true },
	{ .name = "5120s", .width = 5, .right = true },
	{ .name = "older", .width = 5, .right = true },
};
_Static_assert(sizeof(columns) / sizeof(columns[0]) == 3 + BUCKETS, "a column for each bucket");

struct shape_row {
	const struct route *route;	/* NULL: all that had no row of their own */
	char key[KEY_BYTES];
	uint64_t counts[BUCKETS];
};

enum shape_by { BY_REASON, BY_CODE, BY_SOURCE, BY_TARGET };
static const char *const by_names[] = { "reason", "code", "source", "target", NULL };

struct shape {
	bool begun, counted;
	enum shape_by by;
	struct selection_cursor cursor;
	size_t count, shown;
	struct shape_row rows[ROWS_MAX + 1];
};

static unsigned bucket_of(int64_t age_ms)
{
	int64_t upper_ms = FIRST_BUCKET_MS;
	unsigned n = 0;

	for (; n < BUCKETS - 1 && age_ms >= upper_ms; n++)
		upper_ms *= 2;
	return n;
}

/* As the target called it; else as the broker did. */
static void key_of_code(const struct ended *e, char key[KEY_BYTES])
{
	struct stored_error first;
	const char *name = "-";
	size_t at = 0;

	if (e != NULL && stored_error_next(e->errors, e->errors_len, &at, &first) &&
	    first.code.n > 0) {
		snprintf(key, KEY_BYTES, "%.*s", (int)first.code.n, first.code.p);
		return;
	}
	if (e != NULL && e->error_code != INT_NONE && e->error_code < ERROR_CODE_COUNT)
		name = error_code_info((enum error_code)e->error_code)->name;
	snprintf(key, KEY_BYTES, "%s", name);
}

static void key_of(struct core *core, enum shape_by by, const struct batch_view *v,
    char key[KEY_BYTES])
{
	char name[INSTANCE_NAME_MAX];

	if (by == BY_REASON) {
		snprintf(key, KEY_BYTES, "%s", reason_name(v->reason));
	} else if (by == BY_CODE) {
		key_of_code(v->end, key);
	} else {
		core_instance_name(core, by == BY_SOURCE ? v->batch->source : v->batch->holder,
				   name, sizeof(name));
		snprintf(key, KEY_BYTES, "%.*s", KEY_BYTES - 1, name);
	}
}

static struct shape_row *row_of(struct shape *s, const struct route *route, const char *key)
{
	struct shape_row *r;

	for (size_t i = s->count; i-- > 0;)
		if (s->rows[i].route == route && strcmp(s->rows[i].key, key) == 0)
			return &s->rows[i];
	if (s->count >= ROWS_MAX) {
		s->count = ROWS_MAX + 1;
		r = &s->rows[ROWS_MAX];
		snprintf(r->key, sizeof(r->key), "others");
		return r;
	}
	r = &s->rows[s->count++];
	r->route = route;
	memcpy(r->key, key, KEY_BYTES);
	return r;
}

static bool count(void *arg, const struct batch_view *v)
{
	struct admin_job *job = arg;
	struct shape *s = job->state;
	const int64_t age_us = look_now_us(job->admin->core) - v->batch->received_at_us;
	char key[KEY_BYTES] = "";

	key_of(job->admin->core, s->by, v, key);
	row_of(s, v->route, key)->counts[bucket_of(age_us / 1000)]++;
	return true;
}

static bool begin(struct admin_job *job, struct shape *s)
{
	const char *by = job_option(job, "--by");
	int n = 0;

	s->begun = true;
	while (by != NULL && by_names[n] != NULL && strcasecmp(by, by_names[n]) != 0)
		n++;
	if (by_names[n] == NULL)
		return job_fail(job, ADMIN_USAGE, "--by is reason, code, source or target");
	s->by = (enum shape_by)n;
	return true;
}

static void put_row(struct report *r, const struct shape_row *row)
{
	uint64_t total = 0;

	for (int i = 0; i < BUCKETS; i++)
		total += row->counts[i];
	report_row(r);
	report_text(r, NULL, row->route != NULL ? route_settings(row->route)->name : NULL);
	report_text(r, NULL, row->key);
	report_number(r, NULL, (int64_t)total);
	for (int i = 0; i < BUCKETS; i++)
		report_number(r, NULL, (int64_t)row->counts[i]);
	report_close(r);
}

bool cmd_shape(struct admin_job *job)
{
	struct shape *s = job_state(job, sizeof(*s));
	static const struct selection all;

	if (!s->begun && !begin(job, s))
		return false;
	if (!s->cursor.done) {
		core_select(job->admin->core, &all, &s->cursor, LOOK_ROWS_PER_STEP, count, job);
		return true;
	}
	if (!s->counted)
		report_table(&job->report, "shape", columns, sizeof(columns) / sizeof(columns[0]));
	s->counted = true;
	while (s->shown < s->count && !look_is_full(job))
		put_row(&job->report, &s->rows[s->shown++]);
	return s->shown < s->count;
}
