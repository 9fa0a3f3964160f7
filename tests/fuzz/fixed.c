/* fixed.c - a process without chance and without time */
#include "fixed.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/rng.h"
#include "fuzz.h"
#include "net/cert.h"

#define NOW 1780000000	/* in 2026 */

ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);
time_t __wrap_time(time_t *t);

static struct rng generator;

ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
	(void)flags;
	rng_bytes(&generator, p, n);
	return (ssize_t)n;
}

time_t __wrap_time(time_t *t)
{
	if (t != NULL)
		*t = NOW;
	return NOW;
}

void fixed_begin(unsigned seed)
{
	rng_seed(&generator, seed);
}

static const char *path_of(const char *directory, const char *name)
{
	static char ring[8][320];
	static unsigned next;
	char *path = ring[next++ % 8];

	snprintf(path, sizeof ring[0], "%s/%s", directory, name);
	return path;
}

static struct cert_files files_of(const char *directory, const char *name)
{
	char crt[32], key[32];

	snprintf(crt, sizeof crt, "%s.crt", name);
	snprintf(key, sizeof key, "%s.key", name);
	return (struct cert_files){ path_of(directory, crt), path_of(directory, key) };
}

/* Made in this order, each from its own seed, whoever asks for what. */
static void make_files(const char *directory)
{
	const struct cert_files ca = files_of(directory, "ca");
	const struct cert_files broker = files_of(directory, "broker");
	const struct cert_files alpha = files_of(directory, "alpha");
	static const char *const names[] = { "localhost" };
	char why[512];

	fixed_begin(1);
	must(cert_make_authority(&ca, true, "fuzz", 300, why, sizeof why));
	fixed_begin(2);
	must(cert_issue_broker(&ca, &broker, true, names, 1, 300, why, sizeof why));
	fixed_begin(3);
	must(cert_issue_module(&ca, &alpha, true, "fuzz", "ALPHA", 300, why, sizeof why));
}

typedef struct tls_context *create_fn(const char *ca, const char *certificate, const char *key,
    char *why, size_t size);

static struct tls_context *make_context(const char *directory, create_fn *create, const char *name)
{
	struct cert_files files;
	struct tls_context *tls;
	char why[512];

	make_files(directory);
	files = files_of(directory, name);
	tls = create(path_of(directory, "ca.crt"), files.certificate, files.key, why, sizeof why);
	must(tls != NULL);
	return tls;
}

struct tls_context *fixed_server(const char *directory)
{
	return make_context(directory, tls_server_create, "broker");
}

struct tls_context *fixed_client(const char *directory)
{
	return make_context(directory, tls_client_create, "alpha");
}
