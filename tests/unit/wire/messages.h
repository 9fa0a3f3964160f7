/* messages.h - one good message of each kind, in the notation of notation.h */
#ifndef HANDOFF_TESTS_WIRE_MESSAGES_H
#define HANDOFF_TESTS_WIRE_MESSAGES_H

#define MESSAGE_ID "0191d2c4-3f5a-4a6b-8c7d-9e0f1a2b3c4d"
#define OTHER_ID "11111111-2222-4333-8444-555555555555"
#define BATCH_ID "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
#define CHECKSUM "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define DATETIME "2026-11-20T08:15:30.123456Z"
#define DATETIME_US INT64_C(1795162530123456)

#define HEADER(source, target, type)                                                               \
	"'header': {'message_id': '" MESSAGE_ID "', 'correlation_id': 'c-1',"                      \
	" 'source_module': '" source "', 'target_module': '" target "',"                           \
	" 'message_type': '" type "', 'timestamp': '" DATETIME "', 'protocol_version': '1.0.0'}"

#define ERROR_MAP                                                                                  \
	"{'error_id': '" OTHER_ID "', 'correlation_id': 'c-1', 'timestamp': '" DATETIME "',"       \
	" 'source_module': 'BETA', 'severity': 'ERROR', 'recoverability': 'TRANSIENT',"            \
	" 'scope': 'RECORD', 'error_code': 'INT_BETA_001', 'error_message': 'no luck',"            \
	" 'context': {'record_id': 'r-1', 'batch_id': '" BATCH_ID "', 'field_name': 'data.x',"     \
	"  'expected_value': 'a', 'actual_value': 'b', 'upstream_errors': ['e-1', 'e-2']},"        \
	" 'retry_eligible': true}"

#define ACK_PAYLOAD(status)                                                                        \
	"'batch_id': '" BATCH_ID "', 'status': '" status "', 'records_accepted': 2,"               \
	" 'records_rejected': 1, 'processing_duration_ms': 17"

#define ERROR_SUMMARY                                                                              \
	"{'upstream_errors': 3, 'error_breakdown': {'INT_ALPHA_001': 2, 'INT_ALPHA_002': 1},"      \
	" 'affected_record_ids': ['r-7', 'r-8']}"

extern const char hello_text[];
extern const char welcome_text[];
extern const char goodbye_text[];
extern const char batch_text[];
extern const char delivery_text[];
extern const char ack_text[];
extern const char ack_from_broker_text[];
extern const char error_notification_text[];
extern const char backpressure_text[];
extern const char confirmation_text[];
extern const char circuit_text[];
extern const char health_response_text[];
extern const char health_text[];

#endif
