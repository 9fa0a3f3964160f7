/* sending_events.c - handoff send: what becomes of the batches that were sent */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
		break;
	default:
		connection_on_event(&s->connection, e);
		break;
	}
}
