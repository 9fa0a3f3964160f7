/*
 * target_lines.c - lines: NDJSON, exported letters, the journal of handoff send; and the log's own
 *
 * The first byte says which.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"
#include "tools/handoff/journal.h"
#include "tools/handoff/ndjson.h"
#include "tools/handoff/report.h"
#include "tools/handoffctl/letter_line.h"
#include "wire/mpcheck.h"
#include "wire/text.h"

static struct ndjson_reader reader, second;
static char path[320];
static int log_fd;

void target_begin(void)
{
	ndjson_reader_init(&reader, NULL);
	ndjson_reader_init(&second, NULL);
	report_init("send");
	snprintf(path, sizeof path, "%s/journal", fuzz_directory());
	log_fd = memfd_create("log", MFD_CLOEXEC);
	must(log_fd >= 0);
}

/* What one side reads, the other writes, and it is read as the same bytes. */
static void try_ndjson(const char *line, size_t n)
{
	char why[NDJSON_WHY_SIZE];
	struct buf text;

	if (!ndjson_read(&reader, line, n, "made-1")) {
		must(*reader.why != '\0' && strnlen(reader.why, sizeof why) < sizeof why);
		return;
	}
	must(mp_is_whole(buf_bytes(&reader.record), reader.record.len));
	buf_init(&text, 0);
	must(ndjson_write(&text, buf_bytes(&reader.record), reader.record.len, why));
	must(text.len > 0 && buf_bytes(&text)[text.len - 1] == '\n');
	must(memchr(buf_bytes(&text), '\n', text.len - 1) == NULL);
	must(ndjson_read(&second, (const char *)buf_bytes(&text), text.len - 1, "made-2"));
	must(second.record.len == reader.record.len &&
	    memcmp(buf_bytes(&second.record), buf_bytes(&reader.record), reader.record.len) == 0);
	must(second.is_critical == reader.is_critical);
	must(second.id.len == reader.id.len &&
	    memcmp(buf_bytes(&second.id), buf_bytes(&reader.id), reader.id.len) == 0);
	buf_finish(&text);
}

/* A record of a stranger, as handoff recv writes it: it has passed the validator. */
static void try_record(const uint8_t *p, size_t n)
{
	char why[NDJSON_WHY_SIZE];
	struct buf text;

	if (!mp_is_whole(p, n))
		return;
	buf_init(&text, 0);
	if (ndjson_write(&text, p, n, why)) {
		must(buf_bytes(&text)[text.len - 1] == '\n');
		must(memchr(buf_bytes(&text), '\n', text.len - 1) == NULL);
	} else {
		must(text.len == 0 && *why != '\0');
	}
	buf_finish(&text);
}

static void check_value(const struct line_value *v, const char *line, size_t n)
{
	must(v->p == NULL || (v->p >= line && v->n <= (size_t)(line + n - v->p)));
}

static void try_letter(const char *line, size_t n)
{
	struct letter_line l;

	if (!letter_line_parse(line, n, &l))
		return;
	const struct line_value *values[] = { &l.version, &l.batch_id, &l.code, &l.attempts,
		&l.redrives, &l.received_at, &l.derived, &l.parent, &l.errors, &l.frame, &l.cut };

	for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
		check_value(values[k], line, n);
}

/* A journal is refused, or what it has is in order and opens again as the same. */
static void try_journal(const uint8_t *p, size_t n)
{
	static const struct journal_settings settings = { "ALPHA", "BETA", "record_id",
		"processed" };
	struct journal first, again;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), status = 0;

	must(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
	if (!journal_open(&first, path, &settings, NULL, &status)) {
		must(status != 0);
		journal_close(&first);
		return;
	}
	for (size_t k = 0; k < first.count; k++) {
		must(first.batches[k].start <= first.batches[k].end);
		must(first.batches[k].start == (k > 0 ? first.batches[k - 1].end : 0));
	}
	size_t count = first.count;
	char *instance = strdup(first.instance);

	must(journal_sync(&first));
	journal_close(&first);
	must(journal_open(&again, path, &settings, NULL, &status));
	must(again.count == count && strcmp(again.instance, instance) == 0);
	free(instance);
	journal_close(&again);
}

/* What standard error gets of one event. */
static size_t log_one(const char *text, size_t n, char *out, size_t room)
{
	int saved = dup(STDERR_FILENO);
	ssize_t got;

	must(ftruncate(log_fd, 0) == 0 && lseek(log_fd, 0, SEEK_SET) == 0);
	must(saved >= 0 && dup2(log_fd, STDERR_FILENO) >= 0);
	log_warning("message refused", "session=%u text=%s last=x", 7u, log_quote(text, n));
	must(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	got = pread(log_fd, out, room, 0);
	must(got > 0 && (size_t)got < room);
	return (size_t)got;
}

/* Whatever stands in a value: one line, that a terminal shows and a parser reads. */
static void try_log(const char *text, size_t n)
{
	char line[4096];

	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		log_init(LOG_LEVEL_WARNING, (enum log_format)format);
		size_t len = log_one(text, n, line, sizeof line);

		must(line[len - 1] == '\n' && text_is_utf8(line, len));
		for (size_t k = 0; k < len - 1; k++)
			must((unsigned char)line[k] >= 0x20 && line[k] != 0x7f);
		must(format == LOG_FORMAT_TEXT || ndjson_read(&reader, line, len - 1, "made"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	switch (data[0] % 5) {
	case 0:
		try_ndjson((const char *)data + 1, size - 1);
		break;
	case 1:
		try_record(data + 1, size - 1);
		break;
	case 2:
		try_letter((const char *)data + 1, size - 1);
		break;
	case 3:
		try_journal(data + 1, size - 1);
		break;
	default:
		try_log((const char *)data + 1, size - 1);
	}
	return 0;
}
