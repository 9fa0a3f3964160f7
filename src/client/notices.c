/*
 * notices.c - what the broker owes the caller: outcomes, confirmations, errors; and `seen`
 *
 * A notice that was told is confirmed when the next event is taken (events.c), up to its number:
 * numbers rise, also when one moves from another instance to this. `seen` goes along with the next
 * message; where there is none, a message of its own carries it.
 */
#include <stdio.h>
#include <string.h>

#include "client/internal.h"

/* So long `seen` waits for a message that goes anyway. */
#define SEEN_WAIT_MS 1000

static void copy_text(char *to, size_t size, struct span from)
{
	snprintf(to, size, "%.*s", (int)(from.n < size ? from.n : size - 1), from.p);
}

/* --- seen ------------------------------------------------------------------------------------ */

static void say_soon(struct handoff_client *c)
{
	if (!c->has_seen)
		c->seen_due_ms = c->now_ms + SEEN_WAIT_MS;
	c->has_seen = true;
}

void notices_confirm(struct handoff_client *c, uint64_t notice)
{
	if (notice <= c->seen)
		return;
	c->seen = notice;
	say_soon(c);
}

int64_t notices_due_ms(const struct handoff_client *c)
{
	/* Behind GOODBYE DRAINING only answers may follow, and DONE, which carries it. */
	if (!c->has_seen || c->state != HANDOFF_CONNECTED || c->has_said_draining)
		return INT64_MAX;
	return c->seen_due_ms;
}

void notices_proceed(struct handoff_client *c)
{
	struct envelope e;

	if (notices_due_ms(c) > c->now_ms)
		return;
	e = session_envelope(c, NULL);
	encode_error_notification(link_out(c->link), &e, NULL, 0, ACTION_NONE);
	c->has_work = true;
}

/* It has been told, or is about to be. */
static bool is_known(struct handoff_client *c, const struct message *m)
{
	if (!m->has_notice)
		return false;
	if (m->notice <= c->seen) {
		say_soon(c);		/* the broker has not heard of it */
		return true;
	}
	if (m->notice <= c->newest_notice && events_have_notice(c, m->notice))
		return true;
	if (m->notice > c->newest_notice)
		c->newest_notice = m->notice;
	return false;
}

void notice_pass_over(struct handoff_client *c, const struct message *m)
{
	if (m->has_notice && !is_known(c, m))
		events_carry_notice(c, m->notice);
}

/* --- what is told ---------------------------------------------------------------------------- */

void notice_on_outcome(struct handoff_client *c, const struct message *m)
{
	const struct message_ack *a = &m->ack;
	struct event *e;

	if (a->status == ACK_RECEIVED || is_known(c, m))
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

/* The header is the target's own (protocol section 4): so its module tells the route. */
static void set_route_to(const struct handoff_client *c, struct event *e, struct span target)
{
	char name[MODULE_NAME_MAX + 1];
	const struct route *r;

	copy_text(name, sizeof(name), target);
	r = route_to(c, name);
	if (r != NULL)
		copy_text(e->route, sizeof(e->route), span_of(r->name));
}

void notice_on_confirmation(struct handoff_client *c, const struct message *m)
{
	const struct message_confirmation *x = &m->confirmation;
	struct event *e;

	if (is_known(c, m))
		return;
	e = event_create(c, HANDOFF_EVENT_CONFIRMATION);
	if (e == NULL || !event_set_results(c, e, x->results, x->result_count)) {
		event_destroy(e);
		return;
	}
	uuid_format(&x->batch_id, e->batch_id);
	set_route_to(c, e, m->header.source_module);
	e->notice = m->has_notice ? m->notice : 0;
	event_post(c, e);
}

/* A RECEIVED that was on its way when its delivery ended says nothing to anybody. */
static bool is_late_refusal(const struct message *m)
{
	const struct message_error_notification *n = &m->error_notification;

	return m->has_in_reply_to && n->error_count == 1 &&
	    span_is(n->errors[0].error_code, "INT_DELIVERY_005");
}

/* Deliveries that deadlines have taken away are told as LOST; whether that is all there is. */
static bool lose_deliveries(struct handoff_client *c, const struct message_error_notification *n)
{
	bool is_all = true;

	for (size_t i = 0; i < n->error_count; i++)
		if (!receiver_on_deadline(c, &n->errors[i]))
			is_all = false;
	return is_all && n->action_required == ACTION_NONE;
}

/* The batch that the errors are about, where the first of them names one. */
static void set_batch_of(struct event *e, const struct message_error_notification *n)
{
	struct uuid id;

	if (n->error_count > 0 && n->errors[0].batch_id.p != NULL &&
	    uuid_parse(n->errors[0].batch_id.p, n->errors[0].batch_id.n, &id))
		uuid_format(&id, e->batch_id);
}

void notice_on_errors(struct handoff_client *c, const struct message *m)
{
	const struct message_error_notification *n = &m->error_notification;
	struct event *e;

	if (is_late_refusal(m) || is_known(c, m))
		return;
	if (lose_deliveries(c, n)) {
		if (m->has_notice)
			events_carry_notice(c, m->notice);
		return;
	}
	e = event_create(c, HANDOFF_EVENT_ERRORS);
	if (e == NULL || !event_set_errors(c, e, n->errors, n->error_count)) {
		event_destroy(e);
		return;
	}
	set_batch_of(e, n);
	set_route_to(c, e, m->header.source_module);	/* none leads to BROKER */
	e->shown.action = (enum handoff_action)n->action_required;
	e->notice = m->has_notice ? m->notice : 0;
	event_post(c, e);
}
