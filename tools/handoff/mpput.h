/* mpput.h - MessagePack written behind each other into a buffer */
#ifndef HANDOFF_TOOLS_MPPUT_H
#define HANDOFF_TOOLS_MPPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* All in the shortest form; a failure shows in out->failed, and later ones do nothing. */

/* One byte: nil, false, true, or of a text. */
void mp_put_byte(struct buf *out, unsigned byte);
void mp_put_uint(struct buf *out, uint64_t v);
void mp_put_negative(struct buf *out, int64_t v);
void mp_put_float(struct buf *out, double v);
void mp_put_text(struct buf *out, const char *text, size_t len);

/*
 * For what is longer than is known when it begins: one byte is put in place of the head, then the
 * content, and at its end the head takes its place, for which the content moves if need be.
 */
void mp_place_count(struct buf *out, size_t at, bool is_map, uint32_t count);
/* What follows the byte at `at` are a text's bytes. */
void mp_place_text(struct buf *out, size_t at);

#endif
