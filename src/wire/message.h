/* message.h - the messages of protocol.md as structs; what decode.c makes and encode.c writes */
#ifndef HANDOFF_WIRE_MESSAGE_H
#define HANDOFF_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/uuid.h"

#define PROTOCOL_VERSION "1.0.0"
#define PROTOCOL_MAJOR 1
#define ALPN_NAME "handoff/1"

#define FRAME_LENGTH_BYTES 4
#define FRAME_MAX_BEFORE_WELCOME 16384
#define DELIVERY_EXTRA_BYTES 65536	/* a delivery may be so much larger than its batch */

#define CORRELATION_ID_MAX 128
#define INSTANCE_ID_MAX 64
#define MODULE_NAME_MAX 32
#define HOLDS_MAX 1024

/* Some bytes of somebody else's buffer; p is NULL when the thing is absent. */
struct span {
	const char *p;
	size_t n;
};

static inline struct span span_of(const char *text)
{
	return (struct span){ text, strlen(text) };
}
/*
 * memcmp() for names, which are so short that to call it costs more than to compare them: their
 * first and their last bytes, which may be the same ones.
 */
static inline bool bytes_equal(const char *p, const char *q, size_t n)
{
	if (n > 16)
		return memcmp(p, q, n) == 0;
	if (n >= 8)
		return memcmp(p, q, 8) == 0 && memcmp(p + n - 8, q + n - 8, 8) == 0;
	if (n >= 4)
		return memcmp(p, q, 4) == 0 && memcmp(p + n - 4, q + n - 4, 4) == 0;
	while (n > 0 && p[n - 1] == q[n - 1])
		n--;
	return n == 0;
}
static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && bytes_equal(a.p, b.p, a.n);
}
/* False for a span that is absent. */
static inline bool span_is(struct span s, const char *text)
{
	return s.p != NULL && span_equal(s, span_of(text));
}

/* In the order of protocol.md section 4. */
enum message_type {
	MESSAGE_UNKNOWN,	/* a name that is none of section 4's */
	MESSAGE_HELLO,
	MESSAGE_WELCOME,
	MESSAGE_GOODBYE,
	MESSAGE_BATCH_TRANSFER,
	MESSAGE_ACKNOWLEDGMENT,
	MESSAGE_DELIVERY_CONFIRMATION,
	MESSAGE_BACKPRESSURE,
	MESSAGE_ERROR_NOTIFICATION,
	MESSAGE_CIRCUIT_STATE_CHANGE,
	MESSAGE_HEALTH_CHECK_REQUEST,
	MESSAGE_HEALTH_CHECK_RESPONSE,
	MESSAGE_CACHE_ACCESS_REQUEST,
	MESSAGE_CACHE_ACCESS_RESPONSE,
	MESSAGE_CACHE_WARM_UP_REQUEST,
	MESSAGE_JOB_CONTROL_REQUEST,
	MESSAGE_JOB_STATUS_UPDATE,
	MESSAGE_DEPENDENCY_SIGNAL,
	MESSAGE_SCHEDULE_NOTIFICATION,
};
const char *message_type_name(enum message_type type);

enum ack_status { ACK_RECEIVED, ACK_PROCESSED, ACK_REJECTED };
enum severity { SEVERITY_CRITICAL, SEVERITY_ERROR, SEVERITY_WARNING };
enum recoverability { RECOVERABILITY_TRANSIENT, RECOVERABILITY_PERMANENT, RECOVERABILITY_UNKNOWN };
enum scope { SCOPE_RECORD, SCOPE_BATCH, SCOPE_MODULE, SCOPE_PIPELINE };
enum action_required { ACTION_NONE, ACTION_THROTTLE, ACTION_HALT, ACTION_INVESTIGATE };
enum priority { PRIORITY_NORMAL, PRIORITY_CRITICAL };
enum signal_type { SIGNAL_ACTIVATE, SIGNAL_DEACTIVATE };
enum record_delivery { RECORD_DELIVERED, RECORD_FAILED, RECORD_DLQ };
enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };
enum check_type { CHECK_LIVENESS, CHECK_READINESS, CHECK_DETAILED };
enum health_status { HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY };
enum goodbye_reason {
	GOODBYE_SHUTDOWN, GOODBYE_DRAINING, GOODBYE_DONE, GOODBYE_REPLACED, GOODBYE_KICKED,
	GOODBYE_PROTOCOL_ERROR, GOODBYE_UNAUTHORIZED, GOODBYE_TIMEOUT, GOODBYE_REKEY,
};
const char *ack_status_name(enum ack_status status);
const char *goodbye_reason_name(enum goodbye_reason reason);
const char *severity_name(enum severity severity);
const char *recoverability_name(enum recoverability recoverability);
const char *scope_name(enum scope scope);
const char *action_required_name(enum action_required action);
const char *circuit_state_name(enum circuit_state state);
const char *health_status_name(enum health_status status);

/* Section 9. The table behind error_code_info() has each code's name, severity and so on. */
enum error_code {
	INT_NONE,
	INT_PROTOCOL_001, INT_PROTOCOL_002, INT_PROTOCOL_003, INT_PROTOCOL_004, INT_PROTOCOL_005,
	INT_AUTH_001, INT_AUTH_002, INT_AUTH_003,
	INT_BATCH_001, INT_BATCH_002, INT_BATCH_003, INT_BATCH_004, INT_BATCH_005,
	INT_ROUTE_001, INT_ROUTE_002,
	INT_DELIVERY_001, INT_DELIVERY_002, INT_DELIVERY_003, INT_DELIVERY_004, INT_DELIVERY_005,
	INT_DELIVERY_006,
	INT_STORE_001, INT_STORE_002,
	ERROR_CODE_COUNT,
};
struct error_code_info {
	const char *name;		/* "INT_PROTOCOL_001" */
	enum severity severity;
	enum recoverability recoverability;
	enum scope scope;
	const char *meaning;		/* one sentence for error_message */
};
const struct error_code_info *error_code_info(enum error_code code);

struct message_header {
	struct uuid message_id;
	struct span correlation_id;
	struct span source_module;
	struct span target_module;
	enum message_type type;
	struct span type_text;
	int64_t timestamp_us;
	unsigned major;			/* of protocol_version */
	bool has_message_id;		/* could be read, even where the rest could not */
	bool has_correlation_id;
};

/* An IntegrationError that a peer sent: what decisions need, and its bytes as they came. */
struct message_error {
	struct uuid error_id;
	enum severity severity;
	enum recoverability recoverability;
	enum scope scope;
	bool retry_eligible;
	struct span error_code;
	struct span error_message;
	struct span correlation_id;
	struct span record_id;		/* context.record_id; p NULL when absent */
	struct span batch_id;		/* context.batch_id, as text */
	struct span field_name;
	struct span expected_value;
	struct span actual_value;
	struct span raw;		/* the whole map, encoded */
};

struct message_ack {
	struct uuid batch_id;
	bool has_batch_id;		/* could be read, even where the rest could not */
	enum ack_status status;
	uint64_t records_accepted;
	uint64_t records_rejected;
	uint64_t processing_duration_ms;
	uint64_t lease;			/* from a target */
	bool has_lease;
	bool duplicate;			/* from the broker */
	struct span route;		/* from the broker */
	const struct message_error *errors;	/* in the decoder's memory */
	size_t error_count;
	struct span errors_raw;		/* the list, encoded; p NULL when absent */
};

struct message_batch {
	struct uuid batch_id;
	bool has_batch_id;		/* could be read, even where the rest could not */
	uint64_t sequence_number;
	uint64_t record_count;
	uint8_t checksum[32];
	int64_t created_at_us;
	struct span records;		/* the content of the bin */
	enum priority priority;
	bool has_validation_summary;
	bool has_transformation_summary;
	bool has_quality_summary;
	struct span error_summary;	/* encoded; p NULL when absent */
	const struct message_ack *completes;	/* in the decoder's memory */
	size_t complete_count;
	bool has_delivery;		/* the key `delivery` stands in the frame */
	/* what `delivery` says, where has_delivery and the decoder reads deliveries (the client) */
	struct span delivery_route;
	uint64_t delivery_attempt;
	bool delivery_redelivered;
	uint64_t delivery_lease;
	int64_t delivery_received_at_us;
};

struct message_hello {
	struct span instance_id;
	uint64_t max_in_flight;
	bool mailbox;			/* true when absent */
	bool has_broker_id;
	struct uuid broker_id;
	const uint64_t *holds;		/* in the decoder's memory */
	size_t hold_count;
	struct span client;
};

struct welcome_route {
	struct span name;
	struct span source_module;
	struct span target_module;
	uint64_t batch_size;
	uint64_t flush_timeout_ms;
	uint64_t ack_timeout_ms;
	uint64_t process_timeout_ms;
	uint64_t retry_delay_ms;
	uint64_t max_retries;
	double backoff_multiplier;
	bool backpressure_active;
	uint64_t last_sequence_number;
};

struct message_welcome {
	struct span broker;
	struct uuid broker_id;
	struct span instance_id;
	uint64_t max_in_flight;
	uint64_t max_frame_bytes;
	const struct welcome_route *routes;
	size_t route_count;
};

struct message_goodbye {
	enum goodbye_reason reason;
	uint64_t reconnect_delay_ms;
	struct span message;		/* p NULL when absent */
};

struct message_error_notification {
	const struct message_error *errors;
	size_t error_count;
	enum action_required action_required;
};

/* BACKPRESSURE: from the broker about a route of this source, from a target about itself. */
struct message_backpressure {
	enum signal_type signal_type;
	uint64_t current_queue_depth;
	uint64_t recommended_delay_ms;
	struct span route;		/* p NULL: all routes (from a target) */
};

struct message_record_delivery {
	struct span record_id;
	struct span destination_id;
	enum record_delivery status;
	int64_t delivered_at_us;
};

/* DELIVERY_CONFIRMATION: what came of the records of a batch that the target has PROCESSED. */
struct message_confirmation {
	struct uuid batch_id;
	bool has_batch_id;		/* could be read, even where the rest could not */
	const struct message_record_delivery *results;	/* in the decoder's memory */
	size_t result_count;
};

/* CIRCUIT_STATE_CHANGE: the broker tells the modules that have to do with a circuit. */
struct message_circuit_change {
	struct span circuit_id;
	enum circuit_state previous_state, new_state;
	const struct span *affected_modules;	/* in the decoder's memory */
	size_t affected_count;
};

struct message_health_request {
	enum check_type check_type;
};

struct component_health {
	struct span name;
	enum health_status status;
	struct span message;
	int64_t checked_at_us;
};

/* HEALTH_CHECK_RESPONSE, either way; only the broker's has `pipeline`. */
struct message_health_response {
	enum health_status status;
	const struct component_health *checks;	/* in the decoder's memory */
	size_t check_count;
	uint64_t uptime_seconds;
	struct span pipeline;		/* the map, encoded; p NULL when absent */
};

struct message {
	struct message_header header;
	bool has_in_reply_to;
	struct uuid in_reply_to;
	bool has_notice;
	uint64_t notice;
	bool has_seen;
	uint64_t seen;
	union {				/* by header.type; other types are walked, not decoded */
		struct message_hello hello;
		struct message_welcome welcome;
		struct message_goodbye goodbye;
		struct message_batch batch;
		struct message_ack ack;
		struct message_error_notification error_notification;
		struct message_backpressure backpressure;
		struct message_confirmation confirmation;
		struct message_circuit_change circuit_change;
		struct message_health_request health_request;
		struct message_health_response health_response;
	};
};

/* What is wrong with a message, in the words of section 9's context. */
struct fault {
	enum error_code code;		/* INT_NONE: nothing */
	char field_name[160];		/* dotted path, list positions as numbers; "" when none */
	char expected[96];		/* what was expected */
	char actual[96];		/* what was found; "missing" where there was nothing */
};
/* Sets a fault, with `actual` still empty; texts are cut to fit. */
__attribute__((format(printf, 4, 5)))
void fault_set(struct fault *f, enum error_code code, const char *field_name,
    const char *expected, ...);
/* Says what was found: a stranger's bytes, escaped and cut to fit. */
void fault_found(struct fault *f, struct span actual);

#endif
