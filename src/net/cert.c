/* cert.c - a development authority: making certificates for broker and modules */
#include "net/cert.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/asn1.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "net/tls_internal.h"

#define PEM_SIZE 8192
#define SERIAL_BYTES 16
#define COMMON_NAME_MAX 64	/* RFC 5280, ub-common-name */
#define MODULE_MAX 32		/* protocol section 2 */
#define TRUST_DOMAIN_MAX 200	/* fits into TLS_NAME_MAX with the rest of the URI */
#define DAY_S (24 * 60 * 60)
/* Valid from a little before now: the clocks of two machines differ. */
#define BACKDATE_S (5 * 60)

/* mbedTLS's form of a time, YYYYMMDDhhmmss: its order is that of time. */
struct stamp {
	char text[15];
};

/* What is to stand in a certificate. */
struct wish {
	const char *common_name;
	bool is_authority;
	const char *usage;			/* extended key usage, an MBEDTLS_OID_…, or NULL */
	mbedtls_x509_san_list *names;		/* or NULL */
	unsigned days;
};

/* Who signs. */
struct signer {
	mbedtls_x509_crt certificate;
	mbedtls_pk_context key;
};

static bool is_word(const char *s, size_t max, const char *also)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && strchr(also, s[i]) == NULL)
			return false;
	}
	return n > 0 && n <= max;
}

static bool make_key(mbedtls_pk_context *key)
{
	return mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
	       mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), tls_random,
				   NULL) == 0;
}

static bool stamp_format(time_t when, struct stamp *s)
{
	struct tm tm;

	return gmtime_r(&when, &tm) != NULL &&
	       strftime(s->text, sizeof(s->text), "%Y%m%d%H%M%S", &tm) == sizeof(s->text) - 1;
}

/* From now, for some days, and no longer than the signer. */
static bool set_validity(mbedtls_x509write_cert *crt, unsigned days, const struct signer *by)
{
	const time_t now = time(NULL);
	const mbedtls_x509_time *end;
	struct stamp from, to, last;

	if (!stamp_format(now - BACKDATE_S, &from) ||
	    !stamp_format(now + (time_t)days * DAY_S, &to))
		return false;
	if (by != NULL) {
		end = &by->certificate.valid_to;
		snprintf(last.text, sizeof(last.text), "%04u%02u%02u%02u%02u%02u",
			 (unsigned)end->year % 10000, (unsigned)end->mon % 100,
			 (unsigned)end->day % 100, (unsigned)end->hour % 100,
			 (unsigned)end->min % 100, (unsigned)end->sec % 100);
		if (strcmp(to.text, last.text) > 0)
			to = last;
	}
	return mbedtls_x509write_crt_set_validity(crt, from.text, to.text) == 0;
}

static bool set_names(mbedtls_x509write_cert *crt, const struct wish *w, const struct signer *by)
{
	char subject[COMMON_NAME_MAX + 4], issuer[512];

	snprintf(subject, sizeof(subject), "CN=%s", w->common_name);
	if (by == NULL)
		snprintf(issuer, sizeof(issuer), "%s", subject);
	else if (mbedtls_x509_dn_gets(issuer, sizeof(issuer), &by->certificate.subject) < 0)
		return false;
	return mbedtls_x509write_crt_set_subject_name(crt, subject) == 0 &&
	       mbedtls_x509write_crt_set_issuer_name(crt, issuer) == 0 &&
	       (w->names == NULL ||
		mbedtls_x509write_crt_set_subject_alternative_name(crt, w->names) == 0);
}

static bool set_rights(mbedtls_x509write_cert *crt, const struct wish *w)
{
	const unsigned usage = w->is_authority ?
		MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN :
		MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
	mbedtls_asn1_sequence extended = { .next = NULL };

	if (mbedtls_x509write_crt_set_basic_constraints(crt, w->is_authority,
							w->is_authority ? 0 : -1) != 0 ||
	    mbedtls_x509write_crt_set_key_usage(crt, usage) != 0)
		return false;
	if (w->usage == NULL)
		return true;
	extended.buf.tag = MBEDTLS_ASN1_OID;
	extended.buf.p = (unsigned char *)(uintptr_t)w->usage;	/* only read */
	extended.buf.len = strlen(w->usage);
	return mbedtls_x509write_crt_set_ext_key_usage(crt, &extended) == 0;
}

/* The certificate of `key` as PEM; signed by itself when `by` is NULL. */
static bool write_certificate(const struct wish *w, mbedtls_pk_context *key, struct signer *by,
			      char pem[PEM_SIZE])
{
	unsigned char serial[SERIAL_BYTES];
	mbedtls_x509write_cert crt;
	bool done;

	rng_system(serial, sizeof(serial));
	serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40);	/* positive, and of full length */
	mbedtls_x509write_crt_init(&crt);
	mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&crt, key);
	mbedtls_x509write_crt_set_issuer_key(&crt, by != NULL ? &by->key : key);
	done = mbedtls_x509write_crt_set_serial_raw(&crt, serial, sizeof(serial)) == 0 &&
	       set_validity(&crt, w->days, by) && set_names(&crt, w, by) && set_rights(&crt, w) &&
	       mbedtls_x509write_crt_set_subject_key_identifier(&crt) == 0 &&
	       mbedtls_x509write_crt_set_authority_key_identifier(&crt) == 0 &&
	       mbedtls_x509write_crt_pem(&crt, (unsigned char *)pem, PEM_SIZE, tls_random,
					 NULL) == 0;
	mbedtls_x509write_crt_free(&crt);
	return done;
}

/* A new file with exactly this mode, on the disk when it returns. */
static bool write_file(const char *path, const char *text, mode_t mode, bool overwrite,
		       char *why, size_t size)
{
	const size_t n = strlen(text);
	bool done;
	int fd;

	if (overwrite)
		(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0) {
		snprintf(why, size, "%s: cannot be made: %s%s", path, strerror(errno),
			 errno == EEXIST ? "; remove it, or ask to overwrite" : "");
		return false;
	}
	done = fchmod(fd, mode) == 0 && write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
	if (!done) {
		snprintf(why, size, "%s: cannot be written: %s", path, strerror(errno));
		(void)unlink(path);
	}
	close(fd);
	return done;
}

/* Makes a key and its certificate, and writes both files or none. */
static bool issue(const struct wish *w, struct signer *by, const struct cert_files *to,
		  bool overwrite, char *why, size_t size)
{
	char key_pem[PEM_SIZE], certificate_pem[PEM_SIZE];
	mbedtls_pk_context key;
	bool done = false;

	if (w->days == 0 || w->days > CERT_DAYS_MAX) {
		snprintf(why, size, "%u days cannot be; give 1 to %d", w->days, CERT_DAYS_MAX);
		return false;
	}
	mbedtls_pk_init(&key);
	if (!make_key(&key) || !write_certificate(w, &key, by, certificate_pem) ||
	    mbedtls_pk_write_key_pem(&key, (unsigned char *)key_pem, sizeof(key_pem)) != 0) {
		snprintf(why, size, "%s: the certificate cannot be made", to->certificate);
	} else if (write_file(to->key, key_pem, S_IRUSR | S_IWUSR, overwrite, why, size)) {
		done = write_file(to->certificate, certificate_pem,
				  S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, overwrite, why, size);
		if (!done)
			(void)unlink(to->key);
	}
	mbedtls_platform_zeroize(key_pem, sizeof(key_pem));
	mbedtls_pk_free(&key);
	return done;
}

static void signer_finish(struct signer *by)
{
	mbedtls_x509_crt_free(&by->certificate);
	mbedtls_pk_free(&by->key);
}

static bool read_certificate(const char *path, mbedtls_x509_crt *to, char *why, size_t size)
{
	struct tls_file file;
	int r;

	mbedtls_x509_crt_init(to);
	if (!tls_read_file(path, &file, why, size))
		return false;
	r = mbedtls_x509_crt_parse(to, file.p, file.n);
	tls_release(&file);
	if (r == 0)
		return true;
	snprintf(why, size, "%s: is no readable certificate; a PEM file with BEGIN CERTIFICATE is "
		 "needed", path);
	mbedtls_x509_crt_free(to);
	return false;
}

/* Reads the authority, which must still be one. */
static bool signer_read(struct signer *by, const struct cert_files *from, char *why, size_t size)
{
	const char *problem = NULL;
	struct tls_file file;
	int r;

	if (!read_certificate(from->certificate, &by->certificate, why, size))
		return false;
	mbedtls_pk_init(&by->key);
	if (!tls_read_file(from->key, &file, why, size)) {
		signer_finish(by);
		return false;
	}
	r = mbedtls_pk_parse_key(&by->key, file.p, file.n, NULL, 0, tls_random, NULL);
	tls_release(&file);
	if (r != 0)
		problem = "the authority's key cannot be read";
	else if (mbedtls_pk_check_pair(&by->certificate.pk, &by->key, tls_random, NULL) != 0)
		problem = "the key beside it is another one's";
	else if (mbedtls_x509_crt_get_ca_istrue(&by->certificate) != 1)
		problem = "is no authority's certificate (CA:FALSE)";
	else if (mbedtls_x509_time_is_past(&by->certificate.valid_to))
		problem = "the authority's certificate expired; make a new authority";
	if (problem == NULL)
		return true;
	snprintf(why, size, "%s: %s", from->certificate, problem);
	signer_finish(by);
	return false;
}

/* Fills in and issues what the authority signs. */
static bool issue_signed(const struct wish *w, const struct cert_files *authority,
			 const struct cert_files *to, bool overwrite, char *why, size_t size)
{
	struct signer by;
	bool done;

	if (!signer_read(&by, authority, why, size))
		return false;
	done = issue(w, &by, to, overwrite, why, size);
	signer_finish(&by);
	return done;
}

bool cert_make_authority(const struct cert_files *to, bool overwrite, const char *name,
    unsigned days, char *why, size_t size)
{
	const struct wish w = { .common_name = name, .is_authority = true, .days = days };

	if (!is_word(name, COMMON_NAME_MAX, " .-")) {
		snprintf(why, size, "an authority's name has 1 to %d letters, digits, blanks, "
			 "points and hyphens", COMMON_NAME_MAX);
		return false;
	}
	return issue(&w, NULL, to, overwrite, why, size);
}

/* One alternative name of a certificate to be; p is borrowed. */
static mbedtls_x509_san_list san(int type, const void *p, size_t n)
{
	mbedtls_x509_san_list entry = { .node.type = type };

	entry.node.san.unstructured_name.p = (unsigned char *)(uintptr_t)p;	/* only read */
	entry.node.san.unstructured_name.len = n;
	return entry;
}

bool cert_issue_module(const struct cert_files *authority, const struct cert_files *to,
    bool overwrite, const char *trust_domain, const char *module, unsigned days,
    char *why, size_t size)
{
	char name[MODULE_MAX + 1] = "", uri[TLS_NAME_MAX + 1];
	mbedtls_x509_san_list names;
	struct wish w = { .common_name = name, .usage = MBEDTLS_OID_CLIENT_AUTH, .days = days };

	if (!is_word(module, MODULE_MAX, "_") || !isalpha((unsigned char)module[0])) {
		snprintf(why, size, "'%.40s' is no module's name: 1 to %d letters, digits and "
			 "underscores, a letter first", module, MODULE_MAX);
		return false;
	}
	if (!is_word(trust_domain, TRUST_DOMAIN_MAX, ".-_")) {
		snprintf(why, size, "'%.40s' is no trust domain: up to %d letters, digits, points, "
			 "hyphens and underscores", trust_domain, TRUST_DOMAIN_MAX);
		return false;
	}
	for (size_t i = 0; module[i] != '\0'; i++)
		name[i] = (char)tolower((unsigned char)module[i]);
	snprintf(uri, sizeof(uri), "spiffe://%s/module/%s", trust_domain, name);
	names = san(MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER, uri, strlen(uri));
	w.names = &names;
	return issue_signed(&w, authority, to, overwrite, why, size);
}

bool cert_issue_broker(const struct cert_files *authority, const struct cert_files *to,
    bool overwrite, const char *const *names, size_t count, unsigned days,
    char *why, size_t size)
{
	mbedtls_x509_san_list list[CERT_NAMES_MAX];
	unsigned char address[CERT_NAMES_MAX][16];
	struct wish w = {
		.common_name = "handoff broker",
		.usage = MBEDTLS_OID_SERVER_AUTH,
		.days = days,
	};

	if (count == 0 || count > CERT_NAMES_MAX) {
		snprintf(why, size, "a broker's certificate needs 1 to %d names or addresses",
			 CERT_NAMES_MAX);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (inet_pton(AF_INET, names[i], address[i]) == 1) {
			list[i] = san(MBEDTLS_X509_SAN_IP_ADDRESS, address[i], 4);
		} else if (inet_pton(AF_INET6, names[i], address[i]) == 1) {
			list[i] = san(MBEDTLS_X509_SAN_IP_ADDRESS, address[i], 16);
		} else if (is_word(names[i], 253, ".-*")) {
			list[i] = san(MBEDTLS_X509_SAN_DNS_NAME, names[i], strlen(names[i]));
		} else {
			snprintf(why, size, "'%.40s' is neither a DNS name nor an IP address",
				 names[i]);
			return false;
		}
		/* mbedTLS writes from the end: the last name comes first in its list. */
		list[i].next = w.names;
		w.names = &list[i];
	}
	return issue_signed(&w, authority, to, overwrite, why, size);
}

static void format_time(const mbedtls_x509_time *t, char out[CERT_TIME_SIZE])
{
	snprintf(out, CERT_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)t->year % 10000,
		 (unsigned)t->mon % 100, (unsigned)t->day % 100, (unsigned)t->hour % 100,
		 (unsigned)t->min % 100, (unsigned)t->sec % 100);
}

static void read_addresses(const mbedtls_x509_crt *crt, struct cert_info *info)
{
	const int tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_IP_ADDRESS;

	for (const mbedtls_x509_sequence *s = &crt->subject_alt_names;
	     s != NULL && info->address_count < TLS_NAMES_MAX; s = s->next) {
		if (s->buf.tag != tag || (s->buf.len != 4 && s->buf.len != 16))
			continue;
		inet_ntop(s->buf.len == 4 ? AF_INET : AF_INET6, s->buf.p,
			  info->address[info->address_count], sizeof(info->address[0]));
		info->address_count++;
	}
}

bool cert_read_info(const char *path, struct cert_info *info, char *why, size_t size)
{
	mbedtls_x509_crt crt;

	if (!read_certificate(path, &crt, why, size))
		return false;
	*info = (struct cert_info){ .is_authority = mbedtls_x509_crt_get_ca_istrue(&crt) == 1 };
	identity_subject(&crt, info->subject, sizeof(info->subject));
	if (mbedtls_x509_dn_gets(info->issuer, sizeof(info->issuer), &crt.issuer) < 0)
		snprintf(info->issuer, sizeof(info->issuer), "(too long to show)");
	if (mbedtls_x509_serial_gets(info->serial, sizeof(info->serial), &crt.serial) < 0)
		info->serial[0] = '\0';
	format_time(&crt.valid_from, info->not_before);
	format_time(&crt.valid_to, info->not_after);
	info->is_expired = mbedtls_x509_time_is_past(&crt.valid_to) != 0;
	info->is_future = mbedtls_x509_time_is_future(&crt.valid_from) != 0;
	info->is_client = identity_has_usage(&crt, MBEDTLS_OID_CLIENT_AUTH,
					     MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
	info->is_server = identity_has_usage(&crt, MBEDTLS_OID_SERVER_AUTH,
					     MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
	snprintf(info->key, sizeof(info->key), "%s %zu bit", mbedtls_pk_get_name(&crt.pk),
		 mbedtls_pk_get_bitlen(&crt.pk));
	identity_read(&crt, &info->identity);
	read_addresses(&crt, info);
	mbedtls_x509_crt_free(&crt);
	return true;
}
