/* messages.h - a frame's body, decoded on both sides and written again */
#ifndef HANDOFF_FUZZ_MESSAGES_H
#define HANDOFF_FUZZ_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#include "wire/decode.h"

void messages_begin(void);
/* One number for all that it says to this side and that an encoder of ours can say. */
uint32_t message_fold(const struct message *m, enum decode_side side);
/* All that broker and client do with a body before they know whether to believe it. */
void messages_try(const uint8_t *body, size_t n);

#endif
