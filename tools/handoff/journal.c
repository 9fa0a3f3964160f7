/*
 * journal.c - what handoff send has sent of its input, so that it can be killed and run again
 *
 * The broker recognises a batch that is sent again by its id, and by its bytes being the same. So
 * what a batch is, its id, which bytes of the input, is settled on the disk before it is sent:
 *
 *	handoff-journal 1
 *	run 0192…				then: module, target, instance, id-field, wait
 *	batch ID START END LINES RECORDS SEQUENCE SHA256
 *	received 0				the first batch, and so on
 *	processed 0				with --wait processed; or rejected
 *
 * The next run reads the input from its beginning: the bytes of a batch that is RECEIVED are only
 * compared (SHA-256) and skipped, those of another are sent again under the same id, and what
 * follows is new. Losing a `received` line costs a repeat, which the broker answers as such.
 */
#include "tools/handoff/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/handoff/command.h"
#include "tools/handoff/report.h"

#define FIRST_LINE "handoff-journal 1"

static const char *const state_names[] = {
	[JOURNAL_RECEIVED] = "received",
	[JOURNAL_PROCESSED] = "processed",
	[JOURNAL_REJECTED] = "rejected",
};

/* --- batches --------------------------------------------------------------------------------- */

static bool append(struct journal *j, const struct journal_batch *b)
{
	if (j->count == j->room) {
		const size_t room = j->room > 0 ? j->room * 2 : 64;
		void *grown = realloc(j->batches, room * sizeof(*j->batches));

		if (grown == NULL) {
			complain("out of memory");
			return false;
		}
		j->batches = grown;
		j->room = room;
	}
	j->batches[j->count++] = *b;
	return true;
}

bool journal_add(struct journal *j, const struct journal_batch *b)
{
	char hex[SHA256_HEX_LEN + 1];

	hex_format(b->sha256, SHA256_BYTES, hex);
	ledger_add(&j->ledger,
		   "batch %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s", b->id,
		   b->start, b->end, b->lines, b->records, b->sequence_number, hex);
	return append(j, b);
}

bool journal_sync(struct journal *j)
{
	return ledger_sync(&j->ledger);
}

bool journal_mark(struct journal *j, size_t index, enum journal_state state)
{
	if (j->batches[index].state >= state)
		return true;
	j->batches[index].state = state;
	ledger_add(&j->ledger, "%s %zu", state_names[state], index);
	return ledger_write(&j->ledger);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_batch(struct journal *j, const char *rest)
{
	struct journal_batch b = { 0 };
	const uint64_t expected = j->count > 0 ? j->batches[j->count - 1].end : 0;
	char hex[SHA256_HEX_LEN + 1];

	if (sscanf(rest, "%36s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %64s", b.id,
		   &b.start, &b.end, &b.lines, &b.records, &b.sequence_number, hex) != 7)
		return false;
	return b.start == expected && b.end > b.start &&
	    hex_parse(hex, strlen(hex), b.sha256, SHA256_BYTES) && append(j, &b);
}

static bool read_state(struct journal *j, enum journal_state state, const char *rest)
{
	size_t index;

	if (sscanf(rest, "%zu", &index) != 1 || index >= j->count)
		return false;
	if (j->batches[index].state < state)
		j->batches[index].state = state;
	return true;
}

/* A setting of the run that began the journal: this one's must be the same. */
static bool check_setting(const char *path, const char *name, const char *was, const char *is)
{
	if (strcmp(was, is) == 0)
		return true;
	complain("%s was begun with %s \"%s\", this run says \"%s\": give another --journal, or the same "
		 "options", path, name, was, is);
	return false;
}

/* The text behind `word` and a blank; NULL when the line does not begin so. */
static const char *behind(const char *line, const char *word)
{
	const size_t n = strlen(word);

	return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static bool read_line(void *context, char *line)
{
	struct journal *j = context;
	const struct journal_settings *s = j->settings;
	const struct {
		const char *name, *value;
	} settings[] = {
		{ "module", s->module }, { "target", s->target }, { "id-field", s->id_field },
		{ "wait", s->wait },
	};
	const char *rest;
	bool is_known = false;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if ((rest = behind(line, settings[i].name)) != NULL)
			return check_setting(j->ledger.path, settings[i].name, rest,
					     settings[i].value);
	if (strcmp(line, FIRST_LINE) == 0) {
		is_known = true;
	} else if ((rest = behind(line, "run")) != NULL) {
		is_known = strlen(rest) < sizeof(j->run);
		snprintf(j->run, sizeof(j->run), "%s", rest);
	} else if ((rest = behind(line, "instance")) != NULL) {
		free(j->instance);
		j->instance = strdup(rest);
		is_known = j->instance != NULL;
	} else if ((rest = behind(line, "batch")) != NULL) {
		is_known = read_batch(j, rest);
	}
	for (size_t i = JOURNAL_RECEIVED; !is_known && i <= JOURNAL_REJECTED; i++)
		if ((rest = behind(line, state_names[i])) != NULL)
			is_known = read_state(j, (enum journal_state)i, rest);
	if (!is_known)
		complain("%s: the line \"%s\" is none of a journal", j->ledger.path, line);
	return is_known;
}

/* --- life ------------------------------------------------------------------------------------ */

static bool begin(struct journal *j, const char *instance, int *status)
{
	const struct journal_settings *s = j->settings;
	char made[HANDOFF_ID_SIZE];

	handoff_make_id(j->run);
	handoff_make_id(made);
	if (instance != NULL && strchr(instance, '\n') != NULL) {
		complain("an instance's name has no line ends");
		*status = STATUS_USAGE;
		return false;
	}
	free(j->instance);		/* of a journal that was begun and says no run */
	j->instance = strdup(instance != NULL ? instance : made);
	if (j->instance == NULL) {
		complain("out of memory");
		*status = STATUS_SYSTEM;
		return false;
	}
	ledger_add(&j->ledger, FIRST_LINE);
	ledger_add(&j->ledger, "run %s", j->run);
	ledger_add(&j->ledger, "module %s", s->module);
	ledger_add(&j->ledger, "target %s", s->target);
	ledger_add(&j->ledger, "instance %s", j->instance);
	ledger_add(&j->ledger, "id-field %s", s->id_field);
	ledger_add(&j->ledger, "wait %s", s->wait);
	*status = STATUS_IO;
	return ledger_replace(&j->ledger);
}

bool journal_open(struct journal *j, const char *path, const struct journal_settings *settings,
    const char *instance, int *status)
{
	*j = (struct journal){ .settings = settings };
	j->ledger.path = path;
	if (!ledger_open(&j->ledger, path, read_line, j, status)) {
		journal_close(j);
		return false;
	}
	j->read_count = j->count;
	if (j->run[0] == '\0') {
		if (begin(j, instance, status))
			return true;
	} else if (j->instance != NULL &&
		   (instance == NULL || check_setting(path, "instance", j->instance, instance))) {
		return true;
	} else {
		*status = STATUS_DATA;
	}
	journal_close(j);
	return false;
}

void journal_close(struct journal *j)
{
	ledger_close(&j->ledger);
	free(j->instance);
	free(j->batches);
	j->instance = NULL;
	j->batches = NULL;
}
