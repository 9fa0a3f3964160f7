/* refusal.c - why TLS failed, in words */
#include <mbedtls/error.h>
#include <stdio.h>

#include "net/tls_internal.h"

void refusal_flaws(uint32_t flags, bool of_client, char *out, size_t size)
{
	static const struct {
		uint32_t flag;
		const char *words;
	} flaws[] = {
		{ MBEDTLS_X509_BADCERT_MISSING, "no certificate" },
		{ MBEDTLS_X509_BADCERT_NOT_TRUSTED, "unknown authority" },
		{ MBEDTLS_X509_BADCERT_EXPIRED, "certificate expired" },
		{ MBEDTLS_X509_BADCERT_FUTURE, "certificate not yet valid" },
		{ MBEDTLS_X509_BADCERT_CN_MISMATCH, "certificate is for another name" },
		{ MBEDTLS_X509_BADCERT_KEY_USAGE, "no keyUsage digitalSignature" },
		{ MBEDTLS_X509_BADCERT_BAD_MD, "signature weaker than SHA-256" },
		{ MBEDTLS_X509_BADCERT_BAD_PK, "neither ECDSA nor RSA" },
		{ MBEDTLS_X509_BADCERT_BAD_KEY, "key too weak (P-256, P-384 or RSA from 3072 "
						"bits)" },
		{ MBEDTLS_X509_BADCERT_OTHER, "chain of certificates too long" },
	};
	size_t used = 0;

	out[0] = '\0';
	if (flags == UINT32_MAX) {	/* the library gave up, not judged */
		snprintf(out, size, "chain of certificates too long or unreadable");
		return;
	}
	if ((flags & MBEDTLS_X509_BADCERT_EXT_KEY_USAGE) != 0)
		used = (size_t)snprintf(out, size, "no extendedKeyUsage %s",
					of_client ? "clientAuth" : "serverAuth");
	for (size_t i = 0; i < sizeof(flaws) / sizeof(flaws[0]) && used < size; i++) {
		if ((flags & flaws[i].flag) != 0)
			used += (size_t)snprintf(out + used, size - used, "%s%s",
						 used > 0 ? ", " : "", flaws[i].words);
	}
	if (used == 0)
		snprintf(out, size, "certificate refused (flags 0x%x)", (unsigned)flags);
}

const char *refusal_alert(unsigned alert)
{
	static const char *const names[] = {
		[MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE] = "unexpected_message",
		[MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC] = "bad_record_mac",
		[MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE] = "handshake_failure",
		[MBEDTLS_SSL_ALERT_MSG_NO_CERT] = "no_certificate",	/* mbedTLS sends it */
		[MBEDTLS_SSL_ALERT_MSG_BAD_CERT] = "bad_certificate",
		[MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT] = "unsupported_certificate",
		[MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED] = "certificate_revoked",
		[MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED] = "certificate_expired",
		[MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN] = "certificate_unknown",
		[MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER] = "illegal_parameter",
		[MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA] = "unknown_ca",
		[MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED] = "access_denied",
		[MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR] = "decode_error",
		[MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR] = "decrypt_error",
		[MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION] = "protocol_version",
		[MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR] = "internal_error",
		[MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED] = "certificate_required",
		[MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL] = "no_application_protocol",
	};

	if (alert >= sizeof(names) / sizeof(names[0]) || names[alert] == NULL)
		return "alert";
	return names[alert];
}

const char *refusal_error(int error)
{
	static _Thread_local char text[128];

	switch (error) {
	case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
		return "no client certificate";
	case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
		return "protocol version: the peer does not speak TLS 1.3";
	case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
		return "application protocol: the peer does not offer handoff/1";
	case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
		return "TLS message out of turn or not supported, as KeyUpdate";
	case MBEDTLS_ERR_SSL_INVALID_MAC:
		return "a record is forged or damaged";
	case MBEDTLS_ERR_SSL_INVALID_RECORD:
		return "not TLS: the record is malformed";
	default:
		mbedtls_strerror(error, text, sizeof(text));
		return text;
	}
}
