/*
 * tls.c - keys, certificates and settings of TLS 1.3 with mutual authentication
 *
 * Loading checks all that a peer would refuse later: who starts with a certificate that has
 * expired, or with the key of another one, is told so at once and in words, and not by each peer's
 * alert.
 */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net/tls_internal.h"

#if MBEDTLS_VERSION_NUMBER < 0x03060600
#error "mbedTLS 3.6.6 or later is needed: older ones let a client be impersonated (CVE-2026-34873)"
#endif

const mbedtls_x509_crt_profile tls_profile = {
	.allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
		       MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
		       MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
	.allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) |
		       MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) |
		       MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSA) |
		       MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSASSA_PSS),
	.allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
			  MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
	.rsa_min_bitlen = 3072,
};

/* In order of preference; a server follows the client's order among these. */
static const int suites[] = {
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	0,
};

static const uint16_t groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

static const uint16_t signatures[] = {
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,	/* these three: inside certificates alone */
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
	MBEDTLS_TLS1_3_SIG_NONE,
};

static const char *applications[] = { "handoff/1", NULL };

void tls_init(void)
{
	digest_init();
	if (psa_crypto_init() != PSA_SUCCESS)
		fatal_exit(1, "mbedTLS cannot start: psa_crypto_init failed; is there randomness "
			   "(getrandom) on this system?");
}

int tls_random(void *unused, unsigned char *p, size_t n)
{
	(void)unused;
	rng_system(p, n);
	return 0;
}

/* Where the sentence about a failure goes. */
struct complaint {
	char *why;
	size_t size;
};

/* Always false, so that a check can return it. */
__attribute__((format(printf, 2, 3)))
static bool complain(const struct complaint *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->why, c->size, fmt, args);
	va_end(args);
	return false;
}

static bool read_open_file(int fd, struct tls_file *file)
{
	ssize_t n;

	while (file->n < TLS_FILE_BYTES_MAX) {
		n = read(fd, file->p + file->n, TLS_FILE_BYTES_MAX - file->n);
		if (n == 0) {
			file->p[file->n++] = '\0';	/* the PEM reader wants it counted */
			return true;
		}
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			file->n += (size_t)n;
	}
	errno = EFBIG;
	return false;
}

bool tls_read_file(const char *path, struct tls_file *file, char *why, size_t size)
{
	struct stat st;
	bool done = false;
	int fd;

	*file = (struct tls_file){ .p = xmalloc(TLS_FILE_BYTES_MAX + 1) };
	/* O_NONBLOCK: a FIFO put in the place must not hold the process up. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		file->mode = st.st_mode;
		if (S_ISREG(st.st_mode))
			done = read_open_file(fd, file);
		else
			errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	if (!done) {
		snprintf(why, size, "%s: cannot be read: %s; correct the path or the permissions, "
			 "or make certificates with 'handoff cert'", path, strerror(errno));
		tls_release(file);
	}
	if (fd >= 0)
		close(fd);
	return done;
}

void tls_release(struct tls_file *file)
{
	if (file->p != NULL)
		mbedtls_platform_zeroize(file->p, file->n);
	free(file->p);
	*file = (struct tls_file){ .p = NULL };
}

/* Reads all certificates of a PEM file; at least one, and each must be readable. */
static bool load_certificates(const char *path, mbedtls_x509_crt *to, const struct complaint *c)
{
	struct tls_file file;
	int r;

	if (!tls_read_file(path, &file, c->why, c->size))
		return false;
	if (strstr((const char *)file.p, "-----BEGIN CERTIFICATE-----") == NULL) {
		tls_release(&file);
		return complain(c, "%s: has no certificate inside; a PEM file with "
				"BEGIN CERTIFICATE is needed", path);
	}
	r = mbedtls_x509_crt_parse(to, file.p, file.n);
	tls_release(&file);
	if (r > 0)
		return complain(c, "%s: %d of its certificates cannot be read; remove or "
				"replace them", path, r);
	if (r < 0)
		return complain(c, "%s: the certificate cannot be read: %s; replace the file", path,
				refusal_error(r));
	return true;
}

static bool check_validity(const char *path, const mbedtls_x509_crt *crt, const struct complaint *c)
{
	const mbedtls_x509_time *from = &crt->valid_from, *to = &crt->valid_to;

	if (mbedtls_x509_time_is_past(to))
		return complain(c, "%s: the certificate expired on %04d-%02d-%02d; issue a new one",
				path, to->year, to->mon, to->day);
	if (mbedtls_x509_time_is_future(from))
		return complain(c, "%s: the certificate is not yet valid, only from "
				"%04d-%02d-%02dT%02d:%02d:%02dZ on; check this machine's clock",
				path, from->year, from->mon, from->day, from->hour, from->min,
				from->sec);
	return true;
}

/* A leaf among the authorities would be believed as it is, whoever signed it. */
static bool load_authority(struct tls_context *tls, const char *path, const struct complaint *c)
{
	bool one_is_valid = false;

	if (!load_certificates(path, &tls->authority, c))
		return false;
	for (const mbedtls_x509_crt *crt = &tls->authority; crt != NULL; crt = crt->next) {
		if (mbedtls_x509_crt_get_ca_istrue(crt) != 1)
			return complain(c, "%s: holds a certificate that is no authority's "
					"(CA:FALSE); give the file of the authority that issued "
					"the certificates", path);
		if (check_validity(path, crt, c))
			one_is_valid = true;
		else
			log_warning("authority is of no use", "reason=%s",
				    log_quote(c->why, strlen(c->why)));
	}
	return one_is_valid;
}

/* A broker's key is nobody else's to use; a module's is left to its owner, who is warned. */
static bool check_key_mode(const char *path, mode_t mode, bool is_server,
			   const struct complaint *c)
{
	if (is_server && (mode & (S_IRWXG | S_IRWXO)) != 0)
		return complain(c, "%s: has mode %04o, others than its owner could use the key: "
				"chmod 600 %s", path, (unsigned)mode & 07777, path);
	if ((mode & S_IROTH) != 0)
		log_warning("private key is readable by everybody", "file=%s remedy=\"chmod 600\"",
			    log_quote(path, strlen(path)));
	return true;
}

static bool load_key(struct tls_context *tls, const char *path, bool is_server,
		     const struct complaint *c)
{
	struct tls_file file;
	bool is_locked;
	mode_t mode;
	int r;

	if (!tls_read_file(path, &file, c->why, c->size))
		return false;
	mode = file.mode;
	is_locked = strstr((const char *)file.p, "ENCRYPTED") != NULL;
	r = mbedtls_pk_parse_key(&tls->key, file.p, file.n, NULL, 0, tls_random, NULL);
	tls_release(&file);
	if (r != 0 && is_locked)
		return complain(c, "%s: the key is protected by a password, which nobody can be "
				"asked for; store it without, readable by its user alone", path);
	if (r != 0)
		return complain(c, "%s: the private key cannot be read: %s; a PEM file with an "
				"ECDSA or RSA key is needed", path, refusal_error(r));
	return check_key_mode(path, mode, is_server, c);
}

/* What a peer would say to our certificate; who signed it, it alone can know. */
static bool check_own(struct tls_context *tls, const char *path, bool is_server,
		      const struct complaint *c)
{
	const uint32_t weak = MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK |
			      MBEDTLS_X509_BADCERT_BAD_KEY;
	const char *usage = is_server ? MBEDTLS_OID_SERVER_AUTH : MBEDTLS_OID_CLIENT_AUTH;
	uint32_t flags = 0;

	if (!check_validity(path, &tls->own, c))
		return false;
	if (mbedtls_x509_crt_verify_with_profile(&tls->own, &tls->authority, NULL, &tls_profile,
						 NULL, &flags, NULL, NULL) != 0 &&
	    (flags & weak) != 0)
		return complain(c, "%s: the certificate's key or signature is too weak; use ECDSA "
				"on P-256 or P-384, or RSA from 3072 bits, with SHA-256 or better",
				path);
	/* A broker's certificate may leave the extension out; a client's may not. */
	if (!identity_has_usage(&tls->own, usage, strlen(usage)) &&
	    (!is_server ||
	     mbedtls_x509_crt_has_ext_type(&tls->own, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) != 0))
		return complain(c, "%s: the certificate has no extendedKeyUsage %s; issue one "
				"for a %s", path, is_server ? "serverAuth" : "clientAuth",
				is_server ? "broker" : "module");
	if (mbedtls_x509_crt_check_key_usage(&tls->own, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0)
		return complain(c, "%s: the certificate's keyUsage lacks digitalSignature; issue "
				"another", path);
	return true;
}

static bool apply_settings(struct tls_context *tls, bool is_server, const struct complaint *c)
{
	mbedtls_ssl_config *s = &tls->settings;
	int r = mbedtls_ssl_config_defaults(s,
		is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
		MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	mbedtls_ssl_conf_rng(s, tls_random, NULL);
	mbedtls_ssl_conf_min_tls_version(s, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_max_tls_version(s, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_tls13_key_exchange_modes(s,
		MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
	mbedtls_ssl_conf_authmode(s, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_cert_profile(s, &tls_profile);
	mbedtls_ssl_conf_ciphersuites(s, suites);
	mbedtls_ssl_conf_groups(s, groups);
	mbedtls_ssl_conf_sig_algs(s, signatures);
	mbedtls_ssl_conf_ca_chain(s, &tls->authority, NULL);
	if (r == 0)
		r = mbedtls_ssl_conf_alpn_protocols(s, applications);
	if (r == 0)
		r = mbedtls_ssl_conf_own_cert(s, &tls->own, &tls->key);
	return r == 0 || complain(c, "TLS cannot be set up: %s", refusal_error(r));
}

static struct tls_context *tls_create(bool is_server, const char *ca, const char *certificate,
    const char *key, const struct complaint *c)
{
	struct tls_context *tls = xcalloc(1, sizeof(*tls));

	mbedtls_ssl_config_init(&tls->settings);
	mbedtls_x509_crt_init(&tls->authority);
	mbedtls_x509_crt_init(&tls->own);
	mbedtls_pk_init(&tls->key);
	if (!load_authority(tls, ca, c) || !load_certificates(certificate, &tls->own, c) ||
	    !load_key(tls, key, is_server, c))
		goto refused;
	if (mbedtls_pk_check_pair(&tls->own.pk, &tls->key, tls_random, NULL) != 0) {
		complain(c, "%s: the key does not match the certificate in %s; give the two that "
			    "were "
			 "made together", key, certificate);
		goto refused;
	}
	if (!check_own(tls, certificate, is_server, c) || !apply_settings(tls, is_server, c))
		goto refused;
	return tls;
refused:
	tls_destroy(tls);
	return NULL;
}

struct tls_context *tls_server_create(const char *ca, const char *certificate, const char *key,
    char *why, size_t size)
{
	return tls_create(true, ca, certificate, key, &(struct complaint){ why, size });
}

struct tls_context *tls_client_create(const char *ca, const char *certificate, const char *key,
    char *why, size_t size)
{
	return tls_create(false, ca, certificate, key, &(struct complaint){ why, size });
}

void tls_destroy(struct tls_context *tls)
{
	if (tls == NULL)
		return;
	mbedtls_ssl_config_free(&tls->settings);
	mbedtls_x509_crt_free(&tls->authority);
	mbedtls_x509_crt_free(&tls->own);
	mbedtls_pk_free(&tls->key);
	free(tls);
}

static int64_t expiry_us(const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_time *t = &crt->valid_to;
	struct tm tm = {
		.tm_year = t->year - 1900, .tm_mon = t->mon - 1, .tm_mday = t->day,
		.tm_hour = t->hour, .tm_min = t->min, .tm_sec = t->sec,
	};

	return (int64_t)timegm(&tm) * 1000000;
}

int64_t tls_expiry_us(const struct tls_context *tls)
{
	return expiry_us(&tls->own);
}

int64_t tls_authority_expiry_us(const struct tls_context *tls)
{
	int64_t first_us = INT64_MAX;

	for (const mbedtls_x509_crt *crt = &tls->authority; crt != NULL; crt = crt->next)
		if (expiry_us(crt) < first_us)
			first_us = expiry_us(crt);
	return first_us;
}
