/* cert.c - handoff cert: a development authority, certificates of it, and what stands in them */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "net/cert.h"
#include "net/tls.h"
#include "tools/handoff/command.h"
#include "tools/handoff/options.h"
#include "tools/handoff/report.h"

#define PATH_SIZE 4096
#define WHY_SIZE 512
#define DEFAULT_TRUST_DOMAIN "handoff.local"
#define MODULE_NAME_BYTES 32

static struct {
	uint64_t days;
	const char *trust_domain;
	struct option_list names;	/* DNS names and addresses of the broker */
	bool force;
} options = { .days = 825, .trust_domain = DEFAULT_TRUST_DOMAIN };

static const struct option cert_options[] = {
	{ "days", 'd', OPTION_NUMBER, &options.days, "N", "how long it is good; default 825", 1,
	  CERT_DAYS_MAX },
	{ "trust-domain", 't', OPTION_TEXT, &options.trust_domain, "NAME",
	  "of the modules' URIs; default " DEFAULT_TRUST_DOMAIN, 0, 0 },
	{ "dns", 0, OPTION_LIST, &options.names, "NAME", "a name that the broker is dialed by", 0, 0 },
	{ "ip", 0, OPTION_LIST, &options.names, "ADDR", "an address that the broker is dialed by", 0, 0 },
	{ "force", 'f', OPTION_FLAG, &options.force, NULL, "replace files that are there", 0, 0 },
	{ 0 },
};

static const struct usage usage = {
	.synopsis = "handoff cert init DIR\n"
		    "       handoff cert issue DIR NAME...\n"
		    "       handoff cert show FILE...",
	.about = "init makes an authority in DIR (ca.crt, ca.key). issue makes certificates that it\n"
		 "signs: a NAME such as ALPHA is a module (alpha.crt, alpha.key), the name \"broker\" the\n"
		 "broker, dialed by localhost, 127.0.0.1 and ::1 unless --dns or --ip say otherwise.\n"
		 "show tells what stands in certificates.\n",
	.options = cert_options,
};

/* --- making ---------------------------------------------------------------------------------- */

struct pair_paths {
	char certificate[PATH_SIZE], key[PATH_SIZE];
};

/* DIR/name.crt and DIR/name.key, in lower case. */
static struct cert_files name_files(struct pair_paths *p, const char *directory, const char *name)
{
	char lower[MODULE_NAME_BYTES + 1];
	const size_t n = strnlen(name, MODULE_NAME_BYTES);

	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[n] = '\0';
	snprintf(p->certificate, sizeof(p->certificate), "%s/%s.crt", directory, lower);
	snprintf(p->key, sizeof(p->key), "%s/%s.key", directory, lower);
	return (struct cert_files){ p->certificate, p->key };
}

static int made(const struct cert_files *files, bool is_made, const char *why)
{
	if (!is_made) {
		complain("%s", why);
		return STATUS_CANNOT_CREATE;
	}
	printf("%s\n%s\n", files->certificate, files->key);
	return STATUS_OK;
}

static int init(const char *directory)
{
	struct pair_paths paths;
	const struct cert_files files = name_files(&paths, directory, "ca");
	char why[WHY_SIZE];
	bool is_made;

	if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
		complain_errno("%s", directory);
		return STATUS_CANNOT_CREATE;
	}
	is_made = cert_make_authority(&files, options.force, "handoff development authority",
				      (unsigned)options.days, why, sizeof(why));
	return made(&files, is_made, why);
}

static bool issue_broker(const struct cert_files *authority, const struct cert_files *files,
    char why[WHY_SIZE])
{
	static const char *const everywhere[] = { "localhost", "127.0.0.1", "::1" };
	const bool is_named = options.names.count > 0;

	return cert_issue_broker(authority, files, options.force,
				 is_named ? options.names.text : everywhere,
				 is_named ? options.names.count : 3, (unsigned)options.days, why,
				 WHY_SIZE);
}

/* As the protocol has module names: [A-Z][A-Z0-9_]{0,31} (section 2), here in either case. */
static bool is_module_name(const char *name)
{
	const size_t n = strlen(name);

	return n <= MODULE_NAME_BYTES && isalpha((unsigned char)name[0]) &&
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static int issue_one(const char *directory, const char *name)
{
	struct pair_paths authority_paths, paths;
	const struct cert_files authority = name_files(&authority_paths, directory, "ca");
	const struct cert_files files = name_files(&paths, directory, name);
	char why[WHY_SIZE], module[MODULE_NAME_BYTES + 1];
	size_t n = 0;
	bool is_made;

	if (!is_module_name(name) || strcasecmp(name, "ca") == 0) {
		complain("\"%s\" cannot be a module: a letter, then at most 31 letters, digits, _", name);
		return STATUS_USAGE;
	}
	if (strcmp(name, "broker") == 0)
		return made(&files, issue_broker(&authority, &files, why), why);
	for (; name[n] != '\0'; n++)
		module[n] = (char)toupper((unsigned char)name[n]);
	module[n] = '\0';
	is_made = cert_issue_module(&authority, &files, options.force, options.trust_domain, module,
				    (unsigned)options.days, why, sizeof(why));
	return made(&files, is_made, why);
}

/* --- showing --------------------------------------------------------------------------------- */

static const char *judge_time(const struct cert_info *info)
{
	if (info->is_expired)
		return " (expired)";
	return info->is_future ? " (not valid yet)" : "";
}

static const char *judge_use(const struct cert_info *info)
{
	if (info->is_authority)
		return "authority";
	if (info->is_client && info->is_server)
		return "module and broker";
	if (info->is_client)
		return "module";
	return info->is_server ? "broker" : "none that handoff knows";
}

static int show_one(const char *path)
{
	struct cert_info info;
	char why[WHY_SIZE];

	if (!cert_read_info(path, &info, why, sizeof(why))) {
		complain("%s", why);
		return STATUS_NO_INPUT;
	}
	printf("%s\n", path);
	printf("  subject      %s\n", info.subject);
	printf("  issuer       %s\n", info.issuer);
	printf("  use          %s\n", judge_use(&info));
	printf("  valid        %s to %s%s\n", info.not_before, info.not_after, judge_time(&info));
	for (size_t i = 0; i < info.identity.uri_count; i++)
		printf("  URI          %s\n", info.identity.uri[i]);
	for (size_t i = 0; i < info.identity.dns_count; i++)
		printf("  DNS          %s\n", info.identity.dns[i]);
	for (size_t i = 0; i < info.address_count; i++)
		printf("  address      %s\n", info.address[i]);
	printf("  key          %s\n", info.key);
	printf("  serial       %s\n", info.serial);
	printf("  fingerprint  %s\n", info.identity.fingerprint);
	return info.is_expired || info.is_future ? STATUS_FAILED : STATUS_OK;
}

/* --- the command ----------------------------------------------------------------------------- */

/* The first status that is not good. */
static int worse(int a, int b)
{
	return a != STATUS_OK ? a : b;
}

static int run(int count, char **words)
{
	int status = STATUS_OK;

	if (count == 2 && strcmp(words[0], "init") == 0)
		return init(words[1]);
	if (count >= 3 && strcmp(words[0], "issue") == 0) {
		for (int i = 2; i < count; i++)
			status = worse(status, issue_one(words[1], words[i]));
		return status;
	}
	if (count >= 2 && strcmp(words[0], "show") == 0) {
		for (int i = 1; i < count; i++)
			status = worse(status, show_one(words[i]));
		return status;
	}
	complain("say init DIR, issue DIR NAME..., or show FILE...; --help tells more");
	return STATUS_USAGE;
}

int cmd_cert(int argc, char **argv)
{
	char **words = calloc((size_t)argc, sizeof(*words));
	int count, status;

	if (words == NULL) {
		complain("out of memory");
		return STATUS_SYSTEM;
	}
	status = options_read(&usage, argc, argv, words, &count);
	if (status < 0) {
		tls_init();
		status = run(count, words);
	}
	free(words);
	return status;
}
