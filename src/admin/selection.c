/* selection.c - a selection from a command's options: names checked, times read */
#include "admin/selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"

bool number_parse(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return false;
	}
	*value = n;
	return n > 0;
}

#define DURATION_MS_MAX (100ull * 365 * 86400000)

bool duration_parse(const char *text, uint64_t *ms)
{
	static const struct { const char *name; uint64_t worth; } units[] = {
		{ "ms", 1 }, { "", 1000 }, { "s", 1000 }, { "m", 60000 }, { "min", 60000 },
		{ "h", 3600000 }, { "d", 86400000 },
	};
	const size_t len = strspn(text, "0123456789");
	char digits[24];

	if (len == 0 || len >= sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + len, units[i].name) != 0)
			continue;
		if (!number_parse(digits, DURATION_MS_MAX / units[i].worth, ms))
			return false;
		*ms *= units[i].worth;
		return true;
	}
	return false;
}

/* --- names ------------------------------------------------------------------------------------ */

const struct route *selection_route(struct admin_job *job, const char *name)
{
	struct core *core = job->admin->core;
	const struct route *r = core_route_by_name(core, span_of(name));
	const char *names[256], *nearest;
	size_t n = 0;

	if (r != NULL)
		return r;
	for (; n < core_route_count(core) && n < sizeof(names) / sizeof(names[0]); n++)
		names[n] = route_settings(core_route(core, n))->name;
	nearest = nearest_word(name, names, n);
	job_fail(job, ADMIN_USAGE, "there is no route \"%.64s\"%s%s%s", name,
		 nearest != NULL ? ", did you mean \"" : "", nearest != NULL ? nearest : "",
		 nearest != NULL ? "\"?" : "");
	return NULL;
}

static bool take_route(struct admin_job *job, struct selection *s)
{
	const char *name = job_option(job, "--route");

	if (name != NULL)
		s->route = selection_route(job, name);
	return name == NULL || s->route != NULL;
}

static bool take_state(struct admin_job *job, unsigned states, struct selection *s)
{
	const char *name = job_option(job, "--state");

	s->states = states;
	if (name == NULL)
		return true;
	for (int i = BATCH_READY; i <= BATCH_DEAD; i++) {
		if (strcasecmp(name, batch_state_name((enum batch_state)i)) != 0)
			continue;
		s->states = 1u << i;
		if (states == 0 || (states & s->states) != 0)
			return true;
	}
	return job_fail(job, ADMIN_USAGE, "--state is READY, ASSIGNED, WAITING or DEAD, as far as "
			"the command is about such batches");
}

static bool take_reason(struct admin_job *job, struct selection *s)
{
	const char *name = job_option(job, "--reason-code"), *names[REASON_COUNT], *nearest;
	size_t n = 0;

	if (name == NULL)
		return true;
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		if (strcasecmp(name, reason_name((enum reason)i)) == 0) {
			s->reason = (enum reason)i;
			return true;
		}
		names[n++] = reason_name((enum reason)i);
	}
	nearest = nearest_word(name, names, n);
	return job_fail(job, ADMIN_USAGE, "there is no reason \"%.40s\"%s%s: handoffctl(8) lists "
			"them", name, nearest != NULL ? ", did you mean " : "",
			nearest != NULL ? nearest : "");
}

static bool take_time(struct admin_job *job, const char *option, uint64_t *ms)
{
	const char *text = job_option(job, option);

	if (text == NULL || duration_parse(text, ms))
		return true;
	return job_fail(job, ADMIN_USAGE, "%s takes a time as 90s, 15min, 2h or 7d", option);
}

bool selection_take(struct admin_job *job, unsigned states, struct selection *s)
{
	*s = (struct selection){
		.held = job_option(job, "--held") != NULL,
		.suspect = job_option(job, "--suspect") != NULL,
		.code = job_option(job, "--code"),
		.field = job_option(job, "--field"),
		.instance = job_option(job, "--instance"),
		.holder = job_option(job, "--holder"),
		.correlation = job_option(job, "--correlation"),
		.derived = job_option(job, "--derived") != NULL,
		.whole = job_option(job, "--whole") != NULL,
	};
	if (s->derived && s->whole)
		return job_fail(job, ADMIN_USAGE, "--derived and --whole exclude each other: no "
				"letter is both");
	return take_route(job, s) && take_state(job, states, s) && take_reason(job, s) &&
	    take_time(job, "--older", &s->older_ms) && take_time(job, "--younger", &s->younger_ms);
}

bool selection_is_given(const struct admin_job *job)
{
	static const char *const options[] = {
		"--route", "--instance", "--correlation", "--older", "--younger", "--code",
		"--field", "--derived", "--whole", "--state", "--held", "--suspect",
		"--reason-code", "--holder",
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (job_option(job, options[i]) != NULL)
			return true;
	return false;
}
