/* tls.h - keys, certificates and settings of TLS 1.3 with mutual authentication */
#ifndef HANDOFF_NET_TLS_H
#define HANDOFF_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * A loaded authority, certificate and key with the settings made of them; many streams share it,
 * and it must outlive them. Both sides: TLS 1.3 alone, the other's certificate required, no
 * resumption, ALPN `handoff/1` (protocol section 1).
 */
struct tls_context;

/* Call once at start, before any of this room. Ends the process when a library is unfit. */
void tls_init(void);

/*
 * Loads the three PEM files. On failure NULL, with a sentence for people in why[size]: which file,
 * what is wrong, what to do (key does not match the certificate, expired, not yet valid, …).
 */
struct tls_context *tls_server_create(const char *ca, const char *certificate, const char *key,
    char *why, size_t size);
struct tls_context *tls_client_create(const char *ca, const char *certificate, const char *key,
    char *why, size_t size);
/* When our own certificate expires, and the first of the authorities' certificates; microseconds of
 * the wall clock. */
int64_t tls_expiry_us(const struct tls_context *tls);
int64_t tls_authority_expiry_us(const struct tls_context *tls);
void tls_destroy(struct tls_context *tls);	/* accepts NULL */

#define TLS_NAME_MAX 255
#define TLS_NAMES_MAX 16

/* Who a verified certificate says its bearer is. */
struct tls_identity {
	char uri[TLS_NAMES_MAX][TLS_NAME_MAX + 1];	/* URI subject alternative names */
	size_t uri_count;
	char dns[TLS_NAMES_MAX][TLS_NAME_MAX + 1];
	size_t dns_count;
	char common_name[TLS_NAME_MAX + 1];		/* "" when there is none */
	char fingerprint[65];				/* SHA-256 of the certificate, hex */
	/* A name empty or too long, too many, two common names, or bytes that no name has (NUL,
	 * control; in URI and DNS names all but printable ASCII): refuse. */
	bool malformed;
};

#endif
