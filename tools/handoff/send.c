/*
 * send.c - handoff send: records from standard input into the broker's custody
 *
 *	input ─► assembly ─► closed ── journal on the disk ─► the library ─► RECEIVED (─► PROCESSED)
 *
 * A turn of the loop: take what the library tells, hand over what is closed, read on while little is
 * closed, wait. With a journal, its batches are gone through first (journal.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "base/datetime.h"
#include "net/tls.h"
#include "tools/handoff/assembly.h"
#include "tools/handoff/command.h"
#include "tools/handoff/connection.h"
#include "tools/handoff/journal.h"
#include "tools/handoff/options.h"
#include "tools/handoff/progress.h"
#include "tools/handoff/report.h"

/* So many batches are closed before they are handed over: with a journal, one write to the disk is
 * for all of them. */
#define CLOSED_MAX 16

/* A batch that was closed, until the library has it. */
struct closed {
	struct journal_batch place;
	struct handoff_records *records;	/* owned */
	size_t index;				/* in the journal */
	bool is_critical;
};

/* A batch whose outcome is waited for (--wait processed), or that is not RECEIVED. */
struct awaited {
	char id[HANDOFF_ID_SIZE];
	uint64_t records, bytes;
	size_t index;		/* in the journal */
	UT_hash_handle hh;
};

struct sending {
	struct connection connection;
	struct input input;
	struct assembly assembly;
	struct journal journal;
	bool has_journal;
	size_t repeat_at;		/* the journal's next batch to go through */
	uint64_t sequence_number;	/* the latest used with a journal */
	struct closed closed[CLOSED_MAX];
	size_t closed_count;
	bool is_synced;			/* the journal has what is closed on the disk */
	struct awaited *awaited;	/* uthash */
	struct progress progress;
	bool is_stopped;		/* no more is read */
	bool is_abandoned;		/* nothing more is sent or written down */
	int status;			/* to exit with */
	uint64_t dead, partial;		/* outcomes that are not what one wants */
};

static struct common common;
static struct {
	const char *to, *id_field, *wait, *journal;
} options;

static const struct option send_options[] = {
	{ "to", 't', OPTION_TEXT, &options.to, "NAME", "the module that the records are for", 0, 0 },
	{ "id-field", 'i', OPTION_TEXT, &options.id_field, "FIELD",
	  "take record_id from this field; default: record_id, or one is made", 0, 0 },
	{ "wait", 'w', OPTION_TEXT, &options.wait, "WHAT",
	  "received (default) or processed: what to wait for before the end", 0, 0 },
	{ "journal", 'j', OPTION_TEXT, &options.journal, "FILE",
	  "remember what was sent, so that it can be killed and run again", 0, 0 },
	{ 0 },
};

static const struct usage usage = {
	.synopsis = "handoff send --module NAME --to NAME [OPTION]... <FILE",
	.about = "Sends records, one JSON object a line, from standard input. Ends with status 0 when\n"
		 "all of them are in the broker's custody.\n",
	.options = send_options,
	.common = &common,
};

static bool waits_for_outcome(void)
{
	return options.wait[0] == 'p';
}

static void stop(struct sending *s, int status)
{
	s->is_stopped = true;
	if (s->status == STATUS_OK)
		s->status = status;
}

/* What follows would not be in the journal, or cannot be sent. */
static void abandon(struct sending *s, int status)
{
	stop(s, status);
	s->is_abandoned = true;
}

/* --- what the library tells ------------------------------------------------------------------ */

static bool await(struct sending *s, const struct journal_batch *b, size_t index)
{
	struct awaited *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		complain("out of memory");
		abandon(s, STATUS_SYSTEM);
		return false;
	}
	snprintf(a->id, sizeof(a->id), "%s", b->id);
	a->records = b->records;
	a->bytes = b->end - b->start;
	a->index = index;
	HASH_ADD_STR(s->awaited, id, a);
	return true;
}

static void forget(struct sending *s, struct awaited *a)
{
	HASH_DEL(s->awaited, a);
	free(a);
}

static void mark(struct sending *s, const struct awaited *a, enum journal_state state)
{
	bool is_good;

	if (!s->has_journal || s->is_abandoned)
		return;
	is_good = journal_mark(&s->journal, a->index, state);
	/* An outcome is told once: the next event confirms it. */
	if (is_good && state > JOURNAL_RECEIVED)
		is_good = journal_sync(&s->journal);
	if (!is_good)
		abandon(s, STATUS_IO);
}

static void on_received(struct sending *s, const struct handoff_event *e, struct awaited *a)
{
	s->progress.records += a->records;
	s->progress.bytes += a->bytes;
	s->progress.batches++;
	s->progress.reason[0] = '\0';
	for (size_t i = 0; i < e->error_count; i++)
		detail("batch %s: %s %s", a->id, e->errors[i].code, e->errors[i].message);
	mark(s, a, JOURNAL_RECEIVED);
	if (!waits_for_outcome())
		forget(s, a);
}

static void on_refused(struct sending *s, const struct handoff_event *e, struct awaited *a)
{
	char what[128];

	snprintf(what, sizeof(what), "the broker refused batch %s", a->id);
	complain_errors(what, e->errors, e->error_count);
	stop(s, connection_status_of(e->errors, e->error_count));
	forget(s, a);
}

/* The target has done with a batch; `a` NULL: nobody waits for it. */
static void on_outcome(struct sending *s, const struct handoff_event *e, struct awaited *a)
{
	const bool is_dead = e->type == HANDOFF_EVENT_REJECTED;
	char what[192];

	if (is_dead) {
		snprintf(what, sizeof(what), "batch %s is a dead letter", e->batch_id);
	} else {
		snprintf(what, sizeof(what), "batch %s: %s rejected %" PRIu64 " of its records",
			 e->batch_id, options.to, e->records_rejected);
	}
	if (is_dead || e->records_rejected > 0)
		complain_errors(what, e->errors, e->error_count);
	s->dead += is_dead;
	s->partial += !is_dead && e->records_rejected > 0;
	if (a == NULL || !waits_for_outcome())
		return;
	mark(s, a, is_dead || e->records_rejected > 0 ? JOURNAL_REJECTED : JOURNAL_PROCESSED);
	forget(s, a);
}

static void on_event(struct sending *s, const struct handoff_event *e)
{
	struct awaited *a = NULL;

	HASH_FIND_STR(s->awaited, e->batch_id, a);
	switch (e->type) {
	case HANDOFF_EVENT_RECEIVED:
		if (a != NULL)
			on_received(s, e, a);
		break;
	case HANDOFF_EVENT_REFUSED:
		if (a != NULL)
			on_refused(s, e, a);
		break;
	case HANDOFF_EVENT_PROCESSED:
	case HANDOFF_EVENT_REJECTED:
		on_outcome(s, e, a);
		break;
	case HANDOFF_EVENT_ERRORS:
		if (e->action == HANDOFF_ACTION_THROTTLE && e->error_count > 0)
			snprintf(s->progress.reason, sizeof(s->progress.reason), "THROTTLE, %s",
				 e->errors[0].message);
		connection_on_event(&s->connection, e);
		break;
	default:
		connection_on_event(&s->connection, e);
		break;
	}
}

/* --- from the input to closed batches -------------------------------------------------------- */

/* What the assembly holds is closed: its place becomes `place`. */
static void close_batch(struct sending *s, const struct journal_batch *place, size_t index)
{
	struct closed *c = &s->closed[s->closed_count];

	*c = (struct closed){ .place = *place, .index = index,
			      .is_critical = s->assembly.is_critical };
	c->records = assembly_take(&s->assembly);
	if (c->records == NULL) {
		complain("out of memory");
		abandon(s, STATUS_SYSTEM);
		return;
	}
	s->closed_count++;
}

static void close_new_batch(struct sending *s)
{
	struct journal_batch place;
	size_t index = 0;

	if (assembly_is_empty(&s->assembly))
		return;
	assembly_describe(&s->assembly, &place);
	if (s->has_journal) {
		const struct handoff_route *route = handoff_route_between(s->connection.client, NULL,
									  options.to);

		if (route != NULL && route->last_sequence_number > s->sequence_number)
			s->sequence_number = route->last_sequence_number;
		place.sequence_number = ++s->sequence_number;
		index = s->journal.count;
		if (!journal_add(&s->journal, &place)) {
			abandon(s, STATUS_SYSTEM);
			return;
		}
		s->is_synced = false;
	}
	if (await(s, &place, index))
		close_batch(s, &place, index);
}

static void stop_at_line(struct sending *s)
{
	complain("%s", s->assembly.why);
	stop(s, STATUS_DATA);
}

static void complain_of_changed_input(const struct sending *s, const struct journal_batch *b)
{
	complain("the input is not the one that %s was begun with: bytes %" PRIu64 " to %" PRIu64
		 " (from line %" PRIu64 ") %s", options.journal, b->start, b->end, s->input.lines + 1,
		 s->input.has_ended && !input_has(&s->input, b->end - b->start) ? "are missing" :
										   "differ");
}

/* Goes through the journal's next batch; false when its bytes are not all there yet. */
static bool repeat_one(struct sending *s)
{
	const struct journal_batch *b = &s->journal.batches[s->repeat_at];
	const size_t n = (size_t)(b->end - b->start);
	uint8_t actual[SHA256_BYTES];

	if (!input_has(&s->input, n) && !s->input.has_ended)
		return false;
	if (input_has(&s->input, n))
		sha256(buf_bytes(&s->input.bytes), n, actual);
	if (!input_has(&s->input, n) || memcmp(actual, b->sha256, sizeof(actual)) != 0) {
		complain_of_changed_input(s, b);
		stop(s, STATUS_DATA);
		return true;
	}
	s->sequence_number = b->sequence_number;
	if (b->state == JOURNAL_CLOSED) {
		if (assembly_repeat(&s->assembly, b))
			close_batch(s, b, s->repeat_at);
		else
			stop_at_line(s);
	} else {
		input_skip(&s->input, n, b->lines);
		s->assembly.first_line = s->input.lines;
	}
	s->repeat_at++;
	return true;
}

/* False when no more can be done with the bytes that are there. */
static bool assemble_one(struct sending *s)
{
	const struct handoff_route *route = handoff_route_between(s->connection.client, NULL,
								  options.to);
	struct assembly_limits limits;

	if (route == NULL) {
		complain("the broker knows no route from %s to %s", common.module, options.to);
		stop(s, STATUS_CONFIG);
		return false;
	}
	limits = (struct assembly_limits){
		.records = route->batch_size,
		.bytes = handoff_max_records_bytes(s->connection.client),
		.ends_at_critical = true,
	};
	switch (assembly_proceed(&s->assembly, &limits)) {
	case ASSEMBLY_FULL:
		close_new_batch(s);
		return true;
	case ASSEMBLY_BAD:
		close_new_batch(s);
		stop_at_line(s);
		return false;
	case ASSEMBLY_MORE:
		break;
	}
	if (s->input.has_ended ||
	    (!assembly_is_empty(&s->assembly) &&
	     clock_monotonic_ms() - s->assembly.first_at_ms >= (int64_t)route->flush_timeout_ms))
		close_new_batch(s);
	return false;
}

static bool has_repeats(const struct sending *s)
{
	return s->has_journal && s->repeat_at < s->journal.read_count;
}

static void assemble(struct sending *s)
{
	bool goes_on = s->connection.was_connected;

	while (goes_on && !s->is_stopped && s->closed_count < CLOSED_MAX)
		goes_on = has_repeats(s) ? repeat_one(s) : assemble_one(s);
}

/* --- from closed batches to the library ------------------------------------------------------ */

static bool hand_over_one(struct sending *s, const struct closed *c)
{
	struct handoff_batch b = {
		.target_module = options.to,
		.batch_id = c->place.id,
		.sequence_number = c->place.sequence_number,
		.critical = c->is_critical,
	};
	int r;

	b.records = handoff_records_bytes(c->records, &b.records_bytes);
	r = handoff_send_batch(s->connection.client, &b, NULL);
	if (r == HANDOFF_AGAIN)
		return false;
	if (r != 0) {
		complain("sending a batch: %s", handoff_result_text(r));
		abandon(s, r == HANDOFF_NO_ROUTE ? STATUS_CONFIG : STATUS_INTERNAL);
		return false;
	}
	return true;
}

static void hand_over(struct sending *s)
{
	size_t n = 0;

	if (s->closed_count > 0 && s->has_journal && !s->is_synced) {
		if (!journal_sync(&s->journal)) {
			abandon(s, STATUS_IO);
			return;
		}
		s->is_synced = true;
	}
	while (n < s->closed_count && hand_over_one(s, &s->closed[n]))
		handoff_records_destroy(s->closed[n++].records);
	s->closed_count -= n;
	memmove(s->closed, s->closed + n, s->closed_count * sizeof(s->closed[0]));
}

/* --- the loop -------------------------------------------------------------------------------- */

static bool wants_input(const struct sending *s)
{
	return s->connection.was_connected && !s->is_stopped && !s->input.has_ended &&
	    s->closed_count == 0;
}

/* Everything that was read is RECEIVED or refused, and its outcome, where it matters, is known. */
static bool is_done(const struct sending *s)
{
	if (!s->is_stopped && !s->input.has_ended)
		return false;
	if (!s->is_stopped && (has_repeats(s) || !assembly_is_empty(&s->assembly) ||
			       s->input.taken < s->input.bytes.len))
		return false;
	if (s->closed_count > 0 || handoff_unacknowledged(s->connection.client) > 0)
		return false;
	return s->is_stopped || HASH_COUNT(s->awaited) == 0;
}

/* How long the batch that is being gathered may still wait; -1: there is none. */
static int until_flush_ms(const struct sending *s)
{
	const struct handoff_route *route = handoff_route_between(s->connection.client, NULL,
								  options.to);
	int64_t left;

	if (route == NULL || assembly_is_empty(&s->assembly) || s->closed_count > 0 || s->is_stopped)
		return -1;
	left = s->assembly.first_at_ms + (int64_t)route->flush_timeout_ms - clock_monotonic_ms();
	return left > 0 ? (int)left : 0;
}

static int shorter(int a, int b)
{
	return b >= 0 && (a < 0 || b < a) ? b : a;
}

static void wait_and_read(struct sending *s)
{
	struct pollfd in = { .fd = wants_input(s) ? s->input.fd : -1, .events = POLLIN };

	int status;

	s->progress.waiting = handoff_unacknowledged(s->connection.client);
	connection_wait(&s->connection, &in, 1,
			shorter(progress_show(&s->progress), until_flush_ms(s)), NULL);
	if (in.revents != 0 && (status = input_fill(&s->input)) >= 0)
		stop(s, status);
}

static int run(struct sending *s)
{
	const struct handoff_event *e;
	int status;

	for (;;) {
		while ((e = handoff_take_event(s->connection.client)) != NULL)
			on_event(s, e);
		status = connection_status(&s->connection);
		if (status >= 0)
			return s->status != STATUS_OK ? s->status : status;
		if (s->is_abandoned)
			return s->status;
		assemble(s);
		hand_over(s);
		if (is_done(s))
			connection_drain(&s->connection);
		/* What was done may have events of its own: none may be left while we wait. */
		e = handoff_take_event(s->connection.client);
		if (e != NULL)
			on_event(s, e);
		else
			wait_and_read(s);
	}
}

/* --- the command ----------------------------------------------------------------------------- */

static void finish(struct sending *s)
{
	struct awaited *a, *next;

	HASH_ITER(hh, s->awaited, a, next)
		forget(s, a);
	for (size_t i = 0; i < s->closed_count; i++)
		handoff_records_destroy(s->closed[i].records);
	assembly_finish(&s->assembly);
	input_finish(&s->input);
	connection_close(&s->connection);
	if (s->has_journal)
		journal_close(&s->journal);
}

/* What earlier runs left: batches that are not RECEIVED, and outcomes that are still to come. */
static bool take_up_journal(struct sending *s)
{
	size_t done = 0;

	for (size_t i = 0; i < s->journal.read_count; i++) {
		const struct journal_batch *b = &s->journal.batches[i];
		const bool is_awaited = b->state == JOURNAL_CLOSED ||
		    (b->state == JOURNAL_RECEIVED && waits_for_outcome());

		if (is_awaited && !await(s, b, i))
			return false;
		done += b->state != JOURNAL_CLOSED;
		s->dead += b->state == JOURNAL_REJECTED;
	}
	if (s->journal.read_count > 0)
		tell("going on: %zu batches are in custody, %zu are sent again", done,
		     s->journal.read_count - done);
	return true;
}

static int send_all(struct sending *s)
{
	char run_id[HANDOFF_ID_SIZE];
	const char *id_run = s->has_journal ? s->journal.run : run_id;
	const struct connection_wishes wishes = {
		.instance = s->has_journal ? s->journal.instance : NULL,
		.mailbox = waits_for_outcome(),
	};
	int status;

	handoff_make_id(run_id);
	progress_init(&s->progress);
	input_init(&s->input, STDIN_FILENO);
	if (!assembly_init(&s->assembly, &s->input, options.id_field, id_run)) {
		complain("out of memory");
		return STATUS_SYSTEM;
	}
	if (s->has_journal && !take_up_journal(s))
		return STATUS_SYSTEM;
	status = connection_open(&s->connection, &common, &wishes);
	if (status < 0)
		status = run(s);
	if (s->has_journal && !journal_sync(&s->journal) && status == STATUS_OK)
		status = STATUS_IO;
	progress_tell(&s->progress, "sent");
	if (status == STATUS_OK && waits_for_outcome() && s->dead + s->partial > 0) {
		complain("%" PRIu64 " batches are dead letters, or have rejected records",
			 s->dead + s->partial);
		status = STATUS_FAILED;
	}
	return status;
}

static int check_options(void)
{
	if (common.module == NULL || options.to == NULL) {
		complain("--module and --to are needed: who sends, and to whom");
		return STATUS_USAGE;
	}
	if (options.wait == NULL)
		options.wait = "received";
	if (strcmp(options.wait, "received") != 0 && strcmp(options.wait, "processed") != 0) {
		complain("--wait is received or processed, not \"%s\"", options.wait);
		return STATUS_USAGE;
	}
	if (options.id_field == NULL)
		options.id_field = "record_id";
	return -1;
}

int cmd_send(int argc, char **argv)
{
	struct sending *s = calloc(1, sizeof(*s));
	struct journal_settings settings;
	int status;

	if (s == NULL)
		return STATUS_SYSTEM;
	status = options_read(&usage, argc, argv, NULL, NULL);
	if (status < 0)
		status = check_options();
	if (status < 0) {
		tls_init();
		settings = (struct journal_settings){ common.module, options.to, options.id_field,
						      options.wait };
		if (options.journal != NULL)
			s->has_journal = journal_open(&s->journal, options.journal, &settings,
						      common.instance, &status);
		if (options.journal == NULL || s->has_journal)
			status = send_all(s);
		finish(s);
	}
	free(s);
	return status;
}
