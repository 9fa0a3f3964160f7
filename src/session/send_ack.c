/* send_ack.c - RECEIVED, the outcome of a batch, and the echo to a target */
#include <stdio.h>

#include "session/send.h"

/* `error` is the broker's own; NULL: none. */
static void encode(struct session *s, const struct envelope *e, const struct ack_out *a,
    const struct error_out *error)
{
	struct ack_out whole = *a;

	whole.errors = error;
	whole.error_count = error ? 1 : 0;
	encode_ack(output_frames(s), e, &whole);
	output_done(s);
}

/* How a batch has ended, as its source is told: the broker's error first, then the target's. */
static void fill_end(struct ack_out *a, const struct ended *end)
{
	a->status = end->dead ? ACK_REJECTED : ACK_PROCESSED;
	a->records_accepted = end->accepted;
	a->records_rejected = end->rejected;
	a->processing_duration_ms = end->duration_ms;
	a->more_errors = (struct span){ (const char *)end->errors, end->errors_len };
	a->more_error_count = end->error_count;
}

/* As it stands in the error queue, where it is kept still; the same whenever it is told. */
static bool send_kept(struct session *s, const struct envelope *e, struct ack_out *a,
    const struct ended *end)
{
	struct buf errors;
	bool kept = false;

	buf_init(&errors, SIZE_MAX);
	if (end->error_code != INT_NONE && core_end_error(s->all->core, end, &errors)) {
		if (end->errors_len > 0)
			buf_put(&errors, end->errors, end->errors_len);
		kept = !errors.failed;
	}
	if (kept) {
		a->more_errors = (struct span){ (const char *)buf_bytes(&errors), errors.len };
		a->more_error_count++;
		encode(s, e, a, NULL);
	}
	buf_finish(&errors);
	return kept;
}

static bool end_fault(const struct ended *end, struct fault *f)
{
	if (end->error_code == INT_NONE)
		return false;
	fault_set(f, (enum error_code)end->error_code, "", "%s", "");
	return true;
}

static void send_end(struct session *s, struct envelope *e, struct ack_out *a,
    const struct ended *end)
{
	struct error_texts texts;
	struct error_out error;
	struct fault f;

	fill_end(a, end);
	if (send_kept(s, e, a, end))
		return;
	if (!end_fault(end, &f)) {
		encode(s, e, a, NULL);
		return;
	}
	send_texts(&texts, e, &a->batch_id);
	error = send_error(s, e, &f, &texts);
	encode(s, e, a, &error);
}

static void send_received(struct session *s, struct envelope *e, struct ack_out *a,
    const struct offer_answer *answer, uint64_t record_count)
{
	struct error_texts texts;
	struct error_out warning;

	a->status = ACK_RECEIVED;
	a->records_accepted = record_count;
	if (answer->warning.code == INT_NONE) {
		encode(s, e, a, NULL);
		return;
	}
	send_texts(&texts, e, &a->batch_id);
	warning = send_error(s, e, &answer->warning, &texts);
	encode(s, e, a, &warning);
}

void send_offer_answer(struct session *s, const struct message *m,
    const struct offer_answer *answer)
{
	if (answer->fault.code != INT_NONE) {
		send_refusal(s, m, &answer->fault, answer->route);
		return;
	}
	struct envelope e = send_envelope(s, m);
	struct ack_out a = {
		.batch_id = m->batch.batch_id,
		.duplicate = answer->duplicate,
		.route = span_of(route_settings(answer->route)->name),
	};
	if (answer->has_end)
		send_end(s, &e, &a, &answer->end);
	else
		send_received(s, &e, &a, answer, m->batch.record_count);
	for (size_t n = 0; answer->completed && n < m->batch.complete_count; n++)
		send_echo(s, m, &m->batch.completes[n], answer->completed[n], false);
}

void send_echo(struct session *s, const struct message *m, const struct message_ack *of,
    const struct route *route, bool duplicate)
{
	struct envelope e = send_envelope(s, m);
	struct ack_out a = {
		.batch_id = of->batch_id,
		.status = of->status,
		.records_accepted = of->records_accepted,
		.records_rejected = of->records_rejected,
		.processing_duration_ms = of->processing_duration_ms,
		.lease = of->lease,
		.duplicate = duplicate,
		.route = span_of(route_settings(route)->name),
	};

	encode(s, &e, &a, NULL);
}

void send_outcome(struct session *s, const struct ended *end, const struct route *route)
{
	struct envelope e = send_envelope(s, NULL);
	struct ack_out a = {
		.batch_id = end->batch_id,
		.route = span_of(route_settings(route)->name),
	};

	e.notice = end->notice;
	e.correlation_id = (struct span){ end->correlation, end->correlation_len };
	send_end(s, &e, &a, end);
}
