/*
 * session.c - the conversation on one connection
 *
 *	HELLO ─► WELCOME ─► batches, acknowledgments, deliveries, outcomes … ─► GOODBYE
 *
 * Who gets which message: WELCOME is the client's (routes.c); an answer goes to the batch
 * (outbox.c) or the delivery (ending.c, receiver.c) whose message it answers; a delivery to
 * receiver.c; an outcome, which answers nothing, to the caller. Messages this library does not know
 * are ignored.
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
	const bool is_first = c->state != HANDOFF_CONNECTED;

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
	switch (g->reason) {
	case GOODBYE_UNAUTHORIZED:
	case GOODBYE_PROTOCOL_ERROR:
	case GOODBYE_REPLACED:
		client_give_up(c, "the broker said GOODBYE %s: %s", reason, text);
		break;
	default:
		client_lose(c, "the broker said GOODBYE %s: %s", reason, text);
		break;
	}
}

static bool is_known_notice(struct handoff_client *c, const struct message *m)
{
	if (!m->has_notice)
		return false;
	if (m->notice <= c->newest_notice && events_have_notice(c, m->notice))
		return true;
	if (m->notice > c->newest_notice)
		c->newest_notice = m->notice;
	return false;
}

/* How a batch of ours ended at its target. */
static void handle_outcome(struct handoff_client *c, const struct message *m)
{
	const struct message_ack *a = &m->ack;
	struct event *e;

	if (a->status == ACK_RECEIVED || is_known_notice(c, m))
		return;
	e = event_create(c, a->status == ACK_PROCESSED ? HANDOFF_EVENT_PROCESSED
						       : HANDOFF_EVENT_REJECTED);
	if (e == NULL || !event_set_errors(c, e, a->errors, a->error_count)) {
		event_destroy(e);
		return;
	}
	uuid_format(&a->batch_id, e->batch_id);
	copy_text(e->route, sizeof(e->route), a->route.p != NULL ? a->route : span_of(""));
	e->notice = m->has_notice ? m->notice : 0;
	e->shown.records_accepted = a->records_accepted;
	e->shown.records_rejected = a->records_rejected;
	event_post(c, e);
}

/* The deliveries that a deadline, or a lost connection, has taken away. */
static void lose_deliveries(struct handoff_client *c, const struct message_error_notification *n)
{
	struct handoff_delivery *d, *next;

	for (size_t i = 0; i < n->error_count; i++) {
		const struct message_error *error = &n->errors[i];

		if (!span_is(error->error_code, "INT_DELIVERY_001") || error->batch_id.p == NULL)
			continue;
		for (d = TAILQ_FIRST(&c->deliveries); d != NULL; d = next) {
			next = TAILQ_NEXT(d, link);
			if (span_is(error->batch_id, d->batch_id_text))
				delivery_lose(d);
		}
	}
}

/* A RECEIVED that was on its way when its delivery ended says nothing to anybody. */
static bool is_late_refusal(const struct message *m)
{
	const struct message_error_notification *n = &m->error_notification;

	return m->has_in_reply_to && n->error_count == 1 &&
	    span_is(n->errors[0].error_code, "INT_DELIVERY_005");
}

static void handle_errors(struct handoff_client *c, const struct message *m)
{
	const struct message_error_notification *n = &m->error_notification;
	struct event *e;

	if (is_late_refusal(m) || is_known_notice(c, m))
		return;
	lose_deliveries(c, n);
	e = event_create(c, HANDOFF_EVENT_ERRORS);
	if (e == NULL || !event_set_errors(c, e, n->errors, n->error_count)) {
		event_destroy(e);
		return;
	}
	e->shown.action = (enum handoff_action)n->action_required;
	e->notice = m->has_notice ? m->notice : 0;
	event_post(c, e);
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
		client_give_up(c, "the broker refused HELLO: %s %s", code, text);
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
			handle_outcome(c, m);
		break;
	case MESSAGE_ERROR_NOTIFICATION:
		if (c->state == HANDOFF_CONNECTING)
			handle_refused_hello(c, m);
		else if (!outbox_on_answer(c, m) && !ending_on_answer(c, m) &&
			 !receiver_on_refusal(c, m))
			handle_errors(c, m);
		break;
	default:
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
		client_give_up(c, "TLS: %s", link_why(c->link));
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

void session_write(struct handoff_client *c)
{
	int r;

	do {
		if (c->state == HANDOFF_CONNECTED)
			outbox_send(c);
		r = link_flush(c->link);
	} while (r == 0 && c->state == HANDOFF_CONNECTED && outbox_due_ms(c) <= c->now_ms &&
		 c->verdict == VERDICT_NONE);
	c->has_work = false;
	c->flushed_at_ms = c->now_ms;
	if (r == 0 || r == ERR_AGAIN)
		return;
	session_read(c);	/* the broker's last words may be there, and say why */
	client_lose(c, "%s", link_why(c->link));
}
