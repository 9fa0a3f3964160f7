/* sending_events.c - handoff send: what becomes of the batches that were sent */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/handoff/command.h"
#include "tools/handoff/report.h"
#include "tools/handoff/sending.h"

bool sending_await(struct sending *s, const struct journal_batch *b, size_t index)
{
	struct awaited *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		complain("out of memory");
		sending_abandon(s, STATUS_SYSTEM);
		return false;
	}
	snprintf(a->id, sizeof(a->id), "%s", b->id);
	a->records = b->records;
	a->bytes = b->end - b->start;
	a->index = index;
	HASH_ADD_STR(s->awaited, id, a);
	return true;
}

void sending_forget(struct sending *s, struct awaited *a)
{
	HASH_DEL(s->awaited, a);
	idset_finish(&a->confirmed);
	idset_finish(&a->delivered);
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
		sending_abandon(s, STATUS_IO);
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
	if (!s->waits_for_outcome)
		sending_forget(s, a);
}

static void on_refused(struct sending *s, const struct handoff_event *e, struct awaited *a)
{
	char what[128];

	snprintf(what, sizeof(what), "the broker refused batch %s", a->id);
	complain_errors(what, e->errors, e->error_count);
	sending_stop(s, connection_status_of(e->errors, e->error_count));
	sending_forget(s, a);
}

/* All its records have come to an end, and the batch too. */
static void end_if_confirmed(struct sending *s, struct awaited *a)
{
	if (!a->is_processed || a->confirmed.count < a->accepted)
		return;
	s->confirmed += a->confirmed.count;
	s->undelivered += a->confirmed.count - a->delivered.count;
	sending_forget(s, a);
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
			 e->batch_id, s->to, e->records_rejected);
	}
	if (is_dead || e->records_rejected > 0)
		complain_errors(what, e->errors, e->error_count);
	s->dead += is_dead;
	s->partial += !is_dead && e->records_rejected > 0;
	if (a == NULL || !s->waits_for_outcome)
		return;
	mark(s, a, is_dead || e->records_rejected > 0 ? JOURNAL_REJECTED : JOURNAL_PROCESSED);
	if (is_dead || !s->waits_for_confirmation) {
		sending_forget(s, a);
		return;
	}
	a->is_processed = true;
	a->accepted = e->records_accepted;
	end_if_confirmed(s, a);
}

/* A part of what came of a batch's records. Later ones count: what failed can be delivered yet. */
static void on_confirmation(struct sending *s, const struct handoff_event *e, struct awaited *a)
{
	for (size_t i = 0; i < e->result_count; i++) {
		const struct handoff_record_result *r = &e->results[i];
		const bool is_good = r->status == HANDOFF_RECORD_DELIVERED;

		if (!is_good)
			complain("batch %s: record %s: %s at %s", e->batch_id, r->record_id,
				 handoff_record_status_name(r->status), r->destination_id);
		if (a == NULL || !s->waits_for_confirmation)
			continue;
		if (idset_add(&a->confirmed, r->record_id, r->record_id_len) == IDSET_NO_MEMORY ||
		    (is_good && idset_add(&a->delivered, r->record_id, r->record_id_len) ==
		     IDSET_NO_MEMORY)) {
			complain("out of memory");
			sending_abandon(s, STATUS_SYSTEM);
			return;
		}
	}
	if (a != NULL && s->waits_for_confirmation)
		end_if_confirmed(s, a);
}

/* The broker has waited for long enough, and so have we; what is to be done is the operator's. */
static void end_if_ambiguous(struct sending *s, const struct handoff_event *e, struct awaited *a)
{
	if (a == NULL || !s->waits_for_confirmation || e->error_count == 0 ||
	    e->errors[0].code == NULL || strcmp(e->errors[0].code, "INT_DELIVERY_006") != 0)
		return;
	s->ambiguous++;
	sending_forget(s, a);
}

void sending_on_event(struct sending *s, const struct handoff_event *e)
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
		end_if_ambiguous(s, e, a);
		break;
	case HANDOFF_EVENT_CONFIRMATION:
		on_confirmation(s, e, a);
		break;
	case HANDOFF_EVENT_BACKPRESSURE:
		progress_on_backpressure(&s->progress, e);
		break;
	default:
		connection_on_event(&s->connection, e);
		break;
	}
}
