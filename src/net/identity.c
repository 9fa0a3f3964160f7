/* identity.c - reading a certificate: who its bearer is, and what it may be used for */
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "net/tls_internal.h"

/* GeneralName's choices (RFC 5280, section 4.2.1.6). */
#define SAN_DNS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2)
#define SAN_URI (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6)

/* Printable ASCII, as URI and DNS names are (IA5String), or with `utf8` any byte from 0x80 too. */
static bool is_name(const unsigned char *p, size_t n, bool utf8)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] == 0x7f || (p[i] > 0x7f && !utf8))
			return false;
	}
	return n > 0 && n <= TLS_NAME_MAX;
}

static void add_name(const unsigned char *p, size_t n, char names[][TLS_NAME_MAX + 1],
		     size_t *count, bool *malformed)
{
	if (*count == TLS_NAMES_MAX || !is_name(p, n, false)) {
		*malformed = true;
		return;
	}
	memcpy(names[*count], p, n);
	names[*count][n] = '\0';
	*count += 1;
}

static void read_alternative_names(const mbedtls_x509_crt *certificate, struct tls_identity *id)
{
	const mbedtls_x509_sequence *s;

	if (mbedtls_x509_crt_has_ext_type(certificate, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) == 0)
		return;
	for (s = &certificate->subject_alt_names; s != NULL; s = s->next) {
		if (s->buf.tag == SAN_URI)
			add_name(s->buf.p, s->buf.len, id->uri, &id->uri_count, &id->malformed);
		else if (s->buf.tag == SAN_DNS)
			add_name(s->buf.p, s->buf.len, id->dns, &id->dns_count, &id->malformed);
	}
}

/* More than one common name would let two readers see two bearers: malformed. */
static void read_common_name(const mbedtls_x509_crt *certificate, struct tls_identity *id)
{
	const mbedtls_x509_name *name;

	for (name = &certificate->subject; name != NULL; name = name->next) {
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) != 0)
			continue;
		if (id->common_name[0] != '\0' || !is_name(name->val.p, name->val.len, true)) {
			id->malformed = true;
			return;
		}
		memcpy(id->common_name, name->val.p, name->val.len);
		id->common_name[name->val.len] = '\0';
	}
}

void identity_read(const mbedtls_x509_crt *certificate, struct tls_identity *id)
{
	uint8_t digest[SHA256_BYTES];

	*id = (struct tls_identity){ .uri_count = 0 };
	read_alternative_names(certificate, id);
	read_common_name(certificate, id);
	sha256(certificate->raw.p, certificate->raw.len, digest);
	hex_format(digest, sizeof(digest), id->fingerprint);
}

bool identity_has_usage(const mbedtls_x509_crt *certificate, const char *oid, size_t oid_len)
{
	const mbedtls_x509_sequence *s;

	if (mbedtls_x509_crt_has_ext_type(certificate, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) == 0)
		return false;
	for (s = &certificate->ext_key_usage; s != NULL; s = s->next) {
		if (s->buf.len == oid_len && memcmp(s->buf.p, oid, oid_len) == 0)
			return true;
	}
	return false;
}

void identity_subject(const mbedtls_x509_crt *certificate, char *out, size_t size)
{
	char whole[1024];

	/* The library escapes what is not printable. */
	if (mbedtls_x509_dn_gets(whole, sizeof(whole), &certificate->subject) < 0)
		snprintf(whole, sizeof(whole), "(too long to show)");
	snprintf(out, size, "%s", whole);
}
