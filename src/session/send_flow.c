/* send_flow.c - what a module is told unasked: back-pressure, warnings, notices of its mailbox */
#include "session/send.h"

void send_backpressure(struct session *s, const struct message_backpressure *b)
{
	struct envelope e = send_envelope(s, NULL);

	encode_backpressure(output_frames(s), &e, b);
	output_done(s);
}

void send_circuit_change(struct session *s, const struct message_circuit_change *change)
{
	struct envelope e = send_envelope(s, NULL);

	encode_circuit_change(output_frames(s), &e, change);
	output_done(s);
}

void send_warning(struct session *s, const struct batch_warning *w)
{
	struct envelope e = send_envelope(s, NULL);
	struct error_texts texts;
	struct fault f;

	e.correlation_id = w->correlation;
	fault_set(&f, w->code, "", "%s", "");
	send_texts(&texts, &e, &w->batch_id);
	struct error_out error = send_error(s, &e, &f, &texts);
	encode_error_notification(output_frames(s), &e, &error, 1, ACTION_NONE);
	output_done(s);
}

void send_notice(struct session *s, uint64_t number, const uint8_t *body, size_t n)
{
	struct buf *out = output_frames(s), tail;
	size_t skip;

	buf_init(&tail, SIZE_MAX);
	encode_noticed(out, &tail, body, n, &skip, number);
	buf_put(out, body + skip, n - skip);
	buf_put(out, buf_bytes(&tail), tail.len);
	out->failed |= tail.failed;
	buf_finish(&tail);
	output_done(s);
}
