/* cmd_dead.c - dead list, dead group: which letters there are, and what they have in common */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/change.h"
#include "admin/letter.h"

#define ROWS_PER_STEP 1000
#define LISTED_PER_STEP 64		/* each at most some 600 bytes */
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000000

/* --- dead list -------------------------------------------------------------------------------- */

struct list {
	struct admin_job *job;
	struct selection selection;
	struct selection_cursor cursor;
	uint64_t limit, listed;
	unsigned page;
	bool more;
};

static const struct report_column list_columns[] = {
	{ .name = "batch_id", .width = UUID_TEXT_LEN },
	{ .name = "route", .width = 12 },
	{ .name = "kind", .width = 7 },
	{ .name = "code", .width = 16 },
	{ .name = "target_code", .width = 12 },
	{ .name = "field", .width = 12 },
	{ .name = "attempts", .width = 8, .right = true },
	{ .name = "redrives", .width = 8, .right = true },
	{ .name = "records", .width = 7, .right = true },
	{ .name = "size_bytes", .width = 10, .right = true },
	{ .name = "dead_at", .width = 20 },
	{ .name = "correlation_id" },
};

static void put_span(struct report *r, const char *name, struct span text)
{
	text = letter_cut(text);
	report_bytes_as_text(r, name, text.p, text.n);
}

static void put_row(struct report *r, const struct batch *b, const struct ended *e,
    const struct route *route)
{
	struct stored_error first = { .code = { 0 } };
	char id[UUID_TEXT_LEN + 1];

	uuid_format(&b->batch_id, id);
	letter_first_error(e, &first);
	report_row(r);
	report_text(r, NULL, id);
	report_text(r, NULL, route_settings(route)->name);
	report_text(r, NULL, letter_kind(b, e));
	report_text(r, NULL, letter_code(e));
	put_span(r, NULL, first.code);
	put_span(r, NULL, first.field_name);
	report_number(r, NULL, b->attempt);
	report_number(r, NULL, b->redrives);
	report_number(r, NULL, (int64_t)b->record_count);
	report_size(r, NULL, b->payload_bytes);
	report_time(r, NULL, e->ended_at_us);
	report_bytes_as_text(r, NULL, b->correlation, b->correlation_len);
	report_close(r);
}

static bool on_listed(void *arg, const struct batch_view *v)
{
	struct list *l = arg;

	if (l->listed == l->limit) {
		l->more = true;
		return false;
	}
	put_row(&l->job->report, v->batch, v->end, v->route);
	l->listed++;
	return ++l->page < LISTED_PER_STEP;
}

static bool begin_list(struct admin_job *job)
{
	struct list *l = job_state(job, sizeof(*l));

	l->job = job;
	l->limit = LIMIT_DEFAULT;
	if (!selection_take(job, 1u << BATCH_DEAD, &l->selection) ||
	    !job_number(job, "--limit", LIMIT_MAX, &l->limit))
		return false;
	report_table(&job->report, "letters", list_columns,
		     sizeof(list_columns) / sizeof(list_columns[0]));
	return true;
}

bool cmd_dead_list(struct admin_job *job)
{
	struct list *l = job->state;
	char text[128];

	if (l == NULL)
		return begin_list(job);
	l->page = 0;
	core_select(job->admin->core, &l->selection, &l->cursor, ROWS_PER_STEP, on_listed, l);
	if (!l->cursor.done && !l->more)
		return true;
	report_close(&job->report);
	if (job->report.json) {
		report_bool(&job->report, "more", l->more);
	} else if (l->more) {
		snprintf(text, sizeof(text), "there are more than these %" PRIu64
			 ": --limit NUMBER lists more, dead group counts them", l->limit);
		report_sentence(&job->report, text);
	}
	if (l->listed == 0)
		job->code = ADMIN_NOTHING;
	return false;
}

/* --- dead group ------------------------------------------------------------------------------- */

#define GROUPS_MAX 200			/* their report fits into one step; others are counted as one */
#define GROUP_TEXT_MAX 63		/* a longer code or field goes by its beginning */

struct group {
	const struct route *route;	/* NULL: not by route */
	char code[GROUP_TEXT_MAX + 1], field[GROUP_TEXT_MAX + 1];
	uint64_t count, bytes;
	int64_t oldest_us, newest_us;	/* when they died */
};

struct grouping {
	struct selection selection;
	struct selection_cursor cursor;
	bool by_code, by_field, by_route;
	struct group groups[GROUPS_MAX];
	struct group others;
	size_t count;
};

static bool take_by(struct admin_job *job, struct grouping *g)
{
	const char *text = job_option(job, "--by");

	g->by_code = g->by_field = g->by_route = text == NULL;
	while (text != NULL && *text != '\0') {
		const size_t n = strcspn(text, ",");

		if (n == 4 && memcmp(text, "code", n) == 0)
			g->by_code = true;
		else if (n == 5 && memcmp(text, "field", n) == 0)
			g->by_field = true;
		else if (n == 5 && memcmp(text, "route", n) == 0)
			g->by_route = true;
		else
			return job_fail(job, ADMIN_USAGE, "--by takes code, field and route, with "
					"commas between them");
		text += n + (text[n] == ',');
	}
	return true;
}

static void keep(char out[GROUP_TEXT_MAX + 1], struct span text)
{
	const size_t n = text.n < GROUP_TEXT_MAX ? text.n : GROUP_TEXT_MAX;

	if (text.p != NULL)
		memcpy(out, text.p, n);
	out[text.p != NULL ? n : 0] = '\0';
}

/* By what the target says, where it says something: that is what tells letters apart. */
static void describe(const struct grouping *g, const struct batch_view *v, struct group *out)
{
	struct stored_error first = { .code = { 0 } };
	const char *code = letter_code(v->end);

	*out = (struct group){ .route = g->by_route ? v->route : NULL };
	letter_first_error(v->end, &first);
	if (g->by_code)
		keep(out->code, first.code.p != NULL ? first.code : span_of(code != NULL ? code :
									    ""));
	if (g->by_field)
		keep(out->field, first.field_name);
}

static struct group *group_of(struct grouping *g, const struct group *like)
{
	for (size_t i = 0; i < g->count; i++) {
		struct group *found = &g->groups[i];

		if (found->route == like->route && strcmp(found->code, like->code) == 0 &&
		    strcmp(found->field, like->field) == 0)
			return found;
	}
	if (g->count == GROUPS_MAX)
		return &g->others;
	g->groups[g->count] = *like;
	return &g->groups[g->count++];
}

static bool on_grouped(void *arg, const struct batch_view *v)
{
	struct grouping *g = arg;
	const int64_t at_us = v->end->ended_at_us;
	struct group like, *group;

	describe(g, v, &like);
	group = group_of(g, &like);
	if (group->count == 0 || at_us < group->oldest_us)
		group->oldest_us = at_us;
	if (group->count == 0 || at_us > group->newest_us)
		group->newest_us = at_us;
	group->count++;
	group->bytes += v->batch->payload_bytes;
	return true;
}

static int by_count(const void *a, const void *b)
{
	const struct group *left = a, *right = b;

	return (left->count < right->count) - (left->count > right->count);
}

static const struct report_column group_columns[] = {
	{ .name = "count", .width = 8, .right = true },
	{ .name = "code", .width = 20 },
	{ .name = "field", .width = 20 },
	{ .name = "route", .width = 12 },
	{ .name = "size_bytes", .width = 10, .right = true },
	{ .name = "oldest_at", .width = 20 },
	{ .name = "newest_at" },
};

static void put_group(struct report *r, const struct group *g, bool others)
{
	report_row(r);
	report_number(r, NULL, (int64_t)g->count);
	report_text(r, NULL, others ? "(others)" : *g->code != '\0' ? g->code : NULL);
	report_text(r, NULL, *g->field != '\0' ? g->field : NULL);
	report_text(r, NULL, g->route != NULL ? route_settings(g->route)->name : NULL);
	report_size(r, NULL, (int64_t)g->bytes);
	report_time(r, NULL, g->oldest_us);
	report_time(r, NULL, g->newest_us);
	report_close(r);
}

bool cmd_dead_group(struct admin_job *job)
{
	struct grouping *g = job->state;

	if (g == NULL) {
		g = job_state(job, sizeof(*g));
		return selection_take(job, 1u << BATCH_DEAD, &g->selection) && take_by(job, g);
	}
	core_select(job->admin->core, &g->selection, &g->cursor, ROWS_PER_STEP, on_grouped, g);
	if (!g->cursor.done)
		return true;
	qsort(g->groups, g->count, sizeof(g->groups[0]), by_count);
	report_table(&job->report, "groups", group_columns,
		     sizeof(group_columns) / sizeof(group_columns[0]));
	for (size_t i = 0; i < g->count; i++)
		put_group(&job->report, &g->groups[i], false);
	if (g->others.count > 0)
		put_group(&job->report, &g->others, true);
	if (g->count == 0)
		job->code = ADMIN_NOTHING;
	return false;
}
