/*
 * test_decode_faults.c - what is wrong with a message, and in which words it is told
 *
 * The table names every field of the protocol page that the decoder knows. Each one is left out,
 * made nil, written twice, given another type and each bad value of its kind; the fault has to
 * name its path, what was expected and what was found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "messages.h"
#include "mutate.h"
#include "notation.h"
#include "wire/decode.h"

#define BROKER DECODE_AT_BROKER
#define CLIENT DECODE_AT_CLIENT

#define INTEGER_PHRASE "an integer from 0 to 9223372036854775807"
#define POSITIVE_PHRASE "an integer from 1 to 9223372036854775807"
#define MODULE_PHRASE "a module's name: A-Z, then A-Z, 0-9 or _, at most 32 bytes"

struct bad_value {
	const char *text;	/* NULL ends the list */
	const char *actual;
};

/* What is wrong for all fields of a kind. "nil" and an extension are wrong for each. */
struct kind {
	const char *expected;
	struct bad_value bad[12];
};

static const struct kind text = { "a string, in UTF-8", {
	{ "1", "an integer" }, { "<61>", "bytes" }, { "true", "a boolean" }, { "[]", "a list" },
	{ "{}", "a map" }, { "1.5", "a float" }, { "-1", "a negative integer" },
	{ "~a3610aff~", "a\\x0a\\xff" }, { "~a3eda080~", "\\xed\\xa0\\x80" },
} };
static const struct kind correlation_id = { "a string of 1 to 128 bytes, in UTF-8", {
	{ "''", "" }, { "nil", "nil" }, { "<61>", "bytes" }, { "~a1ff~", "\\xff" },
	{ "'012345678901234567890123456789012345678901234567890123456789"
	  "0123456789012345678901234567890123456789012345678901234567890123456789'",
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "12345678901…" },
} };
static const struct kind instance_id = { "a string of 1 to 64 bytes, in UTF-8", {
	{ "''", "" }, { "7", "an integer" },
	{ "'01234567890123456789012345678901234567890123456789012345678901234'",
	  "01234567890123456789012345678901234567890123456789012345678901234" },
} };
static const struct kind module = { MODULE_PHRASE, {
	{ "'alpha'", "alpha" }, { "''", "" }, { "'_A'", "_A" }, { "'1A'", "1A" },
	{ "'A-B'", "A-B" },
	{ "'A23456789012345678901234567890123'", "A23456789012345678901234567890123" },
	{ "5", "an integer" },
} };
static const struct kind uuid = { "a UUID of 36 characters", {
	{ "''", "" }, { "'0191d2c43f5a4a6b8c7d9e0f1a2b3c4d'", "0191d2c43f5a4a6b8c7d9e0f1a2b3c4d" },
	{ "'0191d2c4-3f5a-4a6b-8c7d-9e0f1a2b3c4'", "0191d2c4-3f5a-4a6b-8c7d-9e0f1a2b3c4" },
	{ "'0191d2c4-3f5a-4a6b-8c7d-9e0f1a2b3c4g'", "0191d2c4-3f5a-4a6b-8c7d-9e0f1a2b3c4g" },
	{ "'{191d2c4-3f5a-4a6b-8c7d-9e0f1a2b3c4d'", "{191d2c4-3f5a-4a6b-8c7d-9e0f1a2b3c4d" },
	{ "<0191d2c43f5a4a6b8c7d9e0f1a2b3c4d>", "bytes" },
} };
static const struct kind datetime = {
	"a date and time in UTC, as 2026-11-20T08:15:30.123456Z", {
	{ "'2026-11-20T08:15:30.123456'", "2026-11-20T08:15:30.123456" },
	{ "'2026-02-30T08:15:30Z'", "2026-02-30T08:15:30Z" },
	{ "'2026-11-20T08:15:30.Z'", "2026-11-20T08:15:30.Z" },
	{ "'2026-11-20T08:15:30+00:00'", "2026-11-20T08:15:30+00:00" },
	{ "1795162530", "an integer" },
	{ "~d6ff6b000022~", "an extension" },
} };
static const struct kind integer = { INTEGER_PHRASE, {
	{ "-1", "-1" }, { "~d38000000000000000~", "-9223372036854775808" },
	{ "~cf8000000000000000~", "9223372036854775808" }, { "1.0", "a float" },
	{ "'1'", "a string" }, { "true", "a boolean" },
} };
static const struct kind positive = { POSITIVE_PHRASE, {
	{ "0", "0" }, { "-1", "-1" }, { "~cfffffffffffffffff~", "18446744073709551615" },
	{ "1.0", "a float" },
} };
static const struct kind real = { "a number", {
	{ "'1'", "a string" }, { "true", "a boolean" }, { "[1]", "a list" },
} };
static const struct kind boolean = { "a boolean", {
	{ "0", "an integer" }, { "'true'", "a string" },
} };
static const struct kind bytes = { "bytes (bin)", {
	{ "'abc'", "a string" }, { "[{}]", "a list" },
} };
static const struct kind checksum = { "64 lower-case hex digits", {
	{ "''", "" }, { "<00>", "bytes" },
	{ "'00112233445566778899aabbccddeeff00112233445566778899aabbccddeef'",
	  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef" },
	{ "'00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF'",
	  "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF" },
} };
static const struct kind version = { "a semantic version, as 1.0.0", {
	{ "''", "" }, { "'1'", "1" }, { "'1.0'", "1.0" }, { "'1.0.0.0'", "1.0.0.0" },
	{ "'01.0.0'", "01.0.0" }, { "'1.0.0-'", "1.0.0-" }, { "'1.0.0-a..b'", "1.0.0-a..b" },
	{ "'1.0.0+'", "1.0.0+" }, { "'v1.0.0'", "v1.0.0" },
	{ "'1.0.1234567890'", "1.0.1234567890" },
	{ "1", "an integer" },
} };
static const struct kind message_type = { "the name of a message type", {
	{ "4", "an integer" }, { "~a1ff~", "\\xff" },
} };
static const struct kind status = { "one of RECEIVED, PROCESSED, REJECTED", {
	{ "'received'", "received" }, { "''", "" }, { "1", "an integer" },
} };
static const struct kind processed = { "PROCESSED", {
	{ "'RECEIVED'", "RECEIVED" }, { "'REJECTED'", "REJECTED" }, { "1", "an integer" },
} };
static const struct kind severity = { "one of CRITICAL, ERROR, WARNING", {
	{ "'FATAL'", "FATAL" },
} };
static const struct kind recoverability = { "one of TRANSIENT, PERMANENT, UNKNOWN", {
	{ "'MAYBE'", "MAYBE" },
} };
static const struct kind scope = { "one of RECORD, BATCH, MODULE, PIPELINE", {
	{ "'RECORDS'", "RECORDS" },
} };
static const struct kind action = { "one of NONE, THROTTLE, HALT, INVESTIGATE", {
	{ "'STOP'", "STOP" },
} };
static const struct kind priority = { "one of NORMAL, CRITICAL", {
	{ "'HIGH'", "HIGH" }, { "0", "an integer" },
} };
static const struct kind reason = {
	"one of SHUTDOWN, DRAINING, DONE, REPLACED, KICKED, PROTOCOL_ERROR, UNAUTHORIZED, TIMEOUT, "
	"REKEY", {
	{ "'BYE'", "BYE" },
} };
static const struct kind map = { "a map", {
	{ "[]", "a list" }, { "'x'", "a string" },
} };
static const struct kind list = { "a list", {
	{ "{}", "a map" }, { "'x'", "a string" }, { "<90>", "bytes" },
} };
static const struct kind strings = { "a list of strings", {
	{ "{}", "a map" }, { "'x'", "a string" },
} };
static const struct kind counts = { "a map of strings to integers", {
	{ "[]", "a list" }, { "3", "an integer" },
} };
static const struct kind leases = { "a list of at most 1024 integers", {
	{ "5", "an integer" }, { "{}", "a map" },
} };

static const struct kind signal_type = { "one of ACTIVATE, DEACTIVATE", {
	{ "'activate'", "activate" }, { "true", "a boolean" },
} };
static const struct kind delivered = { "one of DELIVERED, FAILED, DLQ", {
	{ "'PROCESSED'", "PROCESSED" }, { "0", "an integer" },
} };
static const struct kind record_id = { "a string, not empty, in UTF-8", {
	{ "''", "" }, { "1", "an integer" }, { "~a1ff~", "\\xff" },
} };
static const struct kind results = { "a list, not empty", {
	{ "[]", "nothing in it" }, { "{}", "a map" }, { "'x'", "a string" },
} };

enum presence { REQUIRED, OPTIONAL };

static const struct field_case {
	const char *message;
	const char *path;
	const struct kind *kind;
	enum decode_side side;
	enum presence presence;
} fields[] = {
	{ health_text, "header.message_id", &uuid, BROKER, REQUIRED },
	{ health_text, "header.correlation_id", &correlation_id, BROKER, REQUIRED },
	{ health_text, "header.source_module", &module, BROKER, REQUIRED },
	{ health_text, "header.target_module", &module, BROKER, REQUIRED },
	{ health_text, "header.message_type", &message_type, BROKER, REQUIRED },
	{ health_text, "header.timestamp", &datetime, BROKER, REQUIRED },
	{ health_text, "header.protocol_version", &version, BROKER, REQUIRED },
	{ health_text, "in_reply_to", &uuid, BROKER, OPTIONAL },
	{ health_text, "notice", &integer, BROKER, OPTIONAL },
	{ health_text, "seen", &integer, BROKER, OPTIONAL },

	{ hello_text, "instance_id", &instance_id, BROKER, REQUIRED },
	{ hello_text, "max_in_flight", &integer, BROKER, REQUIRED },
	{ hello_text, "mailbox", &boolean, BROKER, OPTIONAL },
	{ hello_text, "seen", &integer, BROKER, OPTIONAL },
	{ hello_text, "broker_id", &uuid, BROKER, OPTIONAL },
	{ hello_text, "holds", &leases, BROKER, OPTIONAL },
	{ hello_text, "client", &text, BROKER, OPTIONAL },

	{ welcome_text, "broker", &text, CLIENT, REQUIRED },
	{ welcome_text, "broker_id", &uuid, CLIENT, REQUIRED },
	{ welcome_text, "features", &strings, CLIENT, REQUIRED },
	{ welcome_text, "instance_id", &instance_id, CLIENT, REQUIRED },
	{ welcome_text, "max_in_flight", &integer, CLIENT, REQUIRED },
	{ welcome_text, "max_frame_bytes", &integer, CLIENT, REQUIRED },
	{ welcome_text, "routes", &list, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.name", &text, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.source_module", &module, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.target_module", &module, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.batch_size", &integer, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.flush_timeout_ms", &integer, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.ack_timeout_ms", &integer, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.process_timeout_ms", &integer, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.retry_delay_ms", &integer, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.max_retries", &integer, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.backoff_multiplier", &real, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.backpressure_active", &boolean, CLIENT, REQUIRED },
	{ welcome_text, "routes.0.last_sequence_number", &integer, CLIENT, REQUIRED },

	{ goodbye_text, "reason", &reason, BROKER, REQUIRED },
	{ goodbye_text, "reconnect_delay_ms", &integer, BROKER, REQUIRED },
	{ goodbye_text, "message", &text, BROKER, OPTIONAL },

	{ batch_text, "metadata", &map, BROKER, REQUIRED },
	{ batch_text, "metadata.batch_id", &uuid, BROKER, REQUIRED },
	{ batch_text, "metadata.sequence_number", &integer, BROKER, REQUIRED },
	{ batch_text, "metadata.record_count", &positive, BROKER, REQUIRED },
	{ batch_text, "metadata.checksum", &checksum, BROKER, REQUIRED },
	{ batch_text, "metadata.created_at", &datetime, BROKER, REQUIRED },
	{ batch_text, "records", &bytes, BROKER, REQUIRED },
	{ batch_text, "validation_summary", &map, BROKER, OPTIONAL },
	{ batch_text, "validation_summary.total_records_validated", &integer, BROKER, REQUIRED },
	{ batch_text, "validation_summary.records_passed", &integer, BROKER, REQUIRED },
	{ batch_text, "validation_summary.records_failed", &integer, BROKER, REQUIRED },
	{ batch_text, "validation_summary.average_quality_score", &real, BROKER, REQUIRED },
	{ batch_text, "transformation_summary", &map, BROKER, OPTIONAL },
	{ batch_text, "transformation_summary.total_records_transformed", &integer, BROKER,
	  REQUIRED },
	{ batch_text, "transformation_summary.transformations_applied", &integer, BROKER,
	  REQUIRED },
	{ batch_text, "transformation_summary.enrichment_cache_hit_rate", &real, BROKER, REQUIRED },
	{ batch_text, "quality_summary", &map, BROKER, OPTIONAL },
	{ batch_text, "quality_summary.average_quality_score", &real, BROKER, REQUIRED },
	{ batch_text, "quality_summary.min_quality_score", &real, BROKER, REQUIRED },
	{ batch_text, "quality_summary.max_quality_score", &real, BROKER, REQUIRED },
	{ batch_text, "quality_summary.records_below_threshold", &integer, BROKER, REQUIRED },
	{ batch_text, "priority", &priority, BROKER, OPTIONAL },
	{ batch_text, "error_summary", &map, BROKER, OPTIONAL },
	{ batch_text, "error_summary.upstream_errors", &integer, BROKER, REQUIRED },
	{ batch_text, "error_summary.error_breakdown", &counts, BROKER, REQUIRED },
	{ batch_text, "error_summary.affected_record_ids", &strings, BROKER, REQUIRED },
	{ batch_text, "completes", &list, BROKER, OPTIONAL },
	{ batch_text, "completes.1.batch_id", &uuid, BROKER, REQUIRED },
	{ batch_text, "completes.1.status", &processed, BROKER, REQUIRED },
	{ batch_text, "completes.1.records_accepted", &integer, BROKER, REQUIRED },
	{ batch_text, "completes.1.records_rejected", &integer, BROKER, REQUIRED },
	{ batch_text, "completes.1.processing_duration_ms", &integer, BROKER, REQUIRED },
	{ batch_text, "completes.1.lease", &integer, BROKER, REQUIRED },
	{ batch_text, "completes.0.errors", &list, BROKER, OPTIONAL },
	{ batch_text, "completes.0.errors.0.error_id", &uuid, BROKER, REQUIRED },
	{ batch_text, "completes.0.errors.0.context.upstream_errors", &strings, BROKER, OPTIONAL },

	{ delivery_text, "delivery", &map, CLIENT, OPTIONAL },
	{ delivery_text, "delivery.route", &text, CLIENT, REQUIRED },
	{ delivery_text, "delivery.attempt", &positive, CLIENT, REQUIRED },
	{ delivery_text, "delivery.redelivered", &boolean, CLIENT, REQUIRED },
	{ delivery_text, "delivery.lease", &integer, CLIENT, REQUIRED },
	{ delivery_text, "delivery.received_at", &datetime, CLIENT, REQUIRED },
	{ delivery_text, "delivery.error_summary", &map, CLIENT, OPTIONAL },
	{ delivery_text, "delivery.error_summary.upstream_errors", &integer, CLIENT, REQUIRED },

	{ ack_text, "payload", &map, BROKER, REQUIRED },
	{ ack_text, "payload.batch_id", &uuid, BROKER, REQUIRED },
	{ ack_text, "payload.status", &status, BROKER, REQUIRED },
	{ ack_text, "payload.records_accepted", &integer, BROKER, REQUIRED },
	{ ack_text, "payload.records_rejected", &integer, BROKER, REQUIRED },
	{ ack_text, "payload.processing_duration_ms", &integer, BROKER, REQUIRED },
	{ ack_text, "lease", &integer, BROKER, REQUIRED },
	{ ack_text, "errors", &list, BROKER, OPTIONAL },
	{ ack_from_broker_text, "lease", &integer, CLIENT, OPTIONAL },
	{ ack_from_broker_text, "duplicate", &boolean, CLIENT, OPTIONAL },
	{ ack_from_broker_text, "route", &text, CLIENT, OPTIONAL },
	{ ack_from_broker_text, "payload.status", &status, CLIENT, REQUIRED },

	{ error_notification_text, "errors", &list, BROKER, REQUIRED },
	{ error_notification_text, "action_required", &action, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.error_id", &uuid, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.correlation_id", &text, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.timestamp", &datetime, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.source_module", &module, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.severity", &severity, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.recoverability", &recoverability, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.scope", &scope, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.error_code", &text, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.error_message", &text, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.context", &map, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.retry_eligible", &boolean, BROKER, REQUIRED },
	{ error_notification_text, "errors.0.context.record_id", &text, BROKER, OPTIONAL },
	{ error_notification_text, "errors.0.context.batch_id", &text, BROKER, OPTIONAL },
	{ error_notification_text, "errors.0.context.field_name", &text, BROKER, OPTIONAL },
	{ error_notification_text, "errors.0.context.expected_value", &text, BROKER, OPTIONAL },
	{ error_notification_text, "errors.0.context.actual_value", &text, BROKER, OPTIONAL },
	{ error_notification_text, "errors.0.context.upstream_errors", &strings, BROKER, OPTIONAL },

	{ backpressure_text, "signal_type", &signal_type, BROKER, REQUIRED },
	{ backpressure_text, "current_queue_depth", &integer, BROKER, REQUIRED },
	{ backpressure_text, "recommended_delay_ms", &integer, BROKER, REQUIRED },
	{ backpressure_text, "route", &text, BROKER, OPTIONAL },
	{ backpressure_text, "signal_type", &signal_type, CLIENT, REQUIRED },
	{ backpressure_text, "current_queue_depth", &integer, CLIENT, REQUIRED },
	{ backpressure_text, "recommended_delay_ms", &integer, CLIENT, REQUIRED },
	{ backpressure_text, "route", &text, CLIENT, OPTIONAL },

	{ confirmation_text, "batch_id", &uuid, BROKER, REQUIRED },
	{ confirmation_text, "delivery_results", &results, BROKER, REQUIRED },
	{ confirmation_text, "delivery_results.1.record_id", &record_id, BROKER, REQUIRED },
	{ confirmation_text, "delivery_results.1.destination_id", &text, BROKER, REQUIRED },
	{ confirmation_text, "delivery_results.1.status", &delivered, BROKER, REQUIRED },
	{ confirmation_text, "delivery_results.1.delivery_timestamp", &datetime, BROKER, REQUIRED },
	{ confirmation_text, "batch_id", &uuid, CLIENT, REQUIRED },
	{ confirmation_text, "delivery_results", &results, CLIENT, REQUIRED },
	{ confirmation_text, "delivery_results.1.record_id", &record_id, CLIENT, REQUIRED },
	{ confirmation_text, "delivery_results.1.destination_id", &text, CLIENT, REQUIRED },
	{ confirmation_text, "delivery_results.1.status", &delivered, CLIENT, REQUIRED },
	{ confirmation_text, "delivery_results.1.delivery_timestamp", &datetime, CLIENT, REQUIRED },
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static struct decoder *decoders[2];
static struct buf body;
static struct message m;
static struct fault f;

static int set_up(void **state)
{
	(void)state;
	decoders[BROKER] = decoder_create(BROKER);
	decoders[CLIENT] = decoder_create(CLIENT);
	buf_init(&body, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	decoder_destroy(decoders[BROKER]);
	decoder_destroy(decoders[CLIENT]);
	buf_finish(&body);
	return 0;
}

static void write_body(const char *message)
{
	buf_clear(&body);
	notation_encode(&body, message);
}

static int decode(enum decode_side side)
{
	return message_decode(decoders[side], buf_bytes(&body), body.len, &m, &f);
}

static void assert_passes(enum decode_side side, const char *what)
{
	if (decode(side) != 0)
		fail_msg("%s was refused: %s expected %s, found %s", what, f.field_name, f.expected,
		    f.actual);
}

static void assert_fault(enum decode_side side, enum error_code code, const char *field_name,
    const char *expected, const char *actual)
{
	if (decode(side) != ERR_PROTO)
		fail_msg("%s: %s passed", field_name, actual);
	if (f.code != code || strcmp(f.field_name, field_name) != 0 ||
	    strncmp(f.expected, expected, sizeof(f.expected) - 1) != 0 ||
	    strcmp(f.actual, actual) != 0)
		fail_msg("told: code %d, %s, expected %s, found %s;\n"
		    "wanted: code %d, %s, expected %s, found %s", (int)f.code, f.field_name,
		    f.expected, f.actual, (int)code, field_name, expected, actual);
}

static void assert_field_fault(const struct field_case *c, const char *expected, const char *actual)
{
	assert_fault(c->side, INT_PROTOCOL_005, c->path, expected, actual);
}

static void a_field_that_is_missing_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field_case *c = &fields[i];

		write_body(c->message);
		assert_passes(c->side, c->path);
		notation_remove(&body, c->path);
		if (c->presence == OPTIONAL)
			assert_passes(c->side, c->path);
		else
			assert_field_fault(c, c->kind->expected, "missing");
	}
}

static void nil_is_absent_where_absence_is_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field_case *c = &fields[i];

		write_body(c->message);
		notation_replace(&body, c->path, "nil");
		if (c->presence == OPTIONAL)
			assert_passes(c->side, c->path);
		else
			assert_field_fault(c, c->kind->expected, "nil");
	}
}

static void no_known_key_may_stand_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field_case *c = &fields[i];

		write_body(c->message);
		notation_double(&body, c->path);
		assert_field_fault(c, "each key once", "twice");
		/* Nor when one of the two is nil. */
		notation_replace(&body, c->path, c->presence == OPTIONAL ? "nil" : "~d40000~");
		if (c->presence == OPTIONAL)
			assert_field_fault(c, "each key once", "twice");
		else
			assert_field_fault(c, c->kind->expected, "an extension");
	}
}

static void other_types_and_bad_values_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field_case *c = &fields[i];

		write_body(c->message);
		notation_replace(&body, c->path, "~d40000~");
		assert_field_fault(c, c->kind->expected, "an extension");
		for (const struct bad_value *bad = c->kind->bad; bad->text != NULL; bad++) {
			write_body(c->message);
			notation_replace(&body, c->path, bad->text);
			assert_field_fault(c, c->kind->expected, bad->actual);
		}
	}
}

/* Faults that are not one field's. */
static const struct {
	const char *message;
	enum decode_side side;
	const char *replace;	/* the path; NULL: nothing */
	const char *with;
	const char *field_name;
	const char *expected;
	const char *actual;
} others[] = {
	{ hello_text, BROKER, "holds", "[1, -1]", "holds.1", INTEGER_PHRASE, "-1" },
	{ hello_text, BROKER, "holds", "[nil]", "holds.0", INTEGER_PHRASE, "nil" },
	{ welcome_text, CLIENT, "features", "['a', 2]", "features.1", "a string, in UTF-8",
	  "an integer" },
	{ welcome_text, CLIENT, "routes", "[5]", "routes.0", "a map", "an integer" },
	{ batch_text, BROKER, "error_summary.error_breakdown", "{'a': -1}",
	  "error_summary.error_breakdown.a", INTEGER_PHRASE, "-1" },
	{ batch_text, BROKER, "error_summary.error_breakdown", "{'a': nil}",
	  "error_summary.error_breakdown.a", INTEGER_PHRASE, "nil" },
	{ batch_text, BROKER, "error_summary.error_breakdown", "{'a': 1, 'b': 2, 'a': 1}",
	  "error_summary.error_breakdown.a", "each key once", "twice" },
	{ batch_text, BROKER, "error_summary.error_breakdown", "{'a': 1, 2: 2}",
	  "error_summary.error_breakdown.1", "a string as the key at this position", "an integer" },
	{ batch_text, BROKER, "error_summary.affected_record_ids", "['a', ~a1ff~]",
	  "error_summary.affected_record_ids.1", "a string, in UTF-8", "\\xff" },
	{ batch_text, BROKER, "completes.1", "7", "completes.1", "a map", "an integer" },
	{ batch_text, BROKER, "completes.1.lease", "5", "completes.1.lease", "each lease once",
	  "twice" },
	{ batch_text, BROKER, "completes.0.errors.0.context.upstream_errors", "['a', 1]",
	  "completes.0.errors.0.context.upstream_errors.1", "a string, in UTF-8", "an integer" },
	{ error_notification_text, BROKER, "errors", "[" ERROR_MAP ", " ERROR_MAP ", nil]",
	  "errors.2", "a map", "nil" },
	{ batch_text, BROKER, "header", "nil", "header", "a map", "nil" },
	{ batch_text, BROKER, "header", "'x'", "header", "a map", "a string" },
	{ batch_text, BROKER, "header", "{}", "header.message_id", "a UUID of 36 characters",
	  "missing" },
	{ "{}", BROKER, NULL, NULL, "header", "a map, under the first key", "missing" },
	{ "{'metadata': {}}", BROKER, NULL, NULL, "header", "a map, under the first key",
	  "missing" },
	{ "{'x': 1, " HEADER("ALPHA", "BETA", "HELLO") "}", BROKER, NULL, NULL, "header",
	  "the first key", "another key before it" },
	{ "{1: 1, " HEADER("ALPHA", "BETA", "HELLO") "}", BROKER, NULL, NULL, "header",
	  "the first key", "another key before it" },
	{ delivery_text, BROKER, NULL, NULL, "delivery", "no key of this name", "a map" },
	{ confirmation_text, BROKER, "delivery_results.1", "'r-2'", "delivery_results.1", "a map",
	  "a string" },
	{ confirmation_text, BROKER, "delivery_results.2.record_id", "'r-1'",
	  "delivery_results.2.record_id", "each record_id once", "twice" },
	{ confirmation_text, CLIENT, "delivery_results.1.record_id", "~d903722d31~",
	  "delivery_results.1.record_id", "each record_id once", "twice" },
	{ delivery_text, BROKER, "delivery", "nil", "delivery", "no key of this name", "nil" },
};

static void faults_in_lists_and_around_fields_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		write_body(others[i].message);
		if (others[i].replace != NULL)
			notation_replace(&body, others[i].replace, others[i].with);
		assert_fault(others[i].side, INT_PROTOCOL_005, others[i].field_name,
		    others[i].expected, others[i].actual);
	}
}

/* In each kind of map of the page: after which key, and the path of what is inserted there. */
static const struct {
	const char *after;
	const char *twice;
	const char *position;
} maps[] = {
	{ "header", "x\\x0a", "1" },
	{ "header.message_id", "header.x\\x0a", "header.1" },
	{ "metadata.batch_id", "metadata.x\\x0a", "metadata.1" },
	{ "validation_summary.total_records_validated", "validation_summary.x\\x0a",
	  "validation_summary.1" },
	{ "error_summary.upstream_errors", "error_summary.x\\x0a", "error_summary.1" },
	{ "completes.0.batch_id", "completes.0.x\\x0a", "completes.0.1" },
	{ "completes.0.errors.0.error_id", "completes.0.errors.0.x\\x0a",
	  "completes.0.errors.0.1" },
	{ "completes.0.errors.0.context.record_id", "completes.0.errors.0.context.x\\x0a",
	  "completes.0.errors.0.context.1" },
};

static void no_unknown_key_may_stand_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		write_body(batch_text);
		notation_insert(&body, maps[i].after, 3, "'x\n': 1, 'y': 2, ~d902780a~: 1");
		assert_fault(BROKER, INT_PROTOCOL_005, maps[i].twice, "each key once", "twice");
	}
}

static void keys_are_strings(void **state)
{
	static const struct bad_value keys[] = {
		{ "nil: 1", "nil" }, { "7: 1", "an integer" }, { "<61>: 1", "bytes" },
		{ "[]: 1", "a list" }, { "true: 1", "a boolean" }, { "{}: 1", "a map" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			write_body(batch_text);
			notation_insert(&body, maps[i].after, 1, keys[k].text);
			assert_fault(BROKER, INT_PROTOCOL_005, maps[i].position,
			    "a string as the key at this position", keys[k].actual);
		}
	}
}

static void no_frame_is_told_from_a_message_with_a_fault(void **state)
{
	static const struct {
		const char *text;
		const char *actual;
	} cases[] = {
		{ "~c1~", "no MessagePack" },
		{ "~de00~", "no MessagePack" },
		{ "nil", "nil" },
		{ "[{}]", "a list" },
		{ "'GET / HTTP/1.1'", "a string" },
		{ "71", "an integer" },
		{ "~81~", "a map that is cut short" },
		{ "~81a168~", "a map that is cut short" },
		{ "~dfffffffff~", "a map that is cut short" },
		{ "~81a168dd10000000~", "a map that is cut short" },
		{ "~81a16892c0c1~", "a map with the byte 0xc1 in it" },
		{ "~81c1c0~", "a map with the byte 0xc1 in it" },
		{ "~80c0~", "a map with something after it" },
		{ "~8080~", "a map with something after it" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_body(cases[i].text);
		assert_fault(BROKER, INT_PROTOCOL_001, "", "exactly one MessagePack map",
		    cases[i].actual);
		assert_false(m.header.has_message_id);
	}
	buf_clear(&body);
	assert_fault(BROKER, INT_PROTOCOL_001, "", "exactly one MessagePack map", "nothing");
}

static void the_version_comes_after_the_header_and_before_the_type(void **state)
{
	static const char *const versions[] = {
		"'2.0.0'", "'0.9.0'", "'11.0.0'", "'999999999.0.0'",
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char found[32];

		write_body(hello_text);
		notation_replace(&body, "header.message_type", "'LATER'");
		notation_replace(&body, "header.protocol_version", versions[i]);
		notation_replace(&body, "max_in_flight", "nil");
		snprintf(found, sizeof(found), "%.*s", (int)strlen(versions[i]) - 2,
		    versions[i] + 1);
		assert_fault(BROKER, INT_PROTOCOL_003, "header.protocol_version", "a version 1.x.y",
		    found);
		assert_true(m.header.has_message_id);
	}
	notation_replace(&body, "header.timestamp", "nil");
	assert_fault(BROKER, INT_PROTOCOL_005, "header.timestamp", datetime.expected, "nil");
}

static void an_unknown_type_is_told(void **state)
{
	static const char *const types[] = { "batch_transfer", "HELLO ", "", "UNKNOWN", "unknown" };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char quoted[32];

		snprintf(quoted, sizeof(quoted), "'%s'", types[i]);
		write_body(batch_text);
		notation_replace(&body, "header.message_type", quoted);
		notation_remove(&body, "records");
		assert_fault(BROKER, INT_PROTOCOL_004, "header.message_type",
		    "a message type of protocol 1.0.0", types[i]);
		assert_int_equal(m.header.type, MESSAGE_UNKNOWN);
		assert_true(m.header.has_message_id);
		assert_true(m.header.has_correlation_id);
	}
}

/* A pair whose value is lists one in the other, the outermost at level `from`, the last at `to`. */
static void insert_nested(const char *after, unsigned from, unsigned to)
{
	char pair[256];

	notation_nest(pair, sizeof(pair), "'deep': ", to - from + 1, "");
	write_body(batch_text);
	notation_insert(&body, after, 1, pair);
}

static void level_65_is_refused_and_named_by_its_key(void **state)
{
	const char *expected = "at most 64 levels of nesting";

	(void)state;
	insert_nested("metadata", 2, 64);
	assert_passes(BROKER, "64 levels");
	insert_nested("metadata", 2, 65);
	assert_fault(BROKER, INT_PROTOCOL_005, "deep", expected, "deeper nesting");
	assert_true(m.header.has_message_id);
	assert_true(m.batch.has_batch_id);
	insert_nested("metadata.batch_id", 3, 64);
	assert_passes(BROKER, "64 levels");
	insert_nested("metadata.batch_id", 3, 65);
	assert_fault(BROKER, INT_PROTOCOL_005, "metadata", expected, "deeper nesting");
	insert_nested("header.message_id", 3, 100);
	assert_fault(BROKER, INT_PROTOCOL_005, "header", expected, "deeper nesting");
	assert_true(m.header.has_message_id);
	/* What is no MessagePack comes first. */
	insert_nested("metadata", 2, 65);
	buf_put(&body, "", 1);
	assert_fault(BROKER, INT_PROTOCOL_001, "", "exactly one MessagePack map",
	    "a map with something after it");
}

static void a_key_may_not_be_too_deep_either(void **state)
{
	char pair[256];

	(void)state;
	notation_nest(pair, sizeof(pair), "", 64, ": nil");
	write_body(batch_text);
	notation_insert(&body, "header", 1, pair);
	assert_fault(BROKER, INT_PROTOCOL_005, "1", "at most 64 levels of nesting",
	    "deeper nesting");
}

static void assert_uuid(const struct uuid *u, const char *expected)
{
	char found[UUID_TEXT_LEN + 1];

	uuid_format(u, found);
	assert_string_equal(found, expected);
}

/* A refusal names the message and the batch, wherever else the fault is. */
static void what_a_refusal_names_is_read_wherever_the_fault_is(void **state)
{
	static const struct {
		const char *path;
		const char *with;
	} faults[] = {
		{ "header.timestamp", "nil" }, { "header.protocol_version", "'2.0.0'" },
		{ "header.source_module", "1" }, { "metadata.checksum", "1" },
		{ "records", "nil" }, { "priority", "1" }, { "completes.0.lease", "-1" },
		{ "metadata.created_at", "'now'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		write_body(batch_text);
		notation_replace(&body, faults[i].path, faults[i].with);
		assert_int_equal(decode(BROKER), ERR_PROTO);
		assert_int_equal(m.header.type, MESSAGE_BATCH_TRANSFER);
		assert_true(m.header.has_message_id);
		assert_uuid(&m.header.message_id, MESSAGE_ID);
		assert_true(m.header.has_correlation_id);
		assert_true(span_is(m.header.correlation_id, "c-1"));
		assert_true(m.batch.has_batch_id);
		assert_uuid(&m.batch.batch_id, BATCH_ID);
		assert_null(m.batch.completes);
		assert_null(m.batch.records.p);
	}
	/* Of an acknowledgment too; the batch stands behind the fault. */
	write_body("{" HEADER("BETA", "BROKER", "ACKNOWLEDGMENT") ", 'lease': nil,"
	    " 'payload': {" ACK_PAYLOAD("WELL") "}}");
	assert_fault(BROKER, INT_PROTOCOL_005, "lease", INTEGER_PHRASE, "nil");
	assert_true(m.ack.has_batch_id);
	assert_uuid(&m.ack.batch_id, BATCH_ID);
	assert_false(m.ack.has_lease);
	/* Of a confirmation, at both sides. */
	for (int side = BROKER; side <= CLIENT; side++) {
		write_body(confirmation_text);
		notation_replace(&body, "delivery_results", "[]");
		assert_int_equal(decode((enum decode_side)side), ERR_PROTO);
		assert_true(m.confirmation.has_batch_id);
		assert_uuid(&m.confirmation.batch_id, BATCH_ID);
		assert_null(m.confirmation.results);
		assert_int_equal(m.confirmation.result_count, 0);
		notation_replace(&body, "batch_id", "'x'");
		assert_int_equal(decode((enum decode_side)side), ERR_PROTO);
		assert_false(m.confirmation.has_batch_id);
	}
	/* And when the header is not where it should be. */
	write_body("{'a': 1, " HEADER("ALPHA", "BETA", "BATCH_TRANSFER")
	    ", 'metadata': {'batch_id': '" BATCH_ID "'}, 'delivery': nil}");
	assert_int_equal(decode(BROKER), ERR_PROTO);
	assert_true(m.header.has_message_id);
	assert_true(m.batch.has_batch_id);
	assert_true(m.batch.has_delivery);
}

static void what_cannot_be_read_is_not_named(void **state)
{
	(void)state;
	write_body(batch_text);
	notation_replace(&body, "header.message_id", "'x'");
	notation_replace(&body, "header.correlation_id", "''");
	notation_replace(&body, "metadata.batch_id", "nil");
	assert_int_equal(decode(BROKER), ERR_PROTO);
	assert_int_equal(m.header.type, MESSAGE_BATCH_TRANSFER);
	assert_false(m.header.has_message_id);
	assert_false(m.header.has_correlation_id);
	assert_false(m.batch.has_batch_id);
	notation_replace(&body, "header.correlation_id", "~a1ff~");
	notation_replace(&body, "metadata", "5");
	assert_int_equal(decode(BROKER), ERR_PROTO);
	assert_false(m.header.has_correlation_id);
	assert_false(m.batch.has_batch_id);
	write_body("{}");
	assert_int_equal(decode(BROKER), ERR_PROTO);
	assert_int_equal(m.header.type, MESSAGE_UNKNOWN);
	assert_false(m.header.has_message_id);
}

/* Whatever comes: an answer that is complete, and nothing read behind the end. */
static void mutated_messages_do_no_harm(void **state)
{
	static const char *const seeds[] = {
		hello_text, welcome_text, goodbye_text, batch_text, delivery_text, ack_text,
		ack_from_broker_text, error_notification_text, health_text, backpressure_text,
		confirmation_text,
	};
	const size_t count = sizeof(seeds) / sizeof(seeds[0]);
	unsigned passed = 0, by_code[ERROR_CODE_COUNT] = { 0 };
	struct rng r;

	(void)state;
	rng_seed(&r, 5);
	for (unsigned i = 0; i < 60000; i++) {
		uint8_t changed[2048], *exact;
		size_t n;

		write_body(seeds[i % count]);
		assert_true(body.len < sizeof(changed));
		memcpy(changed, buf_bytes(&body), body.len);
		n = mutate(&r, changed, body.len, sizeof(changed));
		exact = malloc(n);
		memcpy(exact, changed, n);
		if (message_decode(decoders[i / count % 2], exact, n, &m, &f) == 0) {
			assert_int_equal(f.code, INT_NONE);
			passed++;
		} else {
			assert_true(f.code >= INT_PROTOCOL_001 && f.code <= INT_PROTOCOL_005);
			assert_true(f.expected[0] != '\0');
			by_code[f.code]++;
		}
		free(exact);
	}
	assert_true(passed > 1000);
	assert_true(by_code[INT_PROTOCOL_001] > 1000);
	assert_true(by_code[INT_PROTOCOL_004] > 100);
	assert_true(by_code[INT_PROTOCOL_005] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_that_is_missing_is_named),
		cmocka_unit_test(nil_is_absent_where_absence_is_allowed),
		cmocka_unit_test(no_known_key_may_stand_twice),
		cmocka_unit_test(other_types_and_bad_values_are_told),
		cmocka_unit_test(faults_in_lists_and_around_fields_are_named),
		cmocka_unit_test(no_unknown_key_may_stand_twice),
		cmocka_unit_test(keys_are_strings),
		cmocka_unit_test(no_frame_is_told_from_a_message_with_a_fault),
		cmocka_unit_test(the_version_comes_after_the_header_and_before_the_type),
		cmocka_unit_test(an_unknown_type_is_told),
		cmocka_unit_test(level_65_is_refused_and_named_by_its_key),
		cmocka_unit_test(a_key_may_not_be_too_deep_either),
		cmocka_unit_test(what_a_refusal_names_is_read_wherever_the_fault_is),
		cmocka_unit_test(what_cannot_be_read_is_not_named),
		cmocka_unit_test(mutated_messages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
