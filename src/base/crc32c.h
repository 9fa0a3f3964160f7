/* crc32c.h - the two ways to a CRC-32C; digest.h has crc32c(), which chooses */
#ifndef HANDOFF_BASE_CRC32C_H
#define HANDOFF_BASE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As crc32c() in digest.h, on any processor. */
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n);
/* As crc32c() in digest.h; only where crc32c_has_instruction() says so. */
uint32_t crc32c_by_instruction(uint32_t crc, const void *p, size_t n);
bool crc32c_has_instruction(void);

#endif
