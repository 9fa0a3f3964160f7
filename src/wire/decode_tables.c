/* decode_tables.c - the maps of protocol.md as shapes, in the order of its sections */
#include "wire/decode_internal.h"

#include "wire/names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REQUIRED(text, type, ...)                                                                  \
	{ .name = { (text), sizeof(text) - 1 }, .kind = FIELD_##type, __VA_ARGS__ }
#define OPTIONAL(text, type, ...) REQUIRED(text, type, .optional = true, __VA_ARGS__)
#define FIELDS(array) .fields = (array), .count = COUNT(array)

/* Section 2: MessageHeader. */
static const struct field header_fields[] = {
	REQUIRED("message_id", UUID, .into = INTO(message_header, message_id),
	    .has = INTO(message_header, has_message_id)),
	REQUIRED("correlation_id", STRING, .into = INTO(message_header, correlation_id),
	    .has = INTO(message_header, has_correlation_id), .min = 1, .max = CORRELATION_ID_MAX),
	REQUIRED("source_module", MODULE, .into = INTO(message_header, source_module)),
	REQUIRED("target_module", MODULE, .into = INTO(message_header, target_module)),
	REQUIRED("message_type", MESSAGE_TYPE, .into = INTO(message_header, type_text)),
	REQUIRED("timestamp", DATETIME, .into = INTO(message_header, timestamp_us)),
	REQUIRED("protocol_version", VERSION, .into = INTO(message_header, major)),
};
const struct shape header_shape = { FIELDS(header_fields) };

/* What may stand beside the header in any message. */
#define COMMON_FIELDS                                                                              \
	REQUIRED("header", READ_BEFORE),                                                           \
	OPTIONAL("in_reply_to", UUID, .into = INTO(message, in_reply_to),                          \
	    .has = INTO(message, has_in_reply_to)),                                                \
	OPTIONAL("notice", INTEGER, .into = INTO(message, notice),                                 \
	    .has = INTO(message, has_notice)),                                                     \
	OPTIONAL("seen", INTEGER, .into = INTO(message, seen),                                     \
	    .has = INTO(message, has_seen))

static const struct field other_fields[] = { COMMON_FIELDS };
static const struct shape other_shape = { FIELDS(other_fields) };

/* Section 3: HELLO, WELCOME, GOODBYE. */
static const struct field hello_fields[] = {
	COMMON_FIELDS,
	REQUIRED("instance_id", STRING, .into = INTO(message, hello.instance_id),
	    .min = 1, .max = INSTANCE_ID_MAX),
	REQUIRED("max_in_flight", INTEGER, .into = INTO(message, hello.max_in_flight)),
	OPTIONAL("mailbox", BOOLEAN, .into = INTO(message, hello.mailbox)),
	OPTIONAL("broker_id", UUID, .into = INTO(message, hello.broker_id),
	    .has = INTO(message, hello.has_broker_id)),
	OPTIONAL("holds", INTEGERS, .into = INTO(message, hello.holds),
	    .count = INTO(message, hello.hold_count), .max = HOLDS_MAX),
	OPTIONAL("client", STRING, .into = INTO(message, hello.client)),
};
static const struct shape hello_shape = { FIELDS(hello_fields) };

static const struct field welcome_route_fields[] = {
	REQUIRED("name", STRING, .into = INTO(welcome_route, name)),
	REQUIRED("source_module", MODULE, .into = INTO(welcome_route, source_module)),
	REQUIRED("target_module", MODULE, .into = INTO(welcome_route, target_module)),
	REQUIRED("batch_size", INTEGER, .into = INTO(welcome_route, batch_size)),
	REQUIRED("flush_timeout_ms", INTEGER, .into = INTO(welcome_route, flush_timeout_ms)),
	REQUIRED("ack_timeout_ms", INTEGER, .into = INTO(welcome_route, ack_timeout_ms)),
	REQUIRED("process_timeout_ms", INTEGER, .into = INTO(welcome_route, process_timeout_ms)),
	REQUIRED("retry_delay_ms", INTEGER, .into = INTO(welcome_route, retry_delay_ms)),
	REQUIRED("max_retries", INTEGER, .into = INTO(welcome_route, max_retries)),
	REQUIRED("backoff_multiplier", FLOAT, .into = INTO(welcome_route, backoff_multiplier)),
	REQUIRED("backpressure_active", BOOLEAN, .into = INTO(welcome_route, backpressure_active)),
	REQUIRED("last_sequence_number", INTEGER,
	    .into = INTO(welcome_route, last_sequence_number)),
};
static const struct shape welcome_route_shape = {
	FIELDS(welcome_route_fields), .size = sizeof(struct welcome_route),
};

static const struct field welcome_fields[] = {
	COMMON_FIELDS,
	REQUIRED("broker", STRING, .into = INTO(message, welcome.broker)),
	REQUIRED("broker_id", UUID, .into = INTO(message, welcome.broker_id)),
	REQUIRED("features", STRINGS),
	REQUIRED("instance_id", STRING, .into = INTO(message, welcome.instance_id),
	    .min = 1, .max = INSTANCE_ID_MAX),
	REQUIRED("max_in_flight", INTEGER, .into = INTO(message, welcome.max_in_flight)),
	REQUIRED("max_frame_bytes", INTEGER, .into = INTO(message, welcome.max_frame_bytes)),
	REQUIRED("routes", LIST, .into = INTO(message, welcome.routes),
	    .count = INTO(message, welcome.route_count), .shape = &welcome_route_shape),
};
static const struct shape welcome_shape = { FIELDS(welcome_fields) };

static const struct field goodbye_fields[] = {
	COMMON_FIELDS,
	REQUIRED("reason", ENUM, .into = INTO(message, goodbye.reason),
	    .names = goodbye_reason_names),
	REQUIRED("reconnect_delay_ms", INTEGER, .into = INTO(message, goodbye.reconnect_delay_ms)),
	OPTIONAL("message", STRING, .into = INTO(message, goodbye.message)),
};
static const struct shape goodbye_shape = { FIELDS(goodbye_fields) };

/* Section 4: IntegrationError with its ErrorContext, in ACKNOWLEDGMENT and ERROR_NOTIFICATION. */
static const struct field error_context_fields[] = {
	OPTIONAL("record_id", STRING, .into = INTO(message_error, record_id)),
	OPTIONAL("batch_id", STRING, .into = INTO(message_error, batch_id)),
	OPTIONAL("field_name", STRING, .into = INTO(message_error, field_name)),
	OPTIONAL("expected_value", STRING, .into = INTO(message_error, expected_value)),
	OPTIONAL("actual_value", STRING, .into = INTO(message_error, actual_value)),
	OPTIONAL("upstream_errors", STRINGS),
};
static const struct shape error_context_shape = { FIELDS(error_context_fields) };

static const struct field error_fields[] = {
	REQUIRED("error_id", UUID, .into = INTO(message_error, error_id)),
	REQUIRED("correlation_id", STRING, .into = INTO(message_error, correlation_id)),
	REQUIRED("timestamp", DATETIME),
	REQUIRED("source_module", MODULE),
	REQUIRED("severity", ENUM, .into = INTO(message_error, severity), .names = severity_names),
	REQUIRED("recoverability", ENUM, .into = INTO(message_error, recoverability),
	    .names = recoverability_names),
	REQUIRED("scope", ENUM, .into = INTO(message_error, scope), .names = scope_names),
	REQUIRED("error_code", STRING, .into = INTO(message_error, error_code)),
	REQUIRED("error_message", STRING, .into = INTO(message_error, error_message)),
	REQUIRED("context", MAP, .shape = &error_context_shape),
	REQUIRED("retry_eligible", BOOLEAN, .into = INTO(message_error, retry_eligible)),
};
static const struct shape error_shape = {
	FIELDS(error_fields), .size = sizeof(struct message_error), .raw = INTO(message_error, raw),
};

#define ERRORS_FIELD(type, path, ...)                                                              \
	REQUIRED("errors", LIST, .into = INTO(type, path errors),                                  \
	    .count = INTO(type, path error_count), .shape = &error_shape, __VA_ARGS__)

/* AcknowledgmentPayload; any status, or PROCESSED alone. */
#define ACK_PAYLOAD_FIELDS(...)                                                                    \
	REQUIRED("batch_id", UUID, .into = INTO(message_ack, batch_id),                            \
	    .has = INTO(message_ack, has_batch_id)),                                               \
	REQUIRED("status", ENUM, .into = INTO(message_ack, status), .names = ack_status_names,     \
	    __VA_ARGS__),                                                                          \
	REQUIRED("records_accepted", INTEGER, .into = INTO(message_ack, records_accepted)),        \
	REQUIRED("records_rejected", INTEGER, .into = INTO(message_ack, records_rejected)),        \
	REQUIRED("processing_duration_ms", INTEGER,                                                \
	    .into = INTO(message_ack, processing_duration_ms))

static const struct field ack_payload_fields[] = { ACK_PAYLOAD_FIELDS(.min = 0) };
static const struct shape ack_payload_shape = { FIELDS(ack_payload_fields) };

#define ACK_FIELDS                                                                                 \
	COMMON_FIELDS,                                                                             \
	REQUIRED("payload", MAP, .into = INTO(message, ack), .shape = &ack_payload_shape),         \
	ERRORS_FIELD(message, ack., .optional = true, .raw = INTO(message, ack.errors_raw))

static const struct field ack_from_target_fields[] = {
	ACK_FIELDS,
	REQUIRED("lease", INTEGER, .into = INTO(message, ack.lease),
	    .has = INTO(message, ack.has_lease)),
};
static const struct shape ack_from_target_shape = { FIELDS(ack_from_target_fields) };

static const struct field ack_from_broker_fields[] = {
	ACK_FIELDS,
	OPTIONAL("lease", INTEGER, .into = INTO(message, ack.lease),
	    .has = INTO(message, ack.has_lease)),
	OPTIONAL("duplicate", BOOLEAN, .into = INTO(message, ack.duplicate)),
	OPTIONAL("route", STRING, .into = INTO(message, ack.route)),
};
static const struct shape ack_from_broker_shape = { FIELDS(ack_from_broker_fields) };

static const struct field error_notification_fields[] = {
	COMMON_FIELDS,
	ERRORS_FIELD(message, error_notification., .optional = false),
	REQUIRED("action_required", ENUM, .into = INTO(message, error_notification.action_required),
	    .names = action_required_names),
};
static const struct shape error_notification_shape = { FIELDS(error_notification_fields) };

/* BackPressureSignal. From the broker there is always a route; a target may mean all of them. */
static const struct field backpressure_fields[] = {
	COMMON_FIELDS,
	REQUIRED("signal_type", ENUM, .into = INTO(message, backpressure.signal_type),
	    .names = signal_type_names),
	REQUIRED("current_queue_depth", INTEGER,
	    .into = INTO(message, backpressure.current_queue_depth)),
	REQUIRED("recommended_delay_ms", INTEGER,
	    .into = INTO(message, backpressure.recommended_delay_ms)),
	OPTIONAL("route", STRING, .into = INTO(message, backpressure.route)),
};
static const struct shape backpressure_shape = { FIELDS(backpressure_fields) };

static const struct field record_delivery_fields[] = {
	REQUIRED("record_id", STRING, .into = INTO(message_record_delivery, record_id), .min = 1),
	REQUIRED("destination_id", STRING, .into = INTO(message_record_delivery, destination_id)),
	REQUIRED("status", ENUM, .into = INTO(message_record_delivery, status),
	    .names = record_delivery_names),
	REQUIRED("delivery_timestamp", DATETIME,
	    .into = INTO(message_record_delivery, delivered_at_us)),
};
static const struct shape record_delivery_shape = {
	FIELDS(record_delivery_fields), .size = sizeof(struct message_record_delivery),
};

static const struct field confirmation_fields[] = {
	COMMON_FIELDS,
	REQUIRED("batch_id", UUID, .into = INTO(message, confirmation.batch_id),
	    .has = INTO(message, confirmation.has_batch_id)),
	REQUIRED("delivery_results", LIST, .into = INTO(message, confirmation.results),
	    .count = INTO(message, confirmation.result_count), .min = 1,
	    .shape = &record_delivery_shape, .agree = record_ids_differ),
};
static const struct shape confirmation_shape = { FIELDS(confirmation_fields) };

static const struct field circuit_change_fields[] = {
	COMMON_FIELDS,
	REQUIRED("circuit_id", STRING, .into = INTO(message, circuit_change.circuit_id)),
	REQUIRED("previous_state", ENUM, .into = INTO(message, circuit_change.previous_state),
	    .names = circuit_state_names),
	REQUIRED("new_state", ENUM, .into = INTO(message, circuit_change.new_state),
	    .names = circuit_state_names),
	REQUIRED("affected_modules", STRINGS,
	    .into = INTO(message, circuit_change.affected_modules),
	    .count = INTO(message, circuit_change.affected_count)),
};
static const struct shape circuit_change_shape = { FIELDS(circuit_change_fields) };

static const struct field health_request_fields[] = {
	COMMON_FIELDS,
	REQUIRED("check_type", ENUM, .into = INTO(message, health_request.check_type),
	    .names = check_type_names),
};
static const struct shape health_request_shape = { FIELDS(health_request_fields) };

static const struct field component_health_fields[] = {
	REQUIRED("component_name", STRING, .into = INTO(component_health, name)),
	REQUIRED("status", ENUM, .into = INTO(component_health, status),
	    .names = health_status_names),
	REQUIRED("message", STRING, .into = INTO(component_health, message)),
	REQUIRED("last_check", DATETIME, .into = INTO(component_health, checked_at_us)),
};
static const struct shape component_health_shape = {
	FIELDS(component_health_fields), .size = sizeof(struct component_health),
};

#define HEALTH_RESPONSE_FIELDS                                                                     \
	COMMON_FIELDS,                                                                             \
	REQUIRED("status", ENUM, .into = INTO(message, health_response.status),                    \
	    .names = health_status_names),                                                         \
	REQUIRED("checks", LIST, .into = INTO(message, health_response.checks),                    \
	    .count = INTO(message, health_response.check_count),                                   \
	    .shape = &component_health_shape),                                                     \
	REQUIRED("uptime_seconds", INTEGER,                                                        \
	    .into = INTO(message, health_response.uptime_seconds))

static const struct field health_from_module_fields[] = { HEALTH_RESPONSE_FIELDS };
static const struct shape health_from_module_shape = { FIELDS(health_from_module_fields) };

static const struct field health_from_broker_fields[] = {
	HEALTH_RESPONSE_FIELDS,
	OPTIONAL("pipeline", WALKED, .raw = INTO(message, health_response.pipeline)),
};
static const struct shape health_from_broker_shape = { FIELDS(health_from_broker_fields) };

/* Section 5: BATCH_TRANSFER. Its parts are read into the one struct message_batch. */
static const struct field metadata_fields[] = {
	REQUIRED("batch_id", UUID, .into = INTO(message_batch, batch_id),
	    .has = INTO(message_batch, has_batch_id)),
	REQUIRED("sequence_number", INTEGER, .into = INTO(message_batch, sequence_number)),
	REQUIRED("record_count", INTEGER, .into = INTO(message_batch, record_count), .min = 1),
	REQUIRED("checksum", CHECKSUM, .into = INTO(message_batch, checksum)),
	REQUIRED("created_at", DATETIME, .into = INTO(message_batch, created_at_us)),
};
static const struct shape metadata_shape = { FIELDS(metadata_fields) };

static const struct field validation_summary_fields[] = {
	REQUIRED("total_records_validated", INTEGER),
	REQUIRED("records_passed", INTEGER),
	REQUIRED("records_failed", INTEGER),
	REQUIRED("average_quality_score", FLOAT),
};
static const struct shape validation_summary_shape = { FIELDS(validation_summary_fields) };

static const struct field transformation_summary_fields[] = {
	REQUIRED("total_records_transformed", INTEGER),
	REQUIRED("transformations_applied", INTEGER),
	REQUIRED("enrichment_cache_hit_rate", FLOAT),
};
static const struct shape transformation_summary_shape = { FIELDS(transformation_summary_fields) };

static const struct field quality_summary_fields[] = {
	REQUIRED("average_quality_score", FLOAT),
	REQUIRED("min_quality_score", FLOAT),
	REQUIRED("max_quality_score", FLOAT),
	REQUIRED("records_below_threshold", INTEGER),
};
static const struct shape quality_summary_shape = { FIELDS(quality_summary_fields) };

static const struct field error_summary_fields[] = {
	REQUIRED("upstream_errors", INTEGER),
	REQUIRED("error_breakdown", COUNTS),
	REQUIRED("affected_record_ids", STRINGS),
};
static const struct shape error_summary_shape = { FIELDS(error_summary_fields) };

/* One of `completes` (section 8). */
static const struct field complete_fields[] = {
	ACK_PAYLOAD_FIELDS(.min = ACK_PROCESSED, .max = ACK_PROCESSED),
	REQUIRED("lease", INTEGER, .into = INTO(message_ack, lease),
	    .has = INTO(message_ack, has_lease)),
	ERRORS_FIELD(message_ack, , .optional = true, .raw = INTO(message_ack, errors_raw)),
};
static const struct shape complete_shape = {
	FIELDS(complete_fields), .size = sizeof(struct message_ack),
};

#define BATCH_FIELDS                                                                               \
	COMMON_FIELDS,                                                                             \
	REQUIRED("metadata", MAP, .into = INTO(message, batch), .shape = &metadata_shape),         \
	REQUIRED("records", BYTES, .into = INTO(message, batch.records)),                          \
	OPTIONAL("validation_summary", MAP, .shape = &validation_summary_shape,                    \
	    .has = INTO(message, batch.has_validation_summary)),                                   \
	OPTIONAL("transformation_summary", MAP,                                                    \
	    .shape = &transformation_summary_shape,                                                \
	    .has = INTO(message, batch.has_transformation_summary)),                               \
	OPTIONAL("quality_summary", MAP, .shape = &quality_summary_shape,                          \
	    .has = INTO(message, batch.has_quality_summary)),                                      \
	OPTIONAL("priority", ENUM, .into = INTO(message, batch.priority),                          \
	    .names = priority_names),                                                              \
	OPTIONAL("error_summary", MAP, .shape = &error_summary_shape,                              \
	    .raw = INTO(message, batch.error_summary)),                                            \
	OPTIONAL("completes", LIST, .into = INTO(message, batch.completes),                        \
	    .count = INTO(message, batch.complete_count), .shape = &complete_shape,                \
	    .agree = leases_differ)

static const struct field batch_from_source_fields[] = {
	BATCH_FIELDS,
	OPTIONAL("delivery", REFUSED),
};
static const struct shape batch_from_source_shape = { FIELDS(batch_from_source_fields) };

static const struct field delivery_fields[] = {
	REQUIRED("route", STRING, .into = INTO(message_batch, delivery_route)),
	REQUIRED("attempt", INTEGER, .into = INTO(message_batch, delivery_attempt), .min = 1),
	REQUIRED("redelivered", BOOLEAN, .into = INTO(message_batch, delivery_redelivered)),
	REQUIRED("lease", INTEGER, .into = INTO(message_batch, delivery_lease)),
	REQUIRED("received_at", DATETIME, .into = INTO(message_batch, delivery_received_at_us)),
	OPTIONAL("error_summary", MAP, .shape = &error_summary_shape),
};
static const struct shape delivery_shape = { FIELDS(delivery_fields) };

static const struct field batch_from_broker_fields[] = {
	BATCH_FIELDS,
	OPTIONAL("delivery", MAP, .into = INTO(message, batch),
	    .has = INTO(message, batch.has_delivery), .shape = &delivery_shape),
};
static const struct shape batch_from_broker_shape = { FIELDS(batch_from_broker_fields) };

const struct shape *message_shape(enum message_type type, enum decode_side side)
{
	const bool at_broker = side == DECODE_AT_BROKER;

	switch (type) {
	case MESSAGE_HELLO:
		return at_broker ? &hello_shape : &other_shape;
	case MESSAGE_WELCOME:
		return at_broker ? &other_shape : &welcome_shape;
	case MESSAGE_GOODBYE:
		return &goodbye_shape;
	case MESSAGE_BATCH_TRANSFER:
		return at_broker ? &batch_from_source_shape : &batch_from_broker_shape;
	case MESSAGE_ACKNOWLEDGMENT:
		return at_broker ? &ack_from_target_shape : &ack_from_broker_shape;
	case MESSAGE_DELIVERY_CONFIRMATION:
		return &confirmation_shape;
	case MESSAGE_BACKPRESSURE:
		return &backpressure_shape;
	case MESSAGE_ERROR_NOTIFICATION:
		return &error_notification_shape;
	case MESSAGE_CIRCUIT_STATE_CHANGE:
		return at_broker ? &other_shape : &circuit_change_shape;
	case MESSAGE_HEALTH_CHECK_REQUEST:
		return &health_request_shape;
	case MESSAGE_HEALTH_CHECK_RESPONSE:
		return at_broker ? &health_from_module_shape : &health_from_broker_shape;
	default:
		return &other_shape;
	}
}
