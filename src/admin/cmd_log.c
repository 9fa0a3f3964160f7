/* cmd_log.c - log-level: what is logged, from now on */
#include "admin/internal.h"
#include "base/log.h"

bool cmd_log_level(struct admin_job *job)
{
	const char *word = job->arguments[0];
	enum log_level level;

	if (word != NULL && !log_level_parse(word, &level))
		return job_fail(job, ADMIN_USAGE, "the level is error, warning, info or debug");
	if (word != NULL)
		log_level_set(level);
	report_text(&job->report, "log_level", log_level_name(log_level_get()));
	return false;
}
