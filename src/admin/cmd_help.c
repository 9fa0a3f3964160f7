/* cmd_help.c - help, version: what can be asked, and of whom; what an error code means */
#include <string.h>

#include "admin/look.h"
#include "base/version.h"

static const struct report_column columns[] = {
	{ .name = "command", .width = 34 },
	{ .name = "role", .width = 6 },
	{ .name = "help" },
};

static const char *role_name(const struct command *c)
{
	return c->role != ROLE_CHANGE ? "look" : c->reads_without_arguments ? "either" : "change";
}

/* What completes a command line: words, one command a line. */
static void list_words(struct admin_job *job)
{
	const struct command_table *t = job->admin->commands;

	if (job->report.json)
		report_list(&job->report, "commands");
	for (size_t i = 0; i < t->count; i++) {
		if (job->report.json)
			report_text(&job->report, NULL, t->rows[i].words);
		else
			report_sentence(&job->report, t->rows[i].words);
	}
	if (job->report.json)
		report_close(&job->report);
}

bool cmd_help(struct admin_job *job)
{
	const struct command_table *t = job->admin->commands;
	/* The words are the request's, and are not changed. */
	char **words = (char **)job->arguments;
	size_t shown = 0;

	if (job_option(job, "--words") != NULL) {
		list_words(job);
		return false;
	}
	if (job->argument_count == 1 && advice_code(words[0]) != INT_NONE) {
		advice_put(&job->report, advice_code(words[0]));
		return false;
	}
	for (size_t i = 0; i < t->count; i++)
		shown += command_begins_with(&t->rows[i], words, job->argument_count);
	if (shown == 0) {
		char why[1024];
		size_t used;

		if (command_find(t, words, job->argument_count, &used, why, sizeof(why)) == NULL)
			return job_fail(job, ADMIN_NOTHING, "%s", why);
		return job_fail(job, ADMIN_NOTHING, "there is no such command: help lists all");
	}
	report_table(&job->report, "commands", columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < t->count; i++) {
		char synopsis[SYNOPSIS_BYTES];

		if (!command_begins_with(&t->rows[i], words, job->argument_count))
			continue;
		command_synopsis(&t->rows[i], synopsis);
		report_row(&job->report);
		report_text(&job->report, NULL, synopsis);
		report_text(&job->report, NULL, role_name(&t->rows[i]));
		report_text(&job->report, NULL, t->rows[i].help);
		report_close(&job->report);
	}
	return false;
}

bool cmd_version(struct admin_job *job)
{
	report_text(&job->report, "version", HANDOFF_VERSION);
	return false;
}
