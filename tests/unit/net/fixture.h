/* fixture.h - what the tests of net share: certificates of every kind, waiting without sleeping */
#ifndef HANDOFF_TESTS_NET_FIXTURE_H
#define HANDOFF_TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/log.h"
#include "net/tls_internal.h"

#define UNUSED __attribute__((unused))
#define PATIENCE_MS 20000	/* far beyond what anything here takes, also under a sanitizer */

static char fixture_dir[32];

/* "DIR/name.suffix", good for the eight latest calls. */
UNUSED static const char *path_of(const char *name, const char *suffix)
{
	static char ring[8][128];
	static unsigned next;
	char *out = ring[next++ % 8];

	snprintf(out, sizeof(ring[0]), "%s/%s%s", fixture_dir, name, suffix);
	return out;
}

UNUSED static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The file's beginning, up to size - 1 bytes. */
UNUSED static void read_text(const char *path, char *to, size_t size)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	to[fread(to, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* Runs a shell command in the fixture's directory; its output goes to command.log there. */
UNUSED __attribute__((format(printf, 1, 2)))
static int run_command(const char *fmt, ...)
{
	char command[1024];
	va_list args;
	int n = snprintf(command, sizeof(command), "cd %s && exec >command.log 2>&1; ",
			 fixture_dir);

	va_start(args, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, args);
	va_end(args);
	return system(command);
}

/* A certificate to be made; what is NULL or 0 is left out or takes the default. */
struct leaf {
	const char *name;	/* of the files */
	const char *by;		/* name of the signer; itself when NULL */
	const char *subject;	/* default: "CN=<name>" */
	const char *from, *to;	/* default: 2020 to 2099 */
	const char *usage;	/* MBEDTLS_OID_… of extended key usage */
	unsigned key_usage;	/* MBEDTLS_X509_KU_… */
	bool is_authority;
	const mbedtls_x509_san_list *names;
};

static void read_key(const char *name, mbedtls_pk_context *key)
{
	struct tls_file file;
	char why[256];

	mbedtls_pk_init(key);
	assert_true(tls_read_file(path_of(name, ".key"), &file, why, sizeof(why)));
	assert_int_equal(mbedtls_pk_parse_key(key, file.p, file.n, NULL, 0, tls_random, NULL), 0);
	tls_release(&file);
}

static void subject_of(const char *name, char *out, size_t size)
{
	mbedtls_x509_crt crt;

	mbedtls_x509_crt_init(&crt);
	assert_int_equal(mbedtls_x509_crt_parse_file(&crt, path_of(name, ".crt")), 0);
	assert_true(mbedtls_x509_dn_gets(out, size, &crt.subject) > 0);
	mbedtls_x509_crt_free(&crt);
}

UNUSED static void make_certificate(const struct leaf *l)
{
	unsigned char pem[8192], serial[8] = { 1 };
	char subject[256], issuer[256];
	mbedtls_asn1_sequence usage = { .next = NULL };
	mbedtls_x509write_cert w;
	mbedtls_pk_context key, signer;

	mbedtls_pk_init(&key);
	assert_int_equal(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
	assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key),
					     tls_random, NULL), 0);
	assert_int_equal(mbedtls_pk_write_key_pem(&key, pem, sizeof(pem)), 0);
	write_text(path_of(l->name, ".key"), (char *)pem);
	assert_int_equal(chmod(path_of(l->name, ".key"), 0600), 0);
	read_key(l->by != NULL ? l->by : l->name, &signer);
	snprintf(subject, sizeof(subject), "CN=%s", l->name);
	if (l->subject != NULL)
		snprintf(subject, sizeof(subject), "%s", l->subject);
	if (l->by != NULL)
		subject_of(l->by, issuer, sizeof(issuer));
	else
		memcpy(issuer, subject, sizeof(issuer));

	tls_random(NULL, serial + 1, sizeof(serial) - 1);
	mbedtls_x509write_crt_init(&w);
	mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&w, &key);
	mbedtls_x509write_crt_set_issuer_key(&w, &signer);
	assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&w, serial, sizeof(serial)), 0);
	assert_int_equal(mbedtls_x509write_crt_set_validity(&w,
		l->from != NULL ? l->from : "20200101000000",
		l->to != NULL ? l->to : "20991231235959"), 0);
	assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, subject), 0);
	assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, issuer), 0);
	assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&w, l->is_authority, -1), 0);
	if (l->key_usage != 0)
		assert_int_equal(mbedtls_x509write_crt_set_key_usage(&w, l->key_usage), 0);
	if (l->names != NULL)
		assert_int_equal(mbedtls_x509write_crt_set_subject_alternative_name(&w, l->names),
				 0);
	if (l->usage != NULL) {
		usage.buf.tag = MBEDTLS_ASN1_OID;
		usage.buf.p = (unsigned char *)(uintptr_t)l->usage;
		usage.buf.len = strlen(l->usage);
		assert_int_equal(mbedtls_x509write_crt_set_ext_key_usage(&w, &usage), 0);
	}
	assert_int_equal(mbedtls_x509write_crt_pem(&w, pem, sizeof(pem), tls_random, NULL), 0);
	write_text(path_of(l->name, ".crt"), (char *)pem);
	mbedtls_x509write_crt_free(&w);
	mbedtls_pk_free(&key);
	mbedtls_pk_free(&signer);
}

UNUSED static mbedtls_x509_san_list san_of(int type, const char *text)
{
	mbedtls_x509_san_list entry = { .node.type = type };

	entry.node.san.unstructured_name.p = (unsigned char *)(uintptr_t)text;
	entry.node.san.unstructured_name.len = strlen(text);
	return entry;
}

/* Group set-up: a directory with an authority "ca", a "broker" for localhost, a module "alpha". */
UNUSED static int fixture_begin(void **state)
{
	const mbedtls_x509_san_list dns = san_of(MBEDTLS_X509_SAN_DNS_NAME, "localhost");
	const mbedtls_x509_san_list uri = san_of(MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
						 "spiffe://example/module/alpha");

	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	tls_init();
	snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/handoff-net-XXXXXX");
	assert_non_null(mkdtemp(fixture_dir));
	make_certificate(&(struct leaf){ .name = "ca", .is_authority = true });
	make_certificate(&(struct leaf){ .name = "broker", .by = "ca", .names = &dns,
					 .usage = MBEDTLS_OID_SERVER_AUTH });
	make_certificate(&(struct leaf){ .name = "alpha", .by = "ca", .names = &uri,
					 .usage = MBEDTLS_OID_CLIENT_AUTH });
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

UNUSED static int fixture_end(void **state)
{
	(void)state;
	return nftw(fixture_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

UNUSED static struct tls_context *load(bool is_server, const char *ca, const char *name)
{
	char why[256] = "";
	struct tls_context *tls = is_server ?
		tls_server_create(path_of(ca, ".crt"), path_of(name, ".crt"), path_of(name, ".key"),
				  why, sizeof(why)) :
		tls_client_create(path_of(ca, ".crt"), path_of(name, ".crt"), path_of(name, ".key"),
				  why, sizeof(why));

	if (tls == NULL)
		fail_msg("%s", why);
	return tls;
}

/*
 * A client's context past the checks that loading makes, as a stranger's program has none: the
 * authority is `ca`, the certificate may be any, none when NULL.
 */
UNUSED static struct tls_context *load_unchecked(const char *ca, const char *name)
{
	struct tls_context *tls = load(false, ca, "alpha");

	mbedtls_ssl_config_free(&tls->settings);
	mbedtls_ssl_config_init(&tls->settings);
	assert_int_equal(mbedtls_ssl_config_defaults(&tls->settings, MBEDTLS_SSL_IS_CLIENT,
		MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT), 0);
	mbedtls_ssl_conf_rng(&tls->settings, tls_random, NULL);
	mbedtls_ssl_conf_ca_chain(&tls->settings, &tls->authority, NULL);
	if (name == NULL)
		return tls;
	mbedtls_x509_crt_free(&tls->own);
	mbedtls_x509_crt_init(&tls->own);
	mbedtls_pk_free(&tls->key);
	assert_int_equal(mbedtls_x509_crt_parse_file(&tls->own, path_of(name, ".crt")), 0);
	read_key(name, &tls->key);
	assert_int_equal(mbedtls_ssl_conf_own_cert(&tls->settings, &tls->own, &tls->key), 0);
	return tls;
}

/* A listening socket on loopback and its port. */
UNUSED static int listen_loopback(unsigned *port)
{
	union { struct sockaddr any; struct sockaddr_in v4; } own = {
		.v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
	};
	socklen_t size = sizeof(own);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &own.any, sizeof(own)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, &own.any, &size), 0);
	*port = ntohs(own.v4.sin_port);
	return fd;
}

/* Waits until one of the two can do what it wants; fails the test when that takes too long. */
UNUSED static void wait_ready(struct pollfd *fds, nfds_t n)
{
	if (poll(fds, n, PATIENCE_MS) <= 0)
		fail_msg("nothing happened for %d ms", PATIENCE_MS);
}

#endif
