/* library.c - what is done once for all clients of the process, and the library's words */
#include "client/library.h"

#include <pthread.h>
#include <stddef.h>

#include "base/log.h"
#include "base/version.h"
#include "handoff/handoff.h"
#include "net/tls.h"

/* The rooms below may log warnings: a library does not print. */
static void init(void)
{
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	tls_init();
}

void library_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
}

const char *handoff_version(void)
{
	return HANDOFF_VERSION;
}

const char *handoff_result_text(int result)
{
	switch (result) {
	case 0: return "success";
	case HANDOFF_AGAIN: return "not now";
	case HANDOFF_INVALID: return "invalid argument";
	case HANDOFF_NO_MEMORY: return "out of memory";
	case HANDOFF_TOO_LARGE: return "too large for one frame of the broker";
	case HANDOFF_NO_ROUTE: return "the broker knows no such route of this module";
	case HANDOFF_NOT_CONNECTED: return "not connected yet";
	case HANDOFF_CLOSED: return "the client is closed";
	case HANDOFF_STALE: return "the lease is no longer current";
	default: return "unknown result";
	}
}

const char *handoff_event_name(enum handoff_event_type type)
{
	switch (type) {
	case HANDOFF_EVENT_STATE: return "STATE";
	case HANDOFF_EVENT_RECEIVED: return "RECEIVED";
	case HANDOFF_EVENT_REFUSED: return "REFUSED";
	case HANDOFF_EVENT_PROCESSED: return "PROCESSED";
	case HANDOFF_EVENT_REJECTED: return "REJECTED";
	case HANDOFF_EVENT_DELIVERY: return "DELIVERY";
	case HANDOFF_EVENT_DONE: return "DONE";
	case HANDOFF_EVENT_STALE: return "STALE";
	case HANDOFF_EVENT_NOT_DONE: return "NOT_DONE";
	case HANDOFF_EVENT_LOST: return "LOST";
	case HANDOFF_EVENT_ERRORS: return "ERRORS";
	case HANDOFF_EVENT_BACKPRESSURE: return "BACKPRESSURE";
	case HANDOFF_EVENT_CONFIRMATION: return "CONFIRMATION";
	case HANDOFF_EVENT_HEALTH: return "HEALTH";
	case HANDOFF_EVENT_CIRCUIT: return "CIRCUIT";
	}
	return "unknown";
}

const char *handoff_circuit_name(enum handoff_circuit state)
{
	switch (state) {
	case HANDOFF_CIRCUIT_CLOSED: return "CLOSED";
	case HANDOFF_CIRCUIT_OPEN: return "OPEN";
	case HANDOFF_CIRCUIT_HALF_OPEN: return "HALF_OPEN";
	}
	return "unknown";
}

const char *handoff_health_name(enum handoff_health status)
{
	switch (status) {
	case HANDOFF_HEALTHY: return "HEALTHY";
	case HANDOFF_DEGRADED: return "DEGRADED";
	case HANDOFF_UNHEALTHY: return "UNHEALTHY";
	}
	return "unknown";
}

const char *handoff_record_status_name(enum handoff_record_status status)
{
	switch (status) {
	case HANDOFF_RECORD_DELIVERED: return "DELIVERED";
	case HANDOFF_RECORD_FAILED: return "FAILED";
	case HANDOFF_RECORD_DLQ: return "DLQ";
	}
	return "unknown";
}

const char *handoff_end_name(enum handoff_end end)
{
	switch (end) {
	case HANDOFF_END_NONE: return "none";
	case HANDOFF_END_DRAINED: return "drained";
	case HANDOFF_END_OPTIONS: return "options";
	case HANDOFF_END_TLS: return "TLS";
	case HANDOFF_END_UNAUTHORIZED: return "UNAUTHORIZED";
	case HANDOFF_END_PROTOCOL_ERROR: return "PROTOCOL_ERROR";
	case HANDOFF_END_REPLACED: return "REPLACED";
	}
	return "unknown";
}

const char *handoff_state_name(enum handoff_state state)
{
	switch (state) {
	case HANDOFF_CONNECTING: return "connecting";
	case HANDOFF_CONNECTED: return "connected";
	case HANDOFF_WAITING: return "waiting";
	case HANDOFF_CLOSING: return "closing";
	case HANDOFF_ENDED: return "ended";
	}
	return "unknown";
}
