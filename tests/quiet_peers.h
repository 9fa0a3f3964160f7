/* quiet_peers.h - peers that take what they are given and forget it: for programs without a wire */
#ifndef HANDOFF_TESTS_QUIET_PEERS_H
#define HANDOFF_TESTS_QUIET_PEERS_H

#include "core/core.h"

/* Every operation of core.h, each with room and without an effect. Copy it to answer to some. */
extern const struct peer_ops quiet_peers;

#endif
