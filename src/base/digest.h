/* digest.h - SHA-256 of batches, CRC-32C of stored records */
#ifndef HANDOFF_BASE_DIGEST_H
#define HANDOFF_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX_LEN 64

/* Call once at start, before any other thread or TLS; ends the process when libgcrypt is unfit. */
void digest_init(void);
struct sha256;
void sha256(const void *p, size_t n, uint8_t out[SHA256_BYTES]);
/* The same in parts. NULL when memory is refused; the end, with NULL where it is not wanted, frees. */
struct sha256 *sha256_begin(void);
void sha256_add(struct sha256 *h, const void *p, size_t n);
void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES]);
/* CRC-32C (Castagnoli) of n bytes, going on from `crc` (0 to begin). */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* n bytes as 2n lower-case hex digits and a NUL. */
void hex_format(const uint8_t *p, size_t n, char *out);
/* Lower-case hex digits only, exactly 2n of them; false otherwise. */
bool hex_parse(const char *s, size_t len, uint8_t *out, size_t n);

#endif
