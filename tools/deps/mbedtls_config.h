/*
 * mbedtls_config.h - the parts of mbedTLS 3.6 that handoff uses; replaces the stock configuration
 *
 * TLS 1.3 alone, each connection with a full handshake and certificates on both sides.
 * There are no tickets, no pre-shared keys and no early data: a resumed session of this library has
 * no peer certificate, and so no identity. What is not named here is not compiled.
 *
 * The broker has one thread, but a module may have a client of libhandoff in each of its own; the
 * locks cost nothing that could be measured, as sealing and opening records takes none.
 */

/* Platform */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE		/* certificates expire */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_FS_IO
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD
#define MBEDTLS_DEPRECATED_REMOVED
#define MBEDTLS_ERROR_C			/* errors as sentences, for the log */
#define MBEDTLS_VERSION_C

/* Ciphers and digests */
#define MBEDTLS_AES_C
#define MBEDTLS_AESNI_C
#define MBEDTLS_AESCE_C
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C			/* key identifiers in certificates, never a signature */
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_HKDF_C

/* AES-GCM by libgcrypt, gcm_alt.c; the test that compares both compiles the stock one beside it. */
#ifndef HANDOFF_STOCK_GCM
#define MBEDTLS_GCM_ALT
#endif

/* Keys and signatures */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15		/* inside certificates; TLS 1.3 itself signs with PSS */
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT

/* Certificates: read, and written by `handoff cert` */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_OID_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C

/*
 * PSA: TLS 1.3 of this library derives its keys with it. But not MBEDTLS_USE_PSA_CRYPTO: with it,
 * each record makes a cipher context, sets the key, and throws both away; without it, they live as
 * long as the connection. Records sealed and opened a second, one processor, AES-256-GCM:
 *
 *	                                        300 B      16 KiB    heap a connection
 *	without                             1,750,000     105,000         37.9 kB
 *	with MBEDTLS_USE_PSA_CRYPTO           440,000      80,000         37.2 kB
 *	without, stock AES-GCM (-maes)        430,000       9,000         37.9 kB
 */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG		/* getrandom(2), psa_random.c: survives a fork */
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC		/* thousands of handshakes may be under way */
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS	/* input is ours alone: no copies of it */

/* TLS */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE	/* who the peer is */
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384	/* a peer may send full records */
#define MBEDTLS_SSL_OUT_CONTENT_LEN 16384
