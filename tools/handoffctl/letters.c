/*
 * letters.c - dead letters from and to files
 *
 * A request is limited to 64 KiB, a letter is not: it goes in slices, "dead import-part" for each,
 * and "dead import-end" with what else is known of it. The broker judges.
 */
#include "tools/handoffctl/letters.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/handoffctl/conversation.h"
#include "tools/handoffctl/letter_line.h"

#define LINE_BYTES_MAX (512u * 1024 * 1024)
#define SLICE_CHARACTERS 60000		/* whole groups of four, less than a request */
#define STATUS_FAILED 1
#define STATUS_USAGE 2
#define STATUS_NO_RIGHT 77

/* --- export ----------------------------------------------------------------------------------- */

static bool begins(char *const words[], int count, const char *second)
{
	return count >= 2 && strcmp(words[0], "dead") == 0 && strcmp(words[1], second) == 0;
}

bool letters_is_export(char *const words[], int count)
{
	return begins(words, count, "export");
}

/* What is exported is data: for its owner alone. */
static int open_output(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0) {
		fprintf(stderr, "handoffctl: %s: %s\n", path, strerror(errno));
		return EX_CANTCREAT;
	}
	close(fd);
	return 0;
}

int letters_take_output(char *words[], int *count)
{
	const char *path = NULL;
	int kept = 0, n = begins(words, *count, "export") ? *count : 0;

	for (int i = 0; i < n; i++) {
		if (strncmp(words[i], "--output=", 9) == 0)
			path = words[i] + 9;
		else if (strcmp(words[i], "--output") == 0 && i + 1 < n)
			path = words[++i];
		else
			words[kept++] = words[i];
	}
	if (n > 0)
		*count = kept;
	return path != NULL ? open_output(path) : 0;
}

/* --- import ----------------------------------------------------------------------------------- */

struct importing {
	int fd;
	const char *reason;
	bool json;
	unsigned long line;		/* in the file */
	unsigned long imported, failed;
	struct buf failures;		/* JSON: what is behind "failures":[ */
	int stop;			/* an exit status: nothing more can be done */
};

static void put(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

static void put_json(struct buf *b, const char *text, size_t n)
{
	char escaped[8];

	put(b, "\"");
	for (size_t i = 0; i < n; i++) {
		snprintf(escaped, sizeof(escaped), (unsigned char)text[i] < 0x20 ? "\\u%04x" :
			 text[i] == '"' || text[i] == '\\' ? "\\%c" : "%c", text[i]);
		put(b, escaped);
	}
	put(b, "\"");
}

/* Of what can be shown on a terminal: a file may hold anything. */
static int id_length(struct line_value id)
{
	size_t n = 0;

	while (n < id.n && n < 36 && (isxdigit((unsigned char)id.p[n]) || id.p[n] == '-'))
		n++;
	return (int)n;
}

static void say_failure(struct importing *in, const struct letter_line *l, const char *why, size_t n)
{
	const int id_len = id_length(l->batch_id);
	char number[64];

	in->failed++;
	while (n > 0 && why[n - 1] == '\n')
		n--;
	if (!in->json) {
		fprintf(stderr, "handoffctl: line %lu%s%.*s: %.*s\n", in->line, id_len ? ", " : "",
			id_len, id_len ? l->batch_id.p : "", (int)n, why);
		return;
	}
	snprintf(number, sizeof(number), "%s{\"line\":%lu,\"batch_id\":", in->failed > 1 ? "," : "",
		 in->line);
	put(&in->failures, number);
	put_json(&in->failures, id_len ? l->batch_id.p : "", (size_t)id_len);
	put(&in->failures, ",\"error\":");
	put_json(&in->failures, why, n);
	put(&in->failures, "}");
}

static void add_value(struct buf *line, const char *option, struct line_value v)
{
	char text[80];

	if (v.p == NULL)
		return;
	conversation_add(line, option);
	snprintf(text, sizeof(text), "%.*s", (int)(v.n < 79 ? v.n : 79), v.p);
	conversation_add(line, text);
}

static void begin_line(const struct importing *in, struct buf *line, const char *second)
{
	buf_clear(line);
	if (in->reason != NULL) {
		conversation_add(line, "reason");
		conversation_add(line, in->reason);
	}
	conversation_add(line, "dead");
	conversation_add(line, second);
}

/* Asks; false when the answer was no, and the reason is told unless `quiet`. */
static bool ask(struct importing *in, struct buf *line, const struct letter_line *l, bool quiet)
{
	struct answer answer;
	bool good;

	buf_put(line, "\n", 1);
	conversation_ask(in->fd, line, false, &answer);
	good = answer.code == 0;
	if (!good && !quiet)
		say_failure(in, l, answer.body.len > 0 ? (const char *)buf_bytes(&answer.body) :
			    "the connection ended", answer.body.len > 0 ? answer.body.len : 20);
	if (answer.code < 0)
		in->stop = EX_UNAVAILABLE;
	else if (answer.code == STATUS_NO_RIGHT)
		in->stop = STATUS_NO_RIGHT;
	buf_finish(&answer.body);
	return good;
}

static bool send_parts(struct importing *in, struct buf *line, const struct letter_line *l,
    struct line_value v, bool errors)
{
	while (v.n > 0) {
		const size_t n = v.n < SLICE_CHARACTERS ? v.n : SLICE_CHARACTERS;

		begin_line(in, line, "import-part");
		if (errors)
			conversation_add(line, "--errors");
		buf_put(line, " \"", 2);
		buf_put(line, v.p, n);
		buf_put(line, "\"", 1);
		if (!ask(in, line, l, false))
			return false;
		v.p += n;
		v.n -= n;
	}
	return true;
}

static void send_letter(struct importing *in, const struct letter_line *l)
{
	struct buf line;
	bool sent;

	buf_init(&line, 0);
	sent = send_parts(in, &line, l, l->frame, false) &&
	       send_parts(in, &line, l, l->errors, true);
	begin_line(in, &line, "import-end");
	add_value(&line, "--code", l->code);
	add_value(&line, "--attempts", l->attempts);
	add_value(&line, "--redrives", l->redrives);
	add_value(&line, "--received-at", l->received_at);
	add_value(&line, "--parent", l->parent);
	if (l->derived.n == 4 && memcmp(l->derived.p, "true", 4) == 0)
		conversation_add(&line, "--derived");
	/* After a part that was refused it only makes the broker forget the others. */
	if (in->stop == 0 && ask(in, &line, l, !sent) && sent)
		in->imported++;
	buf_finish(&line);
}

static void import_line(struct importing *in, const char *text, size_t len)
{
	struct letter_line l;
	const char *why = NULL;

	if (len > LINE_BYTES_MAX)
		why = "longer than any letter is";
	else if (!letter_line_parse(text, len, &l))
		why = "damaged: no JSON object of an export";
	else if (l.version.n != 1 || *l.version.p != '1')
		why = "no dead letter, or of a newer version";
	else if (l.cut.p != NULL)
		why = "cut: it went away while it was exported";
	if (why == NULL) {
		send_letter(in, &l);
		return;
	}
	if (len > LINE_BYTES_MAX)
		l = (struct letter_line){ .version = { .p = NULL } };
	say_failure(in, &l, why, strlen(why));
}

/* The number that the broker counted goes into its list of what persons did. */
static void finish(struct importing *in)
{
	struct letter_line none = { .version = { .p = NULL } };
	struct buf line;

	if (in->stop == 0) {
		buf_init(&line, 0);
		begin_line(in, &line, "import-done");
		ask(in, &line, &none, true);
		buf_finish(&line);
	}
	if (!in->json) {
		printf("imported %lu, failed %lu\n", in->imported, in->failed);
		return;
	}
	printf("{\"imported\":%lu,\"failed\":%lu,\"failures\":[", in->imported, in->failed);
	fwrite(in->failures.len > 0 ? (const char *)buf_bytes(&in->failures) : "", 1,
	       in->failures.len, stdout);
	puts("]}");
}

bool letters_is_import(char *const words[], int count)
{
	return begins(words, count, "import");
}

static void import_lines(struct importing *in, FILE *file)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	while (in->stop == 0 && (len = getline(&text, &size, file)) > 0) {
		in->line++;
		if (strspn(text, " \t\r\n") < (size_t)len)
			import_line(in, text, (size_t)len);
	}
	free(text);
}

int letters_import(int fd, char *const words[], int count, const char *reason, bool json)
{
	struct importing in = { .fd = fd, .reason = reason, .json = json };
	const char *path = count > 2 && strcmp(words[2], "-") != 0 ? words[2] : NULL;
	FILE *file;

	if (count > 3 || (path != NULL && *path == '-')) {
		fprintf(stderr, "handoffctl: dead import takes one FILE, or - for standard input\n");
		return STATUS_USAGE;
	}
	file = path != NULL ? fopen(path, "re") : stdin;
	if (file == NULL) {
		fprintf(stderr, "handoffctl: %s: %s\n", path, strerror(errno));
		return EX_NOINPUT;
	}
	buf_init(&in.failures, 0);
	import_lines(&in, file);
	if (ferror(file)) {
		fprintf(stderr, "handoffctl: %s: cannot be read\n", path != NULL ? path :
			"standard input");
		in.failed++;
	}
	if (file != stdin)
		fclose(file);
	finish(&in);
	buf_finish(&in.failures);
	return in.stop != 0 ? in.stop : in.failed > 0 ? STATUS_FAILED : 0;
}
