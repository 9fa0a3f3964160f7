/* config.h - the configuration of handoffd: file, environment, defaults, as one plain struct */
#ifndef HANDOFF_SERVER_CONFIG_H
#define HANDOFF_SERVER_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * config_load() reads a file in libConfuse's syntax (protocol.md section 10), lets environment
 * variables win over it, fills in what neither names, and refuses what cannot work. Nothing here
 * knows what a setting is good for; every setting, its default and its bounds stand in one table,
 * config_settings.c. Durations are milliseconds, sizes bytes, unless a member says otherwise.
 */

#define CONFIG_MODULES_MAX 64
#define CONFIG_ROUTES_MAX 256
#define CONFIG_IDENTITIES_MAX 64	/* of one module */
#define CONFIG_MODULE_NAME_MAX 32	/* bytes, without the NUL */
#define CONFIG_ROUTE_NAME_MAX 63
#define CONFIG_IDENTITY_MAX 512
#define CONFIG_CIRCUITS_MAX 64
#define CONFIG_WORDS_MAX 64	/* in a list of a circuit */
#define CONFIG_WORD_MAX 128	/* bytes */
#define CONFIG_OPERATORS_MAX 64	/* names in admin.operators, and in admin.readers */

/* Where to listen: a numeric address and a port; port 0 lets the system choose. */
struct config_address {
	char host[INET6_ADDRSTRLEN];	/* without brackets; "" when not configured */
	uint16_t port;
};

struct config_module {
	char name[CONFIG_MODULE_NAME_MAX + 1];
	/* "URI:…", "DNS:…" or "CN:…", beside the identity that names the module by itself. */
	char **identities;
	size_t identity_count;
};

/* A route's settings: those of WELCOME, and those the broker keeps to itself. */
struct config_route {
	char name[CONFIG_ROUTE_NAME_MAX + 1];
	size_t source;			/* index in config.modules */
	size_t target;
	int64_t batch_size;		/* records */
	int64_t flush_timeout_ms;
	int64_t ack_timeout_ms;		/* from the delivery's last byte to RECEIVED */
	int64_t process_timeout_ms;	/* from the last RECEIVED to PROCESSED */
	int64_t retry_delay_ms;		/* before the first retry */
	int64_t max_retries;		/* after the first delivery */
	double backoff_multiplier;
	int64_t max_retry_delay_ms;
	int64_t confirm_timeout_ms;
	int64_t queue_capacity;		/* batches in custody that have not ended */
	int64_t queue_capacity_bytes;	/* and their bytes */
	int64_t stage_margin;		/* batches with `completes` beyond the capacity */
	int64_t dead_letter_capacity;	/* dead letters; beyond, new batches are refused */
	int64_t dead_letter_capacity_bytes;
	bool ordered;			/* one at a time per source instance, in sequence order */
	bool confirm;			/* wait for DELIVERY_CONFIRMATION */
};

/* Words as the file has them. */
struct config_words {
	char **words;
	size_t count;
};

/* A circuit that modules share. */
struct config_circuit {
	char name[CONFIG_ROUTE_NAME_MAX + 1];
	struct config_words modules, error_codes, destinations;
};

/* Users of this machine, by number. */
struct config_users {
	uint32_t uids[CONFIG_OPERATORS_MAX];
	size_t count;
	bool given;			/* the list is in the file, if only as an empty one */
};

struct config {
	const char *path;		/* of the file, borrowed from who loads it */
	struct config_address listen;
	char *tls_ca;			/* paths, relative ones joined to the file's directory */
	char *tls_certificate;
	char *tls_key;
	char *store_path;		/* a directory */
	int64_t store_size;
	char *admin_socket;		/* NULL: none */
	struct config_users admin_operators;	/* may look and change, beside root and ourselves */
	struct config_users admin_readers;	/* may look */
	struct config_address http_listen;	/* loopback; host "" : none */
	bool sandbox;			/* the process locks itself in when all is open */

	double backpressure_high_watermark;	/* part of a route's capacity, 0 to 1 */
	double backpressure_low_watermark;
	int64_t circuit_failure_threshold;	/* consecutive failures */
	int64_t circuit_reset_timeout_ms;
	int64_t flood_threshold;		/* dead letters with one code; 0: never */
	int64_t flood_window_ms;
	int64_t health_check_interval_ms;
	int64_t health_check_timeout_ms;
	double error_rate_degraded;		/* part of the batches of a minute, 0 to 1 */

	int64_t reclaim_ms;		/* batches wait for their instance_id */
	int64_t outcome_retention_ms;	/* a repeat is recognised, as far as the history goes */
	int64_t dedupe_minimum_ms;	/* at least so long what no source has confirmed */
	int64_t history_size;		/* bytes kept of batches that have ended */
	int64_t stage_reserve;		/* bytes of the store that only `completes` may use */

	int64_t max_frame_bytes;	/* body of a frame towards the broker */
	int64_t max_assembly_bytes;	/* all frames that are still coming in, together */
	int64_t max_in_flight_limit;	/* batches an instance may hold, whatever it asks for */
	int64_t max_connections;
	int64_t max_module_connections;
	int64_t max_module_instances;	/* instance_ids a module has ever used and that are kept */
	int64_t max_handshakes;		/* pending at a time */
	int64_t max_handshake_rate;	/* a second, in all */
	int64_t max_address_handshake_rate;	/* a second and address; loopback is exempt */
	int64_t handshake_timeout_ms;	/* from accept to the end of the TLS handshake */
	int64_t hello_timeout_ms;	/* from there to HELLO */
	int64_t write_timeout_ms;	/* a peer that takes nothing for so long is disconnected */
	int64_t rekey_records;		/* TLS records of one connection, then REKEY */
	int64_t rekey_bytes;
	int64_t rekey_age_ms;

	struct config_module modules[CONFIG_MODULES_MAX];	/* the five of the protocol first */
	size_t module_count;
	struct config_route routes[CONFIG_ROUTES_MAX];		/* alpha-beta, beta-gamma first */
	size_t route_count;
	struct config_circuit circuits[CONFIG_CIRCUITS_MAX];	/* those that modules share */
	size_t circuit_count;
};

/*
 * Reads the file at `path`, which outlives *out, and the environment. 0, and *out is yours to
 * free; or ERR_CONFIG, after
 * each fault was printed to standard error as "handoffd: FILE:LINE: what, limit, remedy".
 * Not reentrant: libConfuse's scanner has one state for the process.
 */
int config_load(const char *path, struct config **out) MUST_CHECK;
/* Takes NULL. */
void config_free(struct config *c);
/*
 * That the files of `tls` can be read and that nobody else can read the key. 0 or ERR_CONFIG,
 * after printing as config_load() does. What is in them, TLS judges.
 */
int config_check_files(const struct config *c) MUST_CHECK;

#endif
