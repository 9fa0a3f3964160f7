/* tls_internal.h - what the files of this room that speak to mbedTLS share; for src/net alone */
#ifndef HANDOFF_NET_TLS_INTERNAL_H
#define HANDOFF_NET_TLS_INTERNAL_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/tls.h"

struct tls_context {
	mbedtls_ssl_config settings;	/* points at the three below */
	mbedtls_x509_crt authority;	/* whose certificates are believed */
	mbedtls_x509_crt own;		/* our certificate and what leads from it to an authority */
	mbedtls_pk_context key;
};

/* The system's randomness in mbedTLS's form; `unused` is NULL. Never fails. */
int tls_random(void *unused, unsigned char *p, size_t n);

/* What signs and is signed: SHA-256 and up, ECDSA on P-256 and P-384, RSA from 3072 bits. */
extern const mbedtls_x509_crt_profile tls_profile;

/* A whole PEM file with a NUL, which n counts; released by tls_release(). */
#define TLS_FILE_BYTES_MAX (1024 * 1024)
struct tls_file {
	unsigned char *p;	/* owned */
	size_t n;
	mode_t mode;		/* of the file that was read, whatever has its name by now */
};
/* False with a sentence in why[size] when it cannot be read. */
bool tls_read_file(const char *path, struct tls_file *file, char *why, size_t size);
void tls_release(struct tls_file *file);	/* wipes and frees */

/* Who a certificate's bearer is (identity.c). */
void identity_read(const mbedtls_x509_crt *certificate, struct tls_identity *id);
/* The extended key usage is there and names this one (an MBEDTLS_OID_…): "any" does not count. */
bool identity_has_usage(const mbedtls_x509_crt *certificate, const char *oid, size_t oid_len);
/* The subject as printable ASCII, cut when it is long. */
void identity_subject(const mbedtls_x509_crt *certificate, char *out, size_t size);

/* Why TLS failed (refusal.c): MBEDTLS_X509_BADCERT_… as "certificate expired, …". */
void refusal_flaws(uint32_t flags, bool of_client, char *out, size_t size);
/* The name of an alert as RFC 8446, section 6.2, has it. */
const char *refusal_alert(unsigned alert);
/* An error of mbedTLS; good until the thread's next call. */
const char *refusal_error(int error);

#endif
