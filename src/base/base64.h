/* base64.h - bytes as letters, RFC 4648 section 4, with padding */
#ifndef HANDOFF_BASE_BASE64_H
#define HANDOFF_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Characters that n bytes become. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Appends them. */
void base64_encode(struct buf *out, const void *p, size_t n);
/*
 * Appends the bytes that len characters stand for. False, and `out` has gained nothing, when they
 * are not whole groups of four of the alphabet, padded only at the end; or when out->failed.
 */
bool base64_decode(struct buf *out, const char *text, size_t len);

#endif
