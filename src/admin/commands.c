/*
 * commands.c - the table of all commands: a new one is a row here, a function, and its words in
 * handoffctl(8), in the same order
 */
#include <stdio.h>
#include <string.h>

#include "admin/change.h"
#include "base/nearest.h"

static const struct command commands[] = {
	{ .words = "audit", .role = ROLE_LOOK, .step = cmd_audit, .options = "--quick",
	  .help = "is every batch accounted for: the counters' equations, and a walk of the store" },
	{ .words = "batches", .role = ROLE_LOOK, .step = cmd_batches,
	  .options = SELECTION_BATCHES " --code CODE --limit N",
	  .help = "list batches in custody and dead letters" },
	{ .words = "circuits", .role = ROLE_LOOK, .step = cmd_circuits,
	  .help = "list the circuits: what has failed, and when it is tried again" },
	{ .words = "circuits close", .role = ROLE_CHANGE, .step = cmd_circuits_close,
	  .arguments = "CIRCUIT", .help = "close a circuit, whatever has opened it" },
	{ .words = "circuits open", .role = ROLE_CHANGE, .step = cmd_circuits_open,
	  .arguments = "CIRCUIT", .help = "open a circuit until it is closed by hand: its target is left alone" },
	{ .words = "clients", .role = ROLE_LOOK, .step = cmd_clients, .options = "--all",
	  .help = "list the instances that are connected, or all that are remembered" },
	{ .words = "confirmations", .role = ROLE_LOOK, .step = cmd_confirmations,
	  .options = "--route NAME --state STATE",
	  .help = "list batches whose confirmation is awaited or ambiguous" },
	{ .words = "confirmations settle", .role = ROLE_CHANGE, .step = cmd_confirmations_settle,
	  .arguments = "ID", .options = "--route NAME",
	  .help = "end the wait for a batch's confirmation: it was reconciled by hand" },
	{ .words = "dead export", .role = ROLE_CHANGE, .step = cmd_dead_export,
	  .arguments = "[ID]...", .options = SELECTION_LETTERS " --all --output FILE",
	  .help = "write dead letters, one JSON object a line" },
	{ .words = "dead group", .role = ROLE_LOOK, .step = cmd_dead_group,
	  .options = SELECTION_LETTERS " --by WORDS",
	  .help = "count dead letters by code, field, route" },
	{ .words = "dead import", .role = ROLE_CHANGE, .quiet = true, .step = cmd_dead_import,
	  .arguments = "[FILE]", .help = "take the dead letters of an export" },
	{ .words = "dead import-done", .role = ROLE_CHANGE, .step = cmd_dead_import_done,
	  .help = "no more letters come (handoffctl dead import FILE)" },
	{ .words = "dead import-end", .role = ROLE_CHANGE, .step = cmd_dead_import_end,
	  .options = IMPORT_OPTIONS,
	  .help = "the parts make a dead letter (handoffctl dead import FILE)" },
	{ .words = "dead import-part", .role = ROLE_CHANGE, .quiet = true,
	  .step = cmd_dead_import_part,
	  .arguments = "BASE64", .options = "--errors",
	  .help = "a part of a dead letter (handoffctl dead import FILE)" },
	{ .words = "dead list", .role = ROLE_LOOK, .step = cmd_dead_list,
	  .options = SELECTION_LETTERS " --all --limit NUMBER",
	  .help = "list dead letters" },
	{ .words = "dead purge", .role = ROLE_CHANGE, .step = cmd_dead_purge,
	  .arguments = OPERATION_ARGUMENTS,
	  .options = SELECTION_LETTERS " " OPERATION_OPTIONS,
	  .help = "forget dead letters for ever" },
	{ .words = "dead redrive", .role = ROLE_CHANGE, .step = cmd_dead_redrive,
	  .arguments = OPERATION_ARGUMENTS,
	  .options = SELECTION_LETTERS " " OPERATION_OPTIONS,
	  .help = "try dead letters again" },
	{ .words = "dead show", .role = ROLE_LOOK, .step = cmd_dead_show,
	  .arguments = "ID", .options = "--route NAME --records",
	  .help = "show all there is to know of a dead letter" },
	{ .words = "drain", .role = ROLE_CHANGE, .step = cmd_drain, .options = "--off --progress",
	  .help = "deliver nothing more, and wait until nothing is out" },
	{ .words = "explain", .role = ROLE_LOOK, .step = cmd_explain, .arguments = "ID",
	  .options = "--record --route NAME",
	  .help = "tell a batch's story: what happened, what it waits for, what can be done" },
	{ .words = "health", .role = ROLE_LOOK, .step = cmd_health,
	  .help = "judge the pipeline: status 0 HEALTHY, 1 DEGRADED, 2 UNHEALTHY, and why" },
	{ .words = "help", .role = ROLE_LOOK, .step = cmd_help,
	  .arguments = "[WORD]...", .options = "--words",
	  .help = "list the commands, or those that begin with these words" },
	{ .words = "hold", .role = ROLE_CHANGE, .step = cmd_hold,
	  .arguments = OPERATION_ARGUMENTS,
	  .options = SELECTION_BATCHES " " OPERATION_OPTIONS,
	  .help = "hold batches back: they are not delivered until released" },
	{ .words = "journal", .role = ROLE_LOOK, .step = cmd_journal, .options = "--limit N",
	  .help = "list what persons did, the newest first" },
	{ .words = "kick", .role = ROLE_CHANGE, .step = cmd_kick, .arguments = "MODULE/INSTANCE",
	  .help = "end an instance's connection, at no cost to what it holds" },
	{ .words = "limits", .role = ROLE_LOOK, .step = cmd_limits,
	  .help = "list all limits, from the configuration and fixed ones" },
	{ .words = "log-level", .role = ROLE_CHANGE, .reads_without_arguments = true,
	  .step = cmd_log_level, .arguments = "[LEVEL]",
	  .help = "show or change what is logged: error, warning, info, debug" },
	{ .words = "pause", .role = ROLE_CHANGE, .step = cmd_pause, .arguments = "ROUTE",
	  .help = "stop the deliveries of a route" },
	{ .words = "release", .role = ROLE_CHANGE, .step = cmd_release,
	  .arguments = OPERATION_ARGUMENTS,
	  .options = SELECTION_BATCHES " " OPERATION_OPTIONS,
	  .help = "deliver what is held again" },
	{ .words = "resume", .role = ROLE_CHANGE, .step = cmd_resume, .arguments = "ROUTE",
	  .help = "go on with the deliveries of a paused route" },
	{ .words = "retry", .role = ROLE_CHANGE, .step = cmd_retry,
	  .arguments = OPERATION_ARGUMENTS,
	  .options = SELECTION_BATCHES " " OPERATION_OPTIONS,
	  .help = "let batches that wait for another attempt have it now" },
	{ .words = "routes", .role = ROLE_LOOK, .step = cmd_routes, .arguments = "[NAME]",
	  .help = "list the routes, or tell all about one" },
	{ .words = "shape", .role = ROLE_LOOK, .step = cmd_shape, .options = "--by WHAT",
	  .help = "show the age of all that waits, by reason, code, source or target" },
	{ .words = "status", .role = ROLE_LOOK, .step = cmd_status,
	  .help = "show how the broker does, and what is wrong" },
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
	else if (wrong != NULL)
		at = append(why, size, at, ".", "", "");
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
