/* cert.h - a development authority: making certificates for broker and modules, and showing them */
#ifndef HANDOFF_NET_CERT_H
#define HANDOFF_NET_CERT_H

#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"

/*
 * For trying things out and for small installations: keys lie in files, nothing is revoked. All
 * keys are ECDSA on P-256, signatures SHA-256, serial numbers 128 random bits. tls_init() comes
 * first.
 *
 * The functions return false with a sentence for people in why[size].
 */

/* A certificate and its key, as PEM files to be written or read. */
struct cert_files {
	const char *certificate;	/* written with mode 0644 */
	const char *key;		/* written with mode 0600 */
};

#define CERT_DAYS_MAX 36500	/* a hundred years */

/*
 * A self-signed authority that may sign certificates, not further authorities. `name` is its common
 * name: 1 to 64 letters, digits, blanks, points, hyphens. Existing files are kept, and false is
 * returned, unless `overwrite`.
 */
bool cert_make_authority(const struct cert_files *to, bool overwrite, const char *name,
    unsigned days, char *why, size_t size);

/*
 * A module's certificate: URI spiffe://<trust_domain>/module/<module in lower case>, extended key
 * usage clientAuth (protocol section 1). It ends with the authority's at the latest.
 */
bool cert_issue_module(const struct cert_files *authority, const struct cert_files *to,
    bool overwrite, const char *trust_domain, const char *module, unsigned days,
    char *why, size_t size);

#define CERT_NAMES_MAX 16

/* A broker's: serverAuth, and the 1 to CERT_NAMES_MAX DNS names or addresses it is dialed by. */
bool cert_issue_broker(const struct cert_files *authority, const struct cert_files *to,
    bool overwrite, const char *const *names, size_t count, unsigned days,
    char *why, size_t size);

#define CERT_TIME_SIZE 21	/* 2026-11-20T08:15:30Z and the NUL */

/* What stands in a certificate. */
struct cert_info {
	char subject[256], issuer[256];
	char serial[64];		/* hex with colons */
	char not_before[CERT_TIME_SIZE], not_after[CERT_TIME_SIZE];
	bool is_expired, is_future;	/* now is outside these times */
	bool is_authority;		/* CA:TRUE */
	bool is_client, is_server;	/* extended key usage clientAuth, serverAuth is there */
	char key[32];			/* "EC 256 bit" */
	struct tls_identity identity;	/* its names and its fingerprint */
	char address[TLS_NAMES_MAX][46];	/* IP subject alternative names */
	size_t address_count;
};

/* Reads the first certificate of a PEM file. Says nothing about who should believe it. */
bool cert_read_info(const char *path, struct cert_info *info, char *why, size_t size);

#endif
