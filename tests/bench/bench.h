/* bench.h - what the files of the load client share: connections, the load, the figures */
#ifndef HANDOFF_BENCH_BENCH_H
#define HANDOFF_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/rng.h"
#include "client/link.h"
#include "wire/decode.h"
#include "wire/encode.h"

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);

#define PATIENCE_MS 60000		/* nothing may take longer than this */

enum phase {
	PHASE_FLOW,			/* from source to target */
	PHASE_PUBLISH,			/* a source alone */
	PHASE_DRAIN,			/* a target alone */
};

/* What the command line says. */
struct load {
	const char *address;		/* of what is measured */
	const char *credentials;	/* the directory of the certificates */
	const char *source, *target;	/* modules */
	enum phase phase;
	uint64_t batch_bytes;		/* the content of `records`; of a peer's message: its value */
	uint64_t records;		/* in a batch */
	uint64_t window;		/* sent, and not acknowledged */
	uint64_t in_flight;		/* sent, and not completed */
	uint64_t handoffs;		/* stop after so many, 0: no limit */
	int64_t seconds;		/* begin no batch after so long, 0: no limit */
	uint64_t connections;		/* many.c: so many sources */
	uint64_t rate;			/* many.c: batches a second of each */
};

struct figures {
	uint64_t sent, received, completed;
	int64_t us;			/* from the first batch to the last answer */
	int64_t first_us;		/* the first delivery, on the monotonic clock; 0: none */
	struct samples *received_us;	/* owned; from the batch to its RECEIVED */
	struct samples *completed_us;	/* owned */
};

/* --- bench.c, contenders: what is measured --------------------------------------------------- */

struct engine;

/*
 * A broker and its protocol. The engine calls open() once, then send() and exchange() by turns, and
 * close(). In exchange() it hands out what was sent, waits, and tells the engine what has come.
 */
struct contender {
	const char *name;
	void (*open)(const struct load *l);
	void (*send)(struct engine *e, uint64_t number);
	void (*exchange)(struct engine *e);
	void (*close)(void);
};
extern const struct contender contender_handoff, contender_redis;

/* --- engine.c: so many at a time, and how long each took ------------------------------------- */

/* Hands over batches until the load is done. */
void engine_run(const struct load *l, const struct contender *c, struct figures *f);
/* For contenders: a batch is on stable storage; a target has it; it has ended, durably. */
void engine_on_received(struct engine *e, uint64_t number);
void engine_on_delivery(struct engine *e);
void engine_on_completed(struct engine *e, uint64_t number);

/* --- many.c: a crowd of sources --------------------------------------------------------------- */

/* l->connections sources, each of which sends l->rate batches a second, and one target. */
void many_run(const struct load *l, pid_t broker, struct figures *f);

/* --- payload.c: batches ----------------------------------------------------------------------- */

struct payload {
	struct buf records;		/* the content of `records` */
	uint8_t checksum[32];
	uint64_t count;			/* records in there */
};
/* A list of `records` records, all together of so many bytes. */
void payload_init(struct payload *p, uint64_t records, size_t bytes);
void payload_finish(struct payload *p);

/* --- peer.c: one module's connection, its HELLO behind it ------------------------------------ */

struct peer {
	const char *module;
	struct link *link;		/* owned */
	struct decoder *decoder;	/* owned */
	struct rng rng;			/* for ids */
	struct frame *frame;		/* owned; the message read last points into it */
	uint64_t credit;		/* max_in_flight of WELCOME */
	uint64_t seen;			/* highest notice */
	uint64_t sent;			/* batches: the last sequence_number */
};

/*
 * The module's certificate in `directory`, which holds ca.crt too, as tests/client/certificates.py
 * names them.
 */
struct tls_context *load_credentials(const char *module, const char *directory);
/*
 * Connects, as soon as somebody listens there, and returns when WELCOME has come. Credentials are
 * the caller's.
 */
void peer_open(struct peer *p, const char *module, const char *instance, const char *address,
    struct tls_context *tls, uint64_t max_in_flight);
/* Says nothing more, and waits until the broker has closed too. */
void peer_close(struct peer *p);
/* The next message that has come whole, good until the next call; false when there is none. */
bool peer_receive(struct peer *p, struct message *m);
/* Hands frames to the socket, as many as it takes. */
void peer_flush(struct peer *p);
/* An envelope of this module's; the correlation_id is still to be filled in, or made of the id. */
struct envelope peer_envelope(struct peer *p, const char *target);
/* Sends a batch with this number in the last bytes of its id. */
void peer_send(struct peer *p, const char *target, const struct payload *payload, uint64_t number);
uint64_t batch_number(const struct uuid *batch_id);
/* A target's turn: says RECEIVED and PROCESSED of each delivery; tells the engine, if there is one,
 * of deliveries, and of batches that have ended when `is_end`. */
void peer_process(struct peer *target, struct engine *e, bool is_end);
/* Ends the program: a healthy broker does not say this. */
__attribute__((noreturn)) void die_of(const struct peer *p, const struct message *m);

/* --- tunnel.c: bytes both ways in TLS --------------------------------------------------------- */

/* A connection of a peer's: the streams are those of libhandoff, so that their cost is the same. */
struct tunnel {
	struct tls_context *tls;	/* owned */
	struct stream *stream;		/* owned */
	struct buf in, out;
};
void tunnel_open(struct tunnel *t, const char *module, const struct load *l);
void tunnel_close(struct tunnel *t);
/* Hands bytes of `out` to the socket, as many as it takes. */
void tunnel_flush(struct tunnel *t);
/* Appends to `in` what has come. */
void tunnel_fill(struct tunnel *t);

/* --- wait.c ----------------------------------------------------------------------------------- */

/* One connection to wait for. */
struct awaited {
	int fd;
	unsigned wants;			/* STREAM_READABLE, STREAM_WRITABLE */
	bool has_pending;		/* do not wait */
};
struct awaited await_link(const struct link *l);
struct awaited await_tunnel(const struct tunnel *t);
/* Until one of them is ready as it wishes; ends the program when that takes too long. */
void wait_for(const struct awaited *all, size_t n);

/* --- samples.c: times, and what a process has used ------------------------------------------- */

struct samples;
struct samples *samples_create(void);
void samples_destroy(struct samples *s);
void samples_add(struct samples *s, int64_t us);
/* The time that so many of a thousand samples do not pass; 0 when there is none. Sorts them. */
int64_t samples_permille(struct samples *s, unsigned permille);

/* Processor time that a process has used, in microseconds. */
int64_t process_cpu_us(pid_t pid);
/* A size in /proc/PID/status, in kilobytes: "VmHWM:", "RssAnon:". */
long process_memory_kb(pid_t pid, const char *field);

#endif
