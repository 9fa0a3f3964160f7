/*
 * commands.c - the table of all commands: a new one is a row here, a function, and its words in
 * handoffctl(8), in the same order
 */
#include <stdio.h>
#include <string.h>

#include "admin/internal.h"
#include "base/nearest.h"

static const struct command commands[] = {
	{ .words = "help", .role = ROLE_LOOK, .step = cmd_help,
	  .arguments = "[WORD]...", .options = "--words",
	  .help = "list the commands, or those that begin with these words" },
	{ .words = "limits", .role = ROLE_LOOK, .step = cmd_limits, .state_size = sizeof(size_t),
	  .help = "list all limits, from the configuration and fixed ones" },
	{ .words = "log-level", .role = ROLE_CHANGE, .reads_without_arguments = true,
	  .step = cmd_log_level, .arguments = "[LEVEL]",
	  .help = "show or change what is logged: error, warning, info, debug" },
	{ .words = "version", .role = ROLE_LOOK, .step = cmd_version,
	  .help = "show the version of the broker" },
};

const struct command_table admin_commands = {
	commands, sizeof(commands) / sizeof(commands[0])
};

/* Word `n` of a list of words with a space between; its length, 0 when there are fewer. */
static size_t word_at(const char *words, size_t n, const char **word)
{
	while (n-- > 0) {
		words += strcspn(words, " ");
		words += strspn(words, " ");
	}
	*word = words;
	return strcspn(words, " ");
}

size_t command_word_count(const struct command *c)
{
	const char *ignored;
	size_t n = 0;

	while (word_at(c->words, n, &ignored) > 0)
		n++;
	return n;
}

bool command_begins_with(const struct command *c, char *const words[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *word;
		size_t len = word_at(c->words, i, &word);

		if (len == 0 || strlen(words[i]) != len || memcmp(words[i], word, len) != 0)
			return false;
	}
	return true;
}

/* The different words that may follow the first `count`; returns how many. */
static size_t list_next(const struct command_table *t, char *const words[], size_t count,
    char next[][WORD_BYTES], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < t->count && n < max; i++) {
		const char *word;
		size_t len;

		if (!command_begins_with(&t->rows[i], words, count))
			continue;
		len = word_at(t->rows[i].words, count, &word);
		if (len == 0 || (n > 0 && strlen(next[n - 1]) == len &&
		    memcmp(next[n - 1], word, len) == 0))
			continue;
		snprintf(next[n++], WORD_BYTES, "%.*s", (int)len, word);
	}
	return n;
}

static size_t append(char *out, size_t size, size_t at, const char *a, const char *b, const char *c)
{
	int n = at < size ? snprintf(out + at, size - at, "%s%s%s", a, b, c) : 0;

	return at + (n > 0 ? (size_t)n : 0);
}

/* `count` words are known, the one behind them is not, or there is none. */
static void say_next(const struct command_table *t, char *const words[], size_t count,
    const char *wrong, char *why, size_t size)
{
	enum { NEXT_MAX = 64, SHOWN_MAX = 40 };
	char next[NEXT_MAX][WORD_BYTES], shown[SHOWN_MAX + 1];
	const char *names[NEXT_MAX], *nearest = NULL;
	size_t n = list_next(t, words, count, next, NEXT_MAX), at;

	for (size_t i = 0; i < n; i++)
		names[i] = next[i];
	if (wrong != NULL) {
		nearest = nearest_word(wrong, names, n);
		snprintf(shown, sizeof(shown), "%s", wrong);
		at = append(why, size, 0, "there is no command \"", shown, "\"");
	} else {
		at = append(why, size, 0, count > 0 ? "the command is not complete" :
			    "there is no command in the request", "", "");
	}
	for (size_t i = 0; i < count; i++)
		at = append(why, size, at, i > 0 ? " " : wrong ? " after \"" : ": behind \"",
			    words[i], i + 1 == count ? "\"" : "");
	if (nearest != NULL)
		at = append(why, size, at, ", did you mean \"", nearest, "\"?");
	at = append(why, size, at, wrong != NULL ? " There is: " : count > 0 ? " comes: " : ": ", "",
		    "");
	for (size_t i = 0; i < n; i++)
		at = append(why, size, at, i > 0 ? ", " : "", next[i], "");
}

const struct command *command_find(const struct command_table *t, char *const words[],
    size_t count, size_t *used, char *why, size_t size)
{
	const struct command *found = NULL;
	size_t known = 0;

	*used = 0;
	for (size_t i = 0; i < t->count; i++) {
		size_t n = command_word_count(&t->rows[i]);

		if (n <= count && n > *used && command_begins_with(&t->rows[i], words, n)) {
			found = &t->rows[i];
			*used = n;
		}
		while (known < count && command_begins_with(&t->rows[i], words, known + 1))
			known++;
	}
	if (found == NULL)
		say_next(t, words, known, known < count ? words[known] : NULL, why, size);
	return found;
}

void command_synopsis(const struct command *c, char out[SYNOPSIS_BYTES])
{
	const char *options = c->options != NULL ? c->options : "", *word;
	size_t at = append(out, SYNOPSIS_BYTES, 0, c->words, "", ""), len;

	for (size_t i = 0; (len = word_at(options, i, &word)) > 0; i++) {
		const char *value;
		char name[WORD_BYTES];
		size_t value_len = word_at(options, i + 1, &value);

		if (value_len > 0 && *value != '-') {
			len = (size_t)(value - word) + value_len;
			i++;
		}
		snprintf(name, sizeof(name), "%.*s", (int)len, word);
		at = append(out, SYNOPSIS_BYTES, at, " [", name, "]");
	}
	if (c->arguments != NULL)
		append(out, SYNOPSIS_BYTES, at, " ", c->arguments, "");
}
