/* certificate.c - which module a verified certificate may be (protocol.md section 1) */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "session/internal.h"

/*
 * spiffe://<trust-domain>/module/<name>: the name in capitals, or false when it has another form.
 */
static bool spiffe_module(const char *uri, char out[MODULE_NAME_MAX + 1])
{
	static const char scheme[] = "spiffe://", part[] = "/module/";
	size_t n = 0;

	if (strncasecmp(uri, scheme, sizeof scheme - 1) != 0)
		return false;
	const char *domain = uri + sizeof scheme - 1;
	const char *path = strchr(domain, '/');
	if (!path || path == domain || strncmp(path, part, sizeof part - 1) != 0)
		return false;
	for (const char *p = path + sizeof part - 1; *p; p++) {
		if (n == MODULE_NAME_MAX || !(isalnum((unsigned char)*p) || *p == '_'))
			return false;
		out[n++] = (char)toupper((unsigned char)*p);
	}
	out[n] = '\0';
	return n > 0;
}

/* Names of hosts are compared without case, the others byte for byte. */
static bool is_same_name(const char *kind, const char *a, const char *b)
{
	return strcmp(kind, "DNS:") == 0 ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

static const char *mapped_module(const struct sessions *ss, const char *kind, const char *name)
{
	size_t n = strlen(kind);

	for (size_t k = 0; k < ss->settings.mapping_count; k++) {
		const struct identity_mapping *m = &ss->settings.mappings[k];
		if (strncmp(m->identity, kind, n) == 0 && is_same_name(kind, m->identity + n, name))
			return m->module;
	}
	return NULL;
}

struct claim {
	char module[MODULE_NAME_MAX + 1];
	bool any, conflict;
};

static void claim(struct claim *c, const char *module)
{
	if (!module)
		return;
	if (c->any && strcmp(c->module, module) != 0)
		c->conflict = true;
	c->any = true;
	snprintf(c->module, sizeof c->module, "%s", module);
}

const char *certificate_module(const struct sessions *ss, const struct tls_identity *id, char *why,
    size_t size)
{
	struct claim c = { .any = false };
	char name[MODULE_NAME_MAX + 1];
	size_t spiffe = 0;

	for (size_t n = 0; n < id->uri_count; n++) {
		claim(&c, mapped_module(ss, "URI:", id->uri[n]));
		if (spiffe_module(id->uri[n], name)) {
			spiffe++;
			claim(&c, name);
		}
	}
	for (size_t n = 0; n < id->dns_count; n++)
		claim(&c, mapped_module(ss, "DNS:", id->dns[n]));
	if (*id->common_name)
		claim(&c, mapped_module(ss, "CN:", id->common_name));
	const char *uri = id->uri_count ? id->uri[0] : "";
	if (id->malformed)
		snprintf(why, size, "a name in the certificate is malformed");
	else if (spiffe > 1 || c.conflict)
		snprintf(why, size, "the certificate names more than one module");
	else if (!c.any)
		snprintf(why, size,
		    "the certificate names no module: uri=%s cn=%s; it needs the URI "
		    "spiffe://<trust-domain>/module/<name>, or an identity line in the "
		    "configuration",
		    log_quote(uri, strlen(uri)),
		    log_quote(id->common_name, strlen(id->common_name)));
	else if (!core_module_name(ss->core, span_of(c.module)))
		snprintf(why, size, "the certificate names module %s, which is not declared",
		    c.module);
	else
		return core_module_name(ss->core, span_of(c.module));
	return NULL;
}
