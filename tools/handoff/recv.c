/*
 * recv.c - handoff recv: the records of all batches, appended to a file
 *
 * A turn of the loop: take what the library tells, and gather the deliveries among it into a group;
 * append the group's records and sync them; note its batches (written.c); say PROCESSED; with
 * --confirm, confirm their records (confirming.c); wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/datetime.h"
#include "net/tls.h"
#include "tools/handoff/command.h"
#include "tools/handoff/confirming.h"
#include "tools/handoff/connection.h"
#include "tools/handoff/ndjson.h"
#include "tools/handoff/options.h"
#include "tools/handoff/progress.h"
#include "tools/handoff/report.h"
#include "tools/handoff/signals.h"
#include "tools/handoff/written.h"

#define IN_FLIGHT_MAX 1024
/* A group is written when it has so many bytes, whatever else has come. */
#define GROUP_BYTES ((size_t)8 * 1024 * 1024)

struct receiving {
	struct connection connection;
	struct written written;
	struct confirming confirming;
	int fd;				/* the output file */
	struct buf text;		/* the group's records */
	uint64_t records;		/* in there */
	struct handoff_delivery *group[IN_FLIGHT_MAX];
	size_t count;
	struct progress progress;
	int64_t busy_at_ms;		/* when the latest delivery came */
	bool is_draining;
	int status;			/* to exit with, -1: not known yet */
};

static struct common common;
static struct {
	const char *output, *confirm;
	uint64_t count, idle_ms, in_flight, remember;
} options = { .in_flight = 64, .remember = 100000 };

static const struct option recv_options[] = {
	{ "output", 'o', OPTION_TEXT, &options.output, "FILE",
	  "append to this file; FILE.state remembers what stands in it", 0, 0 },
	{ "confirm", 0, OPTION_OPTIONAL_TEXT, &options.confirm, "DESTINATION",
	  "confirm each record when it is written; default: FILE's name", 0, 0 },
	{ "count", 'n', OPTION_NUMBER, &options.count, "N", "end when N records have been written", 1,
	  UINT64_MAX },
	{ "idle", 0, OPTION_NUMBER, &options.idle_ms, "MS", "end when nothing came for so long", 1,
	  INT32_MAX },
	{ "max-in-flight", 0, OPTION_NUMBER, &options.in_flight, "N",
	  "take so many batches at a time; default 64", 1, IN_FLIGHT_MAX },
	{ "remember", 0, OPTION_NUMBER, &options.remember, "N",
	  "so many batches that have ended; default 100000", 0, 10000000 },
	{ 0 },
};

static const struct usage usage = {
	.synopsis = "handoff recv --module NAME --output FILE [OPTION]...",
	.about = "Appends the records of the batches for a module to FILE, one JSON object a line, and\n"
		 "says PROCESSED when they are on the disk. Can be killed at any moment and run again:\n"
		 "no record is lost, none is written twice. SIGTERM ends it in order.\n",
	.options = recv_options,
	.common = &common,
};

/* --- the output file ------------------------------------------------------------------------- */

/* Opens it; *length is how long it is. -1, or the exit status after a complaint. */
static int open_output(struct receiving *r, uint64_t *length)
{
	struct stat info;

	r->fd = open(options.output, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (r->fd < 0 || fstat(r->fd, &info) != 0) {
		complain_errno("%s", options.output);
		return STATUS_CANNOT_CREATE;
	}
	if (!S_ISREG(info.st_mode)) {
		complain("%s is not a file: what is written must be able to be cut off and synced",
			 options.output);
		return STATUS_CANNOT_CREATE;
	}
	*length = (uint64_t)info.st_size;
	return sync_directory_of(options.output) ? -1 : STATUS_IO;
}

/* Cuts off what a crash left behind the last group that was noted. */
static int settle_output(struct receiving *r, uint64_t length)
{
	const uint64_t right = r->written.length;
	char last = '\n';

	if (length < right) {
		complain("%s has %" PRIu64 " bytes, and had %" PRIu64 ": restore it, or move it and "
			 "%s away to begin anew", options.output, length, right, r->written.path);
		return STATUS_DATA;
	}
	if (length > right)
		tell("%s: cut off %" PRIu64 " bytes that were not finished", options.output,
		     length - right);
	if (ftruncate(r->fd, (off_t)right) != 0 || lseek(r->fd, (off_t)right, SEEK_SET) < 0 ||
	    (right > 0 && pread(r->fd, &last, 1, (off_t)right - 1) != 1)) {
		complain_errno("%s", options.output);
		return STATUS_IO;
	}
	if (last != '\n') {
		complain("%s does not end with an end of line: it is not mine to append to",
			 options.output);
		return STATUS_DATA;
	}
	return -1;
}

/* --- a group --------------------------------------------------------------------------------- */

static void fail(struct receiving *r, int status)
{
	if (r->status < 0)
		r->status = status;
}

/* PROCESSED, and what follows it. */
static void say_processed(struct receiving *r, struct handoff_delivery *d)
{
	struct confirming_batch *confirmation;

	if (!confirming_take(&r->confirming, d, &confirmation)) {
		complain("out of memory");
		fail(r, STATUS_SYSTEM);
		return;
	}
	if (handoff_processed(d, 0, NULL, 0) != 0) {
		detail("a batch has been delivered anew meanwhile");
		confirming_drop(confirmation);
		return;
	}
	confirming_add(&r->confirming, confirmation);
	if (!confirming_proceed(&r->confirming, r->connection.client))
		fail(r, STATUS_INTERNAL);
}

/* All that was gathered is on the disk, then said. */
static void write_group(struct receiving *r)
{
	const uint64_t length = r->written.length + r->text.len;

	if (r->count == 0 || r->status >= 0)
		return;
	if (!write_all(r->fd, buf_bytes(&r->text), r->text.len) || fdatasync(r->fd) != 0) {
		complain_errno("%s", options.output);
		fail(r, STATUS_IO);
		return;
	}
	if (!written_commit(&r->written, length)) {
		fail(r, STATUS_IO);
		return;
	}
	for (size_t i = 0; i < r->count; i++)
		say_processed(r, r->group[i]);
	r->progress.records += r->records;
	r->progress.batches += r->count;
	r->progress.bytes += r->text.len;
	r->count = 0;
	r->records = 0;
	buf_clear(&r->text);
}

/* Its records as text, all or none; false with why. */
static bool put_records(struct receiving *r, struct handoff_delivery *d, char why[NDJSON_WHY_SIZE])
{
	const size_t before = r->text.len;
	struct handoff_record record;

	while (handoff_delivery_next_record(d, &record)) {
		if (!ndjson_write(&r->text, record.bytes, record.len, why)) {
			r->text.len = before;
			return false;
		}
	}
	return true;
}

static void reject(struct handoff_delivery *d, const char *why)
{
	const struct handoff_error error = {
		.recoverability = HANDOFF_PERMANENT,
		.scope = HANDOFF_BATCH,
		.code = "RECV_JSON_001",
		.message = why,
	};

	complain("batch %s: a record cannot be written as JSON: %s", handoff_delivery_batch_id(d), why);
	if (handoff_rejected(d, &error) < 0)
		detail("it has been delivered anew meanwhile");
}

static void on_delivery(struct receiving *r, struct handoff_delivery *d)
{
	const char *id = handoff_delivery_batch_id(d), *route = handoff_delivery_route(d);
	char why[NDJSON_WHY_SIZE];

	r->busy_at_ms = clock_monotonic_ms();
	if (written_has(&r->written, id, route)) {
		/* It may stand in this very group, which is not on the disk yet. */
		write_group(r);
		detail("batch %s is written already", id);
		if (r->status < 0)
			say_processed(r, d);
		return;
	}
	if (!put_records(r, d, why)) {
		reject(d, why);
		return;
	}
	if (!written_add(&r->written, id, route)) {
		complain("out of memory");
		fail(r, STATUS_SYSTEM);
		return;
	}
	r->records += handoff_delivery_record_count(d);
	r->group[r->count++] = d;
	if (r->count == IN_FLIGHT_MAX || r->text.len >= GROUP_BYTES)
		write_group(r);
}

/* --- the loop -------------------------------------------------------------------------------- */

static void on_event(struct receiving *r, const struct handoff_event *e)
{
	switch (e->type) {
	case HANDOFF_EVENT_DELIVERY:
		on_delivery(r, e->delivery);
		break;
	case HANDOFF_EVENT_DONE:
		written_confirm(&r->written, e->batch_id, e->route);
		break;
	case HANDOFF_EVENT_STALE:
	case HANDOFF_EVENT_LOST:
		detail("batch %s: %s", e->batch_id, handoff_event_name(e->type));
		break;
	case HANDOFF_EVENT_NOT_DONE:
		complain_errors("the broker refused a PROCESSED", e->errors, e->error_count);
		handoff_drop(e->delivery);
		break;
	default:
		connection_on_event(&r->connection, e);
		break;
	}
}

static int until_idle_ms(const struct receiving *r)
{
	int64_t left;

	if (options.idle_ms == 0)
		return -1;
	left = r->busy_at_ms + (int64_t)options.idle_ms - clock_monotonic_ms();
	return left > 0 ? (int)left : 0;
}

static bool is_to_end(const struct receiving *r)
{
	return signals_stop_count() > 0 || until_idle_ms(r) == 0 ||
	    (options.count > 0 && r->progress.records >= options.count);
}

static int shorter(int a, int b)
{
	return b >= 0 && (a < 0 || b < a) ? b : a;
}

static int run(struct receiving *r)
{
	const struct handoff_event *e;
	int status;

	for (;;) {
		while (r->status < 0 && (e = handoff_take_event(r->connection.client)) != NULL)
			on_event(r, e);
		write_group(r);
		if (r->status < 0 && !confirming_proceed(&r->confirming, r->connection.client))
			fail(r, STATUS_INTERNAL);
		if (r->status >= 0)
			return r->status;
		status = connection_status(&r->connection);
		if (status >= 0)
			return status;
		if (signals_stop_count() > 1)
			return STATUS_FAILED;
		if (!r->is_draining && is_to_end(r) && confirming_is_empty(&r->confirming)) {
			r->is_draining = true;
			connection_drain(&r->connection);
		}
		/* What was done may have events of its own: none may be left while we wait. */
		e = handoff_take_event(r->connection.client);
		if (e != NULL) {
			on_event(r, e);
			continue;
		}
		connection_wait(&r->connection, NULL, 0,
				shorter(progress_show(&r->progress),
					r->is_draining ? -1 : until_idle_ms(r)), signals_mask());
	}
}

/* --- the command ----------------------------------------------------------------------------- */

static int receive_all(struct receiving *r)
{
	struct connection_wishes wishes = {
		.mailbox = false,
		.max_in_flight = (unsigned)options.in_flight,
	};
	uint64_t length = 0;
	int status = open_output(r, &length);

	if (status >= 0)
		return status;
	if (!written_open(&r->written, options.output, length, common.instance,
			  (size_t)options.remember, &status))
		return status;
	status = settle_output(r, length);
	if (status >= 0)
		return status;
	wishes.instance = r->written.instance;
	r->busy_at_ms = clock_monotonic_ms();
	progress_init(&r->progress);
	status = connection_open(&r->connection, &common, &wishes);
	if (status < 0)
		status = run(r);
	progress_tell(&r->progress, "wrote");
	return status;
}

/* Where the records are, as confirmations name it; NULL: nothing is confirmed. */
static const char *destination(void)
{
	const char *slash;

	if (options.confirm == NULL || *options.confirm != '\0')
		return options.confirm;
	slash = strrchr(options.output, '/');
	return slash != NULL ? slash + 1 : options.output;
}

int cmd_recv(int argc, char **argv)
{
	struct receiving *r = calloc(1, sizeof(*r));
	int status;

	if (r == NULL)
		return STATUS_SYSTEM;
	r->fd = -1;
	r->status = -1;
	r->written.ledger.fd = -1;
	buf_init(&r->text, 0);
	status = options_read(&usage, argc, argv, NULL, NULL);
	if (status < 0 && options.output == NULL) {
		complain("--output is missing: the file to append to");
		status = STATUS_USAGE;
	}
	if (status < 0) {
		tls_init();
		signals_catch();
		confirming_init(&r->confirming, destination());
		status = receive_all(r);
		confirming_finish(&r->confirming);
	}
	connection_close(&r->connection);
	written_close(&r->written);
	buf_finish(&r->text);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
	return status;
}
