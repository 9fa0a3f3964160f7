/* stock_gcm.c - calls mbedTLS's own AES-GCM; compiled with the names of tools/deps/stock_names.h */
#include "stock_gcm.h"

#include <mbedtls/gcm.h>

#ifdef MBEDTLS_GCM_ALT
#error "compile this file with -DHANDOFF_STOCK_GCM"
#endif

int stock_seal(const struct gcm_message *m, uint8_t *out, uint8_t tag[GCM_TAG_BYTES])
{
	mbedtls_gcm_context gcm;
	int r;

	mbedtls_gcm_init(&gcm);
	r = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits);
	if (r == 0)
		r = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, m->len, m->iv, m->iv_len,
					      m->ad, m->ad_len, m->text, out, GCM_TAG_BYTES, tag);
	mbedtls_gcm_free(&gcm);
	return r;
}
