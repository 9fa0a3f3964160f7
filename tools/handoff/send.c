/*
 * send.c - handoff send: records from standard input into the broker's custody
 *
 *	input ─► assembly ─► closed ── journal on the disk ─► the library ─► RECEIVED
 *	                                                         (─► PROCESSED (─► confirmed))
 *
 * A turn of the loop: take what the library tells, close batches of what was read, hand them over,
 * wait, read on while nothing is closed. With a journal, its batches are gone through first
 * (journal.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/datetime.h"
#include "net/tls.h"
#include "tools/handoff/command.h"
#include "tools/handoff/options.h"
#include "tools/handoff/report.h"
#include "tools/handoff/sending.h"

static struct common common;
static struct {
	const char *to, *id_field, *wait, *journal;
} options;

static const struct option send_options[] = {
	{ "to", 't', OPTION_TEXT, &options.to, "NAME", "the module that the records are for", 0, 0 },
	{ "id-field", 'i', OPTION_TEXT, &options.id_field, "FIELD",
	  "take record_id from this field; default: record_id, or one is made", 0, 0 },
	{ "wait", 'w', OPTION_TEXT, &options.wait, "WHAT",
	  "until when: received (default), processed or confirmed", 0, 0 },
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

void sending_stop(struct sending *s, int status)
{
	s->is_stopped = true;
	if (s->status == STATUS_OK)
		s->status = status;
}

void sending_abandon(struct sending *s, int status)
{
	sending_stop(s, status);
	s->is_abandoned = true;
}

/* --- from closed batches to the library ------------------------------------------------------ */

static bool hand_over_one(struct sending *s, const struct closed *c)
{
	struct handoff_batch b = {
		.target_module = s->to,
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
		sending_abandon(s, r == HANDOFF_NO_ROUTE ? STATUS_CONFIG : STATUS_INTERNAL);
		return false;
	}
	return true;
}

static void hand_over(struct sending *s)
{
	size_t n = 0;

	if (s->closed_count > 0 && s->has_journal && !s->is_synced) {
		if (!journal_sync(&s->journal)) {
			sending_abandon(s, STATUS_IO);
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
	if (!s->is_stopped && (sending_has_repeats(s) || !assembly_is_empty(&s->assembly) ||
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
								  s->to);
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
		sending_stop(s, status);
}

static int run(struct sending *s)
{
	const struct handoff_event *e;
	int status;

	for (;;) {
		while ((e = handoff_take_event(s->connection.client)) != NULL)
			sending_on_event(s, e);
		status = connection_status(&s->connection);
		if (status >= 0)
			return s->status != STATUS_OK ? s->status : status;
		if (s->is_abandoned)
			return s->status;
		sending_assemble(s);
		hand_over(s);
		if (is_done(s))
			connection_drain(&s->connection);
		/* What was done may have events of its own: none may be left while we wait. */
		e = handoff_take_event(s->connection.client);
		if (e != NULL)
			sending_on_event(s, e);
		else
			wait_and_read(s);
	}
}

/* --- the command ----------------------------------------------------------------------------- */

static void finish(struct sending *s)
{
	struct awaited *a, *next;

	HASH_ITER(hh, s->awaited, a, next)
		sending_forget(s, a);
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
		    (b->state == JOURNAL_RECEIVED && s->waits_for_outcome);

		if (is_awaited && !sending_await(s, b, i))
			return false;
		done += b->state != JOURNAL_CLOSED;
		s->dead += b->state == JOURNAL_REJECTED;
	}
	if (s->journal.read_count > 0)
		tell("going on: %zu batches are in custody, %zu are sent again", done,
		     s->journal.read_count - done);
	return true;
}

/* Tells how the records fared at their destination; the exit status. */
static int judge_confirmations(const struct sending *s, int status)
{
	tell("%" PRIu64 " records are confirmed", s->confirmed);
	if (s->undelivered > 0)
		complain("%" PRIu64 " records were not delivered", s->undelivered);
	if (s->ambiguous > 0)
		complain("%" PRIu64 " batches were not confirmed in time: whether they were "
			 "delivered is not known", s->ambiguous);
	return status == STATUS_OK && s->undelivered + s->ambiguous > 0 ? STATUS_FAILED : status;
}

static int send_all(struct sending *s)
{
	char run_id[HANDOFF_ID_SIZE];
	const char *id_run = s->has_journal ? s->journal.run : run_id;
	const struct connection_wishes wishes = {
		.instance = s->has_journal ? s->journal.instance : NULL,
		.mailbox = s->waits_for_outcome,
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
	if (status == STATUS_OK && s->waits_for_outcome && s->dead + s->partial > 0) {
		complain("%" PRIu64 " batches are dead letters, or have rejected records",
			 s->dead + s->partial);
		status = STATUS_FAILED;
	}
	return s->waits_for_confirmation ? judge_confirmations(s, status) : status;
}

static int check_options(void)
{
	if (common.module == NULL || options.to == NULL) {
		complain("--module and --to are needed: who sends, and to whom");
		return STATUS_USAGE;
	}
	if (options.wait == NULL)
		options.wait = "received";
	if (strcmp(options.wait, "received") != 0 && strcmp(options.wait, "processed") != 0 &&
	    strcmp(options.wait, "confirmed") != 0) {
		complain("--wait is received, processed or confirmed, not \"%s\"", options.wait);
		return STATUS_USAGE;
	}
	if (strcmp(options.wait, "confirmed") == 0 && options.journal != NULL) {
		complain("--wait confirmed does not go with --journal, which does not remember what "
			 "of a batch has been confirmed");
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
		s->module = common.module;
		s->to = options.to;
		s->waits_for_confirmation = options.wait[0] == 'c';
		s->waits_for_outcome = options.wait[0] == 'p' || s->waits_for_confirmation;
		settings = (struct journal_settings){ s->module, s->to, options.id_field,
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
