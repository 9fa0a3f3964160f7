/* stock_gcm.h - mbedTLS's own AES-GCM, to compare with; the context types of both exclude each other */
#ifndef HANDOFF_TESTS_STOCK_GCM_H
#define HANDOFF_TESTS_STOCK_GCM_H

#include <stddef.h>
#include <stdint.h>

#define GCM_TAG_BYTES 16

/* One message; all is borrowed. */
struct gcm_message {
	unsigned key_bits;
	const uint8_t *key;
	const uint8_t *iv;
	size_t iv_len;
	const uint8_t *ad;	/* associated data */
	size_t ad_len;
	const uint8_t *text;
	size_t len;
};

/* Encrypts text to out[len]; returns mbedTLS's 0 or error. */
int stock_seal(const struct gcm_message *m, uint8_t *out, uint8_t tag[GCM_TAG_BYTES]);

#endif
