/*
 * stock_names.h - other names for mbedTLS's own AES-GCM, so that it fits beside gcm_alt.c
 *
 * Included before everything else (-include) where HANDOFF_STOCK_GCM is set. For tests alone.
 */
#ifndef HANDOFF_DEPS_STOCK_NAMES_H
#define HANDOFF_DEPS_STOCK_NAMES_H

#define mbedtls_gcm_init		stock_gcm_init
#define mbedtls_gcm_free		stock_gcm_free
#define mbedtls_gcm_setkey		stock_gcm_setkey
#define mbedtls_gcm_starts		stock_gcm_starts
#define mbedtls_gcm_update_ad		stock_gcm_update_ad
#define mbedtls_gcm_update		stock_gcm_update
#define mbedtls_gcm_finish		stock_gcm_finish
#define mbedtls_gcm_crypt_and_tag	stock_gcm_crypt_and_tag
#define mbedtls_gcm_auth_decrypt	stock_gcm_auth_decrypt

#endif
