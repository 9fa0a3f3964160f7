/* handle.c - which message may come when, and who may send it */
#include <string.h>

#include "base/log.h"
#include "session/internal.h"

/*
 * Every message from a module passes here: decoded, its sender's right checked, then looked up in
 * the table. What a message does is in handle_<message>.c.
 */
#define IN(state) (1u << (state))
#define IN_SESSION (IN(SESSION_OPEN) | IN(SESSION_DRAINING))

static const struct {
	void (*handle)(struct session *s, const struct message *m, struct frame *frame);
	unsigned states;
} messages[] = {
	[MESSAGE_HELLO] = { handle_hello, IN(SESSION_NEW) },
	[MESSAGE_GOODBYE] = { handle_goodbye, IN_SESSION },
	[MESSAGE_BATCH_TRANSFER] = { handle_batch, IN_SESSION },
	[MESSAGE_ACKNOWLEDGMENT] = { handle_acknowledgment, IN_SESSION },
	[MESSAGE_DELIVERY_CONFIRMATION] = { handle_delivery_confirmation, IN_SESSION },
	[MESSAGE_BACKPRESSURE] = { handle_backpressure, IN_SESSION },
	[MESSAGE_ERROR_NOTIFICATION] = { handle_error_notification, IN_SESSION },
	[MESSAGE_HEALTH_CHECK_REQUEST] = { handle_health_request, IN_SESSION },
	[MESSAGE_HEALTH_CHECK_RESPONSE] = { handle_health_response, IN_SESSION },
};
#define MESSAGE_COUNT (sizeof messages / sizeof messages[0])

static bool is_allowed(const struct session *s, enum message_type type)
{
	return type < MESSAGE_COUNT && messages[type].handle &&
	    (messages[type].states & IN(s->state));
}

/* Errors after which a conversation cannot go on (section 9), and all of them before HELLO. */
static void end_after(struct session *s, const struct message *m, const struct fault *f)
{
	switch (f->code) {
	case INT_AUTH_001:
	case INT_AUTH_002:
		session_goodbye(s, GOODBYE_UNAUTHORIZED, LEAVE_LOST, 0,
		    error_code_info(f->code)->meaning);
		return;
	case INT_PROTOCOL_001:
	case INT_PROTOCOL_002:
		session_goodbye(s, GOODBYE_PROTOCOL_ERROR, LEAVE_LOST, 0,
		    error_code_info(f->code)->meaning);
		return;
	default:
		if (s->state == SESSION_NEW || m->header.type == MESSAGE_HELLO)
			session_goodbye(s, GOODBYE_PROTOCOL_ERROR, LEAVE_LOST, 0,
			    error_code_info(f->code)->meaning);
	}
}

static void log_refusal(const struct session *s, const struct message *m, const struct fault *f)
{
	core_note_refusal(s->all->core, f->code);
	if (log_allow("message refused", 10))
		log_warning("message refused", "session=%u module=%s code=%s field=%s type=%s",
		    s->id, s->module, error_code_info(f->code)->name,
		    log_quote(f->field_name, strlen(f->field_name)),
		    message_type_name(m->header.type));
}

void session_refuse(struct session *s, const struct message *m, const struct fault *f,
    const struct route *route)
{
	log_refusal(s, m, f);
	send_refusal(s, m, f, route);
}

static void refuse(struct session *s, const struct message *m, const struct fault *f)
{
	log_refusal(s, m, f);
	if (f->code == INT_PROTOCOL_001)
		send_notification(s, NULL, f, ACTION_NONE);	/* nothing in it can be trusted */
	else
		send_refusal(s, m, f, NULL);
	end_after(s, m, f);
}

/* The header's modules: the sender is who its certificate says, the target exists. */
static bool check_modules(struct session *s, const struct message *m, struct fault *f)
{
	const struct message_header *h = &m->header;

	if (!span_is(h->source_module, "BROKER") &&
	    !core_module_name(s->all->core, h->source_module)) {
		fault_set(f, INT_PROTOCOL_005, "header.source_module", "a declared module");
		fault_found(f, h->source_module);
		return false;
	}
	if (!span_is(h->source_module, s->module)) {
		fault_set(f, INT_AUTH_002, "header.source_module", "%s", s->module);
		fault_found(f, h->source_module);
		return false;
	}
	if (span_is(h->target_module, "BROKER") || span_is(h->target_module, "ALL") ||
	    core_module_name(s->all->core, h->target_module))
		return true;
	fault_set(f, INT_PROTOCOL_005, "header.target_module", "a declared module, BROKER or ALL");
	fault_found(f, h->target_module);
	return false;
}

static const char *expected_now(const struct session *s)
{
	switch (s->state) {
	case SESSION_NEW:
		return "HELLO first";
	case SESSION_DRAINING:
		return "answers for what is held, then GOODBYE DONE";
	default:
		return "a message that a module may send now";
	}
}

void session_handle(struct session *s, struct frame *frame)
{
	/* message_decode() fills what is read of them; to zero them first, as the build does, is slow. */
	__attribute__((uninitialized)) struct message m;
	__attribute__((uninitialized)) struct fault f;

	if (s->instance)
		core_heard(s->all->core, s->instance);
	if (message_decode(s->all->decoder, frame->data, frame->len, &m, &f) != 0) {
		refuse(s, &m, &f);
		return;
	}
	if (!check_modules(s, &m, &f)) {
		refuse(s, &m, &f);
		return;
	}
	if (!is_allowed(s, m.header.type)) {
		fault_set(&f, INT_PROTOCOL_004, "header.message_type", "%s", expected_now(s));
		fault_found(&f, m.header.type_text);
		refuse(s, &m, &f);
		return;
	}
	if (m.has_seen && s->instance)
		core_seen(s->all->core, s->instance, m.seen);
	messages[m.header.type].handle(s, &m, frame);
}
