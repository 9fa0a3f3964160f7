/* messages.c - one good message of each kind */
#include "messages.h"

const char hello_text[] =
	"{" HEADER("ALPHA", "BROKER", "HELLO") ", 'instance_id': 'alpha-1', 'max_in_flight': 16,"
	" 'mailbox': false, 'seen': 41, 'broker_id': '" OTHER_ID "', 'holds': [5, 7],"
	" 'client': 'test 1.0'}";

const char welcome_text[] =
	"{" HEADER("BROKER", "ALPHA", "WELCOME") ", 'in_reply_to': '" OTHER_ID "',"
	" 'broker': 'handoffd 0.1', 'broker_id': '" OTHER_ID "', 'features': ['x'],"
	" 'instance_id': 'alpha-1', 'max_in_flight': 16, 'max_frame_bytes': 8388608,"
	" 'routes': [{'name': 'alpha-beta', 'source_module': 'ALPHA', 'target_module': 'BETA',"
	"  'batch_size': 1000, 'flush_timeout_ms': 5000, 'ack_timeout_ms': 30000,"
	"  'process_timeout_ms': 300000, 'retry_delay_ms': 1000, 'max_retries': 5,"
	"  'backoff_multiplier': 2.0, 'backpressure_active': true, 'last_sequence_number': 12}]}";

const char goodbye_text[] =
	"{" HEADER("ALPHA", "BROKER", "GOODBYE") ", 'reason': 'DRAINING',"
	" 'reconnect_delay_ms': 250, 'message': 'see you'}";

const char batch_text[] =
	"{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") ","
	" 'metadata': {'batch_id': '" BATCH_ID "', 'sequence_number': 9, 'record_count': 3,"
	"  'checksum': '" CHECKSUM "', 'created_at': '" DATETIME "'},"
	" 'validation_summary': {'total_records_validated': 3, 'records_passed': 2,"
	"  'records_failed': 1, 'average_quality_score': 0.5},"
	" 'transformation_summary': {'total_records_transformed': 3,"
	"  'transformations_applied': 2, 'enrichment_cache_hit_rate': 0.25},"
	" 'quality_summary': {'average_quality_score': 0.5, 'min_quality_score': 0,"
	"  'max_quality_score': 1, 'records_below_threshold': 0},"
	" 'priority': 'CRITICAL', 'error_summary': " ERROR_SUMMARY ","
	" 'completes': [{" ACK_PAYLOAD("PROCESSED") ", 'lease': 5, 'errors': [" ERROR_MAP "]},"
	"  {" ACK_PAYLOAD("PROCESSED") ", 'lease': 4}],"
	" 'records': <93c0c0c0>}";

const char delivery_text[] =
	"{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") ","
	" 'metadata': {'batch_id': '" BATCH_ID "', 'sequence_number': 9, 'record_count': 3,"
	"  'checksum': '" CHECKSUM "', 'created_at': '" DATETIME "'}, 'records': <93c0c0c0>,"
	" 'delivery': {'route': 'alpha-beta', 'attempt': 2, 'redelivered': true, 'lease': 77,"
	"  'received_at': '" DATETIME "', 'error_summary': " ERROR_SUMMARY "}}";

const char ack_text[] =
	"{" HEADER("BETA", "BROKER", "ACKNOWLEDGMENT") ", 'payload': {" ACK_PAYLOAD("REJECTED") "},"
	" 'lease': 5, 'errors': [" ERROR_MAP "]}";

const char ack_from_broker_text[] =
	"{" HEADER("BROKER", "ALPHA", "ACKNOWLEDGMENT") ", 'notice': 8,"
	" 'payload': {" ACK_PAYLOAD("RECEIVED") "}, 'lease': 5, 'duplicate': true,"
	" 'route': 'alpha-beta', 'errors': [" ERROR_MAP "]}";

const char error_notification_text[] =
	"{" HEADER("BETA", "BROKER", "ERROR_NOTIFICATION") ", 'errors': [" ERROR_MAP "],"
	" 'action_required': 'THROTTLE'}";

const char backpressure_text[] =
	"{" HEADER("BROKER", "ALPHA", "BACKPRESSURE") ", 'signal_type': 'ACTIVATE',"
	" 'current_queue_depth': 8001, 'recommended_delay_ms': 250, 'route': 'alpha-beta'}";

const char confirmation_text[] =
	"{" HEADER("GAMMA", "BROKER", "DELIVERY_CONFIRMATION") ", 'batch_id': '" BATCH_ID "',"
	" 'delivery_results': [{'record_id': 'r-1', 'destination_id': 'lake',"
	"  'status': 'DELIVERED', 'delivery_timestamp': '" DATETIME "'},"
	"  {'record_id': 'r-2', 'destination_id': '', 'status': 'FAILED',"
	"  'delivery_timestamp': '" DATETIME "'},"
	"  {'record_id': 'r-3', 'destination_id': 'lake', 'status': 'DLQ',"
	"  'delivery_timestamp': '" DATETIME "'}], 'seen': 12}";

const char circuit_text[] =
	"{" HEADER("BROKER", "ALPHA", "CIRCUIT_STATE_CHANGE") ", 'circuit_id': 'alpha-beta',"
	" 'previous_state': 'CLOSED', 'new_state': 'OPEN',"
	" 'affected_modules': ['ALPHA', 'BETA']}";

const char health_response_text[] =
	"{" HEADER("BETA", "BROKER", "HEALTH_CHECK_RESPONSE") ", 'status': 'DEGRADED',"
	" 'checks': [{'component_name': 'output_buffer', 'status': 'HEALTHY', 'message': '12',"
	"  'last_check': '" DATETIME "'},"
	"  {'component_name': 'database', 'status': 'UNHEALTHY', 'message': 'gone',"
	"  'last_check': '" DATETIME "'}], 'uptime_seconds': 77}";

const char health_text[] =
	"{" HEADER("BETA", "BROKER", "HEALTH_CHECK_REQUEST") ", 'in_reply_to': '" OTHER_ID "',"
	" 'notice': 3, 'seen': 2, 'check_type': 'LIVENESS'}";
