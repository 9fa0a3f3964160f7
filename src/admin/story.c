/* story.c - the lines of a batch's journal, and the errors of its target */
#include "admin/story.h"

#include <stdio.h>

#include "base/datetime.h"

static const struct report_column line_columns[] = {
	{ .name = "at", .width = 23 },
	{ .name = "event", .width = 16 },
	{ .name = "instance", .width = 14 },
	{ .name = "attempt", .width = 7, .right = true },
	{ .name = "lease", .width = 6, .right = true },
	{ .name = "code", .width = 16 },
	{ .name = "wait_ms", .width = 9, .right = true },
	{ .name = "text" },
};

static const struct report_column error_columns[] = {
	{ .name = "code", .width = 18 },
	{ .name = "severity", .width = 8 },
	{ .name = "recoverability", .width = 14 },
	{ .name = "scope", .width = 6 },
	{ .name = "record_id", .width = 16 },
	{ .name = "field", .width = 12 },
	{ .name = "expected", .width = 12 },
	{ .name = "actual", .width = 12 },
	{ .name = "message" },
};

/* For people, a sentence a line: who did what, with which attempt, and what that led to. */
static void say_line(struct report *r, struct core *core, const struct journal_line *l,
    const char *event)
{
	char when[DATETIME_TEXT_LEN + 1], who[INSTANCE_NAME_MAX] = "", wait[64] = "", code[64] = "";
	char attempt[64] = "", text[1024];

	datetime_format(l->at_us, when);
	if (l->instance != 0)
		core_instance_name(core, l->instance, who, sizeof(who));
	if (l->attempt != 0)
		snprintf(attempt, sizeof(attempt), "%sattempt %u, lease %llu", *who ? ", " : "",
			 l->attempt, (unsigned long long)l->lease);
	if (l->code != INT_NONE && l->code < ERROR_CODE_COUNT)
		snprintf(code, sizeof(code), ", %s", error_code_info(l->code)->name);
	if (l->delay_ms != 0)
		report_write_duration((int64_t)l->delay_ms, wait, sizeof(wait));
	snprintf(text, sizeof(text), "%.10s %.12s  %-14s %s%s%s%s%s%s%.*s", when, when + 11, event,
		 who, attempt, code, *wait ? ", then waits " : "", wait,
		 l->text_len > 0 ? ": " : "", (int)l->text_len, l->text);
	report_text(r, NULL, text);
}

void story_begin(struct report *r, const char *name)
{
	if (r->json)
		report_table(r, name, line_columns, sizeof(line_columns) / sizeof(line_columns[0]));
	else
		report_list(r, name);
}

void story_line(struct report *r, struct core *core, const struct journal_line *l,
    const char *event)
{
	if (!r->json) {
		say_line(r, core, l, event);
		return;
	}
	report_row(r);
	look_time(r, NULL, l->at_us);
	report_text(r, NULL, event);
	look_instance(r, NULL, core, l->instance);
	if (l->attempt != 0)
		report_number(r, NULL, l->attempt);
	else
		report_none(r, NULL);
	if (l->lease != 0)
		report_number(r, NULL, (int64_t)l->lease);
	else
		report_none(r, NULL);
	look_code(r, NULL, l->code);
	if (l->delay_ms != 0)
		report_duration(r, NULL, (int64_t)l->delay_ms);
	else
		report_none(r, NULL);
	report_bytes_as_text(r, NULL, l->text_len > 0 ? l->text : NULL, l->text_len);
	report_close(r);
}

void story_errors_begin(struct report *r)
{
	report_table(r, "errors", error_columns, sizeof(error_columns) / sizeof(error_columns[0]));
}

void story_error(struct report *r, const struct stored_error *e)
{
	report_row(r);
	look_text(r, NULL, e->code);
	look_text(r, NULL, e->severity);
	look_text(r, NULL, e->recoverability);
	look_text(r, NULL, e->scope);
	look_text(r, NULL, e->record_id);
	look_text(r, NULL, e->field_name);
	look_text(r, NULL, e->expected_value);
	look_text(r, NULL, e->actual_value);
	look_text(r, NULL, e->message);
	report_close(r);
}
