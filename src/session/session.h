/* session.h - the modules' conversations: all connections behind the door */
#ifndef HANDOFF_SESSION_SESSION_H
#define HANDOFF_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limit.h"
#include "core/core.h"
#include "net/stream.h"

/*
 * A turn as the sessions see it: sessions_set_time(), sessions_receive() (bytes to frames to the
 * core, which changes the open transaction), then, after the commit, sessions_settle() (what is
 * owed goes to the sockets) and sessions_reap(). Callbacks of the event loop only note that a
 * descriptor is ready: nothing is handled outside a turn.
 */
struct sessions;
struct ev_loop;

/* An identity of a certificate that the configuration gives to a module. */
struct identity_mapping {
	const char *identity;		/* "URI:…", "DNS:…", "CN:…" */
	const char *module;
};

struct sessions_settings {
	uint32_t max_frame_bytes;
	uint64_t max_assembly_bytes;	/* all frames that are still coming in, together */
	uint32_t max_connections;
	uint32_t max_module_connections;
	uint32_t hello_timeout_ms;	/* from the end of the handshake to HELLO */
	uint32_t write_timeout_ms;	/* a peer that takes nothing for so long is disconnected */
	uint64_t rekey_records;		/* TLS records of one connection, then REKEY */
	uint64_t rekey_bytes;
	uint64_t rekey_age_ms;
	const struct identity_mapping *mappings;	/* borrowed */
	size_t mapping_count;
};

/* The limits of this room that are no settings. */
extern const struct limit session_limits[];
extern const size_t session_limit_count;

/* How the core reaches the sessions. */
extern const struct peer_ops session_peer_ops;

struct sessions *sessions_create(struct ev_loop *loop, struct core *core, struct store *store,
    const struct sessions_settings *settings, uint64_t seed);
/* Closes all at once, without a word; the core is not told. NULL is fine. */
void sessions_destroy(struct sessions *ss);

/* A verified connection; takes over the stream. `address` is for the log. */
void sessions_add(struct sessions *ss, struct stream *stream, const char *address);

void sessions_set_time(struct sessions *ss, uint64_t now_ms);
/* Takes in what the ready connections have sent, each a fair part, until the turn is full. */
void sessions_receive(struct sessions *ss);
/* Ends those that have passed a deadline. Before the turn is closed. */
void sessions_expire(struct sessions *ss);
/* After the commit: hands to the sockets what they take. */
void sessions_settle(struct sessions *ss);
/* Frees what died in this turn. */
void sessions_reap(struct sessions *ss);
/* There is work that no descriptor and no timer will tell of: do not sleep. */
bool sessions_have_pending(const struct sessions *ss);
/* When sessions_expire() has something to do: custody clock, UINT64_MAX never. */
uint64_t sessions_next_deadline_ms(const struct sessions *ss);

/* The broker stops: says GOODBYE SHUTDOWN to all and takes in nothing more. */
void sessions_shut_down(struct sessions *ss);
/* Verified certificates so far that named no module here. */
uint64_t sessions_refused(const struct sessions *ss);
/* How many connections there are, those that are ending among them. */
size_t sessions_count(const struct sessions *ss);

#endif
