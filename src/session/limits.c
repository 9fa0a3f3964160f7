/* limits.c - what a module's connection can make the broker hold, by name */
#include "session/internal.h"

const struct limit session_limits[] = {
	{ "session frame timeout", LIMIT_MS, FRAME_TIMEOUT_MS },
	{ "session lingering", LIMIT_MS, LINGER_MS },
	{ "session bytes of a peer in a turn", LIMIT_BYTES, PEER_BYTES_PER_TURN },
	{ "session bytes in a turn", LIMIT_BYTES, TURN_BYTES },
	{ "session answers not read", LIMIT_BYTES, ANSWER_BYTES_MAX },
	{ "session outcomes in memory", LIMIT_BYTES, NOTICE_BYTES_MAX },
	{ "components of a health answer", LIMIT_COUNT, COMPONENTS_MAX },
	{ "session frames kept in memory", LIMIT_BYTES, KEPT_BYTES_MAX },
};

const size_t session_limit_count = sizeof(session_limits) / sizeof(session_limits[0]);
