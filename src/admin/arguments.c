/* arguments.c - what follows a command's words, checked against its row of the table */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/selection.h"

/* The next word of a row's list; *len 0 at the end. Moves *at behind it. */
static const char *next_word(const char **at, size_t *len)
{
	const char *word = *at;

	*len = strcspn(word, " ");
	*at = word + *len;
	*at += strspn(*at, " ");
	return word;
}

/* The place of option `name`[len] in the row, -1: none. */
static int option_find(const struct command *c, const char *name, size_t len, bool *takes_value)
{
	const char *at = c->options != NULL ? c->options : "";
	int place = 0;
	size_t n;

	for (const char *word = next_word(&at, &n); n > 0; word = next_word(&at, &n)) {
		*takes_value = *at != '\0' && *at != '-';
		if (n == len && memcmp(word, name, n) == 0)
			return place;
		if (*takes_value)
			(void)next_word(&at, &n);
		place++;
	}
	return -1;
}

/* "--name", "--name VALUE" or "--name=VALUE"; how many words it took, 0: a fault. */
static size_t take_option(struct admin_job *job, char *const words[], size_t count, char *why,
    size_t size)
{
	const size_t len = strcspn(words[0], "=");
	const bool joined = words[0][len] == '=';
	bool takes_value;
	const int place = option_find(job->command, words[0], len, &takes_value);
	char synopsis[SYNOPSIS_BYTES];

	if (place < 0) {
		command_synopsis(job->command, synopsis);
		snprintf(why, size, "there is no option \"%.40s\": %s", words[0], synopsis);
	} else if (job->options[place] != NULL) {
		snprintf(why, size, "%.*s stands twice", (int)len, words[0]);
	} else if (!takes_value && joined) {
		snprintf(why, size, "%.*s takes no value", (int)len, words[0]);
	} else if (takes_value && !joined && count < 2) {
		snprintf(why, size, "%s needs a value", words[0]);
	} else {
		job->options[place] = !takes_value ? "" : joined ? words[0] + len + 1 : words[1];
		return takes_value && !joined ? 2 : 1;
	}
	return 0;
}

static bool check_count(const struct admin_job *job, char *why, size_t size)
{
	const char *at = job->command->arguments != NULL ? job->command->arguments : "";
	size_t least = 0, most = 0, n;
	char synopsis[SYNOPSIS_BYTES];

	for (const char *word = next_word(&at, &n); n > 0; word = next_word(&at, &n)) {
		least += *word != '[';
		most = n > 3 && memcmp(word + n - 3, "...", 3) == 0 ? ADMIN_WORDS_MAX : most + 1;
	}
	if (job->argument_count >= least && job->argument_count <= most)
		return true;
	command_synopsis(job->command, synopsis);
	snprintf(why, size, "%s: %s", job->argument_count < least ? "something is missing" :
		 "there is too much", synopsis);
	return false;
}

bool arguments_take(struct admin_job *job, size_t used, char *why, size_t size)
{
	char *const *words = job->request.words + used;
	size_t count = job->request.count - used;
	bool options = true;

	while (count > 0) {
		size_t n = 1;

		if (options && strcmp(words[0], "--") == 0)
			options = false;
		else if (options && strncmp(words[0], "--", 2) == 0)
			n = take_option(job, words, count, why, size);
		else
			job->arguments[job->argument_count++] = words[0];
		if (n == 0)
			return false;
		words += n;
		count -= n;
	}
	return check_count(job, why, size);
}

const char *job_option(const struct admin_job *job, const char *name)
{
	bool ignored;
	const int place = option_find(job->command, name, strlen(name), &ignored);

	return place < 0 ? NULL : job->options[place];
}

bool job_number(struct admin_job *job, const char *option, uint64_t max, uint64_t *value)
{
	const char *text = job_option(job, option);

	if (text == NULL || number_parse(text, max, value))
		return true;
	return job_fail(job, ADMIN_USAGE, "%s is a number from 1 to %" PRIu64, option, max);
}
