/* names.h - the protocol's words for the enums of message.h, in their order; NULL ends each */
#ifndef HANDOFF_WIRE_NAMES_H
#define HANDOFF_WIRE_NAMES_H

extern const char *const message_type_names[];	/* begins with MESSAGE_HELLO */
extern const char *const ack_status_names[];
extern const char *const severity_names[];
extern const char *const recoverability_names[];
extern const char *const scope_names[];
extern const char *const action_required_names[];
extern const char *const priority_names[];
extern const char *const signal_type_names[];
extern const char *const record_delivery_names[];
extern const char *const circuit_state_names[];
extern const char *const check_type_names[];
extern const char *const health_status_names[];
extern const char *const goodbye_reason_names[];

#endif
