/* names.h - the protocol's words for the enums of message.h, in their order; p NULL ends each */
#ifndef HANDOFF_WIRE_NAMES_H
#define HANDOFF_WIRE_NAMES_H

#include "wire/message.h"

extern const struct span message_type_names[];	/* begins with MESSAGE_HELLO */
extern const struct span ack_status_names[];
extern const struct span severity_names[];
extern const struct span recoverability_names[];
extern const struct span scope_names[];
extern const struct span action_required_names[];
extern const struct span priority_names[];
extern const struct span signal_type_names[];
extern const struct span record_delivery_names[];
extern const struct span circuit_state_names[];
extern const struct span check_type_names[];
extern const struct span health_status_names[];
extern const struct span goodbye_reason_names[];

#endif
