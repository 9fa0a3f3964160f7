/* send_refusal.c - no, and why, in the form of protocol.md section 9 */
#include "session/send.h"

void send_notification(struct session *s, const struct message *m, const struct fault *f,
    enum action_required action)
{
	struct envelope e = send_envelope(s, m);
	const struct uuid *batch_id = NULL;
	struct error_texts texts;

	if (m && m->header.type == MESSAGE_BATCH_TRANSFER && m->batch.has_batch_id)
		batch_id = &m->batch.batch_id;
	if (m && m->header.type == MESSAGE_ACKNOWLEDGMENT && m->ack.has_batch_id)
		batch_id = &m->ack.batch_id;
	send_texts(&texts, &e, batch_id);
	struct error_out error = send_error(s, &e, f, &texts);
	encode_error_notification(output_frames(s), &e, &error, 1, action);
	output_done(s);
}

static void reject(struct session *s, const struct message *m, const struct fault *f,
    const struct route *route)
{
	struct envelope e = send_envelope(s, m);
	struct error_texts texts;

	send_texts(&texts, &e, &m->batch.batch_id);
	struct error_out error = send_error(s, &e, f, &texts);
	error.transient = f->code == INT_BATCH_004;	/* refused only on an ordered route */
	struct ack_out ack = {
		.batch_id = m->batch.batch_id,
		.status = ACK_REJECTED,
		.records_rejected = m->batch.record_count,
		.errors = &error,
		.error_count = 1,
	};
	if (route)
		ack.route = span_of(route_settings(route)->name);
	encode_ack(output_frames(s), &e, &ack);
	output_done(s);
}

void send_refusal(struct session *s, const struct message *m, const struct fault *f,
    const struct route *route)
{
	if (m->header.type != MESSAGE_BATCH_TRANSFER || !m->batch.has_batch_id) {
		send_notification(s, m, f, ACTION_NONE);
		return;
	}
	if (f->code == INT_ROUTE_002 || f->code == INT_STORE_001)
		send_notification(s, m, f, ACTION_THROTTLE);	/* section 7: it precedes */
	reject(s, m, f, route);
}
