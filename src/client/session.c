/*
 * session.c - the conversation on one connection
 *
 *	HELLO ─► WELCOME ─► batches, acknowledgments, deliveries, outcomes … ─► GOODBYE
 *
 * Who gets which message: WELCOME is the client's (routes.c); an answer goes to the batch
 * (outbox.c) or the delivery (ending.c, receiver.c) whose message it answers; a delivery to
 * receiver.c; what answers nothing goes to the caller (notices.c), or is about back-pressure
 * (flow.c), or about health (health.c). Messages this library does not know are ignored.
 */
#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "client/ids.h"
#include "client/internal.h"
#include "wire/text.h"

/* So many frames are handled before other things get their turn. */
#define FRAMES_A_TURN 64
/* WELCOME, with as many routes as anybody declares. */
#define WELCOME_MAX_BYTES ((size_t)1024 * 1024)
/* The longest that the broker's reconnect_delay_ms is obeyed. */
#define RECONNECT_DELAY_MAX_MS 600000

struct envelope session_envelope(struct handoff_client *c, const char *correlation_id)
{
	struct envelope e = {
		.source_module = span_of(c->options->module),
		.target_module = span_of("BROKER"),
		.timestamp_us = datetime_now_us(),
		.has_seen = c->has_seen,
		.seen = c->seen,
	};

	if (correlation_id != NULL)
		e.correlation_id = span_of(correlation_id);
	id_make(&e.message_id);
	c->has_seen = false;
	return e;
}

void session_begin(struct handoff_client *c)
{
	struct envelope e = session_envelope(c, NULL);
	uint64_t holds[HOLDS_MAX];
	struct hello_out h = {
		.instance_id = span_of(c->options->instance_id),
		/* One that drains takes nothing new. */
		.max_in_flight = c->is_draining ? 0 : c->options->max_in_flight,
		.mailbox = c->options->mailbox,
		.broker_id = c->has_broker_id ? &c->broker_id : NULL,
		.holds = holds,
		.hold_count = receiver_holds(c, holds),
		.client = span_of(c->options->client_name),
	};

	e.has_seen = c->has_broker_id && c->seen > 0;
	e.seen = c->seen;
	encode_hello(link_out(c->link), &e, &h);
	c->is_greeted = true;
	c->has_work = true;
}

void session_say_goodbye(struct handoff_client *c, enum goodbye_reason reason)
{
	struct envelope e = session_envelope(c, NULL);

	encode_goodbye(link_out(c->link), &e, &(struct goodbye_out){ .reason = reason });
	c->has_work = true;
}

/* --- what comes ------------------------------------------------------------------------------ */

static void copy_text(char *to, size_t size, struct span from)
{
	snprintf(to, size, "%.*s", (int)(from.n < size ? from.n : size - 1), from.p);
}

/* Another store: its notices begin anew, and it has seen nothing of ours. */
static void meet_broker(struct handoff_client *c, const struct uuid *broker_id)
{
	if (c->has_broker_id && uuid_equal(&c->broker_id, broker_id))
		return;
	c->broker_id = *broker_id;
	c->has_broker_id = true;
	c->seen = 0;
	c->has_seen = false;
	c->newest_notice = 0;
}

static void handle_welcome(struct handoff_client *c, const struct message *m)
{
	const struct message_welcome *w = &m->welcome;
	const bool is_first = c->state != HANDOFF_CONNECTED;	/* on this connection */

	if (!routes_take(c, w)) {
		client_lose(c, "out of memory: the settings of %zu routes", w->route_count);
		return;
	}
	meet_broker(c, &w->broker_id);
	copy_text(c->broker, sizeof(c->broker), w->broker);
	c->max_frame_bytes = w->max_frame_bytes < SIZE_MAX - DELIVERY_EXTRA_BYTES
	    ? (size_t)w->max_frame_bytes : SIZE_MAX - DELIVERY_EXTRA_BYTES;
	if (is_first) {
		c->connected_at_ms = c->now_ms;
		c->why[0] = '\0';
	}
	client_set_state(c, HANDOFF_CONNECTED);
	if (is_first)
		receiver_on_welcome(c);
	flow_on_welcome(c, is_first);
}

static enum handoff_end end_of(enum goodbye_reason reason)
{
	switch (reason) {
	case GOODBYE_UNAUTHORIZED: return HANDOFF_END_UNAUTHORIZED;
	case GOODBYE_PROTOCOL_ERROR: return HANDOFF_END_PROTOCOL_ERROR;
	case GOODBYE_REPLACED: return HANDOFF_END_REPLACED;
	default: return HANDOFF_END_NONE;	/* another connection may do better */
	}
}

static void handle_goodbye(struct handoff_client *c, const struct message *m)
{
	const struct message_goodbye *g = &m->goodbye;
	const char *reason = goodbye_reason_name(g->reason);
	char text[WHY_SIZE] = "no reason given";

	if (g->message.p != NULL)
		text_escape(text, sizeof(text), g->message.p, g->message.n);
	c->reconnect_delay_ms = g->reconnect_delay_ms < RECONNECT_DELAY_MAX_MS
	    ? (int64_t)g->reconnect_delay_ms : RECONNECT_DELAY_MAX_MS;
	if (end_of(g->reason) != HANDOFF_END_NONE)
		client_give_up(c, end_of(g->reason), "the broker said GOODBYE %s: %s", reason,
			       text);
	else
		client_lose(c, "the broker said GOODBYE %s: %s", reason, text);
}

/* The first refusal of HELLO is the reason, the GOODBYE after it only says that it is the end. */
static void handle_refused_hello(struct handoff_client *c, const struct message *m)
{
	const struct message_error *e = m->error_notification.errors;
	char code[32], text[WHY_SIZE];

	if (m->error_notification.error_count == 0)
		return;
	text_escape(code, sizeof(code), e->error_code.p, e->error_code.n);
	text_escape(text, sizeof(text), e->error_message.p, e->error_message.n);
	if (e->retry_eligible)
		client_lose(c, "the broker refused HELLO: %s %s", code, text);
	else
		client_give_up(c, strncmp(code, "INT_AUTH_", strlen("INT_AUTH_")) == 0 ?
			       HANDOFF_END_UNAUTHORIZED : HANDOFF_END_PROTOCOL_ERROR,
			       "the broker refused HELLO: %s %s", code, text);
}

static void handle(struct handoff_client *c, const struct message *m, struct frame *frame)
{
	switch (m->header.type) {
	case MESSAGE_WELCOME:
		handle_welcome(c, m);
		break;
	case MESSAGE_GOODBYE:
		handle_goodbye(c, m);
		break;
	case MESSAGE_BATCH_TRANSFER:
		if (m->batch.has_delivery && c->state == HANDOFF_CONNECTED)
			receiver_on_delivery(c, m, frame);
		break;
	case MESSAGE_ACKNOWLEDGMENT:
		if (!outbox_on_answer(c, m) && !ending_on_answer(c, m) && !m->has_in_reply_to)
			notice_on_outcome(c, m);
		break;
	case MESSAGE_ERROR_NOTIFICATION:
		if (c->state == HANDOFF_CONNECTING)
			handle_refused_hello(c, m);
		else if (!outbox_on_answer(c, m) && !ending_on_answer(c, m) &&
			 !receiver_on_refusal(c, m))
			notice_on_errors(c, m);
		break;
	case MESSAGE_DELIVERY_CONFIRMATION:
		notice_on_confirmation(c, m);
		break;
	case MESSAGE_HEALTH_CHECK_REQUEST:
		health_on_request(c, m);
		break;
	case MESSAGE_HEALTH_CHECK_RESPONSE:
		health_on_response(c, m);
		break;
	case MESSAGE_CIRCUIT_STATE_CHANGE:
		circuit_on_change(c, &m->circuit_change);
		break;
	case MESSAGE_BACKPRESSURE:
		flow_on_signal(c, &m->backpressure);
		break;
	default:
		notice_pass_over(c, m);
		break;
	}
}

static void handle_frame(struct handoff_client *c, struct frame *frame)
{
	struct message m = { .header.type = MESSAGE_UNKNOWN };
	struct fault f = { .code = INT_NONE };

	if (message_decode(c->decoder, frame->data, frame->len, &m, &f) == 0)
		handle(c, &m, frame);
	else if (f.code != INT_PROTOCOL_004)	/* a newer broker may say more than we know */
		client_lose(c, "the broker's message is wrong: %s expected %s, found %s",
			    f.field_name, f.expected, f.actual);
}

static void reading_failed(struct handoff_client *c, int error)
{
	/* A refused certificate shows here: the broker judges it after our handshake. */
	if (error == ERR_TLS && c->state == HANDOFF_CONNECTING)
		client_give_up(c, HANDOFF_END_TLS, "TLS: %s", link_why(c->link));
	else
		client_lose(c, "%s", link_why(c->link));
}

static size_t frame_max(const struct handoff_client *c)
{
	return c->state == HANDOFF_CONNECTED && c->max_frame_bytes + DELIVERY_EXTRA_BYTES >
	    WELCOME_MAX_BYTES ? c->max_frame_bytes + DELIVERY_EXTRA_BYTES : WELCOME_MAX_BYTES;
}

void session_read(struct handoff_client *c)
{
	struct frame *frame;
	int r;

	for (int i = 0; i < FRAMES_A_TURN && c->verdict == VERDICT_NONE; i++) {
		if (events_are_full(c))
			return;
		r = link_receive(c->link, frame_max(c), &frame);
		if (r == ERR_AGAIN)
			return;
		if (r != 0) {
			reading_failed(c, r);
			return;
		}
		handle_frame(c, frame);
		frame_unref(frame);
	}
}

/* --- what goes ------------------------------------------------------------------------------- */

/* Batches, or confirmations, could go now. */
static bool has_more(const struct handoff_client *c)
{
	return c->state == HANDOFF_CONNECTED && c->verdict == VERDICT_NONE &&
	    (outbox_due_ms(c) <= c->now_ms || confirmations_are_due(c));
}

void session_write(struct handoff_client *c)
{
	int r;

	do {
		if (c->state == HANDOFF_CONNECTED) {
			confirmations_send(c);
			outbox_send(c);
			notices_proceed(c);	/* last: what went has carried it */
		}
		r = link_flush(c->link);
		if (r == 0)
			confirmations_on_written(c);
	} while (r == 0 && has_more(c));
	c->has_work = false;
	c->flushed_at_ms = c->now_ms;
	if (r == 0 || r == ERR_AGAIN)
		return;
	session_read(c);	/* the broker's last words may be there, and say why */
	client_lose(c, "%s", link_why(c->link));
}
