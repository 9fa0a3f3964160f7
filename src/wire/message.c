/* message.c - the protocol's names, its error codes, and how a fault is told */
#include "wire/message.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/names.h"
#include "wire/text.h"

#define NAME(text) { (text), sizeof(text) - 1 }

const struct span message_type_names[] = {
	NAME("HELLO"),
	NAME("WELCOME"),
	NAME("GOODBYE"),
	NAME("BATCH_TRANSFER"),
	NAME("ACKNOWLEDGMENT"),
	NAME("DELIVERY_CONFIRMATION"),
	NAME("BACKPRESSURE"),
	NAME("ERROR_NOTIFICATION"),
	NAME("CIRCUIT_STATE_CHANGE"),
	NAME("HEALTH_CHECK_REQUEST"),
	NAME("HEALTH_CHECK_RESPONSE"),
	NAME("CACHE_ACCESS_REQUEST"),
	NAME("CACHE_ACCESS_RESPONSE"),
	NAME("CACHE_WARM_UP_REQUEST"),
	NAME("JOB_CONTROL_REQUEST"),
	NAME("JOB_STATUS_UPDATE"),
	NAME("DEPENDENCY_SIGNAL"),
	NAME("SCHEDULE_NOTIFICATION"),
	{ 0 },
};
const struct span ack_status_names[] = {
	NAME("RECEIVED"), NAME("PROCESSED"), NAME("REJECTED"), { 0 },
};
const struct span severity_names[] = {
	NAME("CRITICAL"), NAME("ERROR"), NAME("WARNING"), { 0 },
};
const struct span recoverability_names[] = {
	NAME("TRANSIENT"), NAME("PERMANENT"), NAME("UNKNOWN"), { 0 },
};
const struct span scope_names[] = {
	NAME("RECORD"), NAME("BATCH"), NAME("MODULE"), NAME("PIPELINE"), { 0 },
};
const struct span action_required_names[] = {
	NAME("NONE"), NAME("THROTTLE"), NAME("HALT"), NAME("INVESTIGATE"), { 0 },
};
const struct span priority_names[] = { NAME("NORMAL"), NAME("CRITICAL"), { 0 } };
const struct span signal_type_names[] = { NAME("ACTIVATE"), NAME("DEACTIVATE"), { 0 } };
const struct span record_delivery_names[] = {
	NAME("DELIVERED"), NAME("FAILED"), NAME("DLQ"), { 0 },
};
const struct span circuit_state_names[] = {
	NAME("CLOSED"), NAME("OPEN"), NAME("HALF_OPEN"), { 0 },
};
const struct span check_type_names[] = {
	NAME("LIVENESS"), NAME("READINESS"), NAME("DETAILED"), { 0 },
};
const struct span health_status_names[] = {
	NAME("HEALTHY"), NAME("DEGRADED"), NAME("UNHEALTHY"), { 0 },
};
const struct span goodbye_reason_names[] = {
	NAME("SHUTDOWN"), NAME("DRAINING"), NAME("DONE"), NAME("REPLACED"), NAME("KICKED"),
	NAME("PROTOCOL_ERROR"), NAME("UNAUTHORIZED"), NAME("TIMEOUT"), NAME("REKEY"), { 0 },
};

const char *message_type_name(enum message_type type)
{
	return type == MESSAGE_UNKNOWN ? "unknown" : message_type_names[type - MESSAGE_HELLO].p;
}

const char *ack_status_name(enum ack_status status)
{
	return ack_status_names[status].p;
}

const char *goodbye_reason_name(enum goodbye_reason reason)
{
	return goodbye_reason_names[reason].p;
}

const char *severity_name(enum severity severity)
{
	return severity_names[severity].p;
}

const char *recoverability_name(enum recoverability recoverability)
{
	return recoverability_names[recoverability].p;
}

const char *scope_name(enum scope scope)
{
	return scope_names[scope].p;
}

const char *action_required_name(enum action_required action)
{
	return action_required_names[action].p;
}

const char *circuit_state_name(enum circuit_state state)
{
	return circuit_state_names[state].p;
}

const char *health_status_name(enum health_status status)
{
	return health_status_names[status].p;
}

#define CODE(code, severity, recoverability, scope, meaning)                                       \
	[code] = { #code, SEVERITY_##severity, RECOVERABILITY_##recoverability, SCOPE_##scope,     \
		   meaning }

/* protocol.md section 9, in its order. */
static const struct error_code_info codes[ERROR_CODE_COUNT] = {
	[INT_NONE] = { "INT_NONE", SEVERITY_WARNING, RECOVERABILITY_UNKNOWN, SCOPE_RECORD,
		       "Nothing is wrong." },
	CODE(INT_PROTOCOL_001, ERROR, PERMANENT, MODULE,
	    "The frame's body is not exactly one MessagePack map."),
	CODE(INT_PROTOCOL_002, ERROR, PERMANENT, MODULE,
	    "The frame is longer than the receiver allows (max_frame_bytes in WELCOME)."),
	CODE(INT_PROTOCOL_003, ERROR, PERMANENT, MODULE,
	    "The message was written for another major version of the protocol."),
	CODE(INT_PROTOCOL_004, ERROR, PERMANENT, MODULE,
	    "This message_type is unknown, or may not be sent by this side or at this moment."),
	/* BATCH where the message is a batch or speaks of one: the sender of the error says so. */
	CODE(INT_PROTOCOL_005, ERROR, PERMANENT, MODULE,
	    "A field is missing, there twice, of another type or out of range."),
	CODE(INT_AUTH_001, CRITICAL, PERMANENT, MODULE,
	    "The client's certificate stands for no declared module."),
	CODE(INT_AUTH_002, CRITICAL, PERMANENT, MODULE,
	    "The header's source_module is not the module of the client's certificate."),
	CODE(INT_AUTH_003, ERROR, PERMANENT, MODULE,
	    "This module has no right to the route or operation that it asked for."),
	CODE(INT_BATCH_001, ERROR, PERMANENT, BATCH,
	    "The SHA-256 of records is not the checksum that metadata names."),
	CODE(INT_BATCH_002, ERROR, PERMANENT, BATCH,
	    "The content of records is not a list with as many records as record_count says."),
	CODE(INT_BATCH_003, ERROR, PERMANENT, BATCH,
	    "A batch with this batch_id and other content is already known on this route."),
	CODE(INT_BATCH_004, WARNING, PERMANENT, BATCH,
	    "The sequence_number repeats, falls or leaves a gap."),
	CODE(INT_BATCH_005, ERROR, PERMANENT, BATCH,
	    "A lease in completes is not current: somebody else has, or had, that batch."),
	CODE(INT_ROUTE_001, ERROR, PERMANENT, BATCH,
	    "There is no route from source_module to target_module."),
	CODE(INT_ROUTE_002, ERROR, TRANSIENT, MODULE,
	    "The route holds as many batches or bytes as it may; send again later."),
	CODE(INT_DELIVERY_001, WARNING, TRANSIENT, BATCH,
	    "No acknowledgment came in time; the batch will be delivered again."),
	CODE(INT_DELIVERY_002, ERROR, PERMANENT, BATCH,
	    "All deliveries that the route allows have failed; the batch is a dead letter."),
	CODE(INT_DELIVERY_003, WARNING, TRANSIENT, BATCH,
	    "The instance that had the batch went away; the batch will be delivered again."),
	CODE(INT_DELIVERY_004, ERROR, PERMANENT, BATCH,
	    "The target rejected the batch for good; it is a dead letter."),
	CODE(INT_DELIVERY_005, WARNING, PERMANENT, BATCH,
	    "The acknowledgment's lease is not current; it changed nothing."),
	CODE(INT_DELIVERY_006, WARNING, TRANSIENT, BATCH,
	    "No delivery confirmation came in time; what became of the records is ambiguous."),
	CODE(INT_STORE_001, CRITICAL, TRANSIENT, PIPELINE,
	    "The store or its disk is full; send again later."),
	CODE(INT_STORE_002, CRITICAL, PERMANENT, BATCH,
	    "The stored batch no longer matches its checksum and is never delivered."),
};

const struct error_code_info *error_code_info(enum error_code code)
{
	assert(code < ERROR_CODE_COUNT);
	return &codes[code];
}

void fault_set(struct fault *f, enum error_code code, const char *field_name,
    const char *expected, ...)
{
	va_list args;

	f->code = code;
	snprintf(f->field_name, sizeof(f->field_name), "%s", field_name);
	va_start(args, expected);
	vsnprintf(f->expected, sizeof(f->expected), expected, args);
	va_end(args);
	f->actual[0] = '\0';
}

void fault_found(struct fault *f, struct span actual)
{
	text_escape(f->actual, sizeof(f->actual), actual.p, actual.n);
}
