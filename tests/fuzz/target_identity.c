/*
 * target_identity.c - a certificate's DER to a module: one of the declared, or refused; never two
 *
 * The chain of trust is not asked here (that is mbedTLS's, before): any certificate that mbedTLS
 * reads is taken for a verified one, the worst there is.
 */
#include <mbedtls/oid.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "net/tls_internal.h"
#include "session/internal.h"

static const char *const modules[] = { "ALPHA", "BETA", "GAMMA" };
#define MODULE_COUNT (sizeof modules / sizeof modules[0])
static const struct identity_mapping mappings[] = {
	{ "URI:spiffe://other/x", "BETA" },
	{ "DNS:alpha.example", "ALPHA" },
	{ "CN:gamma", "GAMMA" },
};
#define MAPPING_COUNT (sizeof mappings / sizeof mappings[0])

/* certificate.c asks the core which modules there are: here the core is these three. */
const char *core_module_name(const struct core *c, struct span name)
{
	(void)c;
	for (size_t n = 0; n < MODULE_COUNT; n++)
		if (span_is(name, modules[n]))
			return modules[n];
	return NULL;
}

void target_begin(void)
{
	tls_init();
}

/* A name that could pass for another one in a log, in C, or in a second reader. */
static void check_name(const char *name, bool utf8)
{
	must(*name != '\0' && strlen(name) <= TLS_NAME_MAX);
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		must(*p >= 0x20 && *p != 0x7f && (utf8 || *p < 0x80));
}

static bool uri_names(const char *uri, unsigned module)
{
	static const char prefix[] = "spiffe://", part[] = "/module/";
	const char *path;

	if (module == 1 && strcmp(uri, "spiffe://other/x") == 0)
		return true;
	if (strncasecmp(uri, prefix, strlen(prefix)) != 0)
		return false;
	path = strchr(uri + strlen(prefix), '/');
	return path != NULL && path > uri + strlen(prefix) &&
	    strncmp(path, part, strlen(part)) == 0 &&
	    strcasecmp(path + strlen(part), modules[module]) == 0;
}

/* A second judgement, written the other way round: does the certificate name this module? */
static bool is_named(const struct tls_identity *id, unsigned module)
{
	bool named = module == 2 && strcmp(id->common_name, "gamma") == 0;

	for (size_t n = 0; n < id->uri_count; n++)
		named |= uri_names(id->uri[n], module);
	for (size_t n = 0; module == 0 && n < id->dns_count; n++)
		named |= strcasecmp(id->dns[n], "alpha.example") == 0;
	return named;
}

static void judge(const struct sessions *ss, const struct tls_identity *id)
{
	char why[1024] = "";
	const char *module = certificate_module(ss, id, why, sizeof why);

	must((module == NULL) == (*why != '\0') && strlen(why) < sizeof why);
	if (module == NULL)
		return;
	must(!id->malformed);
	must(core_module_name(NULL, span_of(module)) == module);
	for (unsigned m = 0; m < MODULE_COUNT; m++)
		must(is_named(id, m) == (modules[m] == module));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_identity id;
	struct sessions ss = { .settings = { .mappings = mappings,
		.mapping_count = MAPPING_COUNT } };
	mbedtls_x509_crt crt;
	char subject[128];

	mbedtls_x509_crt_init(&crt);
	if (mbedtls_x509_crt_parse_der_nocopy(&crt, data, size) == 0) {
		identity_read(&crt, &id);
		for (size_t n = 0; n < id.uri_count; n++)
			check_name(id.uri[n], false);
		for (size_t n = 0; n < id.dns_count; n++)
			check_name(id.dns[n], false);
		if (*id.common_name)
			check_name(id.common_name, true);
		identity_subject(&crt, subject, sizeof subject);
		for (const char *p = subject; *p; p++)
			must((unsigned char)*p >= 0x20 && *p != 0x7f);
		(void)identity_has_usage(&crt, MBEDTLS_OID_CLIENT_AUTH,
		    MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
		judge(&ss, &id);
	}
	mbedtls_x509_crt_free(&crt);
	return 0;
}
