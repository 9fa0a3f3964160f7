/* ahead.h - the SHA-256 of a long frame's records, made while they come */
#ifndef HANDOFF_WIRE_AHEAD_H
#define HANDOFF_WIRE_AHEAD_H

#include "wire/frame.h"
#include "wire/message.h"

/*
 * A frame of some megabytes is hashed for some milliseconds, and nobody else is served meanwhile
 * when that is done at its end. So the records of a long one are looked for when its first bytes are
 * there, and hashed as they come. What was hashed is used only where it turns out to be what is
 * asked for: a frame whose records stand elsewhere is none the worse.
 */
#define AHEAD_FRAME_BYTES (1024 * 1024)	/* a frame so long is worth it */

/* More of the frame is there. No memory for it: it is hashed at its end, as any other. */
void ahead_follow(struct frame *f);
/* The digest of a part of the frame (protocol section 5). */
void ahead_digest(const struct frame *f, struct span part, uint8_t out[32]);
/* Gives back what was made for a frame; NULL is fine. */
void ahead_free(struct ahead *a);

#endif
