/* bench.h - what the files of the load client share: its peers, the load, the figures */
#ifndef HANDOFF_BENCH_BENCH_H
#define HANDOFF_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rng.h"
#include "client/link.h"
#include "wire/decode.h"
#include "wire/encode.h"

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);

/* --- peer.c: one module's connection, its HELLO behind it ------------------------------------ */

struct peer {
	const char *module;
	struct tls_context *tls;	/* owned */
	struct link *link;		/* owned */
	struct decoder *decoder;	/* owned */
	struct rng rng;			/* for ids */
	struct frame *frame;		/* owned; the message read last points into it */
	uint64_t credit;		/* max_in_flight of WELCOME */
};

/*
 * Connects, and returns when WELCOME has come. `directory` holds ca.crt and the module's
 * certificate and key, as tests/client/certificates.py names them.
 */
void peer_open(struct peer *p, const char *module, const char *address, const char *directory,
    uint64_t max_in_flight);
/* Says nothing more, and waits until the broker has closed too. */
void peer_close(struct peer *p);
/* The next message that has come whole, good until the next call; false when there is none. */
bool peer_receive(struct peer *p, struct message *m);
/* Hands frames to the socket, as many as it takes. */
void peer_flush(struct peer *p);
/* Waits until one of the two can be read or written as it wishes. */
void peer_wait(struct peer *a, struct peer *b);
/* An envelope of this module's; the correlation_id is still to be filled in, or made of the id. */
struct envelope peer_envelope(struct peer *p, const char *target);

/* --- load.c: a source and a target ----------------------------------------------------------- */

struct load {
	uint64_t batch_bytes;		/* the content of `records` */
	uint64_t in_flight;		/* sent, and PROCESSED has not come */
	uint64_t handoffs;		/* stop after so many, 0: no limit */
	int64_t seconds;		/* begin no batch after so long, 0: no limit */
};

struct figures {
	uint64_t handoffs;
	int64_t us;			/* from the first batch to the last PROCESSED */
	struct samples *received;	/* owned; from the batch to its RECEIVED */
	struct samples *processed;	/* owned */
};

/* Hands over batches from source to target until the load is done. */
void load_run(const struct load *l, struct peer *source, struct peer *target, struct figures *f);

/* --- samples.c: times, and what a process has used ------------------------------------------- */

struct samples;
struct samples *samples_create(void);
void samples_destroy(struct samples *s);
void samples_add(struct samples *s, int64_t us);
/* The time that so many per cent of the samples do not pass; 0 when there is none. Sorts them. */
int64_t samples_percentile(struct samples *s, unsigned percent);

/* Processor time that a process has used, in microseconds. */
int64_t process_cpu_us(pid_t pid);
/* A size in /proc/PID/status, in kilobytes: "VmHWM:", "RssAnon:". */
long process_memory_kb(pid_t pid, const char *field);

#endif
