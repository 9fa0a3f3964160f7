/*
 * written.c - which batches stand in recv's output file, and how far it is right
 *
 *	handoff-recv 1
 *	instance 0192…
 *	length 0				the output file's, when this was written
 *	group LENGTH TIME ID/ROUTE ID/ROUTE …	batches written together, and the length then
 *	done ID/ROUTE …				confirmed by the broker
 *
 * A group is one line, so that a crash leaves all of it or nothing. When there are many more names
 * in the ledger than batches to be kept, it is written anew.
 */
#include "tools/handoff/written.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "handoff/client.h"
#include "tools/handoff/command.h"
#include "tools/handoff/report.h"

#define FIRST_LINE "handoff-recv 1"
#define UNCONFIRMED_KEEP_S (24 * 3600)
#define ROUTE_MAX 63
#define NAME_SIZE (HANDOFF_ID_SIZE + ROUTE_MAX + 1)
/* So many names a line when the ledger is written anew. */
#define NAMES_A_LINE 512
/* The ledger may have so many names more than twice what is kept. */
#define LOGGED_SPARE 10000

struct written_batch {
	char name[NAME_SIZE];	/* "ID/ROUTE" */
	int64_t at_s;		/* when it was written, in seconds since 1970 */
	bool is_confirmed;
	UT_hash_handle hh;
};

/* --- batches --------------------------------------------------------------------------------- */

static struct written_batch *find(const struct written *w, const char *name)
{
	struct written_batch *b;

	HASH_FIND_STR(w->batches, name, b);
	return b;
}

static void make_name(char name[NAME_SIZE], const char *batch_id, const char *route)
{
	snprintf(name, NAME_SIZE, "%s/%s", batch_id, route);
}

static bool add(struct written *w, const char *name, int64_t at_s)
{
	struct written_batch *b = find(w, name);

	if (b != NULL)
		return true;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return false;
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->at_s = at_s;
	HASH_ADD_STR(w->batches, name, b);
	return true;
}

static void forget(struct written *w, struct written_batch *b)
{
	HASH_DEL(w->batches, b);
	free(b);
}

/* Forgets the oldest of too many; one that may come again moves to the end instead. */
static void trim(struct written *w, int64_t now_s)
{
	const size_t count = HASH_COUNT(w->batches);
	size_t excess = count > w->remember ? count - w->remember : 0;

	for (; excess > 0; excess--) {
		struct written_batch *b = w->batches;

		if (b->is_confirmed || now_s - b->at_s > UNCONFIRMED_KEEP_S) {
			forget(w, b);
		} else {
			HASH_DEL(w->batches, b);
			HASH_ADD_STR(w->batches, name, b);
		}
	}
}

bool written_has(const struct written *w, const char *batch_id, const char *route)
{
	char name[NAME_SIZE];

	make_name(name, batch_id, route);
	return find(w, name) != NULL;
}

bool written_add(struct written *w, const char *batch_id, const char *route)
{
	char name[NAME_SIZE];

	make_name(name, batch_id, route);
	buf_put(&w->group, " ", 1);
	buf_put(&w->group, name, strlen(name));
	w->logged++;
	return !w->group.failed && add(w, name, (int64_t)time(NULL));
}

void written_confirm(struct written *w, const char *batch_id, const char *route)
{
	char name[NAME_SIZE];
	struct written_batch *b;

	make_name(name, batch_id, route);
	b = find(w, name);
	if (b == NULL || b->is_confirmed)
		return;
	b->is_confirmed = true;
	buf_put(&w->done, " ", 1);
	buf_put(&w->done, name, strlen(name));
	w->logged++;
}

/* --- writing --------------------------------------------------------------------------------- */

/* One line for each of `word` whose batches are, or are not, confirmed. */
static void add_names(struct written *w, const char *word, bool only_confirmed)
{
	struct written_batch *b, *next;
	struct buf names;
	size_t n = 0;

	buf_init(&names, 0);
	HASH_ITER(hh, w->batches, b, next) {
		if (b->is_confirmed || !only_confirmed) {
			buf_put(&names, " ", 1);
			buf_put(&names, b->name, strlen(b->name));
			n++;
		}
		if (n > 0 && (n == NAMES_A_LINE || next == NULL ||
			      (!only_confirmed && next->at_s != b->at_s))) {
			buf_put(&names, "", 1);
			if (only_confirmed)
				ledger_add(&w->ledger, "%s%s", word, (char *)buf_bytes(&names));
			else
				ledger_add(&w->ledger, "%s %" PRIu64 " %" PRId64 "%s", word,
					   w->length, b->at_s, (char *)buf_bytes(&names));
			w->logged += n;
			n = 0;
			buf_clear(&names);
		}
	}
	w->ledger.pending.failed = w->ledger.pending.failed || names.failed;
	buf_finish(&names);
}

static bool write_anew(struct written *w)
{
	w->logged = 0;
	ledger_add(&w->ledger, FIRST_LINE);
	ledger_add(&w->ledger, "instance %s", w->instance);
	ledger_add(&w->ledger, "length %" PRIu64, w->length);
	add_names(w, "group", false);
	add_names(w, "done", true);
	return ledger_replace(&w->ledger);
}

static void add_line_of(struct buf *names, struct ledger *ledger, const char *start)
{
	buf_put(names, "", 1);
	if (names->failed)
		ledger->pending.failed = true;
	else
		ledger_add(ledger, "%s%s", start, (char *)buf_bytes(names));
	buf_clear(names);
}

bool written_commit(struct written *w, uint64_t length)
{
	const int64_t now_s = (int64_t)time(NULL);
	char start[64];

	if (w->done.len > 0)
		add_line_of(&w->done, &w->ledger, "done");
	snprintf(start, sizeof(start), "group %" PRIu64 " %" PRId64, length, now_s);
	add_line_of(&w->group, &w->ledger, start);
	if (!ledger_sync(&w->ledger))
		return false;
	w->length = length;
	trim(w, now_s);
	if (w->logged <= 2 * (size_t)HASH_COUNT(w->batches) + LOGGED_SPARE)
		return true;
	return write_anew(w);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_names(struct written *w, char *names, int64_t at_s, bool is_done)
{
	char *rest, *name;
	struct written_batch *b;

	for (name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
		w->logged++;
		if (strlen(name) >= NAME_SIZE)
			return false;
		b = find(w, name);
		if (is_done && b != NULL)
			b->is_confirmed = true;
		else if (!is_done && !add(w, name, at_s))
			return false;
	}
	return true;
}

static bool read_group(struct written *w, char *rest)
{
	int64_t at_s;
	int n = 0;

	if (sscanf(rest, "%" SCNu64 " %" SCNd64 "%n", &w->length, &at_s, &n) != 2)
		return false;
	return read_names(w, rest + n, at_s, false);
}

/* The text behind `word` and a blank; NULL when the line does not begin so. */
static char *behind(char *line, const char *word)
{
	const size_t n = strlen(word);

	return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static bool read_line(void *context, char *line)
{
	struct written *w = context;
	bool is_known = false;
	char *rest;

	if (strcmp(line, FIRST_LINE) == 0) {
		is_known = true;
		w->has_first = true;
	} else if (w->has_first && (rest = behind(line, "instance")) != NULL) {
		w->instance = strdup(rest);
		is_known = w->instance != NULL;
	} else if (w->has_first && (rest = behind(line, "length")) != NULL) {
		is_known = sscanf(rest, "%" SCNu64, &w->length) == 1;
		w->has_length = is_known;
	} else if (w->has_length && (rest = behind(line, "group")) != NULL) {
		is_known = read_group(w, rest);
	} else if (w->has_length && (rest = behind(line, "done")) != NULL) {
		is_known = read_names(w, rest, 0, true);
	}
	if (!is_known)
		complain("%s: a line that I have not written: %.60s", w->path, line);
	return is_known;
}

/* --- life ------------------------------------------------------------------------------------ */

static bool begin(struct written *w, uint64_t length, const char *instance, int *status)
{
	char made[HANDOFF_ID_SIZE];

	handoff_make_id(made);
	w->length = length;
	w->instance = strdup(instance != NULL ? instance : made);
	*status = STATUS_IO;
	return w->instance != NULL && write_anew(w);
}

bool written_open(struct written *w, const char *output_path, uint64_t output_length,
    const char *instance, size_t remember, int *status)
{
	*w = (struct written){ .remember = remember, .ledger.fd = -1 };
	buf_init(&w->group, 0);
	buf_init(&w->done, 0);
	if (snprintf(w->path, sizeof(w->path), "%s.state", output_path) >= (int)sizeof(w->path)) {
		complain("%s: the name is too long", output_path);
		*status = STATUS_CANNOT_CREATE;
		return false;
	}
	if (!ledger_open(&w->ledger, w->path, read_line, w, status))
		return false;
	if (w->has_length)
		return true;
	return begin(w, output_length, instance, status);
}

void written_close(struct written *w)
{
	struct written_batch *b, *next;

	HASH_ITER(hh, w->batches, b, next)
		forget(w, b);
	ledger_close(&w->ledger);
	buf_finish(&w->group);
	buf_finish(&w->done);
	free(w->instance);
	w->instance = NULL;
}
